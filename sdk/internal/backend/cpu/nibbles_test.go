package cpu

import (
	"math/rand/v2"
	"testing"

	"github.com/edgeadapt/edgeadapt/quant"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend/cpu/simd"
)

// TestWidenNibbles holds panels of every width, whole and cut, to quant's own rows: widths of sets that this machine lacks too.
func TestWidenNibbles(t *testing.T) {
	const rows, cols = 53, 197
	for _, scheme := range []quant.Scheme{quant.Q4G, quant.Q4G32, quant.Q4G128} {
		m, err := quant.Quantize(scheme, normal(rand.New(rand.NewPCG(5, 6)), rows*cols), rows, cols)
		if err != nil {
			t.Fatal(err)
		}
		for _, nr := range []int{4, 16, 32} {
			set := &simd.Set{Name: "widths", MR: 1, NR: nr, Int8: simd.Int8{KGroup: 4}}
			w, err := pack(m, set)
			if err != nil {
				t.Fatal(err)
			}
			by, want := newWorker(0, set), make([]float32, cols)
			for _, part := range [][2]int{{0, cols}, {32, 64}, {96, 5}, {192, 5}} {
				c, n := part[0], part[1]
				for p := range pieces(rows, nr) {
					got := w.widen(set, by, make([]float32, pieces(n, simd.Octet)*simd.Octet*nr), p, c, n)
					for r := range nr {
						clear(want)
						if p*nr+r < rows {
							m.DequantizeRow(want, p*nr+r)
						}
						for i, v := range want[c : c+n] {
							if got[i*nr+r] != v {
								t.Fatalf("%s NR %d: row %d column %d is %v, expected %v", scheme, nr, p*nr+r, c+i, got[i*nr+r], v)
							}
						}
					}
				}
			}
		}
	}
}
