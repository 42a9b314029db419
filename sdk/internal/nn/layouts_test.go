package nn_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/edgeadapt/edgeadapt/quant"
	"github.com/edgeadapt/edgeadapt/sdk/adapter"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/edgeadapt/edgeadapt/sdk/internal/nn"
	"github.com/edgeadapt/edgeadapt/sdk/internal/tensor"
	"github.com/edgeadapt/edgeadapt/sdk/model"
)

// layoutCase is one file of a reference model's weights.
type layoutCase struct {
	folder, path string
	heads        int // where no config.json says it
	features     bool
	tol          float64 // of a float16 file, 0 for the backend's own
}

var layoutCases = []layoutCase{
	{folder: "distilled", path: "model", features: true},
	{folder: "vit", path: "hf", features: true},
	{folder: "vit", path: "mae.pth", heads: 4, features: true},
	{folder: "vit", path: "split_qkv.pth", heads: 4, features: true},
	{folder: "vit_mean", path: "timm", heads: 3, features: true},
	// The norm of these files is not fc_norm, so the reference's features are not theirs.
	{folder: "vit_mean", path: "mae_full.pth", heads: 3},
	{folder: "vit_mean", path: "mae_legacy.pth", heads: 3},
	{folder: "vit_mean", path: "mae_half.pth", heads: 3, tol: 2e-3},
}

// TestFCNormNeedsMean: a backbone whose norm is that of the pooled vector has no class token to offer.
func TestFCNormNeedsMean(t *testing.T) {
	src, err := model.ImportWith(filepath.Join("testdata", "vit_mean", "timm"), model.Settings{Heads: 3})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	b, err := model.Quantize(src, quant.F32)
	if err != nil {
		t.Fatal(err)
	}
	v, err := nn.NewViT(reference(t), b, nn.FloatActivations)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	_, err = v.NewForward(nn.ForwardConfig{Batch: 1, Height: 32, Width: 32, Pool: adapter.PoolCLS, Taps: []string{nn.TapFeatures}})
	if !errors.Is(err, tensor.ErrShape) || !strings.Contains(err.Error(), "fc_norm") {
		t.Errorf("got %v", err)
	}
}

// TestLayouts runs every layout and container of the reference's plain networks.
func TestLayouts(t *testing.T) {
	forEachBackend(t, func(t *testing.T, be backend.Backend, tol tolerance) {
		for _, c := range layoutCases {
			t.Run(c.folder+"/"+c.path, func(t *testing.T) {
				if c.tol != 0 {
					tol = tolerance{outputs: c.tol, probs: c.tol}
				}
				src, err := model.ImportWith(filepath.Join("testdata", c.folder, c.path), model.Settings{Heads: c.heads})
				if err != nil {
					t.Fatal(err)
				}
				defer src.Close()
				b, err := model.Quantize(src, quant.F32)
				if err != nil {
					t.Fatal(err)
				}
				v, err := nn.NewViT(be, b, nn.FloatActivations)
				if err != nil {
					t.Fatal(err)
				}
				defer v.Close()
				taps := []string{"embedding"}
				pool := v.Config().Pool
				if c.features {
					taps = append(taps, "features", "logits_original")
				}
				if c.features && pool == adapter.PoolCLS {
					taps = append(taps, "tokens")
				}
				in, want := open(t, c.folder, "inputs.safetensors"), open(t, c.folder, "backbone.safetensors")
				checkForward(t, v, nil, pool, in.floats("image"), want, tol, taps)
			})
		}
	})
}
