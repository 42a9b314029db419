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

static uint32_t out[5]; // kind, x, y, width, height

// preprocess returns the smallest part that holds every pixel unlike the upper left one; all of a plain picture.
EXPORT("edgeadapt_preprocess_v1") uint64_t preprocess(const uint8_t *rgb, uint32_t width, uint32_t height, uint32_t side) {
	uint32_t left = width, right = 0, top = height, bottom = 0;
	for (uint32_t y = 0; y < height; y++)
		for (uint32_t x = 0; x < width; x++) {
			if (!differs(rgb, rgb + 3 * (y * width + x)))
				continue;
			left = x < left ? x : left;
			right = x > right ? x : right;
			top = y < top ? y : top;
			bottom = y;
		}
	if (left == width)
		left = top = 0, right = width - 1, bottom = height - 1;
	out[0] = CROP;
	out[1] = left;
	out[2] = top;
	out[3] = right - left + 1;
	out[4] = bottom - top + 1;
	return (uint64_t)(uint32_t)out << 32 | sizeof out;
}
