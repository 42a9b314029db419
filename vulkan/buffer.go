//go:build linux && !android && cgo && !novulkan

package vulkan

import (
	"math"
	"sync/atomic"

	"github.com/pkg/errors"
	vk "github.com/vulkan-go/vulkan"
)

// padBytes follow every buffer, so that a kernel's clamped tail loads, at most a few vectors wide, stay inside.
const padBytes = 256

// maxBufferBytes keeps sizes far from overflow, on 32-bit platforms too; no device has as much as on others.
const maxBufferBytes = math.MaxInt >> 2

// Buffer is device memory. Safe for concurrent use, its contents apart.
type Buffer struct {
	d      *Device
	id     uint64
	name   string
	size   int
	kind   Memory
	handle vk.Buffer
	memory allocation
	closed atomic.Bool
}

// NewBuffer makes a zeroed buffer; name appears in errors. It returns ErrOutOfMemory if the device has no room.
// The caller closes it; Device.Close closes what is left.
func (d *Device) NewBuffer(name string, bytes int, m Memory) (*Buffer, error) {
	if bytes <= 0 || bytes > maxBufferBytes {
		return nil, errors.WithMessagef(ErrUsage, "buffer %s of %d bytes", name, bytes)
	}
	// As large as its padded self until it is zeroed.
	b := &Buffer{d: d, name: name, size: roundUp(bytes, padBytes) + padBytes, kind: m}
	err := b.create()
	if err == nil {
		if err = b.zero(); err != nil {
			b.Close()
		}
	}
	if err != nil {
		return nil, errors.WithMessagef(err, "buffer %s", name)
	}
	b.size = bytes
	return b, nil
}

func (b *Buffer) create() error {
	d := b.d
	d.runs.RLock()
	defer d.runs.RUnlock()
	if err := d.usable(); err != nil {
		return err
	}
	info := vk.BufferCreateInfo{
		SType: vk.StructureTypeBufferCreateInfo, Size: vk.DeviceSize(b.size),
		Usage: vk.BufferUsageFlags(vk.BufferUsageStorageBufferBit | vk.BufferUsageUniformTexelBufferBit |
			vk.BufferUsageTransferSrcBit | vk.BufferUsageTransferDstBit),
	}
	defer info.Free()
	var h vk.Buffer
	if err := call("vkCreateBuffer", vk.CreateBuffer(d.handle, &info, nil, &h)); err != nil {
		return d.noteLoss(err)
	}
	b.handle = h
	var needs vk.MemoryRequirements
	vk.GetBufferMemoryRequirements(d.handle, b.handle, &needs)
	needs.Deref()
	defer needs.Free()
	memory, err := d.memory.take(int(needs.Size), int(needs.Alignment), needs.MemoryTypeBits, b.kind)
	if err != nil {
		vk.DestroyBuffer(d.handle, b.handle, nil)
		return err
	}
	b.memory = memory
	err = call("vkBindBufferMemory", vk.BindBufferMemory(d.handle, b.handle, memory.block.memory, vk.DeviceSize(memory.offset)))
	if err == nil {
		b.id, err = d.adopt(b)
	}
	if err != nil {
		b.destroy()
	}
	return err
}

func (b *Buffer) destroy() {
	vk.DestroyBuffer(b.d.handle, b.handle, nil)
	b.d.memory.give(b.memory)
}

// Size is the number of bytes asked for; the padding behind it belongs to the kernels.
func (b *Buffer) Size() int { return b.size }

// mapped is the buffer's memory with its padding, nil if the host writes it through staging.
func (b *Buffer) mapped() []byte {
	if all := b.memory.block.mapped; all != nil && (b.kind == HostVisible || !b.d.options.forceStaging) {
		return all[b.memory.offset:][:b.memory.size]
	}
	return nil
}

func (b *Buffer) zero() error {
	if all := b.mapped(); all != nil {
		clear(all)
		return b.memory.flush(b.d, 0, len(all))
	}
	return b.d.staging.fill(b)
}

// Write copies p to the bytes from offset on. Recordings that run meanwhile may see a part of it.
func (b *Buffer) Write(offset int, p []byte) error {
	all := b.mapped()
	if all == nil {
		return errors.WithMessagef(b.d.staging.write(b, offset, p), "buffer %s", b.name)
	}
	b.d.runs.RLock()
	defer b.d.runs.RUnlock()
	if err := b.check("write", offset, len(p)); err != nil || len(p) == 0 {
		return err
	}
	copy(all[offset:], p)
	return b.memory.flush(b.d, offset, len(p))
}

// Read copies len(p) bytes from offset on. What finished recordings wrote is there.
func (b *Buffer) Read(offset int, p []byte) error {
	all := b.mapped()
	if all == nil {
		return errors.WithMessagef(b.d.staging.read(b, offset, p), "buffer %s", b.name)
	}
	b.d.runs.RLock()
	defer b.d.runs.RUnlock()
	if err := b.check("read", offset, len(p)); err != nil || len(p) == 0 {
		return err
	}
	if err := b.memory.invalidate(b.d, offset, len(p)); err != nil {
		return err
	}
	copy(p, all[offset:])
	return nil
}

func (b *Buffer) check(verb string, offset, n int) error {
	if b.closed.Load() {
		return errors.WithMessagef(ErrClosed, "buffer %s", b.name)
	}
	if offset < 0 || offset > b.size || n > b.size-offset {
		return errors.WithMessagef(ErrUsage, "buffer %s: %s of %d bytes at %d, size is %d", b.name, verb, n, offset, b.size)
	}
	return b.d.usable()
}

// Close frees the memory after the runs under way; recordings that use the buffer return ErrClosed from then on.
// Idempotent.
func (b *Buffer) Close() error {
	b.d.runs.Lock()
	defer b.d.runs.Unlock()
	if b.closed.Swap(true) {
		return nil
	}
	b.d.disown(b)
	b.destroy()
	return nil
}
