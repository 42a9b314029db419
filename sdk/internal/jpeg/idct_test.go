package jpeg

import (
	"math"
	"math/rand/v2"
	"testing"
)

// inverseDCT is the definition: T.81, A.3.3.
func inverseDCT(c *[64]float64) (out [64]float64) {
	norm := func(k int) float64 {
		if k == 0 {
			return math.Sqrt2 / 2
		}
		return 1
	}
	for y := range 8 {
		for x := range 8 {
			for v := range 8 {
				for u := range 8 {
					out[8*y+x] += norm(u) * norm(v) / 4 * c[8*v+u] *
						math.Cos(float64(2*x+1)*float64(u)*math.Pi/16) * math.Cos(float64(2*y+1)*float64(v)*math.Pi/16)
				}
			}
			out[8*y+x] += 128
		}
	}
	return out
}

// randomBlock has about count coefficients, the same in both forms.
func randomBlock(rng *rand.Rand, count int) (b block, c [64]float64) {
	for i := range count {
		k := rng.IntN(64)
		if i == 0 {
			k = 0
		}
		v := rng.IntN(241) - 120
		p := places[k]
		if c[zigzag[k]] != 0 {
			continue
		}
		c[zigzag[k]] = float64(v)
		b[p.index] += int64(v) << p.shift
	}
	return b, c
}

// TestTransform: every size against the definition's samples and their means, away from rounding's worst by 0.1 levels.
func TestTransform(t *testing.T) {
	const seed = 5
	rng := rand.New(rand.NewPCG(seed, 0))
	for _, size := range []int{8, 4, 2, 1} {
		step := 8 / size
		var most float64
		for round := range 400 {
			b, c := randomBlock(rng, 1+round%12)
			want := inverseDCT(&c)
			got := make([]uint8, 8*8)
			b.transform(got, 8, size)
			for y := range size {
				for x := range size {
					var mean float64
					for k := range step * step {
						mean += want[8*(y*step+k/step)+x*step+k%step]
					}
					mean = min(max(mean/float64(step*step), 0), 255)
					most = max(most, math.Abs(float64(got[8*y+x])-mean))
				}
			}
		}
		if most > 0.6 {
			t.Errorf("size %d: differs by %.3f", size, most)
		}
	}
}

// TestTransformControl: rows taken for columns must show.
func TestTransformControl(t *testing.T) {
	var c [64]float64
	c[1] = 100
	var b block
	b[4] = 100 // row 1, column 0
	got := make([]uint8, 64)
	b.transform(got, 8, 8)
	if d := math.Abs(float64(got[0]) - inverseDCT(&c)[0]); d > 0.6 {
		t.Fatalf("corners of the two are the same, but differ by %.3f", d)
	}
	if d := math.Abs(float64(got[7]) - inverseDCT(&c)[7]); d < 10 {
		t.Errorf("a transposed block differs by only %.3f", d)
	}
}

func TestFlat(t *testing.T) {
	for v := int64(-2000); v < 2000; v += 7 {
		for _, size := range []int{8, 4, 2, 1} {
			got, want := make([]uint8, 64), make([]uint8, 64)
			b := block{v}
			b.flat(got, 8, size)
			b.transform(want, 8, size)
			if string(got) != string(want) {
				t.Fatalf("mean %d, size %d: %v, want %v", v, size, got, want)
			}
		}
	}
}
