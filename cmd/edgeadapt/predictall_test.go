package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestPredictAllAdapters asks several adapters of several images, named and by their folder.
func TestPredictAllAdapters(t *testing.T) {
	dir := t.TempDir()
	backbone := tinyBackbone(t, "q8c")
	pictures := stripes(t, filepath.Join(dir, "data"), 6, "across", "down")
	tasks := filepath.Join(dir, "tasks [1]") // no pattern
	if err := os.Mkdir(tasks, 0o755); err != nil {
		t.Fatal(err)
	}
	first, second := filepath.Join(tasks, "a.safetensors"), filepath.Join(tasks, "b.safetensors")
	must(t, tinyTune(backbone, pictures, first)...)
	must(t, tinyTune(backbone, pictures, second, "--seed", "2")...)
	write(t, filepath.Join(tasks, "c.safetensors"), []byte("nothing"))
	write(t, filepath.Join(tasks, "notes.txt"), []byte("nothing"))
	images := []string{filepath.Join(pictures, "across", "00.png"), filepath.Join(pictures, "down", "01.png")}
	at := append([]string{"predict", "--backbone", backbone, "--device", "cpu", "--json"}, images...)
	at = slices.Clip(at)
	list := func(o outcome) (p []prediction) {
		t.Helper()
		if err := json.Unmarshal([]byte(o.stdout), &p); err != nil {
			t.Fatal(err)
		}
		return p
	}
	named := list(must(t, append(at, "--adapter", first, "--adapter", second)...))
	o := must(t, append(at, "--all", tasks)...)
	folder := list(o)
	if !strings.Contains(o.stderr, "c.safetensors") || strings.Contains(o.stderr, "notes") {
		t.Errorf("stderr: %s", o.stderr)
	}
	if len(named) != 4 || len(folder) != 4 {
		t.Fatalf("%d and %d predictions of 2 images by 2 adapters", len(named), len(folder))
	}
	for i, adapter := range []string{first, second} {
		for k, alone := range list(must(t, append(at, "--adapter", adapter)...)) {
			for _, got := range []prediction{named[2*k+i], folder[2*k+i]} {
				if got.Image != alone.Image || got.Adapter != adapter || len(got.Labels) != 2 || got.Labels[0] != alone.Labels[0] {
					t.Errorf("%+v, alone %+v", got, alone)
				}
			}
		}
	}
	if err := os.Remove(second); err != nil {
		t.Fatal(err)
	}
	for _, p := range list(must(t, append(at, "--all", tasks)...)) {
		if p.Adapter != first {
			t.Errorf("one adapter in the folder: %+v", p)
		}
	}
	must(t, tinyTune(backbone, pictures, second, "--seed", "2")...)
	bad := write(t, filepath.Join(dir, "bad.png"), []byte("nothing"))
	if o := edgeadapt(append(at, bad, "--all", tasks)...); o.code != 3 || len(list(o)) != 5 {
		t.Errorf("exit code %d with an image that cannot be read: %s", o.code, o.stdout)
	}
	if o := must(t, "predict", images[0], "--backbone", backbone, "--device", "cpu", "--all", tasks, "--top-k", "1"); !strings.Contains(o.stdout, "ADAPTER") || !strings.Contains(o.stdout, "b.safetensors") {
		t.Errorf("table: %s", o.stdout)
	}
	for name, args := range map[string][]string{"no folder": {"--all", first}, "an empty folder": {"--all", t.TempDir()}, "nothing": nil} {
		if o := edgeadapt(append(at, args...)...); o.code != 2 {
			t.Errorf("%s: exit code %d: %s", name, o.code, o.stderr)
		}
	}
}
