//go:build linux && !android && cgo && !novulkan

package gpu

import (
	"context"
	"iter"
	"slices"
	"time"

	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend/selftest"
	"github.com/edgeadapt/edgeadapt/shaders"
	"github.com/pkg/errors"
)

// verify tests variants, and the divided form of those that pass or have passed.
func (d *device) verify(ctx context.Context, whole []*shaders.Kernel, parts []divided) error {
	d.trust.testing.Lock()
	defer d.trust.testing.Unlock()
	whole, parts = unknown(d.trust, whole), unknown(d.trust, parts)
	if len(whole)+len(parts) == 0 {
		return nil
	}
	for _, k := range whole {
		if _, err := d.verifyOne(ctx, k); err != nil {
			return errors.WithMessagef(err, "self-test of %s", k)
		}
	}
	for _, k := range parts {
		if d.trust.failed(k.Kernel) {
			continue
		}
		if _, err := d.verifyDivided(ctx, k); err != nil {
			return errors.WithMessagef(err, "self-test of %s", k)
		}
	}
	d.trust.save()
	return nil
}

// verifyOne tests k by every case of its kernel and says how long its runs took.
func (d *device) verifyOne(ctx context.Context, k *shaders.Kernel) (took time.Duration, err error) {
	probe := d.tester(map[string]*shaders.Kernel{k.Name: k}, nil)
	for c, s := range casesOf(k) {
		t, err := probe.examine(ctx, c, s, k)
		if err != nil {
			return took, err
		}
		took += t
	}
	if _, known := d.trust.of(k); !known { // a test of ours sees to it that this does not happen
		d.trust.note(k, verdict{Case: "none"})
	}
	return took, nil
}

// shortRow is the row of workgroups by which a self-test folds small grids, as large ones are.
const shortRow = 2

// verifyDivided tests k by every case in which there is something to divide, a grid of one row along it and one that is folded by its
// rows: the results must have the bits of the whole dispatches.
func (d *device) verifyDivided(ctx context.Context, k divided) (took time.Duration, err error) {
	forced := map[string]*shaders.Kernel{k.Name: k.Kernel}
	whole, parts, folded := d.tester(forced, nil), d.tester(forced, k.Kernel), d.tester(forced, k.Kernel)
	folded.row = shortRow
	for c, s := range casesOf(k.Kernel) {
		for _, probe := range []*device{parts, folded} {
			t, err := probe.examineDivided(ctx, c, s, k, whole)
			if err != nil {
				return took, err
			}
			took += t
		}
	}
	if _, known := d.trust.of(k); !known { // likewise; what was not tested is not used
		d.trust.note(k, verdict{Case: "none", Fault: "no case divides it"})
	}
	return took, nil
}

// examineDivided runs c for a verdict on k, if it divides k.
func (d *device) examineDivided(ctx context.Context, c selftest.Case, s selftest.Size, k divided, whole *device) (time.Duration, error) {
	divides := false
	o, err := c.CheckLike(ctx, d, whole, s, func(e backend.Executable) bool {
		divides = slices.Contains(e.(*executable).divided, k)
		return divides
	})
	if errors.Is(err, backend.ErrFaulty) { // rows that k does not serve have no kernel left
		return 0, nil
	}
	if err == nil && divides {
		d.trust.note(k, verdict{Fault: o.Fault, Case: c.Name + " " + s.String(), MaxError: finite(o.MaxError)})
	}
	return o.Took, err
}

// casesOf are the cases that run k's kernel, in each size.
func casesOf(k *shaders.Kernel) iter.Seq2[selftest.Case, selftest.Size] {
	return func(yield func(selftest.Case, selftest.Size) bool) {
		for _, c := range selftest.Cases() {
			for _, s := range selftest.Sizes {
				if slices.Contains(c.Kernels, k.Name) && !yield(c, s) {
					return
				}
			}
		}
	}
}

// probe is d as a self-test or a tuner uses it: it shares everything with d, takes untested kernels, and the forced ones first.
func (d *device) probe(forced map[string]*shaders.Kernel) *device {
	return &device{inst: d.inst, dev: d.dev, info: d.info, opt: d.opt, tuned: d.tuned, pace: d.pace, turn: d.turn, trust: d.trust, forced: forced, untested: true, fault: d.fault, stopwatch: d.stopwatch}
}

// tester is a probe that divides the dispatches of parts, however short, and no others.
func (d *device) tester(forced map[string]*shaders.Kernel, parts *shaders.Kernel) *device {
	p := d.probe(forced)
	p.cut = func(k *shaders.Kernel) bool { return k == parts }
	return p
}

// attempt is one run of a case with one choice of variants.
type attempt struct {
	selftest.Outcome
	used    []*shaders.Kernel // in the order of their first dispatch
	skipped bool              // it did not run
}

// try runs c, unless it does not use the variant on, where that is not nil.
func (d *device) try(ctx context.Context, c selftest.Case, s selftest.Size, on *shaders.Kernel) (a attempt, err error) {
	a.Outcome, err = c.Check(ctx, d, s, func(e backend.Executable) bool {
		a.used = e.(*executable).used
		a.skipped = on != nil && !slices.Contains(a.used, on)
		return !a.skipped
	})
	if on != nil && errors.Is(err, backend.ErrFaulty) { // rows that on does not serve have no kernel left
		a.skipped, err = true, nil
	}
	return a, err
}

// examine runs c for a verdict on the variant on. Of several variants that it used when it failed, those are at fault without
// which it goes well.
func (d *device) examine(ctx context.Context, c selftest.Case, s selftest.Size, on *shaders.Kernel) (took time.Duration, err error) {
	a, err := d.try(ctx, c, s, on)
	if err != nil || a.skipped {
		return 0, err
	}
	guilty := []*shaders.Kernel{on} // those beside it have cases of their own
	if a.Fault != "" {
		if guilty, err = d.blame(ctx, c, s, a.used); err != nil {
			return 0, err
		}
	}
	for _, k := range guilty {
		d.trust.note(k, verdict{Fault: a.Fault, Case: c.Name + " " + s.String(), MaxError: finite(a.MaxError)})
	}
	return a.Took, nil
}

// blame finds which of the variants that c used are at fault: the first that c goes well without, else all that c goes well
// without together, else all.
func (d *device) blame(ctx context.Context, c selftest.Case, s selftest.Size, used []*shaders.Kernel) ([]*shaders.Kernel, error) {
	var replaced []*shaders.Kernel
	all := map[string]*shaders.Kernel{}
	for _, k := range used {
		other := d.after(k)
		if other == nil && !shaders.Optional(k.Name) {
			continue
		}
		replaced = append(replaced, k)
		all[k.Name] = other
		a, err := d.tester(map[string]*shaders.Kernel{k.Name: other}, nil).try(ctx, c, s, nil)
		if err != nil {
			return nil, err
		}
		if a.Fault == "" {
			return []*shaders.Kernel{k}, nil
		}
	}
	if len(replaced) > 1 {
		a, err := d.tester(all, nil).try(ctx, c, s, nil)
		if err != nil {
			return nil, err
		}
		if a.Fault == "" {
			return replaced, nil
		}
	}
	return used, nil
}

// after is the row below k that the device can use, nil if there is none.
func (d *device) after(k *shaders.Kernel) *shaders.Kernel {
	rows := shaders.Variants(k.Name)
	for _, other := range rows[slices.Index(rows, k)+1:] {
		if other.Needs&^d.dev.Info().Supported == 0 && !d.trust.failed(other) {
			return other
		}
	}
	return nil
}

// finite is x as JSON can hold it.
func finite(x float64) float64 { return min(x, 1e30) }
