package shaders

import "strings"

// Row is one line of the variants table.
type Row struct {
	Kernel string // name that hosts ask for
	Source string // file under src/
	Define string // macros of this compilation, separated by spaces: "DOT4" or "DOT4 GROUP=64"
	Tile   Spec   // values of specialisation constants, from the lowest ID up; the others keep the shader's default
	Needs  Feature
	Why    string
}

// Spec lists values of specialisation constants.
type Spec []uint32

// variants is the table: the rows of a kernel stand together, best first, and the last one needs nothing, unless the
// kernel is optional. A kernel is named after its operator's word; behind it stand what decides its bindings and, for
// frozen weights, their scheme.
var variants = append(linearRows(), []Row{
	// kernel   source        define  tile      needs  why
	{"axpy", "axpy.comp", "TEXEL", Spec{64}, TexelFetch, "software drivers answer texel fetches faster"},
	{"axpy", "axpy.comp", "", Spec{64}, 0, "every Vulkan 1.1 device; also the smoke test of a driver"},
	{"canary", "canary.comp", "", Spec{64}, 0, "every Vulkan 1.1 device; ends each submission"},
	{"affine", "affine_lanes.comp", "TEXEL", Spec{8, 8}, TexelFetch, whyLanes},
	{"affine", "affine.comp", "", Spec{64, 8, 2}, BigTiles, "8x8 outputs a thread: 0.8 multiply-adds an instruction on AMD, NVIDIA and Adreno, 4x4 have 0.6"},
	{"affine", "affine.comp", "", Spec{64, 4}, 0, "every Vulkan 1.1 device"},
	{"adaptdown", "affine_lanes.comp", "TEXEL RELU", Spec{8, 8}, TexelFetch, whyLanes},
	{"adaptdown", "affine.comp", "RELU", Spec{64, 4}, 0, "every Vulkan 1.1 device"},
	{"adaptdown_dropout", "affine_lanes.comp", "TEXEL RELU DROPOUT", Spec{8, 8}, TexelFetch, whyLanes},
	{"adaptdown_dropout", "affine.comp", "RELU DROPOUT", Spec{64, 4}, 0, "every Vulkan 1.1 device"},
	{"mixed_down", "mixed.comp", "TEXEL DOWN", Spec{8, 16}, TexelFetch, "software drivers: wide tiles, no storage-buffer loads in the loop"},
	{"mixed_down", "mixed.comp", "DOWN", Spec{64, 4}, 0, "every Vulkan 1.1 device"},
	{"mixed_up", "mixed.comp", "TEXEL UP", Spec{8, 16}, TexelFetch, "software drivers: wide tiles, no storage-buffer loads in the loop"},
	{"mixed_up", "mixed.comp", "UP", Spec{64, 4}, 0, "every Vulkan 1.1 device"},
	{"mixed_up_apart", "mixed.comp", "TEXEL UP APART", Spec{8, 16}, TexelFetch, "software drivers: wide tiles, no storage-buffer loads in the loop"},
	{"mixed_up_apart", "mixed.comp", "UP APART", Spec{64, 4}, 0, "every Vulkan 1.1 device"},
	{"mixed_norm", "mixed_norm.comp", "SUBGROUP", Spec{32}, SubgroupArithmetic, whySubgroup},
	{"mixed_norm", "mixed_norm.comp", "", Spec{32}, 0, "one group a row"},
	{"mixed_norm_out", "mixed_norm.comp", "SUBGROUP OUT", Spec{32}, SubgroupArithmetic, whySubgroup},
	{"mixed_norm_out", "mixed_norm.comp", "OUT", Spec{32}, 0, "one group a row"},
	{"mixed_head", "mixed.comp", "TEXEL HEAD", Spec{8, 1}, TexelFetch, "software drivers: no storage-buffer loads in the loop"},
	{"mixed_head", "mixed.comp", "HEAD", Spec{64, 1}, 0, "every Vulkan 1.1 device"},
	{"mixed_features", "mixed_features.comp", "SUBGROUP", Spec{32}, SubgroupArithmetic, whySubgroup},
	{"mixed_features", "mixed_features.comp", "", Spec{32}, 0, "one group an image"},
	{"mixed_down_half", "mixed.comp", "TEXEL DOWN HALF", Spec{8, 16}, TexelFetch, "software drivers: wide tiles, no storage-buffer loads in the loop"},
	{"mixed_down_half", "mixed.comp", "DOWN HALF", Spec{64, 4}, 0, "every Vulkan 1.1 device"},
	{"mixed_up_half", "mixed.comp", "TEXEL UP HALF", Spec{8, 16}, TexelFetch, "software drivers: wide tiles, no storage-buffer loads in the loop"},
	{"mixed_up_half", "mixed.comp", "UP HALF", Spec{64, 4}, 0, "every Vulkan 1.1 device"},
	{"mixed_up_apart_half", "mixed.comp", "TEXEL UP APART HALF", Spec{8, 16}, TexelFetch, "software drivers: wide tiles, no storage-buffer loads in the loop"},
	{"mixed_up_apart_half", "mixed.comp", "UP APART HALF", Spec{64, 4}, 0, "every Vulkan 1.1 device"},
	{"mixed_norm_half", "mixed_norm.comp", "SUBGROUP HALF", Spec{32}, SubgroupArithmetic, whySubgroup},
	{"mixed_norm_half", "mixed_norm.comp", "HALF", Spec{32}, 0, "one group a row"},
	{"mixed_norm_out_half", "mixed_norm.comp", "SUBGROUP OUT HALF", Spec{32}, SubgroupArithmetic, whySubgroup},
	{"mixed_norm_out_half", "mixed_norm.comp", "OUT HALF", Spec{32}, 0, "one group a row"},
	{"mixed_head_half", "mixed.comp", "TEXEL HEAD HALF", Spec{8, 1}, TexelFetch, "software drivers: no storage-buffer loads in the loop"},
	{"mixed_head_half", "mixed.comp", "HEAD HALF", Spec{64, 1}, 0, "every Vulkan 1.1 device"},
	{"mixed_features_half", "mixed_features.comp", "SUBGROUP HALF", Spec{32}, SubgroupArithmetic, whySubgroup},
	{"mixed_features_half", "mixed_features.comp", "HALF", Spec{32}, 0, "one group an image"},
	{"matmul", "matmul_lanes.comp", "TEXEL", Spec{8, 8}, TexelFetch, whyLanes},
	{"matmul", "matmul.comp", "", Spec{64, 8, 2}, BigTiles, "8x8 outputs a thread: 0.8 multiply-adds an instruction on AMD, NVIDIA and Adreno, 4x4 have 0.6"},
	{"matmul", "matmul.comp", "", Spec{64, 4}, 0, "every Vulkan 1.1 device"},
	{"matmul_base", "matmul_lanes.comp", "TEXEL BASE", Spec{8, 8}, TexelFetch, whyLanes},
	{"matmul_base", "matmul.comp", "BASE", Spec{64, 8, 2}, BigTiles, "8x8 outputs a thread: 0.8 multiply-adds an instruction on AMD, NVIDIA and Adreno, 4x4 have 0.6"},
	{"matmul_base", "matmul.comp", "BASE", Spec{64, 4}, 0, "every Vulkan 1.1 device"},
	{"adaptdown_bwd_x", "matmul_lanes.comp", "TEXEL MASK", Spec{8, 8}, TexelFetch, whyLanes},
	{"adaptdown_bwd_x", "matmul.comp", "MASK", Spec{64, 4}, 0, "every Vulkan 1.1 device"},
	{"weightgrad", "weightgrad_lanes.comp", "TEXEL", Spec{8, 16}, TexelFetch, whyLanes},
	{"weightgrad", "weightgrad.comp", "", Spec{64}, 0, "every Vulkan 1.1 device"},
	{"biasgrad", "biasgrad.comp", "TEXEL", Spec{8}, TexelFetch, "software drivers: four numbers a thread, no storage-buffer loads in the loop"},
	{"biasgrad", "biasgrad.comp", "", Spec{64}, 0, "every Vulkan 1.1 device"},
	{"gaingrad", "biasgrad.comp", "TEXEL GAIN", Spec{8}, TexelFetch, "software drivers: four numbers a thread, no storage-buffer loads in the loop"},
	{"gaingrad", "biasgrad.comp", "GAIN", Spec{64}, 0, "every Vulkan 1.1 device"},
	{"reduce", "reduce.comp", "TEXEL", Spec{8}, TexelFetch, "software drivers: four numbers a thread, no storage-buffer loads in the loop"},
	{"reduce", "reduce.comp", "", Spec{64}, 0, "every Vulkan 1.1 device"},
	{"layernorm", "layernorm_row.comp", "TEXEL", Spec{8}, TexelFetch, "software drivers: no barrier, a thread a row"},
	{"layernorm", "layernorm.comp", "SUBGROUP", Spec{32}, SubgroupArithmetic, whySubgroup},
	{"layernorm", "layernorm.comp", "", Spec{32}, 0, "one group a row; 32 lanes are a subgroup on most GPUs"},
	{"layernorm_round", "layernorm_row.comp", "TEXEL ROUND", Spec{8}, TexelFetch, "software drivers: no barrier, a thread a row"},
	{"layernorm_round", "layernorm.comp", "SUBGROUP ROUND", Spec{32}, SubgroupArithmetic, whySubgroup},
	{"layernorm_round", "layernorm.comp", "ROUND", Spec{32}, 0, "one group a row"},
	{"quantize", "quantize_lanes.comp", "TEXEL", Spec{8}, TexelFetch, whyLanes},
	{"quantize", "quantize.comp", "", Spec{64, 16}, 0, "16 threads a block"},
	{"quantize_bwd_x", "quantize_lanes.comp", "TEXEL GRADIENT", Spec{8}, TexelFetch, whyLanes},
	{"quantize_bwd_x", "quantize.comp", "GRADIENT", Spec{64, 16}, 0, "16 threads a block"},
	{"layernorm_bwd_x", "layernorm_row_bwd_x.comp", "TEXEL", Spec{8}, TexelFetch, "software drivers: no barrier, a thread a row"},
	{"layernorm_bwd_x", "layernorm_bwd_x.comp", "SUBGROUP", Spec{32}, SubgroupArithmetic, whySubgroup},
	{"layernorm_bwd_x", "layernorm_bwd_x.comp", "", Spec{32}, 0, "every Vulkan 1.1 device"},
	{"layernorm_bwd_x_base", "layernorm_row_bwd_x.comp", "TEXEL BASE", Spec{8}, TexelFetch, "software drivers: no barrier, a thread a row"},
	{"layernorm_bwd_x_base", "layernorm_bwd_x.comp", "SUBGROUP BASE", Spec{32}, SubgroupArithmetic, whySubgroup},
	{"layernorm_bwd_x_base", "layernorm_bwd_x.comp", "BASE", Spec{32}, 0, "every Vulkan 1.1 device"},
	{"attention", "attention_lanes.comp", "TEXEL", Spec{8, 16, 2}, TexelFetch, "software drivers: two queries a thread, lanes fetch keys in turns"},
	{"attention", "attention_flash.comp", "", Spec{64, 16, 4}, BigTiles, "one query a thread, keys by scalar loads: a third of the issue slots of two loads a product"},
	{"attention_round", "attention_lanes.comp", "TEXEL ROUND", Spec{8, 16, 2}, TexelFetch, "as attention; a thread has all of a block, so it costs no barrier"},
	{"attention_round", "attention_flash.comp", "ROUND", Spec{64, 16, 4}, BigTiles, "as attention; a thread has all of a block, so it costs no barrier"},
	{"attentionprobs", "attentionprobs.comp", "TEXEL", Spec{8}, TexelFetch, "software drivers: wide tiles, no storage-buffer loads in the loop"},
	{"attentionprobs", "attentionprobs.comp", "", Spec{64}, 0, "every Vulkan 1.1 device"},
	{"attention_delta", "attention_delta.comp", "TEXEL", Spec{8}, TexelFetch, "software drivers: wide tiles, no storage-buffer loads in the loop"},
	{"attention_delta", "attention_delta.comp", "", Spec{64}, 0, "every Vulkan 1.1 device"},
	{"attention_bwd_dq", "attention_lanes_bwd_x.comp", "TEXEL DQ", Spec{8, 16, 3}, TexelFetch, "software drivers: three tokens a thread, lanes fetch what they meet in turns"},
	{"attention_bwd_dq", "attention_flash_bwd_x.comp", "DQ", Spec{64, 16, 2}, BigTiles, "as attention; two at a time spill on no GPU of these"},
	{"attention_bwd_dk", "attention_lanes_bwd_x.comp", "TEXEL DK", Spec{8, 16, 3}, TexelFetch, "software drivers: three tokens a thread, lanes fetch what they meet in turns"},
	{"attention_bwd_dk", "attention_flash_bwd_x.comp", "DK", Spec{64, 16, 2}, BigTiles, "as attention; two at a time spill on no GPU of these"},
	{"attention_bwd_dv", "attention_lanes_bwd_x.comp", "TEXEL DV", Spec{8, 16, 3}, TexelFetch, "software drivers: three tokens a thread, lanes fetch what they meet in turns"},
	{"attention_bwd_dv", "attention_flash_bwd_x.comp", "DV", Spec{64, 16, 4}, BigTiles, "as attention; four at a time spill on no GPU of these"},
	{"windowattention", "windowattention.comp", "TEXEL", Spec{8, 8, 4}, TexelFetch, "software drivers: four tokens a thread, no storage-buffer loads in the loop"},
	{"windowattention", "windowattention.comp", "GROUPED", Spec{64, 8, 1}, BigTiles, "one place a thread, a window a group: keys by scalar loads"},
	{"windowattention_bwd_dq", "windowattention_bwd_x.comp", "TEXEL DQ", Spec{8, 8, 4}, TexelFetch, "software drivers: four tokens a thread, no storage-buffer loads in the loop"},
	{"windowattention_bwd_dq", "windowattention_bwd_x.comp", "GROUPED DQ", Spec{64, 8, 1}, BigTiles, "one place a thread, a window a group: keys by scalar loads"},
	{"windowattention_bwd_dk", "windowattention_bwd_x.comp", "TEXEL DK", Spec{8, 8, 4}, TexelFetch, "software drivers: four tokens a thread, no storage-buffer loads in the loop"},
	{"windowattention_bwd_dk", "windowattention_bwd_x.comp", "GROUPED DK", Spec{64, 8, 1}, BigTiles, "one place a thread, a window a group: keys by scalar loads"},
	{"windowattention_bwd_dv", "windowattention_bwd_x.comp", "TEXEL DV", Spec{8, 8, 4}, TexelFetch, "software drivers: four tokens a thread, no storage-buffer loads in the loop"},
	{"windowattention_bwd_dv", "windowattention_bwd_x.comp", "GROUPED DV", Spec{64, 8, 1}, BigTiles, "one place a thread, a window a group: keys by scalar loads"},
	{"attention_scores", "attention_scores.comp", "SCORES", Spec{64}, 0, "4x4 numbers a thread spill on no GPU"},
	{"attention_grad", "attention_scores.comp", "GRAD", Spec{64}, 0, "4x4 numbers a thread spill on no GPU"},
	{"attention_softmax", "attention_softmax.comp", "SUBGROUP", Spec{16}, SubgroupArithmetic, whySubgroup},
	{"attention_softmax", "attention_softmax.comp", "", Spec{16}, 0, "one group a row"},
	{"attention_values", "attention_product.comp", "VALUES", Spec{64}, 0, "4x4 numbers a thread spill on no GPU"},
	{"attention_dq", "attention_product.comp", "DQ", Spec{64}, 0, "4x4 numbers a thread spill on no GPU"},
	{"attention_dk", "attention_product.comp", "DK", Spec{64}, 0, "4x4 numbers a thread spill on no GPU"},
	{"attention_dv", "attention_product.comp", "DV", Spec{64}, 0, "4x4 numbers a thread spill on no GPU"},
	{"windowattention_scores", "attention_scores.comp", "SCORES WINDOWS", Spec{64}, 0, "4x4 numbers a thread spill on no GPU"},
	{"windowattention_grad", "attention_scores.comp", "GRAD WINDOWS", Spec{64}, 0, "4x4 numbers a thread spill on no GPU"},
	{"windowattention_softmax", "attention_softmax.comp", "SUBGROUP WINDOWS", Spec{16}, SubgroupArithmetic, whySubgroup},
	{"windowattention_softmax", "attention_softmax.comp", "WINDOWS", Spec{16}, 0, "one group a row"},
	{"windowattention_values", "attention_product.comp", "VALUES WINDOWS", Spec{64}, 0, "4x4 numbers a thread spill on no GPU"},
	{"windowattention_dq", "attention_product.comp", "DQ WINDOWS", Spec{64}, 0, "4x4 numbers a thread spill on no GPU"},
	{"windowattention_dk", "attention_product.comp", "DK WINDOWS", Spec{64}, 0, "4x4 numbers a thread spill on no GPU"},
	{"windowattention_dv", "attention_product.comp", "DV WINDOWS", Spec{64}, 0, "4x4 numbers a thread spill on no GPU"},
	{"windowprobs", "windowprobs.comp", "", Spec{64}, 0, "every Vulkan 1.1 device"},
	{"patchmerge_gather", "patchmerge.comp", "", Spec{64}, 0, "every Vulkan 1.1 device"},
	{"patchmerge_scatter", "patchmerge.comp", "SCATTER", Spec{64}, 0, "every Vulkan 1.1 device"},
	{"patchembed", "patchembed.comp", "", Spec{64}, 0, "every Vulkan 1.1 device"},
	{"patchembed_tokens", "affine_lanes.comp", "TEXEL TOKENS", Spec{8, 8}, TexelFetch, whyLanes},
	{"patchembed_tokens", "affine.comp", "TOKENS", Spec{64, 8, 2}, BigTiles, "8x8 outputs a thread: 0.8 multiply-adds an instruction on AMD, NVIDIA and Adreno, 4x4 have 0.6"},
	{"patchembed_tokens", "affine.comp", "TOKENS", Spec{64, 4}, 0, "every Vulkan 1.1 device"},
	{"pool", "pool.comp", "", Spec{64}, 0, "every Vulkan 1.1 device"},
	{"pool_bwd_x", "pool_bwd_x.comp", "", Spec{64}, 0, "every Vulkan 1.1 device"},
	{"batchnorm", "batchnorm.comp", "", Spec{64}, 0, "every Vulkan 1.1 device"},
	{"batchnorm_train", "batchnorm.comp", "TRAIN", Spec{64}, 0, "every Vulkan 1.1 device"},
	{"batchnorm_bwd_x", "batchnorm_bwd_x.comp", "", Spec{64}, 0, "every Vulkan 1.1 device"},
	{"crossentropy", "crossentropy.comp", "", Spec{64}, 0, "every Vulkan 1.1 device"},
	{"binarycrossentropy", "binarycrossentropy.comp", "", Spec{64}, 0, "every Vulkan 1.1 device"},
	{"clipnorm_squares", "clipnorm.comp", "SQUARES", Spec{64}, 0, "every Vulkan 1.1 device"},
	{"clipnorm", "clipnorm.comp", "", Spec{64}, 0, "every Vulkan 1.1 device"},
	{"adamw", "adamw.comp", "", Spec{64}, 0, "every Vulkan 1.1 device"},
	{"sgd", "sgd.comp", "", Spec{64}, 0, "every Vulkan 1.1 device"},
	{"swiglu", "swiglu.comp", "", Spec{64}, 0, "every Vulkan 1.1 device"},
	{"swiglu_bwd_x", "swiglu.comp", "BACKWARD", Spec{64}, 0, "every Vulkan 1.1 device"},
	{"add", "elementwise.comp", "ADD", Spec{64}, 0, "every Vulkan 1.1 device"},
	{"scaleby", "elementwise.comp", "BY", Spec{64}, 0, "every Vulkan 1.1 device"},
	{"scale", "elementwise.comp", "", Spec{64}, 0, "every Vulkan 1.1 device"},
}...)

// optional are kernels that hosts can do without, by several others: no row of theirs need suit every device. Attention
// is then products of plain matrices in memory, and what it leaves is rounded by another kernel.
var optional = map[string]bool{
	"attention": true, "attention_round": true, "attention_bwd_dq": true, "attention_bwd_dk": true, "attention_bwd_dv": true,
	"windowattention": true, "windowattention_bwd_dq": true, "windowattention_bwd_dk": true, "windowattention_bwd_dv": true,
}

// Optional says that Pick may find no variant of the kernel for some devices.
func Optional(kernel string) bool { return optional[kernel] }

// Rows is the variants table, for the generator and for tests.
func Rows() []Row { return append([]Row(nil), variants...) }

// Variant is the row's name beside its kernel's: its defines joined by "+", and BIG where it is the same module with
// tiles for many registers.
func (r Row) Variant() string {
	words := strings.Fields(r.Define)
	if r.Needs&BigTiles != 0 {
		words = append(words, "BIG")
	}
	return strings.Join(words, "+")
}

// File is the name of the row's compiled module. Rows of one source and define share it.
func (r Row) File() string {
	name := strings.TrimSuffix(r.Source, ".comp")
	for _, d := range strings.Fields(r.Define) {
		name += "." + strings.ToLower(strings.ReplaceAll(d, "=", "_"))
	}
	return name + ".spv"
}
