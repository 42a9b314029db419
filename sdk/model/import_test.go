package model

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/edgeadapt/edgeadapt/quant"
	"github.com/edgeadapt/edgeadapt/sdk/internal/checkpoint"
	"github.com/edgeadapt/edgeadapt/sdk/internal/tensor"
)

// TestImportLayouts reads the same DINOv2 from every layout and storage type. All must give the same values and one
// fingerprint.
func TestImportLayouts(t *testing.T) {
	all := tinyTensors(tinyConfig(true))
	own := tinyTensors(tinyConfig(true))
	own["mask_token"] = tensor.New(1, 6)
	prefixed := tinyHF(all, "dinov2.")
	prefixed["classifier.weight"], prefixed["classifier.bias"] = tensor.New(4, 12), tensor.New(4)
	folders := map[string]string{
		"hf":           tinyFolder(t, tinyFile(t, tinyHF(all, ""), false), hfJSON, ""),
		"hf half":      hfFolder(t),
		"hf with head": tinyFolder(t, tinyFile(t, prefixed, false), hfJSON, ""),
		"own keys":     tinyFolder(t, tinyFile(t, own, false), timmJSON, ""),
	}
	print := ""
	for layout, folder := range folders {
		for _, scheme := range []quant.Scheme{quant.F32, quant.F16, quant.Q8C} {
			b := tinyBackbone(t, folder, scheme)
			if print = or(print, b.Fingerprint()); b.Fingerprint() != print {
				t.Errorf("%s %s: another fingerprint", layout, scheme)
			}
			if c := b.Config(); c.Family != FamilyDINOv2 || c.Resample != ResampleBicubic || c.Heads != 3 || c.Depth != 2 || c.Hidden != 10 {
				t.Errorf("%s: %+v", layout, c)
			}
			if scheme == quant.Q8C {
				continue
			}
			got := make([]float32, 18*6)
			b.linear[name(1, "attn.qkv.weight")].Dequantize(got)
			if !slices.Equal(got, all[name(1, "attn.qkv.weight")].Data) {
				t.Errorf("%s %s: qkv differs", layout, scheme)
			}
			for _, n := range []string{clsToken, posEmbed, name(0, "ls1.gamma"), name(1, "norm2.bias"), "norm.weight", patchProj + ".weight"} {
				if !slices.Equal(b.Float(n), all[n].Data) {
					t.Errorf("%s %s: %s differs", layout, scheme, n)
				}
			}
		}
	}
	all[name(0, "ls1.gamma")].Data[3] += 1
	if b := tinyBackbone(t, tinyFolder(t, tinyFile(t, all, false), timmJSON, ""), quant.F32); b.Fingerprint() == print {
		t.Error("another weight gives the same fingerprint")
	}
}

func TestImportTimm(t *testing.T) {
	folder := timmFolder(t)
	for _, path := range []string{folder, filepath.Join(folder, weightsFile)} {
		b := tinyBackbone(t, path, quant.Q8C)
		c := b.Config()
		if c.Family != FamilyViT || c.Resample != ResampleAntialias || !c.HasHead || c.Pool != checkpoint.PoolCLS || c.LayerNormEps != 1e-6 {
			t.Errorf("%+v", c)
		}
		if len(b.Float("head.weight")) != 30 || len(b.Float("head.bias")) != 5 || b.Float("ls1.gamma") != nil {
			t.Error("head is not as in the checkpoint")
		}
	}
	// The head is no part of the identity.
	plain := tinyTensors(func() Config { c := tinyConfig(false); c.HasHead = true; return c }())
	delete(plain, headWeight)
	delete(plain, headBias)
	a := tinyBackbone(t, folder, quant.F32)
	if b := tinyBackbone(t, tinyFolder(t, tinyFile(t, plain, false), timmJSON, ""), quant.F32); a.Fingerprint() != b.Fingerprint() {
		t.Error("the fingerprint depends on the head")
	}
}

func TestImportRefuses(t *testing.T) {
	base := func() map[string]tensor.Tensor { return tinyTensors(tinyConfig(false)) }
	cases := []struct {
		name   string
		change func(all map[string]tensor.Tensor)
		config string
		is     error
		says   []string
	}{
		{"missing", func(all map[string]tensor.Tensor) {
			delete(all, "norm.weight")
			delete(all, name(1, "mlp.fc2.bias"))
		}, timmJSON, ErrLayout, []string{"missing keys blocks.1.mlp.fc2.bias, norm.weight"}},
		{"unknown", func(all map[string]tensor.Tensor) { all["fc_norm.weight"] = tensor.New(6) }, timmJSON, ErrLayout, []string{"unknown keys fc_norm.weight"}},
		{"many unknown", func(all map[string]tensor.Tensor) {
			for i := range 33 {
				all[fmt.Sprintf("x.%02d", i)] = tensor.New(1)
			}
		}, timmJSON, ErrLayout, []string{"x.19 and 13 more"}},
		{"shape", func(all map[string]tensor.Tensor) { all["norm.bias"] = tensor.New(7) }, timmJSON, ErrLayout, []string{`"norm.bias" is [7], expected [6]`}},
		{"rank", func(all map[string]tensor.Tensor) { all[posEmbed] = tensor.New(5, 6) }, timmJSON, ErrLayout, []string{"pos_embed", "rank 3"}},
		{"grid", func(all map[string]tensor.Tensor) { all[posEmbed] = tensor.New(1, 4, 6) }, timmJSON, ErrLayout, []string{"3 patch positions"}},
		{"hole in blocks", func(all map[string]tensor.Tensor) { all["blocks.3.norm1.weight"] = tensor.New(6) }, `{"model_args":{"num_heads":3}}`, ErrLayout, []string{"missing keys blocks.2"}},
		{"block number", func(all map[string]tensor.Tensor) { all["blocks.99999999.norm1.weight"] = tensor.New(6) }, timmJSON, ErrLayout, []string{"256 blocks"}},
		{"other model", func(all map[string]tensor.Tensor) { delete(all, name(0, "attn.qkv.weight")) }, timmJSON, ErrLayout, []string{"expected those of"}},
		{"no heads", nil, "", ErrLayout, []string{"number of heads", "num_heads"}},
		{"uneven heads", nil, `{"model_args":{"num_heads":4}}`, ErrLayout, []string{"4 heads"}},
		{"width", nil, `{"model_args":{"num_heads":3,"embed_dim":8}}`, ErrLayout, []string{"width is 8", "6"}},
		{"model type", nil, `{"model_type":"swin","num_attention_heads":3}`, ErrLayout, []string{`"swin"`}},
		{"swiglu", nil, `{"use_swiglu_ffn":true,"num_attention_heads":3}`, ErrLayout, []string{"use_swiglu_ffn"}},
		{"quickgelu", nil, `{"architecture":"vit_base_patch16_clip_quickgelu_224"}`, ErrLayout, []string{"quickgelu"}},
		{"broken JSON", nil, `{"model_type":`, ErrCorrupt, []string{"config.json"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			all := base()
			if c.change != nil {
				c.change(all)
			}
			src, err := Import(tinyFolder(t, tinyFile(t, all, false), c.config, ""))
			if err == nil {
				src.Close()
			}
			if !errors.Is(err, c.is) {
				t.Fatalf("got %v, expected %v", err, c.is)
			}
			for _, s := range c.says {
				if !strings.Contains(err.Error(), s) {
					t.Errorf("%q does not say %q", err, s)
				}
			}
		})
	}
}

func TestImportRefusesFiles(t *testing.T) {
	if _, err := Import(filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing path: %v", err)
	}
	if _, err := Import(t.TempDir()); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), weightsFile) {
		t.Errorf("empty folder: %v", err)
	}
	if _, err := Import(tinyFolder(t, []byte("no tensors in here"), timmJSON, "")); !errors.Is(err, ErrCorrupt) {
		t.Errorf("damaged file: %v", err)
	}
	done := filepath.Join(t.TempDir(), "b.safetensors")
	if err := tinyBackbone(t, timmFolder(t), quant.Q8C).WriteFile(done); err != nil {
		t.Fatal(err)
	}
	if _, err := Import(done); !errors.Is(err, ErrLayout) || !strings.Contains(err.Error(), "backbone file already") {
		t.Errorf("backbone file: %v", err)
	}
}

// TestQuantizeRefuses: a weight that is no number is named, in linear layers and elsewhere.
func TestQuantizeRefuses(t *testing.T) {
	for _, key := range []string{name(1, "mlp.fc1.weight"), "norm.bias"} {
		for _, v := range []float64{math.NaN(), math.Inf(-1)} {
			all := tinyTensors(tinyConfig(false))
			all[key].Data[4] = float32(v)
			src, err := Import(tinyFolder(t, tinyFile(t, all, false), timmJSON, ""))
			if err != nil {
				t.Fatal(err)
			}
			_, err = Quantize(src, quant.Q8C)
			if !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), key) {
				t.Errorf("%v in %s: %v", v, key, err)
			}
			src.Close()
		}
	}
	all := tinyTensors(func() Config { c := tinyConfig(false); c.HasHead = true; return c }())
	all[headBias] = tensor.New(4)
	src, err := Import(tinyFolder(t, tinyFile(t, all, false), timmJSON, ""))
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	if _, err := Quantize(src, quant.Q8C); !errors.Is(err, ErrCorrupt) {
		t.Errorf("head with 5 rows and 4 biases: %v", err)
	}
	if _, err := Quantize(src, "q5"); !errors.Is(err, quant.ErrScheme) {
		t.Errorf("unknown scheme: %v", err)
	}
}

func TestSettings(t *testing.T) {
	imagenet := func(resize, crop int) Preprocess {
		p := imageNet
		p.Resize, p.Crop = resize, crop
		return p
	}
	half := imagenet(248, 224)
	half.Mean, half.Std, half.Interpolation = [3]float32{0.5, 0.5, 0.5}, [3]float32{0.5, 0.5, 0.5}, checkpoint.Bilinear
	plain := imagenet(32, 32)
	plain.Mean, plain.Std = [3]float32{}, [3]float32{1, 1, 1}
	for _, c := range []struct {
		name, config, preprocessor string
		want                       Preprocess
		heads                      int
	}{
		{"nothing", "", "", imagenet(0, 0), 0},
		{"hf", "", `{"size":{"shortest_edge":256},"crop_size":{"height":224,"width":224},"do_center_crop":true,"resample":3,"rescale_factor":0.00392156862745098}`, imagenet(256, 224), 0},
		{"hf squash", "", `{"size":{"height":224,"width":224}}`, imagenet(224, 224), 0},
		{"hf number", "", `{"size":32,"do_normalize":false}`, plain, 0},
		{"timm", `{"architecture":"vit_small_patch16_224","pretrained_cfg":{"input_size":[3,224,224],"crop_pct":0.9,"interpolation":"bilinear","mean":[0.5,0.5,0.5],"std":[0.5,0.5,0.5]}}`, "", half, 6},
		{"timm at the top", `{"architecture":"vit_base_patch16_224","input_size":[3,224,224],"crop_pct":0.875}`, "", imagenet(256, 224), 12},
	} {
		var config, preprocessor []byte
		if c.config != "" {
			config = []byte(c.config)
		}
		if c.preprocessor != "" {
			preprocessor = []byte(c.preprocessor)
		}
		got, err := readSettings(config, preprocessor)
		if err != nil || got.preprocess != c.want || got.heads != c.heads {
			t.Errorf("%s: %+v, heads %d (%v), expected %+v", c.name, got.preprocess, got.heads, err, c.want)
		}
	}
	for _, bad := range []string{`{"resample":0}`, `{"rescale_factor":1}`, `{"image_mean":[1,2]}`, `{"size":{"height":2,"width":3}}`, `[`} {
		if _, err := readSettings(nil, []byte(bad)); !errors.Is(err, ErrLayout) && !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

func FuzzImport(f *testing.F) {
	f.Add(tinyFile(f, tinyTensors(tinyConfig(false)), false), []byte(timmJSON), []byte(`{"size":{"shortest_edge":8},"crop_size":4}`))
	f.Add(tinyFile(f, tinyHF(tinyTensors(tinyConfig(true)), ""), true), []byte(hfJSON), []byte(nil))
	for _, l := range swinLayouts {
		f.Add(swinFile(f, l, nil), []byte(swinJSON), []byte(nil))
	}
	f.Add([]byte(nil), []byte(`{"image_size":[1,2,3]}`), []byte(`{"image_std":[0,0,0]}`))
	f.Fuzz(func(t *testing.T, weights, config, preprocessor []byte) {
		file, err := checkpoint.Parse("fuzz", weights)
		if err != nil {
			return
		}
		src, err := newSource(file, Settings{}, config, preprocessor)
		if err != nil {
			if !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrLayout) {
				t.Fatalf("%v is neither ErrCorrupt nor ErrLayout", err)
			}
			return
		}
		if b, err := Quantize(src, quant.Q8C); err == nil {
			b.Prefix()
			b.Positions(1, 2)
			b.Linear(0, "mlp.fc2")
		}
	})
}
