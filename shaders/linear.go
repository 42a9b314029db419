package shaders

import "strings"

// Why the forms of the frozen layers are what they are.
const (
	whyTexel    = "software drivers: wide tiles, no storage-buffer loads in the loop"
	whyLanes    = "software drivers: lanes fetch in turns, a loop of decoded instructions"
	whyBig      = "8x8 outputs a thread: 0.8 multiply-adds an instruction on AMD, NVIDIA and Adreno, 4x4 have 0.6"
	whyDirect   = "4x4 outputs a thread: few registers, for Mali, V3D and sizes that are not whole vectors"
	whyNarrow   = "2x4 outputs a thread: scales of groups, or an adapter's addresses, make 4x4 spill on V3D"
	whyHalf     = "2x4 outputs a thread: with two sums each, 4x4 spill on V3D and Mali"
	whyBigger   = "4x4 or 8x4 outputs a thread, of two sums each, where registers are many"
	whyTile     = "64x64 outputs a group: 9 cycles of RDNA 2 for 1000 multiply-adds"
	whyEvery    = "every Vulkan 1.1 device"
	whyDot      = "packed dot products without shared memory; two sums an output: 2x4, or 4x4 a quarter of a word at a time, for Mali"
	whySubgroup = "subgroup operations for most barriers and shared memory of a row's sums"
)

// linearRows are the rows of the frozen layers: each epilogue with each form of the weights and of the activations.
func linearRows() (rows []Row) {
	type epilogue struct{ word, define string }
	epilogues := []epilogue{
		{"", ""}, {"_residual", "RESIDUAL"}, {"_gelu", "GELU"}, {"_gelu_train", "GELU_TRAIN"}, {"_residual_adapter", "ADAPTER"},
	}
	for _, e := range epilogues {
		for _, scheme := range []string{"q8c", "q4g", "f16", "f32"} {
			name, define := "linear"+e.word+"_"+scheme, strings.TrimSpace(e.define+" "+strings.ToUpper(scheme))
			big, small := Spec{64, 8, 2, 0}, Spec{64, 4, 1, 1} // the last: words a step at a time, or 4x4 spill on V3D
			if scheme == "q8c" || scheme == "q4g" {
				big[3] = 1 // and 8x8 on Adreno
			}
			if scheme == "f32" {
				small[3] = 0 // a word is one step
			}
			why := whyDirect
			if scheme == "q4g" || e.define == "ADAPTER" {
				small[1], why = 2, whyNarrow
			}
			lanes := Spec{8, 8, 1, 1}
			if scheme == "f32" {
				lanes = Spec{8, 16, 2, 2} // nothing to widen, four times the words to fetch
			}
			rows = append(rows,
				Row{name, "linear_lanes.comp", "TEXEL " + define, lanes, TexelFetch, whyLanes},
				Row{name, "linear.comp", define, big, BigTiles, whyBig},
				Row{name, "linear.comp", define, small, 0, why})
		}
		for _, scheme := range []string{"q8c", "q4g"} {
			rows = append(rows, int8Rows("linear"+e.word, scheme, e.define)...)
			if strings.HasPrefix(e.define, "GELU") {
				rows = append(rows, int8Rows("linear"+e.word+"_round", scheme, e.define+" ROUND")...)
			}
		}
	}
	for _, e := range []epilogue{{"", ""}, {"_gelu", "GELU"}} {
		for _, scheme := range []string{"q8c", "q4g", "f16", "f32"} {
			name, define := "linear_bwd_x"+e.word+"_"+scheme, strings.TrimSpace(e.define+" "+strings.ToUpper(scheme))
			texel := Spec{8, 16, 1}
			switch scheme {
			case "q8c":
				texel = Spec{8, 8, 4}
			case "q4g":
				texel = Spec{8, 4, 8}
			case "f16":
				texel = Spec{8, 16, 2}
			}
			rows = append(rows,
				Row{name, "linear_bwd_x.comp", "TEXEL " + define, texel, TexelFetch, whyTexel},
				Row{name, "linear_bwd_x.comp", define, Spec{64, 8, 2}, BigTiles, whyBig},
				Row{name, "linear_bwd_x.comp", define, Spec{64, 4, 1}, 0, whyDirect})
		}
		rows = append(rows, int8BackwardRows("linear_bwd_x"+e.word+"_q8ca8", e.define)...)
	}
	return rows
}

// int8Rows are the forms of a layer over int8 activations and weights of int8 or int4.
func int8Rows(word, scheme, define string) []Row {
	lanes := Spec{8, 8, 1, 1}
	if strings.HasSuffix(define, "ROUND") {
		lanes = Spec{8, 8, 2, 1} // a group has all columns of a block
	}
	name, define := word+"_"+scheme+"a8", strings.TrimSpace(define+" "+strings.ToUpper(scheme))
	return []Row{
		{name, "linear_lanes.comp", "TEXEL A8 " + define, lanes, TexelFetch, whyLanes},
		{name, "linear_a8_tile.comp", "TILE DOT " + define, Spec{128, 8}, IntegerDotProduct | SharedMemory, whyTile},
		{name, "linear_a8.comp", "DOT " + define, Spec{64, 4, 1, 1, 0}, IntegerDotProduct | BigTiles, whyBigger},
		{name, "linear_a8.comp", "DOT " + define, Spec{64, 2, 1, 1, 0}, IntegerDotProduct, whyDot},
		{name, "linear_a8.comp", define, Spec{64, 4, 1, 1, 0}, BigTiles, whyBigger},
		{name, "linear_a8.comp", define, Spec{64, 2, 1, 1, 1}, 0, whyHalf},
	}
}

// int8BackwardRows are the forms of the input gradient over int8 gradients.
func int8BackwardRows(name, define string) []Row {
	define = strings.TrimSpace(define + " Q8C")
	return []Row{
		{name, "linear_bwd_x_lanes.comp", "TEXEL " + define, Spec{8, 16}, TexelFetch, whyLanes},
		{name, "linear_bwd_x_a8_tile.comp", "TILE DOT " + define, Spec{128, 8}, IntegerDotProduct | SharedMemory, whyTile},
		{name, "linear_bwd_x_a8.comp", "DOT " + define, Spec{64, 8, 1, 0}, IntegerDotProduct | BigTiles, whyBigger},
		{name, "linear_bwd_x_a8.comp", "DOT " + define, Spec{64, 4, 1, 1}, IntegerDotProduct, whyDot},
		{name, "linear_bwd_x_a8.comp", define, Spec{64, 4, 1, 0}, BigTiles, whyBigger},
		{name, "linear_bwd_x_a8.comp", define, Spec{64, 2, 1, 1}, 0, whyHalf},
	}
}
