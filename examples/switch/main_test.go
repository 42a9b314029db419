package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"github.com/edgeadapt/edgeadapt/sdk/adapter"
	"github.com/edgeadapt/edgeadapt/sdk/backbones/vits14"
)

const folder = "../data/textile/test/nominal"

// untrained writes an adapter that has learnt nothing yet and returns its file.
func untrained(t *testing.T, name string, labels ...string) string {
	t.Helper()
	vit, err := vits14.Open()
	if err != nil {
		t.Fatal(err)
	}
	ref := vit.Config().Ref()
	p := ref.Preprocess
	a, err := adapter.New(adapter.Config{Name: name, Method: adapter.Linear, Pool: adapter.PoolCLSMean, HeadNorm: true, Task: adapter.SingleLabel,
		Labels: labels, Size: 56, Fit: adapter.Squash, Interpolation: p.Interpolation, Mean: p.Mean, Std: p.Std}, ref, 1)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), name+".safetensors")
	if err := a.WriteFile(file); err != nil {
		t.Fatal(err)
	}
	return file
}

// pictures lists some picture files.
func pictures(t *testing.T) []string {
	t.Helper()
	list, err := filepath.Glob(folder + "/*")
	if err != nil || len(list) < 2 {
		t.Fatalf("%d pictures, %v", len(list), err)
	}
	return list[:2]
}

func TestRun(t *testing.T) {
	a, b := untrained(t, "textile", "good", "torn"), untrained(t, "clothes", "bag", "coat", "dress")
	var out bytes.Buffer
	if err := run(t.Context(), &out, a, b, pictures(t)[0]); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{a + " says ", b + " says ", "without a task: 768 features"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("output lacks %q: %s", want, out.String())
		}
	}
	if err := run(t.Context(), &out, a, "none.safetensors", pictures(t)[0]); err == nil {
		t.Error("no error for an adapter that is not there")
	}
}
