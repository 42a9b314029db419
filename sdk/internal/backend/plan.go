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
	Bytes  []int // by Value: what one in an arena takes, without what alignment adds
}

// Plan is PlanOf for values that are in memory as their types say.
func Plan(p *Program, align, limit int) (Layout, error) {
	return PlanOf(p, align, limit, func(v Value) int { return p.Shape(v).Elems() * p.Info(v).Type.Size() })
}

// PlanOf places p's temporaries, of so many bytes each, by liveness: two that live at the same time never overlap, others share memory. An
// output lives to the end of the Program. Offsets are multiples of align elements; no arena exceeds limit elements
// (a device's largest binding or allocation). Each goes to the lowest offset that is free over its whole life: the largest first, or
// those first that take most over their life, whichever takes less.
//
// It returns ErrOutOfMemory if one value alone exceeds the limit.
func PlanOf(p *Program, align, limit int, bytes func(Value) int) (best Layout, err error) {
	first, last := lifetimes(p)
	pl := planner{first: first, last: last, limit: limit, size: make([]int, p.Values()+1)}
	of, order := make([]int, p.Values()+1), []Value(nil)
	for v := Value(1); int(v) <= p.Values(); v++ {
		if p.Info(v).Kind != Temp || first[v] < 0 {
			continue
		}
		order = append(order, v)
		of[v] = bytes(v)
		pl.size[v] = ((of[v]+3)/4 + align - 1) / align * align
		if pl.size[v] > limit {
			return Layout{}, errors.WithMessagef(ErrOutOfMemory, "%s %v needs %d bytes in one piece, the device allows %d: use a smaller batch",
				p.Info(v).Name, p.Shape(v), 4*pl.size[v], 4*limit)
		}
	}
	for i, weight := range []func(Value) int{
		func(v Value) int { return pl.size[v] },
		func(v Value) int { return pl.size[v] * (last[v] - first[v] + 1) },
	} {
		slices.SortStableFunc(order, func(a, b Value) int { return weight(b) - weight(a) })
		if l := pl.place(order); i == 0 || l.elements() < best.elements() {
			best = l
		}
	}
	best.Bytes = of
	return best, nil
}

// elements is the size of all arenas.
func (l Layout) elements() (n int) {
	for _, size := range l.Size {
		n += size
	}
	return n
}

// planner is what one way of placing shares with another, by Value.
type planner struct {
	first, last []int
	size        []int // elements, with what alignment adds
	limit       int
}

// place puts values where they fit, one after the other.
func (pl planner) place(order []Value) Layout {
	l := Layout{Arena: make([]int, len(pl.size)), Offset: make([]int, len(pl.size))}
	for v := range l.Arena {
		l.Arena[v] = -1
	}
	var placed []Value
	for _, v := range order {
		for arena := 0; ; arena++ {
			if arena == len(l.Size) {
				l.Size = append(l.Size, 0)
			}
			if at := pl.lowestFree(placed, l, arena, v); at+pl.size[v] <= pl.limit {
				l.Arena[v], l.Offset[v] = arena, at
				l.Size[arena] = max(l.Size[arena], at+pl.size[v])
				break
			}
		}
		placed = append(placed, v)
	}
	return l
}

// lowestFree finds the lowest offset in an arena where v overlaps no placed value that is alive at the same time.
func (pl planner) lowestFree(placed []Value, l Layout, arena int, v Value) int {
	type span struct{ from, to int }
	var busy []span
	for _, w := range placed {
		if l.Arena[w] == arena && pl.first[w] <= pl.last[v] && pl.first[v] <= pl.last[w] {
			busy = append(busy, span{l.Offset[w], l.Offset[w] + pl.size[w]})
		}
	}
	slices.SortFunc(busy, func(a, b span) int { return a.from - b.from })
	at := 0
	for _, s := range busy {
		if s.from-at >= pl.size[v] {
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
