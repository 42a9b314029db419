//go:build linux && !android && cgo && !novulkan

package vulkan

/*
#include "shim.h"
*/
import "C"

import (
	"sync"
	"unsafe"

	"github.com/pkg/errors"
	vk "github.com/vulkan-go/vulkan"

	"github.com/edgeadapt/edgeadapt/shaders"
)

// Recording is a list of commands ready to run, any number of times. Runs of one Recording follow each other;
// different ones may run at the same time.
type Recording struct {
	d       *Device
	buffers []*Buffer // those it uses, each once
	plan    []string

	mu          sync.Mutex // held by a run
	closed      bool
	pool        vk.CommandPool
	segments    []vk.CommandBuffer
	descriptors vk.DescriptorPool
	views       map[viewKey]vk.BufferView
	fence       vk.Fence
	canary      *canary // nil: none
	timing      *timing // nil: not timed
}

// viewKey tells texel-buffer views apart.
type viewKey struct {
	bound Range
	kind  shaders.Kind
}

// Finish turns the commands into a Recording, or returns the first error. The Recorder is then of no further use.
// The caller closes the Recording, before or after the buffers.
func (r *Recorder) Finish() (*Recording, error) {
	if r.err != nil {
		return nil, r.err
	}
	d := r.d
	// Keeps Close from destroying the device, and buffers from going, while they are recorded.
	d.runs.RLock()
	defer d.runs.RUnlock()
	rec := &Recording{d: d, plan: r.plan(), views: map[viewKey]vk.BufferView{}, canary: r.canary, timing: r.newTiming()}
	err := d.usable()
	if err != nil {
		return nil, err
	}
	if err = d.noteLoss(rec.build(r)); err == nil {
		_, err = d.adopt(rec)
	}
	if err != nil {
		rec.destroy()
		return nil, err
	}
	return rec, nil
}

// Plan describes the commands, one line each: "barrier " where one precedes, kernel/VARIANT[specialisation], grid.
func (rec *Recording) Plan() []string { return append([]string(nil), rec.plan...) }

func (rec *Recording) build(r *Recorder) error {
	d := rec.d
	seen := map[*Buffer]bool{}
	for _, c := range r.commands {
		for _, b := range c.bindings {
			if !seen[b.Buffer] {
				seen[b.Buffer] = true
				rec.buffers = append(rec.buffers, b.Buffer)
			}
		}
	}
	if err := rec.usable(); err != nil {
		return err
	}
	cuts := segments(r.barriers, r.times(), rec.timing.limit(d.segmentTime()))
	commands := r.commands
	if rec.canary != nil {
		rec.buffers = append(rec.buffers, rec.canary.state)
		for i := range cuts {
			commands = append(commands[:len(commands):len(commands)], rec.canary.command(i))
		}
	}
	if err := rec.createPools(commands, len(cuts)); err != nil {
		return err
	}
	if err := rec.timing.prepare(d, cuts); err != nil {
		return err
	}
	for i, cut := range cuts {
		if err := rec.record(rec.segments[i], r, cut[0], cut[1], i); err != nil {
			return err
		}
	}
	return nil
}

// usable returns ErrClosed if a buffer was closed.
func (rec *Recording) usable() error {
	for _, b := range rec.buffers {
		if b.closed.Load() {
			return errors.WithMessagef(ErrClosed, "buffer %s", b.name)
		}
	}
	return nil
}

func (rec *Recording) createPools(commands []command, n int) error {
	d := rec.d
	fence := vk.FenceCreateInfo{SType: vk.StructureTypeFenceCreateInfo}
	defer fence.Free()
	var f vk.Fence
	if err := call("vkCreateFence", vk.CreateFence(d.handle, &fence, nil, &f)); err != nil {
		return err
	}
	rec.fence = f
	pool := vk.CommandPoolCreateInfo{SType: vk.StructureTypeCommandPoolCreateInfo, QueueFamilyIndex: d.physical.family}
	defer pool.Free()
	var p vk.CommandPool
	if err := call("vkCreateCommandPool", vk.CreateCommandPool(d.handle, &pool, nil, &p)); err != nil {
		return err
	}
	rec.pool = p
	if n == 0 {
		return nil
	}
	rec.segments = make([]vk.CommandBuffer, n)
	buffers := vk.CommandBufferAllocateInfo{
		SType: vk.StructureTypeCommandBufferAllocateInfo, CommandPool: rec.pool,
		Level: vk.CommandBufferLevelPrimary, CommandBufferCount: uint32(n),
	}
	defer buffers.Free()
	if err := call("vkAllocateCommandBuffers", vk.AllocateCommandBuffers(d.handle, &buffers, rec.segments)); err != nil {
		return err
	}
	return rec.createDescriptorPool(commands)
}

func (rec *Recording) createDescriptorPool(commands []command) error {
	var sets, storage, texels C.uint32_t
	for _, c := range commands {
		if c.kernel == nil || len(c.bindings) == 0 {
			continue
		}
		sets++
		for _, b := range c.kernel.desc.Bindings {
			if b.Kind == shaders.StorageBuffer {
				storage++
			} else {
				texels++
			}
		}
	}
	if sets == 0 {
		return nil
	}
	var pool C.uint64_t
	result := C.ea_create_descriptor_pool(unsafe.Pointer(rec.d.handle), sets, storage, texels, &pool)
	rec.descriptors = handle[vk.DescriptorPool](pool)
	return check("vkCreateDescriptorPool", Result(result))
}

// Pipeline stages and accesses of the barriers.
const (
	stageCompute  = C.uint32_t(vk.PipelineStageComputeShaderBit)
	stageTransfer = C.uint32_t(vk.PipelineStageTransferBit)
	stageHost     = C.uint32_t(vk.PipelineStageHostBit)

	deviceWrites = C.uint32_t(vk.AccessShaderWriteBit | vk.AccessTransferWriteBit)
	deviceReads  = C.uint32_t(vk.AccessShaderReadBit | vk.AccessTransferReadBit)
	hostReads    = C.uint32_t(vk.AccessHostReadBit)
)

// record fills the command buffer of a segment with commands [from, to). It begins with a barrier against all that the queue
// did before, whichever recording did it, and ends with one towards the host, which reads after the fence. Host writes need
// none: a submission makes them visible.
func (rec *Recording) record(cb vk.CommandBuffer, r *Recorder, from, to, segment int) error {
	begin := vk.CommandBufferBeginInfo{SType: vk.StructureTypeCommandBufferBeginInfo}
	defer begin.Free()
	if err := call("vkBeginCommandBuffer", vk.BeginCommandBuffer(cb, &begin)); err != nil {
		return err
	}
	rec.barrier(cb, true)
	rec.timing.begin(cb, segment)
	for i := from; i < to; i++ {
		if r.barriers[i] && i > from {
			rec.barrier(cb, r.copies)
		}
		c := r.commands[i]
		if c.kernel == nil {
			dst, src := c.bindings[0], c.bindings[1]
			C.ea_copy(unsafe.Pointer(cb), bits(src.Buffer.handle), bits(dst.Buffer.handle),
				(*[3]C.uint64_t)(unsafe.Pointer(&c.copies[0])), C.uint32_t(len(c.copies)))
		} else if err := rec.dispatch(cb, c); err != nil {
			return err
		}
		rec.timing.after(cb, segment, i)
	}
	if rec.canary != nil { // its words are nobody else's: the barrier that the segment begins with suffices
		if err := rec.dispatch(cb, rec.canary.command(segment)); err != nil {
			return err
		}
	}
	C.ea_barrier(unsafe.Pointer(cb), stageCompute|stageTransfer, stageHost, deviceWrites, hostReads)
	return call("vkEndCommandBuffer", vk.EndCommandBuffer(cb))
}

// barrier orders everything before it against everything after. Every barrier of a recording names the same stages:
// a narrower one would not carry an earlier write on to a later copy.
func (rec *Recording) barrier(cb vk.CommandBuffer, copies bool) {
	if copies {
		both := stageCompute | stageTransfer
		C.ea_barrier(unsafe.Pointer(cb), both, both, deviceWrites, deviceReads|deviceWrites)
		return
	}
	const shaderRead, shaderWrite = C.uint32_t(vk.AccessShaderReadBit), C.uint32_t(vk.AccessShaderWriteBit)
	C.ea_barrier(unsafe.Pointer(cb), stageCompute, stageCompute, shaderWrite, shaderRead|shaderWrite)
}

func (rec *Recording) dispatch(cb vk.CommandBuffer, c command) error {
	k := c.kernel
	vk.CmdBindPipeline(cb, vk.PipelineBindPointCompute, k.pipeline)
	if len(c.bindings) > 0 {
		set, err := rec.descriptorSet(c)
		if err != nil {
			return err
		}
		vk.CmdBindDescriptorSets(cb, vk.PipelineBindPointCompute, k.layout, 0, 1, []vk.DescriptorSet{set}, 0, nil)
	}
	if len(c.push) > 0 {
		vk.CmdPushConstants(cb, k.layout, vk.ShaderStageFlags(vk.ShaderStageComputeBit), 0, uint32(len(c.push)), unsafe.Pointer(&c.push[0]))
	}
	if c.from == [3]uint32{} {
		vk.CmdDispatch(cb, c.grid[0], c.grid[1], c.grid[2])
		return nil
	}
	from := [3]C.uint32_t{C.uint32_t(c.from[0]), C.uint32_t(c.from[1]), C.uint32_t(c.from[2])}
	count := [3]C.uint32_t{C.uint32_t(c.grid[0]), C.uint32_t(c.grid[1]), C.uint32_t(c.grid[2])}
	C.ea_dispatch_base(unsafe.Pointer(cb), &from[0], &count[0])
	return nil
}

func (rec *Recording) descriptorSet(c command) (vk.DescriptorSet, error) {
	device := unsafe.Pointer(rec.d.handle)
	var set C.uint64_t
	result := C.ea_allocate_set(device, bits(rec.descriptors), bits(c.kernel.setLayout), &set)
	if err := check("vkAllocateDescriptorSets", Result(result)); err != nil {
		return vk.NullDescriptorSet, err
	}
	descriptors := make([]C.ea_descriptor, len(c.bindings))
	for i, b := range c.bindings {
		kind := c.kernel.desc.Bindings[i].Kind
		// Whole vectors: the last one may reach into the buffer's padding.
		descriptors[i] = C.ea_descriptor{_type: descriptorType(kind), buffer: bits(b.Buffer.handle),
			offset: C.uint64_t(b.Offset), _range: C.uint64_t(roundUp(b.Size, texelBytes))}
		if kind != shaders.StorageBuffer {
			view, err := rec.view(viewKey{b, kind})
			if err != nil {
				return vk.NullDescriptorSet, err
			}
			descriptors[i].view = bits(view)
		}
	}
	C.ea_write_set(device, set, &descriptors[0], C.uint32_t(len(descriptors)))
	return handle[vk.DescriptorSet](set), nil
}

var texelFormats = map[shaders.Kind]vk.Format{
	shaders.FloatTexels: vk.FormatR32g32b32a32Sfloat,
	shaders.IntTexels:   vk.FormatR32g32b32a32Sint,
	shaders.UintTexels:  vk.FormatR32g32b32a32Uint,
}

func (rec *Recording) view(key viewKey) (vk.BufferView, error) {
	if v, ok := rec.views[key]; ok {
		return v, nil
	}
	format := texelFormats[key.kind]
	if key.bound.texelSize(key.kind) < texelBytes {
		format = vk.FormatR16g16b16a16Sfloat // every device has it
	}
	info := vk.BufferViewCreateInfo{
		SType: vk.StructureTypeBufferViewCreateInfo, Buffer: key.bound.Buffer.handle, Format: format,
		Offset: vk.DeviceSize(key.bound.Offset), Range: vk.DeviceSize(roundUp(key.bound.Size, texelBytes)),
	}
	defer info.Free()
	var v vk.BufferView
	err := call("vkCreateBufferView", vk.CreateBufferView(rec.d.handle, &info, nil, &v))
	if err == nil {
		rec.views[key] = v
	}
	return v, err
}

// Close waits for a run under way and frees the recording; the buffers remain. Idempotent.
func (rec *Recording) Close() error {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	if rec.closed {
		return nil
	}
	rec.closed = true
	rec.d.runs.RLock()
	defer rec.d.runs.RUnlock()
	rec.d.disown(rec)
	rec.destroy()
	return nil
}

// destroy frees what there is; Vulkan ignores null handles.
func (rec *Recording) destroy() {
	for _, v := range rec.views {
		vk.DestroyBufferView(rec.d.handle, v, nil)
	}
	vk.DestroyDescriptorPool(rec.d.handle, rec.descriptors, nil)
	vk.DestroyCommandPool(rec.d.handle, rec.pool, nil) // with its command buffers
	rec.timing.destroy(rec.d)
	vk.DestroyFence(rec.d.handle, rec.fence, nil)
}
