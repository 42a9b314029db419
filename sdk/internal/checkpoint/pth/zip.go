package pth

import (
	"archive/zip"
	"cmp"
	"io"
	"slices"
	"strings"
)

// openZip reads the container of PyTorch 1.6 and later: NAME/data.pkl, NAME/data/KEY for each storage, and perhaps
// NAME/byteorder. All are stored without compression, so a storage is a range of the file.
func (f *File) openZip(size int64) (root any, err error) {
	z, err := zip.NewReader(&limited{f.r, maxDirectoryBytes}, size)
	if err != nil {
		return nil, corrupt("zip container: %v", err)
	}
	ranges, err := storedRanges(f.r, z.File, size)
	if err != nil {
		return nil, err
	}
	folder := ""
	for name := range ranges {
		if rest, ok := strings.CutSuffix(name, "data.pkl"); ok && strings.Count(name, "/") <= 1 {
			folder = rest
		}
	}
	pickle, ok := ranges[folder+"data.pkl"]
	if !ok {
		return nil, corrupt("zip container without data.pkl, expected a file that torch.save wrote")
	}
	if pickle.bytes > maxPickleBytes {
		return nil, corrupt("data.pkl of %d bytes, the limit is %d", pickle.bytes, maxPickleBytes)
	}
	if order, ok := ranges[folder+"byteorder"]; ok {
		text := make([]byte, min(order.bytes, int64(len("little"))))
		if err := readAt(f.r, text, order.at); err != nil {
			return nil, err
		}
		if string(text) != "little" {
			return nil, corrupt("byte order %q, expected little", text)
		}
	}
	code := make([]byte, pickle.bytes)
	if err := readAt(f.r, code, pickle.at); err != nil {
		return nil, err
	}
	root, _, _, err = run(code)
	f.extents = map[string]extent{}
	for name, x := range ranges {
		if key, ok := strings.CutPrefix(name, folder+"data/"); ok {
			f.extents[key] = x
		}
	}
	return root, err
}

// maxDirectoryBytes bounds what is read to list the entries; each takes about 100 bytes.
const maxDirectoryBytes = 8 << 20

// limited fails once more than left bytes were read.
type limited struct {
	r    io.ReaderAt
	left int64
}

func (l *limited) ReadAt(b []byte, at int64) (int, error) {
	if l.left -= int64(len(b)); l.left < 0 {
		return 0, corrupt("a directory of more than %d bytes", maxDirectoryBytes)
	}
	return l.r.ReadAt(b, at)
}

// storedRanges returns where each entry's bytes lie. It refuses compressed, encrypted and repeated entries, and those
// that leave the file or share bytes: a small file could otherwise stand for any amount of data.
func storedRanges(r io.ReaderAt, files []*zip.File, size int64) (map[string]extent, error) {
	ranges := map[string]extent{}
	var order []extent
	for _, e := range files {
		x := extent{bytes: int64(e.UncompressedSize64)}
		switch {
		case e.Method != zip.Store || e.CompressedSize64 != e.UncompressedSize64:
			return nil, corrupt("zip entry %.100q is compressed (method %d, %d bytes from %d), expected it stored as torch.save does",
				e.Name, e.Method, e.UncompressedSize64, e.CompressedSize64)
		case e.Flags&1 != 0:
			return nil, corrupt("zip entry %.100q is encrypted", e.Name)
		}
		if _, twice := ranges[e.Name]; twice {
			return nil, corrupt("zip container names %.100q twice", e.Name)
		}
		var err error
		if x.at, err = e.DataOffset(); err != nil {
			return nil, corrupt("zip entry %.100q: %v", e.Name, err)
		}
		if x.bytes < 0 || x.at < 0 || x.at > size || x.bytes > size-x.at {
			return nil, corrupt("zip entry %.100q has %d bytes from byte %d on, the file %d", e.Name, x.bytes, x.at, size)
		}
		ranges[e.Name] = x
		order = append(order, x)
	}
	slices.SortFunc(order, func(a, b extent) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.bytes, b.bytes)) })
	for i := 1; i < len(order); i++ {
		if end := order[i-1].at + order[i-1].bytes; order[i].at < end {
			return nil, corrupt("zip entries overlap at byte %d", order[i].at)
		}
	}
	return ranges, nil
}
