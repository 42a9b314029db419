package pth

import (
	"fmt"
	"math"

	"github.com/edgeadapt/edgeadapt/sdk/internal/checkpoint"
	"github.com/edgeadapt/edgeadapt/sdk/internal/tensor"
)

// Values on the machine's stack are nil, bool, int64, float64, string and pointers to these.
type (
	// tuple stands for tuples.
	tuple struct{ items []any }
	// list stands for lists and sets.
	list struct{ items []any }
	// dict stands for dict and OrderedDict. Its pairs stay in a list: keys may be anything, and are never hashed.
	dict struct{ pairs []pair }
	pair struct{ key, value any }
	// global is a name that the pickle refers to, such as collections.OrderedDict.
	global struct{ name string }
	// opaque is a value of a kind that no tensor needs, by what made it.
	opaque struct{ what string }
	// storage is a run of elements in the container.
	storage struct {
		dtype checkpoint.DType
		key   string
		elems int64
	}
	// view is a tensor: element (i, j, ..) is storage[offset + i stride[0] + j stride[1] + ..].
	view struct {
		from          *storage
		offset        int64
		shape, stride []int64
	}
)

// get returns the value of the last pair with this key; Python's later assignments win.
func (d *dict) get(key string) (value any, ok bool) {
	for _, p := range d.pairs {
		if p.key == key {
			value, ok = p.value, true
		}
	}
	return value, ok
}

// dtypes are the element types of PyTorch's storages.
var dtypes = map[string]checkpoint.DType{
	"torch.FloatStorage": checkpoint.F32, "torch.HalfStorage": checkpoint.F16, "torch.BFloat16Storage": checkpoint.BF16,
	"torch.DoubleStorage": checkpoint.F64, "torch.LongStorage": checkpoint.I64, "torch.IntStorage": checkpoint.I32,
	"torch.ShortStorage": checkpoint.I16, "torch.CharStorage": checkpoint.I8, "torch.ByteStorage": checkpoint.U8,
	"torch.BoolStorage": checkpoint.Bool,
}

// newStorage reads the tuple of a persistent id: ("storage", type, key, device, elements, ...). It returns an opaque
// value for anything else.
func newStorage(id any) any {
	t, ok := id.(*tuple)
	if !ok || len(t.items) < 5 || t.items[0] != "storage" {
		return &opaque{"a persistent id that is no storage"}
	}
	class, ok1 := t.items[1].(*global)
	key, ok2 := t.items[2].(string)
	elems, ok3 := t.items[4].(int64)
	if !ok1 || !ok2 || !ok3 {
		return &opaque{"a storage without type, key and size"}
	}
	dtype, ok := dtypes[class.name]
	if !ok {
		return &opaque{"a " + class.name}
	}
	return &storage{dtype: dtype, key: key, elems: elems}
}

// newView reads the arguments of _rebuild_tensor: storage, offset, shape, stride and what does not matter here.
func newView(args []any) any {
	if len(args) < 4 {
		return &opaque{"a tensor without storage, offset, shape and stride"}
	}
	from, ok := args[0].(*storage)
	if !ok {
		return &opaque{"a tensor on " + describe(args[0])}
	}
	offset, ok1 := args[1].(int64)
	shape, ok2 := integers(args[2])
	stride, ok3 := integers(args[3])
	if !ok1 || !ok2 || !ok3 {
		return &opaque{"a tensor whose offset, shape or stride are no integers"}
	}
	return &view{from: from, offset: offset, shape: shape, stride: stride}
}

func integers(v any) ([]int64, bool) {
	t, ok := v.(*tuple)
	if !ok || len(t.items) > maxRank {
		return nil, false
	}
	list := make([]int64, len(t.items))
	for i, item := range t.items {
		if list[i], ok = item.(int64); !ok {
			return nil, false
		}
	}
	return list, true
}

// maxRank is that of package checkpoint; a convolution's weight has 5 at most.
const maxRank = 8

// info checks that v lies within its storage and describes it.
func (v *view) info() (checkpoint.Info, error) {
	s := v.from
	info := checkpoint.Info{DType: s.dtype, Shape: make(tensor.Shape, len(v.shape))}
	if s.elems < 0 || s.elems > math.MaxInt/int64(s.dtype.Size()) {
		return info, corrupt("storage %q of %d elements", s.key, s.elems)
	}
	if len(v.shape) != len(v.stride) {
		return info, corrupt("shape %v with strides %v", v.shape, v.stride)
	}
	if v.offset < 0 || v.offset > s.elems {
		return info, corrupt("offset %d in a storage of %d elements", v.offset, s.elems)
	}
	count, last := int64(1), v.offset // elements, and the index of the last one
	for i, d := range v.shape {
		if d < 1 || v.stride[i] < 0 {
			return info, corrupt("shape %v with strides %v, expected positive extents and no negative stride", v.shape, v.stride)
		}
		// No product overflows: count stays within the storage, and so does last.
		if d > s.elems/count || d > 1 && v.stride[i] > (s.elems-1-last)/(d-1) {
			return info, corrupt("shape %v with strides %v at offset %d leaves its storage of %d elements", v.shape, v.stride, v.offset, s.elems)
		}
		count *= d
		last += (d - 1) * v.stride[i]
		info.Shape[i] = int(d)
	}
	if last >= s.elems {
		return info, corrupt("offset %d in a storage of %d elements", v.offset, s.elems)
	}
	return info, nil
}

// indices calls f with the position in the storage, counted from v's offset, of each element in row-major order.
func (v *view) indices(f func(at int64)) {
	var walk func(axis int, at int64)
	walk = func(axis int, at int64) {
		if axis == len(v.shape) {
			f(at)
			return
		}
		for i := range v.shape[axis] {
			walk(axis+1, at+i*v.stride[axis])
		}
	}
	walk(0, 0)
}

// span is the number of storage elements from v's first to its last.
func (v *view) span() int64 {
	n := int64(1)
	for i, d := range v.shape {
		n += (d - 1) * v.stride[i]
	}
	return n
}

// contiguous reports whether v's elements lie in row-major order without holes.
func (v *view) contiguous() bool {
	n := int64(1)
	for i := len(v.shape) - 1; i >= 0; i-- {
		if v.shape[i] != 1 && v.stride[i] != n {
			return false
		}
		n *= v.shape[i]
	}
	return true
}

// describe names a value's kind for messages.
func describe(v any) string {
	switch v := v.(type) {
	case nil:
		return "None"
	case *opaque:
		return v.what
	case *global:
		return v.name
	case int64, float64, bool:
		return "a number"
	case string:
		return "a string"
	case *view:
		return "a tensor"
	case *storage:
		return "a storage"
	case *dict:
		return "a dict"
	case *list:
		return "a list"
	case *tuple:
		return "a tuple"
	}
	return fmt.Sprintf("a value of type %T", v)
}

func corrupt(format string, args ...any) error {
	return fmt.Errorf(format+": %w", append(args, checkpoint.ErrCorrupt)...)
}
