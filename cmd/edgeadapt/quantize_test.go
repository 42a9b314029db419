package main

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
)

// TestQuantizePyTorch: one network in four files gives one fingerprint, save for the rule of position grids, which is
// the layout's.
func TestQuantizePyTorch(t *testing.T) {
	print := func(args ...string) string {
		t.Helper()
		out := filepath.Join(t.TempDir(), "b.safetensors")
		o := must(t, append([]string{"quantize", "-o", out, "--json"}, args...)...)
		var r quantizeResult
		if err := json.Unmarshal([]byte(o.stdout), &r); err != nil {
			t.Fatal(err)
		}
		must(t, "inspect", out)
		return r.Fingerprint
	}
	want := print(filepath.Join(fixtures, "timm"))
	for _, name := range []string{"mae.pth", "split_qkv.pth"} {
		if got := print(filepath.Join(fixtures, name), "--heads", "4"); got != want {
			t.Errorf("%s: fingerprint %s, expected %s", name, got, want)
		}
	}
	if print(filepath.Join(fixtures, "hf")) == want {
		t.Error("another rule for positions has the same fingerprint")
	}
	if print(filepath.Join(fixtures, "mae.pth"), "--heads", "4", "--layer-norm-eps", "1e-5") == want {
		t.Error("another eps has the same fingerprint")
	}
}

// TestQuantizeSaysUnused: the pooler of a ViTModel has no use here.
func TestQuantizeSaysUnused(t *testing.T) {
	o := must(t, "quantize", filepath.Join(fixtures, "hf"), "-o", filepath.Join(t.TempDir(), "b.safetensors"))
	if !strings.Contains(o.stderr, "not used: 2 tensors") || !strings.Contains(o.stderr, "pooler.dense.bias, pooler.dense.weight") {
		t.Errorf("stderr %q", o.stderr)
	}
}

func TestInspectPyTorch(t *testing.T) {
	o := must(t, "inspect", filepath.Join(fixtures, "split_qkv.pth"), "--tensors")
	for _, s := range []string{"blocks.2.attn.k_proj.weight", "[64 64]", "kind     pytorch"} {
		if !strings.Contains(o.stdout, s) {
			t.Errorf("%q does not say %s", o.stdout, s)
		}
	}
}
