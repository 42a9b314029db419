package pth

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"runtime"
	"strings"
	"testing"

	"github.com/edgeadapt/edgeadapt/sdk/internal/checkpoint"
)

// system is the pickle that runs a command in Python: os.system("touch hacked").
func system() []byte {
	return newProgram().op("}").text("w").global("os", "system").op("(").text("touch hacked").op("tRs.").Bytes()
}

// refusal is a damaged or hostile file and what its error must say.
type refusal struct {
	name string
	file []byte
	says string
}

func refusals(t testing.TB) []refusal {
	good := one(0, []int32{3, 4}, []int32{4, 1})
	pickle := func(p *program) []byte { return container(t, p.Bytes()) }
	overlap := container(t, good)
	if at := bytes.LastIndex(overlap, []byte("m/data/0")) - 46 + 42; at > 0 { // the second entry's header is said to be the first's
		binary.LittleEndian.PutUint32(overlap[at:], 0)
	}
	data := entry{"m/data/0", make([]byte, 48), zip.Store}
	return []refusal{
		{"os.system", container(t, system()), `"os.system"`},
		{"posix by stack", pickle(newProgram().text("posix").text("system").op("\x93(").text("id").op("tR.")), `"posix.system"`},
		{"eval", pickle(newProgram().global("builtins", "eval").op("(").text("1").op("tR.")), `"builtins.eval"`},
		{"unknown call as the value", pickle(newProgram().global("my.models", "ViT").op(")R.")), "my.models.ViT"},
		{"unknown call as a tensor", pickle(newProgram().op("}").text("a").tensor("FloatStorage", "0", 12, 0, nil, nil).op("s").text("w").global("my.quant", "Tensor").op(")Rs.")), `"w" is a my.quant.Tensor`},
		{"unknown call as the only tensor", pickle(newProgram().op("}").text("w").global("my.quant", "Tensor").op(")Rs.")), "w (a my.quant.Tensor)"},
		{"model that is no dict", pickle(newProgram().op("}").text("model").global("timm.models", "ViT").op(")Rs.")), "model (a timm.models.ViT)"},
		{"terminal commands in a name", pickle(newProgram().global("a\x1b[2J", "b").op(")R.")), `a\x1b[2J.b`},
		{"terminal commands in a key", pickle(newProgram().op("}").text("w\x1b[2J").tensor("FloatStorage", "0", 12, 0, nil, nil).op("s.")), `w\x1b[2J`},
		{"long key", pickle(newProgram().op("}").text(repeat("w", 300)).tensor("FloatStorage", "0", 12, 0, nil, nil).op("s.")), "up to 256"},
		{"no tensors", pickle(newProgram().op("}.")), "no tensors"},
		{"model is a number", pickle(newProgram().op("}").text("model").op("K\x01s.")), "model (a number)"},
		{"wrong opcode", pickle(newProgram().op("\xff.")), "opcode 0xff"},
		{"text protocol", container(t, []byte("\x80\x01.")), "protocol 1"},
		{"empty stack", pickle(newProgram().op(".")), "empty stack"},
		{"below the mark", pickle(newProgram().op("}(0.")), "empty stack"},
		{"no mark", pickle(newProgram().op("t.")), "mark"},
		{"memo", pickle(newProgram().op("h\x07.")), "value 7"},
		{"items of a number", pickle(newProgram().op("K\x01K\x02a.")), "adds"},
		{"odd items", pickle(newProgram().op("}(K\x01u.")), "adds 1 items"},
		{"call with a list", pickle(newProgram().global("a", "b").op("]R.")), "expected a tuple"},
		{"cut in a string", pickle(newProgram().op("X\xff\xff\xff\x7fabc")), "pickle ends"},
		{"huge long", pickle(newProgram().op("\x8b\xff\xff\xff\xff\x01")), "pickle ends"},
		{"64-bit length", pickle(newProgram().op("\x8d\xff\xff\xff\xff\xff\xff\xff\xff")), "pickle ends"},
		{"no end", pickle(newProgram().op(repeat("N", 100))), "pickle ends"},
		{"endless name", pickle(newProgram().op("c" + repeat("x", 1<<16))), "name without an end"},
		{"long as a shape", pickle(newProgram().op("\x8a\x09" + repeat("\x01", 9) + ".")), "more than 64 bits"},
		{"value bomb", pickle(newProgram().op(repeat("}", maxValues+1))), "values"},
		{"mark bomb", pickle(newProgram().op(repeat("(", maxSteps+1))), "steps"},
		{"deep nesting", pickle(newProgram().op(repeat("]", 1000) + repeat("a", 999) + ".")), "holds a list"},
		{"doubling tuples", pickle(newProgram().op("N" + repeat("2\x86", 10000) + ".")), "holds a tuple"},
		{"doubling lists", pickle(newProgram().op("]q\x00" + repeat("h\x00a", 10000) + ".")), "holds a list"},
		{"negative stride", container(t, one(4, []int32{3}, []int32{-1})), "negative stride"},
		{"negative extent", container(t, one(0, []int32{-3}, []int32{1})), "positive extents"},
		{"no extent", container(t, one(0, []int32{0}, []int32{1})), "positive extents"},
		{"negative offset", container(t, one(-1, []int32{3}, []int32{1})), "offset -1"},
		{"offset behind the end", container(t, one(12, nil, nil)), "offset 12"},
		{"stride leaves the storage", container(t, one(0, []int32{3, 4}, []int32{5, 1})), "leaves its storage"},
		{"shape leaves the storage", container(t, one(1, []int32{12}, []int32{1})), "leaves its storage"},
		{"expanded bomb", container(t, one(0, []int32{1 << 30, 1 << 30}, []int32{0, 0})), "leaves its storage"},
		{"stride overflow", container(t, one(0, []int32{2, 2, 2}, []int32{1 << 30, 1 << 30, 1 << 30})), "leaves its storage"},
		{"rank", container(t, one(0, make([]int32, 9), make([]int32, 9))), "no integers"},
		{"strides missing", container(t, one(0, []int32{3}, nil)), "with strides []"},
		{"storage larger than its entry", pickle(newProgram().op("}").text("w").tensor("FloatStorage", "0", 13, 0, []int32{3}, []int32{1}).op("s.")), "has 48 bytes, expected 13"},
		{"storage without an entry", pickle(newProgram().op("}").text("w").tensor("FloatStorage", "9", 12, 0, []int32{3}, []int32{1}).op("s.")), `storage "9" has 0 bytes`},
		{"storage of another type", pickle(newProgram().op("}").text("w").tensor("QInt8Storage", "0", 12, 0, []int32{3}, []int32{1}).op("s.")), "torch.QInt8Storage"},
		{"storage of two types", pickle(newProgram().op("}").text("w").tensor("FloatStorage", "0", 12, 0, []int32{3}, []int32{1}).op("s").
			text("v").tensor("IntStorage", "0", 12, 0, []int32{3}, []int32{1}).op("s.")), "of F32 and 12 of I32"},
		{"big endian", zipFile(t, entry{"m/data.pkl", good, zip.Store}, entry{"m/byteorder", []byte("big"), zip.Store}, data), "byte order"},
		{"no pickle", zipFile(t, data), "without data.pkl"},
		{"two of a name", zipFile(t, entry{"m/data.pkl", good, zip.Store}, data, data), "twice"},
		{"zip bomb", zipFile(t, entry{"m/data.pkl", good, zip.Store}, entry{"m/data/0", make([]byte, 32<<20), zip.Deflate}), "compressed"},
		{"overlapping entries", overlap, "overlap"},
		{"half a zip", container(t, good)[:200], "zip container"},
		{"a pickle of something else", []byte("\x80\x04N."), "magic number"},
		{"legacy: cut", legacy(good, []string{"0"}, []byte("\x0c\x00\x00\x00\x00\x00\x00\x00")), "bytes left"},
		{"legacy: count", legacy(good, []string{"0"}, []byte("\xff\xff\xff\xff\xff\xff\xff\xff")), "bytes left"},
		{"legacy: key", legacy(good, []string{"1"}, nil), "storage 1"},
		{"legacy: no storage", legacy(good, nil, nil), "has 0 bytes"},
		{"legacy: call", legacy(system(), nil, nil), `"os.system"`},
		{"legacy: magic only", magic, "pickle ends"},
	}
}

// readAll opens a file and reads every tensor.
func readAll(b []byte) error {
	f, err := parse(b)
	if err != nil {
		return err
	}
	for _, name := range f.Names() {
		if _, err := f.Float32(name); err != nil {
			return err
		}
	}
	return nil
}

// TestHostile: every file is refused with a reason, and none makes the reader allocate much more than its limits allow.
func TestHostile(t *testing.T) {
	for _, c := range refusals(t) {
		t.Run(c.name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			err := readAll(c.file)
			runtime.ReadMemStats(&after)
			if !errors.Is(err, checkpoint.ErrCorrupt) || !strings.Contains(err.Error(), c.says) {
				t.Fatalf("got %v, expected it to say %s", err, c.says)
			}
			if n := after.TotalAlloc - before.TotalAlloc; n > 64<<20 {
				t.Errorf("allocated %d MB", n>>20)
			}
			if len(err.Error()) > 500 {
				t.Errorf("an error of %d bytes", len(err.Error()))
			}
		})
	}
	if err := readAll(container(t, one(0, []int32{3, 4}, []int32{4, 1}))); err != nil {
		t.Errorf("control: %v", err)
	}
	if err := readAll(legacy(one(0, []int32{2, 6}, []int32{6, 1}), []string{"0"}, append([]byte("\x0c\x00\x00\x00\x00\x00\x00\x00"), make([]byte, 48)...))); err != nil {
		t.Errorf("control, legacy: %v", err)
	}
}

// TestTruncated cuts a sound file at every length.
func TestTruncated(t *testing.T) {
	for name, whole := range map[string][]byte{"zip": container(t, one(0, []int32{12}, []int32{1})),
		"legacy": legacy(one(0, []int32{12}, []int32{1}), []string{"0"}, append([]byte("\x0c\x00\x00\x00\x00\x00\x00\x00"), make([]byte, 48)...))} {
		for n := range whole {
			if err := readAll(whole[:n]); !errors.Is(err, checkpoint.ErrCorrupt) {
				t.Fatalf("%s cut at %d of %d bytes: %v", name, n, len(whole), err)
			}
		}
	}
}

func FuzzPickle(f *testing.F) {
	f.Add(one(2, []int32{2, 2}, []int32{2, 1}))
	f.Add(system())
	f.Add([]byte("\x80\x02}q\x00(K\x01K\x02u."))
	f.Fuzz(func(t *testing.T, pickle []byte) { _ = readAll(container(t, pickle)) })
}

func FuzzContainer(f *testing.F) {
	f.Add(container(f, one(0, []int32{3, 4}, []int32{4, 1})))
	f.Add(legacy(one(0, []int32{1}, []int32{1}), []string{"0"}, append([]byte("\x0c\x00\x00\x00\x00\x00\x00\x00"), make([]byte, 48)...)))
	f.Add([]byte("PK\x03\x04"))
	f.Fuzz(func(t *testing.T, file []byte) { _ = readAll(file) })
}
