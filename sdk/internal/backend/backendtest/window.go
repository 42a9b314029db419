package backendtest

import (
	"testing"

	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/edgeadapt/edgeadapt/sdk/internal/window"
)

// windowCase is an attention within windows; a faulty one lies about its layout.
type windowCase struct {
	name               string
	batch, heads, dim  int
	rows, columns      int
	window, table      int
	shifted, padFirst  bool
	noTable, noPadding bool // with zeros in their place
}

func (c windowCase) layout() window.Layout {
	return window.Layout{PadFirst: c.padFirst, Rows: window.NewAxis(c.rows, c.window, c.table, c.shifted),
		Columns: window.NewAxis(c.columns, c.window, c.table, c.shifted)}
}

// record makes the attention; its operands do not depend on the layout.
func (c windowCase) record(g *graph) (qkv, pad, table, o, lse backend.Value, w backend.Windows) {
	w = backend.Windows{Batch: c.batch, Count: c.heads, Layout: c.layout()}
	d := c.heads * c.dim
	qkv = g.items("qkv", c.batch, c.batch*w.Tokens(), 3*d)
	pad, table = g.param("pad", 3*d), g.param("table", w.Entries(), c.heads)
	if c.noPadding {
		pad = g.Param("pad", g.buffer("zeros", make([]float32, 3*d)), 0, 3*d)
	}
	if c.noTable {
		table = g.Param("table", g.buffer("zeros", make([]float32, w.Entries()*c.heads)), 0, w.Entries(), c.heads)
	}
	o, lse = g.WindowAttention(qkv, pad, table, w)
	return qkv, pad, table, o, lse, w
}

func (c windowCase) forward(g *graph) {
	qkv, pad, table, o, lse, w := c.record(g)
	g.read("o", o)
	g.read("lse", lse)
	g.read("probs", g.WindowProbs(qkv, pad, table, w))
}

func (c windowCase) backward(g *graph) {
	qkv, pad, table, o, lse, w := c.record(g)
	do := g.items("do", c.batch, c.batch*w.Tokens(), c.heads*c.dim)
	g.read("dqkv", g.WindowAttentionBackward(qkv, pad, table, o, lse, do, w))
}

func testWindowAttention(t *testing.T, s suite) {
	cases := []windowCase{
		{name: "one token", batch: 1, heads: 1, dim: 4, rows: 1, columns: 1, window: 7, table: 7, shifted: true},
		{name: "whole windows", batch: 2, heads: 2, dim: 8, rows: 8, columns: 4, window: 4, table: 4},
		{name: "shifted", batch: 2, heads: 3, dim: 32, rows: 14, columns: 14, window: 7, table: 7, shifted: true},
		{name: "odd head width", batch: 1, heads: 3, dim: 5, rows: 6, columns: 9, window: 3, table: 3, shifted: true},
		{name: "padded", batch: 2, heads: 2, dim: 4, rows: 5, columns: 7, window: 4, table: 4},
		{name: "padded after the shift", batch: 2, heads: 2, dim: 16, rows: 9, columns: 10, window: 4, table: 4, shifted: true},
		{name: "padded before the shift", batch: 2, heads: 2, dim: 16, rows: 9, columns: 10, window: 4, table: 4, shifted: true, padFirst: true},
		{name: "one axis within the window", batch: 2, heads: 2, dim: 4, rows: 2, columns: 9, window: 4, table: 4, shifted: true},
		{name: "window of 12", batch: 1, heads: 2, dim: 32, rows: 13, columns: 12, window: 12, table: 12, shifted: true},
	}
	for _, c := range cases {
		s.check(t, c.name, c.forward)
		s.check(t, "backward "+c.name, c.backward)
	}
	s.independent(t, "forward", 3, func(g *graph, n int) {
		c := cases[5]
		c.batch = n
		_, _, _, o, lse, _ := c.record(g)
		g.read("o", o)
		g.read("lse", lse)
	})
	for name, fault := range map[string]func(c *windowCase){
		"no shift":               func(c *windowCase) { c.shifted = false },
		"the other padding":      func(c *windowCase) { c.padFirst = true },
		"no position table":      func(c *windowCase) { c.noTable = true },
		"padding without a bias": func(c *windowCase) { c.noPadding = true },
	} {
		right, faulty := cases[5], cases[5]
		fault(&faulty)
		s.rejects(t, name, right.forward, faulty.forward)
		s.rejects(t, "backward with "+name, right.backward, faulty.backward)
	}
}

func testPatchMerge(t *testing.T, s suite) {
	forward := func(g0 backend.Grid, d int, eps float32) func(g *graph) {
		return func(g *graph) {
			y, stats := g.PatchMerge(g.items("x", g0.Batch, g0.Tokens(), d), g.norm("norm", 4*d, eps), g0)
			g.read("y", y)
			g.read("mean", stats.Mean)
			g.read("rstd", stats.Rstd)
		}
	}
	backward := func(g0 backend.Grid, d int) func(g *graph) {
		return func(g *graph) {
			x, n := g.items("x", g0.Batch, g0.Tokens(), d), g.norm("norm", 4*d, 1e-5)
			y, stats := g.PatchMerge(x, n, g0)
			dy := g.items("dy", g0.Batch, g.Shape(y)...)
			g.read("dx", g.PatchMergeBackward(x, n, stats, dy, g0))
		}
	}
	for _, c := range []struct {
		name string
		backend.Grid
		d int
	}{{"one token", backend.Grid{Batch: 1, Rows: 1, Columns: 1}, 3}, {"even", backend.Grid{Batch: 2, Rows: 4, Columns: 6}, 8},
		{"odd", backend.Grid{Batch: 3, Rows: 7, Columns: 5}, 7}, {"wide", backend.Grid{Batch: 1, Rows: 3, Columns: 2}, 96}} {
		s.check(t, c.name, forward(c.Grid, c.d, 1e-5))
		s.check(t, "backward "+c.name, backward(c.Grid, c.d))
	}
	s.independent(t, "forward", 5, func(g *graph, n int) { forward(backend.Grid{Batch: n, Rows: 3, Columns: 5}, 16, 1e-5)(g) })
	upright, flat := backend.Grid{Batch: 1, Rows: 4, Columns: 6}, backend.Grid{Batch: 1, Rows: 6, Columns: 4}
	s.rejects(t, "rows for columns", forward(upright, 4, 1e-5), forward(flat, 4, 1e-5))
	s.rejects(t, "backward with rows for columns", backward(upright, 4), backward(flat, 4))
	s.rejects(t, "eps 0.1", forward(upright, 4, 1e-5), forward(upright, 4, 0.1))
}
