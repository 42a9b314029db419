// Package vulkan runs compute kernels on Vulkan 1.1 devices. It knows buffers, kernels and recordings, and nothing of
// neural networks.
//
// An [Instance] lists devices and opens one as a [Device], which makes everything else: [Buffer]s, sub-allocated from
// few large blocks of device memory; [Kernel]s, cached pipelines of the modules in package shaders; and [Recorder]s,
// which turn dispatches into a [Recording] that is replayed any number of times. Barriers are derived from the
// access that each kernel's bindings declare; nobody writes one by hand.
//
// # Building
//
// The package needs cgo and Linux; the loader (libvulkan.so) is opened at run time, so that a program starts without
// one. With CGO_ENABLED=0, -tags novulkan or on another system only the parts that need no device are compiled: the
// errors, the barrier logic and the allocator. Callers put the constraint
//
//	//go:build linux && !android && cgo && !novulkan
//
// on the files that use a device and answer "no device" elsewhere.
//
// # Concurrency
//
// Instance, Device, Kernel and Buffer are safe for concurrent use. A Recorder belongs to one goroutine. A Recording
// runs once at a time, further calls wait; different Recordings of a Device may run at the same time. Nothing guards
// the contents of a buffer: whoever writes a buffer while a recording uses it gets a mix.
package vulkan
