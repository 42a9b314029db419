package checkpoint

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"unsafe"

	"github.com/pkg/errors"

	"github.com/edgeadapt/edgeadapt/sdk/internal/tensor"
)

// Entry is a tensor to write: its elements as little-endian bytes, row-major.
type Entry struct {
	Name  string
	DType DType
	Shape tensor.Shape
	Data  []byte
}

// Float32Entry makes an entry of t. It aliases t where the machine's byte order allows.
func Float32Entry(name string, t tensor.Tensor) Entry {
	return Entry{name, F32, t.Shape, rawBytes(t.Data)}
}

// HalfEntry makes an entry of IEEE halves, given as their bits.
func HalfEntry(name string, shape tensor.Shape, bits []uint16) Entry {
	return Entry{name, F16, shape, rawBytes(bits)}
}

// Int8Entry makes an entry of int8 that aliases v.
func Int8Entry(name string, shape tensor.Shape, v []int8) Entry {
	return Entry{name, I8, shape, rawBytes(v)}
}

// WordsEntry makes an entry of int32, given as their bits. It aliases v where the machine's byte order allows.
func WordsEntry(name string, shape tensor.Shape, v []uint32) Entry {
	return Entry{name, I32, shape, rawBytes(v)}
}

// Int64Entry makes an entry of int64 in one row.
func Int64Entry(name string, v ...int64) Entry {
	return Entry{name, I64, tensor.Shape{len(v)}, rawBytes(v)}
}

// rawBytes returns v's elements little endian.
func rawBytes[T number](v []T) []byte {
	var zero T
	size := int(unsafe.Sizeof(zero))
	if len(v) == 0 {
		return nil
	}
	b := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(v))), len(v)*size)
	if littleEndian || size == 1 {
		return b
	}
	b = slices.Clone(b)
	for at := 0; at < len(b); at += size {
		slices.Reverse(b[at : at+size])
	}
	return b
}

// Write writes a safetensors file. Wide elements come first, so that every tensor is aligned though none is padded;
// within one element size the given order stays. The same arguments always give the same bytes.
func Write(w io.Writer, metadata map[string]string, entries []Entry) error {
	entries = slices.Clone(entries)
	slices.SortStableFunc(entries, func(a, b Entry) int { return codecs[b.DType].size - codecs[a.DType].size })
	head, err := encodeHeader(metadata, entries)
	if err != nil {
		return err
	}
	out := bufio.NewWriterSize(w, 1<<20)
	if _, err := out.Write(head); err != nil {
		return errors.Wrap(err, "write header")
	}
	for _, e := range entries {
		if _, err := out.Write(e.Data); err != nil {
			return errors.Wrapf(err, "write tensor %q", e.Name)
		}
	}
	return errors.Wrap(out.Flush(), "write tensors")
}

// encodeHeader makes length prefix and JSON, padded with spaces to a multiple of 8 bytes.
func encodeHeader(metadata map[string]string, entries []Entry) ([]byte, error) {
	b := make([]byte, prefixBytes, 128*(len(entries)+2))
	b = append(b, '{')
	if len(metadata) > 0 {
		b = append(b, `"`+metadataKey+`":{`...)
		for i, k := range slices.Sorted(maps.Keys(metadata)) {
			b = append(b, comma(i)...)
			b = append(append(append(b, quote(k)...), ':'), quote(metadata[k])...)
		}
		b = append(b, '}')
	}
	seen := map[string]bool{metadataKey: true}
	var at int64
	for _, e := range entries {
		i := Info{DType: e.DType, Shape: e.Shape, begin: at, end: at + int64(len(e.Data))}
		if err := i.check(); err != nil {
			return nil, fmt.Errorf("write tensor %q: %w", e.Name, err)
		}
		if seen[e.Name] {
			return nil, fmt.Errorf("write tensor %q: the name is taken", e.Name)
		}
		seen[e.Name] = true
		b = append(b, comma(len(b)-prefixBytes-1)...)
		shape, _ := json.Marshal(append([]int{}, e.Shape...)) // integers cannot fail
		b = fmt.Appendf(b, `%s:{"dtype":"%s","shape":%s,"data_offsets":[%d,%d]}`, quote(e.Name), e.DType, shape, i.begin, i.end)
		at = i.end
	}
	b = append(b, '}')
	for len(b)%8 != 0 {
		b = append(b, ' ')
	}
	if len(b) > maxHeaderBytes {
		return nil, fmt.Errorf("write header: %d bytes, the limit is %d", len(b), maxHeaderBytes)
	}
	le.PutUint64(b, uint64(len(b)-prefixBytes))
	return b, nil
}

func comma(before int) string {
	if before > 0 {
		return ","
	}
	return ""
}

// quote is s as a JSON string; bytes that are no UTF-8 become the replacement character.
func quote(s string) []byte {
	b, _ := json.Marshal(s) // strings cannot fail
	return b
}
