package plugin

import (
	"errors"
	"fmt"
	"math"
	"os"
	"sync"
	"testing"
	"time"
)

// numbered is a module of its own for each n.
func numbered(n int) []byte {
	d := minimal(bodyTrap)
	return d.with(sectionData, vector([]byte{0, 0x41, 16, 0x0b, 3, '{', '}', byte(n)})...).bytes()
}

func TestOptionsLimits(t *testing.T) {
	e := newEngine(t, Limits{MemoryBytes: 4 << 20, Time: 2 * time.Second})
	for _, c := range []struct {
		o  Options
		ok bool
	}{
		{Options{}, true}, // the default memory is more than this host grants: then it is the host's
		{Options{MemoryBytes: 4 << 20, TimeMillis: 2000}, true},
		{Options{MemoryBytes: 4<<20 + 1}, false}, {Options{MemoryBytes: pageBytes - 1}, false}, {Options{MemoryBytes: -1}, false},
		{Options{TimeMillis: 2001}, false}, {Options{TimeMillis: -1}, false}, {Options{TimeMillis: math.MaxInt}, false},
	} {
		p, err := e.Load(t.Context(), numbered(0), c.o)
		if c.ok != (err == nil) || err != nil && !errors.Is(err, ErrPlugin) {
			t.Errorf("%+v: %v", c.o, err)
		}
		p.Close()
	}
}

// TestEngineCaches: one module is compiled once, however often it is loaded, and some stay when they are closed.
func TestEngineCaches(t *testing.T) {
	e := newEngine(t, Limits{})
	var wg sync.WaitGroup
	plugins := make([]*Plugin, 8)
	for i := range plugins {
		wg.Go(func() {
			var err error
			if plugins[i], err = e.Load(t.Context(), numbered(i%2), Options{}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if t.Failed() {
		return
	}
	for i, p := range plugins {
		if p.program != plugins[i%2].program || p.program == plugins[(i+1)%2].program {
			t.Errorf("load %d has the wrong program", i)
		}
	}
	kept := plugins[0].program
	for _, p := range plugins {
		p.Close()
		p.Close()
	}
	if len(e.programs) != 2 || len(e.idle) != 2 || kept.users != 0 {
		t.Errorf("%d programs, %d idle, %d users", len(e.programs), len(e.idle), kept.users)
	}
	p, err := e.Load(t.Context(), numbered(0), Options{})
	if err != nil || p.program != kept || len(e.idle) != 1 {
		t.Errorf("compiled again, %d idle, %v", len(e.idle), err)
	}
	larger, err := e.Load(t.Context(), numbered(0), Options{MemoryBytes: 32 << 20})
	if err != nil || larger.program == kept {
		t.Errorf("another memory limit has the same program, %v", err)
	}
	larger.Close()
	for n := 2; n < 2+2*maxIdle; n++ { // the oldest go
		q, err := e.Load(t.Context(), numbered(n), Options{})
		if err != nil {
			t.Fatal(err)
		}
		q.Close()
	}
	if len(e.idle) != maxIdle || len(e.programs) != maxIdle+1 {
		t.Errorf("%d idle, %d programs; expected %d and the one in use", len(e.idle), len(e.programs), maxIdle)
	}
	if out, err := p.Postprocess(t.Context(), classes(1)); err != nil || string(out) != "{}" {
		t.Errorf("the one in use: %s, %v", out, err)
	}
	p.Close()
}

// TestFailedLoads leave nothing behind.
func TestFailedLoads(t *testing.T) {
	e := newEngine(t, Limits{})
	for range 3 {
		if _, err := e.Load(t.Context(), []byte("nonsense"), Options{}); !errors.Is(err, ErrPlugin) {
			t.Error(err)
		}
		if _, err := e.Load(t.Context(), minimal(bodyTrap).with(sectionStart, 2).bytes(), Options{}); !errors.Is(err, ErrPlugin) {
			t.Error(err)
		}
	}
	if len(e.programs) != 1 || len(e.idle) != 1 { // the trap is the call's, the code is sound
		t.Errorf("%d programs, %d idle", len(e.programs), len(e.idle))
	}
}

func TestClose(t *testing.T) {
	e := NewEngine(Limits{})
	p, err := e.Load(t.Context(), numbered(0), Options{})
	if err != nil {
		t.Fatal(err)
	}
	q, err := e.Load(t.Context(), numbered(0), Options{})
	if err != nil {
		t.Fatal(err)
	}
	p.Close()
	if _, err := p.Postprocess(t.Context(), classes(1)); !errors.Is(err, ErrClosed) {
		t.Errorf("closed plug-in: %v", err)
	}
	if _, err := q.Postprocess(t.Context(), classes(1)); err != nil {
		t.Errorf("the other user of its code: %v", err)
	}
	for range 2 {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := q.Postprocess(t.Context(), classes(1)); !errors.Is(err, ErrClosed) {
		t.Errorf("closed engine: %v", err)
	}
	if _, err := e.Load(t.Context(), numbered(0), Options{}); !errors.Is(err, ErrClosed) {
		t.Errorf("load in a closed engine: %v", err)
	}
	q.Close()
}

func BenchmarkPostprocess(b *testing.B) {
	for _, c := range []struct{ name, path string }{{"text", "testdata/abuse.wasm"}, {"Go", "../../examples/plugins/threshold.wasm"}} {
		b.Run(fmt.Sprintf("language=%s", c.name), func(b *testing.B) {
			module, err := os.ReadFile(c.path)
			if err != nil {
				b.Fatal(err)
			}
			p := load(b, module, Options{})
			b.ReportAllocs()
			for b.Loop() {
				if _, err := p.Postprocess(b.Context(), classes(1)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
