package plugin

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"image"
	"math"
	"unicode/utf8"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

// Exports of the ABI, version 1. A hook's name carries the version: a module may serve several.
const (
	exportMemory     = "memory"
	exportInitialize = "_initialize"              // () -> (), optional: called once in a fresh instance
	exportAlloc      = "edgeadapt_alloc"          // (size i32) -> i32: where size bytes of input go; 0: no room
	exportPre        = "edgeadapt_preprocess_v1"  // (input, width, height, side i32) -> i64: address << 32 | bytes of the output
	exportPost       = "edgeadapt_postprocess_v1" // (input, size i32) -> i64, likewise
)

// Kinds of pre-processing output, its first word.
const (
	outCrop   = 1
	outPixels = 2
)

// maxJSON bounds what post-processing returns, in bytes.
const maxJSON = 64 << 10

var le = binary.LittleEndian

// signature is a function type of numbers as wazero spells them.
type signature struct{ params, results []api.ValueType }

var (
	i32 = api.ValueTypeI32
	i64 = api.ValueTypeI64

	signatures = map[string]signature{
		exportInitialize: {},
		exportAlloc:      {[]api.ValueType{i32}, []api.ValueType{i32}},
		exportPre:        {[]api.ValueType{i32, i32, i32, i32}, []api.ValueType{i64}},
		exportPost:       {[]api.ValueType{i32, i32}, []api.ValueType{i64}},
	}
)

func (s signature) is(f api.FunctionDefinition) bool {
	return bytes.Equal(s.params, f.ParamTypes()) && bytes.Equal(s.results, f.ResultTypes())
}

// checkABI compares a module's imports and exports with the ABI.
func checkABI(m wazero.CompiledModule) error {
	for _, f := range m.ImportedFunctions() {
		module, name, _ := f.Import()
		want, ok := wasiSignatures[name]
		if module != wasiModule || !ok {
			return fmt.Errorf("imports %q %q, which does not exist", module, name)
		}
		if !want.is(f) {
			return fmt.Errorf("imports %q %q with another signature", module, name)
		}
	}
	if _, ok := m.ExportedMemories()[exportMemory]; !ok {
		return fmt.Errorf("does not export its memory as %q", exportMemory)
	}
	exports := m.ExportedFunctions()
	for name, want := range signatures {
		if f, ok := exports[name]; ok && !want.is(f) {
			return fmt.Errorf("exports %q with another signature", name)
		}
	}
	if exports[exportAlloc] == nil {
		return fmt.Errorf("does not export %q", exportAlloc)
	}
	if exports[exportPre] == nil && exports[exportPost] == nil {
		return fmt.Errorf("exports neither %q nor %q", exportPre, exportPost)
	}
	return nil
}

// Picture is RGB of 8 bits a channel: Pix is [Height][Width][3].
type Picture struct {
	Width, Height int
	Pix           []uint8
}

// Preprocessed is what pre-processing made of a picture: another one, or else a part of the one it was given.
type Preprocessed struct {
	Picture *Picture        // nil for a part
	Crop    image.Rectangle // in pixels of the input, never empty, within it
}

// parsePreprocessed reads a plug-in's output for an input of width x height and a model of the given side. The picture's
// pixels alias out.
func parsePreprocessed(out []byte, width, height, side int) (Preprocessed, error) {
	var p Preprocessed
	word := func(i int) int64 { return int64(le.Uint32(out[4*i:])) }
	if len(out) < 4 {
		return p, fmt.Errorf("pre-processing returned %d bytes, expected at least 4", len(out))
	}
	switch kind := word(0); kind {
	case outCrop:
		if len(out) != 20 {
			return p, fmt.Errorf("pre-processing returned a rectangle of %d bytes, expected 20", len(out))
		}
		x, y, w, h := word(1), word(2), word(3), word(4)
		if w < 1 || h < 1 || x+w > int64(width) || y+h > int64(height) {
			return p, fmt.Errorf("pre-processing returned the part %dx%d at %d,%d of a picture of %dx%d", w, h, x, y, width, height)
		}
		p.Crop = image.Rect(int(x), int(y), int(x+w), int(y+h))
	case outPixels:
		if len(out) < 12 {
			return p, fmt.Errorf("pre-processing returned a picture of %d bytes, expected at least 12", len(out))
		}
		w, h := word(1), word(2)
		if most := int64(2 * side); w < 1 || h < 1 || w > most || h > most {
			return p, fmt.Errorf("pre-processing returned a picture of %dx%d, expected sides of 1 to %d", w, h, 2*side)
		}
		if int64(len(out)) != 12+3*w*h {
			return p, fmt.Errorf("pre-processing returned %d bytes for a picture of %dx%d, expected %d", len(out), w, h, 12+3*w*h)
		}
		p.Picture = &Picture{Width: int(w), Height: int(h), Pix: out[12:]}
	default:
		return p, fmt.Errorf("pre-processing returned kind %d, expected %d (a part) or %d (a picture)", kind, outCrop, outPixels)
	}
	return p, nil
}

// maxPreprocessed is the most bytes that pre-processing for a model of the given side returns.
func maxPreprocessed(side int) int { return 12 + 3*(2*side)*(2*side) }

// Scores are what post-processing judges: the classes of a task in their order, each with its probability.
type Scores struct {
	MultiLabel bool // each class has a probability of its own; otherwise all sum to 1
	Labels     []string
	Values     []float32 // as many as Labels
}

// encode lays s out as the ABI has it: kind of task, number of classes, scores, labels.
func (s Scores) encode() ([]byte, error) {
	if len(s.Labels) != len(s.Values) {
		return nil, fmt.Errorf("%d labels with %d scores", len(s.Labels), len(s.Values))
	}
	var kind uint32
	if s.MultiLabel {
		kind = 1
	}
	b := le.AppendUint32(nil, kind)
	b = le.AppendUint32(b, uint32(len(s.Labels)))
	for _, v := range s.Values {
		b = le.AppendUint32(b, math.Float32bits(v))
	}
	for _, l := range s.Labels {
		b = append(le.AppendUint32(b, uint32(len(l))), l...)
	}
	return b, nil
}

// parseJSON checks what post-processing returned and compacts it; the result is the caller's.
func parseJSON(out []byte) (json.RawMessage, error) {
	if !utf8.Valid(out) {
		return nil, fmt.Errorf("post-processing returned %d bytes that are no UTF-8", len(out))
	}
	var b bytes.Buffer
	if err := json.Compact(&b, out); err != nil {
		return nil, fmt.Errorf("post-processing returned no JSON: %v", err)
	}
	if b.Len() == 0 || b.Bytes()[0] != '{' {
		return nil, fmt.Errorf("post-processing returned JSON that is no object: %.20q", b.Bytes())
	}
	return b.Bytes(), nil
}
