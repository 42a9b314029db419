//go:build linux && !android && cgo && !novulkan

package sdk_test

import (
	"context"
	"errors"
	"testing"

	"github.com/edgeadapt/edgeadapt/quant"
	"github.com/edgeadapt/edgeadapt/sdk"
	"github.com/edgeadapt/edgeadapt/vulkan/faulttest"
)

// TestDriverFaults: a prediction with an adapter while the software driver loses the device at each submission in turn, or a
// submission in silence, or runs out of memory here and there. Its result is right or, for want of memory, an error; nothing is left.
func TestDriverFaults(t *testing.T) {
	c := faulttest.Start(t)
	if c == nil {
		return
	}
	ctx, dir := context.Background(), t.TempDir()
	backbone, picture := tiny(t, quant.Q8C), gradient(50, 40)
	// predict opens everything, has order faults beforehand, and predicts.
	predict := func(faults func()) (r sdk.Result, losses uint64, err error) {
		t.Helper()
		rt, err := sdk.Open(ctx, sdk.WithDevice("vulkan:0"), sdk.WithActivations("float"), sdk.WithCacheDir(dir))
		if err != nil {
			t.Fatal(err)
		}
		bb, err := rt.UseBackbone(ctx, backbone)
		if err != nil {
			t.Fatal(err)
		}
		a := attach(t, bb, task(t, bb, "par"))
		faults()
		r, err = bb.Predict(ctx, picture, a)
		losses = rt.Stats().Losses
		hits := c.Hits()
		c.Calm()
		if e := rt.Close(); e != nil {
			t.Errorf("close: %v", e)
		}
		if live := c.Live(); live != "" {
			t.Errorf("left %s", live)
		}
		if hits == 0 {
			losses = ^uint64(0)
		}
		return r, losses, err
	}
	none := ^uint64(0) // no fault happened
	want, losses, err := predict(func() {})
	if err != nil || losses != none {
		t.Fatal(err)
	}
	close := func(got sdk.Result) bool {
		if len(got.Features) != len(want.Features) || got.Labels[0].Name != want.Labels[0].Name {
			return false
		}
		for i, v := range got.Features {
			if d := v - want.Features[i]; d > 1e-4 || d < -1e-4 {
				return false
			}
		}
		return true
	}
	for _, fault := range []struct {
		name   string
		order  func(after int)
		stride int
		lost   bool
	}{
		{"device lost at submission", func(n int) { c.Fail("vkQueueSubmit", n, faulttest.DeviceLost) }, 1, true},
		{"device lost in the wait for submission", func(n int) { c.Fail("vkWaitForFences", n, faulttest.DeviceLost) }, 1, true},
		{"silently dropped submission", c.Drop, 1, true},
		{"out of memory at call", func(n int) { c.Fail(faulttest.AllThatAllocate, n, faulttest.OutOfDeviceMemory) }, 61, false},
	} {
		n := 0
		for ; ; n += fault.stride {
			got, losses, err := predict(func() { fault.order(n) })
			if losses == none {
				if err != nil || !close(got) {
					t.Errorf("%s %d, which there is not: %v, %v", fault.name, n, got.Labels, err)
				}
				break
			}
			if fault.lost && (losses != 1 || err != nil || !close(got)) || err == nil && !close(got) || err != nil && !errors.Is(err, sdk.ErrOutOfMemory) {
				t.Errorf("%s %d: %d losses, %v, %v, expected %v", fault.name, n, losses, got.Labels, err, want.Labels)
			}
		}
		if n == 0 {
			t.Errorf("%s: there was none", fault.name)
		}
		t.Logf("%s: up to %d", fault.name, n)
	}
}
