package cpu

import (
	"unsafe"

	"github.com/edgeadapt/edgeadapt/sdk/internal/backend/cpu/simd"
)

const (
	// depth is how many terms of a sum are taken at a time, rounded down to whole panels. With it a tile's rows of A
	// stay in the first-level cache and the panels of a task in the second, 20 and 192 KiB with AVX-512, and the sums of
	// a ViT-S over its 384 channels are in one piece.
	depth = 384
	// groupWidth is the most columns of C in one task.
	groupWidth = 128
)

// rowsAtATime is how many rows a product takes of one panel after the other: whole tiles, also of the five rows that int8 has on
// AVX2, and few enough for the cache.
func rowsAtATime(set *simd.Set) int { return pieces(60, set.MR) * set.MR }

// worker is the memory of one thread of the pool.
type worker struct {
	id     int
	panels []float32                 // the panels of B of one task and depth
	block  []float32                 // one NR x NR block of a weight, on its way into a panel
	scales [simd.Int4Columns]float32 // of a panel of int4
	tile   []float32                 // one tile of C that sticks out of the matrix
	row    []float32                 // one row of a gradient, on its way to int8
	hidden []float32                 // hidden rows of a branch
	wide   []float32                 // parameters of float16
	normed []float32                 // its normed input or output
}

func newWorker(id int, set *simd.Set) *worker {
	return &worker{id: id, panels: aligned(panelGroup(set) * depth * set.NR),
		block: aligned(max(set.NR*set.NR, simd.Int4Columns)), tile: aligned(max(set.MR*set.NR, simd.Int4Rows*simd.Int4Columns))}
}

// panelGroup is the most panels of one task.
func panelGroup(set *simd.Set) int { return max(1, groupWidth/set.NR) }

// aligned makes n zeros that begin at a cache line.
func aligned(n int) []float32 {
	const line = 64
	x := make([]float32, n+line/4)
	skip := (line - int(uintptr(unsafe.Pointer(&x[0]))%line)) % line / 4
	return x[skip : skip+n : skip+n]
}

// source gives the right-hand side of a product in panels of NR columns.
type source interface {
	// panel returns rows k0 to k0+k of the columns from p NR on, row by row; columns beyond the matrix are zero. It
	// may use w.block, and dst for the result, which has NR columns and room for k rounded up to whole groups. k0 is a
	// multiple of NR.
	panel(w *worker, dst []float32, p, k0, k int) []float32
}

// term is one product in a sum of products. Element (i, l) of A is a[i*rs + l*cs]; k is the length of the sums.
type term struct {
	a      []float32
	rs, cs int
	k      int
	b      source
}

// gemm is C = A B, or C = A B + A' B', with an epilogue: c [m, n], ldc elements from row to row.
type gemm struct {
	set  *simd.Set
	m, n int
	// integers come before the terms; nil for none.
	integers integerTerm
	terms    []term
	c        []float32
	ldc      int
	// accumulate adds to what C holds.
	accumulate bool
	// finish, if any, is called once for each part of C, rows i to i+m and columns j to j+n, when its sums are complete.
	finish func(i, m, j, n int)

	// whole is a number of columns that finish needs together, a divisor of groupWidth; 0 for any.
	whole int

	// The split into tasks: blocks of rows by groups of panels. It has no influence on the result.
	rows, group int
}

// compile plans the split for the pool's threads and returns the code.
func (g *gemm) compile(p *pool) func() {
	tasks := g.split(p.size())
	task := g.task
	return func() { p.run(tasks, task) }
}

// split chooses the size of a task: large ones reuse the panels that they widen, but each thread needs a few.
func (g *gemm) split(threads int) (tasks int) {
	const tasksPerThread = 6
	mr, panels := g.set.MR, pieces(g.n, g.set.NR)
	g.rows, g.group = pieces(g.m, mr)*mr, min(panelGroup(g.set), panels)
	count := func() int { return pieces(g.m, g.rows) * pieces(panels, g.group) }
	for threads > 1 && count() < tasksPerThread*threads {
		if g.rows > 16*mr {
			g.rows = pieces(g.rows/2, mr) * mr
		} else if half := pieces(g.group, 2); g.group > 1 && half*g.set.NR >= g.whole {
			g.group = half
		} else {
			break
		}
	}
	return count()
}

func (g *gemm) task(w *worker, i int) {
	groups := pieces(pieces(g.n, g.set.NR), g.group)
	i0, i1 := bounds(i/groups, g.rows, g.m)
	p0, p1 := bounds(i%groups, g.group, pieces(g.n, g.set.NR))
	whole := depth / g.set.NR * g.set.NR
	add := g.accumulate
	if g.integers != nil {
		g.integers.slice(g, w, i0, i1, p0, p1)
		add = true
	}
	for t := range g.terms {
		for k0 := 0; k0 < g.terms[t].k; k0 += whole {
			k := min(whole, g.terms[t].k-k0)
			last := t == len(g.terms)-1 && k0+k == g.terms[t].k
			g.slice(w, &g.terms[t], i0, i1, p0, p1, k0, k, add, last)
			add = true
		}
	}
}

// finished calls finish for rows i to i+m and columns j0 to j1, if no term is to come.
func (g *gemm) finished(i, m, j0, j1 int) {
	if len(g.terms) == 0 && g.finish != nil {
		g.finish(i, m, j0, j1-j0)
	}
}

// slice adds k terms of the sums to the part of C that has rows i0 to i1 and panels p0 to p1.
func (g *gemm) slice(w *worker, t *term, i0, i1, p0, p1, k0, k int, add, last bool) {
	nr := g.set.NR
	var b [groupWidth / 4][]float32                 // no set has panels of fewer than four columns
	size := pieces(k, simd.Octet) * simd.Octet * nr // whole groups of any scheme
	for p := p0; p < p1; p++ {
		b[p-p0] = t.b.panel(w, w.panels[(p-p0)*size:(p-p0+1)*size], p, k0, k)
	}
	for i, rows := i0, rowsAtATime(g.set); i < i1; i += rows {
		m := min(rows, i1-i)
		a := t.a[i*t.rs+k0*t.cs:]
		for p := p0; p < p1; p++ {
			product(g.set, w, m, min(nr, g.n-p*nr), k, a, t.rs, t.cs, b[p-p0], g.c[i*g.ldc+p*nr:], g.ldc, add)
		}
		if last && g.finish != nil {
			g.finish(i, m, p0*nr, min(p1*nr, g.n)-p0*nr)
		}
	}
}

// product is simd.Set.Gemm for n <= NR columns; b is a panel.
func product(set *simd.Set, w *worker, m, n, k int, a []float32, rs, cs int, b, c []float32, ldc int, add bool) {
	if n == set.NR {
		set.Gemm(m, k, a, rs, cs, b, set.NR, c, ldc, add)
		return
	}
	for first := 0; first < m; first += set.MR {
		rows, a, c := min(set.MR, m-first), a[first*rs:], c[first*ldc:]
		for i := 0; add && i < rows; i++ {
			copy(w.tile[i*set.NR:], c[i*ldc:i*ldc+n])
		}
		set.Gemm(rows, k, a, rs, cs, b, set.NR, w.tile, set.NR, add)
		for i := range rows {
			copy(c[i*ldc:i*ldc+n], w.tile[i*set.NR:])
		}
	}
}
