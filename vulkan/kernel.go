//go:build linux && !android && cgo && !novulkan

package vulkan

/*
#include "shim.h"
*/
import "C"

import (
	"fmt"
	"sync"
	"unsafe"

	"github.com/pkg/errors"
	vk "github.com/vulkan-go/vulkan"

	"github.com/edgeadapt/edgeadapt/shaders"
)

// Kernel is a compiled compute pipeline. It belongs to its Device, which frees it. Safe for concurrent use.
type Kernel struct {
	d         *Device
	desc      *shaders.Kernel
	spec      []uint32
	setLayout vk.DescriptorSetLayout
	layout    vk.PipelineLayout
	pipeline  vk.Pipeline
	based     bool // whether a dispatch may begin at another workgroup than the first
}

// String names the kernel, its variant and its specialisation: "linear/DOT4[64 64 16]".
func (k *Kernel) String() string {
	if len(k.spec) == 0 {
		return k.desc.String()
	}
	return fmt.Sprintf("%s%v", k.desc, k.spec)
}

// Description is what package shaders knows of the kernel.
func (k *Kernel) Description() *shaders.Kernel { return k.desc }

// kernelKey tells pipelines apart. Specialisation values are kept as text, since a key must be comparable.
type kernelKey struct {
	desc  *shaders.Kernel
	spec  string
	based bool
}

// kernelEntry is made once, by the first caller; the others wait for it without holding up other kernels.
type kernelEntry struct {
	once   sync.Once
	kernel *Kernel
	err    error
}

// NewKernel compiles a kernel, or returns the one compiled before. spec gives specialisation constants in ascending
// ID; those it leaves out keep the values of the kernel's row. Kernels may be compiled from several goroutines at once.
// It returns ErrUnsupported if the workgroup, push constants or bindings exceed the device.
func (d *Device) NewKernel(desc *shaders.Kernel, spec []uint32) (*Kernel, error) {
	return d.kernelOf(desc, spec, false)
}

// NewDividedKernel is NewKernel for dispatches that are to be divided: their parts need a flag in the pipeline. It serves whole ones too.
func (d *Device) NewDividedKernel(desc *shaders.Kernel, spec []uint32) (*Kernel, error) {
	return d.kernelOf(desc, spec, true)
}

func (d *Device) kernelOf(desc *shaders.Kernel, spec []uint32, based bool) (*Kernel, error) {
	values, err := desc.SpecValues(spec)
	if err != nil {
		return nil, errors.WithMessage(ErrUsage, err.Error())
	}
	return d.newKernel(desc, values, based)
}

// Divided is k for the parts of a divided dispatch: a pipeline of its own, compiled when it is first asked for.
func (k *Kernel) Divided() (*Kernel, error) { return k.d.newKernel(k.desc, k.spec, true) }

func (d *Device) newKernel(desc *shaders.Kernel, values []uint32, based bool) (*Kernel, error) {
	if err := d.usable(); err != nil {
		return nil, err
	}
	key := kernelKey{desc, fmt.Sprint(values), based}
	entry := d.kernelEntry(key)
	entry.once.Do(func() {
		if entry.kernel, entry.err = d.compile(desc, values, based); entry.err != nil {
			d.dropKernel(key) // memory may be free the next time
		}
	})
	return entry.kernel, errors.WithMessagef(entry.err, "kernel %s%v", desc, values)
}

func (d *Device) kernelEntry(key kernelKey) *kernelEntry {
	d.mu.Lock()
	defer d.mu.Unlock()
	entry := d.kernels[key]
	if entry == nil {
		entry = &kernelEntry{}
		d.kernels[key] = entry
	}
	return entry
}

func (d *Device) dropKernel(key kernelKey) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.kernels, key)
}

func (d *Device) compile(desc *shaders.Kernel, values []uint32, based bool) (*Kernel, error) {
	// Keeps Close from destroying the device meanwhile.
	d.runs.RLock()
	defer d.runs.RUnlock()
	if err := d.usable(); err != nil {
		return nil, err
	}
	if err := d.fits(desc, values); err != nil {
		return nil, err
	}
	code, err := desc.Code()
	if err != nil {
		return nil, err
	}
	k := &Kernel{d: d, desc: desc, spec: values, based: based}
	if err := k.createLayouts(); err != nil {
		return nil, err
	}
	if err := k.createPipeline(code); err != nil {
		k.destroy()
		return nil, d.noteLoss(err)
	}
	return k, nil
}

// fits checks what the driver would not: exceeding a limit is undefined behaviour.
func (d *Device) fits(desc *shaders.Kernel, values []uint32) error {
	l := d.physical.info.Limits
	if missing := desc.Needs &^ d.physical.info.Supported; missing != 0 {
		return errors.WithMessagef(ErrUnsupported, "needs %v", missing)
	}
	group, err := desc.Workgroup(values)
	if err != nil {
		return err
	}
	n := 1
	for axis, size := range group {
		if size == 0 || int(size) > l.WorkgroupSize[axis] {
			return errors.WithMessagef(ErrUnsupported, "workgroup %v, largest is %v", group, l.WorkgroupSize)
		}
		n *= int(size)
	}
	if n > l.WorkgroupInvocations {
		return errors.WithMessagef(ErrUnsupported, "workgroup of %d invocations, limit is %d", n, l.WorkgroupInvocations)
	}
	if desc.PushBytes > l.PushBytes {
		return errors.WithMessagef(ErrUnsupported, "%d push-constant bytes, limit is %d", desc.PushBytes, l.PushBytes)
	}
	if len(desc.Bindings) > min(l.Bindings, C.EA_MAX_BINDINGS) || len(values) > C.EA_MAX_SPEC {
		return errors.WithMessagef(ErrUnsupported, "%d bindings and %d specialisation constants", len(desc.Bindings), len(values))
	}
	return nil
}

func (k *Kernel) createLayouts() error {
	types := make([]C.int32_t, len(k.desc.Bindings)+1) // one more, so that there is a first to point at
	for i, b := range k.desc.Bindings {
		types[i] = descriptorType(b.Kind)
	}
	var set, layout C.uint64_t
	result := C.ea_create_layouts(unsafe.Pointer(k.d.handle), &types[0], C.uint32_t(len(k.desc.Bindings)), C.uint32_t(k.desc.PushBytes), &set, &layout)
	if err := check("vkCreatePipelineLayout", Result(result)); err != nil {
		return err
	}
	k.setLayout, k.layout = handle[vk.DescriptorSetLayout](set), handle[vk.PipelineLayout](layout)
	return nil
}

func (k *Kernel) createPipeline(code []byte) error {
	n := len(k.spec)
	ids, values := make([]C.uint32_t, n+1), make([]C.uint32_t, n+1)
	for i, c := range k.desc.Spec {
		ids[i], values[i] = C.uint32_t(c.ID), C.uint32_t(k.spec[i])
	}
	based := C.int(0)
	if k.based {
		based = 1
	}
	var pipeline C.uint64_t
	result := C.ea_create_pipeline(unsafe.Pointer(k.d.handle), bits(k.d.cache.handle), bits(k.layout),
		unsafe.Pointer(&code[0]), C.size_t(len(code)), &ids[0], &values[0], C.uint32_t(n), based, &pipeline)
	if err := check("vkCreateComputePipelines", Result(result)); err != nil {
		return err
	}
	k.pipeline = handle[vk.Pipeline](pipeline)
	k.d.cache.grown.Store(true)
	return nil
}

func (k *Kernel) destroy() {
	vk.DestroyPipeline(k.d.handle, k.pipeline, nil) // a null handle is ignored
	vk.DestroyPipelineLayout(k.d.handle, k.layout, nil)
	vk.DestroyDescriptorSetLayout(k.d.handle, k.setLayout, nil)
}

// destroyKernels runs in Close, when nothing compiles any more.
func (d *Device) destroyKernels() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, entry := range d.kernels {
		if entry.kernel != nil {
			entry.kernel.destroy()
		}
	}
}

// descriptorType is the VkDescriptorType of a binding.
func descriptorType(k shaders.Kind) C.int32_t {
	if k == shaders.StorageBuffer {
		return C.int32_t(vk.DescriptorTypeStorageBuffer)
	}
	return C.int32_t(vk.DescriptorTypeUniformTexelBuffer)
}
