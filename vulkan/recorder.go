//go:build linux && !android && cgo && !novulkan

package vulkan

import (
	"fmt"
	"time"

	"github.com/pkg/errors"

	"github.com/edgeadapt/edgeadapt/shaders"
)

// Range is Size bytes of a buffer from Offset on.
type Range struct {
	Buffer       *Buffer
	Offset, Size int
	Half         bool // the floats in it are float16: kernels that fetch FloatTexels get them as float32
}

// texelSize is the size of a texel of b where it is bound as kind.
func (b Range) texelSize(kind shaders.Kind) int {
	if b.Half && kind == shaders.FloatTexels {
		return texelBytes / 2
	}
	return texelBytes
}

// command is a dispatch, or a copy where kernel is nil (bindings are then destination and source).
type command struct {
	kernel   *Kernel
	bindings []Range
	push     []byte
	grid     [3]uint32
	from     [3]uint32     // its first workgroup: another than 0 in the later parts of a divided dispatch
	copies   [][3]uint64   // of a copy, by piece: offset in the source, in the destination, size
	time     time.Duration // estimated
}

// Recorder collects commands. The first error sticks, and Finish returns it. One goroutine at a time.
type Recorder struct {
	d        *Device
	commands []command
	barriers []bool // whether one precedes the command
	copies   bool
	hazards  hazards
	estimate time.Duration // of the next command
	canary   *canary       // nil: none
	timed    bool
	divides  bool // the next dispatch, if its estimate is too long
	err      error
}

// NewRecorder starts an empty recording.
func (d *Device) NewRecorder() *Recorder { return &Recorder{d: d} }

// Dispatch records a run of k over a grid of x, y, z workgroups. There must be a range for each binding and exactly
// as many bytes of push constants as the kernel declares; both are copied.
func (r *Recorder) Dispatch(k *Kernel, bindings []Range, push []byte, x, y, z uint32) {
	c := command{kernel: k, bindings: append([]Range(nil), bindings...), push: append([]byte(nil), push...), grid: [3]uint32{x, y, z}}
	if r.err != nil {
		return
	}
	if err := r.checkDispatch(c); err != nil {
		r.err = errors.WithMessagef(err, "dispatch %d", len(r.commands))
		return
	}
	uses := make([]use, len(bindings))
	for i, b := range bindings {
		uses[i] = use{b.Buffer.id, b.Offset, b.Offset + b.Size, k.desc.Bindings[i].Access&shaders.Write != 0}
	}
	parts, err := r.divide(c)
	if err != nil {
		r.err = errors.WithMessagef(err, "dispatch %d", len(r.commands))
		return
	}
	r.add(parts[0], uses)
	for _, p := range parts[1:] { // what the first part waited for, all have waited for; among them there is nothing to wait for
		r.commands, r.barriers = append(r.commands, p), append(r.barriers, r.timed)
	}
}

// Divide lets the next dispatch become several, in submissions of their own, where its estimate is longer than a submission may
// take. Its kernel must find its work by gl_WorkGroupID.x + gl_WorkGroupID.y * gl_NumWorkGroups.x, or by the invocation's like of that,
// and use neither otherwise: the parts then do together exactly what the whole does. Len tells how many commands it became.
func (r *Recorder) Divide() { r.divides = true }

// Len is the number of commands.
func (r *Recorder) Len() int { return len(r.commands) }

// divide cuts a dispatch into parts of whole workgroups: along x where it has one row of them, else along y, so that gl_NumWorkGroups.x
// stays what the kernel counts with.
func (r *Recorder) divide(c command) ([]command, error) {
	limit, divides := r.d.segmentTime(), r.divides
	r.divides = false
	axis := 0
	if c.grid[1] > 1 {
		axis = 1
	}
	groups := int64(c.grid[axis])
	n := min(int64((r.estimate+limit-1)/limit), groups)
	if !divides || n < 2 || c.grid[2] > 1 {
		return []command{c}, nil
	}
	k, err := c.kernel.Divided()
	if err != nil {
		return nil, err
	}
	r.estimate /= time.Duration(n)
	parts := make([]command, n)
	for i := range parts {
		from, to := groups*int64(i)/n, groups*int64(i+1)/n
		p := c
		p.kernel, p.time = k, r.estimate
		p.from[axis], p.grid[axis] = uint32(from), uint32(to-from)
		parts[i] = p
	}
	return parts, nil
}

// Copy records a copy of src to dst, of equal size and not overlapping.
func (r *Recorder) Copy(dst, src Range) {
	if r.err == nil && dst.Size != src.Size {
		r.err = errors.WithMessagef(ErrUsage, "copy, command %d: %d bytes to %d bytes", len(r.commands), src.Size, dst.Size)
	}
	r.CopyRows(Rows{dst, dst.Size}, Rows{src, src.Size}, src.Size, 1)
}

// Rows are a range's first bytes, the first of every Stride behind them, and so on.
type Rows struct {
	Range
	Stride int
}

// CopyRows records a copy of rows of so many bytes, one from each of src's strides to one of dst's. The ranges must hold them and
// not overlap.
func (r *Recorder) CopyRows(dst, src Rows, bytes, rows int) {
	if r.err != nil {
		return
	}
	if err := r.checkCopy(dst, src, bytes, rows); err != nil {
		r.err = errors.WithMessagef(err, "copy, command %d", len(r.commands))
		return
	}
	c := command{bindings: []Range{dst.Range, src.Range}, copies: make([][3]uint64, rows)}
	for i := range c.copies {
		c.copies[i] = [3]uint64{uint64(src.Offset + i*src.Stride), uint64(dst.Offset + i*dst.Stride), uint64(bytes)}
	}
	r.copies = true
	r.add(c, []use{
		{dst.Buffer.id, dst.Offset, dst.Offset + dst.Size, true}, {src.Buffer.id, src.Offset, src.Offset + src.Size, false}})
}

// Estimate says how long the next command will take, roughly: Finish cuts the recording into submissions by it.
func (r *Recorder) Estimate(d time.Duration) { r.estimate = d }

func (r *Recorder) add(c command, uses []use) {
	c.time = unknownTime
	if r.estimate > 0 {
		c.time, r.estimate = r.estimate, 0
	}
	r.commands = append(r.commands, c)
	r.barriers = append(r.barriers, r.hazards.next(uses) || r.timed && len(r.barriers) > 0)
}

func (r *Recorder) checkDispatch(c command) error {
	if c.kernel == nil || c.kernel.d != r.d {
		return errors.WithMessage(ErrUsage, "no kernel, or one of another device")
	}
	desc := c.kernel.desc
	if len(c.bindings) != len(desc.Bindings) {
		return errors.WithMessagef(ErrUsage, "%s: %d bindings, expected %d", desc, len(c.bindings), len(desc.Bindings))
	}
	if len(c.push) != desc.PushBytes {
		return errors.WithMessagef(ErrUsage, "%s: %d push-constant bytes, expected %d", desc, len(c.push), desc.PushBytes)
	}
	limits := r.d.physical.info.Limits
	for axis, n := range c.grid {
		if n == 0 || int64(n) > int64(limits.WorkgroupCount[axis]) {
			return errors.WithMessagef(ErrUnsupported, "%s: grid %v, expected 1 to %v", desc, c.grid, limits.WorkgroupCount)
		}
	}
	for i, b := range c.bindings {
		err := r.checkRange(b)
		if err == nil {
			err = checkBinding(limits, desc.Bindings[i].Kind, b)
		}
		if err != nil {
			return errors.WithMessagef(err, "%s: binding %d", desc, i)
		}
	}
	return nil
}

// texelBytes is the size of a texel, and of the vectors in which kernels read storage buffers.
const texelBytes = 16

func checkBinding(l Limits, kind shaders.Kind, b Range) error {
	align, limit := l.StorageAlignment, int64(l.StorageRange)
	if kind != shaders.StorageBuffer {
		align, limit = l.TexelAlignment, int64(l.TexelElements)*int64(b.texelSize(kind))
	}
	if b.Offset%align != 0 {
		return errors.WithMessagef(ErrUsage, "buffer %s: offset %d is not a multiple of %d", b.Buffer.name, b.Offset, align)
	}
	if int64(roundUp(b.Size, texelBytes)) > limit {
		return errors.WithMessagef(ErrUnsupported, "buffer %s: range of %d bytes, limit is %d", b.Buffer.name, b.Size, limit)
	}
	return nil
}

func (r *Recorder) checkRange(b Range) error {
	switch {
	case b.Buffer == nil || b.Buffer.d != r.d:
		return errors.WithMessage(ErrUsage, "no buffer, or one of another device")
	case b.Buffer.closed.Load():
		return errors.WithMessagef(ErrClosed, "buffer %s", b.Buffer.name)
	case b.Offset < 0 || b.Size <= 0 || b.Offset > b.Buffer.size || b.Size > b.Buffer.size-b.Offset:
		return errors.WithMessagef(ErrUsage, "buffer %s: %d bytes at %d, size is %d", b.Buffer.name, b.Size, b.Offset, b.Buffer.size)
	}
	return nil
}

func (r *Recorder) checkCopy(dst, src Rows, bytes, rows int) error {
	for _, b := range []Rows{dst, src} {
		if err := r.checkRange(b.Range); err != nil {
			return err
		}
		if bytes <= 0 || rows <= 0 || bytes > b.Stride || bytes > b.Size || (b.Size-bytes)/b.Stride < rows-1 {
			return errors.WithMessagef(ErrUsage, "buffer %s: %d rows of %d bytes, one each %d of %d bytes", b.Buffer.name, rows, bytes, b.Stride, b.Size)
		}
	}
	if dst.Buffer == src.Buffer && dst.Offset < src.Offset+src.Size && src.Offset < dst.Offset+dst.Size {
		return errors.WithMessagef(ErrUsage, "buffer %s: source and destination overlap", dst.Buffer.name)
	}
	return nil
}

// plan is a line per command: what precedes it, the kernel and the grid.
func (r *Recorder) plan() []string {
	lines := make([]string, len(r.commands))
	for i, c := range r.commands {
		mark := ""
		if r.barriers[i] {
			mark = "barrier "
		}
		if n := len(c.copies); n > 1 {
			lines[i] = fmt.Sprintf("%scopy %d rows of %d bytes", mark, n, c.copies[0][2])
		} else if n == 1 {
			lines[i] = fmt.Sprintf("%scopy %d bytes", mark, c.copies[0][2])
		} else {
			lines[i] = fmt.Sprintf("%s%s %dx%dx%d", mark, c.kernel, c.grid[0], c.grid[1], c.grid[2])
			if c.from != [3]uint32{} {
				lines[i] += fmt.Sprintf(" from %dx%dx%d", c.from[0], c.from[1], c.from[2])
			}
		}
	}
	return lines
}

// times are the estimates of all commands.
func (r *Recorder) times() []time.Duration {
	times := make([]time.Duration, len(r.commands))
	for i, c := range r.commands {
		times[i] = c.time
	}
	return times
}
