package pth

import (
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"

	pkgerrors "github.com/pkg/errors"

	"github.com/edgeadapt/edgeadapt/sdk/internal/checkpoint"
	"github.com/edgeadapt/edgeadapt/sdk/internal/tensor"
)

// File is an open checkpoint. It implements checkpoint.Tensors; every tensor is read anew when it is asked for. Safe for
// concurrent use, Close excepted.
type File struct {
	name    string
	r       io.ReaderAt
	entries map[string]any    // *view, or *opaque for what should have been a tensor
	names   []string          // of entries, sorted
	extents map[string]extent // of the storages, by key
	close   func() error
	once    sync.Once
	err     error
}

var _ checkpoint.Tensors = (*File)(nil)

// extent is where a storage's bytes lie in the file.
type extent struct{ at, bytes int64 }

// Is reports whether a file that starts with these bytes, nine or the whole file, is one for this package: a zip or a
// pickle. A safetensors file may start like a pickle by chance, but has a brace behind the length of its header.
func Is(start []byte) bool {
	pickle := len(start) >= 2 && start[0] == opProto && start[1] >= 2 && start[1] <= 5 && (len(start) < 9 || start[8] != '{')
	return isZip(start) || pickle
}

func isZip(start []byte) bool { return strings.HasPrefix(string(start), "PK\x03\x04") }

// OpenTensors opens a safetensors file or a PyTorch checkpoint, whichever the first bytes name. The caller closes it.
func OpenTensors(path string) (checkpoint.Tensors, error) {
	if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() { // opening a pipe would wait for its writer
		file, err := os.Open(path)
		if err != nil {
			return nil, pkgerrors.Wrap(err, "open tensors")
		}
		start := make([]byte, 9)
		n, _ := io.ReadFull(file, start) // whoever opens the file next reports what is wrong with it
		file.Close()
		if Is(start[:n]) {
			return Open(path)
		}
	}
	return checkpoint.Open(path)
}

// Open opens a PyTorch checkpoint. The caller closes it.
func Open(path string) (*File, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, pkgerrors.Wrap(err, "open tensors")
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = corrupt("%v, expected a regular file", info.Mode().Type())
	}
	var f *File
	if err == nil {
		f, err = NewReader(path, file, info.Size())
	}
	if err != nil {
		file.Close()
		return nil, pkgerrors.WithMessage(err, path)
	}
	f.close = file.Close
	return f, nil
}

// NewReader opens a checkpoint of size bytes behind r, which stays the caller's.
func NewReader(name string, r io.ReaderAt, size int64) (*File, error) {
	f := &File{name: name, r: r}
	start := make([]byte, min(size, 4))
	if err := readAt(r, start, 0); err != nil {
		return nil, err
	}
	open := f.openLegacy
	if isZip(start) {
		open = f.openZip
	}
	root, err := open(size)
	if err != nil {
		return nil, err
	}
	if f.entries, err = stateDict(root); err != nil {
		return nil, err
	}
	f.names = slices.Sorted(maps.Keys(f.entries))
	return f, nil
}

func readAt(r io.ReaderAt, b []byte, at int64) error {
	if n, err := r.ReadAt(b, at); n < len(b) {
		if err == io.EOF {
			return corrupt("file ends at byte %d, expected %d", at+int64(n), at+int64(len(b)))
		}
		return pkgerrors.Wrap(err, "read checkpoint")
	}
	return nil
}

// wrappers are the keys under which training programs put the model's state dict beside their own state.
var wrappers = []string{"model", "state_dict", "module"}

// stateDict finds the tensors by name: the value of the pickle itself, or what is under one of the wrappers.
func stateDict(root any) (map[string]any, error) {
	d, ok := root.(*dict)
	if !ok {
		return nil, fmt.Errorf("holds %s, expected a dict of tensors; save model.state_dict(), not the model: %w", describe(root), checkpoint.ErrCorrupt)
	}
	for range wrappers { // one may hold another
		for _, key := range wrappers {
			v, _ := d.get(key)
			if inner, ok := v.(*dict); ok {
				d = inner
			}
		}
	}
	return d.tensors()
}

// parallel is what torch.nn.DataParallel puts before every key.
const parallel = "module."

// tensors lists the entries that are tensors or unreadable; scalars and the like are settings of the training program.
func (d *dict) tensors() (map[string]any, error) {
	all := map[string]any{}
	sound, wrapped := false, true
	for _, p := range d.pairs {
		name, ok := p.key.(string)
		if !ok {
			continue
		}
		switch p.value.(type) {
		case *view, *opaque:
			if !printable(name) {
				return nil, corrupt("names a tensor %.50q, expected up to %d printable characters", name, maxName)
			}
			_, ok := p.value.(*view)
			sound = sound || ok
			all[name] = p.value
			wrapped = wrapped && strings.HasPrefix(name, parallel)
		}
	}
	if !sound {
		return nil, corrupt("has no tensors by name, neither itself nor under %s; it holds %s", strings.Join(wrappers, ", "), d.summary())
	}
	if !wrapped {
		return all, nil
	}
	plain := map[string]any{}
	for name, v := range all {
		plain[name[len(parallel):]] = v
	}
	return plain, nil
}

// summary names the first few entries.
func (d *dict) summary() string {
	const most = 5
	var parts []string
	for _, p := range d.pairs[:min(most, len(d.pairs))] {
		if name, ok := p.key.(string); ok && printable(name) {
			parts = append(parts, name+" ("+describe(p.value)+")")
		}
	}
	if len(parts) < len(d.pairs) {
		parts = append(parts, fmt.Sprintf("%d more", len(d.pairs)-len(parts)))
	}
	if len(parts) == 0 {
		return "nothing"
	}
	return strings.Join(parts, ", ")
}

// Close releases the file. It may be called twice.
func (f *File) Close() error {
	f.once.Do(func() {
		if f.close != nil {
			f.err = f.close()
		}
	})
	return f.err
}

// Path is the name that the file was opened by, for messages.
func (f *File) Path() string { return f.name }

// Names lists the tensors in alphabetical order. The caller must not modify the slice.
func (f *File) Names() []string { return f.names }

// Metadata is nil: the container has none.
func (f *File) Metadata() map[string]string { return nil }

// Has reports whether there is an entry of this name; Info says whether it is a sound tensor.
func (f *File) Has(name string) bool {
	_, ok := f.entries[name]
	return ok
}

// Info describes the named tensor. It returns ErrCorrupt for one that leaves its storage, and for an entry that only
// the program could make which wrote the file.
func (f *File) Info(name string) (checkpoint.Info, error) {
	_, info, err := f.view(name)
	return info, err
}

func (f *File) view(name string) (*view, checkpoint.Info, error) {
	entry, ok := f.entries[name]
	if !ok {
		return nil, checkpoint.Info{}, fmt.Errorf("%s: tensor %q: %w", f.name, name, checkpoint.ErrNoTensor)
	}
	v, ok := entry.(*view)
	if !ok {
		return nil, checkpoint.Info{}, corrupt("%s: %q is %s, expected a tensor", f.name, name, describe(entry))
	}
	info, err := v.info()
	if err != nil {
		return nil, info, fmt.Errorf("%s: tensor %q: %w", f.name, name, err)
	}
	s := v.from
	if x, ok := f.extents[s.key]; !ok || x.bytes != s.elems*int64(s.dtype.Size()) {
		return nil, info, corrupt("%s: tensor %q: its storage %q has %d bytes, expected %d elements of %s", f.name, name, s.key, x.bytes, s.elems, s.dtype)
	}
	return v, info, nil
}

// Float32 returns a copy of the tensor. Wider types are rounded to the nearest float32.
func (f *File) Float32(name string) (tensor.Tensor, error) {
	v, info, err := f.view(name)
	if err != nil {
		return tensor.Tensor{}, err
	}
	size := int64(info.DType.Size())
	b := make([]byte, v.span()*size)
	if err := readAt(f.r, b, f.extents[v.from.key].at+v.offset*size); err != nil {
		return tensor.Tensor{}, pkgerrors.WithMessagef(err, "%s: tensor %q", f.name, name)
	}
	data, ok := info.DType.Widen(b)
	if !ok {
		return tensor.Tensor{}, fmt.Errorf("%s: tensor %q: no conversion from %s to float32", f.name, name, info.DType)
	}
	if !v.contiguous() {
		ordered := make([]float32, 0, info.Shape.Elems())
		v.indices(func(at int64) { ordered = append(ordered, data[at]) })
		data = ordered
	}
	return tensor.Tensor{Shape: info.Shape, Data: data}, nil
}
