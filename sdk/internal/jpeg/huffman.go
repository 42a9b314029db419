package jpeg

import (
	"bytes"
	"encoding/binary"

	"github.com/pkg/errors"
)

const lookBits = 10 // codes up to this length are found by one look-up

// huffman decodes one table's codes.
type huffman struct {
	look    [1 << lookBits]uint16 // symbol<<8 | length of the code that starts with the index; 0: longer
	whole   [1 << lookBits]int32  // value<<16 | run<<8 | length where the AC value's own bits fit in too; else 0
	limit   [17]uint32            // first 16-bit number above all codes up to a length
	offset  [17]int32             // of a length's first symbol less its first code
	symbols [256]uint8
}

func (d *decoder) huffmanTables(b []byte) error {
	for len(b) > 0 {
		class, id := b[0]>>4, b[0]&15
		if class > 1 || id > 3 || len(b) < 17 {
			return errors.Errorf("Huffman table %02x of %d bytes", b[0], len(b))
		}
		t, n, err := newHuffman(b[1:])
		if err != nil {
			return errors.WithMessagef(err, "Huffman table %02x", b[0])
		}
		if class == 0 {
			d.dc[id] = t
		} else {
			d.ac[id] = t
		}
		b = b[1+n:]
	}
	return nil
}

// newHuffman reads 16 counts and their symbols; n is how many bytes that were.
func newHuffman(b []byte) (t *huffman, n int, err error) {
	t = new(huffman)
	code, index := uint32(0), 0 // code has 16 bits, its own in front
	for length := 1; length <= 16; length++ {
		t.offset[length] = int32(index) - int32(code>>(16-length))
		count := int(b[length-1])
		if index+count > 256 || 16+index+count > len(b) {
			return nil, 0, errors.Errorf("%d symbols and more in %d bytes", index+count, len(b)-16)
		}
		for range count {
			if code >= 1<<16 {
				return nil, 0, errors.Errorf("more codes of %d bits than there are", length)
			}
			symbol := b[16+index]
			t.symbols[index] = symbol
			if length <= lookBits {
				first := code >> (16 - lookBits)
				for i := range uint32(1) << (lookBits - length) {
					t.look[first+i] = uint16(symbol)<<8 | uint16(length)
				}
			}
			code += 1 << (16 - length)
			index++
		}
		t.limit[length] = code
	}
	t.fillWhole()
	return t, 16 + index, nil
}

// fillWhole joins codes with the bits of the AC value behind them.
func (t *huffman) fillWhole() {
	for i, e := range t.look {
		length, run, size := int(e&0xff), int32(e>>12), int(e>>8&15)
		if length == 0 || size == 0 || length+size > lookBits {
			continue
		}
		v := extend(uint32(i)>>(lookBits-length-size)&(1<<size-1), uint(size))
		t.whole[i] = v<<16 | run<<8 | int32(length+size)
	}
}

// extend turns size bits into a signed value: the lower half of the range stands for negative ones.
func extend(v uint32, size uint) int32 {
	if v < 1<<size>>1 {
		return int32(v) - 1<<size + 1
	}
	return int32(v)
}

// reader takes bits from the data of one scan, whose stuffing has been removed. Past its end it reads zeros.
type reader struct {
	data []byte // with 8 bytes to spare
	acc  uint64 // the next bits, the first one on top
	n    uint   // how many of them are sure to be there
	pos  int    // of the byte that follows them
}

// fill brings n to 56 at least. Bits below n may be there already; the same ones are laid over them.
func (r *reader) fill() {
	if uint(r.pos)+8 <= uint(len(r.data)) {
		r.acc |= binary.BigEndian.Uint64(r.data[r.pos:]) >> r.n
	}
	r.pos += int((63 - r.n) >> 3)
	r.n |= 56
}

// seek goes on at a byte.
func (r *reader) seek(pos int) { r.acc, r.n, r.pos = 0, 0, pos }

// past says whether more has been taken than the first end bytes.
func (r *reader) past(end int) bool { return 8*r.pos-int(r.n) > 8*end }

// bits takes the next count of them, at most 16.
func (r *reader) bits(count uint) uint32 {
	if r.n < 16 {
		r.fill()
	}
	v := uint32(r.acc >> 48 >> (16 - count))
	r.acc <<= count
	r.n -= count
	return v
}

// value takes a signed value of size bits.
func (r *reader) value(size uint) int32 { return extend(r.bits(size), size) }

// symbol takes the next code; ok is false if there is none such.
func (r *reader) symbol(t *huffman) (symbol uint8, ok bool) {
	if r.n < 16 {
		r.fill()
	}
	e := t.look[r.acc>>(64-lookBits)]
	if e == 0 {
		if e = t.long(r.acc); e == 0 {
			return 0, false
		}
	}
	r.acc <<= e & 0xff
	r.n -= uint(e & 0xff)
	return uint8(e >> 8), true
}

// long is look for codes of more than lookBits.
func (t *huffman) long(acc uint64) uint16 {
	code := uint32(acc >> 48)
	for length := lookBits + 1; length <= 16; length++ {
		if code < t.limit[length] {
			return uint16(t.symbols[uint8(int32(code>>(16-length))+t.offset[length])])<<8 | uint16(length)
		}
	}
	return 0
}

// split removes the stuffing from a scan's data, appending to data, and returns where the parts between restart markers
// end; used is how many bytes of b the scan takes. data has 8 bytes more than the last end.
func split(data, b []byte) (_ []byte, ends []int, used int) {
	for used+1 < len(b) {
		n := bytes.IndexByte(b[used:], 0xff)
		if n < 0 || used+n+1 >= len(b) {
			break
		}
		data = append(data, b[used:used+n]...)
		used += n
		m := b[used+1]
		switch {
		case m == 0:
			data = append(data, 0xff)
			used++
		case m >= rst0 && m <= rst7:
			ends = append(ends, len(data))
			used++
		case m != 0xff:
			return append(data, make([]byte, 8)...), append(ends, len(data)), used
		}
		used++
	}
	data = append(data, b[used:]...)
	return append(data, make([]byte, 8)...), append(ends, len(data)), len(b)
}
