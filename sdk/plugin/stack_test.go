package plugin

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"
)

// asking is minimal, with a hook that calls function 2 of the given body before it answers.
func asking(body []byte) draft {
	return minimal(nil).with(sectionCode, vector(
		sized(0, 0x41, 0x80, 0x08, 0x0b),
		sized(0, opCall, 2, 0x42, 0x82, 0x80, 0x80, 0x80, 0x80, 0x02, 0x0b),
		sized(body...))...)
}

// frames are functions () -> () that call themselves for ever, from the smallest frame to the largest.
func frames() map[string]draft {
	word := func(at int) []byte { // the eight bytes of memory at an address
		return append([]byte{opI32Const, 0, 0x29, 3}, binary.AppendUvarint(nil, uint64(at))...)
	}
	const store, add = 0x37, 0x7c
	variables := append(binary.AppendUvarint([]byte{1}, 1000), 0x7e)
	operands := []byte{0, opI32Const, 0}
	for i := range 10000 {
		operands = append(operands, word(8*(i%4000))...)
	}
	operands = append(append(operands, opCall, 2), bytes.Repeat([]byte{add}, 9999)...)
	operands = append(operands, store, 3, 0, opEnd)
	for i := range 1000 {
		variables = append(append(append(variables, word(8*i)...), 0x21), binary.AppendUvarint(nil, uint64(i))...)
	}
	variables = append(variables, opCall, 2)
	for i := range 1000 {
		variables = append(append(variables, opI32Const, 0, opLocalGet), binary.AppendUvarint(nil, uint64(i))...)
		variables = append(variables, store, 3, 0)
	}
	parameters := append([]byte{0x60, 64}, append(bytes.Repeat([]byte{0x7e}, 64), 0)...)
	passing := append(bytes.Repeat(word(0), 64), opCall, 3, opEnd)
	d := asking(slices.Concat([]byte{0}, passing))
	code := d[sectionCode]
	return map[string]draft{
		"small":     asking([]byte{0, opCall, 2, opEnd}),
		"variables": asking(append(variables, opEnd)),
		"operands":  asking(operands),
		"indirect": asking([]byte{0, opI32Const, 0, opCallIndirect, 0, 0, opEnd}).with(sectionTable, 1, 0x70, 0, 1).
			with(sectionElement, 1, 0, 0x41, 0, 0x0b, 1, 2),
		"parameters": d.with(sectionType, append([]byte{4}, slices.Concat(d[sectionType][1:], parameters)...)...).
			with(sectionFunction, 4, 1, 2, 0, 3).
			with(sectionCode, append([]byte{4}, slices.Concat(code[1:], sized(slices.Concat([]byte{0}, passing)...))...)...),
	}
}

// TestStackBound: whatever the frames look like, a recursion without end is an error that says so, within the memory that
// maxStack promises.
func TestStackBound(t *testing.T) {
	for name, d := range frames() {
		t.Run(name, func(t *testing.T) {
			p := load(t, d.bytes(), Options{TimeMillis: 10_000})
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := p.Postprocess(t.Context(), classes(1))
			runtime.ReadMemStats(&after)
			if !errors.Is(err, ErrPlugin) || !strings.Contains(err.Error(), "stack overflow: its calls take more than 8388608 bytes") {
				t.Errorf("got %v", err)
			}
			// All the runtime's stacks, each twice the one before, and what an instance takes.
			if got := after.TotalAlloc - before.TotalAlloc; got > 4*maxStack+1<<20 {
				t.Errorf("%d bytes", got)
			} else {
				t.Logf("%d kB", got>>10)
			}
		})
	}
}

// TestStackGivenBack: functions give back their frames however they end, so that a million calls are no recursion.
func TestStackGivenBack(t *testing.T) {
	ends := map[string][]byte{
		"at the end":             {0, opEnd},
		"return":                 {0, opReturn, opEnd},
		"return in a block":      {0, opBlock, 0x40, opLoop, 0x40, opReturn, opEnd, opEnd, opEnd},
		"return in one of two":   {0, opI32Const, 1, opIf, 0x40, opReturn, opElse, opReturn, opEnd, 0x00, opEnd},
		"branch to the function": {0, opBlock, 0x40, opBr, 1, opEnd, 0x00, opEnd},
		"branch on a condition":  {0, opI32Const, 1, opBrIf, 0, 0x00, opEnd},
		"branch by a table":      {0, opBlock, 0x40, opI32Const, 7, opBrTable, 1, 0, 1, opEnd, 0x00, opEnd},
	}
	for name, body := range ends {
		t.Run(name, func(t *testing.T) {
			// A variable counts to 2^20, and function 3 is called each time.
			caller := []byte{1, 1, 0x7f, opLoop, 0x40, opCall, 3, opLocalGet, 0, opI32Const, 1, 0x6a, opLocalTee, 0,
				opI32Const, 0x80, 0x80, 0xc0, 0x00, 0x48, opBrIf, 0, opEnd, opEnd}
			d := asking(caller)
			d = d.with(sectionFunction, 4, 1, 2, 0, 0).with(sectionCode, append([]byte{4}, slices.Concat(d[sectionCode][1:], sized(body...))...)...)
			if out, err := load(t, d.bytes(), Options{TimeMillis: 10_000}).Postprocess(t.Context(), classes(1)); err != nil || string(out) != "{}" {
				t.Errorf("%s, %v", out, err)
			}
		})
	}
}

// TestStackOutOfReach: a module can neither name the account of its stack nor take its name.
func TestStackOutOfReach(t *testing.T) {
	global := []byte{1, 0x7f, 1, 0x41, 0, 0x0b}
	get, set := []byte{0, opGlobalGet, 1, 0x1a, opEnd}, []byte{0, opI32Const, 0, opGlobalSet, 1, opEnd}
	exports := minimal(nil)[sectionExport]
	more := func(e []byte) []byte { return append([]byte{4}, slices.Concat(exports[1:], e)...) }
	for name, c := range map[string]struct {
		d    draft
		says string
	}{
		"read":           {minimal(get).with(sectionGlobal, global...), "global 1 of 1"},
		"written":        {minimal(set).with(sectionGlobal, global...), "global 1 of 1"},
		"without others": {minimal([]byte{0, opGlobalGet, 0, 0x1a, opEnd}), "global 0 of 0"},
		"exported":       {minimal(bodyTrap).with(sectionExport, more(export("g", 3, 0))...), "global 0 of 0"},
		"its name":       {minimal(bodyTrap).with(sectionGlobal, global...).with(sectionExport, more(export(exportStack, 3, 0))...), "which is taken"},
	} {
		if _, err := clean(c.d.bytes()); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, expected %q", name, err, c.says)
		}
	}
}

// valid reports whether the runtime takes a module; a panic refuses it, as when a plug-in is loaded.
func valid(ctx context.Context, r wazero.Runtime, module []byte) (ok bool) {
	defer func() {
		if recover() != nil {
			ok = false
		}
	}()
	m, err := r.CompileModule(ctx, module)
	if err != nil {
		return false
	}
	return m.Close(ctx) == nil
}

// withoutCustom is a module without its custom sections, in which the runtime may find fault although they mean nothing.
func withoutCustom(module []byte) []byte {
	out, s := []byte(header), &scanner{rest: module[len(header):]}
	for len(s.rest) > 0 {
		if id, content := s.byte(), s.bytes(s.count(len(s.rest))); id != sectionCustom {
			out = appendSection(out, id, content)
		}
	}
	return out
}

// FuzzClean: what the runtime takes it takes cleaned, and cleaning mends nothing but custom sections.
func FuzzClean(f *testing.F) {
	for _, path := range []string{"testdata/abuse.wasm", "../../examples/plugins/trim.wasm"} {
		b, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add(minimal(bodyTrap).bytes())
	f.Add(minimal([]byte{0, opBlock, 0x40, opReturn, opEnd, opEnd}).with(sectionGlobal, 1, 0x7f, 1, 0x41, 0x7f, 0x0b).bytes())
	for _, d := range frames() {
		f.Add(d.bytes())
	}
	ctx := context.Background()
	r := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigInterpreter().WithCoreFeatures(features).WithMemoryLimitPages(256))
	f.Cleanup(func() { r.Close(ctx) })
	f.Fuzz(func(t *testing.T, module []byte) {
		cleaned, err := clean(module)
		if err != nil {
			return
		}
		if before, after := valid(ctx, r, withoutCustom(module)), valid(ctx, r, cleaned); before != after {
			t.Fatalf("valid before: %v, after: %v; %x became %x", before, after, module, cleaned)
		}
	})
}
