//go:build linux && !android && cgo && !novulkan

package gpu

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/edgeadapt/edgeadapt/quant"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/edgeadapt/edgeadapt/sdk/internal/tensor"
	"github.com/edgeadapt/edgeadapt/shaders"
	"github.com/edgeadapt/edgeadapt/vulkan"
	"github.com/pkg/errors"
)

// device is a Vulkan device as a Backend.
type device struct {
	inst *vulkan.Instance
	dev  *vulkan.Device
	info backend.Info
	opt  Options
	pace *pace

	tuned    tunedKernels // set by Open
	trust    *trust
	untested bool                       // kernels are used without a self-test
	forced   map[string]*shaders.Kernel // variants that a self-test asks for, by kernel

	row int                          // a self-test's: the most workgroups of a row, 0 for what Vulkan guarantees
	cut func(k *shaders.Kernel) bool // a self-test's: whose dispatches are divided, however short; nil for those that are too long

	fault     func(k *shaders.Kernel, groups int) int // tests: makes dispatches wrong
	stopwatch func(used []*shaders.Kernel) float64    // tests: what a pass with these takes

	turn   chan struct{} // holds one token while an Executable runs or a Buffer is read or written
	closed bool          // guarded by turn
}

// Devices lists the Vulkan devices of this machine, in the order of their numbers.
func Devices() ([]backend.Info, error) {
	inst, err := vulkan.Open(vulkan.Options{})
	if err != nil {
		return nil, translate(err)
	}
	defer inst.Close()
	var list []backend.Info
	for _, d := range inst.Devices() {
		list = append(list, describe(d))
	}
	return list, nil
}

func describe(d vulkan.DeviceInfo) backend.Info {
	return backend.Info{ID: fmt.Sprintf("vulkan:%d", d.Index), Name: d.Name, Kind: d.Kind, UUID: d.UUID, Driver: d.DriverVersion, Memory: d.Memory, Int8: true, Half: true}
}

// Open opens the device with the given number ("vulkan:0") or UUID.
// It returns ErrNoDevice where there is no such device, naming those that there are.
func Open(id string, o Options) (backend.Backend, error) {
	inst, err := vulkan.Open(vulkan.Options{Validation: o.Validation, OnMessage: o.OnMessage})
	if err != nil {
		return nil, translate(err)
	}
	all := inst.Devices()
	at := slices.IndexFunc(all, func(d vulkan.DeviceInfo) bool {
		return describe(d).ID == id || strings.EqualFold(d.UUID, id)
	})
	if at < 0 {
		inst.Close()
		var have []string
		for _, d := range all {
			have = append(have, describe(d).ID)
		}
		return nil, errors.WithMessagef(backend.ErrNoDevice, "%q, this machine has %s", id, strings.Join(have, ", "))
	}
	dev, err := inst.OpenDevice(all[at].Index, vulkan.DeviceOptions{RobustAccess: o.RobustAccess, CacheDir: o.CacheDir, SegmentTime: o.SegmentTime})
	if err != nil {
		inst.Close()
		return nil, translate(err)
	}
	trust, err := newTrust(all[at], o.CacheDir)
	if err != nil {
		inst.Close()
		return nil, err
	}
	described := describe(all[at])
	if o.Safe {
		described.Driver += ", base kernels" // other kernels, other bits: a checkpoint tells the two apart
	}
	d := &device{inst: inst, dev: dev, info: described, opt: o, pace: newPace(all[at].Kind), trust: trust, untested: o.Untested,
		turn: make(chan struct{}, 1)}
	d.loadTuned()
	return d, nil
}

// translate adds the backend's sentinel to an error of package vulkan, so that callers need to know only one set.
func translate(err error) error {
	for _, pair := range []struct{ from, to error }{
		{vulkan.ErrNoVulkan, backend.ErrNoDevice}, {vulkan.ErrClosed, backend.ErrClosed},
		{vulkan.ErrOutOfMemory, backend.ErrOutOfMemory}, {vulkan.ErrDeviceLost, backend.ErrDeviceLost},
	} {
		if errors.Is(err, pair.from) {
			return &translated{err, pair.to}
		}
	}
	return err
}

// translated is an error that is also one of the backend's sentinels.
type translated struct{ cause, also error }

func (e *translated) Error() string   { return e.cause.Error() }
func (e *translated) Unwrap() []error { return []error{e.cause, e.also} }

// Info implements backend.Backend.
func (d *device) Info() backend.Info { return d.info }

// MemoryInUse implements backend.Backend.
func (d *device) MemoryInUse() int64 { return d.dev.MemoryInUse() }

// acquire waits for the device, or for ctx.
func (d *device) acquire(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case d.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// hold waits for the device; the result gives it back.
func (d *device) hold() (release func()) {
	d.turn <- struct{}{}
	return d.release
}

func (d *device) release() { <-d.turn }

// Close implements backend.Backend. A run under way finishes first.
func (d *device) Close() error {
	defer d.hold()()
	if d.closed {
		return nil
	}
	d.closed = true
	err := d.dev.Close()
	if e := d.inst.Close(); err == nil {
		err = e
	}
	return translate(err)
}

// NewBuffer implements backend.Backend.
func (d *device) NewBuffer(name string, n int) (backend.Buffer, error) {
	if n <= 0 {
		return nil, errors.WithMessagef(tensor.ErrShape, "buffer %s of %d elements", name, n)
	}
	return d.newBuffer(name, n, backend.F32)
}

// NewHalfBuffer implements backend.Backend.
func (d *device) NewHalfBuffer(name string, n int) (backend.Buffer, error) {
	if n <= 0 {
		return nil, errors.WithMessagef(tensor.ErrShape, "buffer %s of %d elements", name, n)
	}
	return d.newBuffer(name, n, backend.F16)
}

func (d *device) newBuffer(name string, n int, t backend.DType) (backend.Buffer, error) {
	buf, err := d.dev.NewBuffer(name, t.Size()*pad(n), vulkan.DeviceLocal)
	if err != nil {
		return nil, translate(err)
	}
	return &buffer{d: d, buf: buf, n: n, dtype: t}, nil
}

// pad rounds elements up so that whole vec4 loads at the end stay inside.
func pad(n int) int { return (n + 3) &^ 3 }

// buffer is resident float memory.
type buffer struct {
	d     *device
	buf   *vulkan.Buffer
	n     int
	dtype backend.DType
}

func (b *buffer) Type() backend.DType { return b.dtype }

func (b *buffer) Len() int { return b.n }

func (b *buffer) Write(offset int, src []float32) error {
	if offset < 0 || len(src) > b.n || offset > b.n-len(src) {
		return errors.WithMessagef(tensor.ErrShape, "write of %d elements at %d into a buffer of %d", len(src), offset, b.n)
	}
	defer b.d.hold()()
	if b.dtype == backend.F16 {
		halves := make([]uint16, len(src))
		for i, v := range src {
			halves[i] = quant.ToF16(v)
		}
		return translate(b.buf.Write(2*offset, bytesOf(halves)))
	}
	return translate(b.buf.Write(4*offset, bytesOf(src)))
}

func (b *buffer) Read(offset int, dst []float32) error {
	if offset < 0 || len(dst) > b.n || offset > b.n-len(dst) {
		return errors.WithMessagef(tensor.ErrShape, "read of %d elements at %d from a buffer of %d", len(dst), offset, b.n)
	}
	defer b.d.hold()()
	if b.dtype == backend.F16 {
		return translate(readHalves(b.buf, 2*offset, dst))
	}
	return translate(b.buf.Read(4*offset, bytesOf(dst)))
}

// readHalves reads float16 from a byte on.
func readHalves(b *vulkan.Buffer, from int, dst []float32) error {
	halves := make([]uint16, len(dst))
	err := b.Read(from, bytesOf(halves))
	for i, h := range halves {
		dst[i] = quant.FromF16(h)
	}
	return err
}

func (b *buffer) Close() error {
	defer b.d.hold()()
	return translate(b.buf.Close())
}

// weight is a frozen matrix in panels (see quant.Matrix.Pack), or a part of one; see parts.go.
type weight struct {
	d          *device
	buf        *vulkan.Buffer // nil where there are parts
	parts      []*weight
	from       int // of a part: its first row
	rows, cols int
	scheme     quant.Scheme
}

// NewWeight implements backend.Backend.
func (d *device) NewWeight(name string, m quant.Matrix) (backend.Weight, error) {
	w, err := d.newWeight(name, m)
	if err != nil {
		w.free()
		return nil, err
	}
	return w, nil
}

// newWeight leaves what it made to free with an error too.
func (d *device) newWeight(name string, m quant.Matrix) (*weight, error) {
	w := &weight{d: d, rows: m.Rows, cols: m.Cols, scheme: m.Scheme}
	err := m.Check()
	rows := 0
	if err == nil {
		rows, err = partRows(m, d.mostBytes())
	}
	if err != nil {
		return w, errors.WithMessagef(tensor.ErrShape, "weight %s: %v", name, err)
	}
	for from := 0; from < m.Rows && rows < m.Rows; from += rows {
		part, err := d.newWeight(name, m.Slice(from, min(from+rows, m.Rows)))
		part.from = from
		if w.parts = append(w.parts, part); err != nil {
			return w, err
		}
	}
	if len(w.parts) > 0 {
		return w, nil
	}
	packed, err := m.Pack()
	if err != nil {
		return w, errors.WithMessagef(tensor.ErrShape, "weight %s: %v", name, err)
	}
	if w.buf, err = d.dev.NewBuffer(name, 4*len(packed), vulkan.DeviceLocal); err != nil {
		return w, translate(err)
	}
	return w, translate(w.buf.Write(0, bytesOf(packed)))
}

// mostBytes is the size of the largest weight that is not in parts.
func (d *device) mostBytes() int {
	most := d.dev.Info().Limits.BufferBytes()
	if d.opt.WeightBytes > 0 {
		most = min(most, d.opt.WeightBytes)
	}
	return most
}

// Bytes is what the matrix takes on the device.
func (w *weight) Bytes() (n int64) {
	for _, p := range w.parts {
		n += p.Bytes()
	}
	if w.buf != nil {
		n += int64(w.buf.Size())
	}
	return n
}

func (w *weight) Rows() int { return w.rows }
func (w *weight) Cols() int { return w.cols }

func (w *weight) Close() error {
	defer w.d.hold()()
	return translate(w.free())
}

// free closes the buffers there are.
func (w *weight) free() (first error) {
	for _, p := range w.parts {
		if err := p.free(); first == nil {
			first = err
		}
	}
	if w.buf != nil {
		if err := w.buf.Close(); first == nil {
			first = err
		}
	}
	return first
}

func (w *weight) whole() vulkan.Range { return vulkan.Range{Buffer: w.buf, Size: w.buf.Size()} }

// kernel is the scheme as kernels' names have it: sizes of groups share modules.
func (w *weight) kernel() string {
	if w.scheme.Group() > 0 {
		return string(quant.Q4G)
	}
	return string(w.scheme)
}

// perWord is the number of weights in 128 bits.
func (w *weight) perWord() int {
	switch w.scheme {
	case quant.Q4G, quant.Q4G32, quant.Q4G128:
		return 32
	case quant.Q8C:
		return 16
	case quant.F16:
		return 8
	}
	return 4
}
