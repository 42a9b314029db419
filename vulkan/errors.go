package vulkan

import (
	"errors"
	"fmt"

	pkgerrors "github.com/pkg/errors"
)

var (
	// ErrNoVulkan says that there is no loader, no driver or no device of version 1.1 with a compute queue.
	ErrNoVulkan = errors.New("no Vulkan")
	// ErrClosed says that the object, or what it was made from, was closed before the call.
	ErrClosed = errors.New("closed")
	// ErrOutOfMemory says that the device or the host has no room for the object.
	ErrOutOfMemory = errors.New("out of device memory")
	// ErrDeviceLost says that the device stopped answering. Everything on it is gone; close it and open it again.
	ErrDeviceLost = errors.New("device lost")
	// ErrWrongResults says that the device computed something wrong. It is then as good as lost.
	ErrWrongResults = errors.New("device computes wrongly")
	// ErrUnsupported says that the request exceeds a limit of the device.
	ErrUnsupported = errors.New("beyond the device's limits")
	// ErrUsage says that the arguments of a call do not fit the kernel or the buffers: a bug of the caller.
	ErrUsage = errors.New("invalid use")
)

// Result is a VkResult.
type Result int32

const (
	success                 Result = 0
	errorOutOfHostMemory    Result = -1
	errorOutOfDeviceMemory  Result = -2
	errorInitFailed         Result = -3
	errorDeviceLost         Result = -4
	errorMemoryMapFailed    Result = -5
	errorLayerNotPresent    Result = -6
	errorExtensionMissing   Result = -7
	errorFeatureNotPresent  Result = -8
	errorIncompatibleDriver Result = -9
	errorTooManyObjects     Result = -10
	errorOutOfPoolMemory    Result = -1000069000
)

var resultNames = map[Result]string{
	errorOutOfHostMemory: "out of host memory", errorOutOfDeviceMemory: "out of device memory",
	errorInitFailed: "initialization failed", errorDeviceLost: "device lost",
	errorMemoryMapFailed: "memory map failed", errorLayerNotPresent: "layer not present",
	errorExtensionMissing: "extension not present", errorFeatureNotPresent: "feature not present",
	errorIncompatibleDriver: "incompatible driver", errorTooManyObjects: "too many objects",
	errorOutOfPoolMemory: "out of pool memory",
}

func (r Result) String() string {
	if name, ok := resultNames[r]; ok {
		return name
	}
	return fmt.Sprintf("VkResult %d", int32(r))
}

// CallError is a Vulkan call that did not succeed. errors.Is finds ErrOutOfMemory and ErrDeviceLost in it.
type CallError struct {
	Call   string // "vkAllocateMemory"
	Result Result
}

func (e *CallError) Error() string { return e.Call + ": " + e.Result.String() }

// Is maps results to the package's sentinels.
func (e *CallError) Is(target error) bool {
	switch e.Result {
	case errorOutOfHostMemory, errorOutOfDeviceMemory, errorOutOfPoolMemory, errorTooManyObjects:
		return target == ErrOutOfMemory
	case errorDeviceLost:
		return target == ErrDeviceLost
	case errorIncompatibleDriver:
		return target == ErrNoVulkan
	}
	return false
}

// CanaryError is a run whose known part had a wrong result: none of its results can be trusted. errors.Is finds
// ErrWrongResults and ErrDeviceLost in it.
type CanaryError struct {
	Word      int
	Got, Want uint32
}

func (e *CanaryError) Error() string {
	return fmt.Sprintf("canary: word %d is %#x, expected %#x: %v", e.Word, e.Got, e.Want, ErrWrongResults)
}

// Is maps the error to the package's sentinels.
func (e *CanaryError) Is(target error) bool {
	return target == ErrWrongResults || target == ErrDeviceLost
}

// check turns the result of a call into an error with the stack of the place where it entered our code.
func check(call string, result Result) error {
	if result == success {
		return nil
	}
	return pkgerrors.WithStack(&CallError{Call: call, Result: result})
}
