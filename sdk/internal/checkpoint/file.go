package checkpoint

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"unsafe"

	pkgerrors "github.com/pkg/errors"

	"github.com/edgeadapt/edgeadapt/sdk/internal/tensor"
)

// ErrNoTensor says that a file has no tensor of the name asked for.
var ErrNoTensor = errors.New("no such tensor")

// File is an open safetensors file. What its methods return may alias the file's memory: it must not be modified and
// is gone after Close. Safe for concurrent use, Close excepted.
//
// A mapped file must not be truncated by others while it is open, as with every mapping; files that this package
// writes are replaced by rename and never truncated.
type File struct {
	*header
	name   string
	bytes  []byte      // the data part, if it is in memory or mapped
	r      io.ReaderAt // otherwise, where the data is read from
	start  int64       // offset of the data within r
	mapped []byte      // by Open, nil for other files

	close     func() error
	closeOnce sync.Once
	closeErr  error
}

// Tensors is a checkpoint that is open for reading, in whatever container: named tensors with their types and shapes.
// Float32 may alias the checkpoint's memory, which is gone after Close.
type Tensors interface {
	Path() string
	Names() []string // in alphabetical order; not to be modified
	Has(name string) bool
	Info(name string) (Info, error)
	Float32(name string) (tensor.Tensor, error)
	Metadata() map[string]string // nil where the container has none; not to be modified
	Close() error
}

// Parse reads a file that is in memory, for example embedded in the program. The File aliases data.
func Parse(name string, data []byte) (*File, error) {
	if len(data) < prefixBytes {
		return nil, corrupt("%s: %d bytes, a safetensors file has at least %d", name, len(data), prefixBytes)
	}
	n, err := headerBytes(name, data[:prefixBytes], int64(len(data)))
	if err != nil {
		return nil, err
	}
	body := data[prefixBytes+n:]
	h, err := parseHeader(data[prefixBytes:prefixBytes+n], int64(len(body)))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return &File{header: h, name: name, bytes: body}, nil
}

// NewReader opens a file of size bytes behind r, which stays the caller's. Every access to a tensor reads it anew.
func NewReader(name string, r io.ReaderAt, size int64) (*File, error) {
	if size < prefixBytes {
		return nil, corrupt("%s: %d bytes, a safetensors file has at least %d", name, size, prefixBytes)
	}
	var prefix [prefixBytes]byte
	if _, err := r.ReadAt(prefix[:], 0); err != nil {
		return nil, pkgerrors.Wrapf(err, "%s: read header length", name)
	}
	n, err := headerBytes(name, prefix[:], size)
	if err != nil {
		return nil, err
	}
	text := make([]byte, n)
	if _, err := r.ReadAt(text, prefixBytes); err != nil && err != io.EOF {
		return nil, pkgerrors.Wrapf(err, "%s: read header", name)
	}
	start := prefixBytes + n
	h, err := parseHeader(text, size-start)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return &File{header: h, name: name, r: r, start: start}, nil
}

// headerBytes reads the header's length and checks it against the file's size.
func headerBytes(name string, prefix []byte, size int64) (int64, error) {
	n := le.Uint64(prefix)
	if n > maxHeaderBytes || n > uint64(size-prefixBytes) {
		return 0, corrupt("%s: header of %d bytes, the file has %d and the limit is %d", name, n, size, maxHeaderBytes)
	}
	return int64(n), nil
}

// Close releases the file. It may be called twice. Nobody may use the file or a view of it any more.
func (f *File) Close() error {
	f.closeOnce.Do(func() {
		if f.close != nil {
			f.closeErr = f.close()
		}
	})
	return f.closeErr
}

// Path is the name that the file was opened by, for messages.
func (f *File) Path() string { return f.name }

// Names lists the tensors in alphabetical order. The caller must not modify the slice.
func (f *File) Names() []string { return f.names }

// Metadata returns the header's free strings. The caller must not modify the map.
func (f *File) Metadata() map[string]string { return f.metadata }

// Has reports whether there is a tensor of this name.
func (f *File) Has(name string) bool {
	_, ok := f.infos[name]
	return ok
}

// Info describes the named tensor.
func (f *File) Info(name string) (Info, error) {
	i, ok := f.infos[name]
	if !ok {
		return i, fmt.Errorf("%s: tensor %q: %w", f.name, name, ErrNoTensor)
	}
	return i, nil
}

// Bytes returns the tensor's elements as stored, little endian.
func (f *File) Bytes(name string) ([]byte, error) {
	i, err := f.Info(name)
	if err != nil {
		return nil, err
	}
	if f.r == nil {
		return f.bytes[i.begin:i.end:i.end], nil
	}
	b := make([]byte, i.end-i.begin)
	if _, err := f.r.ReadAt(b, f.start+i.begin); err != nil && err != io.EOF {
		return nil, pkgerrors.Wrapf(err, "%s: read tensor %q", f.name, name)
	}
	return b, nil
}

// Float32 returns the tensor as float32: a view where it is stored so and lies on a 4-byte boundary, else a converted
// copy. Wider types are rounded to the nearest float32.
func (f *File) Float32(name string) (tensor.Tensor, error) {
	i, err := f.Info(name)
	if err != nil {
		return tensor.Tensor{}, err
	}
	b, err := f.Bytes(name)
	if err != nil {
		return tensor.Tensor{}, err
	}
	t := tensor.Tensor{Shape: i.Shape}
	var ok bool
	if i.DType == F32 {
		if t.Data, ok = view[float32](b); ok {
			return t, nil
		}
	}
	if t.Data, ok = i.DType.Widen(b); !ok {
		return t, fmt.Errorf("%s: tensor %q: no conversion from %s to float32", f.name, name, i.DType)
	}
	return t, nil
}

// Int8 returns a view of a tensor of int8.
func (f *File) Int8(name string) ([]int8, error) {
	b, err := f.typed(name, I8)
	v, _ := view[int8](b) // a byte is always aligned
	return v, err
}

// Half returns a tensor of IEEE halves as their bits: a view where it lies on a 2-byte boundary, else a copy.
func (f *File) Half(name string) ([]uint16, error) {
	b, err := f.typed(name, F16)
	if err != nil {
		return nil, err
	}
	if v, ok := view[uint16](b); ok {
		return v, nil
	}
	v := make([]uint16, len(b)/2)
	for k := range v {
		v[k] = le.Uint16(b[2*k:])
	}
	return v, nil
}

// Words returns a tensor of int32 as bit patterns: a view where it lies on a 4-byte boundary, else a copy.
func (f *File) Words(name string) ([]uint32, error) {
	b, err := f.typed(name, I32)
	if err != nil {
		return nil, err
	}
	if v, ok := view[uint32](b); ok {
		return v, nil
	}
	v := make([]uint32, len(b)/4)
	for k := range v {
		v[k] = le.Uint32(b[4*k:])
	}
	return v, nil
}

// Int64 returns a copy of a tensor of int64.
func (f *File) Int64(name string) ([]int64, error) {
	b, err := f.typed(name, I64)
	v := make([]int64, len(b)/8)
	for k := range v {
		v[k] = int64(le.Uint64(b[8*k:]))
	}
	return v, err
}

func (f *File) typed(name string, want DType) ([]byte, error) {
	i, err := f.Info(name)
	if err != nil {
		return nil, err
	}
	if i.DType != want {
		return nil, corrupt("%s: tensor %q is %s, expected %s", f.name, name, i.DType, want)
	}
	return f.Bytes(name)
}

type number interface {
	~int8 | ~uint8 | ~uint16 | ~uint32 | ~int32 | ~float32 | ~float64 | ~int64
}

// littleEndian is the byte order of this machine; views need it to be the file's.
var littleEndian = func() bool {
	x := uint16(1)
	return *(*byte)(unsafe.Pointer(&x)) == 1
}()

// view reinterprets b, or reports that its address or the machine's byte order does not allow it.
func view[T number](b []byte) ([]T, bool) {
	var zero T
	size := unsafe.Sizeof(zero)
	if len(b) == 0 {
		return []T{}, true
	}
	p := unsafe.Pointer(unsafe.SliceData(b))
	if size > 1 && (!littleEndian || uintptr(p)%size != 0) {
		return nil, false
	}
	return unsafe.Slice((*T)(p), len(b)/int(size)), true
}
