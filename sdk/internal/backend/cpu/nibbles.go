package cpu

import (
	"encoding/binary"
	"sync"

	"github.com/edgeadapt/edgeadapt/quant"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend/cpu/simd"
)

// nibbles are the int4 elements of a weight in panels as simd.Set.GemmInt4 takes them, four bits each in memory too.
// Rows beyond the matrix have scales of 0.
type nibbles struct {
	octets int // of a row
	group  int // columns with a scale
	groups int
	q      []uint8  // [panel][octet][row][4]
	scale  []uint16 // of groups, as halves: [panel][group][row]

	mu   sync.Mutex
	runs map[int][]uint16 // scales of runs shorter than a group
}

func packNibbles(w *weight, m quant.Matrix) *nibbles {
	const columns = simd.Int4Columns
	n := &nibbles{octets: pieces(m.Cols, simd.Octet), group: m.Scheme.Group(), groups: m.Groups()}
	panels := pieces(m.Rows, columns)
	n.q, n.scale = make([]uint8, panels*columns*n.octets*4), make([]uint16, panels*columns*n.groups)
	for r := range m.Rows {
		p, j := r/columns, r%columns
		for o, word := range m.Int4[r*m.Words() : (r+1)*m.Words()] {
			binary.LittleEndian.PutUint32(n.q[((p*n.octets+o)*columns+j)*4:], spread(word&0xffff)|spread(word>>16)<<4)
		}
		for g, h := range m.GroupScale[r*n.groups : (r+1)*n.groups] {
			n.scale[(p*n.groups+g)*columns+j] = h
		}
	}
	return n
}

// spread puts four nibbles into the low halves of four bytes.
func spread(x uint32) uint32 {
	x = (x | x<<8) & 0x00ff00ff
	return (x | x<<4) & 0x0f0f0f0f
}

// at is one element times its group's scale.
func (n *nibbles) at(row, col int) float32 {
	const columns = simd.Int4Columns
	p, j := row/columns, row%columns
	b := n.q[((p*n.octets+col/simd.Octet)*columns+j)*4+col%4]
	q := int32(b>>(col%simd.Octet/4*4)&15) - 8
	return float32(q) * quant.FromF16(n.scale[(p*n.groups+col/n.group)*columns+j])
}

// runScales are the scales of runs of so many columns, a divisor of group.
func (n *nibbles) runScales(run, cols int) []uint16 {
	if run == n.group {
		return n.scale
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if s := n.runs[run]; s != nil {
		return s
	}
	const columns = simd.Int4Columns
	runs := pieces(cols, run)
	s := make([]uint16, len(n.scale)/n.groups*runs)
	for i := range len(s) / columns {
		from := i/runs*n.groups + i%runs*run/n.group
		copy(s[i*columns:], n.scale[from*columns:(from+1)*columns])
	}
	if n.runs == nil {
		n.runs = map[int][]uint16{}
	}
	n.runs[run] = s
	return s
}

// widenNibbles is weight.widen for int4. Sets whose panels are no multiple of int4's gather element by element.
func (w *weight) widenNibbles(set *simd.Set, by *worker, dst []float32, p, c, n int) {
	const columns = simd.Int4Columns
	nr := set.NR
	if nr%columns == 0 && c%simd.Octet == 0 {
		for j := 0; j < nr; j += columns {
			w.widenOctets(set, by, dst[j:], p*nr/columns+j/columns, c, n)
		}
		return
	}
	for r := range nr {
		row := p*nr + r
		for i := range n {
			v := float32(0)
			if row < w.rows {
				v = w.nibbles.at(row, c+i) * w.scale[row]
			}
			dst[i*nr+r] = v
		}
	}
}

// widenOctets widens whole octets of panel p of int4 into rows of NR elements, a group of columns at a time; panels beyond
// the matrix are zero.
func (w *weight) widenOctets(set *simd.Set, by *worker, dst []float32, p, c, n int) {
	const columns = simd.Int4Columns
	q, nr := w.nibbles, set.NR
	for from := c; from < c+n; {
		g := from / q.group
		to, scale := min((g+1)*q.group, c+n), by.scales[:]
		octets := pieces(to-from, simd.Octet)
		var src []uint8
		if p*columns < w.rows {
			at := (p*q.octets + from/simd.Octet) * columns * 4
			src = q.q[at : at+octets*columns*4]
			for j, h := range q.scale[(p*q.groups+g)*columns:][:columns] {
				scale[j] = quant.FromF16(h) * w.scale[p*columns+j]
			}
		}
		part := dst[(from-c)*nr:]
		switch {
		case src == nil:
			for i := range octets * simd.Octet {
				clear(part[i*nr:][:columns])
			}
		case set.WidenInt4 != nil:
			set.WidenInt4(part[:octets*simd.Octet*columns], src, scale)
		default:
			widenPanel(part, nr, src, scale)
		}
		from = to
	}
}

// widenPanel is simd.Set.WidenInt4 for rows nr elements apart.
func widenPanel(dst []float32, nr int, src []uint8, scale []float32) {
	for ; len(src) > 0; src = src[4*simd.Int4Columns:] {
		for j, s := range scale {
			for b, v := range src[4*j : 4*j+4] {
				dst[b*nr+j] = float32(int32(v&15)-8) * s
				dst[(b+4)*nr+j] = float32(int32(v>>4)-8) * s
			}
		}
		dst = dst[min(simd.Octet*nr, len(dst)):]
	}
}
