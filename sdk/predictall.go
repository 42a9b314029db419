package sdk

import (
	"context"
	"io"
	"slices"

	"github.com/edgeadapt/edgeadapt/sdk/data"
	"github.com/edgeadapt/edgeadapt/sdk/internal/nn"
	"github.com/pkg/errors"
)

// PredictAll asks several tasks of one image; result i is adapter i's, with the bits of Predict. The blocks below an
// adapter's first branch are the plain backbone's, so they are computed once for all adapters that take the image in the
// same size and normalisation: with branches in the upper half of the blocks a further task costs half a pass.
// A nil adapter gives plain features. Errors are those of PredictBatch.
func (bb *Backbone) PredictAll(ctx context.Context, img any, adapters []*Adapter, opts ...PredictOption) ([]Result, error) {
	leave, err := bb.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	room, err := bb.sched.admit(1)
	if err != nil {
		return nil, err
	}
	defer room.leave()
	entered := versions{}
	defer entered.leave()
	vs := make([]*version, len(adapters))
	for i, a := range adapters {
		if vs[i], err = entered.enter(a, bb); err != nil {
			return nil, errors.WithMessagef(err, "adapter %d", i)
		}
	}
	groups, err := bb.groupByInput(ctx, img, vs)
	if err != nil {
		return nil, err
	}
	answers := make([]answer, len(adapters))
	for _, g := range groups {
		err := bb.withMixer(ctx, func(m *nn.Mixer) error {
			room.leave()
			return bb.predictShared(ctx, m, g, answers)
		})
		if err != nil {
			return nil, err
		}
	}
	out := make([]Result, len(adapters))
	for i, a := range answers {
		if out[i], err = a.result(ctx, vs[i], opts); err != nil {
			return nil, errors.WithMessagef(err, "adapter %d", i)
		}
	}
	return out, nil
}

// inputGroup is tasks, by index, that see an image in the same way.
type inputGroup struct {
	pipe  data.Pipeline
	input Tensor
	ids   []int
	tasks []*nn.Resident // of ids
}

// groupByInput reads img once and prepares it once for each way of doing so.
func (bb *Backbone) groupByInput(ctx context.Context, img any, vs []*version) (groups []*inputGroup, err error) {
	if r, ok := img.(io.Reader); ok {
		if img, err = data.Read(r); err != nil {
			return nil, err
		}
	}
	for i, v := range vs {
		pipe := bb.pipeline(ctx, v)
		at := slices.IndexFunc(groups, func(g *inputGroup) bool { return g.pipe == pipe })
		if at < 0 {
			x, err := bb.prepare(img, pipe)
			if err != nil {
				return nil, err
			}
			at = len(groups)
			groups = append(groups, &inputGroup{pipe: pipe, input: x})
		}
		groups[at].ids = append(groups[at].ids, i)
		groups[at].tasks = append(groups[at].tasks, v.resident())
	}
	return groups, nil
}

// predictShared answers the tasks of a group: one pass of the plain backbone as far as the highest first branch, which
// keeps the tokens at each first branch on its way, and one pass from each of those on for the tasks that begin there.
func (bb *Backbone) predictShared(ctx context.Context, m *nn.Mixer, g *inputGroup, out []answer) error {
	c := bb.mixConfig(g.input.Shape[1], g.input.Shape[2])
	if len(g.ids) == 1 { // nothing to share
		return bb.predictFrom(ctx, m, c, g.input.Data, g, out)
	}
	byFirst := map[int]*inputGroup{}
	var taps []string
	for i, t := range g.tasks {
		first := bb.firstBlock(t)
		if byFirst[first] == nil {
			taps = append(taps, nn.BlockInput(first))
			byFirst[first] = &inputGroup{}
		}
		s := byFirst[first]
		s.ids, s.tasks = append(s.ids, g.ids[i]), append(s.tasks, t)
	}
	tokens, err := bb.prefix(ctx, m, c, g.input.Data, taps)
	if err != nil {
		return err
	}
	for first, s := range byFirst {
		c.From = nn.AtBlock(first)
		input := slices.Repeat(tokens[nn.BlockInput(first)], len(s.ids))
		if err := bb.predictFrom(ctx, m, c, input, s, out); err != nil {
			return err
		}
	}
	return nil
}

// firstBlock is the lowest block where t differs from the plain backbone.
func (bb *Backbone) firstBlock(t *nn.Resident) int {
	if t == nil {
		return bb.host.Config().Depth
	}
	return t.FirstBlock()
}

// prefix computes intermediates of the plain backbone for one image.
func (bb *Backbone) prefix(ctx context.Context, m *nn.Mixer, c nn.MixConfig, input []float32, taps []string) (map[string][]float32, error) {
	c.Taps = slices.Sorted(slices.Values(taps))
	out := map[string][]float32{}
	err := m.Run(ctx, c, input, []*nn.Resident{nil}, func(f *nn.Forward, _, _ int) error {
		for _, name := range c.Taps {
			t, err := readTap(f, name)
			if err != nil {
				return err
			}
			out[name] = t.Data
		}
		return nil
	})
	return out, err
}

// predictFrom runs one image, or its tokens as often as g has tasks, through the rest of the network.
func (bb *Backbone) predictFrom(ctx context.Context, m *nn.Mixer, c nn.MixConfig, input []float32, g *inputGroup, out []answer) error {
	return m.Run(ctx, c, input, g.tasks, func(f *nn.Forward, first, n int) error {
		answers, err := bb.readAnswers(f, g.tasks[first:first+n])
		for i, a := range answers {
			out[g.ids[first+i]] = a
		}
		return err
	})
}
