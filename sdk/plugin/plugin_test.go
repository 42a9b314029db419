package plugin

import (
	"context"
	"errors"
	"image"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

func read(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func newEngine(t testing.TB, l Limits) *Engine {
	e := NewEngine(l)
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

func load(t testing.TB, module []byte, o Options) *Plugin {
	t.Helper()
	p, err := newEngine(t, Limits{}).Load(context.Background(), module, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

// classes makes scores of n classes.
func classes(n int) Scores {
	var s Scores
	for i := range n {
		s.Labels, s.Values = append(s.Labels, string(rune('a'+i))), append(s.Values, 1/float32(n))
	}
	return s
}

// calm is what testdata/abuse.wat answers when it is not asked to misbehave. The count of calls is the instance's: a
// second call in the same instance would say 2.
const calm = `{"calls":1}`

func TestPreprocess(t *testing.T) {
	p := load(t, read(t, "abuse.wasm"), Options{})
	out, err := p.Preprocess(t.Context(), Picture{1, 1, []byte{1, 2, 3}}, 1)
	if err != nil || out.Picture != nil || out.Crop != image.Rect(0, 0, 1, 1) {
		t.Errorf("part: %v, %v", out, err)
	}
	out, err = p.Preprocess(t.Context(), Picture{12, 1, make([]byte, 36)}, 6)
	if err != nil || out.Picture == nil || out.Picture.Width != 1 || out.Picture.Height != 1 || string(out.Picture.Pix) != "xyz" {
		t.Errorf("picture: %v, %v", out, err)
	}
	for _, bad := range []Picture{{}, {3, 1, make([]byte, 9)}, {1, 1, make([]byte, 4)}, {-1, -1, make([]byte, 3)}} {
		if _, err := p.Preprocess(t.Context(), bad, 1); err == nil || errors.Is(err, ErrPlugin) {
			t.Errorf("picture of %dx%d in %d bytes for side 1: %v", bad.Width, bad.Height, len(bad.Pix), err)
		}
	}
}

// TestConcurrent: goroutines share a plug-in, never an instance, whatever the number of calls at once.
func TestConcurrent(t *testing.T) {
	for _, calls := range []int{1, 3, 64} {
		p, err := newEngine(t, Limits{Calls: calls}).Load(t.Context(), read(t, "abuse.wasm"), Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		var wg sync.WaitGroup
		for g := range 16 {
			wg.Go(func() {
				for i := range 8 {
					if (g+i)%4 == 0 {
						if _, err := p.Postprocess(t.Context(), classes(6)); !errors.Is(err, ErrPlugin) {
							t.Errorf("trap: %v", err)
						}
					} else if got, err := p.Postprocess(t.Context(), classes(1)); err != nil || string(got) != calm {
						t.Errorf("%s, %v", got, err)
					}
				}
			})
		}
		wg.Wait()
	}
}
