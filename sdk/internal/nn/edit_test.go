package nn_test

import (
	"context"
	"slices"
	"testing"

	"github.com/edgeadapt/edgeadapt/quant"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/edgeadapt/edgeadapt/sdk/internal/nn"
	"github.com/edgeadapt/edgeadapt/sdk/model"
)

// TestEdit: a layer's other weight changes what is behind it and not what it reads, and Reset brings the old bits back.
func TestEdit(t *testing.T) {
	forEachBackend(t, func(t *testing.T, be backend.Backend, _ tolerance) {
		v, err := nn.NewViT(be, importBackbone(t, quant.Q8C, "swin", "timm"), nn.FloatActivations)
		if err != nil {
			t.Fatal(err)
		}
		defer v.Close()
		e, err := v.Edit()
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		image := open(t, "swin", "inputs.safetensors").floats("image")
		last := nn.BlockOutput(v.Config().Depth - 1)
		outputs := func(v *nn.ViT, tap string) []float32 {
			s := image.Shape
			f, err := v.NewForward(nn.ForwardConfig{Batch: s[0], Height: s[2], Width: s[3], Taps: []string{tap}})
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			x := make([]float32, f.Shape(tap).Elems())
			if err := f.Run(context.Background(), image.Data, func(f *nn.Forward) error { return f.Read(tap, x) }); err != nil {
				t.Fatal(err)
			}
			return x
		}
		merges := 1
		for {
			if _, ok := v.Config().Merges(merges); ok {
				break
			}
			merges++
		}
		want := outputs(v, last)
		for layer, i := range map[string]int{model.LayerQKV: 0, model.LayerProj: 1, model.LayerFC1: 0, model.LayerFC2: 1, model.LayerReduction: merges} {
			reads := outputs(v, nn.LayerInput(i, layer))
			m, _ := importBackbone(t, quant.F32, "swin", "timm").Linear(i, layer)
			if layer == model.LayerReduction {
				stage, _ := v.Config().Merges(i)
				m, _ = importBackbone(t, quant.F32, "swin", "timm").Reduction(stage)
			}
			if err := e.Set(i, layer, m); err != nil {
				t.Fatal(err)
			}
			if got := outputs(e.ViT, last); slices.Equal(got, want) {
				t.Errorf("%s of block %d: other weights give the same bits", layer, i)
			}
			if !slices.Equal(outputs(e.ViT, nn.LayerInput(i, layer)), reads) {
				t.Errorf("%s of block %d: its own weights change what it reads", layer, i)
			}
			if !slices.Equal(outputs(v, last), want) {
				t.Errorf("%s of block %d: the network behind has changed", layer, i)
			}
			e.Reset(i)
			if !slices.Equal(outputs(e.ViT, last), want) {
				t.Errorf("%s of block %d: other bits after Reset", layer, i)
			}
		}
		if err := e.Set(0, model.LayerReduction, quant.Matrix{}); err == nil {
			t.Error("block 0 has a reduction")
		}
	})
}

func TestParseLayerTap(t *testing.T) {
	for name, ok := range map[string]bool{"block.1.attn.qkv.input": true, "block.0.downsample.reduction.input": true, "block.1.output": true,
		"block.2.mlp.fc1.input": false, "block.0.attn.input": false, "block.0.mlp.fc1": false, "block..input": false, "block.0": false, "block.01.input": false} {
		if err := nn.ParseTap(name, 2); (err == nil) != ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}
