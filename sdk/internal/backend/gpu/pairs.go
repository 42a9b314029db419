//go:build linux && !android && cgo && !novulkan

package gpu

import (
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/edgeadapt/edgeadapt/vulkan"
)

// pairs is an attention as products of plain matrices: see shaders/src/include/pairs.glsl.
type pairs struct {
	word    string // "attention" or "windowattention", before the kernels' names
	most    int    // channels of a head that a fused kernel takes
	n, size int    // pairs of an image (or a window) and a head; tokens (or places) of each
	d       int
	numbers int    // elements of lse
	args    []byte // push constants before those of the chunk
	flags   map[uint32]uint32
}

// scoresLimit bounds the matrices that are in memory at a time, in elements of each kind.
const scoresLimit = 8 << 20

func (p pairs) stride() int { return pad(p.size) }

// each is the number of elements of one pair's matrix.
func (p pairs) each() int { return p.size * p.stride() }

// chunk is how many pairs are in memory at a time.
func (p pairs) chunk() int { return min(p.n, max(1, scoresLimit/p.each())) }

// scratch is what matrices for one chunk take, nothing where a fused kernel needs none: one for the forward pass, two for
// the gradient.
func (p pairs) scratch(r *recording, matrices int) int {
	name := p.word
	if matrices == 2 {
		name += "_bwd_dq"
	}
	if _, ok, err := r.fused(name, p.d, p.most); ok || err != nil { // the error comes again when the operator is recorded
		return 0
	}
	need := matrices * backend.AlignParam(p.chunk()*p.each())
	if matrices == 2 {
		need += p.numbers
	}
	return need
}

// matrix is matrix i of the scratch memory.
func (r *recording) scoresOf(p pairs, i int) vulkan.Range {
	return r.partialAt(i*backend.AlignParam(p.chunk()*p.each()), p.chunk()*p.each())
}

// chunks calls f for the pairs [first, first+count) of each chunk.
func (p pairs) chunks(f func(first, count int) error) error {
	for first := 0; first < p.n; first += p.chunk() {
		if err := f(first, min(p.chunk(), p.n-first)); err != nil {
			return err
		}
	}
	return nil
}

// product dispatches one kernel over a chunk: 4x4 numbers a thread, of rows of columns each; with none a group a row.
func (r *recording) product(p pairs, kernel string, first, count, columns int, bindings ...vulkan.Range) error {
	v, err := r.variant(p.word+"_"+kernel, p.d%4 == 0)
	if err != nil {
		return err
	}
	for id, value := range p.flags {
		v.set(id, value)
	}
	args := append(append([]byte(nil), p.args...), push(first, count, p.stride())...)
	if columns == 0 {
		return r.groups(v, count*p.size, args, bindings)
	}
	return r.over(v, count*ceil(p.size, 4)*ceil(columns, 4), args, bindings)
}

// pairsForward: extra are the operands that only windows have, the table and the vector of padding, or nil.
func (r *recording) pairsForward(p pairs, qkv, lse, o vulkan.Range, extra []vulkan.Range) error {
	return p.chunks(func(first, count int) error {
		if err := r.probabilities(p, first, count, qkv, lse, extra); err != nil {
			return err
		}
		return r.product(p, "values", first, count, p.d, append([]vulkan.Range{r.scoresOf(p, 0), qkv, o}, padOf(extra)...)...)
	})
}

// probabilities leaves softmax(q kt) in matrix 0, and writes lse.
func (r *recording) probabilities(p pairs, first, count int, qkv, lse vulkan.Range, extra []vulkan.Range) error {
	s := r.scoresOf(p, 0)
	if err := r.product(p, "scores", first, count, p.size, append([]vulkan.Range{qkv, s}, padOf(extra)...)...); err != nil {
		return err
	}
	return r.product(p, "softmax", first, count, 0, append([]vulkan.Range{s, lse}, tableOf(extra)...)...)
}

// tableOf and padOf are the operands of windows, where there are any.
func tableOf(extra []vulkan.Range) []vulkan.Range { return extra[:min(1, len(extra))] }
func padOf(extra []vulkan.Range) []vulkan.Range   { return extra[min(1, len(extra)):] }

// pairsBackward computes the probabilities anew as pairsForward did, and from them the three gradients.
func (r *recording) pairsBackward(p pairs, qkv vulkan.Range, g gradient, extra []vulkan.Range) error {
	s, ds, padding := r.scoresOf(p, 0), r.scoresOf(p, 1), padOf(extra)
	return p.chunks(func(first, count int) error {
		if err := r.probabilities(p, first, count, qkv, r.scratchNumbers(p), extra); err != nil {
			return err
		}
		for _, k := range []struct {
			kernel   string
			columns  int
			bindings []vulkan.Range
		}{
			{"grad", p.size, append([]vulkan.Range{qkv, g.do, g.delta, s, ds}, padding...)},
			{"dq", p.d, append([]vulkan.Range{ds, qkv, g.dqkv}, padding...)},
			{"dk", p.d, append([]vulkan.Range{ds, qkv, g.dqkv}, padding...)},
			{"dv", p.d, []vulkan.Range{s, g.do, g.dqkv}},
		} {
			if err := r.product(p, k.kernel, first, count, k.columns, k.bindings...); err != nil {
				return err
			}
		}
		return nil
	})
}

// scratchNumbers is where the gradient's softmax leaves its log-sum-exp, which nobody reads.
func (r *recording) scratchNumbers(p pairs) vulkan.Range {
	return r.partialAt(2*backend.AlignParam(p.chunk()*p.each()), p.numbers)
}
