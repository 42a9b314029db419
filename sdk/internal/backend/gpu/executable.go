//go:build linux && !android && cgo && !novulkan

package gpu

import (
	"context"
	"slices"
	"sync"
	"time"
	"unsafe"

	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/edgeadapt/edgeadapt/sdk/internal/tensor"
	"github.com/edgeadapt/edgeadapt/shaders"
	"github.com/edgeadapt/edgeadapt/vulkan"
	"github.com/pkg/errors"
)

// executable is a Program as one recording, with its own memory for inputs and temporaries.
type executable struct {
	d                *device
	p                *backend.Program
	places           []vulkan.Range        // by Value: where the kernels find it
	inputs           []vulkan.Range        // by Value: where the host writes an input
	labels           map[backend.Value]int // classes of a CrossEntropy's targets
	arenas, partials []*vulkan.Buffer      // among owned: a run relies on none of their contents
	owned            []*vulkan.Buffer
	bytes            int64
	used             []*shaders.Kernel
	divided          []divided                // those of used some of whose dispatches are
	cost             map[string]time.Duration // estimated, by kernel
	rec              *vulkan.Recording
	plain            time.Duration  // see pace
	runs             int            // guarded by the device's turn
	spans            []backend.Span // of a timed one: by command, without times
	timed            bool

	mu     sync.Mutex
	closed bool
}

// Compile implements backend.Backend. Kernels that no self-test has seen yet pass theirs first; it returns ErrFaulty where all
// variants of one fail it.
func (d *device) Compile(p *backend.Program) (backend.Executable, error) {
	e, err := d.compileTrusted(p, false)
	if err != nil {
		return nil, err
	}
	return e, nil
}

func (d *device) compileTrusted(p *backend.Program, timed bool) (*executable, error) {
	for {
		e, err := d.compileOnce(p, timed)
		if err != nil || d.untested || d.trusts(e) {
			return e, err
		}
		if err := e.Close(); err != nil {
			return nil, err
		}
		if err := d.verify(context.Background(), e.used, e.divided); err != nil {
			return nil, err
		}
	}
}

// trusts tells whether all that e uses has passed its test: none was found at fault meanwhile either.
func (d *device) trusts(e *executable) bool {
	return len(unknown(d.trust, e.used))+len(unknown(d.trust, e.divided)) == 0 &&
		!slices.ContainsFunc(e.used, func(k *shaders.Kernel) bool { return d.trust.failed(k) }) &&
		!slices.ContainsFunc(e.divided, func(k divided) bool { return d.trust.failed(k) })
}

func (d *device) compileOnce(p *backend.Program, timed bool) (*executable, error) {
	e := &executable{d: d, p: p, timed: timed, places: make([]vulkan.Range, p.Values()+1), inputs: make([]vulkan.Range, p.Values()+1),
		labels: map[backend.Value]int{}, cost: map[string]time.Duration{}}
	if err := e.prepare(); err != nil {
		e.Close()
		return nil, translate(err)
	}
	return e, nil
}

func (e *executable) prepare() error {
	r := &recording{e: e, rec: e.d.dev.NewRecorder()}
	r.findRounded()
	layout, _, err := r.layout()
	if err != nil {
		return err
	}
	e.arenas = make([]*vulkan.Buffer, len(layout.Size))
	for i, n := range layout.Size {
		if e.arenas[i], err = e.buffer("activations", 4*n, vulkan.DeviceLocal); err != nil {
			return err
		}
	}
	if e.timed {
		r.rec.Time()
	}
	for v := backend.Value(1); int(v) <= e.p.Values(); v++ {
		if err := r.place(v, layout); err != nil {
			return err
		}
	}
	if err := r.reserve(); err != nil {
		return err
	}
	for i, op := range e.p.Ops() {
		work := backend.Cost(e.p, op)
		r.at, r.time = i, e.d.pace.of(work)
		r.whole = r.time
		e.plain += e.d.pace.plain(work)
		if err := r.op(op); err != nil {
			return errors.WithMessage(err, op.Name())
		}
	}
	if !e.timed {
		if err := r.watch(); err != nil {
			return err
		}
	}
	e.rec, err = r.finish()
	return err
}

// Place implements backend.Placer.
func (d *device) Place(p *backend.Program) (l backend.Layout, limit int64, err error) {
	r := &recording{e: &executable{d: d, p: p}}
	r.findRounded()
	return r.layout()
}

// layout plans the temporaries: no piece is longer than what a kernel can bind.
func (r *recording) layout() (l backend.Layout, limit int64, err error) {
	most := r.e.d.dev.Info().Limits.BufferBytes()
	l, err = backend.PlanOf(r.e.p, backend.ParamAlign, most/4, r.bytes)
	return l, int64(most), err
}

// bytes is what v takes, whole vectors of it.
func (r *recording) bytes(v backend.Value) int {
	if words := r.rounded[v]; words > 0 {
		return 4 * words
	}
	info := r.e.p.Info(v)
	return info.Type.Size() * pad(info.Shape.Elems())
}

// watch has runs checked by a canary. Timed ones have none: they would time it too.
func (r *recording) watch() error {
	canary, err := r.e.buffer("canary", vulkan.CanaryBytes, vulkan.HostVisible)
	if err != nil {
		return err
	}
	r.rec.Watch(canary)
	return nil
}

// buffer makes memory that lives as long as e.
func (e *executable) buffer(name string, bytes int, m vulkan.Memory) (*vulkan.Buffer, error) {
	b, err := e.d.dev.NewBuffer(name, bytes, m)
	if err == nil {
		e.owned = append(e.owned, b)
		e.bytes += int64(bytes)
	}
	return b, err
}

// place decides where v lives.
func (r *recording) place(v backend.Value, l backend.Layout) error {
	e := r.e
	info := e.p.Info(v)
	size, half := r.bytes(v), info.Type == backend.F16
	switch info.Kind {
	case backend.Param:
		b, ok := info.Buffer.(*buffer)
		if !ok || b.d.dev != e.d.dev {
			return errors.Errorf("parameter %s belongs to another device", info.Name)
		}
		e.places[v] = vulkan.Range{Buffer: b.buf, Offset: info.Type.Size() * info.Offset, Size: size}
	case backend.Input:
		return r.placeInput(v, info.Name, size)
	default:
		if l.Arena[v] >= 0 {
			e.places[v] = vulkan.Range{Buffer: e.arenas[l.Arena[v]], Offset: 4 * l.Offset[v], Size: size, Half: half}
		}
	}
	return nil
}

// placeInput puts an input where the host writes it. Kernels read it there if host memory is as near to them as any
// other, else from a copy that the recording begins with.
func (r *recording) placeInput(v backend.Value, name string, size int) error {
	b, err := r.e.buffer(name, size, vulkan.HostVisible)
	if err != nil {
		return err
	}
	host := vulkan.Range{Buffer: b, Size: size}
	r.e.inputs[v], r.e.places[v] = host, host
	if kind := r.e.d.info.Kind; kind == "integrated" || kind == "software" {
		return nil
	}
	if b, err = r.e.buffer(name, size, vulkan.DeviceLocal); err != nil {
		return err
	}
	r.e.places[v] = vulkan.Range{Buffer: b, Size: size}
	r.e.spans = append(r.e.spans, backend.Span{Op: -1, Kernel: "copy"})
	r.rec.Copy(r.e.places[v], host)
	return nil
}

// WriteFloats implements backend.Executable.
func (e *executable) WriteFloats(v backend.Value, src []float32) error {
	return e.write(v, backend.F32, len(src), bytesOf(src))
}

// WriteInts implements backend.Executable.
func (e *executable) WriteInts(v backend.Value, src []int32) error {
	if classes, ok := e.labels[v]; ok {
		for i, class := range src { // a kernel has no way to report a wrong one
			if class < 0 || int(class) >= classes {
				return errors.Errorf("%s[%d] is class %d of %d", e.p.Info(v).Name, i, class, classes)
			}
		}
	}
	return e.write(v, backend.I32, len(src), bytesOf(src))
}

func (e *executable) write(v backend.Value, t backend.DType, n int, data []byte) error {
	if err := e.check(v, n); err != nil {
		return err
	}
	if info := e.p.Info(v); info.Kind != backend.Input || info.Type != t {
		return errors.Errorf("%s is not an input of this type", info.Name)
	}
	return translate(e.inputs[v].Buffer.Write(e.inputs[v].Offset, data))
}

// ReadFloats implements backend.Executable.
func (e *executable) ReadFloats(v backend.Value, dst []float32) error {
	if err := e.check(v, len(dst)); err != nil {
		return err
	}
	at := e.places[v]
	if info := e.p.Info(v); !info.Output || at.Buffer == nil {
		return errors.Errorf("%s is not an output", info.Name)
	}
	if at.Half {
		return translate(readHalves(at.Buffer, at.Offset, dst))
	}
	return translate(at.Buffer.Read(at.Offset, bytesOf(dst)))
}

func (e *executable) check(v backend.Value, n int) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return errors.WithMessage(backend.ErrClosed, "executable")
	}
	if v <= backend.None || int(v) > e.p.Values() {
		return errors.Errorf("value %d is none of the program's", v)
	}
	if info := e.p.Info(v); info.Shape.Elems() != n {
		return errors.WithMessagef(tensor.ErrShape, "%s has %d elements, got %d", info.Name, info.Shape.Elems(), n)
	}
	return nil
}

// Run implements backend.Executable.
func (e *executable) Run(ctx context.Context) error {
	if err := e.d.acquire(ctx); err != nil {
		return err
	}
	defer e.d.release()
	e.mu.Lock()
	closed := e.closed
	e.mu.Unlock()
	if closed {
		return errors.WithMessage(backend.ErrClosed, "executable")
	}
	began := time.Now()
	if err := e.rec.Run(ctx); err != nil {
		return translate(err)
	}
	if e.runs++; e.runs > 1 && !e.timed { // drivers compile in the first
		e.d.pace.learn(e.plain, time.Since(began))
	}
	return nil
}

// Bytes implements backend.Executable.
func (e *executable) Bytes() int64 { return e.bytes }

// Close implements backend.Executable. Idempotent; a run under way finishes first.
func (e *executable) Close() error {
	defer e.d.hold()()
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil
	}
	e.closed = true
	var first error
	if e.rec != nil {
		first = e.rec.Close()
	}
	for _, b := range e.owned {
		if err := b.Close(); err != nil && first == nil {
			first = err
		}
	}
	return translate(first)
}

// bytesOf sees 32-bit numbers as bytes. Vulkan devices and Go agree on the byte order on every machine that has both.
func bytesOf[T float32 | int32 | uint32 | uint16](x []T) []byte {
	var zero T
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(x))), int(unsafe.Sizeof(zero))*len(x))
}
