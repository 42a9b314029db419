package plugin

import (
	"encoding/binary"

	"github.com/tetratelabs/wazero/api"
)

// The runtime lets a module's call stack grow to 84 MB, for which it holds 126 MB for a moment, and has no setting for that. So
// every function keeps account: it takes an upper estimate of its frame from a global that the module cannot name, traps where
// nothing is left, and gives it back where it ends. Whatever the function calls is then within maxStack.

// maxStack is the call stack of an instance in bytes. The runtime doubles what it holds, and for a moment holds the half
// beside it: three times maxStack at most.
const maxStack = 8 << 20

// exportStack is the global's name for the host.
const exportStack = "edgeadapt_stack"

// noResult is the type of a block without one.
const noResult = 0x40

// frameBytes is an upper estimate of a function's frame: the compiler gives a place of eight bytes to each value that it
// cannot keep in a register, which an instruction makes one of at most, and needs a few for arguments and return address.
func frameBytes(instructions, variables int) int { return 8*(instructions+variables) + 256 }

// appendStackGlobal appends the global to a section's items.
func appendStackGlobal(b []byte) []byte {
	return append(appendSigned(append(b, i32, 1, opI32Const), maxStack), opEnd) // mutable
}

// appendStackExport appends the export of the global with the given number.
func appendStackExport(b []byte, index int) []byte {
	b = append(append(b, byte(len(exportStack))), exportStack...)
	return binary.AppendUvarint(append(b, 3), uint64(index))
}

// appendAccounted appends a function: its variables, and its instructions in a block between taking and giving back its
// frame. result is the block's type.
func appendAccounted(b, variables, instructions []byte, result byte, global, frame int) []byte {
	const (
		opUnreachable = 0x00
		opI32LtS      = 0x48
		opI32Add      = 0x6a
		opI32Sub      = 0x6b
	)
	withGlobal := func(b []byte, op byte) []byte { return binary.AppendUvarint(append(b, op), uint64(global)) }
	change := func(b []byte, op byte) []byte {
		b = appendSigned(append(withGlobal(b, opGlobalGet), opI32Const), int32(frame))
		return withGlobal(append(b, op), opGlobalSet)
	}
	body := change(append([]byte(nil), variables...), opI32Sub)
	body = append(withGlobal(body, opGlobalGet), opI32Const, 0, opI32LtS, opIf, noResult, opUnreachable, opEnd)
	body = append(append(body, opBlock, result), instructions...)
	body = append(change(body, opI32Add), opEnd)
	return append(binary.AppendUvarint(b, uint64(len(body))), body...)
}

// overflowed reports whether m ended because its stack was used up.
func overflowed(m api.Module) bool {
	g := m.ExportedGlobal(exportStack)
	return g != nil && int32(g.Get()) < 0
}
