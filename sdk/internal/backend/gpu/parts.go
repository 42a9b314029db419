//go:build linux && !android && cgo && !novulkan

package gpu

import (
	"slices"

	"github.com/edgeadapt/edgeadapt/quant"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/edgeadapt/edgeadapt/vulkan"
	"github.com/pkg/errors"
)

// A weight that is too large for a binding, or for a piece of memory, is in parts of whole panels of rows. A layer then runs once for
// each part, as if that were its weight: its results are columns of the layer's, with the same bits. Kernels know whole
// rows only, so that these columns are copied out of scratch memory, and those of what is read into it. The input gradient is the
// sum of what the parts give: in another order than without parts, and so the same within rounding.

// partRows is how many rows of m a part may have, a multiple of panelRows; all if m is within the limit.
func partRows(m quant.Matrix, limit int) (int, error) {
	whole, err := quant.PackedLen(m.Scheme, m.Rows, m.Cols)
	if err != nil || 4*whole <= limit {
		return m.Rows, err
	}
	panels := ceil(m.Rows, panelRows)
	parts := ceil(panels, max(1, limit/(4*whole/panels))) // panels are of one size
	return ceil(panels, parts) * panelRows, nil
}

// columns are those that a part of a weight stands for, of matrices [m, n], in scratch memory.
type columns struct {
	r    *recording
	part *weight
	m, n int
	at   int // the next free element of the scratch memory
}

// room is a piece of scratch memory.
func (c *columns) room(n int) vulkan.Range {
	at := c.at
	c.at += backend.AlignParam(n)
	return c.r.partialAt(at, n)
}

// rows are the columns in a whole matrix, and in one of their own.
func (c *columns) rows(whole, own vulkan.Range) (vulkan.Rows, vulkan.Rows) {
	size := elementOf(whole)
	skip := size * c.part.from
	whole.Offset, whole.Size = whole.Offset+skip, whole.Size-skip
	return vulkan.Rows{Range: whole, Stride: size * c.n}, vulkan.Rows{Range: own, Stride: size * c.part.rows}
}

// elementOf is the size of an element of a matrix.
func elementOf(v vulkan.Range) int {
	if v.Half {
		return backend.F16.Size()
	}
	return backend.F32.Size()
}

// take copies the columns of a matrix.
func (c *columns) take(whole vulkan.Range) (own vulkan.Range) {
	own = c.room(c.m * c.part.rows)
	src, dst := c.rows(whole, own)
	c.r.copyRows(rowCopy{dst, src, 4 * c.part.rows, c.m})
	return own
}

// put copies them back.
func (c *columns) put(whole, own vulkan.Range) {
	dst, src := c.rows(whole, own)
	c.r.copyRows(rowCopy{dst, src, elementOf(whole) * c.part.rows, c.m})
}

// rowCopy is a planned copy.
type rowCopy struct {
	dst, src    vulkan.Rows
	bytes, rows int
}

func (r *recording) copyRows(c rowCopy) {
	r.planned = append(r.planned, dispatch{copy: &c, op: r.at})
}

// linearInParts runs a layer once for each part: over its rows of vectors and of the up-projection, where they are, and over
// columns of matrices.
func (r *recording) linearInParts(o *backend.Linear, w *weight) error {
	m, n := r.matrix(o.Y)
	for _, part := range w.parts {
		c := &columns{r: r, part: part, m: m, n: n, at: r.roundedX(o)}
		own := map[backend.Value]vulkan.Range{}
		for _, v := range given(o.Bias, o.UpBias, o.Up) {
			whole, width := r.e.places[v], r.elems(v)/n
			own[v] = vulkan.Range{Buffer: whole.Buffer, Offset: whole.Offset + 4*part.from*width, Size: 4 * pad(part.rows*width)}
		}
		for _, v := range given(o.Residual) {
			own[v] = c.take(r.e.places[v])
		}
		results := given(o.Y, o.DGELU)
		for _, v := range results {
			own[v] = c.room(m * part.rows)
		}
		err := r.linearOf(o, part, func(v backend.Value) vulkan.Range {
			if at, ok := own[v]; ok {
				return at
			}
			return r.e.places[v]
		})
		if err != nil {
			return err
		}
		for _, v := range results {
			c.put(r.e.places[v], own[v])
		}
	}
	return nil
}

// given are those of vs that there are.
func given(vs ...backend.Value) []backend.Value {
	return slices.DeleteFunc(vs, func(v backend.Value) bool { return v == backend.None })
}

// roundedX is how many elements of scratch memory a layer's x takes as int8.
func (r *recording) roundedX(o *backend.Linear) int {
	if m, k := r.matrix(o.X); o.Block > 0 && r.rounded[o.X] == 0 {
		return roundedWords(m, k, o.Block)
	}
	return 0
}

// linearScratch is the scratch memory that a layer needs.
func (r *recording) linearScratch(o *backend.Linear) int {
	need := r.roundedX(o)
	w, err := r.weight(o.W)
	if err != nil || len(w.parts) == 0 {
		return need // the layer will report the error
	}
	return backend.AlignParam(need) + len(given(o.Y, o.Residual, o.DGELU))*backend.AlignParam(r.rows(o.Y)*w.parts[0].rows)
}

// linearBackwardInParts adds up the gradients of the parts.
func (r *recording) linearBackwardInParts(o *backend.LinearBackward, w *weight) error {
	m, n := r.matrix(o.DY)
	sum := r.e.places[o.DX]
	for i, part := range w.parts {
		if o.Block > 0 && part.from%o.Block != 0 {
			return errors.WithMessagef(vulkan.ErrUnsupported, "int8 gradients in blocks of %d columns with a weight in parts of %d rows", o.Block, part.rows)
		}
		c := &columns{r: r, part: part, m: m, n: n, at: roundedDY(m, part.rows, o.Block)}
		dy, dx := c.take(r.e.places[o.DY]), sum
		if i > 0 {
			dx = c.room(m * w.cols)
		}
		if err := r.linearBackwardOf(o, part, dy, dx); err != nil {
			return err
		}
		if i > 0 {
			if err := r.threads("add", m*w.cols, push(m*w.cols, float32(1)), []vulkan.Range{sum, dx, sum}); err != nil {
				return err
			}
		}
	}
	return nil
}

// roundedDY is how many elements of scratch memory a gradient [m, n] takes as int8.
func roundedDY(m, n, block int) int {
	if block == 0 {
		return 0
	}
	return roundedWords(m, n, block)
}

// linearBackwardScratch is the scratch memory that a layer's gradient needs.
func (r *recording) linearBackwardScratch(o *backend.LinearBackward) int {
	m, n := r.matrix(o.DY)
	w, err := r.weight(o.W)
	if err != nil || len(w.parts) == 0 {
		return roundedDY(m, n, o.Block)
	}
	rows := w.parts[0].rows
	return backend.AlignParam(roundedDY(m, rows, o.Block)) + backend.AlignParam(m*rows) + m*w.cols
}
