package plugin

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestLoadRefuses: what is wrong with a module is said when it is loaded, and its engine goes on.
func TestLoadRefuses(t *testing.T) {
	good := minimal(bodyTrap)
	exports := func(list ...[]byte) draft { return good.with(sectionExport, vector(list...)...) }
	memory, alloc, post := export(exportMemory, 2, 0), export(exportAlloc, 0, 0), export(exportPost, 0, 1)
	huge := []byte{0xff, 0xff, 0xff, 0xff, 0x0f} // 2^32-1 in LEB128
	locals := append([]byte{1}, append(huge, 0x7f)...)

	for name, c := range map[string]struct {
		module []byte
		says   string
	}{
		"empty":            {nil, "no WebAssembly module"},
		"a picture":        {[]byte("\x89PNG\r\n\x1a\n and more"), "no WebAssembly module"},
		"another version":  {[]byte("\x00asm\x0d\x00\x01\x00"), "no WebAssembly module"},
		"cut short":        {good.bytes()[:60], "limit is 23"},
		"too large":        {make([]byte, MaxBytes+1), "limit is 8388608"},
		"trap at start":    {good.with(sectionStart, 2).bytes(), "unreachable"},
		"loop at start":    {minimal(bodyLoop).with(sectionStart, 2).bytes(), "no answer within 500ms"},
		"trap in init":     {exports(memory, alloc, post, export(exportInitialize, 0, 2)).bytes(), "unreachable"},
		"unknown module":   {good.with(sectionImport, vector(imported("env", "open", 0, 0))...).bytes(), `imports "env" "open"`},
		"unknown function": {good.with(sectionImport, vector(imported(wasiModule, "fd_open", 0, 0))...).bytes(), `"fd_open", which does not exist`},
		"import signature": {good.with(sectionImport, vector(imported(wasiModule, "sched_yield", 0, 0))...).bytes(), "another signature"},
		"imported memory":  {good.with(sectionImport, vector(imported("env", "memory", 2, 0, 1))...).bytes(), "import of kind 2"},
		"imported table":   {good.with(sectionImport, vector(imported("env", "table", 1, 0x70, 0, 1))...).bytes(), "import of kind 1"},
		"memory too large": {good.with(sectionMemory, 1, 0, 17).bytes(), "memory"}, // 17 pages, the limit is 16
		"memory not shown": {exports(alloc, post).bytes(), "does not export its memory"},
		"no allocator":     {exports(memory, post).bytes(), `does not export "edgeadapt_alloc"`},
		"no hook":          {exports(memory, alloc).bytes(), "exports neither"},
		"hook signature":   {exports(memory, alloc, export(exportPost, 0, 0)).bytes(), "another signature"},
		"later version":    {exports(memory, alloc, export("edgeadapt_postprocess_v2", 0, 1)).bytes(), "exports neither"},
		"wrong types":      {minimal([]byte{0, 0x41, 0, 0x0b}).bytes(), "invalid"}, // a value left on the stack
		"vectors":          {minimal([]byte{0, 0x41, 0, 0xfd, 0x0f, 0x1a, 0x0b}).bytes(), "instruction 0xfd is not"},
		"growing table":    {minimal([]byte{0, 0xd0, 0x70, 0x41, 1, 0xfc, 0x0f, 0, 0x1a, 0x0b}).with(sectionTable, 1, 0x70, 0, 1).bytes(), "instruction 0xd0 is not"},

		// Bodies that a compiler would work on for minutes.
		"branches":            {branching(5000, 0).bytes(), "5000 branches with 0 variables"},
		"branches, variables": {branching(600, 1000).bytes(), "600 branches with 1000 variables"},
		"many such functions": {repeated(17, branching(700, 700)).bytes(), "function 16: 700 branches with 700 variables"},
		"jump table":          {minimal(slices.Concat([]byte{0, 0x41, 0, 0x0e, 0x88, 0x27}, make([]byte, 5001), []byte{0x0b})).bytes(), "5001 branches"},
		"unknown instruction": {minimal([]byte{0, 0xfb, 0x0b}).bytes(), "instruction 0xfb is not supported"},
		"unknown bulk":        {minimal([]byte{0, 0xfc, 0x0f, 0x0b}).bytes(), "instruction 0xfc 15 is not supported"},

		// Counts that a decoder would allocate for.
		"count of types":      {good.with(sectionType, huge...).bytes(), "limit"},
		"count of parameters": {good.with(sectionType, append([]byte{1, 0x60}, huge...)...).bytes(), "limit"},
		"count of functions":  {good.with(sectionFunction, huge...).bytes(), "limit"},
		"count of globals":    {good.with(sectionGlobal, huge...).bytes(), "limit"},
		"count of exports":    {good.with(sectionExport, huge...).bytes(), "limit"},
		"count of elements":   {good.with(sectionElement, append([]byte{1, 0, 0x41, 0, 0x0b}, huge...)...).bytes(), "limit"},
		"count of locals":     {minimal(append(locals, 0x0b)).bytes(), "function 2: count 4294967295"},
		"length of data":      {good.with(sectionData, append([]byte{1, 0, 0x41, 0, 0x0b}, huge...)...).bytes(), "limit"},
		"length of a name":    {good.with(sectionExport, append([]byte{1}, huge...)...).bytes(), "limit"},
		"size of the table":   {good.with(sectionTable, append([]byte{1, 0x70, 0}, huge...)...).bytes(), "table of 4294967295"},
		"two memories":        {good.with(sectionMemory, 2, 0, 1, 0, 1).bytes(), "limit is 1"},
		"no such type":        {good.with(sectionFunction, 3, 1, 2, 29).bytes(), "function of type 29, the module has 3 types"},
		"type of an import":   {good.with(sectionImport, 1, 1, 'a', 1, 'b', 0, 3).bytes(), "import of type 3, the module has 3 types"},
		"nameless section":    {append(good.bytes(), 0, 0), "section 0"},
		"name of a section":   {append(good.bytes(), 0, 2, 1, 0xff), "is not UTF-8"},
		"unknown section":     {append(good.bytes(), 14, 1, 0), "unknown"},
		"bytes too many":      {good.with(sectionStart, 2, 2).bytes(), "too many"},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEngine(t, Limits{})
			if _, err := e.Load(t.Context(), c.module, abuse); !errors.Is(err, ErrPlugin) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, expected ErrPlugin that says %q", err, c.says)
			}
			p, err := e.Load(t.Context(), good.bytes(), abuse)
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			if out, err := p.Postprocess(t.Context(), classes(1)); err != nil || string(out) != "{}" {
				t.Errorf("the control: %s, %v", out, err)
			}
		})
	}
}

// branching is a module whose last function has empty loops and variables.
func branching(loops, variables int) draft {
	locals := append(binary.AppendUvarint([]byte{1}, uint64(variables)), 0x7f)
	return minimal(slices.Concat(locals, bytes.Repeat([]byte{0x03, 0x40, 0x0b}, loops), []byte{0x0b}))
}

// repeated has n copies of the last function's body, in place of all others.
func repeated(n int, d draft) draft {
	code := d[sectionCode]
	last := code[len(minimal(nil)[sectionCode])-1:]
	return d.with(sectionCode, append([]byte{byte(n)}, bytes.Repeat(last, n)...)...).with(sectionFunction, append([]byte{byte(n)}, make([]byte, n)...)...)
}

// TestBranches: what real programs have is compiled.
func TestBranches(t *testing.T) {
	for _, d := range []draft{branching(1000, 40), branching(100, 1000)} {
		if out, err := load(t, d.bytes(), Options{TimeMillis: 10_000}).Postprocess(t.Context(), classes(1)); err != nil || string(out) != "{}" {
			t.Errorf("%s, %v", out, err)
		}
	}
}

// TestCleanDrops: custom sections leave no trace.
func TestCleanDrops(t *testing.T) {
	good := minimal(bodyTrap).bytes()
	custom := []byte{sectionCustom, 6, 4, 'n', 'a', 'm', 'e', 0xff}
	want, err := clean(good)
	if err != nil {
		t.Fatal(err)
	}
	got, err := clean(slices.Concat([]byte(header), custom, good[len(header):], custom))
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%x, %v; expected %x", got, err, want)
	}
}

// memoryOf is a memory of some bytes after segments were written into it in order.
func memoryOf(list []segment) []byte {
	m := make([]byte, 1<<12)
	for _, g := range list {
		copy(m[g.at:], g.bytes)
	}
	return m
}

// TestMergeData: fewer segments leave the same memory.
func TestMergeData(t *testing.T) {
	merges := 0
	rapid.Check(t, func(t *rapid.T) {
		var list []segment
		out := []byte{byte(rapid.IntRange(0, 6).Draw(t, "segments"))}
		for range out[0] {
			g := segment{uint32(rapid.IntRange(0, 2000).Draw(t, "at")), rapid.SliceOfN(rapid.Byte(), 0, 100).Draw(t, "bytes")}
			list = append(list, g)
			out = appendSigned(append(out, 0, 0x41), int32(g.at))
			out = append(append(out, 0x0b, byte(len(g.bytes))), g.bytes...)
		}
		s := &scanner{rest: out, facts: &facts{}}
		if s.section(sectionData); s.err != nil {
			t.Fatal(s.err)
		}
		merged := s.mergeData()
		if merged == nil {
			return
		}
		again := &scanner{rest: merged, facts: &facts{}}
		if again.section(sectionData); again.err != nil || len(again.rest) > 0 {
			t.Fatalf("merged data: %v, %d bytes left", again.err, len(again.rest))
		}
		if len(again.data) > len(list) || !bytes.Equal(memoryOf(again.data), memoryOf(list)) {
			t.Fatalf("%v became %v", list, again.data)
		}
		if len(again.data) < len(list) {
			merges++
		}
	})
	if merges == 0 {
		t.Error("control: nothing was ever merged")
	}
}

// TestMergeDataLeaves: where the order of segments matters, or instructions name them, they stay.
func TestMergeDataLeaves(t *testing.T) {
	for name, data := range map[string][]byte{
		"overlap": {2, 0, 0x41, 0, 0x0b, 2, 'a', 'b', 0, 0x41, 1, 0x0b, 1, 'c'},
		"passive": {2, 0, 0x41, 0, 0x0b, 1, 'a', 1, 1, 'b'},
	} {
		s := &scanner{rest: data, facts: &facts{}}
		if s.section(sectionData); s.err != nil || s.mergeData() != nil {
			t.Errorf("%s: %v, merged", name, s.err)
		}
	}
	d := minimal(bodyTrap).with(sectionDataCount, 2).with(sectionData, 2, 0, 0x41, 0, 0x0b, 1, 'a', 0, 0x41, 1, 0x0b, 1, 'b')
	if got, err := clean(d.bytes()); err != nil || !bytes.HasSuffix(got, appendSection(nil, sectionData, d[sectionData])) {
		t.Errorf("counted segments: %x, %v", got, err)
	}
}

func FuzzModule(f *testing.F) {
	for _, path := range []string{"testdata/abuse.wasm", "../../examples/plugins/trim.wasm"} {
		b, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add(minimal(bodyTrap).bytes())
	f.Add(minimal(bodyLoop).with(sectionStart, 2).bytes())
	f.Add(minimal(bodyTrap).with(sectionTable, 1, 0x70, 0, 1).with(sectionElement, 1, 0, 0x41, 0, 0x0b, 1, 0).with(sectionGlobal, 1, 0x7f, 1, 0x41, 0x7f, 0x0b).bytes())
	f.Fuzz(func(t *testing.T, module []byte) {
		e := newEngine(t, Limits{})
		p, err := e.Load(t.Context(), module, Options{MemoryBytes: 1 << 20, TimeMillis: 50})
		if err != nil {
			if !errors.Is(err, ErrPlugin) {
				t.Fatalf("%v is not ErrPlugin", err)
			}
			return
		}
		defer p.Close()
		if p.CanPostprocess() {
			_, err = p.Postprocess(t.Context(), classes(2))
		}
		if p.CanPreprocess() {
			_, err = p.Preprocess(t.Context(), Picture{2, 1, make([]byte, 6)}, 1)
		}
		if err != nil && !errors.Is(err, ErrPlugin) {
			t.Fatalf("%v is not ErrPlugin", err)
		}
	})
}

func FuzzOutput(f *testing.F) {
	for _, s := range []string{`{"a":1}`, `[]`, "{\"\xff\":1}", "", strings.Repeat("[", 1000), "\x01\x00\x00\x00", "\x02\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00abc",
		"\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x07\x00\x00\x00\x05\x00\x00\x00"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, out []byte) {
		if v, err := parseJSON(out); err == nil && (v[0] != '{' || !json.Valid(v)) {
			t.Errorf("%q accepted as %q", out, v)
		}
		p, err := parsePreprocessed(out, 7, 5, 4)
		if err != nil {
			return
		}
		whole := fmt.Sprint(p.Crop, p.Picture)
		switch {
		case p.Picture == nil && (p.Crop.Empty() || p.Crop.Min.X < 0 || p.Crop.Min.Y < 0 || p.Crop.Max.X > 7 || p.Crop.Max.Y > 5):
			t.Errorf("part %s of 7x5", whole)
		case p.Picture != nil && (p.Picture.Width > 8 || p.Picture.Height > 8 || len(p.Picture.Pix) != 3*p.Picture.Width*p.Picture.Height):
			t.Errorf("picture %s", whole)
		}
	})
}
