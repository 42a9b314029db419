package simd

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/edgeadapt/edgeadapt/quant"
)

// product is a case of GemmInt8 in plain int8, with its operands as the set wants them.
type product struct {
	m, groups, block int
	x, w             []int8 // [m, k], [NR, k]
	a                []uint8
	as               int
	scale            []float32 // [m, blocks]
	b                []int8
	start            []int32
	columns, bias    []float32
}

// newProduct draws a case; in weights for a product of pairs no pair is beyond quant.MaxPair.
func newProduct(r *rand.Rand, s *Set, m, groups, block int, draw func() int8) product {
	k, blocks := groups*s.KGroup, pieces(groups, block)
	size := s.RoundedBytes(k, block*s.KGroup)
	p := product{m: m, groups: groups, block: block, x: make([]int8, m*k), w: make([]int8, s.NR*k), as: size + 5,
		scale: make([]float32, m*blocks), b: make([]int8, s.NR*k), start: make([]int32, blocks*s.NR)}
	p.a = make([]uint8, (m-1)*p.as+size)
	for i := range p.x {
		p.x[i] = draw()
	}
	for i := range m {
		encode(s, p.a[i*p.as:], p.x[i*k:(i+1)*k], block*s.KGroup)
	}
	for i := range p.w {
		j, l := i/k, i%k
		p.w[i] = draw()
		if i%2 == 1 && s.ofPairs() {
			p.w[i] = min(max(p.w[i], -quant.MaxPair-min(p.w[i-1], 0)), quant.MaxInt8-max(p.w[i-1], 1)+1)
		}
		p.b[(l/s.KGroup*s.NR+j)*s.KGroup+l%s.KGroup] = p.w[i]
		p.start[l/s.KGroup/block*s.NR+j] -= int32(s.Zero) * int32(p.w[i])
	}
	p.columns, p.bias = make([]float32, s.NR), make([]float32, s.NR)
	for _, x := range [][]float32{p.scale, p.columns, p.bias} {
		fill(r, x)
	}
	return p
}

// encode writes a row as GemmInt8 reads it.
func encode(s *Set, q []uint8, x []int8, block int) {
	if !s.Split {
		for i := range roundUp(len(x), s.KGroup) {
			q[i] = s.Zero
			if i < len(x) {
				q[i] += uint8(x[i])
			}
		}
		return
	}
	for len(x) > 0 {
		n, negative := min(block, len(x)), uint32(0)
		clear(q[:s.RoundedBytes(n, block)])
		for i, v := range x[:n] {
			magnitude := 4 + i/s.KGroup*2*s.KGroup + i%s.KGroup
			q[magnitude] = uint8(max(v, -v))
			if v < 0 {
				q[magnitude+s.KGroup] = 0xff
				negative += uint32(-v)
			}
		}
		binary.LittleEndian.PutUint32(q, negative)
		q, x = q[s.RoundedBytes(n, block):], x[n:]
	}
}

func pieces(n, step int) int { return (n + step - 1) / step }

// sum is the integer sum of a block of element (i, j).
func (p product) sum(s *Set, i, j, block int) (sum int32) {
	k := p.groups * s.KGroup
	for l := block * p.block * s.KGroup; l < min((block+1)*p.block*s.KGroup, k); l++ {
		sum += int32(p.x[i*k+l]) * int32(p.w[j*k+l])
	}
	return sum
}

func (p product) run(s *Set, c []float32, cs int) {
	s.GemmInt8(p.m, p.groups, p.block, p.a, p.as, p.scale, pieces(p.groups, p.block), p.b, p.start, p.columns, p.bias, c, cs)
}

// check holds the scaled sums to float64, to half a unit in the last place for each block.
func (p product) check(t *testing.T, s *Set, c []float32, cs int) {
	t.Helper()
	blocks := pieces(p.groups, p.block)
	for i := range p.m {
		for j := range s.NR {
			want, magnitude := 0.0, 0.0
			for b := range blocks {
				v := float64(p.sum(s, i, j, b)) * float64(p.scale[i*blocks+b])
				want, magnitude = want+v, magnitude+math.Abs(v)
			}
			scale, bias := float64(p.columns[j]), float64(p.bias[j])
			want, magnitude = want*scale+bias, magnitude*math.Abs(scale)+math.Abs(bias)
			if d := math.Abs(float64(c[i*cs+j]) - want); d > magnitude*0x1p-24*float64(blocks+1) {
				t.Fatalf("%s: m %d groups %d block %d [%d, %d]: got %v, expected %v", s.Name, p.m, p.groups, p.block, i, j, c[i*cs+j], want)
			}
		}
	}
}

// anyInt8 is a number that activations and weights may be.
func anyInt8(r *rand.Rand) func() int8 { return func() int8 { return int8(r.IntN(255) - 127) } }

// int8Products are the sets that have an int8 product, and again those that have one of pairs, in the place of the other.
func int8Products() (sets []*Set) {
	for _, s := range All() {
		if s.GemmInt8 != nil {
			sets = append(sets, s)
		}
		if s.Pairs != nil {
			p := *s
			p.Name, p.Int8 = s.Name+"-pairs", *s.Pairs
			sets = append(sets, &p)
		}
	}
	return sets
}

// ofPairs is whether s is one of the latter.
func (s *Set) ofPairs() bool { return s.Pairs != nil && s.Zero == s.Pairs.Zero }

func forEachInt8Set(t *testing.T, f func(t *testing.T, s *Set)) {
	for _, s := range int8Products() {
		t.Run(s.Name, func(t *testing.T) { f(t, s) })
	}
}

func TestGemmInt8(t *testing.T) {
	forEachInt8Set(t, func(t *testing.T, s *Set) {
		r := rand.New(rand.NewPCG(11, 12))
		for m := 1; m <= 3*s.MR+1; m++ {
			for _, c := range [][2]int{{1, 1}, {1, 99}, {2, 1}, {7, 3}, {16, 16}, {37, 16}, {96, 96}} {
				p := newProduct(r, s, m, c[0], c[1], anyInt8(r))
				cs := s.NR + 3
				out, intact := guarded(r, (m-1)*cs+s.NR)
				before := append([]float32(nil), out...)
				p.run(s, out, cs)
				p.check(t, s, out, cs)
				for i := range m - 1 {
					for j := s.NR; j < cs; j++ {
						if out[i*cs+j] != before[i*cs+j] {
							t.Fatal("wrote between the rows")
						}
					}
				}
				if !intact() {
					t.Fatal("wrote outside of c")
				}
				// A row alone has the same bits.
				alone := p
				alone.m, alone.a, alone.scale = 1, p.a[(m-1)*p.as:], p.scale[(m-1)*pieces(p.groups, p.block):]
				last := make([]float32, s.NR)
				alone.run(s, last, s.NR)
				sameBits(t, "last row alone", last, out[(m-1)*cs:(m-1)*cs+s.NR])
			}
		}
	})
}

// TestGemmInt8Sums: the integers themselves are exact. With a scale of one the result is the sum rounded to float32, and
// with its high part taken away by one more term the low bits show too.
func TestGemmInt8Sums(t *testing.T) {
	forEachInt8Set(t, func(t *testing.T, s *Set) {
		r := rand.New(rand.NewPCG(13, 14))
		for name, draw := range map[string]func() int8{
			"any":     anyInt8(r),
			"largest": func() int8 { return 127 },
			"extreme": func() int8 { return int8(r.IntN(2)*254 - 127) },
			"signs":   func() int8 { return int8(r.IntN(3) - 1) },
		} {
			p := newProduct(r, s, s.MR, 384, 384, draw)
			for i := range p.scale {
				p.scale[i] = 1
			}
			for j := range s.NR {
				p.columns[j], p.bias[j] = 1, 0
			}
			for part := range 2 {
				for j := range s.NR {
					if part == 1 { // leaves the low eight bits of the first row's sum
						p.start[j] -= p.sum(s, 0, j, 0) &^ 0xff
					}
				}
				out := make([]float32, s.MR*s.NR)
				p.run(s, out, s.NR)
				for j := range s.NR {
					want := p.sum(s, 0, j, 0)
					if part == 1 {
						want &= 0xff
					}
					if out[j] != float32(want) {
						t.Fatalf("%s: column %d, part %d: got %v, expected %d", name, j, part, out[j], want)
					}
				}
			}
		}
	})
}

// TestGemmInt8Rejects: one wrong byte of either operand, or a block's scale on its neighbour, changes the result.
func TestGemmInt8Rejects(t *testing.T) {
	forEachInt8Set(t, func(t *testing.T, s *Set) {
		r := rand.New(rand.NewPCG(15, 16))
		p := newProduct(r, s, 2, 32, 16, anyInt8(r))
		right := make([]float32, 2*s.NR)
		p.run(s, right, s.NR)
		for what, change := range map[string]func(){
			"activation": func() { p.a[p.as+77] ^= 1 },
			"sign":       func() { p.a[p.as+2*s.RoundedBytes(16*s.KGroup, 16*s.KGroup)-1] ^= 0x80 },
			"weight":     func() { p.b[5] ^= 1 },
			"scales":     func() { p.scale[0], p.scale[1] = p.scale[1], p.scale[0] },
			"start":      func() { p.start[s.NR]++ },
			"bias":       func() { p.bias[1]++ },
			"column":     func() { p.columns[2] *= 2 },
		} {
			change()
			wrong := make([]float32, 2*s.NR)
			p.run(s, wrong, s.NR)
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

// TestQuantize holds the row kernels to quant.QuantizeActivations, bit for bit.
func TestQuantize(t *testing.T) {
	forEachInt8Set(t, func(t *testing.T, s *Set) {
		r := rand.New(rand.NewPCG(17, 18))
		for _, n := range lengths {
			for kind, draw := range map[string]func() float32{
				"normal": func() float32 { return float32(r.NormFloat64()) },
				"ties":   func() float32 { return float32(r.IntN(255)-127) / 2 },
				"zeros":  func() float32 { return 0 },
				"tiny":   func() float32 { return float32(r.NormFloat64()) * 1e-38 },
				"huge":   func() float32 { return float32(r.NormFloat64()) * 1e37 },
			} {
				t.Run(fmt.Sprintf("%s/%d", kind, n), func(t *testing.T) {
					x := make([]float32, n)
					for i := range x {
						x[i] = draw()
					}
					for _, block := range []int{8, 16, 24, 64, roundUp(n, 8), quant.PerToken} {
						checkQuantize(t, s, x, block)
					}
				})
			}
		}
	})
}

func checkQuantize(t *testing.T, s *Set, x []float32, block int) {
	t.Helper()
	n, blocks := len(x), quant.ActivationBlocks(len(x), block)
	want, wantScale := make([]int8, n), make([]float32, blocks)
	quant.QuantizeActivations(want, wantScale, x, block)
	size := s.RoundedBytes(n, block)
	q, encoded, scale := make([]uint8, size+1), make([]uint8, size), make([]float32, blocks+1)
	q[size], scale[blocks] = 77, 77
	s.Quantize(q[:size], scale[:blocks], x, block)
	sameBits(t, "scale", scale[:blocks], wantScale)
	if encode(s, encoded, want, block); !bytes.Equal(q[:size], encoded) {
		t.Fatalf("block %d: got %v, expected %v", block, q[:size], encoded)
	}
	if q[size] != 77 || scale[blocks] != 77 {
		t.Error("wrote behind the row")
	}
}

func BenchmarkGemmInt8(b *testing.B) {
	for _, s := range int8Products() {
		for _, block := range []int{96, 16} {
			b.Run(fmt.Sprintf("%s/block=%d", s.Name, block), func(b *testing.B) {
				r := rand.New(rand.NewPCG(1, 1))
				p, c := newProduct(r, s, s.MR, 96, block, anyInt8(r)), make([]float32, s.MR*s.NR)
				for b.Loop() {
					p.run(s, c, s.NR)
				}
				b.ReportMetric(float64(2*s.MR*s.NR*96*s.KGroup)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GOP/s")
			})
		}
	}
}

func TestSumInt8(t *testing.T) {
	for _, s := range int8Products() {
		if s.SumInt8 == nil {
			if s.Zero != 0 {
				t.Errorf("%s: no SumInt8, which starts are computed with", s.Name)
			}
			continue
		}
		r := rand.New(rand.NewPCG(19, 20))
		for groups := range 40 {
			checkSumInt8(t, s, r, make([]int8, groups*s.NR*s.KGroup), make([]int32, s.NR))
		}
	}
}

// checkSumInt8 holds sums and the widest pair to plain Go.
func checkSumInt8(t *testing.T, s *Set, r *rand.Rand, panel []int8, sums []int32) {
	t.Helper()
	fillInt8(r, panel)
	want, widest := make([]int32, s.NR), int32(0)
	for j := range sums {
		sums[j] = r.Int32() >> 8
		want[j] = sums[j]
	}
	for i, v := range panel {
		want[i/s.KGroup%s.NR] += int32(v)
		if i%2 == 1 {
			pair := int32(v) + int32(panel[i-1])
			widest = max(widest, pair, -pair)
		}
	}
	if got := s.SumInt8(sums, panel); got != widest || !slices.Equal(sums, want) {
		t.Fatalf("%s: %d bytes: widest pair %d, expected %d; sums %v, expected %v", s.Name, len(panel), got, widest, sums, want)
	}
}

func fillInt8(r *rand.Rand, x []int8) {
	draw := anyInt8(r)
	for i := range x {
		x[i] = draw()
	}
}

// TestPairsNeedTheirLimit: one beyond it saturates, so that the limit is no smaller than it has to be.
func TestPairsNeedTheirLimit(t *testing.T) {
	for _, s := range int8Products() {
		if !s.ofPairs() {
			continue
		}
		for pair, exact := range map[int8]bool{quant.MaxPair / 2: true, quant.MaxPair/2 + 1: false} {
			for _, sign := range []int8{1, -1} {
				p := newProduct(rand.New(rand.NewPCG(1, 1)), s, 1, 1, 1, func() int8 { return 127 })
				for i := range p.b {
					p.b[i] = sign * pair
				}
				want := 4 * 255 * int32(sign) * int32(pair)
				clear(p.start)
				clear(p.bias)
				p.scale[0] = 1
				c := make([]float32, s.NR)
				for j := range p.columns {
					p.columns[j] = 1
				}
				p.run(s, c, s.NR)
				if got := c[0] == float32(want); got != exact {
					t.Errorf("%s: pairs of %d twice: got %v for %d", s.Name, sign*pair, c[0], want)
				}
			}
		}
	}
}
