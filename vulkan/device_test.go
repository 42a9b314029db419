//go:build linux && !android && cgo && !novulkan

package vulkan_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/edgeadapt/edgeadapt/shaders"
	"github.com/edgeadapt/edgeadapt/vulkan"
	"github.com/edgeadapt/edgeadapt/vulkan/vulkantest"
)

func TestDevices(t *testing.T) {
	inst := vulkantest.Instance(t)
	for i, d := range inst.Devices() {
		if d.Index != i || d.Name == "" || d.Kind == "" || len(d.UUID) != 32 || d.DriverVersion == "" || d.Memory <= 0 || d.SubgroupSize < 1 {
			t.Errorf("device %d is incomplete: %+v", i, d)
		}
		if d.Features&^d.Supported != 0 {
			t.Errorf("device %d: features %v are not among the supported %v", i, d.Features, d.Supported)
		}
		if l := d.Limits; l.StorageRange < 1<<27 || l.PushBytes < 128 || l.WorkgroupInvocations < 128 || l.TexelElements < 1<<16 {
			t.Errorf("device %d: limits below the specification's: %+v", i, l)
		}
	}
	for _, index := range []int{-1, len(inst.Devices())} {
		if _, err := inst.OpenDevice(index, vulkan.DeviceOptions{}); !errors.Is(err, vulkan.ErrNoVulkan) {
			t.Errorf("device %d: %v, expected ErrNoVulkan", index, err)
		}
	}
}

func TestMemoryAccounting(t *testing.T) {
	d := vulkantest.Device(t)
	var buffers []*vulkan.Buffer
	sum := int64(0)
	for i, size := range []int{1, 255, 256, 5000, 3 << 20, 5 << 20, 70 << 20} {
		b, err := d.NewBuffer("b", size, vulkan.Memory(i%2))
		if err != nil {
			t.Fatal(err)
		}
		buffers, sum = append(buffers, b), sum+int64(size)
	}
	if used := d.MemoryInUse(); used < sum || used > sum+7*1024 {
		t.Errorf("%d bytes in use, buffers have %d", used, sum)
	}
	for _, b := range buffers {
		for range 2 {
			if err := b.Close(); err != nil {
				t.Error(err)
			}
		}
	}
	if used := d.MemoryInUse(); used != 0 {
		t.Errorf("%d bytes in use after all was closed", used)
	}
}

func TestOutOfMemory(t *testing.T) {
	d := vulkantest.Device(t)
	if _, err := d.NewBuffer("huge", 1<<46, vulkan.DeviceLocal); !errors.Is(err, vulkan.ErrOutOfMemory) {
		t.Errorf("a buffer of 64 TiB: %v, expected ErrOutOfMemory", err)
	}
	if used := d.MemoryInUse(); used != 0 {
		t.Errorf("%d bytes in use", used)
	}
}

// TestNewBufferIsZeroed reuses memory that held something else.
func TestNewBufferIsZeroed(t *testing.T) {
	inst := vulkantest.Instance(t)
	for _, options := range []vulkan.DeviceOptions{{}, vulkan.StagingOptions} {
		d, err := inst.OpenDevice(vulkantest.Index(t, inst), options)
		if err != nil {
			t.Fatal(err)
		}
		buffer(t, d, "old", vulkan.DeviceLocal, ramp(1000, 1)).Close()
		b, err := d.NewBuffer("new", 4000, vulkan.DeviceLocal)
		if err != nil {
			t.Fatal(err)
		}
		expect(t, b, func(int) float32 { return 0 })
		d.Close()
	}
}

// TestReadWrite moves bytes at odd offsets, across the length of a staging copy.
func TestReadWrite(t *testing.T) {
	inst := vulkantest.Instance(t)
	for _, options := range []vulkan.DeviceOptions{{}, vulkan.StagingOptions} {
		d, err := inst.OpenDevice(vulkantest.Index(t, inst), options)
		if err != nil {
			t.Fatal(err)
		}
		const size = vulkan.StagingBytes + 1001
		b, err := d.NewBuffer("b", size, vulkan.DeviceLocal)
		if err != nil {
			t.Fatal(err)
		}
		want := make([]byte, size)
		for _, part := range []struct{ offset, n int }{{0, 1}, {3, 7}, {1000, vulkan.StagingBytes + 1}, {size - 1, 1}, {size, 0}} {
			p := bytes.Repeat([]byte{byte(part.n | 1)}, part.n)
			copy(want[part.offset:], p)
			if err := b.Write(part.offset, p); err != nil {
				t.Fatal(err)
			}
		}
		got := make([]byte, size)
		if err := b.Read(0, got); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%+v: read differs from what was written, %v", options, err)
		}
		for _, part := range []struct{ offset, n int }{{-1, 1}, {size, 1}, {0, size + 1}, {size + 1, 0}} {
			if err := b.Write(part.offset, make([]byte, part.n)); !errors.Is(err, vulkan.ErrUsage) {
				t.Errorf("write of %d bytes at %d: %v, expected ErrUsage", part.n, part.offset, err)
			}
			if err := b.Read(part.offset, make([]byte, part.n)); !errors.Is(err, vulkan.ErrUsage) {
				t.Errorf("read of %d bytes at %d: %v, expected ErrUsage", part.n, part.offset, err)
			}
		}
		d.Close()
	}
}

func TestKernels(t *testing.T) {
	d := vulkantest.Device(t)
	desc := kernel(t, d, "axpy").Description()
	tests := []struct {
		name string
		edit func(k *shaders.Kernel)
		spec []uint32
		want error
	}{
		{"another tile", func(*shaders.Kernel) {}, []uint32{32}, nil},
		{"too many values", func(*shaders.Kernel) {}, []uint32{64, 1}, vulkan.ErrUsage},
		{"workgroup too large", func(*shaders.Kernel) {}, []uint32{1 << 20}, vulkan.ErrUnsupported},
		{"empty workgroup", func(*shaders.Kernel) {}, []uint32{0}, vulkan.ErrUnsupported},
		{"unknown feature", func(k *shaders.Kernel) { k.Needs = 1 << 30 }, nil, vulkan.ErrUnsupported},
		{"push constants too large", func(k *shaders.Kernel) { k.PushBytes = 1 << 20 }, nil, vulkan.ErrUnsupported},
		{"too many bindings", func(k *shaders.Kernel) { k.Bindings = make([]shaders.Binding, 1000) }, nil, vulkan.ErrUnsupported},
		{"no such module", func(k *shaders.Kernel) { k.File = "none.spv" }, nil, os.ErrNotExist},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			edited := *desc
			tt.edit(&edited)
			if _, err := d.NewKernel(&edited, tt.spec); !errors.Is(err, tt.want) {
				t.Errorf("%v, expected %v", err, tt.want)
			}
		})
	}
	a, _ := d.NewKernel(desc, nil)
	b, _ := d.NewKernel(desc, []uint32{64})
	c, _ := d.NewKernel(desc, []uint32{8})
	if a != b || a == c {
		t.Error("kernels are not cached by their specialisation")
	}
}

func TestRecorderErrors(t *testing.T) {
	d, other := vulkantest.Device(t), vulkantest.Device(t)
	k, texel := kernel(t, d, "axpy"), kernel(t, d, "axpy/TEXEL")
	x, y := buffer(t, d, "x", vulkan.DeviceLocal, ramp(64, 1)), buffer(t, d, "y", vulkan.DeviceLocal, ramp(64, 1))
	foreign, gone := buffer(t, other, "foreign", vulkan.DeviceLocal, ramp(64, 1)), buffer(t, d, "gone", vulkan.DeviceLocal, ramp(64, 1))
	gone.Close()
	big, err := d.NewBuffer("big", d.Info().Limits.StorageRange+4, vulkan.DeviceLocal)
	if err != nil {
		t.Fatal(err)
	}
	good, p := []vulkan.Range{whole(x), whole(y)}, push(64, 1)
	dispatch := func(k *vulkan.Kernel, b []vulkan.Range, p []byte, grid ...uint32) func(*vulkan.Recorder) {
		return func(r *vulkan.Recorder) { r.Dispatch(k, b, p, grid[0], grid[1], grid[2]) }
	}
	copying := func(dst, src vulkan.Range) func(*vulkan.Recorder) {
		return func(r *vulkan.Recorder) { r.Copy(dst, src) }
	}
	rows := func(dstStride, srcStride, bytes, n int) func(*vulkan.Recorder) {
		return func(r *vulkan.Recorder) {
			r.CopyRows(vulkan.Rows{Range: whole(y), Stride: dstStride}, vulkan.Rows{Range: whole(x), Stride: srcStride}, bytes, n)
		}
	}
	tests := []struct {
		name string
		do   func(r *vulkan.Recorder)
		want error
	}{
		{"right", dispatch(k, good, p, 1, 1, 1), nil},
		{"no kernel", dispatch(nil, good, p, 1, 1, 1), vulkan.ErrUsage},
		{"kernel of another device", dispatch(kernel(t, other, "axpy"), good, p, 1, 1, 1), vulkan.ErrUsage},
		{"push constants short", dispatch(k, good, p[:4], 1, 1, 1), vulkan.ErrUsage},
		{"one binding", dispatch(k, good[:1], p, 1, 1, 1), vulkan.ErrUsage},
		{"no buffer", dispatch(k, []vulkan.Range{{}, whole(y)}, p, 1, 1, 1), vulkan.ErrUsage},
		{"buffer of another device", dispatch(k, []vulkan.Range{whole(foreign), whole(y)}, p, 1, 1, 1), vulkan.ErrUsage},
		{"closed buffer", dispatch(k, []vulkan.Range{whole(gone), whole(y)}, p, 1, 1, 1), vulkan.ErrClosed},
		{"beyond the end", dispatch(k, []vulkan.Range{{Buffer: x, Offset: 16, Size: 256}, whole(y)}, p, 1, 1, 1), vulkan.ErrUsage},
		{"empty range", dispatch(k, []vulkan.Range{{Buffer: x, Offset: 0, Size: 0}, whole(y)}, p, 1, 1, 1), vulkan.ErrUsage},
		{"offset out of line", dispatch(k, []vulkan.Range{{Buffer: x, Offset: 1, Size: 4}, whole(y)}, p, 1, 1, 1), vulkan.ErrUsage},
		{"texel offset out of line", dispatch(texel, []vulkan.Range{{Buffer: x, Offset: 4, Size: 4}, whole(y)}, p, 1, 1, 1), vulkan.ErrUsage},
		{"range too large", dispatch(k, []vulkan.Range{whole(big), whole(y)}, p, 1, 1, 1), vulkan.ErrUnsupported},
		{"empty grid", dispatch(k, good, p, 1, 0, 1), vulkan.ErrUnsupported},
		{"grid too large", dispatch(k, good, p, 1<<31, 1, 1), vulkan.ErrUnsupported},
		{"copy", copying(whole(y), whole(x)), nil},
		{"copy of another size", copying(vulkan.Range{Buffer: y, Size: 4}, whole(x)), vulkan.ErrUsage},
		{"copy onto itself", copying(vulkan.Range{Buffer: x, Size: 8}, vulkan.Range{Buffer: x, Offset: 4, Size: 8}), vulkan.ErrUsage},
		{"rows", rows(16, 63, 4, 5), nil}, // the last one ends where x does
		{"rows beyond the source", rows(16, 64, 4, 5), vulkan.ErrUsage},
		{"rows beyond the destination", rows(64, 16, 4, 5), vulkan.ErrUsage},
		{"rows longer than their stride", rows(4, 16, 8, 2), vulkan.ErrUsage},
		{"no rows", rows(16, 16, 4, 0), vulkan.ErrUsage},
		{"copy from a closed buffer", copying(whole(y), whole(gone)), vulkan.ErrClosed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := d.NewRecorder()
			tt.do(r)
			r.Dispatch(k, good, nil, 1, 1, 1) // wrong as well, but the first error sticks
			if tt.want == nil {
				r = d.NewRecorder()
				tt.do(r)
			}
			if _, err := r.Finish(); !errors.Is(err, tt.want) {
				t.Errorf("%v, expected %v", err, tt.want)
			}
		})
	}
}

// TestClosed closes things in every order; nothing may crash, and the answer is ErrClosed.
func TestClosed(t *testing.T) {
	inst := vulkantest.Instance(t)
	d, err := inst.OpenDevice(vulkantest.Index(t, inst), vulkan.DeviceOptions{})
	if err != nil {
		t.Fatal(err)
	}
	k := kernel(t, d, "axpy")
	x, y := buffer(t, d, "x", vulkan.DeviceLocal, ramp(64, 1)), buffer(t, d, "y", vulkan.DeviceLocal, ramp(64, 1))
	record := func() *vulkan.Recorder {
		r := d.NewRecorder()
		r.Dispatch(k, []vulkan.Range{whole(x), whole(y)}, push(64, 1), 1, 1, 1)
		return r
	}
	expectClosed := func(what string, err error) {
		t.Helper()
		if !errors.Is(err, vulkan.ErrClosed) {
			t.Errorf("%s: %v, expected ErrClosed", what, err)
		}
	}
	closedRecording, open, recorder := finish(t, record()), finish(t, record()), record()
	closedRecording.Close()
	expectClosed("run of a closed recording", closedRecording.Run(context.Background()))
	x.Close()
	expectClosed("run with a closed buffer", open.Run(context.Background()))
	expectClosed("write", x.Write(0, []byte{1}))
	_, err = recorder.Finish()
	expectClosed("finish with a closed buffer", err)

	if err := d.Close(); err != nil {
		t.Error(err)
	}
	expectClosed("run on a closed device", open.Run(context.Background()))
	expectClosed("read on a closed device", y.Read(0, make([]byte, 1)))
	_, err = d.NewBuffer("z", 4, vulkan.DeviceLocal)
	expectClosed("new buffer", err)
	_, err = d.NewKernel(k.Description(), nil)
	expectClosed("new kernel", err)
	_, err = d.NewRecorder().Finish()
	expectClosed("finish", err)
	for _, c := range []interface{ Close() error }{d, y, x, open, closedRecording, inst, inst, d} {
		if err := c.Close(); err != nil {
			t.Errorf("second close of %T: %v", c, err)
		}
	}
	_, err = inst.OpenDevice(0, vulkan.DeviceOptions{})
	expectClosed("open device", err)
}

// TestInstanceClosesDevices leaves everything open but the instance.
func TestInstanceClosesDevices(t *testing.T) {
	inst := vulkantest.Instance(t)
	d, err := inst.OpenDevice(vulkantest.Index(t, inst), vulkan.StagingOptions)
	if err != nil {
		t.Fatal(err)
	}
	x, y := buffer(t, d, "x", vulkan.DeviceLocal, ramp(64, 1)), buffer(t, d, "y", vulkan.HostVisible, ramp(64, 1))
	r := d.NewRecorder()
	r.Dispatch(kernel(t, d, "axpy/TEXEL"), []vulkan.Range{whole(x), whole(y)}, push(64, 1), 1, 1, 1)
	run(t, finish(t, r))
	if err := inst.Close(); err != nil {
		t.Error(err)
	}
	if used := d.MemoryInUse(); used != 0 {
		t.Errorf("%d bytes in use after Close", used)
	}
}

// TestPipelineCache: the file is written once something was compiled, and one that is damaged does no harm.
func TestPipelineCache(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	inst := vulkantest.Instance(t)
	use := func() {
		t.Helper()
		d, err := inst.OpenDevice(vulkantest.Index(t, inst), vulkan.DeviceOptions{CacheDir: dir})
		if err != nil {
			t.Fatal(err)
		}
		kernel(t, d, "axpy")
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
	}
	use()
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) != 1 {
		t.Fatalf("files %q, %v, expected one", files, err)
	}
	good, err := os.ReadFile(files[0])
	if err != nil || len(good) <= 32 {
		t.Fatalf("%d bytes, %v", len(good), err)
	}
	flipped := bytes.Clone(good)
	flipped[len(flipped)-1] ^= 1
	for _, bad := range [][]byte{flipped, good[:40], good[:10], {}} {
		if err := os.WriteFile(files[0], bad, 0o644); err != nil {
			t.Fatal(err)
		}
		use()
		if now, err := os.ReadFile(files[0]); err != nil || bytes.Equal(now, bad) {
			t.Errorf("a damaged file of %d bytes was kept, %v", len(bad), err)
		}
	}
}

func TestCallErrors(t *testing.T) {
	tests := []struct {
		result vulkan.Result
		is     error
		text   string
	}{
		{-1, vulkan.ErrOutOfMemory, "vkX: out of host memory"},
		{-2, vulkan.ErrOutOfMemory, "vkX: out of device memory"},
		{-4, vulkan.ErrDeviceLost, "vkX: device lost"},
		{-9, vulkan.ErrNoVulkan, "vkX: incompatible driver"},
		{-13, nil, "vkX: VkResult -13"},
	}
	sentinels := []error{vulkan.ErrOutOfMemory, vulkan.ErrDeviceLost, vulkan.ErrNoVulkan, vulkan.ErrClosed}
	for _, tt := range tests {
		err := &vulkan.CallError{Call: "vkX", Result: tt.result}
		if err.Error() != tt.text {
			t.Errorf("%q, expected %q", err, tt.text)
		}
		for _, s := range sentinels {
			if errors.Is(err, s) != (s == tt.is) {
				t.Errorf("%v: errors.Is(%v) is %v", err, s, !(s == tt.is))
			}
		}
	}
}
