package pth

import (
	"encoding/binary"
	"math"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits on a pickle, far above every published checkpoint: a tensor takes some 25 values and 60 steps.
const (
	maxPickleBytes = 8 << 20
	maxValues      = 1 << 18
	maxSteps       = 1 << 20
)

// machine runs a pickle of protocol 2 to 5.
type machine struct {
	code     []byte // what follows the current opcode
	read     int    // bytes of the program so far
	stack    []any
	marks    []int // heights of the stack
	memo     map[uint32]any
	storages map[string]*storage // by key, as persistent ids name them
	values   int                 // made so far
}

// run executes the pickle at the start of code. It returns the value that is left and the length of the pickle.
func run(code []byte) (value any, length int, storages map[string]*storage, err error) {
	m := &machine{code: code, memo: map[uint32]any{}, storages: map[string]*storage{}}
	for step := 0; ; step++ {
		op, err := m.bytes(1)
		switch {
		case err != nil:
			return nil, 0, nil, err
		case step == maxSteps:
			return nil, 0, nil, corrupt("pickle of more than %d steps", maxSteps)
		case op[0] == opStop:
			value, err = m.pop()
			return value, m.read, m.storages, err
		}
		at := m.read - 1
		if err := m.step(op[0]); err != nil {
			return nil, 0, nil, withPosition(err, at)
		}
	}
}

// bytes takes n bytes off the program.
func (m *machine) bytes(n uint64) ([]byte, error) {
	if n > uint64(len(m.code)) {
		return nil, corrupt("pickle ends at byte %d, expected %d more", m.read+len(m.code), n-uint64(len(m.code)))
	}
	b := m.code[:n:n]
	m.code, m.read = m.code[n:], m.read+int(n)
	return b, nil
}

// number takes an unsigned little-endian number of the given width off the program.
func (m *machine) number(width int) (uint64, error) {
	b, err := m.bytes(uint64(width))
	if err != nil {
		return 0, err
	}
	var wide [8]byte
	copy(wide[:], b)
	return binary.LittleEndian.Uint64(wide[:]), nil
}

// counted takes a length of the given width and so many bytes.
func (m *machine) counted(width int) ([]byte, error) {
	n, err := m.number(width)
	if err != nil {
		return nil, err
	}
	return m.bytes(n)
}

// line takes a text that ends in a newline.
func (m *machine) line() (string, error) {
	text, _, found := strings.Cut(string(m.code[:min(len(m.code), maxName)]), "\n")
	if !found {
		return "", corrupt("name without an end at byte %d", m.read)
	}
	_, err := m.bytes(uint64(len(text) + 1))
	return text, err
}

// maxName bounds the name of a module, a class, a function or a tensor, in bytes.
const maxName = 1 << 8

// printable reports whether a name can stand in a message: control characters could be commands to a terminal.
func printable(name string) bool {
	return len(name) <= maxName && strings.IndexFunc(name, func(r rune) bool { return r == utf8.RuneError || !unicode.IsPrint(r) }) < 0
}

func (m *machine) push(v any) error {
	if m.values++; m.values > maxValues {
		return corrupt("pickle makes more than %d values", maxValues)
	}
	m.stack = append(m.stack, v)
	return nil
}

// floor is the height below which the current opcode may not reach: that of the last mark.
func (m *machine) floor() int {
	if len(m.marks) == 0 {
		return 0
	}
	return m.marks[len(m.marks)-1]
}

func (m *machine) pop() (any, error) {
	v, err := m.top()
	if err == nil {
		m.stack = m.stack[:len(m.stack)-1]
	}
	return v, err
}

func (m *machine) top() (any, error) {
	if len(m.stack) <= m.floor() {
		return nil, corrupt("pickle takes from an empty stack")
	}
	return m.stack[len(m.stack)-1], nil
}

// popMark takes the values above the last mark, which it removes. They are the caller's.
func (m *machine) popMark() ([]any, error) {
	if len(m.marks) == 0 {
		return nil, corrupt("pickle takes a mark that was never set")
	}
	at := m.floor()
	items := append([]any(nil), m.stack[at:]...)
	m.stack, m.marks = m.stack[:at], m.marks[:len(m.marks)-1]
	return items, nil
}

// popN takes n values.
func (m *machine) popN(n int) ([]any, error) {
	at := len(m.stack) - n
	if at < m.floor() {
		return nil, corrupt("pickle takes from an empty stack")
	}
	items := append([]any(nil), m.stack[at:]...)
	m.stack = m.stack[:at]
	return items, nil
}

func (m *machine) put(key uint64) error {
	v, err := m.top()
	if err != nil {
		return err
	}
	if len(m.memo) >= maxValues {
		return corrupt("pickle remembers more than %d values", maxValues)
	}
	m.memo[uint32(key)] = v
	return nil
}

func (m *machine) get(key uint64) error {
	v, ok := m.memo[uint32(key)]
	if !ok {
		return corrupt("pickle recalls value %d, which it never stored", key)
	}
	return m.push(v)
}

// long reads a two's complement integer of any length; one beyond 64 bits is opaque.
func long(b []byte) any {
	if len(b) > 8 {
		return &opaque{"an integer of more than 64 bits"}
	}
	var wide [8]byte
	if len(b) > 0 && b[len(b)-1] >= 0x80 {
		wide = [8]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	}
	copy(wide[:], b)
	return int64(binary.LittleEndian.Uint64(wide[:]))
}

func float(b []byte) float64 { return math.Float64frombits(binary.BigEndian.Uint64(b)) }
