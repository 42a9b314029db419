package plugin

import "encoding/binary"

// Instructions whose operands the scanner has to know, and those that make branches.
const (
	opBlock        = 0x02
	opLoop         = 0x03
	opIf           = 0x04
	opElse         = 0x05
	opEnd          = 0x0b
	opBr           = 0x0c
	opBrIf         = 0x0d
	opBrTable      = 0x0e
	opReturn       = 0x0f
	opCall         = 0x10
	opCallIndirect = 0x11
	opSelectTyped  = 0x1c
	opLocalGet     = 0x20 // to local.tee
	opLocalTee     = 0x22
	opGlobalGet    = 0x23
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
	body := &scanner{rest: s.bytes(s.count(maxBody)), facts: s.facts}
	declared, t := body.rest, s.bodyType()
	variables := t.params
	body.each(maxLocals, func() {
		n := body.count(maxLocals - variables)
		body.byte()
		variables += n
	})
	declared = declared[:len(declared)-len(body.rest)]
	instructions, count, branches := body.instructions()
	work := branches * (variables + branches/32 + 1)
	if s.facts.work += work; work > maxWork || s.facts.work > maxTotalWork {
		body.fail("%d branches with %d variables, after work of %d, take too long to compile", branches, variables, s.facts.work-work)
	}
	if body.err != nil {
		s.fail("function %d: %w", s.facts.code, body.err)
	}
	s.bodies = appendAccounted(s.bodies, declared, instructions, t.result, s.facts.globals, frameBytes(count, variables))
	s.facts.code++
}

// bodyType is the type of the function whose body comes next; a body too many is not this check's business.
func (s *scanner) bodyType() functionType {
	f := s.facts
	if f.code >= len(f.functions) {
		return functionType{result: noResult}
	}
	return f.types[f.functions[f.code]]
}

// instructions walks over all of a body's and returns them, up to and with the last end, to stand in a block of their own:
// a return becomes a branch to that block's end. It counts them, and the branches that they make.
func (s *scanner) instructions() (out []byte, count, branches int) {
	depth := 0 // of blocks within the body
	for depth >= 0 && s.err == nil {
		at := s.rest
		if len(at) == 0 {
			s.fail("has no end")
			return
		}
		branches += s.instruction()
		count++
		switch at[0] {
		case opBlock, opLoop, opIf:
			depth++
		case opEnd:
			depth--
		case opReturn:
			out = binary.AppendUvarint(append(out, opBr), uint64(depth))
			continue
		}
		out = append(out, at[:len(at)-len(s.rest)]...)
	}
	if len(s.rest) > 0 {
		s.fail("%d bytes behind its end", len(s.rest))
	}
	return out, count, branches
}

// global fails for a number that is none of the module's own globals: the next would be that of the stack.
func (s *scanner) global(index uint32) {
	if int64(index) >= int64(s.facts.globals) {
		s.fail("global %d of %d", index, s.facts.globals)
	}
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
	case op == opCall || op >= opLocalGet && op <= opLocalTee:
		s.u32()
	case op == opGlobalGet || op == opGlobalSet:
		s.global(s.u32())
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
