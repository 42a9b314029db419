//go:build linux && !android && cgo && !novulkan

package vulkan

/*
#include "shim.h"
*/
import "C"

import (
	"slices"
	"sync"
	"unsafe"

	"github.com/pkg/errors"
	vk "github.com/vulkan-go/vulkan"
)

// allocator sub-allocates buffers from blocks of device memory, per memory type. Safe for concurrent use.
type allocator struct {
	d      *Device
	mu     sync.Mutex
	blocks []*block
	used   int64
}

// block is one allocation of device memory, mapped for good if the host can reach it.
type block struct {
	arena    *arena
	memory   vk.DeviceMemory
	typ      int
	mapped   []byte // nil if the host cannot reach it
	coherent bool
}

// allocation is a range of a block.
type allocation struct {
	block        *block
	offset, size int
}

func newAllocator(d *Device) *allocator { return &allocator{d: d} }

func (a *allocator) inUse() int64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.used
}

// take finds memory of the kind for a buffer with these requirements.
func (a *allocator) take(size, align int, allowed uint32, m Memory) (allocation, error) {
	p := a.d.physical
	typ := chooseMemory(p.memoryTypes, allowed, m, a.d.unified())
	if typ < 0 {
		return allocation{}, errors.WithMessagef(ErrUnsupported, "no memory type for %d bytes among %#x", size, allowed)
	}
	// Ranges of flushes must not touch a neighbour's bytes.
	atom := p.info.Limits.NonCoherentAtom
	align, size = max(align, atom), roundUp(size, max(align, atom))
	if int64(size) > p.memoryHeaps[typ] { // asking the driver would be invalid use
		return allocation{}, errors.WithMessagef(ErrOutOfMemory, "%d bytes of a heap of %d", size, p.memoryHeaps[typ])
	}
	if most := p.info.Limits.AllocationBytes; size > most {
		return allocation{}, errors.WithMessagef(ErrOutOfMemory, "%d bytes in one piece, the device allows %d", size, most)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, b := range a.blocks {
		if b.typ != typ {
			continue
		}
		if offset, ok := b.arena.take(size, align); ok {
			a.used += int64(size)
			return allocation{b, offset, size}, nil
		}
	}
	b, err := a.grow(size, typ)
	if err != nil {
		return allocation{}, err
	}
	offset, _ := b.arena.take(size, align) // an empty block of at least that size has room
	a.used += int64(size)
	return allocation{b, offset, size}, nil
}

// grow adds a block; if the device has no room for one of the usual size, it asks for the bare request.
func (a *allocator) grow(size, typ int) (*block, error) {
	reserved := 0
	for _, b := range a.blocks {
		if b.typ == typ {
			reserved += b.arena.size
		}
	}
	if len(a.blocks) >= a.d.physical.info.Limits.Allocations {
		return nil, errors.WithMessagef(ErrOutOfMemory, "%d allocations", len(a.blocks))
	}
	wanted := max(size, min(blockBytes(size, reserved), a.d.physical.info.Limits.AllocationBytes))
	b, err := a.newBlock(wanted, typ)
	if least := roundUp(size, 1<<16); errors.Is(err, ErrOutOfMemory) && least < wanted {
		b, err = a.newBlock(least, typ)
	}
	if err != nil {
		return nil, errors.WithMessagef(err, "%d bytes beside %d in use", size, a.used)
	}
	a.blocks = append(a.blocks, b)
	return b, nil
}

func (a *allocator) newBlock(size, typ int) (*block, error) {
	flags := a.d.physical.memoryTypes[typ]
	info := vk.MemoryAllocateInfo{SType: vk.StructureTypeMemoryAllocateInfo, AllocationSize: vk.DeviceSize(size), MemoryTypeIndex: uint32(typ)}
	defer info.Free()
	var memory vk.DeviceMemory
	if err := call("vkAllocateMemory", vk.AllocateMemory(a.d.handle, &info, nil, &memory)); err != nil {
		return nil, a.d.noteLoss(err)
	}
	b := &block{arena: newArena(size), memory: memory, typ: typ, coherent: flags&memoryHostCoherent != 0}
	if flags&memoryHostVisible == 0 {
		return b, nil
	}
	var at unsafe.Pointer
	if err := call("vkMapMemory", vk.MapMemory(a.d.handle, b.memory, 0, vk.DeviceSize(size), 0, &at)); err != nil {
		vk.FreeMemory(a.d.handle, b.memory, nil)
		return nil, err
	}
	b.mapped = unsafe.Slice((*byte)(at), size)
	return b, nil
}

// give returns the range; a block goes back to the device with its last range.
func (a *allocator) give(r allocation) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.used -= int64(r.size)
	r.block.arena.give(r.offset, r.size)
	if !r.block.arena.empty() {
		return
	}
	a.blocks = slices.DeleteFunc(a.blocks, func(b *block) bool { return b == r.block })
	vk.FreeMemory(a.d.handle, r.block.memory, nil) // unmaps
}

// flush makes host writes to bytes [offset, offset+n) of the range visible to the device.
func (r allocation) flush(d *Device, offset, n int) error {
	if r.block.coherent {
		return nil
	}
	start, end := r.atoms(d, offset, n)
	return check("vkFlushMappedMemoryRanges", Result(C.ea_flush(unsafe.Pointer(d.handle), bits(r.block.memory), start, end-start)))
}

// invalidate makes device writes to bytes [offset, offset+n) of the range visible to the host.
func (r allocation) invalidate(d *Device, offset, n int) error {
	if r.block.coherent {
		return nil
	}
	start, end := r.atoms(d, offset, n)
	return check("vkInvalidateMappedMemoryRanges", Result(C.ea_invalidate(unsafe.Pointer(d.handle), bits(r.block.memory), start, end-start)))
}

// atoms widens a range to whole atoms of non-coherent memory. They stay within the allocation, which is made of them.
func (r allocation) atoms(d *Device, offset, n int) (start, end C.uint64_t) {
	atom := d.physical.info.Limits.NonCoherentAtom
	first := (r.offset + offset) / atom * atom
	return C.uint64_t(first), C.uint64_t(roundUp(r.offset+offset+n, atom))
}
