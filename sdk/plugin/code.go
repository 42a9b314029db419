package plugin

// Instructions whose operands the scanner has to know, and those that make branches.
const (
	opBlock        = 0x02
	opLoop         = 0x03
	opIf           = 0x04
	opElse         = 0x05
	opBr           = 0x0c
	opBrIf         = 0x0d
	opBrTable      = 0x0e
	opCall         = 0x10
	opCallIndirect = 0x11
	opSelectTyped  = 0x1c
	opLocalGet     = 0x20 // to global.set, 0x24
	opGlobalSet    = 0x24
	opLoad         = 0x28 // to store, 0x3e
	opStore        = 0x3e
	opMemorySize   = 0x3f
	opMemoryGrow   = 0x40
	opI32Const     = 0x41
	opI64Const     = 0x42
	opF32Const     = 0x43
	opF64Const     = 0x44
	opPrefix       = 0xfc
)

// bulkOperands are the index operands of the instructions behind opPrefix, by their second number: eight conversions,
// then memory.init, data.drop, memory.copy, memory.fill, table.init, elem.drop, table.copy.
var bulkOperands = [...]int{0, 0, 0, 0, 0, 0, 0, 0, 2, 1, 2, 1, 2, 1, 2}

// code checks one function's body against the bounds. Its work is what the compiler does for it: carrying every variable
// along every branch, and comparing branches with one another.
func (s *scanner) code() {
	body := &scanner{rest: s.bytes(s.count(maxBody))}
	variables := s.params()
	body.each(maxLocals, func() {
		n := body.count(maxLocals - variables)
		body.byte()
		variables += n
	})
	branches := 0
	for len(body.rest) > 0 {
		branches += body.instruction()
	}
	work := branches * (variables + branches/32 + 1)
	if s.facts.work += work; work > maxWork || s.facts.work > maxTotalWork {
		body.fail("%d branches with %d variables, after work of %d, take too long to compile", branches, variables, s.facts.work-work)
	}
	if body.err != nil {
		s.fail("function %d: %w", s.facts.code, body.err)
	}
	s.facts.code++
}

// params is the number of parameters of the function whose body comes next; one without a type is not this check's
// business.
func (s *scanner) params() int {
	f := s.facts
	if f.code >= len(f.functions) || int64(f.functions[f.code]) >= int64(len(f.params)) {
		return 0
	}
	return f.params[f.functions[f.code]]
}

// instruction skips one and returns the branches that it makes.
func (s *scanner) instruction() (branches int) {
	switch op := s.byte(); {
	case op == opBlock || op == opLoop || op == opIf:
		s.signed(5) // type of its result
		return 1
	case op == opElse:
		return 1
	case op == opBr || op == opBrIf:
		s.u32()
		return 1
	case op == opBrTable:
		n := s.count(len(s.rest))
		for range n + 1 {
			s.u32()
		}
		return n + 1
	case op == opCall || op >= opLocalGet && op <= opGlobalSet:
		s.u32()
	case op == opCallIndirect || op >= opLoad && op <= opStore:
		s.u32()
		s.u32()
	case op == opMemorySize || op == opMemoryGrow:
		s.byte()
	case op == opI32Const:
		s.signed(5)
	case op == opI64Const:
		s.signed(10)
	case op == opF32Const:
		s.bytes(4)
	case op == opF64Const:
		s.bytes(8)
	case op == opPrefix:
		which := s.u32()
		if which >= uint32(len(bulkOperands)) {
			s.fail("instruction %#x %d is not supported", op, which)
			return 0
		}
		for range bulkOperands[which] {
			s.u32()
		}
	case op == opSelectTyped || op > 0xc4 || op >= 0x06 && op <= 0x0a || op >= 0x12 && op <= 0x19 || op >= 0x25 && op <= 0x27:
		s.fail("instruction %#x is not supported", op) // of later versions of WebAssembly, or of none
	}
	return 0
}
