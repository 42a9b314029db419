package sdk

import (
	"context"
	"image"

	"github.com/edgeadapt/edgeadapt/sdk/adapter"
	"github.com/edgeadapt/edgeadapt/sdk/data"
	"github.com/edgeadapt/edgeadapt/sdk/plugin"
	"github.com/pkg/errors"
)

// WithPluginLimits bounds what adapters' plug-ins may use; an adapter that states more is refused with ErrPlugin.
func WithPluginLimits(l plugin.Limits) Option { return func(o *options) { o.plugins = l } }

// loadPlugin compiles an adapter's plug-in; nil where it has none.
func (rt *Runtime) loadPlugin(ctx context.Context, a *adapter.Adapter) (*plugin.Plugin, error) {
	p := a.Plugin()
	if p == nil {
		return nil, nil
	}
	return rt.plugins.Load(ctx, p.Module, plugin.Options{MemoryBytes: p.MemoryBytes, TimeMillis: p.TimeMillis})
}

// pluginStep is an adapter's pre-processing as a step of its pipeline.
type pluginStep struct {
	ctx           context.Context // of the call that the pipeline serves
	plugin        *plugin.Plugin
	side          int // of the model's input
	interpolation data.Interpolation
}

// step returns nil, the interface's, for adapters without pre-processing.
func (v *version) step(ctx context.Context) data.Step {
	if v.plugin == nil || !v.plugin.CanPreprocess() {
		return nil
	}
	c := v.config()
	return &pluginStep{ctx, v.plugin, c.Size, data.Interpolation(c.Interpolation)}
}

// Apply shows the plug-in a picture of at most twice the model's side. A part that it chooses is cut from the picture
// itself, so that nothing is lost by having looked at a small one.
func (s *pluginStep) Apply(m *data.RGB) (*data.RGB, error) {
	w, h := within(m.Width, m.Height, 2*s.side)
	small := m
	if w != m.Width || h != m.Height {
		var err error
		if small, err = m.ResizeTo(w, h, s.interpolation); err != nil {
			return nil, err
		}
	}
	out, err := s.plugin.Preprocess(s.ctx, plugin.Picture{Width: w, Height: h, Pix: small.Pix}, s.side)
	if errors.Is(err, plugin.ErrClosed) {
		return nil, errors.WithMessage(ErrClosed, "adapter")
	}
	if err != nil {
		return nil, err
	}
	if p := out.Picture; p != nil {
		return &data.RGB{Width: p.Width, Height: p.Height, Pix: p.Pix}, nil
	}
	return m.Crop(enlarge(out.Crop, w, h, m.Width, m.Height))
}

// within is w x h scaled down, if need be, so that no side exceeds most; a side is never less than a pixel.
func within(w, h, most int) (int, int) {
	long := max(w, h)
	if long <= most {
		return w, h
	}
	scale := func(n int) int { return max(1, int((2*int64(n)*int64(most)+int64(long))/(2*int64(long)))) } // rounded
	return scale(w), scale(h)
}

// enlarge maps a part of a picture of w x h to the one of width x height that it was made from: to all pixels that the
// part touches.
func enlarge(r image.Rectangle, w, h, width, height int) image.Rectangle {
	down := func(x, to, from int) int { return int(int64(x) * int64(to) / int64(from)) }
	up := func(x, to, from int) int { return int((int64(x)*int64(to) + int64(from) - 1) / int64(from)) }
	return image.Rect(down(r.Min.X, width, w), down(r.Min.Y, height, h), up(r.Max.X, width, w), up(r.Max.Y, height, h))
}

// judge is what v's plug-in makes of an image's logits, nil where it makes nothing. It runs after the passes, so that no
// device waits for a plug-in.
func (v *version) judge(ctx context.Context, logits []float32) ([]byte, error) {
	if v == nil || v.plugin == nil || !v.plugin.CanPostprocess() {
		return nil, nil
	}
	c := v.config()
	return v.plugin.Postprocess(ctx, plugin.Scores{MultiLabel: c.Task == adapter.MultiLabel, Labels: c.Labels, Values: scores(c.Task, logits)})
}
