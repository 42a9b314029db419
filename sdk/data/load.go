package data

import (
	"context"
	"runtime"
	"strings"
	"sync"

	"github.com/edgeadapt/edgeadapt/sdk/internal/tensor"
	"github.com/pkg/errors"
)

// Skipped is an image that could not be read.
type Skipped struct {
	Path   string `json:"path"`
	Reason string `json:"reason"`
}

// Load decodes and preprocesses items on several goroutines (workers; 0 means one a processor) and calls f for each
// readable one, in the order of items, from the calling goroutine. i is the index in items; f may keep t. Images that
// cannot be read are left out and listed, in order, also beside an error. At most workers+1 images are decoded ahead of
// f. An error of f, a cancelled ctx or an impossible pipeline ends the call; every goroutine has ended when it returns.
//
// Whether the images that are left suffice is for the caller to say: a class may lose all of its share of a small
// validation split and still be trained well.
func Load(ctx context.Context, items []Item, p Pipeline, workers int, f func(i int, t tensor.Tensor) error) ([]Skipped, error) {
	return load(ctx, items, p, workers, p.Decoder(), func(_ int, m *RGB) (tensor.Tensor, error) { return p.Apply(m) }, f)
}

// load is Load with a way of its own from picture to tensor.
func load(ctx context.Context, items []Item, p Pipeline, workers int, d Decoder, apply func(i int, m *RGB) (tensor.Tensor, error), f func(i int, t tensor.Tensor) error) ([]Skipped, error) {
	if err := p.Check(); err != nil {
		return nil, errors.Wrap(err, "preprocessing")
	}
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	l := loader{items: items, decoder: d, apply: apply, ordered: make(chan *loaded, workers), work: make(chan *loaded)}
	wg.Go(func() { l.feed(ctx) })
	for range min(workers, len(items)) {
		wg.Go(l.run)
	}
	return l.drain(ctx, f)
}

// loaded is one image on its way; done is closed when tensor or err is there.
type loaded struct {
	index  int
	tensor tensor.Tensor
	err    error
	done   chan struct{}
}

// loader keeps order by queueing each image twice: in ordered for the caller, whose capacity bounds how far the workers
// run ahead, and in work for whichever worker is free.
type loader struct {
	items   []Item
	decoder Decoder
	apply   func(i int, m *RGB) (tensor.Tensor, error)
	ordered chan *loaded
	work    chan *loaded
}

func (l *loader) feed(ctx context.Context) {
	defer close(l.work)
	defer close(l.ordered)
	for i := range l.items {
		x := &loaded{index: i, done: make(chan struct{})}
		for _, queue := range []chan *loaded{l.ordered, l.work} {
			select {
			case queue <- x:
			case <-ctx.Done():
				return
			}
		}
	}
}

func (l *loader) run() {
	for x := range l.work {
		var m *RGB
		if m, x.err = l.decoder.DecodeFile(l.items[x.index].Path); x.err == nil {
			x.tensor, x.err = l.apply(x.index, m)
		}
		close(x.done)
	}
}

// drain hands the images over in order.
func (l *loader) drain(ctx context.Context, f func(i int, t tensor.Tensor) error) (skipped []Skipped, err error) {
	for range l.items {
		var x *loaded
		select {
		case x = <-l.ordered:
		case <-ctx.Done():
		}
		if x != nil {
			select {
			case <-x.done:
			case <-ctx.Done():
			}
		}
		if err := ctx.Err(); err != nil {
			return skipped, errors.Wrap(err, "load images")
		}
		if x.err != nil {
			path := l.items[x.index].Path
			skipped = append(skipped, Skipped{Path: path, Reason: strings.TrimPrefix(x.err.Error(), path+": ")})
			continue
		}
		if err := f(x.index, x.tensor); err != nil {
			return skipped, err
		}
	}
	return skipped, nil
}
