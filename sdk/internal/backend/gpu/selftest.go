//go:build linux && !android && cgo && !novulkan

package gpu

import (
	"context"
	"slices"
	"time"

	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend/selftest"
	"github.com/edgeadapt/edgeadapt/shaders"
	"github.com/pkg/errors"
)

// verify tests those of ks that have no verdict yet. Afterwards all have.
func (d *device) verify(ctx context.Context, ks []*shaders.Kernel) error {
	d.trust.testing.Lock()
	defer d.trust.testing.Unlock()
	unknown := d.trust.unknown(ks)
	if len(unknown) == 0 {
		return nil
	}
	for _, k := range unknown {
		if _, err := d.verifyOne(ctx, k); err != nil {
			return errors.WithMessagef(err, "self-test of %s", k)
		}
	}
	d.trust.save()
	return nil
}

// verifyOne tests k by every case of its kernel and says how long its runs took.
func (d *device) verifyOne(ctx context.Context, k *shaders.Kernel) (took time.Duration, err error) {
	probe := d.probe(map[string]*shaders.Kernel{k.Name: k})
	for _, c := range selftest.Cases() {
		if !slices.Contains(c.Kernels, k.Name) {
			continue
		}
		for _, s := range selftest.Sizes {
			t, err := probe.examine(ctx, c, s, k)
			if err != nil {
				return took, err
			}
			took += t
		}
	}
	if len(d.trust.unknown([]*shaders.Kernel{k})) > 0 { // a test of ours sees to it that this does not happen
		d.trust.note(k, verdict{Case: "none"})
	}
	return took, nil
}

// probe is d as a self-test uses it: it shares everything with d, takes untested kernels, and the forced ones first.
func (d *device) probe(forced map[string]*shaders.Kernel) *device {
	return &device{inst: d.inst, dev: d.dev, info: d.info, opt: d.opt, tuned: d.tuned, pace: d.pace, turn: d.turn, trust: d.trust, forced: forced, untested: true, fault: d.fault, stopwatch: d.stopwatch}
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
		a, err := d.probe(map[string]*shaders.Kernel{k.Name: other}).try(ctx, c, s, nil)
		if err != nil {
			return nil, err
		}
		if a.Fault == "" {
			return []*shaders.Kernel{k}, nil
		}
	}
	if len(replaced) > 1 {
		a, err := d.probe(all).try(ctx, c, s, nil)
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
