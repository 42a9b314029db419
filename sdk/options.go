package sdk

import (
	"crypto/ed25519"
	"log/slog"

	"github.com/edgeadapt/edgeadapt/sdk/plugin"
)

// Option configures Open.
type Option func(*options)

type options struct {
	device      string
	threads     int
	activations string
	trusted     []ed25519.PublicKey
	validation  bool
	cacheDir    string
	log         *slog.Logger
	plugins     plugin.Limits
}

// WithDevice names the device: "auto" (the default), "cpu", "vulkan:N", a UUID as Devices lists it, or "ref", the
// slow float64 definition that everything else is checked against.
//
// "auto" is the CPU today: a Vulkan device is used where it is named.
func WithDevice(name string) Option { return func(o *options) { o.device = name } }

// WithThreads bounds the CPU device's workers; 0, the default, follows GOMAXPROCS and the cgroup's limit.
func WithThreads(n int) Option { return func(o *options) { o.threads = n } }

// WithActivations says how the inputs of a q8c backbone's layers are multiplied: "int8", rounded as they come, which is
// several times faster on a CPU; "float"; or "auto", the default: int8 where the device is faster so, which is the CPU with
// AVX2 or better. An adapter works with either, best with the one it was tuned with.
func WithActivations(name string) Option { return func(o *options) { o.activations = name } }

// WithValidation switches Vulkan's validation layers on; their messages go to the logger as errors.
func WithValidation() Option { return func(o *options) { o.validation = true } }

// WithCacheDir is where compiled Vulkan pipelines are kept between runs; without it they are not kept.
func WithCacheDir(dir string) Option { return func(o *options) { o.cacheDir = dir } }

// WithLogger receives warnings. Without it the package is silent.
func WithLogger(l *slog.Logger) Option { return func(o *options) { o.log = l } }

// PredictOption narrows a prediction's labels.
type PredictOption func(*predictOptions)

type predictOptions struct {
	topK     int
	minScore float32
}

// TopK keeps the k labels with the highest scores; 0, the default, keeps all.
func TopK(k int) PredictOption { return func(o *predictOptions) { o.topK = k } }

// MinScore drops labels below a score between 0 and 1.
func MinScore(s float32) PredictOption { return func(o *predictOptions) { o.minScore = s } }
