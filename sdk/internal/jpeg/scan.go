package jpeg

import "github.com/pkg/errors"

var (
	errCode  = errors.New("no such Huffman code")
	errBlock = errors.New("block of more than 64 coefficients")
)

// scan is one pass over some components: all of a sequential file's coefficients, or some of a progressive one's.
type scan struct {
	reader
	components []*component
	from, to   int  // coefficients, in zigzag order
	high, low  uint // bit positions: of the pass before, 0 if there was none, and of this one
	run        int  // blocks that a progressive AC scan has still to skip

	block   block
	refine  func(s *scan, c *component, b []int16) error // of a progressive file, any pass
	restart int
	ends    []int
}

// scan reads a scan's header and its data.
func (d *decoder) scan(b []byte) error {
	if len(d.components) == 0 {
		return errors.New("scan before the frame")
	}
	if len(b) < 1 || b[0] < 1 || int(b[0]) > len(d.components) || len(b) != 4+2*int(b[0]) {
		return errors.Errorf("scan header of %d bytes", len(b))
	}
	s := &scan{restart: d.restart}
	names, spectrum := b[1:len(b)-3], b[len(b)-3:]
	s.from, s.to, s.high, s.low = int(spectrum[0]), int(spectrum[1]), uint(spectrum[2]>>4), uint(spectrum[2]&15)
	for ; len(names) > 0; names = names[2:] {
		if err := d.join(s, names[0], names[1]); err != nil {
			return err
		}
	}
	if d.progressive {
		if err := s.progressive(); err != nil {
			return err
		}
	} else {
		s.from, s.to, s.high, s.low = 0, 63, 0, 0 // whatever the header says
	}
	if err := s.checkTables(); err != nil {
		return err
	}
	var used int
	d.data, s.ends, used = split(d.data[:0], d.rest)
	d.rest = d.rest[used:]
	s.data = d.data
	return s.read(d)
}

// join adds the component of a name with the tables that are in force now.
func (d *decoder) join(s *scan, name, tables byte) error {
	for _, c := range d.components {
		if c.id != name {
			continue
		}
		for _, other := range s.components {
			if other == c {
				return errors.Errorf("component %d twice in a scan", name)
			}
		}
		if c.scans++; c.scans > maxScans {
			return errors.Errorf("component %d in more than %d scans", name, maxScans)
		}
		dc, ac := tables>>4, tables&15
		if dc > 3 || ac > 3 {
			return errors.Errorf("Huffman tables %d and %d", dc, ac)
		}
		c.dc, c.ac, c.predicted = d.dc[dc], d.ac[ac], 0
		if c.quant == nil {
			c.quant = d.quants[c.table]
		}
		if c.quant == nil {
			return errors.Errorf("no quantisation table %d", c.table)
		}
		s.components = append(s.components, c)
		return nil
	}
	return errors.Errorf("scan of component %d, which the frame lacks", name)
}

// checkTables makes sure that the Huffman tables that the scan needs are there.
func (s *scan) checkTables() error {
	for _, c := range s.components {
		if s.from == 0 && s.high == 0 && c.dc == nil || s.to > 0 && c.ac == nil {
			return errors.Errorf("no Huffman table for component %d", c.id)
		}
	}
	return nil
}

// read goes through the scan's data: MCU by MCU or, with one component, block by block of what the picture needs.
func (s *scan) read(d *decoder) error {
	columns, rows := d.mcusX, d.mcusY
	if len(s.components) == 1 {
		columns, rows = s.components[0].width, s.components[0].height
	}
	end, left := s.ends[0], s.restart
	for y := range rows {
		for x := range columns {
			if s.restart > 0 && left == 0 {
				if len(s.ends) == 1 {
					return errors.New("restart marker missing")
				}
				s.again()
				end, left = s.ends[0], s.restart
			}
			left--
			if err := s.mcu(x, y); err != nil {
				return errors.WithMessagef(err, "MCU %d, %d", x, y)
			}
			if s.past(end) {
				return errors.WithMessagef(errShort, "MCU %d, %d of %dx%d", x, y, columns, rows)
			}
		}
	}
	return nil
}

// again starts the part after a restart marker.
func (s *scan) again() {
	s.seek(s.ends[0])
	s.ends, s.run = s.ends[1:], 0
	for _, c := range s.components {
		c.predicted = 0
	}
}

func (s *scan) mcu(x, y int) error {
	if len(s.components) == 1 {
		return s.at(s.components[0], x, y)
	}
	for _, c := range s.components {
		for v := range c.v {
			for h := range c.h {
				if err := s.at(c, x*c.h+h, y*c.v+v); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// at reads the block at column x and row y of c.
func (s *scan) at(c *component, x, y int) error {
	if s.refine != nil {
		i := 64 * (y*c.blocksX + x)
		return s.refine(s, c, c.coefficients[i:i+64:i+64])
	}
	more, err := s.sequential(c)
	if err != nil {
		return err
	}
	dst := c.plane[y*c.size*c.stride+x*c.size:]
	if more {
		s.block.transform(dst, c.stride, c.size)
		s.block = block{}
	} else {
		s.block.flat(dst, c.stride, c.size)
		s.block[0] = 0
	}
	return nil
}

// delta reads a DC coefficient, which is stored as its difference to the one before.
func (s *scan) delta(c *component) error {
	size, ok := s.symbol(c.dc)
	if !ok || size > 15 {
		return errCode
	}
	c.predicted += s.value(uint(size))
	return nil
}

// sequential reads all coefficients into s.block, which is zero before; more says whether there is one beside the mean.
func (s *scan) sequential(c *component) (more bool, err error) {
	if err := s.delta(c); err != nil {
		return false, err
	}
	b, q, t := &s.block, c.quant, c.ac
	b[0] = int64(c.predicted) * q[0]
	r := s.reader // a copy in registers: this loop is half of the decoder's time
	k := 1
	for ; k < 64; k++ {
		if r.n < 32 { // a code and its value's bits take 31
			r.fill()
		}
		if e := t.whole[r.acc>>(64-lookBits)]; e != 0 {
			r.acc <<= e & 0xff
			r.n -= uint(e & 0xff)
			k += int(e >> 8 & 0xff)
			if k > 63 {
				return false, errBlock
			}
			b[indices[k]&31] += int64(e>>16) * q[k]
			continue
		}
		e := t.look[r.acc>>(64-lookBits)]
		if e == 0 {
			if e = t.long(r.acc); e == 0 {
				return false, errCode
			}
		}
		r.acc <<= e & 0xff
		r.n -= uint(e & 0xff)
		run, size := int(e>>12), uint(e>>8&15)
		if size == 0 {
			if run < 15 {
				break // end of block
			}
			k += 15
			continue
		}
		k += run
		if k > 63 {
			return false, errBlock
		}
		v := extend(uint32(r.acc>>(64-size)), size)
		r.acc <<= size
		r.n -= size
		b[indices[k]&31] += int64(v) * q[k]
	}
	s.reader = r
	return k > 1, nil
}
