package nn_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/edgeadapt/edgeadapt/quant"
	"github.com/edgeadapt/edgeadapt/sdk/adapter"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend/cpu"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend/gpu/gputest"
	"github.com/edgeadapt/edgeadapt/sdk/internal/nn"
)

// trained runs three steps with dropout on noise and returns the values that they lead to, and the memory of the step.
func trained(t *testing.T, be backend.Backend, acts nn.Activations, folder string, pool adapter.Pool, size int, key int32, options, recompute bool) (map[string][]float32, int64) {
	t.Helper()
	v, err := nn.NewViT(be, importBackbone(t, quant.Q8C, folder, "timm"), acts)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	c := adapter.Config{Method: adapter.AdaptFormer, Pool: pool, Size: size, Fit: adapter.Squash, Interpolation: "bicubic",
		Mean: [3]float32{}, Std: [3]float32{1, 1, 1}, Labels: []string{"a", "b", "c"}, Task: adapter.SingleLabel, HeadNorm: true,
		Bottleneck: 5, Scale: 0.7, Dropout: 0.2}
	for i := range v.Config().Depth {
		c.Blocks = append(c.Blocks, i)
	}
	start := adapter.ZeroStart
	if options {
		c.Placement, c.Norm, c.LearnScale, start = adapter.Sequential, adapter.NormIn, true, adapter.VideoStart
		c = c.Proportional(v.Config().Ref())
	}
	a, err := adapter.NewStart(c, v.Config().Ref(), 1, start)
	if err != nil {
		t.Fatal(err)
	}
	task, err := nn.NewTask(v, a)
	if err != nil {
		t.Fatal(err)
	}
	defer task.Close()
	opt, err := nn.NewOptimizer(v, task, nn.OptimizerConfig{Momentum: 0.9})
	if err != nil {
		t.Fatal(err)
	}
	defer opt.Close()
	step, err := v.NewStep(task, opt, nn.StepConfig{Batch: 5, Height: size, Width: size, Dropout: true, Recompute: recompute})
	if err != nil {
		t.Fatal(err)
	}
	defer step.Close()
	rnd := rand.New(rand.NewPCG(7, 7))
	input := make([]float32, step.InputShape().Elems())
	for k := range 3 {
		for i := range input {
			input[i] = rnd.Float32() - 0.5
		}
		if _, _, err := step.Run(context.Background(), input, nn.Targets{Classes: []int32{0, 1, 2, 1, 0}}, 0.5, key+int32(k)); err != nil {
			t.Fatal(err)
		}
	}
	values, err := task.Tensors()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]float32{}
	for name, x := range values {
		out[name] = x.Data
	}
	return out, step.Bytes()
}

// TestRecompute: running blocks again on the way back changes no bit of what is trained, and takes less memory.
func TestRecompute(t *testing.T) {
	for _, c := range []struct {
		folder  string
		pool    adapter.Pool
		size    int
		acts    nn.Activations
		options bool
		device  func(*testing.T) backend.Backend
	}{
		{"vit", adapter.PoolCLS, 32, nn.FloatActivations, false, onCPU},
		{"vit", adapter.PoolMean, 32, nn.Int8Activations, false, onCPU},
		{"vit", adapter.PoolMean, 32, nn.Int8Activations, true, onCPU},
		{"swin", adapter.PoolNormMean, 64, nn.FloatActivations, false, onCPU},
		{"swin", adapter.PoolNormMean, 64, nn.FloatActivations, true, onCPU},
		{"vit", adapter.PoolCLS, 32, nn.FloatActivations, false, gputest.Open},
	} {
		be := c.device(t)
		defer closeBackend(t, be)
		if c.acts == nn.Int8Activations && !be.Info().Int8 {
			continue
		}
		stored, all := trained(t, be, c.acts, c.folder, c.pool, c.size, 0, c.options, false)
		again, some := trained(t, be, c.acts, c.folder, c.pool, c.size, 0, c.options, true)
		other, _ := trained(t, be, c.acts, c.folder, c.pool, c.size, 1, c.options, true)
		differ := 0
		for name, x := range stored {
			if !slices.Equal(x, again[name]) {
				d, i := worst(again[name], x)
				t.Errorf("%s on %s, activations %s: %s: element %d is off by %g", c.folder, be.Info().ID, c.acts, name, i, d)
			}
			if !slices.Equal(x, other[name]) {
				differ++
			}
		}
		if differ == 0 {
			t.Error("control: other dropout masks change nothing")
		}
		if some >= all {
			t.Errorf("%s: %d bytes, and %d with everything kept", c.folder, some, all)
		}
	}
}

func onCPU(t *testing.T) backend.Backend {
	t.Helper()
	be, err := cpu.New(cpu.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return be
}
