//go:build linux && !android && cgo && !novulkan

package vulkan_test

import (
	"context"
	"encoding/binary"
	"math"
	"testing"

	"github.com/edgeadapt/edgeadapt/shaders"
	"github.com/edgeadapt/edgeadapt/vulkan"
	"github.com/edgeadapt/edgeadapt/vulkan/vulkantest"
)

func floats(x ...float32) []byte {
	var p []byte
	for _, v := range x {
		p = binary.LittleEndian.AppendUint32(p, math.Float32bits(v))
	}
	return p
}

func TestSmoke(t *testing.T) {
	d := vulkantest.Device(t)
	t.Logf("%+v", d.Info())
	desc, err := shaders.Pick("axpy", 0)
	if err != nil {
		t.Fatal(err)
	}
	k, err := d.NewKernel(desc, nil)
	if err != nil {
		t.Fatal(err)
	}
	x, err := d.NewBuffer("x", 400, vulkan.HostVisible)
	if err != nil {
		t.Fatal(err)
	}
	y, _ := d.NewBuffer("y", 400, vulkan.DeviceLocal)
	x.Write(0, floats(1, 2, 3, 4))
	r := d.NewRecorder()
	for range 3 {
		r.Dispatch(k, []vulkan.Range{{x, 0, 400}, {y, 0, 400}}, append([]byte{100, 0, 0, 0}, floats(2)...), 2, 1, 1)
	}
	rec, err := r.Finish()
	if err != nil {
		t.Fatal(err)
	}
	t.Log(rec.Plan())
	if err := rec.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	p := make([]byte, 16)
	y.Read(0, p)
	t.Log(p, floats(6, 12, 18, 24))
	t.Log(d.MemoryInUse())
}
