package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/edgeadapt/edgeadapt/sdk"
	"github.com/edgeadapt/edgeadapt/sdk/data"
	"github.com/pkg/errors"
)

// namedAdapter is an adapter with the file that it came from.
type namedAdapter struct {
	path string
	*sdk.Adapter
}

// loadAdapters loads the files that were named and all that a folder holds. What a folder holds beside adapters for this
// backbone is reported on stderr and left out.
func (f *predictFlags) loadAdapters(ctx context.Context, a *app, s *session) (list []namedAdapter, err error) {
	for _, path := range f.adapters {
		x, err := s.bb.LoadAdapter(ctx, path)
		if err != nil {
			return nil, err
		}
		list = append(list, namedAdapter{path, x})
	}
	if f.all == "" {
		return list, nil
	}
	if info, err := os.Stat(f.all); err != nil || !info.IsDir() {
		return nil, usagef("--all %s, expected a folder of adapter files", f.all)
	}
	paths, err := filepath.Glob(filepath.Join(globQuote(f.all), "*.safetensors"))
	if err != nil {
		return nil, errors.Wrap(err, f.all)
	}
	for _, path := range paths {
		x, err := s.bb.LoadAdapter(ctx, path)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			fmt.Fprintln(a.stderr, "left out:", err)
			continue
		}
		list = append(list, namedAdapter{path, x})
	}
	if len(list) == 0 {
		return nil, usagef("--all %s, which holds no adapter that can be used", f.all)
	}
	return list, nil
}

// globQuote keeps a folder's name from being read as a pattern.
func globQuote(dir string) string {
	var out []rune
	for _, c := range dir {
		switch c {
		case '*', '?', '[', '\\':
			out = append(out, '[', c, ']')
		default:
			out = append(out, c)
		}
	}
	return string(out)
}

// classifyAll asks every adapter of every image: the blocks that adapters share are computed once an image.
func (f *predictFlags) classifyAll(ctx context.Context, s *session, adapters []namedAdapter, paths []string) (list []prediction, skipped []data.Skipped, err error) {
	handles := make([]*sdk.Adapter, len(adapters))
	for i, a := range adapters {
		handles[i] = a.Adapter
	}
	opts := []sdk.PredictOption{sdk.TopK(f.topK), sdk.MinScore(f.minScore)}
	for _, path := range paths {
		if ctx.Err() != nil {
			return nil, nil, ctx.Err()
		}
		results, refused, err := predictAll(ctx, s.bb, path, handles, opts)
		if errors.Is(err, sdk.ErrImage) || errors.Is(err, os.ErrNotExist) {
			skipped = append(skipped, data.Skipped{Path: path, Reason: err.Error()})
			list = append(list, prediction{Image: path, Labels: []sdk.Label{}, Error: err.Error()})
			continue
		}
		if err != nil {
			return nil, nil, errors.WithMessage(err, path)
		}
		for i, r := range results {
			p := prediction{Image: path, Adapter: adapters[i].path, Labels: append([]sdk.Label{}, r.Labels...), Plugin: r.Plugin}
			if refused[i] != nil {
				p.Error, p.refused = refused[i].Error(), true
			}
			list = append(list, p)
		}
	}
	return list, skipped, nil
}

// predictAll asks adapters of one image file. Where a plug-in fails, that is the error of its adapter alone: refused has
// one entry an adapter, nil where all is well.
func predictAll(ctx context.Context, bb *sdk.Backbone, path string, adapters []*sdk.Adapter, opts []sdk.PredictOption) (results []sdk.Result, refused []error, err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, nil, errors.Wrap(err, "image")
	}
	defer file.Close()
	picture, err := data.Read(file)
	if err != nil {
		return nil, nil, err
	}
	refused = make([]error, len(adapters))
	results, err = bb.PredictAll(ctx, picture, adapters, opts...)
	if !errors.Is(err, sdk.ErrPlugin) {
		return results, refused, err
	}
	results = make([]sdk.Result, len(adapters))
	for i, a := range adapters {
		if results[i], err = bb.Predict(ctx, picture, a, opts...); errors.Is(err, sdk.ErrPlugin) {
			refused[i] = err
		} else if err != nil {
			return nil, nil, err
		}
	}
	return results, refused, nil
}
