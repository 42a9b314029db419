// Package simd holds the inner loops of the CPU backend, once for each instruction set: the GEMM microkernel, the
// widening of frozen weights, and the row kernels of softmax, GELU and LayerNorm.
//
// A kernel gives the same bits for the same numbers wherever they lie: no result depends on an address, on a
// neighbour or on the number of threads. Instruction sets may differ from one another in the last bits.
package simd

import (
	"errors"
	"fmt"
)

//go:generate go run ./internal/gen -out kernels_amd64.s -stubs kernels_amd64.go -pkg simd

// ErrUnsupported says that this processor lacks the instruction set, or that there is none of that name.
var ErrUnsupported = errors.New("unsupported instruction set")

// Set is the kernels of one instruction set. Slices of one call have equal lengths where not said otherwise; source
// and destination must not overlap unless they are the same. Safe for concurrent use.
type Set struct {
	Name string // "portable", "avx2", "avxvnni", "avx512", "avx512vnni", "neon", "dotprod" or "i8mm"
	// MR and NR are the GEMM tile: rows that are computed at a time, and its columns.
	MR, NR int

	// Gemm computes c = a b, or c += a b, with any number m of rows, NR columns and a sum over k terms:
	//
	//	c[i cs + j] = Σ a[i ars + l aks] b[l bs + j]      l increasing, one chain of multiply-adds
	//
	// The result for a row depends on that row alone, and a sum cut in two by accumulate has the bits of one.
	Gemm Gemm
	// WidenInt8 turns an int8 panel into rows of NR elements, dst = src ⊙ scale; scale is one row. The panel holds, for
	// each KGroup rows, KGroup bytes a column, that is row l of column j at (l/KGroup NR + j) KGroup + l%KGroup.
	WidenInt8 func(dst []float32, src []int8, scale []float32)
	// WidenInt4 turns octets of a panel of int4 into rows of Int4Columns elements, dst = src ⊙ scale. Nil where NR is not
	// Int4Columns, and where plain Go does it.
	WidenInt4 func(dst []float32, src []uint8, scale []float32)
	// WidenHalf is dst = src ⊙ scale over rows of NR IEEE halves.
	WidenHalf func(dst []float32, src []uint16, scale []float32)
	// Int8 is the product of int8 activations and weights.
	Int8
	// Pairs is a faster one, for weights that have no b[2l, j] + b[2l+1, j] beyond quant.MaxPair. Nil where there is none.
	Pairs *Int8

	// GemmInt4 computes one tile of c = a b over int8 activations and int4 weights, with m <= Int4Rows rows, Int4Columns
	// columns and octets Octet terms. The sums of each run of Octet run terms are exact integers, sum(i, j, r); the float
	// parts are added in order. Runs runs share a scale of the activations:
	//
	//	c[i cs + j] = bias[j] + columns[j] Σ_r float(sum) (scale[i ss + r/runs] half(groups[r Int4Columns + j]))
	//
	// a holds what QuantizeTerms writes, as bytes from row to row, and w a panel. A row's result depends on that row alone.
	// Nil where the set has nothing faster than Gemm.
	GemmInt4 func(m, octets, run, runs int, a []uint8, as int, scale []float32, ss int, w []uint8, groups []uint16, columns, bias, c []float32, cs int)
	// QuantizeTerms rounds a row as quant.QuantizeActivations does and writes for each run of so many elements, which
	// divides block, -8 times the sum of the integers as an int32, and then they themselves, zeros up to a whole octet
	// behind them. q has TermsBytes.
	QuantizeTerms func(q []uint8, scale, x []float32, block, run int)

	// Transpose writes src [rows, cols] as dst[j ldd + i] = src[i lds + j].
	Transpose func(dst []float32, ldd int, src []float32, lds, rows, cols int)

	Add      func(dst, src []float32)                // dst += src
	Mul      func(dst, src []float32)                // dst *= src
	Axpy     func(dst, src []float32, alpha float32) // dst += alpha src
	Scale    func(dst []float32, alpha float32)      // dst *= alpha
	Sum      func(x []float32) float32               // Σ x
	Dot      func(x, y []float32) float32            // Σ x y
	Squares  func(x []float32, mean float32) float32 // Σ (x - mean)²
	Largest  func(x []float32) float32               // max x; x has an element
	GELU     func(x []float32)                       // x = GELU(x)
	GELUGrad func(x, d []float32)                    // d = GELU'(x), then x = GELU(x)
	// ExpSum is x = exp(scale x - shift) for exponents up to 88, and returns the sum; -87 stands for all below it.
	ExpSum    func(x []float32, scale, shift float32) float32
	ScoreGrad func(dp, p []float32, delta, scale float32)           // dp = p (dp - delta) scale
	Normalize func(y, x, gamma, beta []float32, mean, rstd float32) // y = (x - mean) rstd ⊙ gamma + beta
	// NormSums is, with u = gamma ⊙ dy, the sums of u and of u (x - mean) rstd.
	NormSums func(x, gamma, dy []float32, mean, rstd float32) (u, ux float32)
	// NormGrad is dx += rstd (gamma ⊙ dy - u - (x - mean) rstd ux).
	NormGrad func(dx, x, gamma, dy []float32, mean, rstd, u, ux float32)
}

// All lists the sets that this processor runs, best first; the last is portable.
func All() []*Set { return append(native(), portable()) }

// Choose returns the set called name, or the best one for an empty name. It returns ErrUnsupported where that is
// none of All.
func Choose(name string) (*Set, error) {
	sets := All()
	if name == "" {
		return sets[0], nil
	}
	for _, s := range sets {
		if s.Name == name {
			return s, nil
		}
	}
	return nil, fmt.Errorf("%q: %w", name, ErrUnsupported)
}
