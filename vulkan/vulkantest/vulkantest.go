//go:build linux && !android && cgo && !novulkan

// Package vulkantest opens devices for tests.
package vulkantest

import (
	"errors"
	"os"
	"strconv"
	"testing"

	"github.com/edgeadapt/edgeadapt/vulkan"
)

const (
	// requireVariable set to 1 turns the skip for want of Vulkan into a failure, for CI.
	requireVariable = "EDGEADAPT_REQUIRE_VULKAN"
	// deviceVariable is the index of the device to test; unset: the software driver, else the first device.
	deviceVariable = "EDGEADAPT_TEST_DEVICE"
)

// Instance opens Vulkan with the validation layer and closes it when the test ends. Any message of the layer fails
// the test. Without Vulkan or the layer the test is skipped, or fails if EDGEADAPT_REQUIRE_VULKAN is 1.
func Instance(t testing.TB) *vulkan.Instance {
	t.Helper()
	return InstanceWith(t, func(severity, text string) { t.Errorf("validation %s: %s", severity, text) })
}

// InstanceWith is Instance with another receiver of the layer's messages.
func InstanceWith(t testing.TB, onMessage func(severity, text string)) *vulkan.Instance {
	t.Helper()
	inst, err := vulkan.Open(vulkan.Options{Validation: true, OnMessage: onMessage})
	if err != nil {
		missing(t, err)
	}
	t.Cleanup(func() {
		if err := inst.Close(); err != nil {
			t.Errorf("close instance: %v", err)
		}
	})
	return inst
}

func missing(t testing.TB, err error) {
	t.Helper()
	var failed *vulkan.CallError
	if os.Getenv(requireVariable) == "1" || !errors.Is(err, vulkan.ErrNoVulkan) && !errors.As(err, &failed) {
		t.Fatalf("open Vulkan: %v", err)
	}
	t.Skipf("no Vulkan with validation here: %v", err)
}

// Index chooses the device to test.
func Index(t testing.TB, inst *vulkan.Instance) int {
	t.Helper()
	if text := os.Getenv(deviceVariable); text != "" {
		index, err := strconv.Atoi(text)
		if err != nil {
			t.Fatalf("%s: %v", deviceVariable, err)
		}
		return index
	}
	for _, d := range inst.Devices() {
		if d.Kind == "software" {
			return d.Index
		}
	}
	return 0
}

// Device opens the device to test, with bounds-checked buffers, and closes it when the test ends.
func Device(t testing.TB) *vulkan.Device {
	t.Helper()
	inst := Instance(t)
	d, err := inst.OpenDevice(Index(t, inst), vulkan.DeviceOptions{RobustAccess: true})
	if err != nil {
		t.Fatalf("open device: %v", err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Errorf("close device: %v", err)
		}
	})
	return d
}
