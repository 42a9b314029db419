//go:build linux && !android && cgo && !novulkan

package vulkan

/*
#include "shim.h"
*/
import "C"

import (
	"runtime"
	"sync"

	"github.com/pkg/errors"
	vk "github.com/vulkan-go/vulkan"
)

// Options of an Instance.
type Options struct {
	// Validation loads the Khronos validation layer with synchronisation checks. Slow; for tests.
	Validation bool
	// OnMessage receives the layer's warnings and errors (severity "warning" or "error"), on any thread and while
	// calls are under way: it must not call this package. Nil drops them.
	OnMessage func(severity, text string)
}

// Instance is a connection to the Vulkan loader and its drivers. Safe for concurrent use.
type Instance struct {
	handle    vk.Instance
	messenger *messenger
	physical  []physicalDevice

	mu      sync.Mutex
	closed  bool
	devices map[*Device]struct{}
}

const validationLayer = "VK_LAYER_KHRONOS_validation"

// Open connects to Vulkan. It returns ErrNoVulkan with the reason where there is no loader, no driver or no device
// of version 1.1 that computes.
func Open(o Options) (*Instance, error) {
	if err := loadLoader(); err != nil {
		return nil, err
	}
	inst := &Instance{devices: map[*Device]struct{}{}}
	if err := inst.create(o.Validation); err != nil {
		return nil, err
	}
	if err := inst.start(o); err != nil {
		inst.destroy()
		return nil, err
	}
	return inst, nil
}

func (inst *Instance) create(validation bool) error {
	info := vk.InstanceCreateInfo{
		SType: vk.StructureTypeInstanceCreateInfo,
		PApplicationInfo: &vk.ApplicationInfo{
			SType: vk.StructureTypeApplicationInfo, ApiVersion: version1_1,
			PApplicationName: "edgeadapt\x00", PEngineName: "edgeadapt\x00",
		},
	}
	if validation {
		info.EnabledLayerCount, info.PpEnabledLayerNames = 1, []string{validationLayer + "\x00"}
		info.EnabledExtensionCount = 2
		info.PpEnabledExtensionNames = []string{"VK_EXT_debug_utils\x00", "VK_EXT_validation_features\x00"}
		info.PNext = C.ea_validation_features()
	}
	defer info.Free()
	var h vk.Instance // apart from inst: cgo takes no address inside an object that holds Go pointers
	err := call("vkCreateInstance", vk.CreateInstance(&info, nil, &h))
	runtime.KeepAlive(&info)
	inst.handle = h
	var failed *CallError
	if errors.As(err, &failed) && !validation && failed.Result == errorInitFailed {
		return errors.WithMessagef(ErrNoVulkan, "no driver: %v", err) // a loader without drivers answers so
	}
	return err
}

// start binds the functions and lists the devices.
func (inst *Instance) start(o Options) error {
	if err := bindFunctions(inst.handle); err != nil {
		return errors.WithMessagef(ErrNoVulkan, "entry points: %v", err)
	}
	if o.Validation && o.OnMessage != nil {
		m, err := newMessenger(inst.handle, o.OnMessage)
		if err != nil {
			return err
		}
		inst.messenger = m
	}
	handles, err := inst.enumerate()
	if err != nil {
		return err
	}
	for _, h := range handles {
		if p, ok := inspect(h); ok {
			p.info.Index = len(inst.physical)
			inst.physical = append(inst.physical, p)
		}
	}
	if len(inst.physical) == 0 {
		return errors.WithMessagef(ErrNoVulkan, "%d devices, none of version 1.1 with a compute queue", len(handles))
	}
	return nil
}

func (inst *Instance) enumerate() ([]vk.PhysicalDevice, error) {
	var n uint32
	if err := call("vkEnumeratePhysicalDevices", vk.EnumeratePhysicalDevices(inst.handle, &n, nil)); err != nil {
		return nil, err
	}
	if n == 0 {
		return nil, nil
	}
	handles := make([]vk.PhysicalDevice, n)
	result := vk.EnumeratePhysicalDevices(inst.handle, &n, handles)
	if result == vk.Incomplete { // a device was plugged in between the calls
		result = vk.Success
	}
	return handles[:n], call("vkEnumeratePhysicalDevices", result)
}

// Devices describes the devices that OpenDevice takes, by index.
func (inst *Instance) Devices() []DeviceInfo {
	infos := make([]DeviceInfo, len(inst.physical))
	for i, p := range inst.physical {
		infos[i] = p.info
	}
	return infos
}

// OpenDevice opens device number index of Devices. The caller closes it, before the Instance.
func (inst *Instance) OpenDevice(index int, o DeviceOptions) (*Device, error) {
	inst.mu.Lock()
	defer inst.mu.Unlock()
	if inst.closed {
		return nil, errors.WithMessage(ErrClosed, "instance")
	}
	if index < 0 || index >= len(inst.physical) {
		return nil, errors.WithMessagef(ErrNoVulkan, "device %d of %d", index, len(inst.physical))
	}
	d, err := newDevice(inst, inst.physical[index], o)
	if err != nil {
		return nil, errors.WithMessagef(err, "open %s", inst.physical[index].info.Name)
	}
	inst.devices[d] = struct{}{}
	return d, nil
}

func (inst *Instance) forget(d *Device) {
	inst.mu.Lock()
	defer inst.mu.Unlock()
	delete(inst.devices, d)
}

// Close closes the devices that are still open and the connection. Idempotent.
func (inst *Instance) Close() error {
	inst.mu.Lock()
	closed := inst.closed
	inst.closed = true
	open := make([]*Device, 0, len(inst.devices))
	for d := range inst.devices {
		open = append(open, d)
	}
	inst.mu.Unlock()
	if closed {
		return nil
	}
	var first error
	for _, d := range open {
		if err := d.Close(); first == nil {
			first = err
		}
	}
	inst.destroy()
	return first
}

func (inst *Instance) destroy() {
	if inst.messenger != nil {
		inst.messenger.close(inst.handle)
	}
	vk.DestroyInstance(inst.handle, nil)
}
