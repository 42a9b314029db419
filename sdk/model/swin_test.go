package model

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/edgeadapt/edgeadapt/quant"
	"github.com/edgeadapt/edgeadapt/sdk/internal/checkpoint"
	"github.com/edgeadapt/edgeadapt/sdk/internal/tensor"
)

// tinySwin is a Swin of two stages in which hardly any two extents are equal.
func tinySwin() Config {
	return Config{Family: FamilySwin, Patch: 2, Dim: 6, Depth: 3, Heads: 3, Hidden: 10, LayerNormEps: swinEps, Pool: checkpoint.PoolNormMean,
		Stages: []Stage{{2, 3}, {1, 4}}, Window: 3, Grid: [2]int{6, 6}, HasHead: true}
}

const swinJSON = `{"image_size": 12}`

// swinFile is that Swin in a layout's keys, with the buffers that the layout's files may hold.
func swinFile(t testing.TB, l layout, change func(map[string]tensor.Tensor)) []byte {
	all := map[string]tensor.Tensor{}
	for canonical, x := range tinyTensors(tinySwin()) {
		keys := l.source(canonical)
		for i, k := range keys {
			n := len(x.Data) / len(keys)
			all[l.prefixed(k)] = tensor.Tensor{Shape: append(tensor.Shape{x.Shape[0] / len(keys)}, x.Shape[1:]...), Data: x.Data[i*n : (i+1)*n]}
		}
	}
	if change != nil {
		change(all)
	}
	return tinyFile(t, all, false)
}

// prefixed is the key of a file: only the classifier stands outside the prefix.
func (l layout) prefixed(key string) string {
	if strings.HasPrefix(key, classifier) {
		return key
	}
	return l.prefix + key
}

func swinLayout(t testing.TB, name string) layout {
	i := slices.IndexFunc(swinLayouts, func(l layout) bool { return l.name == name })
	if i < 0 {
		t.Fatalf("no layout %s", name)
	}
	return swinLayouts[i]
}

// TestSwinLayouts reads one Swin from every layout: the same values, and one fingerprint for all that pad alike.
func TestSwinLayouts(t *testing.T) {
	want := tinyTensors(tinySwin())
	prints := map[bool]string{}
	for _, l := range swinLayouts {
		buffers := func(all map[string]tensor.Tensor) {
			all[l.prefix+"layers.0.blocks.1.attn_mask"] = tensor.New(4, 9, 9)
		}
		if l.padFirst {
			buffers = nil
		}
		b := tinyBackbone(t, tinyFolder(t, swinFile(t, l, buffers), swinJSON, ""), quant.F32)
		c := b.Config()
		if exp := tinySwin(); !c.Swin() || !slices.Equal(c.Stages, exp.Stages) || c.Window != 3 || c.Hidden != 10 || c.Grid != exp.Grid || c.PadFirst != l.padFirst {
			t.Errorf("%s: %+v", l.name, c)
		}
		for _, n := range []string{"patch_embed.norm.weight", "layers.1.downsample.norm.bias", "layers.0.blocks.1.attn.relative_position_bias_table", "norm.bias"} {
			if !slices.Equal(b.Float(n), want[n].Data) {
				t.Errorf("%s: %s differs", l.name, n)
			}
		}
		m := b.linear["layers.0.blocks.1.attn.qkv.weight"]
		got := make([]float32, m.Rows*m.Cols)
		if m.Dequantize(got); !slices.Equal(got, want["layers.0.blocks.1.attn.qkv.weight"].Data) {
			t.Errorf("%s: qkv differs", l.name)
		}
		if prints[l.padFirst] == "" {
			prints[l.padFirst] = b.Fingerprint()
		}
		if prints[l.padFirst] != b.Fingerprint() {
			t.Errorf("%s: another fingerprint", l.name)
		}
	}
	if prints[false] == prints[true] {
		t.Error("backbones that pad in another order have one fingerprint")
	}
}

func TestSwinRefused(t *testing.T) {
	table := func(stage, block int) string { return fmt.Sprintf("layers.%d.blocks.%d.%s", stage, block, biasTable) }
	for _, c := range []struct {
		name   string
		change func(all map[string]tensor.Tensor)
		config string
		says   string
	}{
		{"wrong window", nil, `{"image_size": 12, "window_size": 2}`, `bias_table" is [25, 3], expected [9, 3]`},
		{"another wrong window", nil, `{"image_size": 12, "window_size": 4}`, `bias_table" is [25, 3], expected [49, 3]`},
		{"an image that nobody states", func(all map[string]tensor.Tensor) { all[table(1, 0)] = tensor.New(9, 4) }, "{}", "48 x 48 pixels, which image_size in config.json"},
		{"missing bias table", func(all map[string]tensor.Tensor) { delete(all, table(0, 1)) }, swinJSON, "missing keys " + table(0, 1)},
		{"missing first bias table", func(all map[string]tensor.Tensor) { delete(all, table(1, 0)) }, swinJSON, table(1, 0)},
		{"heads that do not divide", func(all map[string]tensor.Tensor) {
			for b := range 2 {
				all[table(0, b)] = tensor.New(25, 4)
			}
		}, swinJSON, "dim 6 is no multiple of 4 heads"},
		{"a table that is no square", func(all map[string]tensor.Tensor) { all[table(0, 0)] = tensor.New(24, 3) }, swinJSON, table(0, 0)},
		{"a hole in the stages", func(all map[string]tensor.Tensor) {
			all["layers.3.blocks.0.norm1.weight"] = tensor.New(6)
		}, swinJSON, "layers.2"},
		{"a width that does not double", func(all map[string]tensor.Tensor) {
			all["layers.1.downsample.reduction.weight"] = tensor.New(10, 24)
		}, swinJSON, `"layers.1.downsample.reduction.weight" is [10, 24], expected [12, 24]`},
		{"too many stages", func(all map[string]tensor.Tensor) { all["layers.99.blocks.0.norm1.weight"] = tensor.New(6) }, swinJSON, "limit is 8 stages"},
		{"version 2", func(all map[string]tensor.Tensor) { all["layers.0.blocks.0.attn.logit_scale"] = tensor.New(3, 1, 1) }, swinJSON, "Swin V2"},
		{"version 2 by its config", nil, `{"model_type": "swinv2", "image_size": 12}`, "Swin V2"},
		{"a ViT by its config", nil, `{"model_type": "vit", "image_size": 12}`, "vit"},
		{"width", nil, `{"image_size": 12, "hidden_size": 8}`, "width is 8"},
	} {
		src, err := Import(tinyFolder(t, swinFile(t, swinLayout(t, "timm Swin"), c.change), c.config, ""))
		if err == nil {
			src.Close()
		}
		if !errors.Is(err, ErrLayout) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: got %v, expected one that says %q", c.name, err, c.says)
		}
	}
}

// TestSwinFilesRefused: a backbone file whose configuration was changed.
func TestSwinFilesRefused(t *testing.T) {
	b := tinyBackbone(t, tinyFolder(t, swinFile(t, swinLayout(t, "timm Swin"), nil), swinJSON, ""), quant.Q8C)
	text := encodedConfig(t, b)
	for old, c := range map[string]struct{ now, says string }{
		`"window":3`:            {`"window":0`, "window is 0"},
		`"blocks":2`:            {`"blocks":9`, "stages have 10"},
		`{"blocks":1,"heads":4`: {`{"blocks":1,"heads":5`, "divisor of its width 12"},
		`"pool":"norm_mean"`:    {`"pool":"cls"`, "norm_mean for a swin"},
		`"family":"swin"`:       {`"family":"vit"`, "resample"},
	} {
		changed := strings.Replace(text, old, c.now, 1)
		if changed == text {
			t.Errorf("%s is not in %s", old, text)
		}
		_, err := ReadBackbone(encoded(t, b, func(m map[string]string, _ *[]checkpoint.Entry) { m[metaConfig] = changed }))
		if !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: got %v, expected one that says %q", c.now, err, c.says)
		}
	}
	again, err := ReadBackbone(encoded(t, b, nil))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(slices.Sorted(maps.Keys(again.linear)), slices.Sorted(maps.Keys(b.linear))) || again.Fingerprint() != b.Fingerprint() {
		t.Error("control: a backbone file does not read back as it was")
	}
}
