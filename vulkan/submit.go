//go:build linux && !android && cgo && !novulkan

package vulkan

/*
#include "shim.h"
*/
import "C"

import (
	"context"
	"time"
	"unsafe"

	"github.com/pkg/errors"
	vk "github.com/vulkan-go/vulkan"
)

// fenceSlice is how long one wait for the device lasts. Some drivers report a lost device only from a fresh call.
const fenceSlice = 100 * time.Millisecond

// Run executes the commands and waits for their end. ctx is checked between segments: a run that it ends has
// finished whole segments, never half of one, and returns ctx's error. It returns ErrDeviceLost if the device stops
// answering or its canary shows that it computes wrongly, and ErrClosed if the recording, one of its buffers or the device
// was closed.
func (rec *Recording) Run(ctx context.Context) error {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	if rec.closed {
		return errors.WithMessage(ErrClosed, "recording")
	}
	rec.d.runs.RLock()
	defer rec.d.runs.RUnlock()
	if err := rec.d.usable(); err != nil {
		return err
	}
	if err := rec.usable(); err != nil {
		return err
	}
	if err := rec.canary.arm(); err != nil {
		return err
	}
	began := time.Now()
	for i := range rec.segments {
		if err := ctx.Err(); err != nil {
			return errors.WithMessagef(err, "after %d of %d segments", i, len(rec.segments))
		}
		start := time.Since(began)
		if err := rec.d.noteLoss(rec.submit(rec.segments[i])); err != nil {
			return err
		}
		rec.timing.submitted(i, start, time.Since(began))
	}
	if err := rec.d.noteLoss(rec.timing.collect(rec.d)); err != nil {
		return err
	}
	return rec.d.noteLoss(rec.canary.check(len(rec.segments)))
}

// submit runs one command buffer to its end.
func (rec *Recording) submit(cb vk.CommandBuffer) error {
	d := rec.d
	fences := []vk.Fence{rec.fence}
	if err := call("vkResetFences", vk.ResetFences(d.handle, 1, fences)); err != nil {
		return err
	}
	d.queueLock.Lock()
	result := C.ea_submit(unsafe.Pointer(d.queue), unsafe.Pointer(cb), bits(rec.fence))
	d.queueLock.Unlock()
	if err := check("vkQueueSubmit", Result(result)); err != nil {
		return err
	}
	for {
		result := vk.WaitForFences(d.handle, 1, fences, vk.True, uint64(fenceSlice))
		if result != vk.Timeout {
			return call("vkWaitForFences", result)
		}
	}
}
