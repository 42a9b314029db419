//go:build linux && !android && cgo && !novulkan

package vulkan_test

import (
	"slices"
	"testing"

	"github.com/edgeadapt/edgeadapt/shaders"
	"github.com/edgeadapt/edgeadapt/vulkan"
	"github.com/edgeadapt/edgeadapt/vulkan/vulkantest"
)

// TestDivide: a dispatch that may be divided becomes parts of whole workgroups, in submissions of their own, which cover the grid
// once; one whose grid is folded into y is cut along y, so that a kernel counts the same groups a row.
func TestDivide(t *testing.T) {
	d := vulkantest.Device(t)
	for _, c := range []struct {
		x, y uint32
		want []string
	}{
		{7, 1, []string{"2x1x1", "2x1x1 from 2x0x0", "3x1x1 from 4x0x0"}},
		{2, 1, []string{"1x1x1", "1x1x1 from 1x0x0"}}, // a part is a workgroup at least
		{1, 1, []string{"1x1x1"}},
		{3, 4, []string{"3x1x1", "3x1x1 from 0x1x0", "3x2x1 from 0x2x0"}},
	} {
		n := int(64 * c.x * c.y) // one element a thread
		x, y := buffer(t, d, "x", vulkan.DeviceLocal, ramp(n, 1)), buffer(t, d, "y", vulkan.DeviceLocal, make([]float32, n))
		r := d.NewRecorder()
		r.Estimate(5 * vulkan.SegmentTime / 2)
		r.Divide()
		r.Dispatch(kernel(t, d, "scale"), []vulkan.Range{whole(x), whole(y)}, push(n, 3), c.x, c.y, 1)
		if r.Len() != len(c.want) {
			t.Errorf("%dx%d: %d commands, expected %d", c.x, c.y, r.Len(), len(c.want))
		}
		rec := finish(t, r)
		var want []string
		for _, part := range c.want {
			want = append(want, kernel(t, d, "scale").String()+" "+part)
		}
		if !slices.Equal(rec.Plan(), want) || rec.Segments() != len(want) {
			t.Errorf("%dx%d: %d submissions of %q, expected %q", c.x, c.y, rec.Segments(), rec.Plan(), want)
		}
		run(t, rec)
		expect(t, y, func(i int) float32 { return 3 * float32(i%1000+1) })
		rec.Close()
	}
	x, y := buffer(t, d, "x", vulkan.DeviceLocal, ramp(640, 1)), buffer(t, d, "y", vulkan.DeviceLocal, make([]float32, 640))
	r := d.NewRecorder()
	r.Estimate(10 * vulkan.SegmentTime) // not asked to divide
	r.Dispatch(kernel(t, d, "scale"), []vulkan.Range{whole(x), whole(y)}, push(640, 3), 10, 1, 1)
	r.Divide() // short
	r.Dispatch(kernel(t, d, "scale"), []vulkan.Range{whole(x), whole(y)}, push(640, 3), 10, 1, 1)
	if rec := finish(t, r); r.Len() != 2 {
		t.Errorf("%q: divided without need, or without leave", rec.Plan())
	}
}

// TestDividedKernel: a kernel made for divided dispatches is one pipeline, which whole ones run with, too; the control has one for each.
func TestDividedKernel(t *testing.T) {
	const n = 640
	for pipelines, made := range map[int]func(d *vulkan.Device, desc *shaders.Kernel, spec []uint32) (*vulkan.Kernel, error){
		1: (*vulkan.Device).NewDividedKernel, 2: (*vulkan.Device).NewKernel,
	} {
		d := vulkantest.Device(t)
		desc, err := shaders.Pick("scale", 0)
		if err != nil {
			t.Fatal(err)
		}
		k, err := made(d, desc, nil)
		if err != nil {
			t.Fatal(err)
		}
		x, y := buffer(t, d, "x", vulkan.DeviceLocal, ramp(n, 1)), buffer(t, d, "y", vulkan.DeviceLocal, make([]float32, n))
		r := d.NewRecorder()
		r.Estimate(3 * vulkan.SegmentTime)
		r.Divide()
		r.Dispatch(k, []vulkan.Range{whole(x), whole(y)}, push(n, 3), 10, 1, 1)
		r.Dispatch(k, []vulkan.Range{whole(y), whole(x)}, push(n, 2), 10, 1, 1)
		rec := finish(t, r)
		if r.Len() != 4 || d.Pipelines() != pipelines {
			t.Errorf("%d commands by %d pipelines, expected 4 by %d", r.Len(), d.Pipelines(), pipelines)
		}
		run(t, rec)
		expect(t, x, func(i int) float32 { return 6 * float32(i%1000+1) })
		rec.Close()
	}
}
