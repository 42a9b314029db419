package data

import (
	"image"
	"image/color"
)

// packed is a picture whose pixels lie side by side, size bytes each. pix starts at the upper left corner of rect.
type packed struct {
	pix    []uint8
	stride int
	size   int
	rect   image.Rectangle
}

// fromPacked converts row by row: row reads len(dst)/3 pixels from src.
func fromPacked(p packed, row func(dst, src []uint8)) (*RGB, error) {
	w, h := p.rect.Dx(), p.rect.Dy()
	if err := checkRows(len(p.pix), p.stride, w*p.size, h); err != nil {
		return nil, err
	}
	out := newRGB(w, h)
	for y := range h {
		row(out.Pix[3*w*y:3*w*(y+1)], p.pix[y*p.stride:][:w*p.size])
	}
	return out, nil
}

// checkRows makes sure that h rows of width bytes, stride apart, lie inside n bytes.
func checkRows(n, stride, width, h int) error {
	if width < 1 || h < 1 || (h > 1 && stride < width) || n < width || (n-width)/max(stride, 1) < h-1 {
		return imageError("%d rows of %d bytes, %d apart, in %d bytes", h, width, stride, n)
	}
	return nil
}

func grayRow(dst, src []uint8) {
	for i, v := range src {
		dst[3*i], dst[3*i+1], dst[3*i+2] = v, v, v
	}
}

func gray16Row(dst, src []uint8) {
	for i := 0; i < len(src); i += 2 {
		v := src[i]
		dst[0], dst[1], dst[2] = v, v, v
		dst = dst[3:]
	}
}

func nrgbaRow(dst, src []uint8) {
	for i := 0; i < len(src); i += 4 {
		dst[0], dst[1], dst[2] = src[i], src[i+1], src[i+2]
		dst = dst[3:]
	}
}

func nrgba64Row(dst, src []uint8) {
	for i := 0; i < len(src); i += 8 {
		dst[0], dst[1], dst[2] = src[i], src[i+2], src[i+4]
		dst = dst[3:]
	}
}

// rgbaRow undoes the multiplication by alpha, which Go's RGBA holds.
func rgbaRow(dst, src []uint8) {
	for i := 0; i < len(src); i += 4 {
		s := src[i : i+4 : i+4]
		if s[3] == 0xff {
			dst[0], dst[1], dst[2] = s[0], s[1], s[2]
		} else {
			dst[0], dst[1], dst[2] = straight(color.RGBA{R: s[0], G: s[1], B: s[2], A: s[3]})
		}
		dst = dst[3:]
	}
}

func rgba64Row(dst, src []uint8) {
	for i := 0; i < len(src); i += 8 {
		s := src[i : i+8 : i+8]
		v := func(k int) uint16 { return uint16(s[k])<<8 | uint16(s[k+1]) }
		if v(6) == 0xffff {
			dst[0], dst[1], dst[2] = s[0], s[2], s[4]
		} else {
			dst[0], dst[1], dst[2] = straight(color.RGBA64{R: v(0), G: v(2), B: v(4), A: v(6)})
		}
		dst = dst[3:]
	}
}

// cmykRow is Pillow's conversion without a colour profile: what is left of white after black, less its share of ink,
// the product divided by 255 with rounding.
func cmykRow(dst, src []uint8) {
	for i := 0; i < len(src); i += 4 {
		left := 255 - int(src[i+3])
		for c := range 3 {
			p := int(src[i+c])*left + 128
			dst[c] = uint8(max(left-(p>>8+p)>>8, 0))
		}
		dst = dst[3:]
	}
}

// paletteRow looks colours up; an index past the palette's end is black.
func paletteRow(palette color.Palette) func(dst, src []uint8) {
	var table [256][3]uint8
	for i, c := range palette[:min(len(palette), 256)] {
		table[i][0], table[i][1], table[i][2] = straight(c)
	}
	return func(dst, src []uint8) {
		for i, v := range src {
			copy(dst[3*i:3*i+3], table[v][:])
		}
	}
}
