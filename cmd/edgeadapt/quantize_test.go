package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/edgeadapt/edgeadapt/quant"
	"github.com/edgeadapt/edgeadapt/sdk/model"
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

// TestQuantizeCalibrated: pictures change the integers and nothing else, and each run gives the same bytes.
func TestQuantizeCalibrated(t *testing.T) {
	t.Run("q4g", func(t *testing.T) {
		testCalibrated(t, "q4g", "12 of 12 layers", "q4g (int4, a scale for each row and 64 columns)")
	})
	t.Run("q8c", func(t *testing.T) { testCalibrated(t, "q8c", "3 of 3 images", "q8c") })
	pictures := filepath.Join("..", "..", "sdk", "testdata", "pictures")
	if o := must(t, "quantize", filepath.Join(fixtures, "timm"), "--scheme", "q4g32", "-o", filepath.Join(t.TempDir(), "d"), "--calibrate", pictures); !strings.Contains(o.stderr, "with 6 images, 32 were asked for") {
		t.Errorf("stderr %q", o.stderr)
	}
}

func testCalibrated(t *testing.T, scheme, progress, text string) {
	t.Helper()
	dir := t.TempDir()
	pictures, checkpoint := filepath.Join("..", "..", "sdk", "testdata", "pictures"), filepath.Join(fixtures, "timm")
	write := func(name string, args ...string) (quantizeResult, []byte) {
		t.Helper()
		out := filepath.Join(dir, name)
		o := must(t, append([]string{"quantize", checkpoint, "--scheme", scheme, "--json", "-o", out}, args...)...)
		var r quantizeResult
		if err := json.Unmarshal([]byte(o.stdout), &r); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		if args != nil && !strings.Contains(o.stderr, progress) {
			t.Errorf("stderr %q", o.stderr)
		}
		return r, b
	}
	plain, rounded := write("plain")
	r, first := write("a", "--calibrate", pictures, "--calibrate-images", "3", "--threads", "1")
	_, second := write("b", "--calibrate", pictures, "--calibrate-images", "3", "--threads", "2")
	_, other := write("c", "--calibrate", pictures, "--calibrate-images", "3", "--seed", "1")
	if r.Calibrated != 3 || plain.Calibrated != 0 || r.Fingerprint != plain.Fingerprint {
		t.Errorf("%+v, expected %+v and 3 images", r, plain)
	}
	weights := func(file []byte) []byte { return file[8+binary.LittleEndian.Uint64(file):] } // without the header, whose record differs anyway
	if len(weights(first)) != len(weights(rounded)) {
		t.Errorf("%d bytes of weights, uncalibrated %d", len(weights(first)), len(weights(rounded)))
	}
	if bytes.Equal(weights(first), weights(rounded)) || !bytes.Equal(first, second) || bytes.Equal(weights(first), weights(other)) {
		t.Error("calibrated files: expected two equal ones, another by seed and another without pictures")
	}
	if o := must(t, "inspect", filepath.Join(dir, "a")); !strings.Contains(o.stdout, text) ||
		!strings.Contains(o.stdout, "with 3 pictures, seed 0") {
		t.Errorf("inspect prints %q", o.stdout)
	}
	if o := must(t, "inspect", filepath.Join(dir, "plain"), "--json"); strings.Contains(o.stdout, "calibration") {
		t.Errorf("a file that nobody calibrated: %s", o.stdout)
	}
}

// TestQuantizeInterrupted: Ctrl-C in the middle of a calibration ends it and leaves no file.
func TestQuantizeInterrupted(t *testing.T) {
	out := t.TempDir()
	o := runUntil("8 of 12 layers", func(interrupt context.CancelFunc) { interrupt() }, "quantize", filepath.Join(fixtures, "timm"), "--scheme", "q4g",
		"--calibrate", filepath.Join("..", "..", "sdk", "testdata", "pictures"), "-o", filepath.Join(out, "b.safetensors"))
	if o.code != exitInterrupted || o.stdout != "" || len(files(t, out)) != 0 {
		t.Errorf("exit code %d, stdout %q, files %v", o.code, o.stdout, files(t, out))
	}
}

func TestQuantizeCalibrationRefuses(t *testing.T) {
	dir := t.TempDir()
	damaged := filepath.Join(dir, "damaged")
	if err := os.Mkdir(damaged, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(damaged, "a.png"), []byte("no picture"), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"--scheme", "f16", "--calibrate", dir}, exitUsage, "expected q8c, q4g, q4g32 or q4g128"},
		{[]string{"--calibrate", dir, "--full-range"}, exitUsage, "expected one of them"},
		{[]string{"--scheme", "f16", "--full-range"}, exitUsage, "expected q8c"},
		{[]string{"--scheme", "q4g", "--calibrate", dir, "--calibrate-images", "0"}, exitUsage, "expected 1 to"},
		{[]string{"--scheme", "q4g", "--calibrate", filepath.Join(dir, "none")}, exitData, "none"},
		{[]string{"--scheme", "q4g", "--calibrate", t.TempDir()}, exitData, "no images"},
		{[]string{"--scheme", "q4g", "--calibrate", damaged}, exitData, "none of 1 images can be read"},
	} {
		out := filepath.Join(dir, "b.safetensors")
		o := edgeadapt(append([]string{"quantize", filepath.Join(fixtures, "timm"), "-o", out}, c.args...)...)
		if o.code != c.code || !strings.Contains(o.stderr, c.says) {
			t.Errorf("%v: exit code %d, %q, expected %d that says %q", c.args, o.code, o.stderr, c.code, c.says)
		}
		if _, err := os.Stat(out); err == nil {
			t.Errorf("%v: a file was written", c.args)
		}
	}
}

// TestQuantizeFullRange: each row of one file uses all of int8, and no pair of the other's is beyond the limit.
func TestQuantizeFullRange(t *testing.T) {
	out := filepath.Join(t.TempDir(), "b.safetensors")
	for _, full := range []bool{false, true} {
		args := []string{"quantize", filepath.Join(fixtures, "timm"), "-o", out}
		if full {
			args = append(args, "--full-range")
		}
		must(t, args...)
		b, err := model.OpenBackbone(out)
		if err != nil {
			t.Fatal(err)
		}
		m, _ := b.Linear(0, "mlp.fc1")
		all := true
		for r := range m.Rows {
			row := m.Int8[r*m.Cols : (r+1)*m.Cols]
			all = all && (slices.Max(row) == quant.MaxInt8 || slices.Min(row) == -quant.MaxInt8)
		}
		if all != full || b.FullRange() != full {
			t.Errorf("full range %t: all rows reach 127: %t, it says %t", full, all, b.FullRange())
		}
		if o := must(t, "inspect", out); strings.Contains(o.stdout, "full range") != full {
			t.Errorf("full range %t: %s", full, o.stdout)
		}
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
