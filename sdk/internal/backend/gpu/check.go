//go:build linux && !android && cgo && !novulkan

package gpu

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/edgeadapt/edgeadapt/shaders"
	"github.com/pkg/errors"
)

// apart are kernels that no Program uses and no case runs: package vulkan's smoke test, and the canary, which is in every run.
var apart = []string{"axpy", "canary"}

// Check tests every kernel variant that the device can run, whatever earlier tests said, and keeps the verdicts where
// o.CacheDir says. With compileOnly it makes every pipeline and submits nothing: for drivers that only compile.
// An error is one of the device; a kernel that fails is none. After each kernel it calls progress, unless that is nil.
func Check(ctx context.Context, id string, o Options, compileOnly bool, progress func(done, of int)) ([]backend.KernelCheck, error) {
	be, err := Open(id, o)
	if err != nil {
		return nil, err
	}
	d := be.(*device)
	defer d.Close()
	d.trust.forget()
	kernels := slices.DeleteFunc(shaders.All(), func(k *shaders.Kernel) bool {
		return k.Needs&^d.dev.Info().Supported != 0 || !compileOnly && slices.Contains(apart, k.Name)
	})
	var checks []backend.KernelCheck
	for i, k := range kernels {
		if err := ctx.Err(); err != nil {
			return checks, err
		}
		c := backend.KernelCheck{Kernel: k.Name, Variant: k.Variant}
		if compileOnly {
			err = d.checkPipeline(k, &c)
		} else {
			err = d.checkKernel(ctx, k, &c)
		}
		if err != nil {
			return checks, translate(err)
		}
		checks = append(checks, c)
		if progress != nil {
			progress(i+1, len(kernels))
		}
	}
	for i := range checks {
		checks[i].Used = d.uses(checks[i])
	}
	d.trust.save()
	return checks, nil
}

// checkKernel runs k's cases.
func (d *device) checkKernel(ctx context.Context, k *shaders.Kernel, c *backend.KernelCheck) error {
	took, err := d.verifyOne(ctx, k)
	if err != nil {
		return errors.WithMessagef(err, "self-test of %s", k)
	}
	v, _ := d.trust.of(k)
	c.Case, c.Fault, c.MaxError, c.Took = v.Case, v.Fault, v.MaxError, took
	if !d.divides() || c.Fault != "" {
		return nil
	}
	parts := divided{k}
	if took, err = d.verifyDivided(ctx, parts); err != nil {
		return errors.WithMessagef(err, "self-test of %s", parts)
	}
	v, _ = d.trust.of(parts)
	c.Divided, c.Took = cmp.Or(v.Fault, "ok"), c.Took+took
	return nil
}

// checkPipeline makes k's pipelines: with its row's tiles, for rows of whole vectors and for others, for float16 and for float32 where it
// has that, and those of divided dispatches.
func (d *device) checkPipeline(k *shaders.Kernel, c *backend.KernelCheck) error {
	began := time.Now()
	for flags := range uint32(4) {
		spec, err := k.SpecValues(nil)
		if err != nil {
			return err
		}
		v := variant{k, spec}
		v.set(wideID, flags&1)
		v.set(halfID, flags>>1)
		whole, err := d.dev.NewKernel(k, spec) // at once where flags change nothing
		if err != nil {
			c.Fault = err.Error()
		} else if d.divides() && !slices.Contains(apart, k.Name) {
			c.Divided = cmp.Or(c.Divided, "ok")
			if _, err = whole.Divided(); err != nil {
				c.Divided = err.Error()
			}
		}
		if errors.Is(translate(err), backend.ErrDeviceLost) {
			return err
		}
	}
	c.Took = time.Since(began)
	return nil
}

// uses tells whether the variant is the device's choice for any size.
func (d *device) uses(c backend.KernelCheck) bool {
	for _, without := range []shaders.Feature{0, shaders.TexelFetch} {
		k, err := d.pick(c.Kernel, without)
		if err == nil && k.Variant == c.Variant {
			return true
		}
	}
	return false
}

// forget drops all verdicts.
func (t *trust) forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	clear(t.verdicts)
}
