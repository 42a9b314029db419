package plugin

import (
	"cmp"
	"encoding/binary"
	"slices"
)

// segment is what the memory holds from an address on when an instance starts.
type segment struct {
	at    uint32
	bytes []byte
}

func (s *scanner) dataSegment() {
	kind := s.u32()
	var at uint32
	switch kind {
	case 0: // active, in memory 0
		if len(s.rest) > 0 && s.rest[0] != 0x41 {
			s.fail("data at an address that is no constant")
		}
		at = s.constant()
	case 1: // passive: copied by an instruction
	default:
		s.fail("data segment of kind %d, expected 0 or 1", kind)
	}
	content := s.bytes(s.count(len(s.rest)))
	s.passive = s.passive || kind != 0
	s.data = append(s.data, segment{at, content})
}

// maxGap is the widest gap between two segments that is filled with zeros to make one of them. Every segment costs the
// runtime about as long as copying 2 kB, in every call; too wide a gap would make small modules large.
const maxGap = 64

// mergeData makes a data section of fewer segments with the same effect: an instance's memory starts as zeros, so the
// zeros between two segments may as well be written. It returns nil where segments overlap, as their order then matters,
// where one is passive or instructions may name them, and for other sections.
func (s *scanner) mergeData() []byte {
	if s.passive || s.facts.counted {
		return nil
	}
	slices.SortStableFunc(s.data, func(a, b segment) int { return cmp.Compare(a.at, b.at) })
	var merged []segment
	end := uint64(0)
	for _, g := range s.data {
		if uint64(g.at) < end {
			return nil
		}
		if gap := uint64(g.at) - end; len(merged) > 0 && gap <= maxGap {
			last := &merged[len(merged)-1]
			last.bytes = append(append(last.bytes, make([]byte, gap)...), g.bytes...)
		} else {
			merged = append(merged, segment{g.at, append([]byte(nil), g.bytes...)})
		}
		end = uint64(g.at) + uint64(len(g.bytes))
	}
	if len(merged) == 0 {
		return nil
	}
	out := binary.AppendUvarint(nil, uint64(len(merged)))
	for _, g := range merged {
		out = appendSigned(append(out, 0, 0x41), int32(g.at)) // active, i32.const
		out = binary.AppendUvarint(append(out, 0x0b), uint64(len(g.bytes)))
		out = append(out, g.bytes...)
	}
	return out
}

// appendSigned appends v as signed LEB128.
func appendSigned(b []byte, v int32) []byte {
	for {
		low := byte(v & 0x7f)
		v >>= 7
		if v == 0 && low&0x40 == 0 || v == -1 && low&0x40 != 0 {
			return append(b, low)
		}
		b = append(b, low|0x80)
	}
}
