package pth

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"testing"
)

// program writes pickles for tests, opcode by opcode.
type program struct{ bytes.Buffer }

func newProgram() *program {
	p := &program{}
	p.WriteString("\x80\x02")
	return p
}

func (p *program) op(text string) *program { p.WriteString(text); return p }

func (p *program) text(s string) *program {
	p.WriteByte(opBinUnicode)
	_ = binary.Write(p, binary.LittleEndian, uint32(len(s)))
	p.WriteString(s)
	return p
}

func (p *program) integer(v int32) *program {
	p.WriteByte(opBinInt)
	_ = binary.Write(p, binary.LittleEndian, v)
	return p
}

func (p *program) global(module, name string) *program {
	p.WriteString("c" + module + "\n" + name + "\n")
	return p
}

func (p *program) integers(list []int32) *program {
	p.WriteByte(opMark)
	for _, v := range list {
		p.integer(v)
	}
	p.WriteByte(opTuple)
	return p
}

// tensor pushes a view of a storage of elems elements.
func (p *program) tensor(class, key string, elems, offset int32, shape, stride []int32) *program {
	p.global("torch._utils", "_rebuild_tensor_v2").op("((").text("storage").global("torch", class).text(key).text("cpu").integer(elems)
	p.op("tQ").integer(offset).integers(shape).integers(stride).op("\x89").global("collections", "OrderedDict").op(")RtR")
	return p
}

// one is a state dict with one tensor "w" of a storage of 12 float32.
func one(offset int32, shape, stride []int32) []byte {
	return newProgram().op("}").text("w").tensor("FloatStorage", "0", 12, offset, shape, stride).op("s.").Bytes()
}

// entry is a file of a container.
type entry struct {
	name   string
	data   []byte
	method uint16
}

// zipFile packs entries as torch.save does, with sizes in the local headers.
func zipFile(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, e := range entries {
		h := &zip.FileHeader{Name: e.name, Method: e.method}
		create := z.CreateHeader
		if e.method == zip.Store {
			h.CRC32, h.CompressedSize64, h.UncompressedSize64 = crc32.ChecksumIEEE(e.data), uint64(len(e.data)), uint64(len(e.data))
			create = z.CreateRaw
		}
		w, err := create(h)
		if err == nil {
			_, err = w.Write(e.data)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// container is a zip with this pickle and the storage "0", float32 0 to 11.
func container(t testing.TB, pickle []byte) []byte {
	data := make([]byte, 0, 48)
	for i := range 12 {
		data = append(data, floatBytes(float32(i))...)
	}
	return zipFile(t, entry{"m/data.pkl", pickle, zip.Store}, entry{"m/data/0", data, zip.Store})
}

func floatBytes(v float32) []byte {
	var b bytes.Buffer
	_ = binary.Write(&b, binary.LittleEndian, v)
	return b.Bytes()
}

func parse(b []byte) (*File, error) { return NewReader("test", bytes.NewReader(b), int64(len(b))) }

// legacy is the old container with the given pickle as its value.
func legacy(pickle []byte, keys []string, rest []byte) []byte {
	system := newProgram().op("}").text("little_endian").op("\x88s.").Bytes()
	list := newProgram().op("](")
	for _, k := range keys {
		list.text(k)
	}
	list.op("e.")
	protocol := newProgram().integer(1001).op(".").Bytes()
	return bytes.Join([][]byte{magic, protocol, system, pickle, list.Bytes(), rest}, nil)
}

func repeat(s string, n int) string { return string(bytes.Repeat([]byte(s), n)) }
