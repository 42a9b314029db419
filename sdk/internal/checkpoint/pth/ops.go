package pth

import "fmt"

// Opcodes, as Python's pickletools names and documents them.
const (
	opMark            = '('
	opStop            = '.'
	opPop             = '0'
	opPopMark         = '1'
	opDup             = '2'
	opNone            = 'N'
	opBinInt          = 'J'
	opBinInt1         = 'K'
	opBinInt2         = 'M'
	opBinFloat        = 'G'
	opBinUnicode      = 'X'
	opBinString       = 'T'
	opShortBinString  = 'U'
	opBinBytes        = 'B'
	opShortBinBytes   = 'C'
	opEmptyList       = ']'
	opAppend          = 'a'
	opAppends         = 'e'
	opEmptyTuple      = ')'
	opTuple           = 't'
	opEmptyDict       = '}'
	opSetItem         = 's'
	opSetItems        = 'u'
	opGlobal          = 'c'
	opReduce          = 'R'
	opBuild           = 'b'
	opBinPersID       = 'Q'
	opBinPut          = 'q'
	opLongBinPut      = 'r'
	opBinGet          = 'h'
	opLongBinGet      = 'j'
	opProto           = 0x80
	opNewObj          = 0x81
	opTuple1          = 0x85
	opTuple2          = 0x86
	opTuple3          = 0x87
	opNewTrue         = 0x88
	opNewFalse        = 0x89
	opLong1           = 0x8a
	opLong4           = 0x8b
	opShortBinUnicode = 0x8c
	opBinUnicode8     = 0x8d
	opBinBytes8       = 0x8e
	opEmptySet        = 0x8f
	opAddItems        = 0x90
	opFrozenSet       = 0x91
	opNewObjEx        = 0x92
	opStackGlobal     = 0x93
	opMemoize         = 0x94
	opFrame           = 0x95
	opByteArray8      = 0x96
)

// step executes one opcode: those of constants here, the others by what they work on.
func (m *machine) step(op byte) error {
	switch op {
	case opProto:
		if v, err := m.number(1); err != nil || v < 2 || v > 5 {
			return corrupt("pickle protocol %d, expected 2 to 5", v)
		}
		return nil
	case opFrame: // a hint for buffering
		_, err := m.number(8)
		return err
	case opNone:
		return m.push(nil)
	case opNewTrue, opNewFalse:
		return m.push(op == opNewTrue)
	case opBinInt, opBinInt1, opBinInt2, opLong1, opLong4, opBinFloat:
		return m.scalar(op)
	case opBinUnicode, opShortBinUnicode, opBinUnicode8, opBinString, opShortBinString, opBinBytes, opShortBinBytes, opBinBytes8, opByteArray8:
		return m.text(op)
	case opMark, opPop, opPopMark, opDup:
		return m.arrange(op)
	case opBinPut, opLongBinPut, opMemoize, opBinGet, opLongBinGet:
		return m.remember(op)
	case opEmptyList, opEmptySet, opEmptyDict, opEmptyTuple, opTuple, opTuple1, opTuple2, opTuple3, opFrozenSet:
		return m.collect(op)
	case opAppend, opAppends, opAddItems, opSetItem, opSetItems:
		return m.extend(op)
	case opGlobal, opStackGlobal, opReduce, opNewObj, opNewObjEx, opBuild, opBinPersID:
		return m.object(op)
	}
	return corrupt("pickle has opcode %#x, which a checkpoint does not need", op)
}

func withPosition(err error, at int) error {
	return fmt.Errorf("at byte %d of the pickle: %w", at, err)
}

func (m *machine) scalar(op byte) error {
	var b []byte
	var err error
	switch op {
	case opBinInt1, opBinInt2: // unsigned, unlike the others
		width := 1
		if op == opBinInt2 {
			width = 2
		}
		v, err := m.number(width)
		if err != nil {
			return err
		}
		return m.push(int64(v))
	case opBinFloat:
		if b, err = m.bytes(8); err != nil {
			return err
		}
		return m.push(float(b))
	case opLong1:
		b, err = m.counted(1)
	case opLong4:
		b, err = m.counted(4)
	default:
		b, err = m.bytes(4)
	}
	if err != nil {
		return err
	}
	return m.push(long(b))
}

// lengthBytes is the width of the length before a text or bytes.
var lengthBytes = map[byte]int{opShortBinUnicode: 1, opShortBinString: 1, opShortBinBytes: 1, opBinUnicode: 4, opBinString: 4,
	opBinBytes: 4, opBinUnicode8: 8, opBinBytes8: 8, opByteArray8: 8}

// text pushes a string; bytes are never needed.
func (m *machine) text(op byte) error {
	b, err := m.counted(lengthBytes[op])
	if err != nil {
		return err
	}
	switch op {
	case opBinBytes, opShortBinBytes, opBinBytes8, opByteArray8:
		return m.push(&opaque{"bytes"})
	}
	return m.push(string(b))
}

func (m *machine) arrange(op byte) error {
	switch op {
	case opMark:
		m.marks = append(m.marks, len(m.stack))
		return nil
	case opPopMark:
		_, err := m.popMark()
		return err
	case opPop:
		_, err := m.pop()
		return err
	}
	v, err := m.top()
	if err != nil {
		return err
	}
	return m.push(v)
}

func (m *machine) remember(op byte) error {
	if op == opMemoize {
		return m.put(uint64(len(m.memo)))
	}
	width := 1
	if op == opLongBinPut || op == opLongBinGet {
		width = 4
	}
	key, err := m.number(width)
	if err != nil {
		return err
	}
	if op == opBinPut || op == opLongBinPut {
		return m.put(key)
	}
	return m.get(key)
}

func (m *machine) collect(op byte) error {
	var items []any
	var err error
	switch op {
	case opEmptyList, opEmptySet:
		return m.push(&list{})
	case opEmptyDict:
		return m.push(&dict{})
	case opEmptyTuple:
	case opTuple, opFrozenSet:
		items, err = m.popMark()
	default:
		items, err = m.popN(int(op-opTuple1) + 1)
	}
	if err != nil {
		return err
	}
	return m.push(&tuple{items})
}

// extend adds to the list or dict below. An opaque value may be either and forgets what it is given.
func (m *machine) extend(op byte) error {
	var items []any
	var err error
	switch op {
	case opAppend:
		items, err = m.popN(1)
	case opSetItem:
		items, err = m.popN(2)
	default:
		items, err = m.popMark()
	}
	if err != nil {
		return err
	}
	to, err := m.top()
	if err != nil {
		return err
	}
	pairs := op == opSetItem || op == opSetItems
	switch to := to.(type) {
	case *opaque:
		return nil
	case *list:
		if !pairs {
			to.items = append(to.items, items...)
			return nil
		}
	case *dict:
		if pairs && len(items)%2 == 0 {
			for i := 0; i < len(items); i += 2 {
				to.pairs = append(to.pairs, pair{items[i], items[i+1]})
			}
			return nil
		}
	}
	return corrupt("pickle adds %d items to %s", len(items), describe(to))
}
