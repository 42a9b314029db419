//go:build linux && !android && cgo && !novulkan

package vulkan

import (
	"encoding/binary"

	"github.com/pkg/errors"

	"github.com/edgeadapt/edgeadapt/shaders"
)

const (
	canaryWords = 64
	// CanaryBytes is the size of the buffer that Recorder.Watch takes.
	CanaryBytes = 2 * 4 * canaryWords
)

// canary is a small integer computation that goes through every segment of a recording, from numbers that differ in every
// run. Some drivers go on after a reset of the device as if nothing had happened, with memory or a submission lost; the
// last word of a chain of known values then is a wrong one.
type canary struct {
	kernel *Kernel
	state  *Buffer
	runs   uint32 // guarded by Recording.mu
}

// Watch has every run of the recording checked by a canary, which lives in state, a HostVisible buffer of CanaryBytes that
// nothing else uses and that the caller closes after the Recording. A run whose canary is wrong returns a CanaryError.
func (r *Recorder) Watch(state *Buffer) {
	if r.err != nil {
		return
	}
	if state == nil || state.d != r.d || state.kind != HostVisible || state.size != CanaryBytes {
		r.err = errors.WithMessagef(ErrUsage, "canary: expected a buffer of this device in reach of the host, of %d bytes", CanaryBytes)
		return
	}
	desc, err := shaders.Pick("canary", 0)
	if err != nil {
		r.err = err
		return
	}
	k, err := r.d.NewKernel(desc, []uint32{canaryWords})
	if err != nil {
		r.err = err
		return
	}
	r.canary = &canary{kernel: k, state: state}
}

// command is the link of the chain at the end of a segment.
func (c *canary) command(segment int) command {
	return command{kernel: c.kernel, bindings: []Range{{Buffer: c.state, Size: CanaryBytes}},
		push: binary.LittleEndian.AppendUint32(nil, uint32(segment)), grid: [3]uint32{1, 1, 1}}
}

// start is word i at the beginning of run number runs.
func canaryStart(runs uint32, i int) uint32 {
	return (runs<<6|uint32(i))*0x9E3779B1 + 0x7F4A7C15
}

// canaryMix is mix8 of shaders/src/canary.comp.
func canaryMix(a, b, segment uint32) uint32 {
	dot := int32(0)
	for k := 0; k < 32; k += 8 {
		dot += int32(int8(a>>k)) * int32(int8(b>>k))
	}
	v := (a^uint32(dot))*747796405 + 2891336453 + segment
	return v ^ v>>16
}

// arm writes the words of a new run. The recording's lock is held.
func (c *canary) arm() error {
	if c == nil {
		return nil
	}
	c.runs++
	words := c.state.mapped()[:CanaryBytes]
	clear(words)
	for i := range canaryWords {
		binary.LittleEndian.PutUint32(words[4*i:], canaryStart(c.runs, i))
	}
	return c.state.memory.flush(c.state.d, 0, CanaryBytes)
}

// check compares the words after a run of so many segments.
func (c *canary) check(segments int) error {
	if c == nil || segments == 0 {
		return nil
	}
	if err := c.state.memory.invalidate(c.state.d, 0, CanaryBytes); err != nil {
		return err
	}
	var now, next [canaryWords]uint32
	for i := range now {
		now[i] = canaryStart(c.runs, i)
	}
	for s := range segments {
		for i := range now {
			next[i] = canaryMix(now[i], now[(i+1)%canaryWords], uint32(s))
		}
		now = next
	}
	words := c.state.mapped()[segments%2*4*canaryWords:]
	for i, want := range now {
		if got := binary.LittleEndian.Uint32(words[4*i:]); got != want {
			return errors.WithStack(&CanaryError{Word: i, Got: got, Want: want})
		}
	}
	return nil
}
