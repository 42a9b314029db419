package jpeg

import "github.com/pkg/errors"

// progressive checks what the scan's header says and chooses how its blocks are read: T.81, annex G.
func (s *scan) progressive() error {
	if s.to > 63 || s.from > s.to || s.from == 0 && s.to > 0 || s.from > 0 && len(s.components) > 1 ||
		s.low > 13 || s.high > 0 && s.high != s.low+1 {
		return errors.Errorf("scan of coefficients %d to %d, bits %d to %d", s.from, s.to, s.high, s.low)
	}
	switch {
	case s.from == 0 && s.high == 0:
		s.refine = (*scan).firstDC
	case s.from == 0:
		s.refine = (*scan).laterDC
	case s.high == 0:
		s.refine = (*scan).firstAC
	default:
		s.refine = (*scan).laterAC
	}
	return nil
}

func (s *scan) firstDC(c *component, b []int16) error {
	if err := s.delta(c); err != nil {
		return err
	}
	b[0] = int16(c.predicted << s.low)
	return nil
}

func (s *scan) laterDC(_ *component, b []int16) error {
	b[0] |= int16(s.bits(1) << s.low)
	return nil
}

func (s *scan) firstAC(c *component, b []int16) error {
	if s.run > 0 {
		s.run--
		return nil
	}
	for k := s.from; k <= s.to; k++ {
		e, ok := s.symbol(c.ac)
		if !ok {
			return errCode
		}
		run, size := int(e>>4), uint(e&15)
		if size == 0 {
			if run < 15 {
				s.run = s.skipped(run) - 1
				return nil
			}
			k += 15
			continue
		}
		if k += run; k > s.to {
			return errBlock
		}
		b[k] = int16(s.value(size) << s.low)
	}
	return nil
}

// skipped reads how many blocks end here, this one included.
func (s *scan) skipped(run int) int { return 1<<run + int(s.bits(uint(run))) }

// laterAC adds a bit to the coefficients that are not zero, and lets others join them.
func (s *scan) laterAC(c *component, b []int16) error {
	k := s.from
	for s.run == 0 && k <= s.to {
		e, ok := s.symbol(c.ac)
		if !ok {
			return errCode
		}
		run, joins := int(e>>4), int16(0)
		switch e & 15 {
		case 0:
			if run < 15 {
				s.run = s.skipped(run)
			}
		case 1:
			joins = int16(2*int32(s.bits(1))-1) << s.low
		default:
			return errors.Errorf("%d new bits in a refining scan", e&15)
		}
		if s.run > 0 {
			break
		}
		k = s.correct(b, k, run)
		if joins != 0 {
			if k > s.to {
				return errBlock
			}
			b[k] = joins
		}
		k++
	}
	if s.run > 0 {
		s.correct(b, k, 64)
		s.run--
	}
	return nil
}

// correct reads a bit for each coefficient from k on that is not zero, until zeros of them have been passed, and returns
// the index of the zero after those; it is above to where there is none.
func (s *scan) correct(b []int16, k, zeros int) int {
	bit := int16(1) << s.low
	for ; k <= s.to; k++ {
		v := b[k]
		if v == 0 {
			if zeros == 0 {
				break
			}
			zeros--
			continue
		}
		switch {
		case s.bits(1) == 0:
		case v > 0:
			b[k] += bit
		default:
			b[k] -= bit
		}
	}
	return k
}

// reconstruct makes the plane of a progressive file's component from all that its scans have said.
func (c *component) reconstruct() {
	for y := range c.blocksY {
		for x := range c.blocksX {
			i := 64 * (y*c.blocksX + x)
			var b block
			for k, v := range c.coefficients[i : i+64] {
				if v != 0 {
					b[indices[k]&31] += int64(v) * c.quant[k]
				}
			}
			b.transform(c.plane[y*c.size*c.stride+x*c.size:], c.stride, c.size)
		}
	}
	c.coefficients = nil
}
