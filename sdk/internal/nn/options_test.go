package nn_test

import (
	"context"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/edgeadapt/edgeadapt/quant"
	"github.com/edgeadapt/edgeadapt/sdk/adapter"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/edgeadapt/edgeadapt/sdk/internal/nn"
	"github.com/edgeadapt/edgeadapt/sdk/internal/tensor"
)

// TestOptionsReject makes sure that the comparison with the golden numbers tells every option from its neighbours.
func TestOptionsReject(t *testing.T) {
	for _, c := range []struct {
		folder, task string
		fault        string
		wrong        func(c *adapter.Config)
	}{
		{"vit", "seq", "parallel", func(c *adapter.Config) { c.Placement = adapter.Parallel }},
		{"vit", "seq_lnin", "parallel", func(c *adapter.Config) { c.Placement = adapter.Parallel }},
		{"vit", "seq_lnin", "norm on the output", func(c *adapter.Config) { c.Norm = adapter.NormOut }},
		{"vit", "seq_lnin", "no norm", func(c *adapter.Config) { c.Norm = adapter.NormNone }},
		{"vit", "par_learn_lnin", "scale 1", func(c *adapter.Config) { c.LearnScale = false }},
		{"vit", "par_lnout", "norm on the input", func(c *adapter.Config) { c.Norm = adapter.NormIn }},
		{"swin", "seq_lnin", "parallel", func(c *adapter.Config) { c.Placement = adapter.Parallel }},
		{"vit_mean", "par", "sequential", func(c *adapter.Config) { c.Placement = adapter.Sequential }},
	} {
		v, err := nn.NewViT(reference(t), importBackbone(t, quant.F32, c.folder, "timm"), nn.FloatActivations)
		if err != nil {
			t.Fatal(err)
		}
		right, err := adapter.Import(filepath.Join("testdata", c.folder, "task."+c.task+".safetensors"), v.Config().Ref(), nil)
		if err != nil {
			t.Fatal(err)
		}
		in, want := open(t, c.folder, "inputs.safetensors"), open(t, c.folder, "expect."+c.task+".safetensors")
		if d := featureError(t, v, right, in, want); d > 1e-5 {
			t.Errorf("control: %s: features differ by %g", c.task, d)
		}
		cfg := right.Config()
		c.wrong(&cfg)
		wrong, err := right.WithConfig(cfg)
		if err != nil {
			t.Fatal(err)
		}
		if d := featureError(t, v, wrong, in, want); d < 20*5e-5 {
			t.Errorf("%s/%s with %s: features differ by only %g of their largest value", c.folder, c.task, c.fault, d)
		}
		v.Close()
	}
}

// TestOptionGradients holds every trained value of branches with options, and of fc_norm, to central differences of the
// loss: in blocks of different widths too, for which there are no golden numbers.
func TestOptionGradients(t *testing.T) {
	for name, change := range map[string]func(*adapter.Config){
		"parallel in learned":    func(c *adapter.Config) { c.Norm, c.LearnScale = adapter.NormIn, true },
		"parallel out learned":   func(c *adapter.Config) { c.Norm, c.LearnScale = adapter.NormOut, true },
		"sequential out":         func(c *adapter.Config) { c.Placement, c.Norm = adapter.Sequential, adapter.NormOut },
		"sequential learned":     func(c *adapter.Config) { c.Placement, c.LearnScale = adapter.Sequential, true },
		"widths and fc_norm":     func(c *adapter.Config) { c.Bottlenecks, c.Pool = []int{5, 2}, adapter.PoolMean },
		"lowest block, learned":  func(c *adapter.Config) { c.Blocks, c.Norm, c.LearnScale = []int{0}, adapter.NormIn, true },
		"highest block, learned": func(c *adapter.Config) { c.Blocks, c.LearnScale = []int{2}, true },
	} {
		t.Run(name, func(t *testing.T) {
			c := adapter.Config{Method: adapter.AdaptFormer, Blocks: []int{0, 2}, Bottleneck: 5, Scale: 0.7, Pool: adapter.PoolCLS,
				Task: adapter.SingleLabel, Labels: []string{"a", "b", "c"}, Size: side, Fit: adapter.Crop, Interpolation: "bicubic", Std: [3]float32{1, 1, 1}}
			change(&c)
			checkDifferences(t, c)
		})
	}
}

// checkDifferences compares a step's gradients with central differences at the largest element of each tensor. The head
// has no BatchNorm, so that fc_norm has a gradient.
func checkDifferences(t *testing.T, c adapter.Config) {
	v, err := nn.NewViT(reference(t), importBackbone(t, quant.F32, "vit", "timm"), nn.FloatActivations)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	a, err := adapter.New(c, v.Config().Ref(), 1)
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]tensor.Tensor{}
	for k, name := range a.Names() {
		x := a.Tensor(name).Clone()
		for i, n := range noise(uint64(k), len(x.Data)) {
			x.Data[i] += 0.3 * n
		}
		values[name] = x
	}
	if a, err = a.WithTensors(values); err != nil {
		t.Fatal(err)
	}
	const batch = 3
	task, step, end := stepOf(t, v, a, nn.StepConfig{Batch: batch, Height: side, Width: side, Gradients: true})
	defer end()
	images := noise(99, batch*3*side*side)
	loss := func(a *adapter.Adapter) float64 {
		if err := task.Load(a); err != nil {
			t.Fatal(err)
		}
		l, _, err := step.Run(context.Background(), images, nn.Targets{Classes: []int32{0, 2, 1}}, 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	loss(a)
	grads := map[string]tensor.Tensor{}
	for _, name := range a.Names() {
		g, err := step.Gradient("grad." + name)
		if err != nil {
			t.Fatal(err)
		}
		grads[name] = g
	}
	for _, name := range a.Names() {
		g := grads[name]
		at := slices.IndexFunc(g.Data, func(v float32) bool { return math.Abs(float64(v)) == largest(g.Data) })
		const h = 1e-2 // the loss is rounded to float32: smaller steps lose it
		shifted := func(by float32) *adapter.Adapter {
			x := a.Tensor(name).Clone()
			x.Data[at] += by
			b, err := a.WithTensors(map[string]tensor.Tensor{name: x})
			if err != nil {
				t.Fatal(err)
			}
			return b
		}
		d := (8*(loss(shifted(h))-loss(shifted(-h))) - (loss(shifted(2*h)) - loss(shifted(-2*h)))) / (12 * h)
		vanishes := c.Norm == adapter.NormOut && strings.HasSuffix(name, ".scale") // the norm takes it out again
		if got := float64(g.Data[at]); math.Abs(got-d) > 0.03*math.Abs(d)+2e-5 || math.Abs(d) < 1e-4 && !vanishes {
			t.Errorf("%s[%d]: gradient %g, by differences %g", name, at, got, d)
		}
	}
}

// TestProportional: branches in proportion to a Swin's stages load, run and mix with others.
func TestProportional(t *testing.T) {
	be := onCPU(t)
	defer closeBackend(t, be)
	b := importBackbone(t, quant.F32, "swin", "timm")
	v, err := nn.NewViT(be, b, nn.FloatActivations)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	var tasks []*nn.Resident
	var alone [][]float32
	const pixels = 64
	image := noise(5, 3*pixels*pixels)
	run := func(x *nn.Mixer, tasks ...*nn.Resident) (out [][]float32) {
		c := nn.MixConfig{Height: pixels, Width: pixels, Pool: adapter.PoolNormMean, Taps: []string{nn.TapFeatures, nn.TapLogits}}
		err := x.Run(context.Background(), c, slices.Repeat(image, len(tasks)), tasks, func(f *nn.Forward, _, n int) error {
			s := f.Shape(nn.TapFeatures)
			all := make([]float32, s.Elems())
			for i := range n {
				out = append(out, all[i*s[1]:(i+1)*s[1]])
			}
			return f.Read(nn.TapFeatures, all)
		})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	for i := range 4 {
		c := adapter.Config{Method: adapter.AdaptFormer, Bottleneck: 8 + i, Scale: 1, Pool: adapter.PoolNormMean, HeadNorm: true, Task: adapter.SingleLabel,
			Labels: []string{"a", "b"}, Size: pixels, Fit: adapter.Crop, Interpolation: "bicubic", Std: [3]float32{1, 1, 1}, Blocks: []int{0, 1, 2, 3}}
		if i > 0 {
			c = c.Proportional(v.Config().Ref())
			if want := []int{(8 + i + 1) / 2, (8 + i + 1) / 2, 8 + i, 8 + i}; !slices.Equal(c.Bottlenecks, want) {
				t.Fatalf("bottlenecks %v, expected %v", c.Bottlenecks, want)
			}
		}
		if i == 2 {
			c.Placement, c.Norm = adapter.Sequential, adapter.NormIn
		}
		a, err := adapter.NewStart(c, v.Config().Ref(), uint64(i), adapter.VideoStart)
		if err != nil {
			t.Fatal(err)
		}
		task, err := v.NewResident(a)
		if err != nil {
			t.Fatal(err)
		}
		x := nn.NewMixer(v, 1<<30, backend.F32)
		tasks, alone = append(tasks, task), append(alone, run(x, task)[0])
		x.Close()
	}
	x := nn.NewMixer(v, 1<<30, backend.F32)
	defer x.Close()
	for i, got := range run(x, tasks...) {
		if !sameBits(got, alone[i]) {
			t.Errorf("task %d: other bits in a mixed batch", i)
		}
		if i > 0 && sameBits(got, alone[i-1]) {
			t.Errorf("control: tasks %d and %d give equal values", i-1, i)
		}
	}
}

// TestWidths: the narrowest and the widest branch, by a Task and in a mixed pass.
func TestWidths(t *testing.T) {
	be := onCPU(t)
	defer closeBackend(t, be)
	v, err := nn.NewViT(be, importBackbone(t, quant.F32, "vit", "timm"), nn.FloatActivations)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	m := &mixBench{v: v}
	image := noise(3, 3*side*side)
	for _, r := range []int{1, adapter.MaxBottleneck} {
		c := adapter.Config{Method: adapter.AdaptFormer, Blocks: []int{0, 2}, Bottleneck: r, Scale: 1, Pool: adapter.PoolCLS, Task: adapter.SingleLabel,
			Labels: []string{"a", "b"}, Size: side, Fit: adapter.Crop, Interpolation: "bicubic", Std: [3]float32{1, 1, 1}, Placement: adapter.Sequential}
		a, err := adapter.NewStart(c, v.Config().Ref(), 1, adapter.VideoStart)
		if err != nil {
			t.Fatal(err)
		}
		resident, err := v.NewResident(a)
		if err != nil {
			t.Fatal(err)
		}
		mixed := m.once(t, resident, image)
		for name, task := range map[string]*adapter.Adapter{"its own": a, "another": firstBlockOnly(t, a)} {
			want := logitsOf(t, v, task, image)
			got := mixed[len(mixed)-len(want):]
			if d, _ := worst(got, want); (d <= 5e-5*largest(want)) != (name == "its own") {
				t.Errorf("width %d, %s logits: %v in a mixed pass, %v alone", r, name, got, want)
			}
		}
	}
}

// firstBlockOnly leaves a branch out.
func firstBlockOnly(t *testing.T, a *adapter.Adapter) *adapter.Adapter {
	t.Helper()
	c := a.Config()
	c.Blocks = c.Blocks[:1]
	b, err := a.WithConfig(c)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func logitsOf(t *testing.T, v *nn.ViT, a *adapter.Adapter, image []float32) []float32 {
	t.Helper()
	task, err := nn.NewTask(v, a)
	if err != nil {
		t.Fatal(err)
	}
	defer task.Close()
	f, err := v.NewForward(nn.ForwardConfig{Batch: 1, Height: side, Width: side, Task: task, Taps: []string{nn.TapLogits}})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	out := make([]float32, len(a.Config().Labels))
	if err := f.Run(context.Background(), image, func(f *nn.Forward) error { return f.Read(nn.TapLogits, out) }); err != nil {
		t.Fatal(err)
	}
	return out
}
