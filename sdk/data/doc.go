// Package data turns picture files and folders of them into input tensors: decode, orient, resize, crop, normalise,
// list, split and load in parallel.
//
// Pictures come out as they do in Python with Pillow and torchvision: EXIF orientation is applied, alpha is dropped,
// 16-bit values lose their low byte, gray and palettes are expanded, JPEG and WebP are decoded as by libjpeg and libwebp,
// and resizing uses Pillow's antialiased 8-bit filters: bit-identical from file to tensor. Two things differ: JPEG in
// CMYK or RGB by one level, and JPEG files far larger than needed, which Pipeline.Decoder reads at reduced size.
//
// Memory is reused from call to call, but no state is kept: everything may be used from several goroutines at once.
package data
