package backend_test

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"pgregory.net/rapid"
)

// life is the span of operators over which a value's contents matter, worked out anew from the definition.
type life struct{ from, to int }

func lives(p *backend.Program) map[backend.Value]life {
	all := map[backend.Value]life{}
	for i, op := range p.Ops() {
		for _, o := range op.Operands() {
			if p.Info(o.Value).Kind != backend.Temp {
				continue
			}
			l, ok := all[o.Value]
			if !ok {
				l.from = i
			}
			l.to = i
			if p.Info(o.Value).Output {
				l.to = math.MaxInt
			}
			all[o.Value] = l
		}
	}
	return all
}

// clash describes the first fault of a layout, or is empty.
func clash(p *backend.Program, l backend.Layout, align, limit int) string {
	alive := lives(p)
	for v, lv := range alive {
		from, to := l.Offset[v], l.Offset[v]+p.Shape(v).Elems()
		switch {
		case l.Arena[v] < 0:
			return "a temporary has no place"
		case from < 0 || to > l.Size[l.Arena[v]]:
			return "a temporary reaches out of its arena"
		case from%align != 0:
			return "an offset is not aligned"
		case l.Size[l.Arena[v]] > limit:
			return "an arena exceeds the limit"
		}
		for w, lw := range alive {
			apart := l.Arena[v] != l.Arena[w] || to <= l.Offset[w] || l.Offset[w]+p.Shape(w).Elems() <= from
			if v != w && !apart && lv.from <= lw.to && lw.from <= lv.to {
				return "two live temporaries overlap"
			}
		}
	}
	for v := backend.Value(1); int(v) <= p.Values(); v++ {
		if _, ok := alive[v]; !ok && l.Arena[v] != -1 {
			return "a place for what needs none"
		}
	}
	return ""
}

// drawProgram records random chains and joins of elementwise and linear operators.
func drawProgram(t *rapid.T) *backend.Program {
	r := backend.NewRecorder()
	rows := rapid.IntRange(1, 9).Draw(t, "rows")
	values := []backend.Value{r.Input("x", rows, 5)}
	for range rapid.IntRange(1, 30).Draw(t, "operators") {
		a := rapid.SampledFrom(values).Draw(t, "a")
		var y backend.Value
		n := r.Shape(a)[1]
		switch rapid.IntRange(0, 4).Draw(t, "operator") {
		case 0:
			y = r.Scale(a, 2)
		case 1:
			y = r.Add(a, r.Scale(a, 2))
		case 2:
			y = r.Linear(a, frozen(rapid.IntRange(1, 40).Draw(t, "width"), n))
		case 3: // with statistics that nobody reads
			y, _ = r.LayerNorm(a, backend.Norm{Gamma: buffer(n), Beta: buffer(n), Eps: 1})
		case 4: // in place: the result is the value that held the base
			y = r.MatMul(a, r.Param("w", buffer(n*n), 0, n, n), r.Scale(a, 1))
		}
		if rapid.Bool().Draw(t, "output") {
			r.Output(y, "out")
		}
		values = append(values, y)
	}
	p, err := r.Finish()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPlanProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawProgram(t)
		align := rapid.SampledFrom([]int{1, 4, 16, 64}).Draw(t, "align")
		limit := rapid.SampledFrom([]int{9*40 + 64, 1000, math.MaxInt / 8}).Draw(t, "limit")
		l, err := backend.Plan(p, align, limit)
		if err != nil {
			t.Fatal(err)
		}
		if fault := clash(p, l, align, limit); fault != "" {
			t.Fatal(fault)
		}
	})
}

// TestPlanControl: moving one live temporary onto another must not pass the check above.
func TestPlanControl(t *testing.T) {
	r := backend.NewRecorder()
	x := r.Input("x", 3, 5)
	a := r.Scale(x, 2)
	b := r.Scale(x, 3)
	r.Add(a, b)
	p, err := r.Finish()
	if err != nil {
		t.Fatal(err)
	}
	l, err := backend.Plan(p, 16, 1000)
	if err != nil || clash(p, l, 16, 1000) != "" {
		t.Fatal(err, clash(p, l, 16, 1000))
	}
	l.Offset[b] = l.Offset[a]
	if clash(p, l, 16, 1000) == "" {
		t.Error("an overlap passes")
	}
}

// TestPlanReuses: a chain needs room for two links whatever its length, and for every output on top.
func TestPlanReuses(t *testing.T) {
	const n, links = 64, 20
	for _, c := range []struct {
		name    string
		outputs bool
		want    int
	}{{"temporaries", false, 2 * n}, {"outputs", true, links * n}} {
		r := backend.NewRecorder()
		x := r.Input("x", n)
		for range links {
			x = r.Scale(x, 2)
			if c.outputs {
				r.Output(x, "out")
			}
		}
		p, err := r.Finish()
		if err != nil {
			t.Fatal(err)
		}
		l, err := backend.Plan(p, 16, math.MaxInt/8)
		if err != nil || len(l.Size) != 1 || l.Size[0] != c.want {
			t.Errorf("%s: arenas %v, expected [%d]; %v", c.name, l.Size, c.want, err)
		}
	}
}

func TestPlanLimit(t *testing.T) {
	r := backend.NewRecorder()
	x := r.Input("x", 10, 10)
	a := r.Scale(x, 2)
	r.Add(a, r.Scale(a, 2))
	p, err := r.Finish()
	if err != nil {
		t.Fatal(err)
	}
	if l, err := backend.Plan(p, 4, 100); err != nil || len(l.Size) != 3 {
		t.Errorf("three values of 100 elements in arenas of at most 100: %v, %v", l.Size, err)
	}
	_, err = backend.Plan(p, 4, 99)
	if !errors.Is(err, backend.ErrOutOfMemory) || !strings.Contains(err.Error(), "400 bytes") || !strings.Contains(err.Error(), "396") {
		t.Errorf("a value past the limit: %v", err)
	}
}
