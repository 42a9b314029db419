package model

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/edgeadapt/edgeadapt/quant"
	"github.com/edgeadapt/edgeadapt/sdk/internal/checkpoint"
	"github.com/edgeadapt/edgeadapt/sdk/internal/tensor"
)

// tinyConfig is an architecture in which no two extents are equal.
func tinyConfig(layerScale bool) Config {
	return Config{Family: FamilyViT, Patch: 2, Dim: 6, Depth: 2, Heads: 3, Hidden: 10, LayerNormEps: 1e-6, LayerScale: layerScale,
		Grid: [2]int{2, 2}}
}

// tinyTensors are values for every tensor of c that float16 holds exactly.
func tinyTensors(c Config) map[string]tensor.Tensor {
	r := rand.New(rand.NewPCG(7, 7))
	all := map[string]tensor.Tensor{}
	for _, s := range c.specs() {
		if s.shape[0] == 0 {
			s.shape[0] = 5 // classes
		}
		t := tensor.New(s.shape...)
		for i := range t.Data {
			t.Data[i] = quant.FromF16(quant.ToF16(float32(r.NormFloat64())))
		}
		all[s.name] = t
	}
	return all
}

// tinyHF names the tensors as Dinov2Model does, with q, k and v apart.
func tinyHF(all map[string]tensor.Tensor, prefix string) map[string]tensor.Tensor {
	named := map[string]tensor.Tensor{prefix + "embeddings.mask_token": tensor.New(1, 6)}
	for name, t := range all {
		keys := hfSource(name)
		rows := t.Shape[0] / len(keys)
		size := len(t.Data) / len(keys)
		for i, k := range keys {
			named[prefix+k] = tensor.Tensor{Shape: append(tensor.Shape{rows}, t.Shape[1:]...), Data: t.Data[i*size : (i+1)*size]}
		}
	}
	return named
}

// tinyFile encodes tensors by name, as float16 or float32.
func tinyFile(t testing.TB, all map[string]tensor.Tensor, half bool) []byte {
	t.Helper()
	var entries []checkpoint.Entry
	for _, name := range slices.Sorted(maps.Keys(all)) {
		x := all[name]
		if half {
			p := newParam(x, true)
			entries = append(entries, checkpoint.HalfEntry(name, x.Shape, p.half))
		} else {
			entries = append(entries, checkpoint.Float32Entry(name, x))
		}
	}
	var b bytes.Buffer
	if err := checkpoint.Write(&b, nil, entries); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

const (
	timmJSON = `{"architecture": "vit", "global_pool": "token", "model_args": {"img_size": [4, 4], "patch_size": 2, "embed_dim": 6, "depth": 2, "num_heads": 3}}`
	hfJSON   = `{"model_type": "dinov2", "hidden_size": 6, "num_hidden_layers": 2, "num_attention_heads": 3, "image_size": 4, "patch_size": 2,
		"hidden_act": "gelu", "layer_norm_eps": 1e-06, "use_swiglu_ffn": false}`
)

// tinyFolder writes a checkpoint folder; an empty JSON is left out.
func tinyFolder(t testing.TB, weights []byte, config, preprocessor string) string {
	t.Helper()
	folder := t.TempDir()
	for name, b := range map[string][]byte{weightsFile: weights, configFile: []byte(config), preprocessorFile: []byte(preprocessor)} {
		if len(b) == 0 {
			continue
		}
		if err := os.WriteFile(filepath.Join(folder, name), b, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

// tinyBackbone imports and quantises a checkpoint folder.
func tinyBackbone(t testing.TB, folder string, scheme quant.Scheme) *Backbone {
	t.Helper()
	src, err := Import(folder)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	b, err := Quantize(src, scheme)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// timmFolder is a ViT with a head in timm's layout.
func timmFolder(t testing.TB) string {
	c := tinyConfig(false)
	c.HasHead = true
	return tinyFolder(t, tinyFile(t, tinyTensors(c), false), timmJSON, "")
}

// hfFolder is a DINOv2 in Hugging Face's layout, in float16.
func hfFolder(t testing.TB) string {
	return tinyFolder(t, tinyFile(t, tinyHF(tinyTensors(tinyConfig(true)), ""), true), hfJSON, "")
}

func name(i int, leaf string) string { return fmt.Sprintf("blocks.%d.%s", i, leaf) }
