// Package shaders holds the compute kernels: their GLSL, the table of variants, and the SPIR-V compiled from both.
//
// A kernel is a name such as "layernorm" with one or more variants, best first. Pick chooses the first whose needs
// the device meets; the last variant of every kernel needs nothing beyond Vulkan 1.1. What a host must know of a
// module (bindings and how it accesses them, push-constant size, specialisation constants) is reflected from the
// SPIR-V at build time, so that host and shader cannot drift apart.
//
// After a change to src or variants.go run `make shaders`; its output is committed, and go build needs no compiler.
package shaders

import (
	"embed"
	"errors"
	"fmt"
	"strings"

	pkgerrors "github.com/pkg/errors"
)

//go:generate go run ./internal/gen -dir .

//go:embed spirv/*.spv
var modules embed.FS

// ErrNoKernel says that no variant of the kernel, or no kernel of that name, suits the device.
var ErrNoKernel = errors.New("no such kernel")

// Access says how a kernel uses a binding; the recorder derives barriers from it.
type Access uint8

const (
	Read Access = 1 << iota
	Write
	ReadWrite = Read | Write
)

// Kind is the type of a binding's descriptor.
type Kind uint8

const (
	StorageBuffer Kind = iota
	FloatTexels        // uniform texel buffer, RGBA32F (samplerBuffer)
	IntTexels          // uniform texel buffer, RGBA32I (isamplerBuffer)
	UintTexels         // uniform texel buffer, RGBA32UI (usamplerBuffer)
)

// Binding is binding number i of descriptor set 0, i its index in Kernel.Bindings.
type Binding struct {
	Access Access
	Kind   Kind
}

// SpecConstant is a 32-bit specialisation constant and the value that its row or, failing that, its shader gives it.
type SpecConstant struct {
	ID    uint32
	Value uint32
}

// Kernel is one variant of a kernel. Immutable; shared.
type Kernel struct {
	Name    string // as in the table: "layernorm"
	Variant string // as Row.Variant; empty for the plain compilation
	File    string // under spirv/; several kernels may share one
	Needs   Feature
	// Bindings of descriptor set 0, without gaps.
	Bindings []Binding
	// PushBytes is the size of the push-constant block; 0 if there is none.
	PushBytes int
	// Spec lists the specialisation constants in ascending ID.
	Spec []SpecConstant
	// Local is the workgroup size where it is a literal; LocalIDs names the specialisation constant that gives a
	// component instead, -1 where none does.
	Local    [3]uint32
	LocalIDs [3]int
}

// String is the name by which an option pins a variant: "layernorm" or "layernorm/SUBGROUP".
func (k *Kernel) String() string {
	if k.Variant == "" {
		return k.Name
	}
	return k.Name + "/" + k.Variant
}

// Code is the SPIR-V module.
func (k *Kernel) Code() ([]byte, error) {
	code, err := modules.ReadFile("spirv/" + k.File)
	return code, pkgerrors.Wrapf(err, "kernel %s", k)
}

// SpecValues are the values of all specialisation constants, in the order of k.Spec: those given, then the defaults.
func (k *Kernel) SpecValues(given []uint32) ([]uint32, error) {
	if len(given) > len(k.Spec) {
		return nil, fmt.Errorf("kernel %s has %d specialisation constants, got %d values", k, len(k.Spec), len(given))
	}
	values := append([]uint32(nil), given...)
	for _, c := range k.Spec[len(given):] {
		values = append(values, c.Value)
	}
	return values, nil
}

// Workgroup is the workgroup size under the given specialisation (see SpecValues).
func (k *Kernel) Workgroup(spec []uint32) ([3]uint32, error) {
	values, err := k.SpecValues(spec)
	size := k.Local
	for axis, id := range k.LocalIDs {
		for i, c := range k.Spec {
			if id >= 0 && c.ID == uint32(id) && err == nil {
				size[axis] = values[i]
			}
		}
	}
	return size, err
}

// Variants lists the variants of a kernel, best first; nil if there is no such kernel. The pointers are shared and
// must not be written through.
func Variants(name string) []*Kernel {
	var all []*Kernel
	for i := range kernels {
		if kernels[i].Name == name {
			all = append(all, &kernels[i])
		}
	}
	return all
}

// Pick chooses the first variant whose needs has covers. A name of the form "kernel/VARIANT" pins that variant.
func Pick(name string, has Feature) (*Kernel, error) {
	base, _, pinned := strings.Cut(name, "/")
	for _, k := range Variants(base) {
		if (!pinned || k.String() == name) && k.Needs&^has == 0 {
			return k, nil
		}
	}
	return nil, fmt.Errorf("%s with features %v: %w", name, has, ErrNoKernel)
}

// All lists every variant of every kernel in the order of the table.
func All() []*Kernel {
	all := make([]*Kernel, len(kernels))
	for i := range kernels {
		all[i] = &kernels[i]
	}
	return all
}
