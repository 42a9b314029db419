package pth

import (
	"bytes"
	"encoding/binary"
)

// magic is the first pickle of the container before 1.6: PyTorch's number 0x1950a86a20f9469cfc6c.
var magic = []byte("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.")

// openLegacy reads the container before 1.6: pickles of the magic number, the protocol, the writer's byte order, the
// value and a list of keys, then each key's storage as a count of elements (int64) and the elements.
func (f *File) openLegacy(size int64) (root any, err error) {
	code := make([]byte, min(size, maxPickleBytes))
	if err := readAt(f.r, code, 0); err != nil {
		return nil, err
	}
	if !bytes.HasPrefix(code, magic) {
		return nil, corrupt("a pickle without PyTorch's magic number, expected a file that torch.save wrote")
	}
	at := len(magic)
	next := func() (v any, storages map[string]*storage) {
		if err != nil {
			return nil, nil
		}
		var n int
		v, n, storages, err = run(code[at:])
		at += n
		return v, storages
	}
	protocol, _ := next()
	system, _ := next()
	root, storages := next()
	keys, _ := next()
	if err != nil {
		return nil, err
	}
	if protocol != int64(1001) {
		return nil, corrupt("serialisation protocol %v, expected 1001; save the file again with PyTorch 1.6 or later", protocol)
	}
	if info, ok := system.(*dict); ok {
		if little, _ := info.get("little_endian"); little != true {
			return nil, corrupt("big-endian storages; save the file again on a little-endian machine")
		}
	}
	list, ok := keys.(*list)
	if !ok {
		return nil, corrupt("%s of storage keys, expected a list", describe(keys))
	}
	f.extents, err = f.legacyExtents(list.items, storages, int64(at), size)
	return root, err
}

// legacyExtents walks over the storages from byte at on.
func (f *File) legacyExtents(keys []any, storages map[string]*storage, at, size int64) (map[string]extent, error) {
	extents := map[string]extent{}
	for _, k := range keys {
		key, _ := k.(string)
		s := storages[key]
		if s == nil {
			return nil, corrupt("storage %v, which no tensor of a known type has: save the file again with PyTorch 1.6 or later", k)
		}
		if _, twice := extents[key]; twice {
			return nil, corrupt("storage %q twice", key)
		}
		var count [8]byte
		if err := readAt(f.r, count[:], at); err != nil {
			return nil, err
		}
		at += int64(len(count))
		elems, width := binary.LittleEndian.Uint64(count[:]), uint64(s.dtype.Size())
		if elems > uint64(size-at)/width {
			return nil, corrupt("storage %q of %d elements of %s, the file has %d bytes left", key, elems, s.dtype, size-at)
		}
		extents[key] = extent{at, int64(elems * width)}
		at += int64(elems * width)
	}
	return extents, nil
}
