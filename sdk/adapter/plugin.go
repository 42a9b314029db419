package adapter

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/edgeadapt/edgeadapt/sdk/internal/checkpoint"
	"github.com/edgeadapt/edgeadapt/sdk/internal/tensor"
	"github.com/pkg/errors"
)

// MaxPlugin is the largest WebAssembly module that an adapter carries, in bytes.
const MaxPlugin = 8 << 20

// Plugin is a WebAssembly module for the task's own pre- and post-processing, with what it needs beyond the usual limits;
// package sdk/plugin runs it. Zero limits stand for that package's defaults, and a host may refuse more than it grants.
type Plugin struct {
	Module      []byte `json:"-"`
	MemoryBytes int64  `json:"memory_bytes,omitempty"` // linear memory
	TimeMillis  int    `json:"time_ms,omitempty"`      // one call
}

// tensorPlugin and metaPlugin are where a file keeps it: the module's bytes, and the limits as JSON.
const (
	tensorPlugin = "plugin"
	metaPlugin   = "plugin"
)

func (p *Plugin) check() error {
	if n := len(p.Module); n < 1 || n > MaxPlugin {
		return fmt.Errorf("plug-in of %d bytes, expected 1 to %d", n, MaxPlugin)
	}
	if p.MemoryBytes < 0 || p.TimeMillis < 0 {
		return fmt.Errorf("plug-in with limits of %d bytes and %d ms, expected none below 0", p.MemoryBytes, p.TimeMillis)
	}
	return nil
}

// Plugin is the adapter's plug-in, nil where it has none. The caller must not modify it.
func (a *Adapter) Plugin() *Plugin { return a.plugin }

// WithPlugin returns a copy with the given plug-in, which is copied too; nil drops the one that is there. It returns
// ErrConfig for one of no bytes, above MaxPlugin, or with a negative limit. Whether the module runs is not checked here.
func (a *Adapter) WithPlugin(p *Plugin) (*Adapter, error) {
	b := *a
	b.plugin, b.signature = nil, nil
	if p == nil {
		return &b, nil
	}
	if err := p.check(); err != nil {
		return nil, fmt.Errorf("%v: %w", err, ErrConfig)
	}
	c := *p
	c.Module = slices.Clone(p.Module)
	b.plugin = &c
	return &b, nil
}

// decodePlugin reads the plug-in of a file, nil where it has none.
func decodePlugin(f *checkpoint.File) (*Plugin, error) {
	options, stated := f.Metadata()[metaPlugin]
	if !f.Has(tensorPlugin) {
		if stated {
			return nil, fmt.Errorf("metadata %q without a tensor of that name: %w", metaPlugin, ErrCorrupt)
		}
		return nil, nil
	}
	info, err := f.Info(tensorPlugin)
	if err != nil {
		return nil, err
	}
	if info.DType != checkpoint.U8 || len(info.Shape) != 1 || info.Shape[0] > MaxPlugin {
		return nil, fmt.Errorf("tensor %q is %s %v, expected U8 of at most %d bytes: %w", tensorPlugin, info.DType, info.Shape, MaxPlugin, ErrCorrupt)
	}
	module, err := f.Bytes(tensorPlugin)
	if err != nil {
		return nil, err
	}
	p := &Plugin{}
	if stated {
		if err := json.Unmarshal([]byte(options), p); err != nil {
			return nil, fmt.Errorf("metadata %q: %v: %w", metaPlugin, err, ErrCorrupt)
		}
	}
	p.Module = bytes.Clone(module)
	if err := p.check(); err != nil {
		return nil, fmt.Errorf("%v: %w", err, ErrCorrupt)
	}
	return p, nil
}

// encode adds the plug-in, if any, to what a file holds.
func (p *Plugin) encode(metadata map[string]string, entries []checkpoint.Entry) ([]checkpoint.Entry, error) {
	if p == nil {
		return entries, nil
	}
	options, err := json.Marshal(p)
	if err != nil {
		return nil, errors.Wrap(err, "encode plug-in")
	}
	metadata[metaPlugin] = string(options)
	e := checkpoint.Entry{Name: tensorPlugin, DType: checkpoint.U8, Shape: tensor.Shape{len(p.Module)}, Data: p.Module}
	return append(entries, e), nil
}
