//go:build linux && !android && cgo && !novulkan

package vulkan_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/edgeadapt/edgeadapt/vulkan"
	"github.com/edgeadapt/edgeadapt/vulkan/faulttest"
	"github.com/edgeadapt/edgeadapt/vulkan/vulkantest"
)

// work does a bit of everything on a device of its own: y = x + 2 x + ... in three submissions, through staging memory, with a
// canary, a texel buffer and a pipeline cache. It returns the first error, and checks the result where there is none.
func work(inst *vulkan.Instance, index int, dir string) (err error) {
	const n = 65
	o := vulkan.StagingOptions
	o.CacheDir = dir
	d, err := inst.OpenDevice(index, o)
	if err != nil {
		return err
	}
	defer func() {
		if e := d.Close(); err == nil {
			err = e
		}
	}()
	var buffers [3]*vulkan.Buffer
	for i, m := range []vulkan.Memory{vulkan.DeviceLocal, vulkan.DeviceLocal, vulkan.HostVisible} {
		size := 4 * n
		if i == 2 {
			size = vulkan.CanaryBytes
		}
		if buffers[i], err = d.NewBuffer("buffer", size, m); err != nil {
			return err
		}
	}
	x, y := buffers[0], buffers[1]
	if err := x.Write(0, floats(ramp(n, 1)...)); err != nil {
		return err
	}
	r := d.NewRecorder()
	r.Watch(buffers[2])
	for _, name := range []string{"axpy", "axpy/TEXEL", "axpy"} {
		desc, err := pick(d, name)
		if err != nil {
			return err
		}
		k, err := d.NewKernel(desc, nil)
		if err != nil {
			return err
		}
		r.Estimate(vulkan.SegmentTime)
		r.Dispatch(k, []vulkan.Range{whole(x), whole(y)}, push(n, 1), groups(n), 1, 1)
	}
	rec, err := r.Finish()
	if err != nil {
		return err
	}
	if err := rec.Run(context.Background()); err != nil {
		return err
	}
	got := make([]byte, 4*n)
	if err := y.Read(0, got); err != nil {
		return err
	}
	for i, want := range floats(ramp(n, 3)...) {
		if got[i] != want {
			return fmt.Errorf("wrong result at byte %d", i)
		}
	}
	return nil
}

// TestCallsFail: each call that can run out of memory does so in turn. The error says it, nothing is left, the validation layer
// has nothing to say, and the next attempt goes well. Some calls have another way out.
func TestCallsFail(t *testing.T) {
	c := faulttest.Start(t)
	if c == nil {
		return
	}
	inst := vulkantest.Instance(t)
	index, before := vulkantest.Index(t, inst), c.Live()
	saved := 0
	for after := 0; ; after++ {
		c.Fail(faulttest.AllThatAllocate, after, faulttest.OutOfDeviceMemory)
		err := work(inst, index, t.TempDir())
		if c.Hits() == 0 {
			if err != nil || after < 40 {
				t.Errorf("after %d calls there were no more; %v", after, err)
			}
			t.Logf("%d calls failed in turn, %d of them to no harm", after, saved)
			break
		}
		if err == nil {
			saved++
		} else if !errors.Is(err, vulkan.ErrOutOfMemory) {
			t.Errorf("call %d: %v", after, err)
		}
		if live := c.Live(); live != before {
			t.Fatalf("call %d (%v) left %s; before there was %s", after, err, live, before)
		}
	}
	if saved > 6 {
		t.Errorf("%d failing calls went unnoticed", saved)
	}
	c.Calm()
	if err := work(inst, index, t.TempDir()); err != nil {
		t.Error(err)
	}
}

// TestInstanceFails: opening Vulkan itself.
func TestInstanceFails(t *testing.T) {
	c := faulttest.Start(t)
	if c == nil {
		return
	}
	for _, call := range []string{"vkCreateInstance", "vkEnumeratePhysicalDevices"} {
		c.Fail(call, 0, faulttest.OutOfHostMemory)
		_, err := vulkan.Open(vulkan.Options{})
		if !errors.Is(err, vulkan.ErrOutOfMemory) || c.Live() != "" {
			t.Errorf("%s: %v, left %s", call, err, c.Live())
		}
	}
	c.Calm()
	inst, err := vulkan.Open(vulkan.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if c.Live() == "" {
		t.Error("control: an open instance is not counted")
	}
	if err := inst.Close(); err != nil || c.Live() != "" {
		t.Errorf("%v, left %s", err, c.Live())
	}
}

// TestDeviceLost: at each submission and at each wait in turn.
func TestDeviceLost(t *testing.T) {
	c := faulttest.Start(t)
	if c == nil {
		return
	}
	inst := vulkantest.Instance(t)
	index, before := vulkantest.Index(t, inst), c.Live()
	for _, call := range []string{"vkQueueSubmit", "vkWaitForFences"} {
		for after := 0; ; after++ {
			c.Fail(call, after, faulttest.DeviceLost)
			err := work(inst, index, t.TempDir())
			if c.Hits() == 0 {
				if err != nil || after < 5 {
					t.Errorf("%s: %d calls, %v", call, after, err)
				}
				break
			}
			if !errors.Is(err, vulkan.ErrDeviceLost) {
				t.Errorf("%s %d: %v", call, after, err)
			}
			if live := c.Live(); live != before {
				t.Fatalf("%s %d left %s; before there was %s", call, after, live, before)
			}
		}
	}
}

// TestLostSubmission: a driver that loses one of the run's submissions and says nothing is found out by the canary.
func TestLostSubmission(t *testing.T) {
	c := faulttest.Start(t)
	if c == nil {
		return
	}
	inst := vulkantest.Instance(t)
	index, found := vulkantest.Index(t, inst), 0
	for after := 0; ; after++ {
		c.Drop(after)
		err := work(inst, index, t.TempDir())
		if c.Hits() == 0 {
			if err != nil {
				t.Error(err)
			}
			break
		}
		if errors.Is(err, vulkan.ErrWrongResults) {
			found++
		}
	}
	if found != 3 { // the other submissions are copies, which have no canary
		t.Errorf("%d of 3 submissions missed", found)
	}
}

// TestForeignPipelineCache: whole files of another device, driver or version never reach the driver.
func TestForeignPipelineCache(t *testing.T) {
	dir := t.TempDir()
	inst := vulkantest.Instance(t)
	d, err := inst.OpenDevice(vulkantest.Index(t, inst), vulkan.DeviceOptions{CacheDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	kernel(t, d, "axpy")
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	files, _ := filepath.Glob(filepath.Join(dir, "*"))
	if len(files) != 1 {
		t.Fatalf("files %q", files)
	}
	file, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	if vulkan.CacheData(d, file) == nil {
		t.Error("its own file is refused")
	}
	for name, at := range map[string]int{"another length": 0, "another version": 4, "another vendor": 8, "another device": 12, "another driver": 16} {
		if vulkan.CacheData(d, vulkan.Sealed(file, at)) != nil {
			t.Errorf("data of %s are given to the driver", name)
		}
	}
	if vulkan.CacheData(d, vulkan.Sealed(file, -1)) != nil {
		t.Error("data without a header are given to the driver")
	}
}
