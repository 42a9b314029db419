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
	file, images := untrained(t, "textile", "good", "torn"), pictures(t)
	var out bytes.Buffer
	if err := run(t.Context(), &out, file, images); err != nil {
		t.Fatal(err)
	}
	if text := out.String(); strings.Count(text, " %)") != 2 || !strings.Contains(text, images[1]+": ") {
		t.Errorf("output: %s", text)
	}
	if err := run(t.Context(), &out, file, []string{file}); err == nil {
		t.Error("no error for a file that is no picture")
	}
}
