//go:build linux && !android && cgo && !novulkan

package gpu

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/edgeadapt/edgeadapt/quant"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/edgeadapt/edgeadapt/shaders"
)

// tuneLayer tunes a Program of one int8 layer and its residual on d.
func tuneLayer(t *testing.T, d *device, budget time.Duration) []backend.TunedKernel {
	t.Helper()
	const n, m = 64, 37
	w, err := quant.Quantize(quant.Q8C, slices.Repeat([]float32{1, 2, 3, 127}, n*n/4), n, n)
	if err != nil {
		t.Fatal(err)
	}
	r := backend.NewRecorder()
	f := frozenHere(t, d, w)
	r.Output(r.LinearResidual(r.Linear(r.Input("x", m, n), f), f, r.Input("y", m, n)), "y")
	p, err := r.Finish()
	if err != nil {
		t.Fatal(err)
	}
	before := d.MemoryInUse()
	found, err := d.TuneKernels(context.Background(), p, budget)
	if err != nil {
		t.Fatal(err)
	}
	if n := d.MemoryInUse(); n != before {
		t.Errorf("%d bytes more in use after tuning", n-before)
	}
	return found
}

// TestTuneKernels: a variant is kept where it saves 5% and is right; devices opened later use it and say so, until it is
// about another driver; this one and careful ones do not.
func TestTuneKernels(t *testing.T) {
	first := openHere(t, Options{})
	was, err := first.pick("linear_q8c", 0)
	if err != nil {
		t.Fatal(err)
	}
	rows := shaders.Variants("linear_q8c")
	base := rows[len(rows)-1]
	if was == base {
		t.Skip("the device has one variant only")
	}
	// cost makes passes with the base variant of linear_q8c take so long, others 100.
	cost := func(with float64) func([]*shaders.Kernel) float64 {
		return func(used []*shaders.Kernel) float64 {
			if slices.Contains(used, base) {
				return with
			}
			return 100
		}
	}
	for _, tt := range []struct {
		name   string
		with   float64
		wrong  bool
		budget time.Duration
		keeps  bool
	}{{"faster", 90, false, time.Minute, true}, {"hardly faster", 96, false, time.Minute, false}, {"slower", 130, false, time.Minute, false},
		{"faster but wrong", 50, true, time.Minute, false}, {"no time", 50, false, -time.Second, false}} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			d := openHere(t, Options{CacheDir: dir})
			d.stopwatch = cost(tt.with)
			if tt.wrong {
				d.fault = dropTail(base.String())
			}
			found := tuneLayer(t, d, tt.budget)
			if kept := len(found) == 1; kept != tt.keeps || kept && (found[0].To != base.Variant || found[0].From != was.Variant || found[0].Gain < 0.05) {
				t.Fatalf("found %+v", found)
			}
			if k, err := d.pick("linear_q8c", 0); err != nil || k != was {
				t.Errorf("the device itself goes on with %v, %v", k, err)
			}
			later, safe := openHere(t, Options{CacheDir: dir}), openHere(t, Options{CacheDir: dir, Safe: true})
			k, err := later.pick("linear_q8c", 0)
			if err != nil || (k == base) != tt.keeps || strings.Contains(later.Info().Driver, "tuned") != tt.keeps {
				t.Errorf("later %v on %q, %v", k, later.Info().Driver, err)
			}
			if strings.Contains(safe.Info().Driver, "tuned") {
				t.Errorf("a careful device says %q", safe.Info().Driver)
			}
			if _, err := layer(t, later); err != nil {
				t.Error(err)
			}
			if !tt.keeps {
				return
			}
			files, _ := filepath.Glob(filepath.Join(dir, "kernels-*.json"))
			text, err := os.ReadFile(files[0])
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(files[0], []byte(strings.Replace(string(text), `"driver": "`, `"driver": "other `, 1)), 0o644); err != nil {
				t.Fatal(err)
			}
			if k, err := openHere(t, Options{CacheDir: dir}).pick("linear_q8c", 0); err != nil || k != was {
				t.Errorf("with another driver's: %v, %v", k, err)
			}
		})
	}
}
