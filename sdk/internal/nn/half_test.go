package nn_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"github.com/edgeadapt/edgeadapt/quant"
	"github.com/edgeadapt/edgeadapt/sdk/adapter"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend/cpu"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend/gpu"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend/gpu/gputest"
	"github.com/edgeadapt/edgeadapt/sdk/internal/nn"
	"github.com/edgeadapt/edgeadapt/sdk/internal/tensor"
	"github.com/edgeadapt/edgeadapt/shaders"
)

// halfTolerance is the reference's for float16: of the golden numbers, which are float32.
var halfTolerance = tolerance{outputs: 1e-2, probs: 1e-2}

// halfCases are models of each family.
var halfCases = []parityCase{
	{"vit", "timm", quant.F32, "par", "par", nil},
	{"vit_mean", "timm", quant.F32, "par", "par", nil},
	{"vit", "timm", quant.Q8C, "par", "par.int8_rows", nil},
	{"dinov2", "hf", quant.F32, "par", "par", nil},
	{"swin", "timm", quant.F32, "par", "par", nil},
}

// TestHalfStorage: with what attention reads as float16, outputs are PyTorch's within the tolerance of that, the reference's of the same
// storage more narrowly, and not those of float32.
func TestHalfStorage(t *testing.T) {
	devices := map[string]func(t *testing.T) backend.Backend{"ref": reference}
	for name, has := range map[string]shaders.Feature{"texels": shaders.TexelFetch, "big tiles": shaders.BigTiles, "base": 0} {
		devices[name] = func(t *testing.T) backend.Backend {
			be := gputest.OpenWith(t, gpu.Options{Untested: true, As: &has})
			t.Cleanup(func() { closeBackend(t, be) })
			return be
		}
	}
	for name, open := range devices {
		t.Run(name, func(t *testing.T) {
			be := open(t)
			for _, c := range halfCases {
				t.Run(c.folder+"/"+c.expect, func(t *testing.T) { c.half(t, be) })
			}
		})
	}
}

// flippedHalves bounds what differs between devices where a sum in float32 lies next to the middle between two halves: at the most
// 2^-11 of single elements of what an attention reads.
const flippedHalves = 5e-4

func (c parityCase) half(t *testing.T, be backend.Backend) {
	host := importBackbone(t, c.scheme, c.folder, c.layout)
	in := open(t, c.folder, "inputs.safetensors")
	image, want := in.floats("image"), open(t, c.folder, "expect."+c.expect+".safetensors")
	features := func(be backend.Backend, acts nn.Activations, check bool) []float32 {
		v, err := nn.NewViT(be, host, acts)
		if err != nil {
			t.Fatal(err)
		}
		defer v.Close()
		a, err := adapter.Import(filepath.Join("testdata", c.folder, "task."+c.task+".safetensors"), v.Config().Ref(), nil)
		if err != nil {
			t.Fatal(err)
		}
		task, err := nn.NewTask(v, a)
		if err != nil {
			t.Fatal(err)
		}
		defer task.Close()
		if check {
			checkForward(t, v, task, adapter.PoolCLS, image, want, halfTolerance, []string{"features", "logits"})
		}
		return tapOnce(t, v, task, image, nn.TapFeatures)
	}
	got := features(be, nn.HalfStorage, true)
	if d, _ := worst(got, features(reference(t), nn.HalfStorage, false)); d > flippedHalves*largest(got) {
		t.Errorf("features differ from the reference's of the same storage by %g, the largest is %g", d, largest(got))
	}
	if d, _ := worst(got, features(be, nn.FloatActivations, false)); d < 1e-6*largest(got) {
		t.Errorf("features differ from those of float32 by %g only: nothing was rounded", d)
	}
}

// tapOnce is a tap of one pass.
func tapOnce(t *testing.T, v *nn.ViT, task *nn.Task, image tensor.Tensor, tap string) []float32 {
	t.Helper()
	s := image.Shape
	f, err := v.NewForward(nn.ForwardConfig{Batch: s[0], Height: s[2], Width: s[3], Task: task, Taps: []string{tap}})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	out := make([]float32, f.Shape(tap).Elems())
	if err := f.Run(context.Background(), image.Data, func(f *nn.Forward) error { return f.Read(tap, out) }); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestHalfTraining: a training step of a network with float16 storage has float32 throughout: the same loss and gradient bits.
func TestHalfTraining(t *testing.T) {
	be := gputest.Open(t)
	t.Cleanup(func() { closeBackend(t, be) })
	host := importBackbone(t, quant.F32, "vit", "timm")
	in := open(t, "vit", "inputs.safetensors")
	image, y := in.floats("image"), nn.Targets{Classes: in.ints("target")}
	gradient := func(acts nn.Activations) []float32 {
		v, err := nn.NewViT(be, host, acts)
		if err != nil {
			t.Fatal(err)
		}
		defer v.Close()
		a, err := adapter.Import(filepath.Join("testdata", "vit", "task.par.safetensors"), v.Config().Ref(), nil)
		if err != nil {
			t.Fatal(err)
		}
		s := image.Shape
		_, step, end := stepOf(t, v, a, nn.StepConfig{Batch: s[0], Height: s[2], Width: s[3], Gradients: true})
		defer end()
		if _, _, err := step.Run(context.Background(), image.Data, y, 0, 0); err != nil {
			t.Fatal(err)
		}
		g, err := step.Gradient("grad.blocks.0.adaptmlp.down_proj.weight")
		if err != nil {
			t.Fatal(err)
		}
		return g.Data
	}
	if got, want := gradient(nn.HalfStorage), gradient(nn.FloatActivations); !sameBits(got, want) || largest(got) == 0 {
		t.Error("training sees the float16 of predictions")
	}
}

// TestHalfUnsupported: the CPU has no float16 activations.
func TestHalfUnsupported(t *testing.T) {
	be, err := cpu.New(cpu.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer be.Close()
	if _, err := nn.NewViT(be, importBackbone(t, quant.F32, "vit", "timm"), nn.HalfStorage); !errors.Is(err, nn.ErrActivations) {
		t.Errorf("got %v, expected ErrActivations", err)
	}
}
