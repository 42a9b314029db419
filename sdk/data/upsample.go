package data

import (
	"encoding/binary"
	"image"
)

// upsampler brings rows of a chroma plane [rows][cols] to luma's size. A chroma sample sits in the middle of the 2x1,
// 1x2 or 2x2 luma samples that share it, so each luma sample takes 3/4 of its own and 1/4 of the nearer neighbour per
// axis. Other ratios repeat samples.
type upsampler struct {
	width          int // of luma
	h, v           int // luma samples a chroma sample, per axis
	phaseX, phaseY int // of the first luma sample within its chroma sample: 1 in pictures cut at an odd place
	cols, rows     int
	stride         int
	smooth         bool
	odd            uint64 // rounding of odd columns where both axes are interpolated
}

func newUpsampler(m *image.YCbCr, rule *chromaRule) (*upsampler, error) {
	u := &upsampler{width: m.Rect.Dx(), h: 1, v: 1, stride: m.CStride, odd: rule.odd}
	switch m.SubsampleRatio {
	case image.YCbCrSubsampleRatio444:
	case image.YCbCrSubsampleRatio422:
		u.h = 2
	case image.YCbCrSubsampleRatio420:
		u.h, u.v = 2, 2
	case image.YCbCrSubsampleRatio440:
		u.v = 2
	case image.YCbCrSubsampleRatio411:
		u.h = 4
	case image.YCbCrSubsampleRatio410:
		u.h, u.v = 4, 2
	default:
		return nil, imageError("chroma subsampling %v", m.SubsampleRatio)
	}
	u.phaseX, u.phaseY = m.Rect.Min.X&(u.h-1), m.Rect.Min.Y&(u.v-1)
	u.cols = (u.phaseX + m.Rect.Dx() + u.h - 1) / u.h
	u.rows = (u.phaseY + m.Rect.Dy() + u.v - 1) / u.v
	u.smooth = u.h <= 2 && (u.h == 1 || !rule.thin || u.cols > 2)
	for _, plane := range [][]uint8{m.Cb, m.Cr} {
		if err := checkRows(len(plane), m.CStride, u.cols, u.rows); err != nil {
			return nil, err
		}
	}
	return u, nil
}

// row is luma row y's chroma: a part of the plane or of wide, which has room for h*cols samples.
func (u *upsampler) row(wide, plane []uint8, y int) []uint8 {
	y += u.phaseY
	own := u.source(plane, y/u.v)
	switch {
	case u.h == 1 && u.v == 1:
		return own
	case !u.smooth:
		for i := range wide {
			wide[i] = own[i/u.h]
		}
	case u.v == 1:
		u.interpolate(wide, weighted{own: own, a: 1}, 1, 2, 2)
	default:
		near := u.source(plane, y/2-1+y%2*2) // above for even rows, below for odd ones
		s := weighted{own: own, near: near, a: 3, b: 1}
		if u.h == 2 {
			u.interpolate(wide, s, 8, u.odd, 4)
		} else {
			for i := range wide {
				wide[i] = uint8((s.at(i) + 1 + uint64(y%2)) >> 2)
			}
		}
	}
	return wide[u.phaseX:][:u.width]
}

// source is a row of the plane; the first and the last repeat beyond the edge.
func (u *upsampler) source(plane []uint8, y int) []uint8 {
	return plane[min(max(y, 0), u.rows-1)*u.stride:][:u.cols]
}

// weighted is the row a*own + b*near, whose first and last elements repeat beyond its ends. near may be nil with b = 0.
type weighted struct {
	own, near []uint8
	a, b      uint64
}

func (s *weighted) at(i int) uint64 {
	i = min(max(i, 0), len(s.own)-1)
	v := s.a * uint64(s.own[i])
	if s.b > 0 {
		v += s.b * uint64(s.near[i])
	}
	return v
}

// Eight samples are worked on at once, four in each of two numbers, 16 bits apart.
const (
	lanes = 0x00ff00ff00ff00ff
	ones  = 0x0001000100010001
)

// interpolate writes two columns for each of s, weighted 3 to 1 with the nearer neighbour.
func (u *upsampler) interpolate(wide []uint8, s weighted, even, odd uint64, shift uint) {
	i := u.inEights(wide, s, even*ones, odd*ones, shift)
	for ; i < u.cols; i++ {
		v := 3 * s.at(i)
		wide[2*i] = uint8((v + s.at(i-1) + even) >> shift)
		wide[2*i+1] = uint8((v + s.at(i+1) + odd) >> shift)
	}
}

// inEights is interpolate for as many columns as have eight and a next one; it returns how many those are.
func (u *upsampler) inEights(wide []uint8, s weighted, roundLeft, roundRight uint64, shift uint) int {
	shift &= 7
	near := s.near
	if near == nil {
		near = s.own
	}
	i, before := 0, s.at(0)
	for ; i+8 < u.cols; i += 8 {
		own, other := binary.LittleEndian.Uint64(s.own[i:]), binary.LittleEndian.Uint64(near[i:])
		v := s.a*(own&lanes) + s.b*(other&lanes) // columns i, i+2, i+4, i+6
		w := s.a*(own>>8&lanes) + s.b*(other>>8&lanes)
		next := s.a*uint64(s.own[i+8]) + s.b*uint64(near[i+8])
		p := (3*v+(w<<16|before)+roundLeft)>>shift&lanes | (3*v+w+roundRight)>>shift&lanes<<8
		q := (3*w+v+roundLeft)>>shift&lanes | (3*w+(v>>16|next<<48)+roundRight)>>shift&lanes<<8
		before = w >> 48
		o := wide[2*i : 2*i+16 : 2*i+16]
		binary.LittleEndian.PutUint64(o, pairs(p)|pairs(q)<<16)
		binary.LittleEndian.PutUint64(o[8:], pairs(p>>32)|pairs(q>>32)<<16)
	}
	return i
}

// pairs moves the two lower lanes 32 bits apart.
func pairs(v uint64) uint64 { return (v&0xffff0000)<<16 | v&0xffff }
