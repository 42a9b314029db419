package model

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"

	"github.com/pkg/errors"

	"github.com/edgeadapt/edgeadapt/quant"
	"github.com/edgeadapt/edgeadapt/sdk/internal/checkpoint"
	"github.com/edgeadapt/edgeadapt/sdk/internal/tensor"
)

// Metadata of a backbone file; FORMATS.md describes it.
const (
	metaKind        = checkpoint.MetaKind
	metaVersion     = checkpoint.MetaVersion
	metaConfig      = "config"
	metaScheme      = "scheme"
	metaFingerprint = "fingerprint"
	metaCalibration = "calibration"

	kindBackbone  = "backbone"
	formatVersion = "1"
	int4Version   = "2" // of files that readers of version 1 do not understand

	scaleSuffix  = "_scale" // of a quantised weight's scales, [rows, 1] or [rows, groups]
	packedSuffix = "_packed"
	shapeSuffix  = "_shape"
)

// WriteFile writes the backbone so that a reader sees the old file or the new one, never half of either. The same
// backbone always gives the same bytes.
func (b *Backbone) WriteFile(path string) error {
	metadata, entries, err := b.encode()
	if err != nil {
		return err
	}
	return errors.WithMessage(checkpoint.WriteFile(path, metadata, entries), "backbone")
}

func (b *Backbone) encode() (map[string]string, []checkpoint.Entry, error) {
	config, err := json.Marshal(b.config)
	if err != nil {
		return nil, nil, errors.Wrap(err, "encode config")
	}
	var entries []checkpoint.Entry
	for _, s := range b.config.specs() {
		if s.linear {
			entries = append(entries, matrixEntries(s.name, b.linear[s.name])...)
			continue
		}
		p := b.float[s.name]
		if p.half != nil {
			entries = append(entries, checkpoint.HalfEntry(s.name, p.shape, p.half))
		} else {
			entries = append(entries, checkpoint.Float32Entry(s.name, tensor.Tensor{Shape: p.shape, Data: p.data}))
		}
	}
	version := formatVersion
	if b.scheme.Group() > 0 {
		version = int4Version
	}
	meta := map[string]string{metaKind: kindBackbone, metaVersion: version, metaConfig: string(config),
		metaScheme: string(b.scheme), metaFingerprint: b.config.Fingerprint}
	if b.calibration != nil {
		record, err := json.Marshal(b.calibration)
		if err != nil {
			return nil, nil, errors.Wrap(err, "encode calibration")
		}
		meta[metaCalibration] = string(record)
	}
	return meta, entries, nil
}

func matrixEntries(name string, m quant.Matrix) []checkpoint.Entry {
	shape := tensor.Shape{m.Rows, m.Cols}
	switch m.Scheme {
	case quant.Q8C:
		return []checkpoint.Entry{checkpoint.Int8Entry(name, shape, m.Int8),
			checkpoint.Float32Entry(name+scaleSuffix, tensor.Tensor{Shape: tensor.Shape{m.Rows, 1}, Data: m.Scale})}
	case quant.F16:
		return []checkpoint.Entry{checkpoint.HalfEntry(name, shape, m.Half)}
	case quant.Q4G, quant.Q4G32, quant.Q4G128:
		return int4Entries(name, m)
	}
	return []checkpoint.Entry{checkpoint.Float32Entry(name, tensor.Tensor{Shape: shape, Data: m.Float})}
}

// OpenBackbone maps a backbone file; nothing is copied. The caller closes the result. It returns ErrCorrupt for a file
// that is damaged or no backbone, and ErrVersion for one of a format this release does not know.
func OpenBackbone(path string) (*Backbone, error) {
	f, err := checkpoint.Open(path)
	if err != nil {
		return nil, errors.WithMessage(err, "backbone")
	}
	b, err := decode(f)
	if err != nil {
		f.Close()
		return nil, errors.WithMessagef(err, "backbone %s", path)
	}
	return b, nil
}

// ReadBackbone reads a backbone file from memory, which the result aliases: data must not change while it is in use.
func ReadBackbone(data []byte) (*Backbone, error) {
	f, err := checkpoint.Parse("embedded", data)
	if err != nil {
		return nil, errors.WithMessage(err, "backbone")
	}
	b, err := decode(f)
	return b, errors.WithMessage(err, "backbone")
}

// ReadBackboneAt reads a backbone file of size bytes behind r, for example one of an fs.FS, into memory. r may be closed
// afterwards.
func ReadBackboneAt(r io.ReaderAt, size int64) (*Backbone, error) {
	f, err := checkpoint.NewReader("backbone", r, size)
	if err != nil {
		return nil, err
	}
	b, err := decode(f)
	return b, errors.WithMessage(err, "backbone")
}

// decode checks the file and takes its tensors. On success the Backbone owns f.
func decode(f *checkpoint.File) (*Backbone, error) {
	meta := f.Metadata()
	if err := f.CheckKind(kindBackbone, formatVersion, int4Version); err != nil {
		return nil, err
	}
	b := &Backbone{linear: map[string]quant.Matrix{}, float: map[string]param{}, file: f}
	if err := json.Unmarshal([]byte(meta[metaConfig]), &b.config); err != nil {
		return nil, fmt.Errorf("config: %v: %w", err, ErrCorrupt)
	}
	if err := b.config.validate(); err != nil {
		return nil, fmt.Errorf("config: %v: %w", err, ErrCorrupt)
	}
	b.config.Fingerprint = meta[metaFingerprint]
	if raw, err := hex.DecodeString(b.config.Fingerprint); err != nil || len(raw) != 32 {
		return nil, fmt.Errorf("fingerprint %q, expected 64 hex digits: %w", b.config.Fingerprint, ErrCorrupt)
	}
	var err error
	if b.scheme, err = quant.ParseScheme(meta[metaScheme]); err != nil {
		return nil, fmt.Errorf("%v: %w", err, ErrCorrupt)
	}
	if err := b.loadCalibration(meta[metaCalibration]); err != nil {
		return nil, err
	}
	if err := b.load(f); err != nil {
		return nil, err
	}
	return b, nil
}

// load takes every tensor of the architecture from f, and makes sure that there are no others.
func (b *Backbone) load(f *checkpoint.File) error {
	count := 0
	for _, s := range b.config.specs() {
		shape, err := storedShape(f, s, b.scheme)
		if err != nil {
			return err
		}
		if !s.fits(shape) {
			return fmt.Errorf("tensor %q is %v, expected %s: %w", s.name, shape, s.want(), ErrCorrupt)
		}
		count++
		if !s.linear {
			b.float[s.name], err = loadParam(f, s.name)
		} else {
			b.linear[s.name], err = loadMatrix(f, s.name, shape, b.scheme)
			count += companions(b.scheme)
		}
		if err != nil {
			return err
		}
	}
	if err := b.checkHead(); err != nil {
		return err
	}
	if extra := len(f.Names()) - count; extra != 0 {
		return fmt.Errorf("%d tensors too many: %w", extra, ErrCorrupt)
	}
	return nil
}

// checkHead makes sure that the checkpoint's own head has one bias a class.
func (b *Backbone) checkHead() error {
	if w, bias := b.float[headWeight].shape, b.float[headBias].shape; b.config.HasHead && w[0] != bias[0] {
		return fmt.Errorf("tensor %q is %v, %q is %v: %w", headWeight, w, headBias, bias, ErrCorrupt)
	}
	return nil
}

func loadParam(f *checkpoint.File, name string) (param, error) {
	info, err := f.Info(name)
	if err != nil {
		return param{}, err
	}
	p := param{shape: info.Shape}
	switch info.DType {
	case checkpoint.F16:
		if p.half, err = f.Half(name); err == nil {
			err = finiteHalves(name, p.half)
		}
	case checkpoint.F32:
		p.data, err = loadFloats(f, name)
	default:
		err = fmt.Errorf("tensor %q is %s, expected F16 or F32: %w", name, info.DType, ErrCorrupt)
	}
	return p, err
}

// companions is how many tensors a linear weight has beside the first.
func companions(s quant.Scheme) int {
	switch {
	case s.Group() > 0:
		return 2
	case s == quant.Q8C:
		return 1
	}
	return 0
}

// storedShape is the shape of a tensor of the architecture; an int4 weight's is itself a tensor.
func storedShape(f *checkpoint.File, s spec, scheme quant.Scheme) (tensor.Shape, error) {
	if s.linear && scheme.Group() > 0 {
		return int4Shape(f, s.name)
	}
	info, err := f.Info(s.name)
	if err != nil {
		return nil, missing(s.name)
	}
	return info.Shape, nil
}

func missing(name string) error { return fmt.Errorf("tensor %q is missing: %w", name, ErrCorrupt) }

func loadMatrix(f *checkpoint.File, name string, shape tensor.Shape, scheme quant.Scheme) (m quant.Matrix, err error) {
	m = quant.Matrix{Scheme: scheme, Rows: shape[0], Cols: shape[1]}
	switch scheme {
	case quant.Q4G, quant.Q4G32, quant.Q4G128:
		return loadInt4(f, name, m)
	case quant.F16:
		if m.Half, err = f.Half(name); err == nil {
			err = finiteHalves(name, m.Half)
		}
	case quant.F32:
		m.Float, err = loadFloats(f, name)
	default:
		if m.Int8, err = f.Int8(name); err == nil {
			m.Scale, err = loadScales(f, name+scaleSuffix, m.Rows)
		}
	}
	return m, err
}

// loadScales reads the row scales [rows, 1] of a quantised weight.
func loadScales(f *checkpoint.File, name string, rows int) ([]float32, error) {
	if err := wantShape(f, name, rows, 1); err != nil {
		return nil, err
	}
	return loadFloats(f, name)
}

// wantShape returns ErrCorrupt for a tensor of another shape, or none.
func wantShape(f *checkpoint.File, name string, shape ...int) error {
	info, err := f.Info(name)
	if err != nil {
		return missing(name)
	}
	if want := tensor.Shape(shape); !info.Shape.Equal(want) {
		return fmt.Errorf("tensor %q is %v, expected %v: %w", name, info.Shape, want, ErrCorrupt)
	}
	return nil
}

// loadFloats reads float32 and makes sure that all are finite.
func loadFloats(f *checkpoint.File, name string) ([]float32, error) {
	info, err := f.Info(name)
	if err != nil {
		return nil, err
	}
	if info.DType != checkpoint.F32 {
		return nil, fmt.Errorf("tensor %q is %s, expected F32: %w", name, info.DType, ErrCorrupt)
	}
	t, err := f.Float32(name)
	if err != nil {
		return nil, err
	}
	for i, v := range t.Data {
		if v-v != 0 {
			return nil, fmt.Errorf("tensor %q: element %d is %v: %w", name, i, v, ErrCorrupt)
		}
	}
	return t.Data, nil
}

func finiteHalves(name string, bits []uint16) error {
	for i, h := range bits {
		if h&0x7c00 == 0x7c00 {
			return fmt.Errorf("tensor %q: element %d is %v: %w", name, i, quant.FromF16(h), ErrCorrupt)
		}
	}
	return nil
}
