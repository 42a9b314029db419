package simd

import (
	"encoding/binary"
	"math"

	"github.com/edgeadapt/edgeadapt/quant"
)

// int4 weights lie in panels of Int4Columns columns, nibbles as they are in memory: for each Octet rows, four bytes a
// column, byte b with row b in its low half and row b + 4 in its high half. A nibble is the weight plus 8, which makes it
// unsigned: the products with int8 activations then add up in int16 for 32 rows, whichever they are, and what was added
// is 8 times the sum of the activations, the same for all columns.
const (
	Int4Rows    = 6  // of a tile
	Int4Columns = 16 // of a panel
	Octet       = 8
	int4Zero    = 8
)

// TermsBytes is how many bytes QuantizeTerms writes for n elements in runs of so many, a multiple of Octet. It is also
// where the element with index n begins, if that is a multiple of run.
func TermsBytes(n, run int) int {
	size := n / run * (termBytes + run)
	if rest := n % run; rest > 0 {
		size += termBytes + roundUp(rest, Octet)
	}
	return size
}

// gemmInt4 is Set.GemmInt4.
func gemmInt4(m, octets, run, runs int, a []uint8, as int, scale []float32, ss int, w []uint8, groups []uint16, columns, bias, c []float32, cs int) {
	for i := range m {
		row, out := a[i*as:], c[i*cs:i*cs+Int4Columns]
		clear(out)
		for first, at := 0, 0; first < octets; first, at = first+run, at+1 {
			n := min(run, octets-first)
			term := int32(binary.LittleEndian.Uint32(row))
			x := row[termBytes : termBytes+n*Octet]
			row = row[len(x)+termBytes:]
			for j := range out {
				factor := scale[i*ss+at/runs] * quant.FromF16(groups[at*Int4Columns+j])
				sum := term + dotInt4(x, w[first*Octet*Int4Columns/2+4*j:])
				out[j] = float32(math.FMA(float64(float32(sum)), float64(factor), float64(out[j])))
			}
		}
		for j := range out {
			out[j] = float32(float64(out[j])*float64(columns[j]) + float64(bias[j]))
		}
	}
}

// dotInt4 is the sum of the products of x with the nibbles of a column.
func dotInt4(x []uint8, w []uint8) (sum int32) {
	for at := 0; ; at += Int4Columns * 4 {
		for b, v := range w[at : at+4] {
			sum += int32(int8(x[b]))*int32(v&15) + int32(int8(x[b+4]))*int32(v>>4)
		}
		if x = x[Octet:]; len(x) == 0 {
			return sum
		}
	}
}

// quantizeTerms is Set.QuantizeTerms.
func quantizeTerms(q []uint8, scale, x []float32, block, run int) {
	for b := range scale {
		from, to := b*block, min((b+1)*block, len(x))
		width, factor := quant.ActivationRange(largestMagnitude(x[from:to]))
		scale[b] = width
		for from < to {
			n := min(run, to-from)
			size, sum := termBytes+roundUp(n, Octet), int32(0)
			for i, v := range x[from : from+n] {
				r := int32(math.RoundToEven(float64(v * factor)))
				q[termBytes+i] = uint8(r)
				sum += r
			}
			pad(q[:size], termBytes+n, 0)
			binary.LittleEndian.PutUint32(q, uint32(-int4Zero*sum))
			q, from = q[size:], from+n
		}
	}
}

func largestMagnitude(x []float32) (top float32) {
	for _, v := range x {
		top = max(top, float32(math.Abs(float64(v))))
	}
	return top
}
