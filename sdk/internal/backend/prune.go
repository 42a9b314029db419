package backend

import (
	"math"
	"slices"
)

// Prune drops the operators whose results neither the host nor another operator reads, and all that only led up to them:
// for callers that record a part of the network for some of its values. What writes a parameter stays.
func (r *Recorder) Prune() {
	if r.err != nil {
		return
	}
	live := make([]bool, len(r.p.values))
	for v := range live {
		live[v] = r.p.values[v].Output || r.p.values[v].Kind == Param
	}
	for i := len(r.p.ops) - 1; i >= 0; i-- {
		operands := r.p.ops[i].Operands()
		if !slices.ContainsFunc(operands, func(o Operand) bool { return o.Access&Write != 0 && live[o.Value] }) {
			r.p.ops[i] = nil
			continue
		}
		for _, o := range operands {
			if o.Access&Read != 0 {
				live[o.Value] = true
			}
		}
	}
	r.p.ops = slices.DeleteFunc(r.p.ops, func(op Op) bool { return op == nil })
}

// Footprint is the number of bytes that p's temporaries and inputs take, on a device without a limit to a piece of memory.
// Kernels add scratch memory of their own, small beside that of a network's activations.
func (p *Program) Footprint() (int64, error) {
	const unlimited = math.MaxInt / 8
	l, err := Plan(p, ParamAlign, unlimited)
	if err != nil {
		return 0, err
	}
	var elems int64
	for _, n := range l.Size {
		elems += int64(n)
	}
	for v := Value(1); int(v) <= p.Values(); v++ {
		if p.Info(v).Kind == Input {
			elems += int64(p.Shape(v).Elems())
		}
	}
	return 4 * elems, nil
}
