package simd

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/edgeadapt/edgeadapt/quant"
)

// product4 is a case of GemmInt4 in plain integers, with its operands as the sets want them.
type product4 struct {
	m, octets, run, runs int
	x, q                 []int8 // [m, k], [Int4Columns, k]
	a, w                 []uint8
	as                   int
	scale                []float32 // [m, blocks]
	groups               []uint16
	columns, bias        []float32
}

func (p product4) k() int      { return p.octets * Octet }
func (p product4) pieces() int { return pieces(p.octets, p.run) }
func (p product4) blocks() int { return pieces(p.pieces(), p.runs) }

func newProduct4(r *rand.Rand, m, octets, run, runs int, draw func() int8, nibble func() int8) product4 {
	p := product4{m: m, octets: octets, run: run, runs: runs}
	k := p.k()
	size := TermsBytes(k, run*Octet)
	p.x, p.q, p.as = make([]int8, m*k), make([]int8, Int4Columns*k), size+3
	p.a, p.w = make([]uint8, (m-1)*p.as+size), make([]uint8, Int4Columns*k/2)
	for i := range p.x {
		p.x[i] = draw()
	}
	for i := range m {
		encodeTerms(p.a[i*p.as:][:size], p.x[i*k:(i+1)*k], run*Octet)
	}
	for i := range p.q {
		p.q[i] = nibble()
		column, row := i/k, i%k
		p.w[(row/Octet*Int4Columns+column)*4+row%4] |= uint8(p.q[i]+8) << (row % Octet / 4 * 4)
	}
	p.scale, p.groups = make([]float32, m*p.blocks()), make([]uint16, p.pieces()*Int4Columns)
	for i := range p.groups {
		p.groups[i] = quant.ToF16(float32(r.NormFloat64()))
	}
	p.columns, p.bias = make([]float32, Int4Columns), make([]float32, Int4Columns)
	for _, x := range [][]float32{p.scale, p.columns, p.bias} {
		fill(r, x)
	}
	return p
}

// encodeTerms is what QuantizeTerms makes of integers.
func encodeTerms(q []uint8, x []int8, run int) {
	clear(q)
	for len(x) > 0 {
		n, sum := min(run, len(x)), int32(0)
		for i, v := range x[:n] {
			q[4+i] = uint8(v)
			sum += int32(v)
		}
		binary.LittleEndian.PutUint32(q, uint32(-8*sum))
		q, x = q[TermsBytes(n, run):], x[n:]
	}
}

func (p product4) sum(i, j, run int) (sum int32) {
	for l := run * p.run * Octet; l < min((run+1)*p.run*Octet, p.k()); l++ {
		sum += int32(p.x[i*p.k()+l]) * int32(p.q[j*p.k()+l])
	}
	return sum
}

func (p product4) run4(s *Set, c []float32, cs int) {
	s.GemmInt4(p.m, p.octets, p.run, p.runs, p.a, p.as, p.scale, p.blocks(), p.w, p.groups, p.columns, p.bias, c, cs)
}

// check holds the scaled sums to float64, to one unit in the last place for each run.
func (p product4) check(t *testing.T, s *Set, c []float32, cs int) {
	t.Helper()
	for i := range p.m {
		for j := range Int4Columns {
			want, magnitude := 0.0, 0.0
			for r := range p.pieces() {
				v := float64(p.sum(i, j, r)) * float64(p.scale[i*p.blocks()+r/p.runs]) * float64(quant.FromF16(p.groups[r*Int4Columns+j]))
				want, magnitude = want+v, magnitude+math.Abs(v)
			}
			scale, bias := float64(p.columns[j]), float64(p.bias[j])
			want, magnitude = want*scale+bias, magnitude*math.Abs(scale)+math.Abs(bias)
			if d := math.Abs(float64(c[i*cs+j]) - want); d > magnitude*0x1p-23*float64(p.pieces()+2) {
				t.Fatalf("%s: m %d octets %d run %d [%d, %d]: got %v, expected %v", s.Name, p.m, p.octets, p.run, i, j, c[i*cs+j], want)
			}
		}
	}
}

// checkSums holds the integers of each run to those of plain Go, in two halves that float32 has room for: the term in
// front of a run takes the high part away.
func (p product4) checkSums(t *testing.T, s *Set) {
	t.Helper()
	for run := range p.pieces() {
		for j := range Int4Columns {
			one := p
			one.m, one.runs, one.scale = 1, 1, make([]float32, p.pieces())
			one.scale[run], one.groups = 1, make([]uint16, len(p.groups))
			one.columns, one.bias, one.a = make([]float32, Int4Columns), make([]float32, Int4Columns), bytes.Clone(p.a)
			one.columns[j], one.groups[run*Int4Columns+j] = 1, quant.ToF16(1)
			want := p.sum(0, j, run)
			for _, part := range []int32{-1, 0xff} {
				term := one.a[TermsBytes(run*p.run*Octet, p.run*Octet):]
				binary.LittleEndian.PutUint32(term, binary.LittleEndian.Uint32(term)-uint32(want&^part))
				c := make([]float32, Int4Columns)
				one.run4(s, c, Int4Columns)
				if c[j] != float32(want&part) {
					t.Fatalf("%s: sum %d of run %d: got %v, expected %d", s.Name, j, run, c[j], want&part)
				}
			}
		}
	}
}

func anyInt4(r *rand.Rand) func() int8 { return func() int8 { return int8(r.IntN(16) - 8) } }

func forEachInt4Set(t *testing.T, f func(t *testing.T, s *Set)) {
	forEachSet(t, func(t *testing.T, s *Set) {
		if s.GemmInt4 == nil {
			t.Skip("the set has no int4 product")
		}
		f(t, s)
	})
}

func TestGemmInt4(t *testing.T) {
	forEachInt4Set(t, func(t *testing.T, s *Set) {
		r := rand.New(rand.NewPCG(21, 22))
		for m := 1; m <= Int4Rows; m++ {
			for _, c := range [][3]int{{1, 1, 1}, {1, 8, 9}, {2, 1, 1}, {7, 2, 2}, {8, 8, 1}, {9, 4, 2}, {25, 8, 1 << 20}, {48, 8, 6}, {33, 16, 1}} {
				p := newProduct4(r, m, c[0], c[1], c[2], anyInt8(r), anyInt4(r))
				cs := Int4Columns + 3
				out, intact := guarded(r, (m-1)*cs+Int4Columns)
				before := append([]float32(nil), out...)
				p.run4(s, out, cs)
				p.check(t, s, out, cs)
				for i := range m - 1 {
					for j := Int4Columns; j < cs; j++ {
						if out[i*cs+j] != before[i*cs+j] {
							t.Fatal("wrote between the rows")
						}
					}
				}
				if !intact() {
					t.Fatal("wrote outside of c")
				}
				alone := p // a row alone has the same bits
				alone.m, alone.a, alone.scale = 1, p.a[(m-1)*p.as:], p.scale[(m-1)*p.blocks():]
				last := make([]float32, Int4Columns)
				alone.run4(s, last, Int4Columns)
				sameBits(t, "last row alone", last, out[(m-1)*cs:(m-1)*cs+Int4Columns])
			}
		}
	})
}

// TestGemmInt4Sums: the integers are exact at the ends of both ranges, where sums of pairs fill int16.
func TestGemmInt4Sums(t *testing.T) {
	forEachInt4Set(t, func(t *testing.T, s *Set) {
		r := rand.New(rand.NewPCG(23, 24))
		always := func(v int8) func() int8 { return func() int8 { return v } }
		for name, draw := range map[string][2]func() int8{
			"any":      {anyInt8(r), anyInt4(r)},
			"high":     {always(127), always(7)},
			"low":      {always(-127), always(7)},
			"high low": {always(127), always(-8)},
			"low low":  {always(-127), always(-8)},
			"extreme":  {func() int8 { return int8(r.IntN(2)*254 - 127) }, func() int8 { return int8(r.IntN(2)*15 - 8) }},
		} {
			t.Run(name, func(t *testing.T) {
				newProduct4(r, 1, 33, 16, 1, draw[0], draw[1]).checkSums(t, s)
			})
		}
	})
}

// TestGemmInt4Rejects: one wrong nibble or byte, or a scale on its neighbour, changes the result.
func TestGemmInt4Rejects(t *testing.T) {
	forEachInt4Set(t, func(t *testing.T, s *Set) {
		r := rand.New(rand.NewPCG(25, 26))
		p := newProduct4(r, 2, 16, 4, 2, anyInt8(r), anyInt4(r))
		right := make([]float32, 2*Int4Columns)
		p.run4(s, right, Int4Columns)
		for what, change := range map[string]func(){
			"activation":  func() { p.a[p.as+77] ^= 1 },
			"term":        func() { p.a[p.as] ^= 8 },
			"low nibble":  func() { p.w[5] ^= 1 },
			"high nibble": func() { p.w[70] ^= 0x10 },
			"scales":      func() { p.scale[0], p.scale[1] = p.scale[1], p.scale[0] },
			"groups":      func() { p.groups[3], p.groups[Int4Columns+3] = p.groups[Int4Columns+3], p.groups[3] },
			"bias":        func() { p.bias[1]++ },
			"column":      func() { p.columns[2] *= 2 },
		} {
			change()
			wrong := make([]float32, 2*Int4Columns)
			p.run4(s, wrong, Int4Columns)
			same := true
			for i := range wrong {
				same = same && wrong[i] == right[i]
			}
			if same {
				t.Errorf("a changed %s went unnoticed", what)
			}
			copy(right, wrong)
		}
	})
}

func BenchmarkGemmInt4(b *testing.B) {
	for _, s := range All() {
		if s.GemmInt4 == nil {
			continue
		}
		b.Run(fmt.Sprintf("%s/run=64", s.Name), func(b *testing.B) {
			r := rand.New(rand.NewPCG(1, 1))
			p, c := newProduct4(r, Int4Rows, 48, 8, 6, anyInt8(r), anyInt4(r)), make([]float32, Int4Rows*Int4Columns)
			for b.Loop() {
				p.run4(s, c, Int4Columns)
			}
			b.ReportMetric(float64(2*Int4Rows*Int4Columns*p.k())*float64(b.N)/b.Elapsed().Seconds()/1e9, "GOP/s")
		})
	}
}
