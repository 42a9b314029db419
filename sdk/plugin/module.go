package plugin

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"unicode/utf8"
)

// Bounds on a module's structure. A decoder believes the counts that it reads and allocates for them, and a compiler's
// work grows with the product of some of them, so all are checked before either sees the module. The limits lie above
// what Go's and C's compilers make.
const (
	// MaxBytes is the largest module.
	MaxBytes = 8 << 20

	maxItems      = 1 << 16   // of most sections: types, functions, exports
	maxSegments   = 1 << 18   // of data: Go's linker leaves runs of zeros out
	maxTypeValues = 64        // parameters, and results, of a function type
	maxTable      = 1 << 16   // entries of the table of functions
	maxLocals     = 1024      // of a function
	maxBody       = 128 << 10 // bytes of a function's code

	// The compiler's work as scanner.code counts it, of a function and of all. A program of 6 MB that uses Go's regexp,
	// text/template and encoding/json has functions of up to 2.6e5, and 6.3e6 in all. The slowest function that was found
	// within maxWork takes some 2 s to compile on one core of a server.
	maxWork      = 1 << 19
	maxTotalWork = 1 << 23
)

// Sections of a module, by their number.
const (
	sectionCustom = iota
	sectionType
	sectionImport
	sectionFunction
	sectionTable
	sectionMemory
	sectionGlobal
	sectionExport
	sectionStart
	sectionElement
	sectionCode
	sectionData
	sectionDataCount
)

// order is how sections follow one another, each at most once.
var order = []byte{sectionType, sectionImport, sectionFunction, sectionTable, sectionMemory, sectionGlobal, sectionExport,
	sectionStart, sectionElement, sectionDataCount, sectionCode, sectionData}

const header = "\x00asm\x01\x00\x00\x00" // magic number and version of WebAssembly 1 and 2

// clean checks a module's structure against the bounds and returns one that does the same: without custom sections, as
// names and debugging data are more to parse and nothing here needs them, with its data in fewer pieces, and with functions
// that keep account of the stack. What instructions do is the compiler's to validate.
func clean(module []byte) ([]byte, error) {
	if len(module) > MaxBytes {
		return nil, fmt.Errorf("module of %d bytes, the limit is %d", len(module), MaxBytes)
	}
	if len(module) < len(header) || string(module[:len(header)]) != header {
		return nil, fmt.Errorf("no WebAssembly module: %d bytes that start with %.8q", len(module), module)
	}
	out := append(make([]byte, 0, len(module)), header...)
	s := &scanner{rest: module[len(header):]}
	next, found := 0, &facts{}
	for len(s.rest) > 0 {
		id := s.byte()
		content := &scanner{rest: s.bytes(s.count(len(s.rest))), facts: found}
		if s.err != nil {
			return nil, s.err
		}
		if id == sectionCustom { // whatever stands behind its name, it says nothing about the module
			if name := content.name(); !utf8.Valid(name) {
				content.fail("name %.40q is not UTF-8", name)
			}
			if content.err != nil {
				return nil, fmt.Errorf("section %d: %w", id, content.err)
			}
			continue
		}
		place := slices.Index(order[next:], id)
		if place < 0 {
			return nil, fmt.Errorf("section %d is unknown, a second one or out of order", id)
		}
		before := order[next : next+place]
		next += place + 1
		if slices.Contains(before, sectionGlobal) { // it has none, and needs the one of the stack
			out = appendSection(out, sectionGlobal, appendStackGlobal([]byte{1}))
		}
		all := content.rest
		content.section(id)
		if content.err == nil && len(content.rest) > 0 {
			content.fail("%d bytes too many", len(content.rest))
		}
		if content.err != nil {
			return nil, fmt.Errorf("section %d: %w", id, content.err)
		}
		if changed := content.changed(id, all); changed != nil {
			all = changed
		}
		out = appendSection(out, id, all)
	}
	return out, nil
}

func appendSection(b []byte, id byte, content []byte) []byte {
	return append(binary.AppendUvarint(append(b, id), uint64(len(content))), content...)
}

// changed is what takes the place of a section's content, nil where that stays.
func (s *scanner) changed(id byte, content []byte) []byte {
	switch id {
	case sectionGlobal:
		return appendStackGlobal(s.oneMore(content))
	case sectionExport:
		return appendStackExport(s.oneMore(content), s.facts.globals)
	case sectionCode:
		return append(binary.AppendUvarint(nil, uint64(s.facts.code)), s.bodies...)
	case sectionData:
		return s.mergeData()
	}
	return nil
}

// oneMore is a vector that announces one item more than there are.
func (s *scanner) oneMore(vector []byte) []byte {
	n, length := binary.Uvarint(vector)
	return append(binary.AppendUvarint(nil, n+1), vector[length:]...)
}

// facts are what one section has to know of those before it.
type facts struct {
	types     []functionType
	functions []uint32 // the type of each function that has code
	globals   int      // of the module's own: the one of the stack comes after them
	counted   bool     // whether instructions may name data segments by their number
	code      int      // bodies seen, and their work
	work      int
}

// scanner walks encoded values; after the first error it reads zeros.
type scanner struct {
	rest  []byte
	err   error
	facts *facts
	// Of a data section: its segments, and whether one is passive.
	data    []segment
	passive bool
	bodies  []byte // of a code section: the functions that take the place of its own
}

// functionType is what the check of a function's body has to know of its type.
type functionType struct {
	params int
	result byte // its type as a block's type has it; of several results the last, which the compiler refuses
}

func (s *scanner) fail(format string, args ...any) {
	if s.err == nil {
		s.err = fmt.Errorf(format, args...)
	}
	s.rest = nil
}

func (s *scanner) byte() byte {
	if b := s.bytes(1); len(b) == 1 {
		return b[0]
	}
	return 0
}

func (s *scanner) bytes(n int) []byte {
	if n > len(s.rest) {
		s.fail("ends %d bytes early", n-len(s.rest))
		return nil
	}
	b := s.rest[:n]
	s.rest = s.rest[n:]
	return b
}

// u32 reads an unsigned LEB128 of at most 32 bits.
func (s *scanner) u32() uint32 {
	v, n := binary.Uvarint(s.rest)
	if n <= 0 || n > 5 || v > math.MaxUint32 {
		s.fail("no 32-bit number")
		return 0
	}
	s.rest = s.rest[n:]
	return uint32(v)
}

// count reads a number that may not exceed limit.
func (s *scanner) count(limit int) int {
	n := s.u32()
	if uint64(n) > uint64(limit) {
		s.fail("count %d, the limit is %d", n, limit)
		return 0
	}
	return int(n)
}

// each reads a vector's length and calls item as often.
func (s *scanner) each(limit int, item func()) {
	for range s.count(limit) {
		if s.err != nil {
			return
		}
		item()
	}
}

// section checks one section's content.
func (s *scanner) section(id byte) {
	switch id {
	case sectionType:
		s.each(maxItems, s.functionType)
	case sectionImport:
		s.each(maxItems, s.importEntry)
	case sectionFunction:
		s.each(maxItems, func() { s.facts.functions = append(s.facts.functions, s.typeIndex("function")) })
	case sectionTable:
		s.each(1, s.table)
	case sectionMemory:
		s.each(1, func() { s.limits() })
	case sectionGlobal:
		s.each(maxItems, func() { s.bytes(2); s.constant(); s.facts.globals++ })
	case sectionExport:
		s.each(maxItems, s.export)
	case sectionElement:
		s.each(maxItems, s.element)
	case sectionCode:
		s.each(maxItems, s.code)
	case sectionData:
		s.each(maxSegments, s.dataSegment)
	case sectionStart:
		s.u32()
	case sectionDataCount:
		s.facts.counted = true
		s.u32()
	}
}

func (s *scanner) name() []byte { return s.bytes(s.count(len(s.rest))) }

func (s *scanner) export() {
	const global = 3
	name, kind, index := s.name(), s.byte(), s.u32()
	if string(name) == exportStack {
		s.fail("export of the name %q, which is taken", name)
	}
	if kind == global {
		s.global(index)
	}
}

func (s *scanner) functionType() {
	if form := s.byte(); form != 0x60 {
		s.fail("type of form %#x, expected a function", form)
	}
	t := functionType{params: s.count(maxTypeValues), result: noResult}
	s.bytes(t.params)
	if results := s.bytes(s.count(maxTypeValues)); len(results) > 0 {
		t.result = results[len(results)-1]
	}
	s.facts.types = append(s.facts.types, t)
}

func (s *scanner) importEntry() {
	s.name()
	s.name()
	if kind := s.byte(); kind != 0 {
		s.fail("import of kind %d, only functions can be imported", kind)
	}
	s.typeIndex("import")
}

// typeIndex is the number of a type that what has. The runtime looks one up that is not there, and panics.
func (s *scanner) typeIndex(what string) uint32 {
	i := s.u32()
	if int64(i) >= int64(len(s.facts.types)) {
		s.fail("%s of type %d, the module has %d types", what, i, len(s.facts.types))
	}
	return i
}

func (s *scanner) limits() (least uint32) {
	flags := s.byte()
	if flags > 1 {
		s.fail("limits %#x, expected 0 or 1", flags)
	}
	least = s.u32()
	if flags == 1 {
		s.u32()
	}
	return least
}

func (s *scanner) table() {
	if t := s.byte(); t != 0x70 {
		s.fail("table of type %#x, expected functions", t)
	}
	if n := s.limits(); n > maxTable {
		s.fail("table of %d entries, the limit is %d", n, maxTable)
	}
}

// constant reads an initial value: one instruction and its end. The result is the value of an i32.const, else 0.
func (s *scanner) constant() (value uint32) {
	switch op := s.byte(); op {
	case 0x23: // global.get
		s.u32()
	case 0x41:
		value = uint32(s.signed(5))
	case 0x42: // i64.const
		s.signed(10)
	case 0x43: // f32.const
		s.bytes(4)
	case 0x44: // f64.const
		s.bytes(8)
	default:
		s.fail("initial value by instruction %#x, expected a constant", op)
	}
	if end := s.byte(); end != 0x0b {
		s.fail("initial value of more than one instruction")
	}
	return value
}

// signed reads a signed LEB128 of at most n bytes.
func (s *scanner) signed(n int) (value int64) {
	for shift := 0; shift < 7*n; shift += 7 {
		b := s.byte()
		value |= int64(b&0x7f) << shift
		if b&0x80 == 0 {
			if b&0x40 != 0 && shift+7 < 64 {
				value |= -1 << (shift + 7)
			}
			return value
		}
	}
	s.fail("number of more than %d bytes", n)
	return 0
}

func (s *scanner) element() {
	if kind := s.u32(); kind != 0 {
		s.fail("element segment of kind %d, expected 0 (functions of table 0)", kind)
	}
	s.constant()
	s.each(maxTable, func() { s.u32() })
}
