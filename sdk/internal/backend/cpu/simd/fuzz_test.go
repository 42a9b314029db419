//go:build unix

package simd

import (
	"bytes"
	"math"
	"math/rand/v2"
	"runtime/debug"
	"testing"
	"unsafe"

	"github.com/edgeadapt/edgeadapt/quant"
)

// The targets run every set on operands between pages without access, of any size and with either end at a page. Their
// seeds are ordinary tests.

// copied is fenced memory with the elements of x.
func copied[T any](t testing.TB, x []T, atEnd bool) []T {
	y := fenced[T](t, len(x), atEnd)
	copy(y, x)
	return y
}

func TestFence(t *testing.T) {
	for _, atEnd := range []bool{false, true} {
		s := fenced[float32](t, 5, atEnd)
		fill(rand.New(rand.NewPCG(1, 1)), s)
		past := unsafe.Pointer(unsafe.SliceData(s))
		if atEnd {
			past = unsafe.Add(past, 4*len(s))
		} else {
			past = unsafe.Add(past, -4)
		}
		if !faults(func() { portable().Scale(unsafe.Slice((*float32)(past), 1), 2) }) {
			t.Errorf("at end %v: the element beyond can be reached", atEnd)
		}
	}
}

// faults tells whether f touches memory without access.
func faults(f func()) (fault bool) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() { fault = recover() != nil }()
	f()
	return false
}

func FuzzRows(f *testing.F) {
	for i, n := range lengths {
		f.Add(uint64(i), uint16(n), i%2 == 0)
		f.Add(uint64(i), uint16(n), i%2 == 1)
	}
	f.Fuzz(func(t *testing.T, seed uint64, length uint16, atEnd bool) {
		n := 1 + int(length-1)%4096
		for _, s := range All() {
			for _, c := range rowCases {
				r, x := rand.New(rand.NewPCG(seed, uint64(n))), make([][]float32, rowArrays)
				for i := range x {
					x[i] = fenced[float32](t, n, atEnd)
					fill(r, x[i])
				}
				checkRow(t, s, c, x)
			}
		}
	})
}

func FuzzGemm(f *testing.F) {
	for i, k := range []int{0, 1, 2, 7, 31, 96} {
		f.Add(uint64(i), uint8(i), uint16(k), i%3 == 0, i%2 == 0, i%2 == 1)
		f.Add(uint64(i), uint8(7*i), uint16(k), i%3 == 1, i%2 == 1, i%3 == 0)
	}
	f.Fuzz(func(t *testing.T, seed uint64, rows uint8, depth uint16, transposed, accumulate, atEnd bool) {
		for _, s := range All() {
			r := rand.New(rand.NewPCG(seed, uint64(depth)))
			m, k := 1+int(rows)%(3*s.MR), int(depth)%1024
			ars, aks := k+r.IntN(4), 1
			if transposed {
				ars, aks = 1, m+r.IntN(4)
			}
			bs, cs := s.NR+r.IntN(4), s.NR+r.IntN(4)
			reach := 0 // without terms there are no operands
			if k > 0 {
				reach = 1
			}
			a := fenced[float32](t, reach*((m-1)*ars+(k-1)*aks+1), atEnd)
			b := fenced[float32](t, reach*((k-1)*bs+s.NR), atEnd)
			c := fenced[float32](t, (m-1)*cs+s.NR, atEnd)
			for _, x := range [][]float32{a, b, c} {
				fill(r, x)
			}
			start := append([]float32(nil), c...)
			s.Gemm(m, k, a, ars, aks, b, bs, c, cs, accumulate)
			for i := range m {
				for j := range s.NR {
					sum, magnitude := gemm64(i, j, k, a, ars, aks, b, bs)
					if accumulate {
						before := float64(start[i*cs+j])
						sum, magnitude = sum+before, magnitude+math.Abs(before)
					}
					if d := math.Abs(float64(c[i*cs+j]) - sum); d > 0x1p-24*(1+math.Sqrt(float64(k)))*magnitude {
						t.Fatalf("%s: m %d k %d [%d, %d]: got %v, expected %v", s.Name, m, k, i, j, c[i*cs+j], sum)
					}
				}
			}
		}
	})
}

func FuzzGemmInt8(f *testing.F) {
	for i, groups := range []int{1, 2, 3, 7, 16, 33} {
		f.Add(uint64(i), uint8(i), uint8(groups), uint8(1), i%2 == 0)
		f.Add(uint64(i), uint8(5*i), uint8(groups), uint8(16), i%2 == 1)
		f.Add(uint64(i), uint8(7*i), uint8(groups), uint8(255), i%2 == 0)
	}
	f.Fuzz(func(t *testing.T, seed uint64, rows, groups, block uint8, atEnd bool) {
		for _, s := range int8Products() {
			r := rand.New(rand.NewPCG(seed, uint64(rows)))
			p := newProduct(r, s, 1+int(rows)%(3*s.MR), 1+int(groups), 1+int(block), anyInt8(r))
			p.a, p.b, p.start = copied(t, p.a, atEnd), copied(t, p.b, atEnd), copied(t, p.start, atEnd)
			p.scale, p.columns, p.bias = copied(t, p.scale, atEnd), copied(t, p.columns, atEnd), copied(t, p.bias, atEnd)
			cs := s.NR + r.IntN(4)
			c := fenced[float32](t, (p.m-1)*cs+s.NR, atEnd)
			fill(r, c)
			p.run(s, c, cs)
			p.check(t, s, c, cs)
			checkSums(t, s, p)
		}
	})
}

// checkSums holds the integers of the first row to those of plain Go, in two halves that float32 has room for.
func checkSums(t *testing.T, s *Set, p product) {
	t.Helper()
	blocks := pieces(p.groups, p.block)
	for block := range blocks {
		one := p
		one.m, one.scale = 1, make([]float32, blocks)
		one.scale[block] = 1
		one.columns, one.bias, one.start = make([]float32, s.NR), make([]float32, s.NR), append([]int32(nil), p.start...)
		for j := range s.NR {
			one.columns[j] = 1
		}
		for _, part := range []int32{-1, 0xff} {
			for j := range s.NR {
				one.start[block*s.NR+j] -= p.sum(s, 0, j, block) &^ part
			}
			c := make([]float32, s.NR)
			one.run(s, c, s.NR)
			for j := range s.NR {
				if want := p.sum(s, 0, j, block) & part; c[j] != float32(want) {
					t.Fatalf("%s: sum %d of block %d: got %v, expected %d", s.Name, j, block, c[j], want)
				}
			}
		}
	}
}

func FuzzGemmInt4(f *testing.F) {
	for i, octets := range []int{1, 2, 3, 7, 16, 33} {
		f.Add(uint64(i), uint8(i), uint8(octets), uint8(1), uint8(1), i%2 == 0)
		f.Add(uint64(i), uint8(5*i), uint8(octets), uint8(8), uint8(i), i%2 == 1)
		f.Add(uint64(i), uint8(7*i), uint8(octets), uint8(255), uint8(3), i%2 == 0)
	}
	f.Fuzz(func(t *testing.T, seed uint64, rows, octets, run, runs uint8, atEnd bool) {
		for _, s := range All() {
			if s.GemmInt4 == nil {
				continue
			}
			r := rand.New(rand.NewPCG(seed, uint64(rows)))
			p := newProduct4(r, 1+int(rows)%Int4Rows, 1+int(octets)%64, 1+int(run), 1+int(runs), anyInt8(r), anyInt4(r))
			p.a, p.w, p.groups = copied(t, p.a, atEnd), copied(t, p.w, atEnd), copied(t, p.groups, atEnd)
			p.scale, p.columns, p.bias = copied(t, p.scale, atEnd), copied(t, p.columns, atEnd), copied(t, p.bias, atEnd)
			cs := Int4Columns + r.IntN(4)
			c := fenced[float32](t, (p.m-1)*cs+Int4Columns, atEnd)
			fill(r, c)
			p.run4(s, c, cs)
			p.check(t, s, c, cs)
			p.checkSums(t, s)
			x := fenced[float32](t, 1+int(octets)+int(runs), atEnd)
			fill(r, x)
			n := roundUp(1+int(run)%64, Octet)
			checkTerms(t, s, x, n*(1+int(runs)%4), n, atEnd)
			checkTerms(t, s, x, quant.PerToken, n, atEnd)
		}
	})
}

func FuzzPack(f *testing.F) {
	for i, rows := range []int{1, 2, 3, 4, 7, 8, 13, 32} {
		f.Add(uint64(i), uint8(rows), uint8(1+5*i), i%2 == 0)
		f.Add(uint64(i), uint8(1+3*i), uint8(rows), i%2 == 1)
	}
	f.Fuzz(func(t *testing.T, seed uint64, high, wide uint8, atEnd bool) {
		rows, cols := 1+int(high-1)%64, 1+int(wide-1)%64
		for _, s := range All() {
			r := rand.New(rand.NewPCG(seed, uint64(rows)))
			checkWiden(t, s, r, rows, atEnd)
			lds, ldd := cols+r.IntN(4), rows+r.IntN(4)
			src, dst := fenced[float32](t, (rows-1)*lds+cols, atEnd), fenced[float32](t, (cols-1)*ldd+rows, atEnd)
			fill(r, src)
			s.Transpose(dst, ldd, src, lds, rows, cols)
			for i := range rows {
				for j := range cols {
					if dst[j*ldd+i] != src[i*lds+j] {
						t.Fatalf("%s: transpose %d x %d: [%d, %d] is wrong", s.Name, rows, cols, i, j)
					}
				}
			}
		}
		for _, s := range int8Products() {
			r := rand.New(rand.NewPCG(seed, uint64(cols)))
			x := fenced[float32](t, rows*cols, atEnd)
			fill(r, x)
			checkRound(t, s, x, roundUp(1+int(wide), s.KGroup), atEnd)
			if s.SumInt8 != nil {
				panel, sums := fenced[int8](t, rows*s.NR*s.KGroup, atEnd), fenced[int32](t, s.NR, atEnd)
				checkSumInt8(t, s, r, panel, sums)
			}
		}
	})
}

func checkWiden(t *testing.T, s *Set, r *rand.Rand, groups int, atEnd bool) {
	t.Helper()
	n := groups * s.KGroup * s.NR
	q, h := fenced[int8](t, n, atEnd), fenced[uint16](t, n, atEnd)
	scale, dst := fenced[float32](t, s.NR, atEnd), fenced[float32](t, n, atEnd)
	fill(r, scale)
	for i := range q {
		q[i], h[i] = int8(r.IntN(256)-128), quant.ToF16(float32(r.NormFloat64()))
	}
	s.WidenInt8(dst, q, scale)
	for i, v := range dst {
		row, column := i/s.NR, i%s.NR
		if want := float32(q[(row/s.KGroup*s.NR+column)*s.KGroup+row%s.KGroup]) * scale[column]; v != want {
			t.Fatalf("%s: int8 [%d] is %v, expected %v", s.Name, i, v, want)
		}
	}
	if s.WidenInt4 != nil {
		checkWidenInt4(t, s, r, scale, atEnd)
	}
	s.WidenHalf(dst, h, scale)
	for i, v := range dst {
		if want := quant.FromF16(h[i]) * scale[i%s.NR]; v != want {
			t.Fatalf("%s: half [%d] is %v, expected %v", s.Name, i, v, want)
		}
	}
}

func checkWidenInt4(t *testing.T, s *Set, r *rand.Rand, scale []float32, atEnd bool) {
	t.Helper()
	octets := 1 + r.IntN(9)
	q, dst := fenced[uint8](t, octets*Octet*Int4Columns/2, atEnd), fenced[float32](t, octets*Octet*Int4Columns, atEnd)
	for i := range q {
		q[i] = uint8(r.IntN(256))
	}
	s.WidenInt4(dst, q, scale)
	for i, v := range dst {
		row, column := i/Int4Columns, i%Int4Columns
		nibble := q[(row/Octet*Int4Columns+column)*4+row%4] >> (row % Octet / 4 * 4) & 15
		if want := float32(int(nibble)-8) * scale[column]; v != want {
			t.Fatalf("%s: int4 [%d] is %v, expected %v", s.Name, i, v, want)
		}
	}
}

func checkRound(t *testing.T, s *Set, x []float32, block int, atEnd bool) {
	t.Helper()
	blocks := quant.ActivationBlocks(len(x), block)
	q, encoded := fenced[uint8](t, s.RoundedBytes(len(x), block), atEnd), make([]uint8, s.RoundedBytes(len(x), block))
	scale := fenced[float32](t, blocks, atEnd)
	want, wantScale := make([]int8, len(x)), make([]float32, blocks)
	quant.QuantizeActivations(want, wantScale, x, block)
	s.Quantize(q, scale, x, block)
	sameBits(t, s.Name+": scale", scale, wantScale)
	if encode(s, encoded, want, block); !bytes.Equal(q, encoded) {
		t.Fatalf("%s: block %d: got %v, expected %v", s.Name, block, q, encoded)
	}
}

// checkTerms holds QuantizeTerms to quant.QuantizeActivations.
func checkTerms(t *testing.T, s *Set, x []float32, block, run int, atEnd bool) {
	t.Helper()
	n, blocks := len(x), quant.ActivationBlocks(len(x), block)
	want, wantScale := make([]int8, n), make([]float32, blocks)
	quant.QuantizeActivations(want, wantScale, x, block)
	size := TermsBytes(n, run)
	q, scale, encoded := fenced[uint8](t, size, atEnd), fenced[float32](t, blocks, atEnd), make([]uint8, size)
	s.QuantizeTerms(q, scale, x, block, run)
	sameBits(t, s.Name+": scale", scale, wantScale)
	if encodeTerms(encoded, want, run); !bytes.Equal(q, encoded) {
		t.Fatalf("%s: block %d run %d: got %v, expected %v", s.Name, block, run, q, encoded)
	}
}
