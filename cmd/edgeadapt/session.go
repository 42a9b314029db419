package main

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/edgeadapt/edgeadapt/sdk"
	"github.com/edgeadapt/edgeadapt/sdk/adapter"
	"github.com/edgeadapt/edgeadapt/sdk/backbones/vits14"
	"github.com/edgeadapt/edgeadapt/sdk/model"
	"github.com/spf13/cobra"
)

// session is an open device with a backbone and, where one was named, an adapter.
type session struct {
	rt      *sdk.Runtime
	bb      *sdk.Backbone
	adapter *sdk.Adapter
}

func (s *session) close() { s.rt.Close() }

// sessionFlags say which device, backbone and adapter to use.
type sessionFlags struct {
	device, backbone, adapter string
	activations               string
	threads                   int
}

func (f *sessionFlags) register(c *cobra.Command) {
	c.Flags().StringVar(&f.device, "device", "auto", "auto, cpu, vulkan:N or a UUID; see 'edgeadapt devices'")
	c.Flags().StringVar(&f.backbone, "backbone", "", "backbone file (default: the built-in ViT-S/14)")
	c.Flags().StringVar(&f.activations, "activations", "auto", "int8, float, or auto: int8 to predict with integer weights, float to tune; +f16 behind it keeps q, k and v as float16 in Vulkan's memory")
	c.Flags().IntVar(&f.threads, "threads", 0, "processor cores to use (default: all)")
}

func (f *sessionFlags) registerAdapter(c *cobra.Command, usage string) {
	c.Flags().StringVar(&f.adapter, "adapter", "", usage)
}

// open opens what the flags name. The caller closes the session.
func (f *sessionFlags) open(ctx context.Context, a *app) (_ *session, err error) {
	if f.threads < 0 {
		return nil, usagef("--threads %d, expected at least 1", f.threads)
	}
	if !slices.Contains([]string{"auto", "int8", "float"}, strings.TrimSuffix(f.activations, "+f16")) {
		return nil, usagef("--activations %s, expected auto, int8 or float, and +f16 behind it or not", f.activations)
	}
	opts := []sdk.Option{sdk.WithDevice(f.device), sdk.WithThreads(f.threads), sdk.WithActivations(f.activations),
		sdk.WithLogger(slog.New(slog.NewTextHandler(a.stderr, &slog.HandlerOptions{Level: slog.LevelWarn})))}
	if dir, err := cacheDir(); err == nil {
		opts = append(opts, sdk.WithCacheDir(dir)) // without one, pipelines and plug-ins are compiled anew each time
	}
	rt, err := sdk.Open(ctx, opts...)
	if err != nil {
		return nil, err
	}
	s := &session{rt: rt}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	if s.bb, err = loadBackbone(ctx, rt, f.backbone); err != nil {
		return nil, err
	}
	if f.adapter != "" {
		s.adapter, err = s.bb.LoadAdapter(ctx, f.adapter)
	}
	return s, err
}

// backboneOption is the part of a command line that names the same backbone.
func (f *sessionFlags) backboneOption() string {
	if f.backbone == "" {
		return ""
	}
	return " --backbone " + shellQuote(f.backbone)
}

// loadBackbone makes a backbone file resident, or the built-in one where path is empty.
func loadBackbone(ctx context.Context, rt *sdk.Runtime, path string) (*sdk.Backbone, error) {
	if path != "" {
		return rt.LoadBackbone(ctx, path)
	}
	b, err := vits14.Open()
	if err != nil {
		return nil, err
	}
	return rt.UseBackbone(ctx, b)
}

// backboneRef is what an adapter has to know of a backbone file, or of the built-in one where path is empty.
func backboneRef(path string) (adapter.Ref, error) {
	if path == "" {
		b, err := vits14.Open()
		if err != nil {
			return adapter.Ref{}, err
		}
		return b.Config().Ref(), nil
	}
	b, err := model.OpenBackbone(path)
	if err != nil {
		return adapter.Ref{}, err
	}
	defer b.Close()
	return b.Config().Ref(), nil
}

// cacheDir is where compiled pipelines and plug-ins are kept: EDGEADAPT_CACHE, "off" for nowhere, or $XDG_CACHE_HOME/edgeadapt or
// the system's like of it.
func cacheDir() (string, error) {
	switch dir := os.Getenv("EDGEADAPT_CACHE"); dir {
	case "":
	case "off":
		return "", nil
	default:
		return dir, os.MkdirAll(dir, 0o700)
	}
	base, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(base, "edgeadapt")
	return dir, os.MkdirAll(dir, 0o755)
}
