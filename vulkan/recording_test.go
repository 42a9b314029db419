//go:build linux && !android && cgo && !novulkan

package vulkan_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/edgeadapt/edgeadapt/vulkan"
	"github.com/edgeadapt/edgeadapt/vulkan/vulkantest"
)

// TestDispatch runs every variant of axpy at odd sizes, with each kind of memory, and looks at every element.
func TestDispatch(t *testing.T) {
	inst := vulkantest.Instance(t)
	for _, options := range []vulkan.DeviceOptions{{RobustAccess: true}, {}, vulkan.StagingOptions} {
		d, err := inst.OpenDevice(vulkantest.Index(t, inst), options)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"axpy", "axpy/TEXEL"} {
			for _, n := range []int{1, 2, 7, 37, 63, 64, 65, 197, 4099} {
				t.Run(fmt.Sprintf("%+v/%s/%d", options, name, n), func(t *testing.T) { dispatchOne(t, d, name, n) })
			}
		}
		if used := d.MemoryInUse(); used > 2*vulkan.StagingBytes {
			t.Errorf("%d bytes in use after the last buffer was closed", used)
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}
}

func dispatchOne(t *testing.T, d *vulkan.Device, name string, n int) {
	x := buffer(t, d, "x", vulkan.HostVisible, ramp(n, 0.5))
	y := buffer(t, d, "y", vulkan.DeviceLocal, ramp(n, 1))
	defer x.Close()
	defer y.Close()
	r := d.NewRecorder()
	r.Dispatch(kernel(t, d, name), []vulkan.Range{whole(x), whole(y)}, push(n, 3), groups(n), 1, 1)
	rec := finish(t, r)
	defer rec.Close()
	for range 2 { // a recording replays
		run(t, rec)
	}
	expect(t, y, func(i int) float32 { return 4 * float32(i%1000+1) })
	expect(t, x, func(i int) float32 { return 0.5 * float32(i%1000+1) })
}

// TestHalfTexels: a range of float16 is fetched as float32, the same buffer otherwise as what its words are as float32.
func TestHalfTexels(t *testing.T) {
	d := vulkantest.Device(t)
	const n = 64
	x, y := buffer(t, d, "x", vulkan.DeviceLocal, make([]float32, n/2)), buffer(t, d, "y", vulkan.DeviceLocal, make([]float32, n))
	defer x.Close()
	defer y.Close()
	halves := make([]byte, 2*n)
	for i := range n { // 1 + i/1024, as float16 has it
		binary.LittleEndian.PutUint16(halves[2*i:], uint16(15<<10+i))
	}
	if err := x.Write(0, halves); err != nil {
		t.Fatal(err)
	}
	r := d.NewRecorder()
	half := whole(x)
	half.Half = true
	k := kernel(t, d, "axpy/TEXEL")
	r.Dispatch(k, []vulkan.Range{half, whole(y)}, push(n, 1), 1, 1, 1)
	r.Dispatch(k, []vulkan.Range{whole(x), whole(y)}, push(1, 1), 1, 1, 1)
	rec := finish(t, r)
	defer rec.Close()
	run(t, rec)
	word := math.Float32frombits(binary.LittleEndian.Uint32(halves))
	expect(t, y, func(i int) float32 {
		v := 1 + float32(i)/1024
		if i == 0 {
			v += word
		}
		return v
	})
}

// TestCopyRows takes columns out of one matrix and puts them into another.
func TestCopyRows(t *testing.T) {
	d := vulkantest.Device(t)
	const rows, from, to, columns = 7, 37, 11, 5
	x, y := buffer(t, d, "x", vulkan.DeviceLocal, ramp(rows*from, 1)), buffer(t, d, "y", vulkan.DeviceLocal, make([]float32, rows*to))
	r := d.NewRecorder()
	r.CopyRows(vulkan.Rows{Range: vulkan.Range{Buffer: y, Offset: 4 * 2, Size: 4 * (rows*to - 2)}, Stride: 4 * to},
		vulkan.Rows{Range: vulkan.Range{Buffer: x, Offset: 4 * 30, Size: 4 * (rows*from - 30)}, Stride: 4 * from}, 4*columns, rows)
	rec := finish(t, r)
	if got := rec.Plan(); !slices.Equal(got, []string{"copy 7 rows of 20 bytes"}) {
		t.Errorf("plan %q", got)
	}
	run(t, rec)
	expect(t, y, func(i int) float32 {
		if c := i%to - 2; c >= 0 && c < columns {
			return float32(i/to*from + 30 + c + 1)
		}
		return 0
	})
}

// chain records y += x, z += y, y += z and a copy of y back to x: each needs a barrier, an independent one does not.
func chain(d *vulkan.Device, k *vulkan.Kernel, x, y, z, other *vulkan.Buffer) *vulkan.Recorder {
	r := d.NewRecorder()
	n := x.Size() / 4
	for _, pair := range [][2]*vulkan.Buffer{{x, y}, {x, other}, {y, z}, {z, y}} {
		r.Dispatch(k, []vulkan.Range{whole(pair[0]), whole(pair[1])}, push(n, 1), groups(n), 1, 1)
	}
	r.Copy(whole(x), whole(y))
	return r
}

func TestBarriers(t *testing.T) {
	d := vulkantest.Device(t)
	const n = 197
	x, y := buffer(t, d, "x", vulkan.DeviceLocal, ramp(n, 1)), buffer(t, d, "y", vulkan.DeviceLocal, make([]float32, n))
	z, other := buffer(t, d, "z", vulkan.DeviceLocal, make([]float32, n)), buffer(t, d, "other", vulkan.DeviceLocal, make([]float32, n))
	rec := finish(t, chain(d, kernel(t, d, "axpy"), x, y, z, other))
	want := []string{"axpy[64] 4x1x1", "axpy[64] 4x1x1", "barrier axpy[64] 4x1x1", "barrier axpy[64] 4x1x1", "barrier copy 788 bytes"}
	if got := rec.Plan(); !slices.Equal(got, want) {
		t.Errorf("plan %q\nexpected %q", got, want)
	}
	run(t, rec)
	expect(t, x, func(i int) float32 { return 2 * float32(i+1) })
}

// TestMissingBarrierIsReported is the negative control of every other test: without barriers the validation layer
// must complain.
func TestMissingBarrierIsReported(t *testing.T) {
	var mu sync.Mutex
	var messages []string
	inst := vulkantest.InstanceWith(t, func(severity, text string) {
		mu.Lock()
		defer mu.Unlock()
		messages = append(messages, severity+": "+text)
	})
	d, err := inst.OpenDevice(vulkantest.Index(t, inst), vulkan.DeviceOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var b [4]*vulkan.Buffer
	for i := range b {
		b[i] = buffer(t, d, "b", vulkan.DeviceLocal, make([]float32, 37))
	}
	r := chain(d, kernel(t, d, "axpy"), b[0], b[1], b[2], b[3])
	r.DropBarriers()
	run(t, finish(t, r))
	mu.Lock()
	defer mu.Unlock()
	if len(messages) == 0 {
		t.Error("no message about the missing barriers")
	}
}

// TestSegments runs more commands than fit a submission, each depending on the one before.
func TestSegments(t *testing.T) {
	d := vulkantest.Device(t)
	const n, steps = 65, 3*vulkan.SegmentDispatches + 5
	x, y := buffer(t, d, "x", vulkan.DeviceLocal, ramp(n, 1)), buffer(t, d, "y", vulkan.DeviceLocal, make([]float32, n))
	r := d.NewRecorder()
	k := kernel(t, d, "axpy")
	for range steps {
		r.Dispatch(k, []vulkan.Range{whole(x), whole(y)}, push(n, 1), groups(n), 1, 1)
	}
	rec := finish(t, r)
	run(t, rec)
	expect(t, y, func(i int) float32 { return steps * float32(i+1) })

	// A context that ends after one segment stops the run there, and the next run starts afresh.
	ctx := &countdown{Context: context.Background(), left: 1}
	if err := rec.Run(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled run returned %v", err)
	}
	expect(t, y, func(i int) float32 { return (steps + vulkan.SegmentDispatches) * float32(i+1) })
	run(t, rec)
	expect(t, y, func(i int) float32 { return (2*steps + vulkan.SegmentDispatches) * float32(i+1) })
}

// countdown is a context that is cancelled after its error was asked for left times.
type countdown struct {
	context.Context
	left int
}

func (c *countdown) Err() error {
	if c.left--; c.left < 0 {
		return context.Canceled
	}
	return nil
}

// TestEstimates: estimates decide how many commands a submission has.
func TestEstimates(t *testing.T) {
	d := vulkantest.Device(t)
	x, y := buffer(t, d, "x", vulkan.DeviceLocal, ramp(65, 1)), buffer(t, d, "y", vulkan.DeviceLocal, make([]float32, 65))
	k := kernel(t, d, "axpy")
	for _, tt := range []struct {
		each time.Duration
		want int
	}{{vulkan.SegmentTime / 100, 1}, {vulkan.SegmentTime / 4, 3}, {vulkan.SegmentTime * 10, 12}} {
		r := d.NewRecorder()
		for range 12 {
			r.Estimate(tt.each)
			r.Dispatch(k, []vulkan.Range{whole(x), whole(y)}, push(65, 1), groups(65), 1, 1)
		}
		if got := finish(t, r).Segments(); got != tt.want {
			t.Errorf("12 commands of %v in %d submissions, expected %d", tt.each, got, tt.want)
		}
	}
}

// TestCanary: a run that lost a submission, or repeated one, is told from a whole one, however often it went well.
func TestCanary(t *testing.T) {
	d := vulkantest.Device(t)
	const n = 65
	x, y := buffer(t, d, "x", vulkan.DeviceLocal, ramp(n, 1)), buffer(t, d, "y", vulkan.DeviceLocal, make([]float32, n))
	state := buffer(t, d, "canary", vulkan.HostVisible, make([]float32, vulkan.CanaryBytes/4))
	k := kernel(t, d, "axpy")
	record := func(commands int) *vulkan.Recording {
		r := d.NewRecorder()
		r.Watch(state)
		for range commands {
			r.Estimate(vulkan.SegmentTime)
			r.Dispatch(k, []vulkan.Range{whole(x), whole(y)}, push(n, 1), groups(n), 1, 1)
		}
		return finish(t, r)
	}
	for _, commands := range []int{0, 1, 2, 5} {
		rec := record(commands)
		for range 3 {
			run(t, rec)
		}
		if rec.Segments() != commands {
			t.Errorf("%d submissions of %d commands", rec.Segments(), commands)
		}
		if err := rec.Close(); err != nil {
			t.Error(err)
		}
	}
	expect(t, y, func(i int) float32 { return 3 * 8 * float32(i+1) })

	r := d.NewRecorder()
	r.Watch(y)
	if _, err := r.Finish(); !errors.Is(err, vulkan.ErrUsage) {
		t.Errorf("canary in a buffer that is none: %v", err)
	}

	rec := record(3)
	run(t, rec)
	rec.Repeat(1, 2)
	err := rec.Run(context.Background())
	var wrong *vulkan.CanaryError
	if !errors.As(err, &wrong) || !errors.Is(err, vulkan.ErrDeviceLost) || !errors.Is(err, vulkan.ErrWrongResults) || wrong.Got == wrong.Want {
		t.Errorf("run with a segment missing: %v", err)
	}
	if err := rec.Run(context.Background()); !errors.Is(err, vulkan.ErrDeviceLost) {
		t.Errorf("run after it: %v", err)
	}
}

func TestEmptyRecording(t *testing.T) {
	d := vulkantest.Device(t)
	rec := finish(t, d.NewRecorder())
	run(t, rec)
	if len(rec.Plan()) != 0 {
		t.Errorf("plan %q", rec.Plan())
	}
}

// TestConcurrentRuns runs two recordings, each on buffers of its own, from two goroutines, while a third makes and
// closes buffers and compiles kernels.
func TestConcurrentRuns(t *testing.T) {
	d := vulkantest.Device(t)
	const n, rounds = 257, 20
	var wg sync.WaitGroup
	for worker := range 2 {
		wg.Go(func() {
			x, y := buffer(t, d, "x", vulkan.HostVisible, ramp(n, 1)), buffer(t, d, "y", vulkan.DeviceLocal, make([]float32, n))
			r := d.NewRecorder()
			r.Dispatch(kernel(t, d, "axpy"), []vulkan.Range{whole(x), whole(y)}, push(n, float32(worker+1)), groups(n), 1, 1)
			rec, err := r.Finish()
			if err != nil {
				t.Error(err)
				return
			}
			for range rounds {
				if err := rec.Run(context.Background()); err != nil {
					t.Error(err)
				}
			}
			expect(t, y, func(i int) float32 { return rounds * float32(worker+1) * float32(i+1) })
		})
	}
	wg.Go(func() {
		desc := kernel(t, d, "axpy").Description()
		for i := range rounds {
			b, err := d.NewBuffer("short-lived", 1000, vulkan.DeviceLocal)
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := d.NewKernel(desc, []uint32{uint32(i%3 + 1)}); err != nil {
				t.Error(err)
			}
			b.Close()
		}
	})
	wg.Wait()
}
