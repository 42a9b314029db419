package sdk

import (
	"cmp"
	"context"
	"io"
	"math"
	"slices"
	"time"

	"github.com/edgeadapt/edgeadapt/quant"
	"github.com/edgeadapt/edgeadapt/sdk/internal/nn"
	"github.com/edgeadapt/edgeadapt/sdk/internal/profile"
	"github.com/pkg/errors"
)

// Profile is where the time of one pass went, operator by operator and kernel by kernel.
type Profile = profile.Profile

// ProfileRow is all runs of an operator at one size with the same kernels.
type ProfileRow = profile.Row

// WriteTrace writes the profile of m as a Chrome trace, which chrome://tracing and ui.perfetto.dev open. It returns ErrOption
// where m has none.
func (m *Measurement) WriteTrace(w io.Writer) error {
	if m.Profile == nil {
		return errors.WithMessage(ErrOption, "a trace of a measurement without a profile")
	}
	return m.Profile.WriteTrace(w, m.Device+", "+m.Driver)
}

// profile times the kernels of c's passes, and keeps the pass of median length. The outputs must be those of v bit for bit.
func (bb *Backbone) profile(ctx context.Context, v *nn.ViT, c MeasureConfig) (*Profile, error) {
	watch, err := profile.New(v.Backend())
	if err != nil {
		return nil, err
	}
	block := 0
	if v.Activations().Int8() {
		block = quant.PerToken
	}
	roof, err := watch.Calibrate(ctx, bb.host.Scheme(), block)
	if err != nil {
		return nil, err
	}
	timed := v.Through(watch)
	defer timed.Close()
	if err := bb.sameOutputs(ctx, v, timed, c); err != nil {
		return nil, err
	}
	pass, done, err := bb.measured(timed, c)
	if err != nil {
		return nil, err
	}
	defer done()
	if err := pass(ctx); err != nil { // drivers compile in the first
		return nil, err
	}
	type run struct {
		wall   time.Duration
		events []profile.Event
	}
	var runs []run
	for range c.Runs {
		watch.Start()
		began := time.Now()
		if err := pass(ctx); err != nil {
			return nil, err
		}
		runs = append(runs, run{time.Since(began), watch.Events()})
	}
	slices.SortStableFunc(runs, func(a, b run) int { return cmp.Compare(a.wall, b.wall) })
	median := runs[(len(runs)-1)/2]
	return profile.Table(median.events, watch.Clock(), median.wall, roof), nil
}

// sameOutputs makes sure that timed passes compute what they are to time.
func (bb *Backbone) sameOutputs(ctx context.Context, v, timed *nn.ViT, c MeasureConfig) error {
	input := noise(3 * c.Size * c.Size)
	plain, err := bb.measuredOnce(ctx, v, c, input)
	if err != nil {
		return err
	}
	got, err := bb.measuredOnce(ctx, timed, c, input)
	if err != nil {
		return err
	}
	for i := range plain {
		for j := range plain[i] {
			if math.Float32bits(got[i][j]) != math.Float32bits(plain[i][j]) {
				return errors.WithMessagef(ErrCheck, "a timed pass differs from a plain one in element %d: %g, expected %g", j, got[i][j], plain[i][j])
			}
		}
	}
	return nil
}
