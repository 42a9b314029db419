package main

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// withHeader is a safetensors file of a header and data.
func withHeader(header string, data ...byte) []byte {
	return append(append(binary.LittleEndian.AppendUint64(nil, uint64(len(header))), header...), data...)
}

// hostileTensors are safetensors files that nothing should take.
func hostileTensors() map[string][]byte {
	four := []byte{0, 0, 128, 63}
	return map[string][]byte{
		"nothing":         {},
		"length only":     {255, 255, 255, 255, 255, 255, 255, 127},
		"length beyond":   append(binary.LittleEndian.AppendUint64(nil, 1<<40), '{'),
		"no json":         withHeader("hello"),
		"deep":            withHeader(strings.Repeat(`{"a":`, 200000)),
		"deep list":       withHeader(`{"a":{"dtype":"F32","shape":` + strings.Repeat("[", 200000)),
		"a key twice":     withHeader(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, four...),
		"overlap":         withHeader(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[2,6]}}`, 0, 0, 0, 0, 0, 0),
		"hole":            withHeader(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}`, 0, 0, 0, 0, 0, 0, 0, 0),
		"backwards":       withHeader(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}`, four...),
		"negative":        withHeader(`{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}`, four...),
		"product":         withHeader(`{"a":{"dtype":"F32","shape":[4294967296,4294967296,4],"data_offsets":[0,4]}}`, four...),
		"beyond the file": withHeader(`{"a":{"dtype":"F32","shape":[1048576],"data_offsets":[0,4194304]}}`, four...),
		"huge number":     withHeader(`{"a":{"dtype":"F32","shape":[1e300],"data_offsets":[0,4]}}`, four...),
		"type":            withHeader(`{"a":{"dtype":"C128","shape":[1],"data_offsets":[0,4]}}`, four...),
		"trailing":        withHeader(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, 0, 0, 0, 0, 1, 2, 3, 4, 5),
	}
}

// notANumber changes the last value of a file to NaN.
func notANumber(file []byte) []byte {
	b := bytes.Clone(file)
	binary.LittleEndian.PutUint32(b[len(b)-4:], math.Float32bits(float32(math.NaN())))
	return b
}

// hostilePickles are PyTorch files that nothing should take.
func hostilePickles(t *testing.T) map[string][]byte {
	t.Helper()
	archive := func(name string, content []byte) []byte {
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		w, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(content); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	return map[string][]byte{
		"zip bomb":      archive("a/data.pkl", make([]byte, 300<<20)),
		"no pickle":     archive("a/b", []byte("x")),
		"nested":        archive("a/data.pkl", []byte("\x80\x02"+strings.Repeat("(", 1<<20)+".")),
		"memo":          archive("a/data.pkl", append([]byte("\x80\x02"), bytes.Repeat([]byte("]r\xff\xff\xff\x7f"), 1<<12)...)),
		"a call":        archive("a/data.pkl", []byte("\x80\x02cbuiltins\neval\n(X\x01\x00\x00\x001tR.")),
		"long string":   archive("a/data.pkl", []byte("\x80\x02X\xff\xff\xff\x7f.")),
		"half":          archive("a/data.pkl", []byte("\x80\x02}."))[:40],
		"name upwards":  archive("../../data.pkl", []byte("\x80\x02}.")),
		"a long number": archive("a/data.pkl", []byte("\x80\x02\x8b\xff\xff\xff\x7f.")),
	}
}

// hostilePictures state sizes that would not fit, or are no pictures.
func hostilePictures() map[string][]byte {
	chunk := func(kind string, body []byte) []byte {
		b := binary.BigEndian.AppendUint32(nil, uint32(len(body)))
		b = append(append(b, kind...), body...)
		return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[4:]))
	}
	head := func(w, h uint32) []byte {
		return append(binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, w), h), 8, 2, 0, 0, 0)
	}
	jpeg := func(w, h uint16) []byte {
		b := []byte{0xff, 0xd8, 0xff, 0xc0, 0, 17, 8}
		b = binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(b, h), w)
		return append(b, 3, 1, 0x22, 0, 2, 0x11, 1, 3, 0x11, 1)
	}
	const png = "\x89PNG\r\n\x1a\n"
	return map[string][]byte{
		"huge.png":    append([]byte(png), chunk("IHDR", head(60000, 60000))...),
		"most.png":    append([]byte(png), chunk("IHDR", head(math.MaxInt32, math.MaxInt32))...),
		"empty.png":   append([]byte(png), chunk("IHDR", head(0, 0))...),
		"cut.png":     []byte(png),
		"huge.jpg":    jpeg(65500, 65500),
		"zero.jpg":    jpeg(0, 0),
		"huge.gif":    []byte("GIF89a\xff\xff\xff\xff\x00\x00\x00,\x00\x00\x00\x00\xff\xff\xff\xff\x00\x08"),
		"huge.bmp":    append([]byte("BM\x00\x00\x00\x00\x00\x00\x00\x00\x36\x00\x00\x00\x28\x00\x00\x00\xff\xff\x00\x00\xff\xff\x00\x00\x01\x00\x18\x00"), make([]byte, 24)...),
		"huge.webp":   []byte("RIFF\x20\x00\x00\x00WEBPVP8L\x10\x00\x00\x00\x2f\xff\xff\xff\x0f\x00\x00\x00"),
		"nothing.jpg": {},
		"text.png":    []byte("hello"),
	}
}

// survives runs a command line on something hostile: it has to end with one of the codes, in a line or two and without taking
// much memory.
func survives(t *testing.T, what string, args ...string) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	o := edgeadapt(args...)
	runtime.ReadMemStats(&after)
	if o.code != exitData && o.code != exitUsage {
		t.Errorf("%s: exit %d\n%s", what, o.code, o.stderr)
	}
	if n := strings.Count(strings.TrimSpace(o.stderr), "\n"); n > 3 || len(o.stderr) > 1500 || strings.Contains(o.stderr, "goroutine") || o.stderr == "" {
		t.Errorf("%s: %d lines: %.2000s", what, n+1, o.stderr)
	}
	if more := after.TotalAlloc - before.TotalAlloc; more > 1e9 {
		t.Errorf("%s: took %d MB", what, more/1e6)
	}
}

// TestHostileFiles gives every command that reads a kind of file every hostile file of that kind.
func TestHostileFiles(t *testing.T) {
	dir, out := t.TempDir(), filepath.Join(t.TempDir(), "out.safetensors")
	backbone, good := tinyBackbone(t, "q8c"), stripes(t, filepath.Join(dir, "good"), 3, "a", "b")
	task := filepath.Join(t.TempDir(), "task.safetensors")
	must(t, tinyTune(backbone, good, task)...)
	picture := filepath.Join(good, "a", "00.png")

	tensors := hostileTensors()
	for name, path := range map[string]string{"an adapter of no numbers": task, "half an adapter": task} {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if tensors[name] = notANumber(b); strings.HasPrefix(name, "half") {
			tensors[name] = b[:len(b)/2]
		}
	}
	for name, b := range tensors {
		f := write(t, filepath.Join(dir, "file.safetensors"), b)
		for _, args := range [][]string{
			{"quantize", f, "-o", out}, {"inspect", f}, {"eval", good, "--backbone", backbone, "--adapter", f},
			{"predict", picture, "--backbone", backbone, "--adapter", f}, {"predict", picture, "--backbone", f, "--adapter", task},
			{"adapters", "import", f, "--backbone", backbone, "-o", out}, {"adapters", "verify", f},
			{"features", "--tensor", f + ":a", "--backbone", backbone, "-o", out}, tinyTune(backbone, good, out, "--init", f),
		} {
			if args[0] == "inspect" && name == "an adapter of no numbers" {
				continue // tells what a file says of itself
			}
			survives(t, fmt.Sprintf("%s: %s", name, args[0]), args...)
		}
	}
	for name, b := range hostilePickles(t) {
		f := write(t, filepath.Join(dir, "file.pth"), b)
		survives(t, name, "quantize", f, "-o", out)
		survives(t, name, "quantize", f, "-o", out, "--heads", "1000000000")
	}
	for name, b := range hostilePictures() {
		f := write(t, filepath.Join(dir, name), b)
		survives(t, name, "predict", f, "--backbone", backbone, "--adapter", task)
		survives(t, name, "features", f, "--backbone", backbone, "-o", out)
	}
	for name, table := range map[string]string{"no header": "a.png,x\n", "upwards": "file,labels\n../../a.png,x\n", "nothing there": "file,labels\na.png,x\nb.png,y\n",
		"quotes": "file,labels\n\"" + strings.Repeat("a", 1<<20), "a label of a megabyte": "file,labels\na.png," + strings.Repeat("x", 1<<20),
		"many labels": "file,labels\na.png," + strings.Repeat("x|", 1<<18) + "\n"} {
		folder := filepath.Join(dir, "table")
		write(t, filepath.Join(folder, "train.csv"), []byte(table))
		survives(t, name, tinyTune(backbone, folder, out)...)
	}
	for name, config := range map[string]string{"deep": strings.Repeat(`{"a":`, 100000), "no object": "[]", "numbers": `{"num_attention_heads": 1e99}`,
		"negative": `{"num_attention_heads": -3}`, "words": `{"num_attention_heads": "many"}`} {
		folder := filepath.Join(dir, "checkpoint")
		weights, err := os.ReadFile(filepath.Join(fixtures, "timm", "model.safetensors"))
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(folder, "model.safetensors"), weights)
		write(t, filepath.Join(folder, "config.json"), []byte(config))
		survives(t, "config: "+name, "quantize", folder, "-o", out)
	}
	if left := files(t, filepath.Dir(out)); len(left) > 0 {
		t.Errorf("files left: %q", left)
	}
}

// TestHostileNumbers: weights that are no numbers are refused by their tensor's name.
func TestHostileNumbers(t *testing.T) {
	folder, out := t.TempDir(), filepath.Join(t.TempDir(), "out.safetensors")
	for _, name := range []string{"model.safetensors", "config.json"} {
		b, err := os.ReadFile(filepath.Join(fixtures, "timm", name))
		if err != nil {
			t.Fatal(err)
		}
		if name == "model.safetensors" {
			b = notANumber(b)
		}
		write(t, filepath.Join(folder, name), b)
	}
	checkOutcome(t, "NaN", edgeadapt("quantize", folder, "-o", out), exitData, "tensor")
	if left := files(t, filepath.Dir(out)); len(left) > 0 {
		t.Errorf("files left: %q", left)
	}
}

// TestAbsurdFlags: numbers out of range are usage errors that say what is expected.
func TestAbsurdFlags(t *testing.T) {
	backbone, good := tinyBackbone(t, "q8c"), stripes(t, t.TempDir(), 3, "a", "b")
	out := filepath.Join(t.TempDir(), "out.safetensors")
	for _, more := range [][]string{
		{"--size", "1000000000"}, {"--size", "0"}, {"--size", "-8"}, {"--batch", "1000000000"}, {"--batch", "-1"}, {"--epochs", "-1"}, {"--epochs", "1000000000"},
		{"--bottleneck", "0"}, {"--bottleneck", "100000"}, {"--lr", "NaN"}, {"--lr", "Inf"}, {"--lr", "-1"}, {"--dropout", "1"}, {"--dropout", "NaN"},
		{"--val", "1"}, {"--val", "-0.5"}, {"--val", "NaN"}, {"--seed", "-1"}, {"--weight-decay", "2"}, {"--label-smoothing", "1"}, {"--clip-norm", "NaN"},
		{"--accumulate", "-3"}, {"--accumulate", "100000000"}, {"--augment", "crop=7"}, {"--threads", "-2"}, {"--blocks", "1-99999999999999999999"},
		{"--blocks", strings.Repeat("1,", 10000)}, {"--memory-budget", "-5MB"}, {"--memory-budget", "1e99GB"}, {"--checkpoint-every", "-1"}, {"--scale", "NaN"},
		{"--optimizer", "adam"}, {"--fit", "stretch"}, {"--placement", "nowhere"}, {"--init", ""}, {"--report", out + "/x/y"},
	} {
		o := edgeadapt(tinyTune(backbone, good, out, more...)...)
		if more[0] == "--init" {
			continue // an empty name is none
		}
		if o.code != exitUsage || o.stderr == "" || len(o.stderr) > 1000 {
			t.Errorf("%.60q: exit %d: %.300s", more, o.code, o.stderr)
		}
	}
	for _, args := range [][]string{{"predict", "x.png", "--top-k", "-1"}, {"predict", "x.png", "--min-score", "NaN"}, {"bench", "--runs", "-1"}, {"bench", "--runs", "0"},
		{"bench", "--batch", "100000000"}, {"bench", "--size", "1000000000"}, {"eval", good, "--val", "NaN", "--split", "val"}} {
		if args[0] != "bench" {
			args = append(args, "--adapter", "x")
		}
		if o := edgeadapt(append(args, "--backbone", backbone)...); o.code != exitUsage && o.code != exitData {
			t.Errorf("%q: exit %d: %.300s", args, o.code, o.stderr)
		}
	}
	var raw map[string]any
	if o := edgeadapt("tune", good, "-o", out, "--json", "--size", "7"); json.Unmarshal([]byte(o.stdout), &raw) == nil {
		t.Errorf("a record of a run that never was: %s", o.stdout)
	}
}
