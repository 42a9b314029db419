package simd

import (
	"debug/elf"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// word is an arm64 instruction that a macro of neon_arm64.h writes as a number.
type word struct {
	name      string
	registers []string // the macro's parameters
	fixed     uint32
	shift     map[string][]int // where the number of a register goes
	text      string           // its mnemonic, with {register} for numbers
}

var (
	definition = regexp.MustCompile(`^#define (\w+)\(([\w, ]+)\) WORD \$\((0x[0-9A-F]{8})((?: \| \(\w\)(?:<<\d+)?)+)\) // (.+)$`)
	field      = regexp.MustCompile(`\((\w)\)(?:<<(\d+))?`)
)

func words(t *testing.T) (all []word) {
	t.Helper()
	header, err := os.ReadFile("neon_arm64.h")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(string(header), "\n") {
		if !strings.Contains(line, "WORD") {
			continue
		}
		m := definition.FindStringSubmatch(line)
		if m == nil {
			t.Fatalf("not the definition of an instruction with its mnemonic: %q", line)
		}
		fixed, err := strconv.ParseUint(m[3], 0, 32)
		if err != nil {
			t.Fatal(err)
		}
		w := word{name: m[1], registers: strings.Split(m[2], ", "), fixed: uint32(fixed), shift: map[string][]int{}, text: m[5]}
		for _, f := range field.FindAllStringSubmatch(m[4], -1) {
			n, _ := strconv.Atoi(f[2]) // none is 0
			w.shift[f[1]] = append(w.shift[f[1]], n)
		}
		all = append(all, w)
	}
	return all
}

// with is the instruction and its text where register i has number (first + 9 i) mod 32.
func (w word) with(first int) (code uint32, text string) {
	code, text = w.fixed, w.text
	for i, r := range w.registers {
		n := (first + 9*i) % 32
		for _, s := range w.shift[r] {
			code |= uint32(n) << s
		}
		text = strings.ReplaceAll(text, "{"+r+"}", strconv.Itoa(n))
	}
	return code, text
}

// TestWords assembles the mnemonics beside the words of neon_arm64.h with the GNU assembler.
func TestWords(t *testing.T) {
	const assembler = "aarch64-linux-gnu-as"
	if _, err := exec.LookPath(assembler); err != nil {
		if os.Getenv("EDGEADAPT_REQUIRE_ARM64") != "" {
			t.Fatal(err)
		}
		t.Skipf("%s (package binutils-aarch64-linux-gnu) is not installed", assembler)
	}
	for _, pattern := range []string{"*_arm64.s", "*_arm64.h"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatal(pattern, files, err)
		}
		for _, name := range files {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if name != "neon_arm64.h" && strings.Contains(string(text), "WORD") {
				t.Errorf("%s has words of its own", name)
			}
		}
	}
	all := words(t)
	if len(all) < 30 {
		t.Fatalf("found %d instructions in neon_arm64.h", len(all))
	}
	source := ".arch armv8.2-a+dotprod+i8mm\n"
	var names []string
	var codes []uint32
	for _, w := range all {
		for first := range 32 {
			code, text := w.with(first)
			source += text + "\n"
			names, codes = append(names, w.name+": "+text), append(codes, code)
		}
	}
	got := assemble(t, assembler, source)
	if len(got) != len(codes) {
		t.Fatalf("%d instructions became %d", len(codes), len(got))
	}
	for i := range codes {
		if got[i] != codes[i] {
			t.Errorf("%s is %#08x, not %#08x", names[i], got[i], codes[i])
		}
	}
}

func assemble(t *testing.T, assembler, source string) (code []uint32) {
	t.Helper()
	in, out := filepath.Join(t.TempDir(), "words.s"), filepath.Join(t.TempDir(), "words.o")
	if err := os.WriteFile(in, []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	if message, err := exec.Command(assembler, "-o", out, in).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, message)
	}
	f, err := elf.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	text, err := f.Section(".text").Data()
	if err != nil {
		t.Fatal(err)
	}
	for ; len(text) >= 4; text = text[4:] {
		code = append(code, binary.LittleEndian.Uint32(text))
	}
	return code
}
