package simd

import (
	"math"
	"unsafe"

	"github.com/edgeadapt/edgeadapt/quant"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend/cpu/simd/internal/approx"
)

// portable is the set in plain Go.
func portable() *Set {
	return &Set{
		Name: "portable", MR: 4, NR: 4,
		Gemm:      gemm,
		WidenInt8: widenInt8, WidenHalf: widenHalf, Transpose: transpose,
		Int8:     Int8{KGroup: kGroup, GemmInt8: gemmInt8, Quantize: quantize},
		GemmInt4: gemmInt4, QuantizeTerms: quantizeTerms,
		Add: add, Mul: mul, Axpy: axpy, Scale: scale,
		Sum: sum, Dot: dot, Squares: squares, Largest: largest,
		GELU: gelu, GELUGrad: geluGrad, ExpSum: expSum, ScoreGrad: scoreGrad,
		Normalize: normalize, NormSums: normSums, NormGrad: normGrad,
	}
}

// gemm takes the tile row by row: four sums fit the registers of every processor.
func gemm(m, k int, a []float32, ars, aks int, b []float32, bs int, c []float32, cs int, accumulate bool) {
	for i := range m {
		var s0, s1, s2, s3 float32
		out := c[i*cs : i*cs+4]
		if accumulate {
			s0, s1, s2, s3 = out[0], out[1], out[2], out[3]
		}
		at, row := i*ars, b
		for range k {
			x, v := a[at], row[:4]
			s0 += x * v[0]
			s1 += x * v[1]
			s2 += x * v[2]
			s3 += x * v[3]
			at += aks
			row = row[min(bs, len(row)):]
		}
		out[0], out[1], out[2], out[3] = s0, s1, s2, s3
	}
}

// kGroup is the Set's KGroup.
const kGroup = 4

func widenInt8(dst []float32, src []int8, scale []float32) {
	nr := len(scale)
	for i, q := range src {
		row, column := i/(kGroup*nr)*kGroup+i%kGroup, i/kGroup%nr
		dst[row*nr+column] = float32(q) * scale[column]
	}
}

func gemmInt8(m, groups, block int, a []uint8, as int, scale []float32, ss int, b []int8, start []int32, columns, bias, c []float32, cs int) {
	for i := range m {
		row := a[i*as : i*as+groups*kGroup]
		out := c[i*cs : i*cs+4]
		clear(out)
		for first := 0; first < groups; first += block {
			last, at := min(first+block, groups), first/block
			sums := [4]int32(start[at*4:])
			for g := first; g < last; g++ {
				x, w := row[g*kGroup:][:kGroup], b[g*kGroup*4:][:4*kGroup]
				for j := range sums {
					v := w[j*kGroup:][:kGroup]
					sums[j] += int32(int8(x[0]))*int32(v[0]) + int32(int8(x[1]))*int32(v[1]) + int32(int8(x[2]))*int32(v[2]) + int32(int8(x[3]))*int32(v[3])
				}
			}
			for j, s := range sums {
				out[j] = float32(math.FMA(float64(float32(s)), float64(scale[i*ss+at]), float64(out[j])))
			}
		}
		for j := range out {
			out[j] = float32(float64(out[j])*float64(columns[j]) + float64(bias[j]))
		}
	}
}

func quantize(q []uint8, scale, x []float32, block int) {
	quant.QuantizeActivations(unsafe.Slice((*int8)(unsafe.Pointer(unsafe.SliceData(q))), len(x)), scale, x, block)
	pad(q, len(x), 0)
}

func widenHalf(dst []float32, src []uint16, scale []float32) {
	for i, h := range src {
		dst[i] = quant.FromF16(h) * scale[i%len(scale)]
	}
}

func transpose(dst []float32, ldd int, src []float32, lds, rows, cols int) {
	for i := range rows {
		for j, v := range src[i*lds : i*lds+cols] {
			dst[j*ldd+i] = v
		}
	}
}

func add(dst, src []float32) {
	for i, v := range src[:len(dst)] {
		dst[i] += v
	}
}

func mul(dst, src []float32) {
	for i, v := range src[:len(dst)] {
		dst[i] *= v
	}
}

func axpy(dst, src []float32, alpha float32) {
	for i, v := range src[:len(dst)] {
		dst[i] += alpha * v
	}
}

func scale(dst []float32, alpha float32) {
	for i := range dst {
		dst[i] *= alpha
	}
}

// The sums run in float64: a single chain in float32 loses digits that the lanes of the other sets keep.

func sum(x []float32) float32 {
	var s float64
	for _, v := range x {
		s += float64(v)
	}
	return float32(s)
}

func dot(x, y []float32) float32 {
	var s float64
	for i, v := range y[:len(x)] {
		s += float64(x[i]) * float64(v)
	}
	return float32(s)
}

func squares(x []float32, mean float32) float32 {
	var s float64
	for _, v := range x {
		d := float64(v - mean)
		s += d * d
	}
	return float32(s)
}

func largest(x []float32) float32 {
	top := x[0]
	for _, v := range x {
		top = max(top, v)
	}
	return top
}

func gelu(x []float32) {
	for i, v := range x {
		x[i], _ = approx.GELU(v)
	}
}

func geluGrad(x, d []float32) {
	for i, v := range x {
		x[i], d[i] = approx.GELU(v)
	}
}

func expSum(x []float32, scale, shift float32) float32 {
	var s float64
	for i, v := range x {
		x[i] = approx.Exp(float32(float64(v)*float64(scale) - float64(shift)))
		s += float64(x[i])
	}
	return float32(s)
}

func scoreGrad(dp, p []float32, delta, scale float32) {
	for i, v := range p[:len(dp)] {
		dp[i] = v * (dp[i] - delta) * scale
	}
}

func normalize(y, x, gamma, beta []float32, mean, rstd float32) {
	for i, v := range x {
		y[i] = (v-mean)*rstd*gamma[i] + beta[i]
	}
}

func normSums(x, gamma, dy []float32, mean, rstd float32) (u, ux float32) {
	var sumU, sumUX float64
	for i, v := range x {
		g := float64(gamma[i] * dy[i])
		sumU += g
		sumUX += g * float64((v-mean)*rstd)
	}
	return float32(sumU), float32(sumUX)
}

func normGrad(dx, x, gamma, dy []float32, mean, rstd, u, ux float32) {
	for i, v := range x {
		g := float32(gamma[i] * dy[i]) // rounded, as in the mean: with rows of one element the difference is zero
		dx[i] += rstd * (g - u - (v-mean)*rstd*ux)
	}
}
