package nn

import (
	"math"
	"slices"
	"sync/atomic"

	"github.com/edgeadapt/edgeadapt/sdk/adapter"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/edgeadapt/edgeadapt/sdk/internal/tensor"
	"github.com/pkg/errors"
)

// Resident is an adapter that a Mixer can make resident: the adapter in host memory, and the layout of its parameters in
// the arena. Immutable but for what its Mixer notes and for the copy in host memory, which the owner may take away from a
// task that is not on the device and that no Run is given, and must bring back before one is.
type Resident struct {
	host       atomic.Pointer[adapter.Adapter] // nil: paged out
	config     adapter.Config
	parts      []part
	mix        []int32 // its row of a mix, with offsets from its own first element
	size       int     // elements, whole multiples of backend.ParamAlign
	first      int     // the lowest block with a branch
	bottleneck int     // of the widest branch, padded
	classes    int
	features   int

	// Of the Mixer.
	at       int         // first element in the arena, -1 where it is not resident
	used     uint64      // the Mixer's clock at the last use
	onDevice atomic.Bool // at >= 0, for all to read
}

// part is a tensor [rows, cols] of the adapter at an offset, times a factor; each row is followed by zeros up to stride.
type part struct {
	name                   string
	at, rows, cols, stride int
	factor                 float32
}

// NewResident lays out a, which must have been made for a backbone of v's width and depth. Nothing is copied.
func (v *ViT) NewResident(a *adapter.Adapter) (*Resident, error) {
	c, d := a.Config(), v.cfg.FeatureDim()
	t := &Resident{config: c, at: -1, classes: len(c.Labels), features: v.featureWidth(c.Pool), first: v.cfg.Depth,
		mix: make([]int32, backend.MixBranch(v.cfg.Depth))}
	t.host.Store(a)
	for i := range t.mix {
		t.mix[i] = -1
	}
	t.mix[backend.MixPool] = int32(mixMode(c.Pool))
	t.mix[backend.MixClasses], t.mix[backend.MixOptions] = int32(t.classes), mixOptions(c)
	t.mix[backend.MixScale] = int32(math.Float32bits(c.Scale))
	if c.LearnScale {
		t.mix[backend.MixScale] = int32(math.Float32bits(1)) // the branches' own are packed into their up-projections
	}
	for _, i := range c.Blocks {
		if i < 0 || i >= v.cfg.Depth {
			return nil, errors.WithMessagef(tensor.ErrShape, "adapter has a branch in block %d, the backbone has %d blocks", i+1, v.cfg.Depth)
		}
		t.addBranch(v.cfg.Ref().BranchName(i), i, v.cfg.BlockDim(i))
		t.first = min(t.first, i)
	}
	if c.Pool == adapter.PoolMean {
		t.mix[backend.MixNorm] = t.add("fc_norm.weight", 1, d, d)
		t.add("fc_norm.bias", 1, d, d)
	}
	head := "head."
	if c.HeadNorm {
		head = "head.1."
		t.mix[backend.MixStats] = t.add("head.0.running_mean", 1, t.features, t.features)
		t.add("head.0.running_var", 1, t.features, t.features)
	}
	t.mix[backend.MixHead] = t.add(head+"weight", t.classes, t.features, t.features)
	t.add(head+"bias", 1, t.classes, t.classes)
	for _, p := range t.parts {
		if n := len(a.Tensor(p.name).Data); n != p.rows*p.cols {
			return nil, errors.WithMessagef(tensor.ErrShape, "adapter tensor %s has %d elements, the backbone needs %d x %d", p.name, n, p.rows, p.cols)
		}
	}
	return t, nil
}

// add appends a tensor and returns its offset.
func (t *Resident) add(name string, rows, cols, stride int) int32 {
	at := t.size
	t.parts = append(t.parts, part{name, at, rows, cols, stride, 1})
	t.size += backend.AlignParam(rows * stride)
	return int32(at)
}

// addBranch appends a branch as backend.BranchParts has it. The bottleneck is padded with zeros to whole vectors, which
// changes no value, and a learned scale goes into the up-projection, as in a Task.
func (t *Resident) addBranch(p string, block, d int) {
	c, at := t.config, t.size
	r := c.BottleneckOf(block)
	padded := (r + 3) / 4 * 4
	t.bottleneck = max(t.bottleneck, padded)
	bias, up, upBias, size := backend.BranchParts(d, padded)
	column := backend.MixBranch(block)
	t.mix[column], t.mix[column+1] = int32(at), int32(padded)
	factor := float32(1)
	if s := t.host.Load().Tensor(p + "scale").Data; c.LearnScale && len(s) == 1 {
		factor = s[0]
	}
	t.parts = append(t.parts, part{p + "down_proj.weight", at, r, d, d, 1}, part{p + "down_proj.bias", at + bias, 1, r, r, 1},
		part{p + "up_proj.weight", at + up, d, r, padded, factor}, part{p + "up_proj.bias", at + upBias, 1, d, d, factor})
	t.size += size
	if c.Norm != adapter.NormNone {
		t.add(p+"adapter_layer_norm_before.weight", 1, d, d)
		t.add(p+"adapter_layer_norm_before.bias", 1, d, d)
	}
}

// mixOptions are the bits of backend.MixOptions.
func mixOptions(c adapter.Config) (bits int32) {
	if c.Placement == adapter.Sequential {
		bits |= backend.MixSequential
	}
	switch c.Norm {
	case adapter.NormIn:
		bits |= backend.MixNormIn
	case adapter.NormOut:
		bits |= backend.MixNormOut
	}
	return bits
}

// Host is the adapter in host memory, nil where it is paged out.
func (t *Resident) Host() *adapter.Adapter { return t.host.Load() }

// SetHost brings the adapter back, which must be the one of NewResident, or with nil pages it out.
func (t *Resident) SetHost(a *adapter.Adapter) { t.host.Store(a) }

// Config is the adapter's, which stays when it is paged out.
func (t *Resident) Config() adapter.Config { return t.config }

// OnDevice says whether it was on the device just now.
func (t *Resident) OnDevice() bool { return t.onDevice.Load() }

// HostBytes is the memory of the parameters in host memory.
func (t *Resident) HostBytes() (n int64) {
	for _, p := range t.parts {
		n += 4 * int64(p.rows) * int64(p.cols)
	}
	return n
}

// place notes where in the arena t lies, -1 for nowhere.
func (t *Resident) place(at int) {
	t.at = at
	t.onDevice.Store(at >= 0)
}

// FirstBlock is the lowest block with a branch, the backbone's depth where there is none: below it the tokens are those
// of the plain backbone.
func (t *Resident) FirstBlock() int { return t.first }

// Features is the width of its pooled vector.
func (t *Resident) Features() int { return t.features }

// Classes is the number of its logits.
func (t *Resident) Classes() int { return t.classes }

// Bytes is the device memory that it takes while resident, stored as dt.
func (t *Resident) Bytes(dt backend.DType) int64 { return int64(dt.Size()) * int64(t.size) }

// fits returns ErrShape where a packed parameter is beyond the range of dt.
func (t *Resident) fits(packed []float32, dt backend.DType) error {
	const largestHalf = 65504
	if dt != backend.F16 {
		return nil
	}
	for _, p := range t.parts {
		for i, v := range packed[p.at : p.at+p.rows*p.stride] {
			if v > largestHalf || v < -largestHalf {
				return errors.WithMessagef(tensor.ErrShape, "adapter tensor %s: %g at %d is beyond float16, in which adapters are to be stored", p.name, v, i)
			}
		}
	}
	return nil
}

// errPagedOut is a Run with a task whose owner has not brought it back.
var errPagedOut = errors.New("adapter is neither on the device nor in host memory")

// pack writes the parameters to dst, of t.size elements.
func (t *Resident) pack(dst []float32) error {
	host := t.host.Load()
	if host == nil {
		return errPagedOut
	}
	clear(dst)
	for _, p := range t.parts {
		x := host.Tensor(p.name).Data
		for i := range p.rows {
			row := dst[p.at+i*p.stride:][:p.cols]
			copy(row, x[i*p.cols:(i+1)*p.cols])
			if p.factor != 1 {
				for j := range row {
					row[j] *= p.factor
				}
			}
		}
	}
	return nil
}

// row writes the resident task's row of a mix.
func (t *Resident) row(dst []int32) {
	copy(dst, t.mix)
	for i := range dst {
		if isOffset(i) && dst[i] >= 0 {
			dst[i] += int32(t.at)
		}
	}
}

func isOffset(column int) bool {
	return slices.Contains([]int{backend.MixNorm, backend.MixStats, backend.MixHead}, column) ||
		column >= backend.MixBlock && (column-backend.MixBlock)%2 == 0
}

// mixMode is poolMode for a mix, which says apart whether the mean is one of normed tokens.
func mixMode(p adapter.Pool) backend.PoolMode {
	if p == adapter.PoolNormMean {
		return backend.PoolNormMean
	}
	return poolMode(p)
}

// plainRow is the row of an image without a task.
func plainRow(dst []int32, p adapter.Pool) {
	for i := range dst {
		dst[i] = -1
	}
	dst[backend.MixPool], dst[backend.MixClasses] = int32(mixMode(p)), 0
	dst[backend.MixOptions], dst[backend.MixScale] = 0, 0
}
