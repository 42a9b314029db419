// Plug-in in C: pre-processing that cuts off a border of one colour, such as the table around a part. It needs no
// library. Build it with make plugins; attach it with
//
//	edgeadapt adapters attach parts.safetensors --plugin trim.wasm -o trimmed.safetensors
#include <stdint.h>

#define EXPORT(name) __attribute__((export_name(name)))

enum { CROP = 1, TOLERANCE = 24, PAGE = 65536 };

extern uint8_t __heap_base; // where the linker's data ends

// alloc gives the host the memory behind our data. There is one picture a call, so nothing is ever freed.
EXPORT("edgeadapt_alloc") uint8_t *alloc(uint32_t size) {
	uint32_t end = (uint32_t)&__heap_base + size, have = __builtin_wasm_memory_size(0) * PAGE;
	if (end < size || (end > have && __builtin_wasm_memory_grow(0, (end - have + PAGE - 1) / PAGE) == (uint32_t)-1))
		return 0;
	return &__heap_base;
}

static int differs(const uint8_t *a, const uint8_t *b) {
	for (int c = 0; c < 3; c++) {
		int d = a[c] - b[c];
		if (d > TOLERANCE || d < -TOLERANCE)
			return 1;
	}
	return 0;
}

// part is columns left to right-1 of rows top to bottom-1.
struct part {
	uint32_t left, top, right, bottom;
};

// plain says whether every pixel of a part is like the picture's first. Each turn of a loop costs a look at the host's
// time limit, hence the unrolling.
static int plain(const uint8_t *rgb, uint32_t width, struct part p) {
	for (uint32_t y = p.top; y < p.bottom; y++) {
#pragma clang loop unroll_count(8)
		for (uint32_t x = p.left; x < p.right; x++)
			if (differs(rgb, rgb + 3 * (y * width + x)))
				return 0;
	}
	return 1;
}

static uint32_t out[5]; // kind, x, y, width, height

// preprocess moves each side inwards while what it passes is plain; a picture that is plain throughout stays whole.
EXPORT("edgeadapt_preprocess_v1") uint64_t preprocess(const uint8_t *rgb, uint32_t width, uint32_t height, uint32_t side) {
	struct part p = {0, 0, width, height};
	if (!plain(rgb, width, p)) {
		while (plain(rgb, width, (struct part){p.left, p.top, p.right, p.top + 1}))
			p.top++;
		while (plain(rgb, width, (struct part){p.left, p.bottom - 1, p.right, p.bottom}))
			p.bottom--;
		while (plain(rgb, width, (struct part){p.left, p.top, p.left + 1, p.bottom}))
			p.left++;
		while (plain(rgb, width, (struct part){p.right - 1, p.top, p.right, p.bottom}))
			p.right--;
	}
	out[0] = CROP;
	out[1] = p.left;
	out[2] = p.top;
	out[3] = p.right - p.left;
	out[4] = p.bottom - p.top;
	return (uint64_t)(uint32_t)out << 32 | sizeof out;
}
