//go:build linux && !android && cgo && !novulkan

package vulkan

/*
#include "shim.h"
*/
import "C"

import (
	"io"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/pkg/errors"
	vk "github.com/vulkan-go/vulkan"

	"github.com/edgeadapt/edgeadapt/shaders"
)

// DeviceOptions of OpenDevice.
type DeviceOptions struct {
	// RobustAccess bounds every access of a shader to its buffer, at some cost: for tests.
	RobustAccess bool
	// CacheDir is where compiled pipelines are kept between processes; empty keeps none.
	CacheDir string
	// SegmentTime bounds the estimated time of one submission; 0 for 50 ms.
	SegmentTime time.Duration

	forceStaging bool // tests: treat device-local memory as out of the host's reach
}

// Device is an opened device with one compute queue. Safe for concurrent use.
type Device struct {
	instance *Instance
	physical physicalDevice
	options  DeviceOptions
	handle   vk.Device
	memory   *allocator
	cache    *pipelineCache
	staging  staging

	queue     vk.Queue
	queueLock sync.Mutex // Vulkan leaves the order of submissions to the caller
	lost      atomic.Bool

	// runs is read-locked while a recording runs, or any other call needs the device to stay, and locked while a
	// buffer is destroyed: memory is freed only after the last submission that uses it.
	runs sync.RWMutex

	closing  sync.Once
	closeErr error

	mu      sync.Mutex
	closed  bool
	kernels map[kernelKey]*kernelEntry
	open    map[io.Closer]struct{} // buffers and recordings
	nextID  uint64
}

func newDevice(inst *Instance, p physicalDevice, o DeviceOptions) (*Device, error) {
	d := &Device{instance: inst, physical: p, options: o, kernels: map[kernelKey]*kernelEntry{}, open: map[io.Closer]struct{}{}}
	dot := C.int(0)
	if p.info.Supported&shaders.IntegerDotProduct != 0 {
		dot = 1
	}
	robust := C.int(0)
	if o.RobustAccess {
		robust = 1
	}
	var h unsafe.Pointer
	result := C.ea_create_device(unsafe.Pointer(p.handle), C.uint32_t(p.family), robust, dot, &h)
	if err := check("vkCreateDevice", Result(result)); err != nil {
		return nil, err
	}
	d.handle = vk.Device(h)
	var queue vk.Queue
	vk.GetDeviceQueue(d.handle, p.family, 0, &queue)
	d.queue = queue
	d.memory = newAllocator(d)
	cache, err := openPipelineCache(d)
	if err != nil {
		vk.DestroyDevice(d.handle, nil)
		return nil, err
	}
	d.cache = cache
	return d, nil
}

// Info describes the device.
func (d *Device) Info() DeviceInfo { return d.physical.info }

// MemoryInUse is the number of bytes that open buffers occupy, staging included.
func (d *Device) MemoryInUse() int64 { return d.memory.inUse() }

// unified tells whether the host reaches device-local memory as fast as its own.
func (d *Device) unified() bool {
	kind := d.physical.info.Kind
	return !d.options.forceStaging && (kind == "integrated" || kind == "software")
}

// SegmentTime bounds the estimated time of a submission.
func (d *Device) SegmentTime() time.Duration { return d.segmentTime() }

func (d *Device) segmentTime() time.Duration {
	if d.options.SegmentTime > 0 {
		return d.options.SegmentTime
	}
	return segmentTime
}

// usable returns ErrClosed or ErrDeviceLost if the device can no longer serve.
func (d *Device) usable() error {
	d.mu.Lock()
	closed := d.closed
	d.mu.Unlock()
	if closed {
		return errors.WithMessagef(ErrClosed, "device %s", d.physical.info.Name)
	}
	if d.lost.Load() {
		return errors.WithMessagef(ErrDeviceLost, "device %s", d.physical.info.Name)
	}
	return nil
}

// noteLoss remembers a loss that err reports, so that later calls fail at once.
func (d *Device) noteLoss(err error) error {
	if errors.Is(err, ErrDeviceLost) {
		d.lost.Store(true)
	}
	return err
}

// adopt registers an object that Close must close, and numbers it. It returns ErrClosed after Close.
func (d *Device) adopt(c io.Closer) (id uint64, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return 0, errors.WithMessagef(ErrClosed, "device %s", d.physical.info.Name)
	}
	d.open[c] = struct{}{}
	d.nextID++
	return d.nextID, nil
}

func (d *Device) disown(c io.Closer) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.open, c)
}

// Close waits for calls under way, closes what was made from the device and is still open, saves the pipeline cache
// and frees the device. Idempotent; returns the first error.
func (d *Device) Close() error {
	d.closing.Do(func() { d.closeErr = d.close() })
	return d.closeErr
}

func (d *Device) close() error {
	d.runs.Lock() // waits for calls under way; later ones find the device closed
	d.mu.Lock()
	d.closed = true
	d.mu.Unlock()
	d.runs.Unlock()

	var first error
	for _, c := range d.children() {
		if err := c.Close(); first == nil {
			first = err
		}
	}
	d.destroyKernels()
	if err := d.cache.close(); first == nil {
		first = err
	}
	vk.DestroyDevice(d.handle, nil)
	d.instance.forget(d)
	return first
}

// children are the open objects: recordings first, as they refer to buffers.
func (d *Device) children() []io.Closer {
	d.mu.Lock()
	defer d.mu.Unlock()
	var recordings, buffers []io.Closer
	for c := range d.open {
		if _, ok := c.(*Recording); ok {
			recordings = append(recordings, c)
		} else {
			buffers = append(buffers, c)
		}
	}
	return append(recordings, buffers...)
}
