// Package spirv reads from a SPIR-V compute module what a host must know to dispatch it.
//
// Source: Khronos SPIR-V specification 1.3, sections 2.3 (physical layout), 2.4 (logical layout) and 3 (binary form).
package spirv

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/edgeadapt/edgeadapt/shaders"
)

// ErrInvalid says that the bytes are no module, or none that our hosts can dispatch.
var ErrInvalid = errors.New("invalid SPIR-V module")

// Module is the host's side of a compute module: the parts of shaders.Kernel that the code itself decides.
type Module struct {
	Capabilities []uint32
	Bindings     []shaders.Binding
	PushBytes    int
	Spec         []shaders.SpecConstant
	Local        [3]uint32
	LocalIDs     [3]int
}

const (
	magic       = 0x07230203
	headerWords = 5
	maxBound    = 1 << 22 // the universal limit on IDs (SPIR-V section 2.17)
)

// Reflect reads a module. It returns ErrInvalid for malformed bytes and for what our hosts cannot bind: a descriptor
// set other than 0, gaps between bindings, descriptor kinds other than those of shaders.Kind.
// It does not validate the code itself; spirv-val does.
func Reflect(code []byte) (Module, error) {
	words, err := decode(code)
	if err != nil {
		return Module{}, err
	}
	s := newScan()
	for rest := words[headerWords:]; len(rest) > 0; {
		count := int(rest[0] >> 16)
		if count == 0 || count > len(rest) {
			return Module{}, invalid("instruction of %d words with %d left", count, len(rest))
		}
		if err := s.instruction(rest[0]&0xffff, rest[1:count]); err != nil {
			return Module{}, err
		}
		rest = rest[count:]
	}
	return s.module()
}

func decode(code []byte) ([]uint32, error) {
	if len(code)%4 != 0 || len(code) < 4*headerWords {
		return nil, invalid("%d bytes", len(code))
	}
	words := make([]uint32, len(code)/4)
	for i := range words {
		words[i] = binary.LittleEndian.Uint32(code[4*i:])
	}
	if words[0] != magic {
		return nil, invalid("magic number is %#x", words[0])
	}
	if words[3] > maxBound {
		return nil, invalid("ID bound is %d", words[3])
	}
	return words, nil
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("%s: %w", fmt.Sprintf(format, args...), ErrInvalid)
}
