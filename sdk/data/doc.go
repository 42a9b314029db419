// Package data turns picture files and folders of them into input tensors: decode, orient, resize, crop, normalise,
// list, split and load in parallel.
//
// Pictures come out as they do in Python with Pillow and torchvision: EXIF orientation is applied, alpha is dropped,
// 16-bit values lose their low byte, gray and palettes are expanded, chroma is interpolated as libjpeg and libwebp do,
// and resizing uses Pillow's antialiased 8-bit filters to the last bit. PNG files are therefore bit-identical from file
// to tensor; JPEG files differ by the rounding of the decoder's inverse DCT, at most 3 of 255.
//
// Nothing here keeps global state, and everything may be used from several goroutines at once.
package data
