package model

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/edgeadapt/edgeadapt/quant"
	"github.com/edgeadapt/edgeadapt/sdk/internal/checkpoint"
	"github.com/edgeadapt/edgeadapt/sdk/internal/checkpoint/pth"
	"github.com/edgeadapt/edgeadapt/sdk/internal/tensor"
)

// renamed gives every key of all the name that f returns; a name that is empty leaves the tensor out.
func renamed(all map[string]tensor.Tensor, f func(string) string) map[string]tensor.Tensor {
	out := map[string]tensor.Tensor{}
	for k, t := range all {
		if k = f(k); k != "" {
			out[k] = t
		}
	}
	return out
}

const (
	registersJSON = `{"model_type": "dinov2_with_registers", "num_attention_heads": 3, "image_size": 4, "patch_size": 2, "use_swiglu_ffn": true}`
	vitJSON       = `{"model_type": "vit", "num_attention_heads": 3, "image_size": 4, "patch_size": 2}`
)

// hfViT renames a ViT of Hugging Face.
func hfViT(all map[string]tensor.Tensor, prefix string) map[string]tensor.Tensor {
	named := renamed(tinyHF(all, prefix), func(k string) string {
		if strings.HasSuffix(k, "mask_token") {
			return ""
		}
		return hfViTBlock.Replace(strings.Replace(k, prefix+"head.", classifier, 1))
	})
	return named
}

// TestVariants imports every variant of the architecture under each of its names, and takes it through a backbone file.
func TestVariants(t *testing.T) {
	with := func(dinov2 bool, change func(c *Config)) Config {
		c := tinyConfig(dinov2)
		change(&c)
		return c
	}
	giant := with(true, func(c *Config) { c.SwiGLU, c.Registers = true, 2 })
	deit := with(false, func(c *Config) { c.Distilled = true })
	mean := with(false, func(c *Config) { c.FCNorm, c.HasHead = true, true })
	plain := with(false, func(c *Config) { c.HasHead = true })
	swiGLU := strings.NewReplacer(".mlp.fc1.", ".mlp.w12.", ".mlp.fc2.", ".mlp.w3.")
	hfSwiGLU := strings.NewReplacer(".mlp.fc1.", ".mlp.weights_in.", ".mlp.fc2.", ".mlp.weights_out.")
	heads := map[string]tensor.Tensor{"head.weight": tensor.New(3, 6), "head.bias": tensor.New(3), "head_dist.weight": tensor.New(3, 6), "head_dist.bias": tensor.New(3)}
	join := func(a, b map[string]tensor.Tensor) map[string]tensor.Tensor {
		for k, t := range b {
			a[k] = t
		}
		return a
	}
	decoder := map[string]tensor.Tensor{"mask_token": tensor.New(1, 1, 4), "decoder_embed.weight": tensor.New(4, 6), "decoder_blocks.0.norm1.weight": tensor.New(4)}
	trained := map[string]tensor.Tensor{"blocks.0.adaptmlp.scale": tensor.New(1), "head.0.running_mean": tensor.New(6), "head.1.weight": tensor.New(3, 6)}
	for _, c := range []struct {
		name, config string
		want         Config
		file         map[string]tensor.Tensor
		unused       int
	}{
		{"DINOv2 own", timmJSON, giant, renamed(tinyTensors(giant), swiGLU.Replace), 0},
		{"DINOv2 timm", timmJSON, giant, renamed(tinyTensors(giant), func(k string) string { return strings.Replace(k, registerTokens, "reg_token", 1) }), 0},
		{"DINOv2 HF", registersJSON, giant, renamed(tinyHF(tinyTensors(giant), ""), hfSwiGLU.Replace), 1},
		{"DINOv2 HF classifier", registersJSON, giant, renamed(tinyHF(tinyTensors(giant), "dinov2_with_registers."), hfSwiGLU.Replace), 1},
		{"DeiT", timmJSON, deit, tinyTensors(deit), 0},
		{"DeiT with heads", timmJSON, deit, join(tinyTensors(deit), heads), 4},
		{"fc_norm", timmJSON, mean, tinyTensors(mean), 0},
		{"MAE", timmJSON, tinyConfig(false), join(tinyTensors(tinyConfig(false)), decoder), 3},
		{"AdaptFormer", timmJSON, tinyConfig(false), join(tinySplit(tinyTensors(tinyConfig(false))), trained), 3},
		{"ViTModel", vitJSON, tinyConfig(false), join(hfViT(tinyTensors(tinyConfig(false)), ""), map[string]tensor.Tensor{"pooler.dense.bias": tensor.New(6)}), 1},
		{"ViTForImageClassification", vitJSON, plain, hfViT(tinyTensors(plain), "vit."), 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			src, err := Import(tinyFolder(t, tinyFile(t, c.file, false), c.config, ""))
			if err != nil {
				t.Fatal(err)
			}
			defer src.Close()
			if len(src.Unused()) != c.unused {
				t.Errorf("unused %q, expected %d", src.Unused(), c.unused)
			}
			b, err := Quantize(src, quant.F32)
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(t.TempDir(), "b.safetensors")
			if err := b.WriteFile(path); err != nil {
				t.Fatal(err)
			}
			if b, err = OpenBackbone(path); err != nil {
				t.Fatal(err)
			}
			defer b.Close()
			checkVariant(t, b, c.want)
		})
	}
}

// tinySplit names the tensors as the AdaptFormer authors do.
func tinySplit(all map[string]tensor.Tensor) map[string]tensor.Tensor {
	named := map[string]tensor.Tensor{}
	for name, t := range all {
		keys := splitSource(name)
		rows, size := t.Shape[0]/len(keys), len(t.Data)/len(keys)
		for i, k := range keys {
			named[k] = tensor.Tensor{Shape: append(tensor.Shape{rows}, t.Shape[1:]...), Data: t.Data[i*size : (i+1)*size]}
		}
	}
	return named
}

// checkVariant compares a backbone with the tensors that tinyTensors made for want.
func checkVariant(t *testing.T, b *Backbone, want Config) {
	t.Helper()
	got, all := b.Config(), tinyTensors(want)
	if got.SwiGLU != want.SwiGLU || got.Registers != want.Registers || got.Distilled != want.Distilled || got.FCNorm != want.FCNorm ||
		got.HasHead != want.HasHead || got.Hidden != want.Hidden || got.Grid != want.Grid {
		t.Errorf("config %+v, expected %+v", got, want)
	}
	for _, s := range want.specs() {
		if !s.linear {
			if !slices.Equal(b.Float(s.name), all[s.name].Data) {
				t.Errorf("%s differs", s.name)
			}
			continue
		}
		if !slices.Equal(b.linear[s.name].Float, all[s.name].Data) {
			t.Errorf("%s differs", s.name)
		}
	}
	prefix := b.Prefix()
	if len(prefix) != got.PrefixTokens()*got.Dim {
		t.Fatalf("prefix of %d numbers, expected %d tokens of %d", len(prefix), got.PrefixTokens(), got.Dim)
	}
	if got.Registers > 0 && !slices.Equal(prefix[got.Dim:], all[registerTokens].Data) {
		t.Error("registers have a position")
	}
	if got.Distilled && prefix[got.Dim] != all[distToken].Data[0]+all[posEmbed].Data[got.Dim] {
		t.Error("the distillation token lacks its position")
	}
	grid := b.Positions(2, 2)
	if d := all[posEmbed].Data; !slices.Equal(grid.Data, d[len(d)-len(grid.Data):]) {
		t.Error("the grid's positions are not the last ones")
	}
}

// TestVariantsRefused: what is missing is named as the file would name it.
func TestVariantsRefused(t *testing.T) {
	giant := tinyConfig(true)
	giant.SwiGLU = true
	own := renamed(tinyTensors(giant), func(k string) string {
		if k == name(1, "mlp.fc2.bias") {
			return ""
		}
		return strings.NewReplacer(".mlp.fc1.", ".mlp.w12.", ".mlp.fc2.", ".mlp.w3.").Replace(k)
	})
	split := tinySplit(tinyTensors(tinyConfig(false)))
	delete(split, "blocks.1.attn.v_proj.bias")
	split["blocks.1.attn.x_proj.bias"] = tensor.New(6)
	for _, c := range []struct {
		file map[string]tensor.Tensor
		says []string
	}{
		{own, []string{"missing keys blocks.1.mlp.w3.bias"}},
		{split, []string{"missing keys blocks.1.attn.v_proj.bias", "unknown keys blocks.1.attn.x_proj.bias"}},
	} {
		_, err := Import(tinyFolder(t, tinyFile(t, c.file, false), timmJSON, ""))
		if !errors.Is(err, ErrLayout) {
			t.Fatalf("got %v, expected ErrLayout", err)
		}
		for _, s := range c.says {
			if !strings.Contains(err.Error(), s) {
				t.Errorf("%q does not say %q", err, s)
			}
		}
	}
}

func TestLayerNormEps(t *testing.T) {
	for config, want := range map[string]float32{vitJSON: 1e-12, registersJSON: 1e-6, timmJSON: 1e-6,
		`{"model_type": "vit", "layer_norm_eps": 1e-5}`: 1e-5} {
		s, err := readSettings([]byte(config), nil)
		if err != nil || or(s.layerNormEps, defaultLayerNormEps) != want {
			t.Errorf("%s: eps %g (%v), expected %g", config, s.layerNormEps, err, want)
		}
	}
	src, err := ImportWith(timmFolder(t), Settings{Heads: 2, LayerNormEps: 1e-4})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	if c := src.Config(); c.Heads != 2 || c.LayerNormEps != 1e-4 {
		t.Errorf("stated settings are not taken: %+v", c)
	}
}

// TestPyTorchNaN damages one weight of a PyTorch file.
func TestPyTorchNaN(t *testing.T) {
	const golden = "../internal/nn/testdata/vit_mean/mae_full.pth"
	f, err := pth.OpenTensors(golden)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	x, err := f.Float32("blocks.1.norm2.bias")
	if err != nil {
		t.Fatal(err)
	}
	var stored bytes.Buffer
	_ = binary.Write(&stored, binary.LittleEndian, x.Data)
	file, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(file, stored.Bytes())
	if at < 0 {
		t.Fatal("the tensor is not in the file as stored")
	}
	binary.LittleEndian.PutUint32(file[at+8:], math.Float32bits(float32(math.NaN())))
	path := filepath.Join(t.TempDir(), pickledFile)
	if err := os.WriteFile(path, file, 0o666); err != nil {
		t.Fatal(err)
	}
	src, err := ImportWith(filepath.Dir(path), Settings{Heads: 3})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	_, err = Quantize(src, quant.Q8C)
	if !errors.Is(err, checkpoint.ErrCorrupt) || !strings.Contains(err.Error(), `"blocks.1.norm2.bias": element 2 is NaN`) {
		t.Errorf("got %v", err)
	}
}
