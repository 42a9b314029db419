//go:build linux && !android && cgo && !novulkan

package gpu

import (
	"github.com/edgeadapt/edgeadapt/quant"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/edgeadapt/edgeadapt/shaders"
	"github.com/edgeadapt/edgeadapt/vulkan"
	"github.com/pkg/errors"
)

// Specialisation constants of the int8 kernels.
const (
	blockID = 7 // words of 16 columns that share a scale, 0 for a whole row
	longID  = 8 // a row is longer than float32 sums of it are exact
)

// exactColumns is how many products of int8 a float32 sums exactly: those of 1024 columns stay below 2^24.
const exactColumns = 1024

// wordColumns is how many int8 a word of 128 bits holds.
const wordColumns = 16

// findRounded finds the values that exist as int8 only: the operator that computes one rounds it, and the layers that
// read it find it so.
func (r *recording) findRounded() {
	r.rounded = map[backend.Value]int{}
	p := r.e.p
	for at, op := range p.Ops() {
		v, offered := r.producer(op)
		if v == backend.None || p.Info(v).Output || p.Info(v).Kind != backend.Temp {
			continue
		}
		m, k := r.matrix(v)
		block := backend.Int8Readers(p, v, at)
		whole := block >= k
		if block == 0 || (offered == wholeRow) != whole || !whole && block != offered {
			continue
		}
		if words := roundedWords(m, k, block); words <= pad(m*k) {
			r.rounded[v] = words
		}
	}
}

// wholeRow stands for one scale a row.
const wholeRow = -1

// producer is the value that an operator could leave rounded, None for most, and the block of its scales.
func (r *recording) producer(op backend.Op) (v backend.Value, block int) {
	switch o := op.(type) {
	case *backend.LayerNorm:
		return o.Y, wholeRow
	case *backend.Linear:
		if o.Epilogue == backend.EpiGELU && o.Block > 0 && o.W.Rows()%panelRows == 0 && o.W.Rows() > panelRows {
			if w, err := r.weight(o.W); err == nil && len(w.parts) == 0 {
				return o.Y, panelRows
			}
		}
	case *backend.Attention: // a head a block, where one thread has all of it
		if h := r.headsOf(o.Heads, o.QKV); h.d == flashChannels {
			if _, ok, err := r.fused("attention_round", h.d, flashChannels); ok && err == nil {
				return o.O, h.d
			}
		}
	}
	return backend.None, 0
}

// roundedWords is the size of a matrix rounded to int8, in words of 32 bits: whole words of 128 bits a row, then the
// scales, whole vectors of four rows.
func roundedWords(m, k, block int) int {
	return m*ceil(k, wordColumns)*4 + quant.ActivationBlocks(k, block)*pad(m)
}

// blockWords is the value of blockID. It refuses blocks that are neither whole words nor whole rows, and those whose sums
// could leave float32.
func blockWords(k, block int) (uint32, error) {
	switch {
	case block >= k:
		return 0, nil
	case block%wordColumns != 0 || block > exactColumns:
		return 0, errors.Errorf("int8 activations in blocks of %d columns, expected a multiple of %d up to %d, or whole rows", block, wordColumns, exactColumns)
	}
	return uint32(block / wordColumns), nil
}

// int8Variant picks the form of a layer whose int8 operand has rows of k columns. wide is whether its float operands are
// whole vectors; blocks that the tiles cannot cut do without them.
func (r *recording) int8Variant(name string, w *weight, k, block int, wide, tiles bool) (variant, error) {
	words, err := blockWords(k, block)
	if err != nil {
		return variant{}, err
	}
	without := shaders.Feature(0)
	if !tiles {
		without |= shaders.SharedMemory
	}
	v, err := r.variantWithout(name+"_"+w.kernel()+"a8", wide, without)
	v.set(blockID, words)
	v.set(groupID, w.groupWords())
	v.set(longID, flag(words == 0 && k > exactColumns && w.groupWords() == 0))
	return v, err
}

// int8Tiles dispatches a layer with m rows and n columns of outputs, padded to whole panels: over groups where a group has
// rows x 16 threads' worth of rows and a panel, else over threads with their own rows and column quads.
func (r *recording) int8Tiles(v variant, m, n int, push []byte, bindings []vulkan.Range) error {
	if v.Needs&shaders.SharedMemory != 0 {
		return r.groups(v, ceil(n, panelRows)*ceil(m, int(v.spec[0]*v.spec[1])/16), push, bindings)
	}
	return r.over(v, v.tiles(m, v.quads(n)), push, bindings)
}

// tileColumns is how many columns of the int8 operand the kernels with tiles in shared memory take at a time.
const tileColumns = 64

// linearInt8 records a layer over int8 activations: those that x already is, or those that x is rounded to first.
func (r *recording) linearInt8(o *backend.Linear, w *weight, name string, wide bool, constants []byte, own []vulkan.Range) error {
	if !w.scheme.Integers() {
		return errors.Errorf("int8 activations with a weight of scheme %s, expected integers", w.scheme)
	}
	m, k := r.matrix(o.X)
	if r.rounded[o.Y] > 0 {
		name += "_round"
	}
	cuts := o.Block >= k || tileColumns%o.Block == 0 || o.Block%tileColumns == 0
	v, err := r.int8Variant(name, w, k, o.Block, wide, cuts)
	if err != nil {
		return err
	}
	v.set(halfID, r.half(o.Y))
	if v.Needs&shaders.SharedMemory != 0 {
		v.set(wideID, flag(wide && k%tileColumns == 0))
	}
	if lanes := v.value(lanesID, 0); lanes != 0 && r.rounded[o.Y] > 0 {
		v.set(columnQuads, uint32(panelRows/4/lanes)) // a group has a block of columns
	}
	x := r.values(o.X)[0]
	if r.rounded[o.X] == 0 {
		if x, err = r.quantize("quantize", m, k, o.Block, push(m, k), x); err != nil {
			return err
		}
	}
	return r.int8Tiles(v, m, v.columns(w.rows), constants, append([]vulkan.Range{x, w.whole()}, own...))
}

// linearBackwardInt8 records the gradient from dy rounded to int8, with the scales of W's rows in it.
func (r *recording) linearBackwardInt8(o *backend.LinearBackward, w *weight, name string, dy vulkan.Range, own []vulkan.Range) error {
	if w.scheme != quant.Q8C {
		return errors.Errorf("int8 gradients with a weight of scheme %s, expected %s", w.scheme, quant.Q8C)
	}
	m, n := r.rows(o.DY), w.rows
	v, err := r.int8Variant(name, w, n, o.Block, w.cols%4 == 0, o.Block >= n || o.Block%tileColumns == 0)
	if err != nil {
		return err
	}
	if v.Needs&shaders.SharedMemory != 0 {
		v.set(wideID, flag(n%tileColumns == 0 && w.cols%tileColumns == 0))
	}
	words := ceil(n, panelRows) * panelRows * ceil(w.cols, wordColumns) // those of W before its scales
	dy, err = r.quantize("quantize_bwd_x", m, n, o.Block, push(m, n, words), dy, w.whole())
	if err != nil {
		return err
	}
	cols := ceil(w.cols, wordColumns) * wordColumns
	if v.value(lanesID, 0) != 0 {
		cols = v.columns(cols)
	}
	return r.int8Tiles(v, m, cols, push(m, n, w.cols), append([]vulkan.Range{dy, w.whole()}, own...))
}

// quantize rounds a matrix [m, k], the first of the kernel's bindings, into the scratch memory.
func (r *recording) quantize(name string, m, k, block int, push []byte, bindings ...vulkan.Range) (vulkan.Range, error) {
	words, err := blockWords(k, block)
	if err != nil {
		return vulkan.Range{}, err
	}
	v, err := r.variant(name, k%4 == 0)
	if err != nil {
		return vulkan.Range{}, err
	}
	v.set(blockID, words)
	out := r.partial(roundedWords(m, k, block))
	blocks := quant.ActivationBlocks(k, block)
	bindings = append(bindings, out)
	if lanes := v.value(lanesID, 0); lanes != 0 { // a group has a block of as many rows
		return out, r.groups(v, ceil(m, lanes)*blocks, push, bindings)
	}
	return out, r.over(v, m*blocks*int(v.spec[1]), push, bindings)
}
