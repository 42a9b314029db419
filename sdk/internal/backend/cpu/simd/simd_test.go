package simd

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/edgeadapt/edgeadapt/quant"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend/cpu/simd/internal/approx"
)

// forEachSet runs f with every set of this machine.
func forEachSet(t *testing.T, f func(t *testing.T, s *Set)) {
	for _, s := range All() {
		t.Run(s.Name, func(t *testing.T) { f(t, s) })
	}
}

// guard stands before and behind every array a kernel may write.
const guard = float32(12345.678)

// guarded returns an array of n elements with values from r, and a check that its surroundings are untouched.
func guarded(r *rand.Rand, n int) (x []float32, intact func() bool) {
	all := make([]float32, n+64)
	for i := range all {
		all[i] = guard
	}
	x = all[32 : 32+n : 32+n]
	fill(r, x)
	return x, func() bool {
		for i, v := range all {
			if (i < 32 || i >= 32+n) && v != guard {
				return false
			}
		}
		return true
	}
}

func fill(r *rand.Rand, x []float32) {
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
}

var lengths = []int{1, 2, 3, 4, 7, 8, 9, 13, 15, 16, 17, 31, 32, 33, 37, 63, 64, 65, 197}

// gemm64 is Set.Gemm in float64, and the sum of magnitudes that bounds the rounding.
func gemm64(i, j, k int, a []float32, ars, aks int, b []float32, bs int) (sum, magnitude float64) {
	for l := range k {
		p := float64(a[i*ars+l*aks]) * float64(b[l*bs+j])
		sum += p
		magnitude += math.Abs(p)
	}
	return sum, magnitude
}

func TestGemm(t *testing.T) {
	forEachSet(t, func(t *testing.T, s *Set) {
		r := rand.New(rand.NewPCG(1, 2))
		for m := 1; m <= 2*s.MR+1; m++ {
			for _, k := range []int{0, 1, 2, 7, 64, 197} {
				for _, transposed := range []bool{false, true} {
					ars, aks := k+3, 1
					if transposed {
						ars, aks = 1, m+2
					}
					bs, cs := s.NR+5, s.NR+1
					a := make([]float32, max(m*ars, k*aks)+1)
					b := make([]float32, k*bs+s.NR)
					fill(r, a)
					fill(r, b)
					c, intact := guarded(r, (m-1)*cs+s.NR)
					start := append([]float32(nil), c...)
					s.Gemm(m, k, a, ars, aks, b, bs, c, cs, true)
					if !intact() {
						t.Fatalf("m %d k %d: wrote outside of c", m, k)
					}
					once := append([]float32(nil), c...)
					for i := range m {
						for j := range cs {
							at := i*cs + j
							if j >= s.NR {
								if at < len(c) && c[at] != start[at] {
									t.Fatalf("m %d k %d: wrote between the rows", m, k)
								}
								continue
							}
							sum, magnitude := gemm64(i, j, k, a, ars, aks, b, bs)
							want, bound := float64(start[at])+sum, 0x1p-24*(1+math.Sqrt(float64(k)))*(magnitude+math.Abs(float64(start[at])))
							if math.Abs(float64(c[at])-want) > bound {
								t.Fatalf("m %d k %d transposed %v [%d, %d]: got %v, expected %v", m, k, transposed, i, j, c[at], want)
							}
						}
					}
					// A sum in two pieces has the same bits, and so has a row alone.
					copy(c, start)
					h := k / 2
					s.Gemm(m, h, a, ars, aks, b, bs, c, cs, true)
					s.Gemm(m, k-h, a[h*aks:], ars, aks, b[h*bs:], bs, c, cs, true)
					sameBits(t, "two pieces", c, once)
					copy(c, start)
					for i := range m {
						s.Gemm(1, k, a[i*ars:], ars, aks, b, bs, c[i*cs:], cs, true)
					}
					sameBits(t, "row by row", c, once)
				}
			}
		}
	})
}

// TestGemmReplaces checks that old contents of c are ignored, NaN included.
func TestGemmReplaces(t *testing.T) {
	forEachSet(t, func(t *testing.T, s *Set) {
		c := make([]float32, s.MR*s.NR)
		for i := range c {
			c[i] = float32(math.NaN())
		}
		a, b := make([]float32, s.MR), make([]float32, s.NR)
		for i := range a {
			a[i] = float32(i + 1)
		}
		for j := range b {
			b[j] = float32(j - 3)
		}
		s.Gemm(s.MR, 1, a, 1, 1, b, s.NR, c, s.NR, false)
		for i, v := range c {
			if want := a[i/s.NR] * b[i%s.NR]; v != want {
				t.Fatalf("c[%d] is %v, expected %v", i, v, want)
			}
		}
	})
}

func sameBits(t *testing.T, what string, got, want []float32) {
	t.Helper()
	for i := range want {
		if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
			t.Fatalf("%s: [%d] is %v, expected %v", what, i, got[i], want[i])
		}
	}
}

func TestWiden(t *testing.T) {
	forEachSet(t, func(t *testing.T, s *Set) {
		r := rand.New(rand.NewPCG(3, 4))
		for _, groups := range []int{1, 2, 7, 16} {
			n := groups * s.KGroup * s.NR
			scale := make([]float32, s.NR)
			fill(r, scale)
			q, h := make([]int8, n), make([]uint16, n)
			for i := range q {
				q[i], h[i] = int8(r.IntN(256)-128), quant.ToF16(float32(r.NormFloat64()))
			}
			dst, intact := guarded(r, n)
			s.WidenInt8(dst, q, scale)
			for i, v := range dst {
				row, column := i/s.NR, i%s.NR
				packed := q[(row/s.KGroup*s.NR+column)*s.KGroup+row%s.KGroup]
				if want := float32(packed) * scale[column]; v != want {
					t.Fatalf("int8 [%d] is %v, expected %v", i, v, want)
				}
			}
			s.WidenHalf(dst, h, scale)
			for i, v := range dst {
				if want := quant.FromF16(h[i]) * scale[i%s.NR]; v != want {
					t.Fatalf("half [%d] is %v, expected %v", i, v, want)
				}
			}
			if !intact() {
				t.Fatal("wrote outside of dst")
			}
		}
	})
}

func TestTranspose(t *testing.T) {
	forEachSet(t, func(t *testing.T, s *Set) {
		r := rand.New(rand.NewPCG(5, 6))
		for _, rows := range []int{1, 7, 8, 13, 32} {
			for _, cols := range []int{1, 7, 8, 13, 32} {
				lds, ldd := cols+3, rows+2
				src := make([]float32, rows*lds)
				fill(r, src)
				dst, intact := guarded(r, (cols-1)*ldd+rows)
				s.Transpose(dst, ldd, src, lds, rows, cols)
				for i := range rows {
					for j := range cols {
						if dst[j*ldd+i] != src[i*lds+j] {
							t.Fatalf("%d x %d: [%d, %d] is wrong", rows, cols, i, j)
						}
					}
				}
				if !intact() {
					t.Fatal("wrote outside of dst")
				}
			}
		}
	})
}

// rowCase is a kernel over rows, with its float64 meaning. Arrays 0 to out-1 are results.
type rowCase struct {
	name string
	out  int // how many of the arrays are written
	run  func(s *Set, x [][]float32) []float32
	want func(x [][]float64) []float64 // replaces the written arrays, returns the returned numbers
	tol  float64
}

var rowCases = []rowCase{
	{"add", 1, func(s *Set, x [][]float32) []float32 { s.Add(x[0], x[1]); return nil },
		func(x [][]float64) []float64 {
			each(x[0], func(i int) float64 { return x[0][i] + x[1][i] })
			return nil
		}, 1e-7},
	{"mul", 1, func(s *Set, x [][]float32) []float32 { s.Mul(x[0], x[1]); return nil },
		func(x [][]float64) []float64 {
			each(x[0], func(i int) float64 { return x[0][i] * x[1][i] })
			return nil
		}, 1e-7},
	{"axpy", 1, func(s *Set, x [][]float32) []float32 { s.Axpy(x[0], x[1], 0.75); return nil },
		func(x [][]float64) []float64 {
			each(x[0], func(i int) float64 { return x[0][i] + 0.75*x[1][i] })
			return nil
		}, 2e-7},
	{"scale", 1, func(s *Set, x [][]float32) []float32 { s.Scale(x[0], 0.75); return nil },
		func(x [][]float64) []float64 { each(x[0], func(i int) float64 { return 0.75 * x[0][i] }); return nil }, 1e-7},
	{"sum", 0, func(s *Set, x [][]float32) []float32 { return []float32{s.Sum(x[0])} },
		func(x [][]float64) []float64 { return []float64{total(x[0], func(i int) float64 { return x[0][i] })} }, 3e-7},
	{"dot", 0, func(s *Set, x [][]float32) []float32 { return []float32{s.Dot(x[0], x[1])} },
		func(x [][]float64) []float64 {
			return []float64{total(x[0], func(i int) float64 { return x[0][i] * x[1][i] })}
		}, 5e-7},
	{"squares", 0, func(s *Set, x [][]float32) []float32 { return []float32{s.Squares(x[0], 0.3)} },
		func(x [][]float64) []float64 {
			mean := float64(float32(0.3))
			return []float64{total(x[0], func(i int) float64 { return (x[0][i] - mean) * (x[0][i] - mean) })}
		}, 5e-7},
	{"largest", 0, func(s *Set, x [][]float32) []float32 { return []float32{s.Largest(x[0])} },
		func(x [][]float64) []float64 {
			top := math.Inf(-1)
			for _, v := range x[0] {
				top = max(top, v)
			}
			return []float64{top}
		}, 0},
	{"gelu", 1, func(s *Set, x [][]float32) []float32 { s.GELU(x[0]); return nil },
		func(x [][]float64) []float64 {
			each(x[0], func(i int) float64 { return x[0][i] * cdf(x[0][i]) })
			return nil
		}, 2e-7},
	{"gelugrad", 2, func(s *Set, x [][]float32) []float32 { s.GELUGrad(x[0], x[1]); return nil },
		func(x [][]float64) []float64 {
			each(x[1], func(i int) float64 {
				return cdf(x[0][i]) + x[0][i]*math.Exp(-x[0][i]*x[0][i]/2)/math.Sqrt(2*math.Pi)
			})
			each(x[0], func(i int) float64 { return x[0][i] * cdf(x[0][i]) })
			return nil
		}, 3e-7},
	{"expsum", 1, func(s *Set, x [][]float32) []float32 { return []float32{s.ExpSum(x[0], 0.5, 1.5)} },
		func(x [][]float64) []float64 {
			each(x[0], func(i int) float64 { return math.Exp(0.5*x[0][i] - 1.5) })
			return []float64{total(x[0], func(i int) float64 { return x[0][i] })}
		}, 5e-7},
	{"scoregrad", 1, func(s *Set, x [][]float32) []float32 { s.ScoreGrad(x[0], x[1], 0.25, 1.5); return nil },
		func(x [][]float64) []float64 {
			each(x[0], func(i int) float64 { return x[1][i] * (x[0][i] - 0.25) * 1.5 })
			return nil
		}, 3e-7},
	{"normalize", 1, func(s *Set, x [][]float32) []float32 { s.Normalize(x[0], x[1], x[2], x[3], 0.25, 1.5); return nil },
		func(x [][]float64) []float64 {
			each(x[0], func(i int) float64 { return (x[1][i]-0.25)*1.5*x[2][i] + x[3][i] })
			return nil
		}, 5e-7},
	{"normsums", 0, func(s *Set, x [][]float32) []float32 {
		u, ux := s.NormSums(x[0], x[1], x[2], 0.25, 1.5)
		return []float32{u, ux}
	}, func(x [][]float64) []float64 {
		u := func(i int) float64 { return x[1][i] * x[2][i] }
		return []float64{total(x[0], u), total(x[0], func(i int) float64 { return u(i) * (x[0][i] - 0.25) * 1.5 })}
	}, 1e-6},
	{"normgrad", 1, func(s *Set, x [][]float32) []float32 {
		s.NormGrad(x[0], x[1], x[2], x[3], 0.25, 1.5, 0.5, -0.75)
		return nil
	}, func(x [][]float64) []float64 {
		each(x[0], func(i int) float64 { return x[0][i] + 1.5*(x[2][i]*x[3][i]-0.5+(x[1][i]-0.25)*1.5*0.75) })
		return nil
	}, 1e-6},
}

func cdf(x float64) float64 { return 0.5 * math.Erfc(-x/math.Sqrt2) }

func each(dst []float64, f func(int) float64) {
	for i := range dst {
		dst[i] = f(i)
	}
}

func total(x []float64, f func(int) float64) (s float64) {
	for i := range x {
		s += f(i)
	}
	return s
}

// rowArrays is how many arrays a kernel takes at most.
const rowArrays = 4

func TestRows(t *testing.T) {
	forEachSet(t, func(t *testing.T, s *Set) {
		for _, c := range rowCases {
			for _, n := range lengths {
				t.Run(fmt.Sprintf("%s/%d", c.name, n), func(t *testing.T) {
					r := rand.New(rand.NewPCG(7, uint64(n)))
					x, intact := make([][]float32, rowArrays), make([]func() bool, rowArrays)
					for i := range x {
						x[i], intact[i] = guarded(r, n)
					}
					checkRow(t, s, c, x)
					for i := range x {
						if !intact[i]() {
							t.Errorf("array %d: wrote outside", i)
						}
					}
				})
			}
		}
	})
}

// checkRow runs a kernel on x and holds it to its meaning in float64.
func checkRow(t *testing.T, s *Set, c rowCase, x [][]float32) {
	t.Helper()
	n := len(x[0])
	wide := make([][]float64, len(x))
	for i := range x {
		wide[i] = make([]float64, n)
		each(wide[i], func(j int) float64 { return float64(x[i][j]) })
	}
	got, want := c.run(s, x), c.want(wide)
	for i := range got {
		if d := math.Abs(float64(got[i]) - want[i]); d > c.tol*(math.Abs(want[i])+float64(n)) {
			t.Errorf("%s: %s of %d returned %v, expected %v", s.Name, c.name, n, got[i], want[i])
		}
	}
	for i := range x {
		tol := c.tol
		if i >= c.out {
			tol = 0 // sources stay as they are
		}
		for j, v := range x[i] {
			if d := math.Abs(float64(v) - wide[i][j]); d > tol*(1+2*math.Abs(wide[i][j])) {
				t.Fatalf("%s: %s of %d: array %d [%d] is %v, expected %v", s.Name, c.name, n, i, j, v, wide[i][j])
			}
		}
	}
}

// TestExpSumRange covers arguments beyond what softmax gives.
func TestExpSumRange(t *testing.T) {
	forEachSet(t, func(t *testing.T, s *Set) {
		x := []float32{0, -1, -70, -71, -87, -1000, float32(math.Inf(-1)), 88, 1e-30, -69.9}
		for i, v := range append([]float32(nil), x...) {
			e := []float32{v}
			s.ExpSum(e, 1, 0)
			want := math.Exp(max(float64(v), float64(approx.ExpMin)))
			if math.Abs(float64(e[0])/want-1) > 2e-7 {
				t.Errorf("exp(%v) is %v, expected %v (%d)", v, e[0], want, i)
			}
		}
	})
}

// TestPositionIndependent: an element's result does not depend on where in the row it stands.
func TestPositionIndependent(t *testing.T) {
	forEachSet(t, func(t *testing.T, s *Set) {
		r := rand.New(rand.NewPCG(8, 9))
		x, d := make([]float32, 61), make([]float32, 61)
		fill(r, x)
		alone := append([]float32(nil), x...)
		s.GELUGrad(x, d)
		for i := range alone {
			var slope [1]float32
			s.GELUGrad(alone[i:i+1], slope[:])
			sameBits(t, "derivative", slope[:], d[i:i+1])
		}
		sameBits(t, "gelu", alone, x)
	})
}

func TestChoose(t *testing.T) {
	for _, s := range All() {
		if c, err := Choose(s.Name); err != nil || c.Name != s.Name {
			t.Errorf("%s: %v, %v", s.Name, c, err)
		}
	}
	if _, err := Choose("sse9"); !errors.Is(err, ErrUnsupported) {
		t.Errorf("got %v, expected ErrUnsupported", err)
	}
	if c, err := Choose(""); err != nil || c.Name != All()[0].Name {
		t.Errorf("default: %v, %v", c, err)
	}
}

func BenchmarkGemm(b *testing.B) {
	const k, width = 256, 384
	for _, s := range All() {
		b.Run(s.Name, func(b *testing.B) {
			a, p, c := make([]float32, s.MR*width), make([]float32, k*s.NR), make([]float32, s.MR*width)
			for b.Loop() {
				s.Gemm(s.MR, k, a, width, 1, p, s.NR, c, width, true)
			}
			b.ReportMetric(float64(2*s.MR*s.NR*k)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
		})
	}
}
