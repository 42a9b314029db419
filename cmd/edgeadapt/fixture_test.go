package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// fixtures holds a ViT of 3 blocks with patches of 8 pixels, made for images of 32 x 32, its tasks and golden numbers.
const fixtures = "../../sdk/internal/nn/testdata/vit"

// outcome is what a command line left behind.
type outcome struct {
	code           int
	stdout, stderr string
}

// edgeadapt runs a command line.
func edgeadapt(args ...string) outcome {
	var out, err bytes.Buffer
	code := run(args, strings.NewReader(""), &out, &err)
	return outcome{code, out.String(), err.String()}
}

// must runs a command line that has to succeed.
func must(t *testing.T, args ...string) outcome {
	t.Helper()
	o := edgeadapt(args...)
	if o.code != 0 {
		t.Fatalf("edgeadapt %s: exit %d\n%s", strings.Join(args, " "), o.code, o.stderr)
	}
	return o
}

// object parses o's stdout as a JSON object and checks that it has the keys.
func (o outcome) object(t *testing.T, keys ...string) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(o.stdout), &m); err != nil {
		t.Fatalf("%v in %q", err, o.stdout)
	}
	for _, k := range keys {
		if _, ok := m[k]; !ok {
			t.Errorf("no key %q in %s", k, o.stdout)
		}
	}
	return m
}

// tinyBackbone quantises the fixture and returns the file.
func tinyBackbone(t *testing.T, scheme string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tiny."+scheme+".safetensors")
	must(t, "quantize", filepath.Join(fixtures, "timm"), "-o", path, "--scheme", scheme)
	return path
}

// tinyTune is a tuning run of a second at most.
func tinyTune(backbone, data, out string, more ...string) []string {
	return append([]string{"tune", data, "-o", out, "--backbone", backbone, "--device", "cpu", "--size", "32", "--epochs", "3", "--batch", "4",
		"--bottleneck", "4"}, more...)
}

// stripes makes a data set: DIR/CLASS/N.png with n images a class, of stripes whose direction is the class.
func stripes(t *testing.T, dir string, n int, classes ...string) string {
	t.Helper()
	for c, class := range classes {
		for i := range n {
			img := image.NewRGBA(image.Rect(0, 0, 40, 36))
			for y := range 36 {
				for x := range 40 {
					v := uint8(127 + 120*((x*(1-c%2)+y*(c%2)+i)/4%2))
					img.Set(x, y, color.RGBA{v, uint8(60 * c), uint8(10 * i), 255})
				}
			}
			var b bytes.Buffer
			if err := png.Encode(&b, img); err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(dir, class, fmt.Sprintf("%02d.png", i)), b.Bytes())
		}
	}
	return dir
}

// write makes a file and its folder.
func write(t *testing.T, path string, content []byte) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// files lists what a folder holds, hidden files included.
func files(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// trigger calls f once, when the text has been written to it.
type trigger struct {
	io.Writer
	text string
	f    func()
	seen bool
}

func (w *trigger) Write(p []byte) (int, error) {
	if !w.seen && strings.Contains(string(p), w.text) {
		w.seen = true
		w.f()
	}
	return w.Writer.Write(p)
}

// runUntil runs a command line and calls f, with the means to interrupt it, when text appears on stderr.
func runUntil(text string, f func(interrupt context.CancelFunc), args ...string) outcome {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var out, err bytes.Buffer
	code := runContext(ctx, args, strings.NewReader(""), &out, &trigger{Writer: &err, text: text, f: func() { f(cancel) }})
	return outcome{code, out.String(), err.String()}
}
