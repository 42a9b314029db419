package spirv

// Opcodes, decorations and enumerants that matter to a host (SPIR-V 1.3, section 3).
const (
	opEntryPoint            = 15
	opExecutionMode         = 16
	opCapability            = 17
	opTypeBool              = 20
	opTypeInt               = 21
	opTypeFloat             = 22
	opTypeVector            = 23
	opTypeMatrix            = 24
	opTypeImage             = 25
	opTypeSampledImage      = 27
	opTypeArray             = 28
	opTypeRuntimeArray      = 29
	opTypeStruct            = 30
	opTypePointer           = 32
	opConstant              = 43
	opConstantComposite     = 44
	opSpecConstantTrue      = 48
	opSpecConstantFalse     = 49
	opSpecConstant          = 50
	opSpecConstantComposite = 51
	opVariable              = 59
	opDecorate              = 71
	opMemberDecorate        = 72

	modelGLCompute = 5
	modeLocalSize  = 17

	decorationSpecID        = 1
	decorationBufferBlock   = 3
	decorationArrayStride   = 6
	decorationMatrixStride  = 7
	decorationBuiltIn       = 11
	decorationNonWritable   = 24
	decorationNonReadable   = 25
	decorationBinding       = 33
	decorationDescriptorSet = 34
	decorationOffset        = 35

	builtInWorkgroupSize = 25

	classUniformConstant = 0
	classUniform         = 2
	classPushConstant    = 9
	classStorageBuffer   = 12
)

// operands is the least number of operand words of each instruction that scan keeps.
var operands = map[uint32]int{
	opEntryPoint: 2, opExecutionMode: 2, opCapability: 1,
	opTypeBool: 1, opTypeInt: 3, opTypeFloat: 2, opTypeVector: 3, opTypeMatrix: 3, opTypeImage: 8,
	opTypeSampledImage: 2, opTypeArray: 3, opTypeRuntimeArray: 2, opTypeStruct: 1, opTypePointer: 3,
	opConstant: 3, opConstantComposite: 2, opSpecConstantTrue: 2, opSpecConstantFalse: 2, opSpecConstant: 3,
	opSpecConstantComposite: 2, opVariable: 3, opDecorate: 2, opMemberDecorate: 3,
}

// typeDecl is a type instruction without its result ID.
type typeDecl struct {
	op   uint32
	args []uint32
}

// constant is a scalar or composite constant.
type constant struct {
	op   uint32
	typ  uint32
	args []uint32
}

type variable struct{ id, typ, class uint32 }

type memberKey struct{ id, member, decoration uint32 }

type decorationKey struct{ id, decoration uint32 }

// scan collects declarations; the module is made of them once all are known, as decorations come before types.
type scan struct {
	capabilities      []uint32
	entries           int
	local             [3]uint32
	types             map[uint32]typeDecl
	constants         map[uint32]constant
	constantOrder     []uint32
	variables         []variable
	decorations       map[decorationKey]uint32
	memberDecorations map[memberKey]uint32
}

func newScan() *scan {
	return &scan{
		types: map[uint32]typeDecl{}, constants: map[uint32]constant{},
		decorations: map[decorationKey]uint32{}, memberDecorations: map[memberKey]uint32{},
	}
}

func (s *scan) instruction(op uint32, args []uint32) error {
	least, kept := operands[op]
	if !kept {
		return nil
	}
	if len(args) < least {
		return invalid("opcode %d has %d operands, expected at least %d", op, len(args), least)
	}
	switch op {
	case opCapability:
		s.capabilities = append(s.capabilities, args[0])
	case opEntryPoint:
		s.entries++
		if args[0] != modelGLCompute || s.entries > 1 {
			return invalid("expected one compute entry point")
		}
	case opExecutionMode:
		if args[1] == modeLocalSize && len(args) >= 5 {
			s.local = [3]uint32(args[2:5])
		}
	case opConstant, opConstantComposite, opSpecConstantTrue, opSpecConstantFalse, opSpecConstant, opSpecConstantComposite:
		s.constants[args[1]] = constant{op: op, typ: args[0], args: args[2:]}
		s.constantOrder = append(s.constantOrder, args[1])
	case opVariable:
		s.variables = append(s.variables, variable{typ: args[0], id: args[1], class: args[2]})
	case opDecorate:
		s.decorations[decorationKey{args[0], args[1]}] = firstOf(args[2:])
	case opMemberDecorate:
		s.memberDecorations[memberKey{args[0], args[1], args[2]}] = firstOf(args[3:])
	default:
		s.types[args[0]] = typeDecl{op: op, args: args[1:]}
	}
	return nil
}

// firstOf is the literal of a decoration, 0 for one that has none.
func firstOf(args []uint32) uint32 {
	if len(args) == 0 {
		return 0
	}
	return args[0]
}

func (s *scan) decoration(id, decoration uint32) (value uint32, ok bool) {
	value, ok = s.decorations[decorationKey{id, decoration}]
	return value, ok
}

// allMembers tells whether every member of struct id carries the decoration, as GLSL's readonly and writeonly
// blocks do.
func (s *scan) allMembers(id uint32, members int, decoration uint32) bool {
	for m := range members {
		if _, ok := s.memberDecorations[memberKey{id, uint32(m), decoration}]; !ok {
			return false
		}
	}
	return members > 0
}
