//go:build linux && !android && cgo && !novulkan

// Package faulttest runs tests beside a Vulkan loader that fails as they say. The loader, a small C library that forwards to the
// real one, is built by the test and found by the test's program, run a second time, in the first one's place: the binding keeps
// its entry points in variables of the process.
package faulttest

import (
	_ "embed"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/edgeadapt/edgeadapt/shaders"
	"github.com/edgeadapt/edgeadapt/vulkan/vulkantest"
)

//go:embed testdata/loader.c
var source []byte

const (
	controlVariable = "EDGEADAPT_FAULT_CONTROL"
	loaderVariable  = "EDGEADAPT_FAULT_LOADER"
)

// Results of Vulkan calls.
const (
	OutOfHostMemory   = -1
	OutOfDeviceMemory = -2
	DeviceLost        = -4
)

// AllThatAllocate stands for every call that may run out of memory.
const AllThatAllocate = "*"

// kinds are the objects that the loader counts, in its order.
var kinds = []string{"instance", "device", "buffer", "memory", "buffer view", "shader module", "descriptor set layout", "pipeline layout",
	"pipeline", "pipeline cache", "descriptor pool", "command pool", "fence", "query pool"}

// Control is the page of memory that the loader reads and writes. One goroutine at a time, and between calls.
type Control struct{ page []byte }

// Start gives control of the loader to a test that runs beside it. To the test as it runs first it gives nil: Start has run
// it again then, and passed on how it went. Without Vulkan, a C compiler or Vulkan's headers the test is skipped, or fails if
// EDGEADAPT_REQUIRE_VULKAN is 1.
func Start(t *testing.T) *Control {
	t.Helper()
	if path := os.Getenv(controlVariable); path != "" {
		return open(t, path)
	}
	vulkantest.Instance(t) // there is one, and its loader is in memory now
	dir := t.TempDir()
	control := filepath.Join(dir, "control")
	if err := os.WriteFile(control, make([]byte, 4096), 0o600); err != nil {
		t.Fatal(err)
	}
	build(t, dir)
	self := exec.Command(os.Args[0], "-test.run=^"+regexp.QuoteMeta(t.Name())+"$", "-test.v", "-test.timeout=5m")
	self.Env = append(os.Environ(), controlVariable+"="+control, loaderVariable+"="+loader(t), "LD_LIBRARY_PATH="+dir+":"+os.Getenv("LD_LIBRARY_PATH"))
	out, err := self.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Errorf("beside the failing loader: %v\n%s", err, out)
	} else {
		t.Logf("beside the failing loader:\n%s", out)
	}
	return nil
}

func open(t *testing.T, path string) *Control {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	page, err := syscall.Mmap(int(f.Fd()), 0, 4096, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	c := &Control{page}
	c.Calm()
	return c
}

// build compiles the loader.
func build(t *testing.T, dir string) {
	t.Helper()
	c := filepath.Join(dir, "loader.c")
	if err := os.WriteFile(c, source, 0o600); err != nil {
		t.Fatal(err)
	}
	cc := os.Getenv("CC")
	if cc == "" {
		cc = "gcc"
	}
	out, err := exec.Command(cc, "-O1", "-Wall", "-shared", "-fPIC", "-fvisibility=hidden", "-o", filepath.Join(dir, "libvulkan.so.1"), c, "-ldl", "-lpthread").CombinedOutput()
	switch {
	case err == nil:
	case os.Getenv("EDGEADAPT_REQUIRE_VULKAN") == "1":
		t.Fatalf("%s: %v\n%s", cc, err, out)
	default:
		t.Skipf("%s, with Vulkan's headers, is needed: %v\n%s", cc, err, out)
	}
}

// loader finds the real loader among what is mapped into this process.
func loader(t *testing.T) string {
	t.Helper()
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	path := regexp.MustCompile(`/\S*/libvulkan\.so\.1\S*`).Find(maps)
	if path == nil {
		t.Fatal("the Vulkan loader is not in /proc/self/maps")
	}
	return string(path)
}

// Fields of the page; see loader.c.
const (
	fieldAfter, fieldResult, fieldDrop     = 64, 68, 72
	fieldHits, fieldSeen, fieldLost, wrong = 76, 80, 84, 88
	fieldLive                              = 96
	fieldClockless, fieldRange, fieldPiece = 160, 164, 168
	fieldBaseless, fieldTexels             = 172, 176
)

func (c *Control) set(field int, v int32) { binary.NativeEndian.PutUint32(c.page[field:], uint32(v)) }

func (c *Control) get(field int) int { return int(int32(binary.NativeEndian.Uint32(c.page[field:]))) }

// Calm ends all faults.
func (c *Control) Calm() {
	clear(c.page[:64])
	for _, field := range []int{fieldHits, fieldSeen, fieldLost, fieldClockless, fieldRange, fieldPiece, fieldBaseless, fieldTexels} {
		c.set(field, 0)
	}
	c.set(fieldDrop, -1)
	binary.NativeEndian.PutUint64(c.page[wrong:], 0)
}

// Fail makes one call of that name, after so many that go well, return result. A lost device stays lost.
func (c *Control) Fail(call string, after int, result int32) {
	c.Calm()
	copy(c.page[:63], call)
	c.set(fieldAfter, int32(after))
	c.set(fieldResult, result)
}

// Drop makes the driver lose a submission, after so many that go well, and say nothing.
func (c *Control) Drop(after int) {
	c.Calm()
	c.set(fieldDrop, int32(after))
}

// Mistake makes the driver leave out the last workgroup of a kernel.
func (c *Control) Mistake(k *shaders.Kernel) error {
	c.Calm()
	code, err := k.Code()
	if err != nil {
		return err
	}
	h := fnv.New64a()
	h.Write(code)
	binary.NativeEndian.PutUint64(c.page[wrong:], h.Sum64())
	return nil
}

// Axes along which dispatches of a kernel may begin at another workgroup than the first.
const (
	AxisX = 1 << iota
	AxisY
)

// Baseless makes the driver begin each part of a divided dispatch of a kernel at the first workgroup along these axes.
func (c *Control) Baseless(k *shaders.Kernel, axes int32) error {
	err := c.Mistake(k)
	c.set(fieldBaseless, axes)
	return err
}

// Clockless makes the queues of devices that are looked at from now on have no clock.
func (c *Control) Clockless() {
	c.Calm()
	c.set(fieldClockless, 1)
}

// Limits are the largest binding and the largest piece of memory, in bytes, and the most texels of a binding, that devices that are
// looked at from now on take; 0 for what they really do. The test's program is aborted at a larger piece.
func (c *Control) Limits(binding, piece, texels int) {
	c.Calm()
	c.set(fieldRange, int32(binding))
	c.set(fieldPiece, int32(piece))
	c.set(fieldTexels, int32(texels))
}

// Hits is how many faults there were since they were ordered.
func (c *Control) Hits() int { return c.get(fieldHits) }

// Live lists the Vulkan objects that exist, empty if there are none.
func (c *Control) Live() string {
	var all []string
	for i, kind := range kinds {
		if n := c.get(fieldLive + 4*i); n != 0 {
			all = append(all, fmt.Sprintf("%d of kind %s", n, kind))
		}
	}
	return strings.Join(all, ", ")
}
