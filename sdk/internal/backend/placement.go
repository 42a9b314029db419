package backend

// Placer is a Backend that tells where it would put a Program's temporaries.
type Placer interface {
	// Place is the Layout that Compile makes, and the most bytes that one piece of memory may have, 0 where any number will do.
	Place(p *Program) (l Layout, limit int64, err error)
}

// Placement is a value's memory in a compiled Program.
type Placement struct {
	Value       Value
	Arena       int   // -1: memory of its own
	Offset      int64 // bytes
	Bytes       int64 // without what alignment adds
	Type        string
	First, Last int // operators that touch it, from the first on; an output lives to the number of operators
}

// Placements lists the inputs and temporaries of p that any operator touches, by number.
func Placements(p *Program, l Layout) []Placement {
	first, last := lifetimes(p)
	var out []Placement
	for v := Value(1); int(v) <= p.Values(); v++ {
		info := p.Info(v)
		if info.Kind == Param || first[v] < 0 {
			continue
		}
		at := Placement{Value: v, Arena: l.Arena[v], Offset: 4 * int64(l.Offset[v]), Bytes: int64(l.Bytes[v]), First: first[v], Last: last[v], Type: info.Type.String()}
		if info.Kind == Input { // the host may write it at any time
			at.First, at.Last, at.Bytes = 0, len(p.Ops()), int64(info.Shape.Elems()*info.Type.Size())
		}
		if at.Bytes < int64(info.Shape.Elems()*info.Type.Size()) {
			at.Type = "int8" // with its scales: a layer rounds what it reads, and the device leaves it so from the start
		}
		out = append(out, at)
	}
	return out
}

// PeakBytes is the most that temporaries alive at one operator take together, and that operator: what no plan goes below.
func PeakBytes(p *Program, l Layout) (bytes int64, op int) {
	live := make([]int64, len(p.Ops())+1)
	for _, at := range Placements(p, l) {
		for i := at.First; at.Arena >= 0 && i <= at.Last; i++ {
			live[i] += at.Bytes
		}
	}
	for i, n := range live {
		if n > bytes {
			bytes, op = n, i
		}
	}
	return bytes, op
}
