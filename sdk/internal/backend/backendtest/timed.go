package backendtest

import (
	"slices"
	"testing"
	"time"

	"github.com/edgeadapt/edgeadapt/quant"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/edgeadapt/edgeadapt/sdk/internal/profile"
)

// watched keeps the Program that it compiles.
type watched struct {
	*profile.Backend
	p *backend.Program
}

func (w *watched) Compile(p *backend.Program) (backend.Executable, error) {
	w.p = p
	return w.Backend.Compile(p)
}

// testTimed: timed runs give the bits of others, and each operator that was recorded has its time, one after the other within
// the run.
func testTimed(t *testing.T, s suite) {
	watch, err := profile.New(s.be)
	if err != nil {
		t.Fatal(err)
	}
	build := tiny{scheme: quant.Q8C, batch: 2, dim: 24, hidden: 52, bottleneck: 5, class: 3, heads: 3, dropout: 0.1, branchScale: 0.1}.step
	plain := run(t, s.be, 0, build)
	w := &watched{Backend: watch}
	watch.Start()
	began := time.Now()
	got := run(t, w, 0, build)
	wall := time.Since(began)
	for _, name := range plain.names {
		sameBits(t, name, got.tensors[name].Data, plain.tensors[name].Data)
	}
	var words, want []string
	for range 2 { // as run does
		for _, op := range w.p.Ops() {
			want = append(want, op.Name())
		}
	}
	last, end, sum := -1, time.Duration(0), time.Duration(0)
	for _, e := range watch.Events() {
		if e.Start < end || e.Took < 0 || e.Kernel == "" {
			t.Errorf("%s, kernel %q, began at %v and took %v; the one before ended at %v", e.Operator, e.Kernel, e.Start, e.Took, end)
		}
		end, sum = e.Start+e.Took, sum+e.Took
		if e.Op >= 0 && e.Op != last {
			words, last = append(words, e.Operator), e.Op
		}
	}
	if !slices.Equal(words, want) {
		t.Errorf("operators %q, recorded were %q", words, want)
	}
	if sum <= 0 || sum > wall || watch.Clock() == "" {
		t.Errorf("kernels took %v of %v by %q", sum, wall, watch.Clock())
	}
}
