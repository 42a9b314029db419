package jpeg

import "github.com/pkg/errors"

// component is one channel of the frame.
type component struct {
	id     byte
	h, v   int // sampling factors: blocks an MCU, across and down
	table  int // of quantisation
	scans  int
	size   int // samples that a block becomes, a side
	stride int
	plane  []uint8 // [blocksY*size][stride]

	width, height    int // in blocks, what the picture needs: what a scan of this component alone holds
	blocksX, blocksY int // the same in whole MCUs

	coefficients []int16 // [blocksY][blocksX][64] in zigzag order, progressive files only
	quant        *quantTable
	dc, ac       *huffman
	predicted    int32 // the last block's DC
}

// frame reads the frame header and allocates the planes.
func (d *decoder) frame(m byte, b []byte) error {
	if len(d.components) > 0 {
		return errors.New("two frames")
	}
	if len(b) < 6 || len(b) != 6+3*int(b[5]) {
		return errors.Errorf("frame header of %d bytes", len(b))
	}
	d.progressive = m == sof2
	d.height, d.width = int(b[1])<<8|int(b[2]), int(b[3])<<8|int(b[4])
	if d.width == 0 || d.height == 0 {
		return errors.Errorf("%dx%d pixels", d.width, d.height)
	}
	if b[0] != 8 || b[5] != 1 && b[5] != 3 {
		return errors.Wrapf(ErrUnsupported, "%d bits, %d components", b[0], b[5])
	}
	var all []*component
	for b = b[6:]; len(b) > 0; b = b[3:] {
		c := &component{id: b[0], h: int(b[1] >> 4), v: int(b[1] & 15), table: int(b[2])}
		if c.h < 1 || c.h > 4 || c.v < 1 || c.v > 4 || c.table > 3 {
			return errors.Errorf("component %d sampled %dx%d with table %d", c.id, c.h, c.v, c.table)
		}
		all = append(all, c)
	}
	if err := d.colours(all); err != nil {
		return err
	}
	return d.allocate(all)
}

// colours makes sure that the components are gray or YCbCr, chroma no finer than luma.
func (d *decoder) colours(all []*component) error {
	y := all[0]
	if len(all) == 1 {
		y.h, y.v = 1, 1 // a single component has no others to be sampled against
		return nil
	}
	if !d.jfif && (d.adobe && d.adobeRGB || !d.adobe && all[0].id == 'R' && all[1].id == 'G' && all[2].id == 'B') {
		return errors.Wrap(ErrUnsupported, "RGB")
	}
	cb, cr := all[1], all[2]
	if cb.h != cr.h || cb.v != cr.v || y.h%cb.h != 0 || y.v%cb.v != 0 {
		return errors.Wrapf(ErrUnsupported, "sampling %dx%d, %dx%d, %dx%d", y.h, y.v, cb.h, cb.v, cr.h, cr.v)
	}
	if y.id == cb.id || y.id == cr.id || cb.id == cr.id {
		return errors.Errorf("components named %d, %d, %d", y.id, cb.id, cr.id)
	}
	return nil
}

// allocate lays the planes out, after checking that the rest of the file can fill them: a block takes at least a bit.
func (d *decoder) allocate(all []*component) error {
	d.hmax, d.vmax = all[0].h, all[0].v
	d.mcusX, d.mcusY = ceilDiv(d.width, 8*d.hmax), ceilDiv(d.height, 8*d.vmax)
	blocks := 0
	for _, c := range all {
		c.size = d.blockSize
		for c.size < 8 && d.hmax*d.blockSize%(2*c.h*c.size) == 0 && d.vmax*d.blockSize%(2*c.v*c.size) == 0 {
			c.size *= 2 // coarse chroma catches up with luma
		}
		c.width, c.height = ceilDiv(ceilDiv(d.width*c.h, d.hmax), 8), ceilDiv(ceilDiv(d.height*c.v, d.vmax), 8)
		c.blocksX, c.blocksY = d.mcusX*c.h, d.mcusY*c.v
		blocks += c.width * c.height
	}
	if blocks/8 > len(d.rest) {
		return errors.WithMessagef(errShort, "%dx%d pixels in %d bytes", d.width, d.height, len(d.rest))
	}
	if d.progressive && blocks > maxCoefficients/64 {
		return errors.Errorf("progressive with %d blocks, at most %d are read", blocks, maxCoefficients/64)
	}
	for _, c := range all {
		c.stride = c.blocksX * c.size
		c.plane = make([]uint8, c.stride*c.blocksY*c.size)
		if d.progressive {
			c.coefficients = make([]int16, 64*c.blocksX*c.blocksY)
		}
	}
	d.components = all
	return nil
}

// quantTable holds the factors of a block in zigzag order, shifted to where block keeps the coefficient.
type quantTable [64]int64

func (d *decoder) quantTables(b []byte) error {
	for len(b) > 0 {
		id, wide := b[0]&15, int(b[0]>>4)
		n := 1 + 64*(1+wide)
		if id > 3 || wide > 1 || len(b) < n {
			return errors.Errorf("quantisation table %d of %d bytes", id, len(b))
		}
		t := new(quantTable)
		for i := range t {
			v := int64(b[1+i])
			if wide == 1 {
				v = int64(b[1+2*i])<<8 | int64(b[2+2*i])
			}
			t[i] = v << places[i].shift
		}
		d.quants[id] = t
		b = b[n:]
	}
	return nil
}
