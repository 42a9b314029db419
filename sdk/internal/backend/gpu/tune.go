//go:build linux && !android && cgo && !novulkan

package gpu

import (
	"cmp"
	"context"
	"encoding/json"
	"hash/fnv"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"time"

	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/edgeadapt/edgeadapt/sdk/internal/memo"
	"github.com/edgeadapt/edgeadapt/shaders"
	"github.com/pkg/errors"
)

const (
	leastGain     = 0.05 // of a pass's time, that a variant must save to be kept
	tuneRuns      = 3    // timed passes of each candidate, in turn with those of the best so far
	tuneTolerance = 1e-4 // between the outputs of variants, relative to the largest value
)

// tunedKernels are the variants, by kernel, that earlier tuning found fastest. One choice serves all sizes: with a choice a size an
// image's bits would depend on the batch that it is in.
type tunedKernels map[string]string

// tunedPath is the memo of tuned kernels.
func (d *device) tunedPath() string {
	if d.opt.CacheDir == "" {
		return ""
	}
	return filepath.Join(d.opt.CacheDir, "kernels-"+d.info.UUID+".json")
}

// loadTuned takes over what earlier tuning found, and says so in the driver's name, by which a checkpoint tells whether it goes
// on with the same kernels.
func (d *device) loadTuned() {
	var found tunedKernels
	if d.opt.Safe || !memo.Load(d.tunedPath(), d.trust.about, &found) || len(found) == 0 {
		return
	}
	text, err := json.Marshal(found) // in the order of its keys
	if err != nil {
		return
	}
	sum := fnv.New32a()
	sum.Write(text)
	d.tuned = found
	d.info.Driver += ", kernels tuned " + hexOf(sum.Sum32())
}

func hexOf(x uint32) string {
	const digits = "0123456789abcdef"
	out := make([]byte, 8)
	for i := range out {
		out[i] = digits[x>>(28-4*i)&15]
	}
	return string(out)
}

// candidate is a Program compiled with a choice of variants.
type candidate struct {
	e      *executable
	forced map[string]*shaders.Kernel
	times  []float64
}

// TuneKernels times p with other variants of its kernels, the most expensive ones first, for at most the budget. A variant is
// kept where the pass is at least 5% faster with it and the outputs are the same within rounding. What it finds is kept in the
// cache folder for devices opened later; this one goes on as it was, so that its bits stay the same. It returns what it changed.
func (d *device) TuneKernels(ctx context.Context, p *backend.Program, budget time.Duration) ([]backend.TunedKernel, error) {
	end := time.Now().Add(budget)
	best, want, err := d.candidate(ctx, p, nil)
	if err != nil {
		return nil, err
	}
	defer func() { best.e.Close() }()
	var changes []backend.TunedKernel
	for _, k := range best.e.byCost() {
		for _, other := range shaders.Variants(k.Name) {
			if other == k || other.Needs&^d.dev.Info().Supported != 0 || time.Now().After(end) {
				continue
			}
			next, gain, err := d.challenge(ctx, p, best, other, want)
			if err != nil {
				return changes, err
			}
			if next == nil {
				continue
			}
			changes = append(changes, backend.TunedKernel{Kernel: k.Name, From: k.Variant, To: other.Variant, Gain: gain})
			best.e.Close()
			best, k = next, other
		}
	}
	found := tunedKernels{}
	for name, k := range best.forced {
		found[name] = k.Variant
	}
	return changes, errors.WithMessage(memo.Save(d.tunedPath(), d.trust.about, found), "tuned kernels")
}

// challenge compiles p with the variant other beside those of best and returns it where it wins, with the share of time that it
// saves.
func (d *device) challenge(ctx context.Context, p *backend.Program, best *candidate, other *shaders.Kernel, want [][]float32) (_ *candidate, gain float64, err error) {
	if err := d.verify(ctx, []*shaders.Kernel{other}, nil); err != nil || d.trust.failed(other) {
		return nil, 0, err
	}
	forced := maps.Clone(best.forced)
	if forced == nil {
		forced = map[string]*shaders.Kernel{}
	}
	forced[other.Name] = other
	next, got, err := d.candidate(ctx, p, forced)
	if err != nil {
		return nil, 0, err
	}
	best.times = nil
	for range tuneRuns {
		if err = best.time(ctx); err == nil {
			err = next.time(ctx)
		}
		if err != nil {
			next.e.Close()
			return nil, 0, err
		}
	}
	gain = 1 - median(next.times)/median(best.times)
	if gain < leastGain || !alike(got, want) || !slices.Contains(next.e.used, other) {
		return nil, 0, next.e.Close()
	}
	return next, gain, nil
}

// candidate compiles p with forced variants and runs it once on made-up inputs, for its outputs.
func (d *device) candidate(ctx context.Context, p *backend.Program, forced map[string]*shaders.Kernel) (*candidate, [][]float32, error) {
	e, err := d.probe(forced).compileOnce(p, false)
	if err != nil {
		return nil, nil, err
	}
	out, err := e.tryOut(ctx)
	if err != nil {
		e.Close()
		return nil, nil, err
	}
	return &candidate{e: e, forced: forced}, out, nil
}

// tryOut fills the inputs, floats by a wave and integers by zeros, runs and reads the outputs.
func (e *executable) tryOut(ctx context.Context) (out [][]float32, err error) {
	for v := backend.Value(1); int(v) <= e.p.Values() && err == nil; v++ {
		info := e.p.Info(v)
		switch n := info.Shape.Elems(); {
		case info.Kind != backend.Input:
		case info.Type == backend.I32:
			err = e.WriteInts(v, make([]int32, n))
		default:
			x := make([]float32, n)
			for i := range x {
				x[i] = float32(math.Sin(float64(i) * 0.7))
			}
			err = e.WriteFloats(v, x)
		}
	}
	if err == nil {
		err = e.Run(ctx)
	}
	for v := backend.Value(1); int(v) <= e.p.Values() && err == nil; v++ {
		if info := e.p.Info(v); info.Output {
			x := make([]float32, info.Shape.Elems())
			err = e.ReadFloats(v, x)
			out = append(out, x)
		}
	}
	return out, err
}

func (c *candidate) time(ctx context.Context) error {
	began := time.Now()
	err := c.e.Run(ctx)
	took := float64(time.Since(began))
	if f := c.e.d.stopwatch; f != nil {
		took = f(c.e.used)
	}
	c.times = append(c.times, took)
	return err
}

func median(x []float64) float64 {
	s := slices.Sorted(slices.Values(x))
	return s[len(s)/2]
}

// alike tells whether outputs agree within rounding.
func alike(a, b [][]float32) bool {
	for i := range a {
		diff, top := 0.0, 0.0
		for j, v := range a[i] {
			diff, top = max(diff, math.Abs(float64(v)-float64(b[i][j]))), max(top, math.Abs(float64(b[i][j])))
		}
		if !(diff <= tuneTolerance*top) && diff != 0 {
			return false
		}
	}
	return true
}

// byCost lists the kernels of e, those of the longest estimated time first.
func (e *executable) byCost() []*shaders.Kernel {
	out := slices.Clone(e.used)
	slices.SortStableFunc(out, func(a, b *shaders.Kernel) int { return cmp.Compare(e.cost[b.Name], e.cost[a.Name]) })
	return out
}
