// Package plugins tests the committed plug-ins; their sources are in the folders beside it, and make plugins builds them.
package plugins

import (
	"image"
	"os"
	"testing"

	"github.com/edgeadapt/edgeadapt/sdk/plugin"
)

func load(t *testing.T, name string) *plugin.Plugin {
	t.Helper()
	module, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	e := plugin.NewEngine(plugin.Limits{})
	p, err := e.Load(t.Context(), module, plugin.Options{TimeMillis: 10_000})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Close()
		e.Close()
	})
	return p
}

func TestThreshold(t *testing.T) {
	p := load(t, "threshold.wasm")
	if p.CanPreprocess() || !p.CanPostprocess() {
		t.Fatalf("preprocess %v, postprocess %v", p.CanPreprocess(), p.CanPostprocess())
	}
	for want, s := range map[string]plugin.Scores{
		`{"accepted":[],"count":0,"unit":"classes"}`:             {},
		`{"accepted":["nominal"],"count":1,"unit":"classes"}`:    {Labels: []string{"nominal", "local"}, Values: []float32{0.5, 0.25}},
		`{"accepted":["local"],"count":1,"unit":"classes"}`:      {Labels: []string{"nominal", "local"}, Values: []float32{0.4999, 0.375}},
		`{"accepted":["a\"b\\","é"],"count":2,"unit":"classes"}`: {Labels: []string{`a"b\`, "c", "é"}, Values: []float32{0.75, 0.5, 1}},
	} {
		got, err := p.Postprocess(t.Context(), s)
		if err != nil || string(got) != want {
			t.Errorf("%v: %s, %v; expected %s", s, got, err, want)
		}
	}
}

func TestTrim(t *testing.T) {
	p := load(t, "trim.wasm")
	if !p.CanPreprocess() || p.CanPostprocess() {
		t.Fatalf("preprocess %v, postprocess %v", p.CanPreprocess(), p.CanPostprocess())
	}
	const width, height, side = 200, 170, 112 // more bytes than the module's first page of memory
	for _, want := range []image.Rectangle{image.Rect(0, 0, width, height), image.Rect(3, 5, 199, 7), image.Rect(199, 169, 200, 170)} {
		m := plugin.Picture{Width: width, Height: height, Pix: make([]uint8, 3*width*height)}
		for y := range height {
			for x := range width {
				v := uint8(20) // a border with a little noise
				if (image.Point{X: x, Y: y}).In(want) && want.Min.X > 0 {
					v = 60
				}
				m.Pix[3*(y*width+x)+1] = v + uint8((x+y)%3)
			}
		}
		got, err := p.Preprocess(t.Context(), m, side)
		if err != nil || got.Picture != nil || got.Crop != want {
			t.Errorf("got %v, %v; expected %v", got, err, want)
		}
	}
}
