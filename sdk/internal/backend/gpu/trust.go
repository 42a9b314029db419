//go:build linux && !android && cgo && !novulkan

package gpu

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"sync"

	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/edgeadapt/edgeadapt/sdk/internal/memo"
	"github.com/edgeadapt/edgeadapt/shaders"
	"github.com/edgeadapt/edgeadapt/vulkan"
	"github.com/pkg/errors"
)

// trust is what is known of a device's kernels: each variant is used once it has passed its self-test, and never again once
// it has failed. Safe for concurrent use.
type trust struct {
	path  string // of the memo, empty for none
	about subject

	testing sync.Mutex // one self-test at a time

	mu       sync.Mutex
	verdicts map[string]verdict // by variant, whole or divided
}

// divided is a variant whose dispatches are divided among submissions: by a pipeline of its own, which a driver may get wrong by
// itself. One that is wrong is not used any more; long dispatches of the variant stay whole.
type divided struct{ *shaders.Kernel }

func (k divided) String() string { return k.Kernel.String() + " divided" }

// tested is what has a verdict: a variant, or its divided form.
type tested interface {
	*shaders.Kernel | divided
	String() string
}

// subject is what verdicts are about: with another driver, or other shaders, they are void.
type subject struct {
	Device  string `json:"device"` // UUID
	Name    string `json:"name"`
	Driver  string `json:"driver"`
	Shaders string `json:"shaders"` // digest
}

type verdict struct {
	Fault    string  `json:"fault,omitempty"` // empty: passed
	Case     string  `json:"case,omitempty"`  // in which it failed
	MaxError float64 `json:"max_error"`
}

// newTrust reads what earlier processes found out, from dir if there is one.
func newTrust(info vulkan.DeviceInfo, dir string) (*trust, error) {
	digest, err := shaders.Digest()
	if err != nil {
		return nil, err
	}
	t := &trust{about: subject{info.UUID, info.Name, info.DriverVersion, digest}, verdicts: map[string]verdict{}}
	if dir == "" {
		return t, nil
	}
	t.path = filepath.Join(dir, "selftest-"+info.UUID+".json")
	if !memo.Load(t.path, t.about, &t.verdicts) {
		t.verdicts = map[string]verdict{}
	}
	return t, nil
}

// save keeps the verdicts for later processes. That they could not be kept costs these a self-test, and nothing else.
func (t *trust) save() {
	t.mu.Lock()
	all := maps.Clone(t.verdicts)
	t.mu.Unlock()
	_ = memo.Save(t.path, t.about, all)
}

func (t *trust) of(k fmt.Stringer) (v verdict, known bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	v, known = t.verdicts[k.String()]
	return v, known
}

func (t *trust) failed(k fmt.Stringer) bool {
	v, known := t.of(k)
	return known && v.Fault != ""
}

// note adds the outcome of a case; a fault stays.
func (t *trust) note(k fmt.Stringer, v verdict) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if old, known := t.verdicts[k.String()]; known && old.Fault != "" {
		return
	} else if known {
		v.MaxError = max(v.MaxError, old.MaxError)
	}
	t.verdicts[k.String()] = v
}

// unknown are those of ks without a verdict, each once.
func unknown[K tested](t *trust, ks []K) (out []K) {
	for _, k := range ks {
		if _, known := t.of(k); !known && !slices.Contains(out, k) {
			out = append(out, k)
		}
	}
	return out
}

// pick finds the variant of a kernel for this device: one that a self-test or an option asks for, else the best that has not
// failed its self-test; none that needs any of the features in without. It returns ErrFaulty where all have failed.
func (d *device) pick(name string, without shaders.Feature) (*shaders.Kernel, error) {
	info := d.dev.Info()
	if d.opt.Safe {
		without = ^shaders.Feature(0)
	}
	if k, forced := d.forced[name]; forced && k == nil {
		return nil, errors.WithMessagef(shaders.ErrNoKernel, "%s is left out", name)
	} else if forced && k.Needs&^(info.Supported&^without) == 0 {
		return k, nil
	}
	for _, k := range shaders.Variants(name) {
		if slices.Contains(d.opt.Pin, k.String()) && k.Needs&^(info.Supported&^without) == 0 && !d.trust.failed(k) {
			return k, nil
		}
	}
	for _, k := range shaders.Variants(name) {
		if v, ok := d.tuned[name]; ok && !d.opt.Safe && k.Variant == v && k.Needs&^(info.Supported&^without) == 0 && !d.trust.failed(k) {
			return k, nil
		}
	}
	has := info.Features
	if d.opt.As != nil {
		has = *d.opt.As & info.Supported
	}
	var why error
	for _, k := range shaders.Variants(name) {
		if k.Needs&^(has&^without) != 0 {
			continue
		}
		v, _ := d.trust.of(k)
		if v.Fault == "" {
			return k, nil
		}
		why = errors.WithMessagef(backend.ErrFaulty, "%s: kernel %s in the self-test %s: %s", d.info.Name, k, v.Case, v.Fault)
	}
	if why != nil {
		return nil, why
	}
	return shaders.Pick(name, has&^without) // an error
}
