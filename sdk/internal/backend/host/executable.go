package host

import (
	"context"
	"math"
	"slices"

	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/edgeadapt/edgeadapt/sdk/internal/ref"
	"github.com/edgeadapt/edgeadapt/sdk/internal/tensor"
	"github.com/pkg/errors"
)

// arenaAlign is the alignment of temporaries in elements: a cache line of float32.
const arenaAlign = 16

// Executable is a Program with its memory. It implements backend.Executable; the other methods are for kernels.
type Executable[T ref.Float] struct {
	be     *Backend[T]
	p      *backend.Program
	floats [][]T      // by Value
	halves [][]uint16 // by Value
	ints   [][]int32  // by Value
	steps  []func() error
	byRef  []bool // by step: whether package ref runs it
	shared []*[]T // by region
	memory

	// State is what the device's kernels remember of this Executable between being made.
	State any
}

// Compile implements backend.Backend.
func (b *Backend[T]) Compile(p *backend.Program) (backend.Executable, error) {
	e, err := b.compile(p)
	if err != nil {
		return nil, err
	}
	return e, nil
}

func (b *Backend[T]) compile(p *backend.Program) (*Executable[T], error) {
	if err := b.open(); err != nil {
		return nil, errors.WithMessage(err, "compile")
	}
	e := &Executable[T]{be: b, p: p, floats: make([][]T, p.Values()+1), halves: make([][]uint16, p.Values()+1), ints: make([][]int32, p.Values()+1),
		memory: memory{inUse: &b.inUse}}
	if err := e.prepare(); err != nil {
		e.Close()
		return nil, err
	}
	return e, nil
}

func (e *Executable[T]) prepare() error {
	layout, _, err := e.be.Place(e.p)
	if err != nil {
		return err
	}
	arenas := make([][]T, len(layout.Size))
	for i, n := range layout.Size {
		arenas[i] = e.Scratch(n)
	}
	for v := backend.Value(1); int(v) <= e.p.Values(); v++ {
		if err := e.place(v, layout, arenas); err != nil {
			return err
		}
	}
	for _, op := range e.p.Ops() {
		step, byRef, err := e.step(op)
		if err != nil {
			return errors.WithMessage(err, op.Name())
		}
		e.steps, e.byRef = append(e.steps, step), append(e.byRef, byRef)
	}
	return nil
}

// Place implements backend.Placer.
func (b *Backend[T]) Place(p *backend.Program) (l backend.Layout, limit int64, err error) {
	l, err = backend.Plan(p, arenaAlign, math.MaxInt/8)
	return l, 0, err
}

// place gives v its memory.
func (e *Executable[T]) place(v backend.Value, l backend.Layout, arenas [][]T) error {
	info := e.p.Info(v)
	n := info.Shape.Elems()
	switch {
	case info.Kind == backend.Param:
		u, ok := info.Buffer.(*buffer[T])
		if !ok || u.be != e.be {
			return errors.Errorf("parameter %s belongs to another device", info.Name)
		}
		if u.freed.Load() {
			return errors.WithMessagef(backend.ErrClosed, "parameter %s: buffer %s", info.Name, u.name)
		}
		if u.halves != nil {
			e.halves[v] = u.halves[info.Offset : info.Offset+n : info.Offset+n]
			break
		}
		e.floats[v] = u.data[info.Offset : info.Offset+n : info.Offset+n]
	case info.Type == backend.I32:
		e.ints[v] = make([]int32, n)
		e.add(4 * int64(n))
	case info.Type == backend.F16 && !e.be.opt.Info.Half:
		return errors.Errorf("%s is float16, which %s does not have", info.Name, e.be.opt.Info.ID)
	case info.Kind == backend.Input || info.Type == backend.F16: // of the latter the arena has half the room that T takes
		e.floats[v] = e.Scratch(n)
	case l.Arena[v] >= 0:
		e.floats[v] = arenas[l.Arena[v]][l.Offset[v] : l.Offset[v]+n : l.Offset[v]+n]
	}
	return nil
}

// step is the code of one operator: the device's kernel, or ref.
func (e *Executable[T]) step(op backend.Op) (run func() error, byRef bool, err error) {
	if err := e.checkWeight(op); err != nil {
		return nil, false, err
	}
	if e.be.opt.Kernel != nil {
		if run := e.be.opt.Kernel(e, op); run != nil {
			return run, false, nil
		}
	}
	run, err = e.reference(op)
	return run, true, err
}

// checkWeight refuses a closed weight, and another device's.
func (e *Executable[T]) checkWeight(op backend.Op) error {
	var w backend.Weight
	switch o := op.(type) {
	case *backend.Linear:
		w = o.W
	case *backend.LinearBackward:
		w = o.W
	default:
		return nil
	}
	own, ok := w.(*weight[T])
	if !ok || own.be != e.be {
		return errors.New("the weight belongs to another device")
	}
	if own.freed.Load() {
		return errors.WithMessagef(backend.ErrClosed, "weight %s", own.name)
	}
	return nil
}

// Shape is the shape of v; nil for None.
func (e *Executable[T]) Shape(v backend.Value) tensor.Shape { return e.p.Shape(v) }

// Floats is the memory of v, nil for None. It stays the same for the life of the Executable; its contents are valid
// only while the operators that touch v run.
func (e *Executable[T]) Floats(v backend.Value) []T { return e.floats[v] }

// Ints is the memory of an I32 value, nil for None.
func (e *Executable[T]) Ints(v backend.Value) []int32 { return e.ints[v] }

// Weight is what Options.Pack made of w, a weight of one of the Program's operators.
func (e *Executable[T]) Weight(w backend.Weight) Packed { return w.(*weight[T]).packed }

// Scratch makes n elements that live and are accounted with the Executable; to be called while compiling.
func (e *Executable[T]) Scratch(n int) []T {
	e.add(int64(n) * sizeof[T]())
	return make([]T, n)
}

// Program is what the Executable runs.
func (e *Executable[T]) Program() *backend.Program { return e.p }

// Read reports whether an operator or the host reads v, so that a kernel may leave it out.
func (e *Executable[T]) Read(v backend.Value) bool {
	reads := func(o backend.Operand) bool { return o.Value == v && o.Access&backend.Read != 0 }
	return e.p.Info(v).Output || slices.ContainsFunc(e.p.Ops(), func(op backend.Op) bool { return slices.ContainsFunc(op.Operands(), reads) })
}

// Shared makes n elements that all operators share, in one of a few numbered regions: what one leaves there, the next
// may overwrite. To be called while compiling and read while running, as more may be asked for in between.
func (e *Executable[T]) Shared(region, n int) *[]T {
	for len(e.shared) <= region {
		e.shared = append(e.shared, new([]T))
	}
	s := e.shared[region]
	if more := n - len(*s); more > 0 {
		*s = make([]T, n)
		e.add(int64(more) * sizeof[T]())
	}
	return s
}

// Run implements backend.Executable. ctx is checked before every operator.
func (e *Executable[T]) Run(ctx context.Context) error {
	if err := e.be.acquire(ctx); err != nil {
		return err
	}
	defer e.be.release()
	if err := e.usable(); err != nil {
		return err
	}
	for i, run := range e.steps {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := run(); err != nil {
			return errors.WithMessage(err, e.p.Ops()[i].Name())
		}
	}
	return nil
}

func (e *Executable[T]) usable() error {
	if e.freed.Load() {
		return errors.WithMessage(backend.ErrClosed, "executable")
	}
	return e.be.open()
}

// WriteFloats implements backend.Executable.
func (e *Executable[T]) WriteFloats(v backend.Value, src []float32) error {
	info, err := e.hostValue(v, len(src))
	if err != nil {
		return err
	}
	if info.Kind != backend.Input || info.Type != backend.F32 {
		return errors.Errorf("write %s: no float32 input", info.Name)
	}
	convert(e.floats[v], src)
	return nil
}

// WriteInts implements backend.Executable.
func (e *Executable[T]) WriteInts(v backend.Value, src []int32) error {
	info, err := e.hostValue(v, len(src))
	if err != nil {
		return err
	}
	if info.Kind != backend.Input || info.Type != backend.I32 {
		return errors.Errorf("write %s: no int32 input", info.Name)
	}
	copy(e.ints[v], src)
	return nil
}

// ReadFloats implements backend.Executable.
func (e *Executable[T]) ReadFloats(v backend.Value, dst []float32) error {
	info, err := e.hostValue(v, len(dst))
	if err != nil {
		return err
	}
	if !info.Output || e.floats[v] == nil {
		return errors.Errorf("read %s: no output", info.Name)
	}
	convert(dst, e.floats[v])
	return nil
}

// hostValue checks that the host may touch v and that it brings n elements.
func (e *Executable[T]) hostValue(v backend.Value, n int) (*backend.ValueInfo, error) {
	if err := e.usable(); err != nil {
		return nil, err
	}
	if v <= backend.None || int(v) > e.p.Values() {
		return nil, errors.Errorf("value %d, the program has %d", v, e.p.Values())
	}
	info := e.p.Info(v)
	if n != info.Shape.Elems() {
		return nil, errors.WithMessagef(tensor.ErrShape, "%s is %v, the host's slice has %d elements", info.Name, info.Shape, n)
	}
	return info, nil
}

// Bytes implements backend.Executable.
func (e *Executable[T]) Bytes() int64 { return e.bytes.Load() }

// Close implements backend.Executable. Idempotent; a run under way finishes first.
func (e *Executable[T]) Close() error {
	e.be.acquire(context.Background())
	defer e.be.release()
	e.free()
	e.floats, e.ints, e.steps, e.shared, e.State = nil, nil, nil, nil, nil
	return nil
}
