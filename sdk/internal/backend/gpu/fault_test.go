//go:build linux && !android && cgo && !novulkan

package gpu

import (
	"errors"
	"testing"

	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/edgeadapt/edgeadapt/shaders"
	"github.com/edgeadapt/edgeadapt/vulkan/faulttest"
)

// TestWrongKernel: a driver that leaves out the last workgroup of a kernel is found out, and another variant serves; where
// there is no other, the device is refused.
func TestWrongKernel(t *testing.T) {
	c := faulttest.Start(t)
	if c == nil {
		return
	}
	rows := shaders.Variants("linear_q8c")
	base := rows[len(rows)-1]
	d := openHere(t, Options{})
	first, err := d.pick("linear_q8c", 0)
	if err != nil || first == base {
		t.Fatal(first, err)
	}
	if err := c.Mistake(first); err != nil {
		t.Fatal(err)
	}
	if got, err := layer(t, d); err != nil || got == first.String() {
		t.Errorf("with a wrong %s: used %s, %v", first, got, err)
	}
	if v, _ := d.trust.of(first); v.Fault == "" {
		t.Errorf("verdict on %s: %+v", first, v)
	}
	if err := c.Mistake(base); err != nil {
		t.Fatal(err)
	}
	careful := openHere(t, Options{Safe: true})
	if got, err := layer(t, careful); !errors.Is(err, backend.ErrFaulty) {
		t.Errorf("with a wrong %s: used %s, %v", base, got, err)
	}
	d.Close()
	careful.Close()
	if live := c.Live(); live != "" {
		t.Errorf("left %s", live)
	}
}

// TestCompileFails: each call that can run out of memory does so in turn while a Program is compiled, tested and run.
func TestCompileFails(t *testing.T) {
	c := faulttest.Start(t)
	if c == nil {
		return
	}
	for _, o := range []Options{{Untested: true}, {Untested: true, WeightBytes: 1}, {}} {
		stride := 1
		if !o.Untested {
			stride = 61 // a self-test makes a thousand
		}
		for after := 0; ; after += stride {
			d := openHere(t, o)
			c.Fail(faulttest.AllThatAllocate, after, faulttest.OutOfDeviceMemory)
			_, err := layer(t, d)
			hit := c.Hits() > 0
			if err != nil && !errors.Is(err, backend.ErrOutOfMemory) || err != nil && !hit {
				t.Errorf("call %d: %v", after, err)
			}
			if n := d.MemoryInUse(); n != 0 {
				t.Errorf("call %d: %d bytes in use", after, n)
			}
			c.Calm()
			if err := d.Close(); err != nil {
				t.Error(err)
			}
			if live := c.Live(); live != "" {
				t.Fatalf("call %d (%v) left %s", after, err, live)
			}
			if !hit {
				t.Logf("untested %v, parts %v: %d calls", o.Untested, o.WeightBytes > 0, after)
				break
			}
		}
	}
}
