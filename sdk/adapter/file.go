package adapter

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/pkg/errors"

	"github.com/edgeadapt/edgeadapt/sdk/internal/checkpoint"
	"github.com/edgeadapt/edgeadapt/sdk/internal/tensor"
)

// Metadata of an adapter file; FORMATS.md describes it.
const (
	metaKind     = checkpoint.MetaKind
	metaVersion  = checkpoint.MetaVersion
	metaConfig   = "config"
	metaBackbone = "backbone"
	metaRecord   = "record"

	kindAdapter   = "adapter"
	formatVersion = "1"
	formatOptions = "2" // with options: releases that read version 1 only would run it without them
)

// ReadFile reads an adapter file into memory. It returns ErrCorrupt for a file that is damaged or no adapter, and
// ErrVersion for one of a format this release does not know.
func ReadFile(path string) (*Adapter, error) {
	f, err := checkpoint.Open(path)
	if err != nil {
		return nil, errors.WithMessage(err, "adapter")
	}
	defer f.Close()
	a, err := decode(f)
	return a, errors.WithMessagef(err, "adapter %s", path)
}

// Parse reads an adapter file that is in memory. The adapter does not alias data.
func Parse(data []byte) (*Adapter, error) {
	f, err := checkpoint.Parse("adapter", data)
	if err != nil {
		return nil, err
	}
	a, err := decode(f)
	return a, errors.WithMessage(err, "adapter")
}

func decode(f *checkpoint.File) (*Adapter, error) {
	if err := f.CheckKind(kindAdapter, formatVersion, formatOptions); err != nil {
		if kind := f.Metadata()[metaKind]; kind != "" && kind != kindAdapter {
			return nil, fmt.Errorf("%w: %w", err, ErrKind)
		}
		return nil, err
	}
	meta := f.Metadata()
	c, err := decodeConfig(meta[metaConfig])
	if err != nil {
		return nil, err
	}
	var backbone Ref
	if err := json.Unmarshal([]byte(meta[metaBackbone]), &backbone); err != nil {
		return nil, fmt.Errorf("metadata %q: %v: %w", metaBackbone, err, ErrCorrupt)
	}
	if c.version() != formatVersion && meta[metaVersion] == formatVersion {
		return nil, fmt.Errorf("options of format %s in a file of format %s: %w", formatOptions, formatVersion, ErrCorrupt)
	}
	record := json.RawMessage(meta[metaRecord])
	if len(record) == 0 {
		record = nil
	} else if !json.Valid(record) {
		return nil, fmt.Errorf("metadata %q is no JSON: %w", metaRecord, ErrCorrupt)
	}
	plugin, err := decodePlugin(f)
	if err != nil {
		return nil, err
	}
	signature, err := decodeSignature(meta[metaSignature])
	if err != nil {
		return nil, err
	}
	tensors := map[string]tensor.Tensor{}
	for _, name := range f.Names() {
		if name == tensorPlugin {
			continue
		}
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
		tensors[name] = t.Clone()
	}
	a, err := build(c, backbone, tensors, record)
	if err != nil {
		return nil, fmt.Errorf("%v: %w", err, ErrCorrupt)
	}
	if extra := len(tensors) - len(a.tensors); extra != 0 {
		return nil, fmt.Errorf("%d tensors too many: %w", extra, ErrCorrupt)
	}
	a.plugin, a.signature = plugin, signature
	return a, nil
}

// decodeConfig reads a configuration. An option that this release does not know is ErrUnsupported, by its name: the
// adapter would run as something else without it.
func decodeConfig(text string) (c Config, err error) {
	dec := json.NewDecoder(strings.NewReader(text))
	dec.DisallowUnknownFields()
	err = dec.Decode(&c)
	if err == nil && dec.More() {
		err = errors.New("more than one value")
	}
	if err == nil {
		return c, nil
	}
	if _, name, ok := strings.Cut(err.Error(), "unknown field "); ok {
		return c, fmt.Errorf("metadata %q: option %s: %w", metaConfig, name, ErrUnsupported)
	}
	return c, fmt.Errorf("metadata %q: %v: %w", metaConfig, err, ErrCorrupt)
}

// WriteFile writes the adapter so that a reader sees the old file or the new one, never half of either. The same adapter
// always gives the same bytes.
func (a *Adapter) WriteFile(path string) error {
	metadata, entries, err := a.encode()
	if err != nil {
		return err
	}
	return errors.WithMessage(checkpoint.WriteFile(path, metadata, entries), "adapter")
}

func (a *Adapter) encode() (map[string]string, []checkpoint.Entry, error) {
	metadata := map[string]string{metaKind: kindAdapter, metaVersion: a.config.version()}
	for key, from := range map[string]any{metaConfig: a.config, metaBackbone: a.backbone} {
		text, err := json.Marshal(from)
		if err != nil {
			return nil, nil, errors.Wrapf(err, "encode %s", key)
		}
		metadata[key] = string(text)
	}
	if a.record != nil {
		metadata[metaRecord] = string(a.record)
	}
	a.signature.encode(metadata)
	var entries []checkpoint.Entry
	for _, s := range a.config.specs(a.backbone) {
		entries = append(entries, checkpoint.Float32Entry(s.name, a.tensors[s.name]))
	}
	entries, err := a.plugin.encode(metadata, entries)
	return metadata, entries, err
}
