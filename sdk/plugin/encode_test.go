package plugin

import (
	"encoding/binary"
	"maps"
	"slices"
)

// draft is a module by its sections' contents.
type draft map[byte][]byte

// bytes encodes the module.
func (d draft) bytes() []byte {
	out := []byte(header)
	for _, id := range order {
		if content, ok := d[id]; ok {
			out = append(binary.AppendUvarint(append(out, id), uint64(len(content))), content...)
		}
	}
	return out
}

// with returns a copy with another content of a section; none drops it.
func (d draft) with(id byte, content ...byte) draft {
	d = maps.Clone(d)
	d[id] = content
	if len(content) == 0 {
		delete(d, id)
	}
	return d
}

// vector is a count and its items.
func vector(items ...[]byte) []byte {
	return slices.Concat(append([][]byte{{byte(len(items))}}, items...)...)
}

// sized is content after its length.
func sized(content ...byte) []byte {
	return append(binary.AppendUvarint(nil, uint64(len(content))), content...)
}

// export is an entry of the export section: kind 0 is a function, 2 a memory.
func export(name string, kind, index byte) []byte {
	return append(sized([]byte(name)...), kind, index)
}

// imported is an entry of the import section.
func imported(module, name string, description ...byte) []byte {
	return slices.Concat(sized([]byte(module)...), sized([]byte(name)...), description)
}

// Bodies of functions: no locals, instructions, end.
var (
	bodyTrap = []byte{0, 0x00, 0x0b}                         // unreachable
	bodyLoop = []byte{0, 0x03, 0x40, 0x0c, 0x00, 0x0b, 0x0b} // loop br 0 end
)

// minimal is the smallest useful plug-in: it answers {} to every score. Function 0 is the allocator, 1 the hook, and 2 an
// extra one of type () -> () with the given body, which nothing calls.
func minimal(extra []byte) draft {
	return draft{
		sectionType:     vector([]byte{0x60, 0, 0}, []byte{0x60, 1, 0x7f, 1, 0x7f}, []byte{0x60, 2, 0x7f, 0x7f, 1, 0x7e}),
		sectionFunction: {3, 1, 2, 0},
		sectionMemory:   {1, 0, 1},
		sectionExport:   vector(export(exportMemory, 2, 0), export(exportAlloc, 0, 0), export(exportPost, 0, 1)),
		sectionCode: vector(
			sized(0, 0x41, 0x80, 0x08, 0x0b),                         // i32.const 1024
			sized(0, 0x42, 0x82, 0x80, 0x80, 0x80, 0x80, 0x02, 0x0b), // i64.const 16 << 32 | 2
			sized(extra...)),
		sectionData: vector([]byte{0, 0x41, 16, 0x0b, 2, '{', '}'}),
	}
}
