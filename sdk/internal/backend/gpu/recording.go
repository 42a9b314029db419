//go:build linux && !android && cgo && !novulkan

package gpu

import (
	"cmp"
	"encoding/binary"
	"math"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/edgeadapt/edgeadapt/shaders"
	"github.com/edgeadapt/edgeadapt/vulkan"
	"github.com/pkg/errors"
)

// recording turns operators into dispatches.
type recording struct {
	e       *executable
	rec     *vulkan.Recorder
	scratch vulkan.Range          // what one operator leaves between its dispatches
	rounded map[backend.Value]int // those that exist as int8 only: their words of 32 bits
	planned []dispatch
	time    time.Duration // estimated, of the operator whose dispatches come next
	at      int           // that operator's place in the Program
	whole   time.Duration // time, as long as that operator's dispatches are planned
}

// dispatch is one that is planned, or a copy; its kernel is compiled when all are known.
type dispatch struct {
	copy *rowCopy // nil for a dispatch
	variant
	bindings []vulkan.Range
	push     []byte
	groups   int
	time     time.Duration
	op       int           // whose it is
	whole    time.Duration // that operator's estimated time
}

// op records one operator: one case each, one file a word.
func (r *recording) op(op backend.Op) error {
	switch o := op.(type) {
	case *backend.PatchEmbed:
		return r.patchEmbed(o)
	case *backend.LayerNorm:
		return r.layerNorm(o)
	case *backend.LayerNormBackward:
		return r.layerNormBackward(o)
	case *backend.GainGrad:
		return r.gainGrad(o)
	case *backend.Linear:
		return r.linear(o)
	case *backend.LinearBackward:
		return r.linearBackward(o)
	case *backend.Attention:
		return r.attention(o)
	case *backend.AttentionProbs:
		return r.attentionProbs(o)
	case *backend.AttentionBackward:
		return r.attentionBackward(o)
	case *backend.WindowAttention:
		return r.windowAttention(o)
	case *backend.WindowProbs:
		return r.windowProbs(o)
	case *backend.WindowAttentionBackward:
		return r.windowAttentionBackward(o)
	case *backend.PatchMerge:
		return r.patchMerge(o)
	case *backend.PatchMergeBackward:
		return r.patchMergeBackward(o)
	case *backend.AdaptDown:
		return r.adaptDown(o)
	case *backend.AdaptDownBackward:
		return r.adaptDownBackward(o)
	case *backend.Affine:
		return r.affine(o)
	case *backend.MatMul:
		return r.matMul(o)
	case *backend.WeightGrad:
		return r.weightGrad(o)
	case *backend.BiasGrad:
		return r.biasGrad(o)
	case *backend.Pool:
		return r.pool(o)
	case *backend.PoolBackward:
		return r.poolBackward(o)
	case *backend.BatchNorm:
		return r.batchNorm(o)
	case *backend.BatchNormBackward:
		return r.batchNormBackward(o)
	case *backend.CrossEntropy:
		return r.crossEntropy(o)
	case *backend.BinaryCrossEntropy:
		return r.binaryCrossEntropy(o)
	case *backend.MixedAdapter:
		return r.mixedAdapter(o)
	case *backend.MixedFeatures:
		return r.mixedFeatures(o)
	case *backend.MixedHead:
		return r.mixedHead(o)
	case *backend.AdamW:
		return r.adamW(o)
	case *backend.ClipNorm:
		return r.clipNorm(o)
	case *backend.SGD:
		return r.sgd(o)
	case *backend.SwiGLU:
		return r.swiGLU(o)
	case *backend.SwiGLUBackward:
		return r.swiGLUBackward(o)
	case *backend.Add:
		return r.add(o)
	case *backend.Scale:
		return r.scale(o)
	case *backend.ScaleBy:
		return r.scaleBy(o)
	}
	return errors.Errorf("no kernel for %T", op)
}

// reserve makes the scratch memory that the most demanding operator needs. One piece serves all: the recorder sees
// that they share it and keeps them apart.
func (r *recording) reserve() error {
	need := 0
	for _, op := range r.e.p.Ops() {
		switch o := op.(type) {
		case *backend.Linear:
			need = max(need, r.linearScratch(o))
		case *backend.LinearBackward:
			need = max(need, r.linearBackwardScratch(o))
		case *backend.WeightGrad:
			n, k := r.matrix(o.DW)
			need = max(need, slicesOf(r.rows(o.DY))*n*k)
		case *backend.Attention:
			need = max(need, r.pairsOf(r.headsOf(o.Heads, o.QKV), o.QKV).scratch(r, 1))
		case *backend.AttentionBackward:
			need = max(need, r.pairsOf(r.headsOf(o.Heads, o.QKV), o.QKV).scratch(r, 2))
		case *backend.WindowAttention:
			need = max(need, pairsOfWindows(r.windowsOf(o.Windows, o.QKV)).scratch(r, 1))
		case *backend.WindowAttentionBackward:
			need = max(need, pairsOfWindows(r.windowsOf(o.Windows, o.QKV)).scratch(r, 2))
		case *backend.MixedAdapter:
			need = max(need, r.rows(o.X)*o.Bottleneck)
			if o.Norms {
				need = max(need, backend.AlignParam(r.rows(o.X)*o.Bottleneck)+r.elems(o.X))
			}
		case *backend.PatchEmbed:
			_, k := r.matrix(o.Weight)
			need = max(need, r.rows(o.X)*k)
		case *backend.PatchMerge:
			need = max(need, r.elems(o.Y))
		case *backend.PatchMergeBackward:
			need = max(need, backend.AlignParam(r.elems(o.DY))+r.elems(o.DY))
		case *backend.ClipNorm:
			need = max(need, backend.AlignParam(normThreads)+1)
		case *backend.BiasGrad:
			m, n := r.matrix(o.DY)
			need = max(need, slicesOf(m)*n)
		case *backend.GainGrad:
			m, n := r.matrix(o.DY)
			need = max(need, slicesOf(m)*n)
		}
	}
	if need == 0 {
		return nil
	}
	b, err := r.e.buffer("scratch", 4*pad(need), vulkan.DeviceLocal)
	if err != nil {
		return err
	}
	r.scratch = vulkan.Range{Buffer: b, Size: 4 * pad(need)}
	r.e.partials = append(r.e.partials, b)
	return nil
}

// partial is the first n elements of the scratch memory.
func (r *recording) partial(n int) vulkan.Range {
	return vulkan.Range{Buffer: r.scratch.Buffer, Size: 4 * pad(n)}
}

// partialAt is n elements of it behind the first skip.
func (r *recording) partialAt(skip, n int) vulkan.Range {
	return vulkan.Range{Buffer: r.scratch.Buffer, Offset: 4 * backend.AlignParam(skip), Size: 4 * pad(n)}
}

// values are the places of operands, in the order of a kernel's bindings.
func (r *recording) values(vs ...backend.Value) []vulkan.Range {
	out := make([]vulkan.Range, len(vs))
	for i, v := range vs {
		out[i] = r.e.places[v]
	}
	return out
}

// matrix is the extents of a rank-2 value.
func (r *recording) matrix(v backend.Value) (rows, cols int) {
	s := r.e.p.Shape(v)
	return s[0], s[1]
}

func (r *recording) rows(v backend.Value) int  { return r.e.p.Shape(v)[0] }
func (r *recording) elems(v backend.Value) int { return r.e.p.Shape(v).Elems() }

// variant is the variant of a kernel that an operator gets. spec are the values of its specialisation constants: the
// size of a workgroup first, then the rows of outputs a thread computes, where the kernel has tiles, and the like.
type variant struct {
	*shaders.Kernel
	spec []uint32
}

// wideID is the specialisation constant by which one module serves sizes that are multiples of four and others.
const wideID = 9

// halfID is the specialisation constant by which a kernel has v as float16: what it stores, or reads other than by texels.
const halfID = 10

func (r *recording) half(v backend.Value) uint32 { return flag(r.e.p.Info(v).Type == backend.F16) }

// variant picks a kernel for operands that all are, or are not, rows of whole vectors of four elements (of whole words
// of a weight, where there is one). Variants that fetch texels serve only these, and big tiles only gain by them.
func (r *recording) variant(name string, wide bool) (variant, error) {
	return r.variantWithout(name, wide, 0)
}

// variantWithout leaves out variants that need any of some features.
func (r *recording) variantWithout(name string, wide bool, without shaders.Feature) (variant, error) {
	if !wide {
		without |= shaders.TexelFetch | shaders.BigTiles
	}
	k, err := r.e.d.pick(name, without)
	if err != nil {
		return variant{}, err
	}
	spec, err := k.SpecValues(nil)
	v := variant{k, spec}
	v.set(wideID, flag(wide))
	if v.value(lanesID, 0) != 0 {
		lanes := uint32(min(mostLanes, r.e.d.dev.Info().SubgroupSize))
		v.set(lanesID, lanes)
		v.set(workgroupID, lanes)
	}
	return v, err
}

// lanesID is the specialisation constant of kernels whose threads fetch in turns: how many do, at most mostLanes, which are also
// a group. See shaders/src/include/lanes.glsl.
const (
	workgroupID = 0
	lanesID     = 5
	mostLanes   = 8
)

// set gives a specialisation constant its value, where the variant has it.
func (v variant) set(id, value uint32) {
	for i := range v.spec {
		if v.Spec[i].ID == id {
			v.spec[i] = value
		}
	}
}

// value is that of a specialisation constant, or otherwise where the variant has none of that number.
func (v variant) value(id uint32, otherwise int) int {
	for i := range v.spec {
		if v.Spec[i].ID == id {
			return int(v.spec[i])
		}
	}
	return otherwise
}

// tiles is the number of threads that cover m rows, each row by n threads.
func (v variant) tiles(m, n int) int { return n * ceil(m, int(v.spec[1])) }

// columnQuads is how many vectors of four columns a thread of a float product computes.
const columnQuads = 2

// quads is the number of threads that cover a row of n columns.
func (v variant) quads(n int) int { return ceil(n, 4*v.value(columnQuads, 1)) }

// threads dispatches a kernel whose variants share one tile over n threads.
func (r *recording) threads(name string, n int, push []byte, bindings []vulkan.Range) error {
	v, err := r.variant(name, false)
	if err != nil {
		return err
	}
	return r.over(v, n, push, bindings)
}

// numbers dispatches a kernel of shaders/src/include/numbers.glsl over rows of n numbers.
func (r *recording) numbers(name string, rows, n int, push []byte, bindings []vulkan.Range) error {
	v, err := r.variant(name, n%4 == 0)
	if err != nil {
		return err
	}
	if v.Needs&shaders.TexelFetch != 0 {
		n /= 4
	}
	return r.over(v, rows*n, push, bindings)
}

// over dispatches a variant over n threads in one-dimensional groups.
func (r *recording) over(v variant, n int, push []byte, bindings []vulkan.Range) error {
	return r.groups(v, ceil(n, int(v.spec[0])), push, bindings)
}

// rowGroups dispatches a kernel with one group for each of m rows of d elements; variants that fetch texels have one
// thread for each.
func (r *recording) rowGroups(name string, m, d int, push []byte, bindings []vulkan.Range) error {
	v, err := r.variant(name, d%4 == 0)
	if err != nil {
		return err
	}
	if v.Needs&shaders.TexelFetch != 0 {
		return r.over(v, m, push, bindings)
	}
	return r.groups(v, m, push, bindings)
}

// maxGroups is how many groups Vulkan guarantees along one axis; more are folded into a second one.
const maxGroups = 65535

func (r *recording) groups(v variant, n int, push []byte, bindings []vulkan.Range) error {
	if f := r.e.d.fault; f != nil {
		n = f(v.Kernel, n)
	}
	r.planned = append(r.planned, dispatch{variant: v, bindings: bindings, push: push, groups: n, time: r.time, op: r.at, whole: r.whole})
	r.time = 0 // of an operator's dispatches the first stands for all
	return nil
}

// finish compiles the kernels, several at a time, and records the dispatches.
func (r *recording) finish() (*vulkan.Recording, error) {
	kernels, err := r.compile()
	if err != nil {
		return nil, err
	}
	for i, p := range r.planned {
		first, name := r.rec.Len(), "copy"
		if c := p.copy; c != nil {
			r.rec.CopyRows(c.dst, c.src, c.bytes, c.rows)
		} else {
			name = p.Kernel.String()
			r.dispatch(p, kernels[i])
		}
		for range r.rec.Len() - first {
			r.e.spans = append(r.e.spans, backend.Span{Op: p.op, Kernel: name})
		}
	}
	return r.rec.Finish()
}

// dispatch records p with its kernel.
func (r *recording) dispatch(p dispatch, k *vulkan.Kernel) {
	if !slices.Contains(r.e.used, p.Kernel) {
		r.e.used = append(r.e.used, p.Kernel)
	}
	r.e.cost[p.Name] += p.time
	x := min(p.groups, cmp.Or(r.e.d.row, maxGroups))
	first := r.rec.Len()
	time, divides := r.estimate(p)
	r.rec.Estimate(time)
	if divides {
		r.rec.Divide()
	}
	r.rec.Dispatch(k, p.bindings, p.push, uint32(x), uint32(ceil(p.groups, x)), 1)
	if k := (divided{p.Kernel}); r.rec.Len()-first > 1 && !slices.Contains(r.e.divided, k) {
		r.e.divided = append(r.e.divided, k)
	}
}

// testParts is into how many parts a self-test divides a dispatch that has as many workgroups.
const testParts = 3

// estimate says how long a dispatch takes, and whether it is divided if that is too long for a submission. Which
// dispatch of a slow operator takes its time is not known, so that each counts for all.
func (r *recording) estimate(p dispatch) (took time.Duration, divides bool) {
	d := r.e.d
	switch limit := d.dev.SegmentTime(); {
	case d.cut != nil && d.cut(p.Kernel):
		return testParts * limit, true
	case d.cut != nil || !d.divides() || p.whole <= limit:
		return p.time, false
	}
	return p.whole, !d.trust.failed(divided{p.Kernel})
}

// divides tells whether long dispatches are divided. Software drivers have no watchdog and are left alone, tests apart: a divided
// dispatch needs a pipeline of its own.
func (d *device) divides() bool { return d.info.Kind != "software" || d.opt.SegmentTime != 0 }

// compile makes the kernels of what is planned, each in the form that it is dispatched in. Drivers take up to a second for one, and
// compile on the calling thread.
func (r *recording) compile() ([]*vulkan.Kernel, error) {
	planned, d := r.planned, r.e.d
	kernels, errs := make([]*vulkan.Kernel, len(planned)), make([]error, len(planned))
	var next atomic.Int64
	var wait sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(planned)) {
		wait.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(planned)); i = next.Add(1) - 1 {
				if planned[i].copy != nil {
					continue
				}
				made := d.dev.NewKernel
				if time, divides := r.estimate(planned[i]); divides && time > d.dev.SegmentTime() && planned[i].groups > 1 {
					made = d.dev.NewDividedKernel
				}
				kernels[i], errs[i] = made(planned[i].Kernel, planned[i].spec) // at once where it is known
			}
		})
	}
	wait.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return kernels, nil
}

func ceil(n, by int) int { return (n + by - 1) / by }

// flag is a boolean specialisation constant.
func flag(ok bool) uint32 {
	if ok {
		return 1
	}
	return 0
}

// push lays out push constants: integers as uint32, floats as float32, in the order of the shader's block.
func push(fields ...any) []byte {
	out := make([]byte, 0, 4*len(fields))
	for _, f := range fields {
		switch v := f.(type) {
		case int:
			out = binary.LittleEndian.AppendUint32(out, uint32(v))
		case uint32:
			out = binary.LittleEndian.AppendUint32(out, v)
		case float32:
			out = binary.LittleEndian.AppendUint32(out, math.Float32bits(v))
		}
	}
	return out
}

// slicesOf is the number of parts into which a sum over m rows is cut: it depends on m alone, so that the bits do too.
func slicesOf(m int) int { return min(32, ceil(m, 128)) }
