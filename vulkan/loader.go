//go:build linux && !android && cgo && !novulkan

package vulkan

/*
#cgo CFLAGS: -std=gnu11 -Wall -Werror=incompatible-pointer-types
#cgo LDFLAGS: -ldl
#include "shim.h"
*/
import "C"

import (
	"sync"
	"unsafe"

	"github.com/pkg/errors"
	vk "github.com/vulkan-go/vulkan"
)

// version1_1 is the version of Vulkan that everything here is written for.
var version1_1 = vk.MakeVersion(1, 1, 0)

// loadLoader opens libvulkan once per process and gives the binding its entry point.
var loadLoader = sync.OnceValue(func() error {
	entry := C.ea_load()
	if entry == nil {
		return errors.WithMessage(ErrNoVulkan, "no Vulkan loader (libvulkan.so.1)")
	}
	vk.SetGetInstanceProcAddr(entry)
	if err := vk.Init(); err != nil {
		return errors.WithMessagef(ErrNoVulkan, "Vulkan loader: %v", err)
	}
	if v := uint32(C.ea_loader_version()); v < version1_1 {
		return errors.WithMessagef(ErrNoVulkan, "the Vulkan loader is of version %v, expected at least 1.1", vk.Version(v))
	}
	return nil
})

// bindFunctions finds the entry points of instance level once per process: the loader's are good for every instance,
// and a second look-up would write variables that other goroutines read.
func bindFunctions(instance vk.Instance) error {
	bind.Do(func() {
		bindErr = vk.InitInstance(instance)
		C.ea_bind(unsafe.Pointer(instance))
	})
	return bindErr
}

var (
	bind    sync.Once
	bindErr error
)

// call is check for results of the binding.
func call(name string, result vk.Result) error { return check(name, Result(result)) }

// bits is a non-dispatchable handle, a pointer or an integer by platform, as the 64-bit integer of the ABI.
func bits[H any](handle H) C.uint64_t { return *(*C.uint64_t)(unsafe.Pointer(&handle)) }

// handle is the inverse of bits.
func handle[H any](b C.uint64_t) H { return *(*H)(unsafe.Pointer(&b)) }
