package spirv

import (
	"cmp"
	"slices"

	"github.com/edgeadapt/edgeadapt/shaders"
)

const (
	maxBindings  = 32
	maxPushBytes = 1 << 16 // far beyond any device; keeps the arithmetic small
	maxTypeDepth = 4       // push constants are flat: a block of arrays of vectors
)

func (s *scan) module() (Module, error) {
	if s.entries != 1 {
		return Module{}, invalid("expected one compute entry point, found none")
	}
	m := Module{Capabilities: s.capabilities, Local: s.local, LocalIDs: [3]int{-1, -1, -1}}
	var err error
	if m.Spec, err = s.specConstants(); err != nil {
		return Module{}, err
	}
	if err = s.workgroupSize(&m); err != nil {
		return Module{}, err
	}
	found := map[uint32]shaders.Binding{}
	for _, v := range s.variables {
		if err = s.variable(&m, found, v); err != nil {
			return Module{}, err
		}
	}
	for i := range uint32(len(found)) {
		b, ok := found[i]
		if !ok {
			return Module{}, invalid("%d bindings, but number %d is missing or unused", len(found), i)
		}
		m.Bindings = append(m.Bindings, b)
	}
	return m, nil
}

// specConstants lists the scalar specialisation constants by ID. Compilers declare an ID a second time for a component
// of the workgroup size, and with a default of their own (1): there the first declaration counts. Hosts set every
// constant, so that the module's two defaults never meet.
func (s *scan) specConstants() ([]shaders.SpecConstant, error) {
	values := map[uint32]uint32{}
	components := s.workgroupComponents()
	for _, id := range s.constantOrder {
		spec, ok := s.decoration(id, decorationSpecID)
		if !ok {
			continue
		}
		value, err := s.scalar(id)
		if err != nil {
			return nil, err
		}
		old, twice := values[spec]
		if twice && slices.Contains(components, id) {
			continue
		}
		if twice && old != value {
			return nil, invalid("specialisation constant %d has the defaults %d and %d", spec, old, value)
		}
		values[spec] = value
	}
	var list []shaders.SpecConstant
	for id, value := range values {
		list = append(list, shaders.SpecConstant{ID: id, Value: value})
	}
	slices.SortFunc(list, func(a, b shaders.SpecConstant) int { return cmp.Compare(a.ID, b.ID) })
	return list, nil
}

// scalar is the value of a 32-bit (or boolean) constant.
func (s *scan) scalar(id uint32) (uint32, error) {
	c, ok := s.constants[id]
	switch {
	case ok && c.op == opSpecConstantTrue:
		return 1, nil
	case ok && c.op == opSpecConstantFalse:
		return 0, nil
	case ok && (c.op == opConstant || c.op == opSpecConstant) && len(c.args) == 1:
		return c.args[0], nil
	}
	return 0, invalid("%%%d is not a 32-bit constant", id)
}

// workgroupComponents are the constants that GLSL's local_size_x_id and so on make; nil if the size is a literal.
func (s *scan) workgroupComponents() []uint32 {
	for _, id := range s.constantOrder {
		if b, ok := s.decoration(id, decorationBuiltIn); ok && b == builtInWorkgroupSize {
			return s.constants[id].args
		}
	}
	return nil
}

// workgroupSize overrides the literal local size by the components.
func (s *scan) workgroupSize(m *Module) error {
	components := s.workgroupComponents()
	if components == nil {
		return nil
	}
	if len(components) != 3 {
		return invalid("workgroup size has %d components", len(components))
	}
	for axis, id := range components {
		value, err := s.scalar(id)
		if err != nil {
			return err
		}
		m.Local[axis] = value
		if spec, ok := s.decoration(id, decorationSpecID); ok {
			m.LocalIDs[axis] = int(spec)
		}
	}
	return nil
}

// variable adds a descriptor to found or the push constants to m; other variables concern no host.
func (s *scan) variable(m *Module, found map[uint32]shaders.Binding, v variable) error {
	pointer := s.types[v.typ]
	if pointer.op != opTypePointer {
		return invalid("variable %%%d is not a pointer", v.id)
	}
	pointee := pointer.args[1]
	switch v.class {
	case classPushConstant:
		size, err := s.size(pointee, 0)
		m.PushBytes = max(m.PushBytes, size)
		return err
	case classUniformConstant, classUniform, classStorageBuffer:
		set, _ := s.decoration(v.id, decorationDescriptorSet)
		number, ok := s.decoration(v.id, decorationBinding)
		if set != 0 || !ok || number >= maxBindings {
			return invalid("variable %%%d is at set %d, binding %d", v.id, set, number)
		}
		b, err := s.binding(v, pointee)
		if err != nil {
			return err
		}
		// Two views of one buffer, say as words and as vectors, add up.
		if old, aliased := found[number]; aliased {
			if old.Kind != b.Kind {
				return invalid("binding %d has two descriptor kinds", number)
			}
			b.Access |= old.Access
		}
		found[number] = b
	}
	return nil
}

func (s *scan) binding(v variable, typ uint32) (shaders.Binding, error) {
	t := s.types[typ]
	if v.class == classUniformConstant {
		kind, err := s.texelKind(t)
		return shaders.Binding{Access: shaders.Read, Kind: kind}, err
	}
	_, bufferBlock := s.decoration(typ, decorationBufferBlock)
	if t.op != opTypeStruct || v.class == classUniform && !bufferBlock {
		return shaders.Binding{}, invalid("variable %%%d is neither a storage buffer nor a texel buffer", v.id)
	}
	access := shaders.ReadWrite
	if s.restricted(v.id, typ, len(t.args), decorationNonWritable) {
		access &^= shaders.Write
	}
	if s.restricted(v.id, typ, len(t.args), decorationNonReadable) {
		access &^= shaders.Read
	}
	if access == 0 {
		return shaders.Binding{}, invalid("variable %%%d is neither read nor written", v.id)
	}
	return shaders.Binding{Access: access, Kind: shaders.StorageBuffer}, nil
}

func (s *scan) restricted(id, typ uint32, members int, decoration uint32) bool {
	_, whole := s.decoration(id, decoration)
	return whole || s.allMembers(typ, members, decoration)
}

// texelKind accepts images of dimension Buffer that are sampled, with 32-bit texel components.
func (s *scan) texelKind(t typeDecl) (shaders.Kind, error) {
	if t.op == opTypeSampledImage {
		t = s.types[t.args[0]]
	}
	const dimBuffer, sampled = 5, 1
	if t.op != opTypeImage || t.args[1] != dimBuffer || t.args[5] != sampled {
		return 0, invalid("an image that is not a uniform texel buffer")
	}
	texel := s.types[t.args[0]]
	switch {
	case texel.op == opTypeFloat && texel.args[0] == 32:
		return shaders.FloatTexels, nil
	case texel.op == opTypeInt && texel.args[0] == 32 && texel.args[1] == 1:
		return shaders.IntTexels, nil
	case texel.op == opTypeInt && texel.args[0] == 32:
		return shaders.UintTexels, nil
	}
	return 0, invalid("a texel buffer whose components are not 32 bits")
}

// size is the number of bytes from the start of an explicitly laid out type to the end of its last member.
func (s *scan) size(id uint32, depth int) (int, error) {
	t, ok := s.types[id]
	if !ok || depth > maxTypeDepth {
		return 0, invalid("type %%%d is unknown or too deep", id)
	}
	bytes, err := 0, error(nil)
	switch t.op {
	case opTypeInt, opTypeFloat:
		bytes = int(min(t.args[0], maxPushBytes)) / 8
	case opTypeVector:
		bytes, err = s.size(t.args[0], depth+1)
		bytes *= int(min(t.args[1], maxPushBytes))
	case opTypeArray:
		stride, _ := s.decoration(id, decorationArrayStride)
		var n uint32
		n, err = s.scalar(t.args[1])
		bytes = int(min(stride, maxPushBytes)) * int(min(n, maxPushBytes))
	case opTypeStruct:
		bytes, err = s.structSize(id, t, depth)
	default:
		err = invalid("type %%%d (opcode %d) in push constants", id, t.op)
	}
	if err == nil && bytes > maxPushBytes {
		err = invalid("push constants of more than %d bytes", maxPushBytes)
	}
	return bytes, err
}

func (s *scan) structSize(id uint32, t typeDecl, depth int) (int, error) {
	end := 0
	for m, member := range t.args {
		offset := s.memberDecorations[memberKey{id, uint32(m), decorationOffset}]
		bytes, err := s.memberSize(id, uint32(m), member, depth)
		if err != nil {
			return 0, err
		}
		end = max(end, int(min(offset, maxPushBytes))+bytes)
	}
	return end, nil
}

// memberSize differs from size for matrices, whose stride is a decoration of the member.
func (s *scan) memberSize(id, m, typ uint32, depth int) (int, error) {
	t := s.types[typ]
	if t.op != opTypeMatrix {
		return s.size(typ, depth+1)
	}
	stride := s.memberDecorations[memberKey{id, m, decorationMatrixStride}]
	return int(min(stride, maxPushBytes)) * int(min(t.args[1], maxPushBytes)), nil
}
