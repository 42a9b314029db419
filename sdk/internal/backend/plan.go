package backend

import (
	"slices"

	"github.com/pkg/errors"
)

// Layout says where a Program's temporaries live: offsets into one or more arenas, in elements of 32 bits.
type Layout struct {
	Arena  []int // by Value: which arena, -1 for inputs, parameters and values nobody touches
	Offset []int // by Value: first element
	Size   []int // by arena: elements
}

// Plan places p's temporaries by liveness: two that live at the same time never overlap, others share memory. An
// output lives to the end of the Program. Offsets are multiples of align elements; no arena exceeds limit elements
// (a device's largest binding or allocation). Largest first, each at the lowest offset that is free over its whole life.
//
// It returns ErrOutOfMemory if one value alone exceeds the limit.
func Plan(p *Program, align, limit int) (Layout, error) {
	first, last := lifetimes(p)
	n := p.Values() + 1
	l := Layout{Arena: make([]int, n), Offset: make([]int, n)}
	var order []Value
	for v := Value(1); int(v) < n; v++ {
		l.Arena[v] = -1
		if p.Info(v).Kind == Temp && first[v] >= 0 {
			order = append(order, v)
		}
	}
	size := func(v Value) int {
		n := (p.Shape(v).Elems()*p.Info(v).Type.Size() + 3) / 4
		return (n + align - 1) / align * align
	}
	slices.SortStableFunc(order, func(a, b Value) int { return size(b) - size(a) })
	var placed []Value
	for _, v := range order {
		if size(v) > limit {
			return Layout{}, errors.WithMessagef(ErrOutOfMemory, "%s %v needs %d bytes in one piece, the device allows %d: use a smaller batch",
				p.Info(v).Name, p.Shape(v), 4*size(v), 4*limit)
		}
		for arena := 0; ; arena++ {
			if arena == len(l.Size) {
				l.Size = append(l.Size, 0)
			}
			at := lowestFree(placed, l, arena, size, size(v), func(w Value) bool { return first[w] <= last[v] && first[v] <= last[w] })
			if at+size(v) <= limit {
				l.Arena[v], l.Offset[v] = arena, at
				l.Size[arena] = max(l.Size[arena], at+size(v))
				break
			}
		}
		placed = append(placed, v)
	}
	return l, nil
}

// lowestFree finds the lowest offset in an arena where need elements overlap no placed value that is alive at the same time.
func lowestFree(placed []Value, l Layout, arena int, size func(Value) int, need int, alive func(Value) bool) int {
	type span struct{ from, to int }
	var busy []span
	for _, w := range placed {
		if l.Arena[w] == arena && alive(w) {
			busy = append(busy, span{l.Offset[w], l.Offset[w] + size(w)})
		}
	}
	slices.SortFunc(busy, func(a, b span) int { return a.from - b.from })
	at := 0
	for _, s := range busy {
		if s.from-at >= need {
			break
		}
		at = max(at, s.to)
	}
	return at
}

// lifetimes gives, by value, the first and last operator that touches it; first is -1 where none does.
func lifetimes(p *Program) (first, last []int) {
	first, last = make([]int, p.Values()+1), make([]int, p.Values()+1)
	for v := range first {
		first[v] = -1
	}
	for i, op := range p.Ops() {
		for _, o := range op.Operands() {
			if first[o.Value] < 0 {
				first[o.Value] = i
			}
			last[o.Value] = i
		}
	}
	for v := Value(1); int(v) <= p.Values(); v++ {
		if p.Info(v).Output {
			last[v] = len(p.Ops())
		}
	}
	return first, last
}
