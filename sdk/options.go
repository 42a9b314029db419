package sdk

import (
	"crypto/ed25519"
	"log/slog"
	"time"

	"github.com/edgeadapt/edgeadapt/quant"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/edgeadapt/edgeadapt/sdk/internal/nn"
	"github.com/edgeadapt/edgeadapt/sdk/plugin"
	"github.com/pkg/errors"
)

// Option configures Open.
type Option func(*options)

type options struct {
	drivers     drivers
	device      string
	threads     int
	activations string
	trusted     []ed25519.PublicKey
	validation  bool
	cacheDir    string
	log         *slog.Logger
	plugins     plugin.Limits
	budget      int64
	hostBudget  int64 // 0: no limit
	storage     quant.Scheme
	batchDelay  time.Duration
	maxBatch    int
	queue       int
	checked     func(done, of int)
}

// check refuses values that no device could follow.
func (o options) check() error {
	switch {
	case o.budget < 1:
		return errors.WithMessagef(ErrOption, "adapter budget of %d bytes, expected a positive number", o.budget)
	case o.hostBudget < 0:
		return errors.WithMessagef(ErrOption, "host budget of %d bytes, expected none or more", o.hostBudget)
	case o.storage != quant.F32 && o.storage != quant.F16:
		return errors.WithMessagef(ErrOption, "adapters stored as %q, expected f32 or f16", o.storage)
	case o.batchDelay < 0:
		return errors.WithMessagef(ErrOption, "batching delay of %v, expected none or more", o.batchDelay)
	case o.maxBatch < 1 || o.maxBatch > nn.MaxBatch:
		return errors.WithMessagef(ErrOption, "batches of up to %d images, expected 1 to %d", o.maxBatch, nn.MaxBatch)
	case o.queue < 1:
		return errors.WithMessagef(ErrOption, "queue of %d images, expected at least 1", o.queue)
	}
	return nil
}

// WithDevice names the device: "auto" (the default), "cpu", "vulkan:N", a UUID as Devices lists it, or "ref", the
// slow float64 definition that everything else is checked against.
//
// "auto" is the device that was measured fastest for the backbone in question: LoadBackbone and UseBackbone run seven passes of
// one image on the CPU and on each Vulkan device that is no software driver and passes its self-test, which takes seconds with
// the compilation of its kernels, and remember the result where WithCacheDir names a folder. Where there is no such device,
// nothing is measured and the CPU serves. Backbones of one Runtime may get different devices; see Backbone.Device.
//
// A Vulkan device that is lost, or whose results are found wrong, is opened again and the call repeated, more cautiously; if
// that fails too, the CPU takes over. The logger hears of it. Results may then differ by rounding.
func WithDevice(name string) Option { return func(o *options) { o.device = name } }

// WithThreads bounds the CPU device's workers; 0, the default, follows GOMAXPROCS and the cgroup's limit.
func WithThreads(n int) Option { return func(o *options) { o.threads = n } }

// WithActivations says how the inputs of the layers of a backbone with integer weights are multiplied: "int8", rounded as
// they come, which is up to several times faster; "float"; or "auto", the default: int8 for predictions, where the weights are
// integers, and float for Tune. An adapter works with either.
//
// "+f16" behind the name, as in "auto+f16", has Vulkan devices keep q, k and v of every attention as float16 in memory; they are computed
// with in float32, and features differ by less than a hundredth. Other devices, and Tune, keep float32.
func WithActivations(name string) Option { return func(o *options) { o.activations = name } }

// WithValidation switches Vulkan's validation layers on; their messages go to the logger as errors.
func WithValidation() Option { return func(o *options) { o.validation = true } }

// WithCacheDir is where compiled Vulkan pipelines and the compiled code of plug-ins are kept between runs; without it they
// are not kept. The folder must belong to this user alone, since code in it is run. Damaged entries are made again.
func WithCacheDir(dir string) Option { return func(o *options) { o.cacheDir = dir } }

// WithLogger receives warnings. Without it the package is silent.
func WithLogger(l *slog.Logger) Option { return func(o *options) { o.log = l } }

// WithAdapterBudget bounds the device memory of the adapters beside each backbone; the default is 64 MiB. An adapter of 64
// hidden channels in all blocks of a ViT-S takes 2.4 MB. Any number may be loaded: beyond the budget those that were not
// used for longest stay in host memory until their next use.
func WithAdapterBudget(bytes int64) Option { return func(o *options) { o.budget = bytes } }

// WithAdapterHostBudget bounds the host memory of adapters that are not on the device; 0, the default, sets no bound. Beyond
// it those that were loaded from a file, are in no call and were not used for longest leave host memory, and are read again at
// their next use. Their files must stay as they are: where one is gone or holds another adapter, calls with it return
// ErrFileChanged or the reading's error, and others are not concerned; Reload or Replace takes what is there now. Adapters that
// came from memory stay there.
func WithAdapterHostBudget(bytes int64) Option { return func(o *options) { o.hostBudget = bytes } }

// WithAdapterStorage says how adapters lie on the device: quant.F32, the default, or quant.F16, which takes half the memory and
// rounds every parameter to 11 bits; one beyond 65504 is refused. They are computed with in float32 either way, and host memory
// keeps them as their files do.
func WithAdapterStorage(s quant.Scheme) Option { return func(o *options) { o.storage = s } }

// storageType is the type of an arena's elements.
func (o options) storageType() backend.DType {
	if o.storage == quant.F16 {
		return backend.F16
	}
	return backend.F32
}

// WithBatching says how requests of many goroutines share passes: up to maxBatch images, at most and by default
// 32, go through together (on the CPU in several short passes), and an image waits up to maxDelay for others to share its pass with. By default none waits while the device
// is idle; what comes while a pass runs goes into the next one together, with those who come back from it within a fiftieth of
// its time.
func WithBatching(maxDelay time.Duration, maxBatch int) Option {
	return func(o *options) { o.batchDelay, o.maxBatch = maxDelay, maxBatch }
}

// WithQueue bounds the images that wait for their pass, those that are decoded and resized for it among them: with this many,
// 128 by default, further calls of Predict, PredictBatch and PredictAll return ErrBusy. A batch is let in as a whole.
func WithQueue(images int) Option { return func(o *options) { o.queue = images } }

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
