package cpu

import (
	"slices"

	"github.com/edgeadapt/edgeadapt/quant"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
)

// Regions of memory that the operators of an Executable share.
const (
	regionRound  = iota // what a linear rounds for itself
	regionNorm          // what LayerNorm left rounded
	regionHidden        // what attention or GELU left rounded
	regions
)

// rounded are the values that exist as int8 only: the operator that computes one rounds it while it is in the cache, and
// the linears that read it find it so. The float32 memory of such a value is no more than scratch.
type rounded map[backend.Value]*activations

// rounded finds those values, once for each Executable.
func (d *device) rounded(e *executable) rounded {
	if found, ok := e.State.(rounded); ok {
		return found
	}
	found := rounded{}
	if d.set.GemmInt8 != nil || d.set.GemmInt4 != nil {
		last := [regions]int{}
		for at, op := range e.Program().Ops() {
			v, region := producer(op)
			f, end := d.readers(e, v, at)
			// The region must be free again: what it held has been read.
			if f.block == 0 || last[region] > at || !d.roundable(e, op, f.block) {
				continue
			}
			last[region] = end
			m, k := matrix(e, v)
			found[v] = d.activations(e, region, m, k, f)
		}
	}
	e.State = found
	return found
}

// producer is the value that an operator could leave rounded, None for most.
func producer(op backend.Op) (v backend.Value, region int) {
	switch o := op.(type) {
	case *backend.LayerNorm:
		return o.Y, regionNorm
	case *backend.Attention:
		return o.O, regionHidden
	case *backend.Linear:
		if o.Epilogue == backend.EpiGELU {
			return o.Y, regionHidden
		}
	}
	return backend.None, 0
}

// roundable is whether the parts in which an operator computes its rows are whole blocks.
func (d *device) roundable(e *executable, op backend.Op, block int) bool {
	switch o := op.(type) {
	case *backend.LayerNorm:
		return true
	case *backend.Attention:
		_, n := matrix(e, o.O)
		return block == n/o.Heads.Count
	case *backend.Linear:
		return block%d.set.NR == 0 && groupWidth%block == 0
	}
	return false
}

// readers returns the format in which all readers of v want it, and the last of them; the zero format where they do not
// agree, or one wants float32.
func (d *device) readers(e *executable, v backend.Value, from int) (f format, last int) {
	if v == backend.None || e.Program().Info(v).Output || e.Program().Info(v).Kind != backend.Temp {
		return format{}, 0
	}
	for i, op := range e.Program().Ops()[from+1:] {
		touches := func(o backend.Operand) bool { return o.Value == v }
		if !slices.ContainsFunc(op.Operands(), touches) {
			continue
		}
		l, ok := op.(*backend.Linear)
		if !ok || l.X != v || l.Residual == v || l.Hidden == v {
			return format{}, 0
		}
		wanted := d.format(e, l)
		if wanted.block == 0 || f.block != 0 && wanted != f {
			return format{}, 0
		}
		f, last = wanted, from+1+i
	}
	return f, last
}

// roundPart rounds columns j to j+n of row r, which are whole blocks or the row's last ones.
func (d *device) roundPart(a *activations, r, j int, x []float32) {
	q, scale := a.parts()
	from, to := j/a.block, quant.ActivationBlocks(j+len(x), a.block)
	end := a.stride
	if j+len(x) < a.k {
		end = to * a.part
	}
	row := q[r*a.stride : r*a.stride+end][from*a.part:]
	scale = scale[r*a.blocks+from : r*a.blocks+to]
	if a.run > 0 {
		d.set.QuantizeTerms(row, scale, x, a.block, a.run)
	} else {
		a.product(d.set).Quantize(row, scale, x, a.block)
	}
}
