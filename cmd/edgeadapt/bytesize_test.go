package main

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestByteSize(t *testing.T) {
	for text, want := range map[string]int64{"300MB": 300e6, "1.5GiB": 3 << 29, "64 KiB": 65536, "4096": 4096, "7kB": 7000, "12B": 12} {
		var b byteSize
		if err := b.Set(text); err != nil || int64(b) != want {
			t.Errorf("%q: %d, %v, expected %d", text, b, err, want)
		}
	}
	for _, text := range []string{"", "0", "-1MB", "much", "NaN", "1e300GB", "Inf", "3TBX", "0.1"} {
		if err := new(byteSize).Set(text); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}

// TestMemoryBudget: the plan comes before the run; over budget is a mistake of usage with both figures.
func TestMemoryBudget(t *testing.T) {
	backbone, dir, out := tinyBackbone(t, "q8c"), stripes(t, t.TempDir(), 4, "a", "b"), filepath.Join(t.TempDir(), "task.safetensors")
	checkOutcome(t, "1 MB", edgeadapt(tinyTune(backbone, dir, out, "--memory-budget", "1MB")...), exitUsage, "the budget is 1 MB")
	o := must(t, tinyTune(backbone, dir, out, "--memory-budget", "2GB")...)
	if !strings.HasPrefix(o.stderr, "memory  ") || !strings.Contains(o.stderr, "planned (MB: backbone ") {
		t.Errorf("stderr %q", o.stderr)
	}
}
