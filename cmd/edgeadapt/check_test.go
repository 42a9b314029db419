package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/edgeadapt/edgeadapt/sdk"
)

// TestDevicesCheck: the pipelines of a device are made and listed; without a device the CPU has to serve, which is code 5.
func TestDevicesCheck(t *testing.T) {
	if o := edgeadapt("devices", "--compile-only"); o.code != exitUsage {
		t.Errorf("--compile-only without --check: code %d", o.code)
	}
	if o := edgeadapt("devices", "--check", "--device", "vulkan:99"); o.code != exitDevice {
		t.Errorf("a device that is not there: code %d, %s", o.code, o.stderr)
	}
	if devices := sdk.Devices(); len(devices) > 1 {
		o := edgeadapt("devices", "--check", "--compile-only", "--json", "--device", devices[1].UUID)
		var list []checkedDevice
		if err := json.Unmarshal([]byte(o.stdout), &list); err != nil || o.code != exitOK || len(list) != 1 || !list[0].Usable || len(list[0].Kernels) < 50 {
			t.Errorf("code %d, %v: %.300s", o.code, err, o.stdout+o.stderr)
		}
		if last := fmt.Sprintf("%d of %d kernels", len(list[0].Kernels), len(list[0].Kernels)); !strings.Contains(o.stderr, last) {
			t.Errorf("no sign of progress %q: %.300s", last, o.stderr)
		}
		for _, k := range list[0].Kernels {
			if k.Verdict != "ok" {
				t.Errorf("%s/%s: %s", k.Kernel, k.Variant, k.Fault)
			}
		}
	}
	t.Setenv("VK_ICD_FILENAMES", "/nonexistent")
	t.Setenv("VK_DRIVER_FILES", "/nonexistent")
	if o := edgeadapt("devices", "--check"); o.code != exitCheck || !strings.Contains(o.stdout, "no Vulkan devices") || !strings.Contains(o.stderr, "CPU") {
		t.Errorf("without Vulkan: code %d\n%s%s", o.code, o.stdout, o.stderr)
	}
}

// TestCheckTable: what failed is named, with the reason.
func TestCheckTable(t *testing.T) {
	var out strings.Builder
	a := &app{stdout: &out}
	k := kernelOf(sdk.KernelCheck{Kernel: "linear", Variant: "DOT", Fault: "run 3 differs", Case: "linear wide"})
	f := &checkFlags{check: true}
	if err := f.print(a, []checkedDevice{{Error: "kernel linear", Kernels: []checkedKernel{k, kernelOf(sdk.KernelCheck{Kernel: "add", Used: true, Divided: "ok"}),
		kernelOf(sdk.KernelCheck{Kernel: "sgd", Divided: "run 1 differs"})}}}, false); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"not usable: kernel linear", "failed: run 3 differs", "DOT", "base", "stays whole: run 1 differs"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
}

// TestTuneKernels: the processor has no variants to choose from, and a negative time is none.
func TestTuneKernels(t *testing.T) {
	t.Setenv("EDGEADAPT_CACHE", t.TempDir())
	b := tinyBackbone(t, "q8c")
	if o := edgeadapt("bench", "--device", "cpu", "--backbone", b, "--tune-kernels"); o.code != exitDevice || !strings.Contains(o.stderr, "no variants") {
		t.Errorf("code %d: %s", o.code, o.stderr)
	}
	if o := edgeadapt("bench", "--device", "cpu", "--backbone", b, "--tune-kernels=-1s"); o.code != exitUsage {
		t.Errorf("code %d: %s", o.code, o.stderr)
	}
	if devices := sdk.Devices(); len(devices) > 1 {
		o := edgeadapt("bench", "--device", devices[1].ID, "--backbone", b, "--tune-kernels=1ms", "--json")
		var list []tunedKernel
		if err := json.Unmarshal([]byte(o.stdout), &list); err != nil || o.code != exitOK {
			t.Errorf("code %d, %v: %s", o.code, err, o.stdout+o.stderr)
		}
		t.Setenv("EDGEADAPT_CACHE", "off")
		if o := edgeadapt("bench", "--device", devices[1].ID, "--backbone", b, "--tune-kernels"); o.code == exitOK {
			t.Errorf("without a cache folder: code %d", o.code)
		}
	}
}
