package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/edgeadapt/edgeadapt/sdk/data"
	"github.com/edgeadapt/edgeadapt/sdk/tune"
)

// TestRun trains the last block on a few small pictures, two epochs long.
func TestRun(t *testing.T) {
	all, err := data.OpenFolder("../data/clothes", data.Train)
	if err != nil {
		t.Fatal(err)
	}
	few := &data.Dataset{Classes: all.Classes[:2]}
	perClass := map[int]int{}
	for _, item := range all.Items {
		if perClass[item.Label]++; item.Label < 2 && perClass[item.Label] <= 6 {
			few.Items = append(few.Items, item)
		}
	}
	config := tune.Default()
	config.Size, config.Blocks, config.ProbeEpochs, config.Epochs, config.Batch = 56, []int{11}, 2, 2, 4
	file := filepath.Join(t.TempDir(), "clothes.safetensors")
	var out bytes.Buffer
	if err := run(t.Context(), &out, few, config, file); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(file); err != nil {
		t.Error(err)
	}
	if text := out.String(); !strings.Contains(text, `["ankle-boot" "bag"]`) || strings.Count(text, "epoch") != 4 {
		t.Errorf("output: %s", text)
	}
}
