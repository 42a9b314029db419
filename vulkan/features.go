//go:build linux && !android && cgo && !novulkan

package vulkan

/*
#include "shim.h"
*/
import "C"

import (
	"encoding/hex"
	"fmt"
	"math"
	"strings"
	"unsafe"

	vk "github.com/vulkan-go/vulkan"

	"github.com/edgeadapt/edgeadapt/shaders"
)

// DeviceInfo describes a device.
type DeviceInfo struct {
	Index         int // as OpenDevice takes it
	Name          string
	Kind          string // "integrated", "discrete", "software", "virtual" or "other"
	UUID          string // 32 hexadecimal digits; stable across drivers' restarts
	Family        string // of shaders.Families, "software" or "other"
	VendorID      uint32
	DeviceID      uint32
	DriverVersion string // the driver's own name and version where it tells them
	APIVersion    string // "1.3.239"
	Memory        int64  // bytes of the largest device-local heap
	SubgroupSize  int
	Limits        Limits
	// Features are those worth using; Supported adds those that work but gain nothing, such as dot products that the
	// driver emulates. Tests pick kernels by Supported.
	Features, Supported shaders.Feature
}

// Limits are the bounds of dispatches and bindings; sizes and alignments in bytes.
type Limits struct {
	StorageRange         int
	StorageAlignment     int
	TexelElements        int // of 16 bytes
	TexelAlignment       int
	PushBytes            int
	SharedMemory         int
	WorkgroupInvocations int
	WorkgroupSize        [3]int
	WorkgroupCount       [3]int
	Bindings             int // storage buffers, and texel buffers, of one kernel
	Allocations          int
	NonCoherentAtom      int
	AllocationBytes      int // of one piece of device memory
}

// BufferBytes is the size of the largest buffer that a kernel can bind whole.
func (l Limits) BufferBytes() int {
	return min(l.StorageRange, l.AllocationBytes-2*padBytes) &^ (padBytes - 1)
}

// texelsSuffice tells whether a kernel may fetch as texels whatever it may bind as a storage buffer. Where it may not, kernels with texels
// are left alone: GPUs that guarantee 65,536 of them allow 1 MiB, less than many a layer's input.
func (l Limits) texelsSuffice() bool {
	return int64(l.TexelElements)*texelBytes >= int64(l.StorageRange)
}

// physicalDevice is a device before it is opened.
type physicalDevice struct {
	handle      vk.PhysicalDevice
	info        DeviceInfo
	family      uint32
	memoryTypes []memoryFlags
	memoryHeaps []int64 // bytes of the heap behind each type
	cacheUUID   string
	driver      uint32

	timestampBits   uint    // of the queue's clock, 0 for none
	timestampPeriod float64 // nanoseconds a tick
}

// inspect describes a device; it is not ok if we cannot use it.
func inspect(h vk.PhysicalDevice) (p physicalDevice, ok bool) {
	var props vk.PhysicalDeviceProperties
	vk.GetPhysicalDeviceProperties(h, &props)
	props.Deref()
	defer props.Free()
	if props.ApiVersion < version1_1 {
		return p, false
	}
	family := C.ea_compute_family(unsafe.Pointer(h))
	if family < 0 {
		return p, false
	}
	var ext C.ea_properties
	C.ea_get_properties(unsafe.Pointer(h), &ext)
	p = physicalDevice{handle: h, family: uint32(family), cacheUUID: hex.EncodeToString(props.PipelineCacheUUID[:]), driver: props.DriverVersion}
	p.timestampBits = uint(C.ea_timestamp_bits(unsafe.Pointer(h), C.uint32_t(family)))
	p.timestampPeriod = timestampPeriod(&props)
	var memory int64
	p.memoryTypes, p.memoryHeaps, memory = memoryTypes(h)
	p.info = DeviceInfo{
		Name: vk.ToString(props.DeviceName[:]), Kind: kindOf(props.DeviceType),
		UUID:     hex.EncodeToString(C.GoBytes(unsafe.Pointer(&ext.uuid), 16)),
		VendorID: props.VendorID, DeviceID: props.DeviceID,
		DriverVersion: driverVersion(&ext, props.DriverVersion), APIVersion: vk.Version(props.ApiVersion).String(),
		Memory: memory, SubgroupSize: int(ext.subgroup_size), Limits: limitsOf(&props),
	}
	p.info.Limits.AllocationBytes = int(min(uint64(ext.allocation_bytes), maxBufferBytes))
	gpu := gpuOf(props.VendorID, &ext, p.info.Kind)
	p.info.Family = gpu.Family()
	p.info.Features, p.info.Supported = gpu.Features()
	if !p.info.Limits.texelsSuffice() {
		p.info.Features &^= shaders.TexelFetch
		p.info.Supported &^= shaders.TexelFetch
	}
	return p, true
}

func kindOf(t vk.PhysicalDeviceType) string {
	switch t {
	case vk.PhysicalDeviceTypeIntegratedGpu:
		return "integrated"
	case vk.PhysicalDeviceTypeDiscreteGpu:
		return "discrete"
	case vk.PhysicalDeviceTypeVirtualGpu:
		return "virtual"
	case vk.PhysicalDeviceTypeCpu:
		return "software"
	}
	return "other"
}

// gpuOf gathers what decides the device's kernels.
func gpuOf(vendor uint32, ext *C.ea_properties, kind string) shaders.GPU {
	const basicArithmeticClustered, shuffle, computeStage = 1 | 4 | 64, 0x10, 0x20
	return shaders.GPU{
		Vendor: vendor, Software: kind == "software", SubgroupSize: int(ext.subgroup_size),
		Subgroups: ext.subgroup_operations&basicArithmeticClustered == basicArithmeticClustered && ext.subgroup_stages&computeStage != 0,
		Shuffles:  ext.subgroup_operations&shuffle != 0 && ext.subgroup_stages&computeStage != 0,
		Dot:       ext.dot_supported != 0, DotFast: ext.dot_accelerated != 0,
	}
}

// driverVersion prefers the driver's own words; the packed number means something else for every vendor.
func driverVersion(ext *C.ea_properties, packed uint32) string {
	name, info := C.GoString(&ext.driver_name[0]), C.GoString(&ext.driver_info[0])
	if name == "" {
		return fmt.Sprintf("%#x", packed)
	}
	return strings.TrimSpace(name + " " + info)
}

func limitsOf(props *vk.PhysicalDeviceProperties) Limits {
	l := props.Limits
	l.Deref()
	return Limits{
		StorageRange: saturate(l.MaxStorageBufferRange), StorageAlignment: max(1, int(l.MinStorageBufferOffsetAlignment)),
		TexelElements: saturate(l.MaxTexelBufferElements), TexelAlignment: max(1, int(l.MinTexelBufferOffsetAlignment)),
		PushBytes: int(l.MaxPushConstantsSize), SharedMemory: int(l.MaxComputeSharedMemorySize),
		WorkgroupInvocations: int(l.MaxComputeWorkGroupInvocations),
		WorkgroupSize:        axes(l.MaxComputeWorkGroupSize), WorkgroupCount: axes(l.MaxComputeWorkGroupCount),
		Bindings:    saturate(min(l.MaxPerStageDescriptorStorageBuffers, l.MaxPerStageDescriptorSampledImages)),
		Allocations: saturate(l.MaxMemoryAllocationCount), NonCoherentAtom: max(1, int(l.NonCoherentAtomSize)),
	}
}

func timestampPeriod(props *vk.PhysicalDeviceProperties) float64 {
	l := props.Limits
	l.Deref()
	return float64(l.TimestampPeriod)
}

func axes(a [3]uint32) [3]int { return [3]int{saturate(a[0]), saturate(a[1]), saturate(a[2])} }

// saturate reads "no limit", often 2^32-1, so that an int of any platform holds it.
func saturate(limit uint32) int { return int(min(limit, math.MaxInt32)) }

// memoryTypes lists the property flags of all types, the size of the heap behind each, and the largest device-local
// heap.
func memoryTypes(h vk.PhysicalDevice) (types []memoryFlags, heaps []int64, largest int64) {
	var props vk.PhysicalDeviceMemoryProperties
	vk.GetPhysicalDeviceMemoryProperties(h, &props)
	props.Deref()
	defer props.Free()
	for i := range props.MemoryHeaps[:props.MemoryHeapCount] {
		heap := &props.MemoryHeaps[i]
		heap.Deref()
		if heap.Flags&vk.MemoryHeapFlags(vk.MemoryHeapDeviceLocalBit) != 0 {
			largest = max(largest, int64(heap.Size))
		}
	}
	for i := range props.MemoryTypes[:props.MemoryTypeCount] {
		t := props.MemoryTypes[i]
		t.Deref()
		types = append(types, memoryFlags(t.PropertyFlags))
		heaps = append(heaps, int64(props.MemoryHeaps[t.HeapIndex].Size))
	}
	return types, heaps, largest
}
