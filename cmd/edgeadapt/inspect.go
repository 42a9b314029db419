package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/edgeadapt/edgeadapt/sdk"
	"github.com/edgeadapt/edgeadapt/sdk/adapter"
	"github.com/edgeadapt/edgeadapt/sdk/model"
	"github.com/edgeadapt/edgeadapt/sdk/plugin"
	"github.com/edgeadapt/edgeadapt/sdk/tune"
	"github.com/pkg/errors"
	"github.com/spf13/cobra"
)

func (a *app) inspect() *cobra.Command {
	asJSON, tensors := false, false
	plan := &planFlags{}
	c := &cobra.Command{
		Use:   "inspect FILE",
		Short: "Say what a backbone, an adapter, a checkpoint or another file of tensors is",
		Long: `Inspect reads a file completely and says what it is. With --plan it says what memory a pass of a backbone takes on a device, or a
training step with --step: every tensor with its place and its lifetime, from the first operator that touches it to the last.`,
		Example: `  edgeadapt inspect parts.safetensors
  edgeadapt inspect vit.safetensors --tensors
  edgeadapt inspect vit.safetensors --plan --batch 8`,
		Args: exactly("FILE"),
	}
	c.Flags().BoolVar(&tensors, "tensors", false, "list every tensor")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	plan.register(c)
	return a.command(c, func(ctx context.Context, args []string) error {
		if err := plan.check(c); err != nil {
			return err
		}
		if plan.wanted {
			return plan.run(ctx, a, args[0], asJSON)
		}
		r, err := inspect(args[0])
		if err != nil {
			return err
		}
		if asJSON {
			return a.printJSON(r)
		}
		return r.print(a, tensors)
	})
}

// inspection is what a file is. Only the fields of its kind are set.
type inspection struct {
	File        string                   `json:"file"`
	Kind        string                   `json:"kind"` // backbone, adapter, checkpoint, safetensors or pytorch
	Fingerprint string                   `json:"fingerprint,omitempty"`
	Scheme      string                   `json:"scheme,omitempty"`
	FullRange   bool                     `json:"full_range,omitempty"` // of q8c, as by 'quantize --full-range'
	Backbone    *model.Config            `json:"backbone,omitempty"`   // of a backbone or checkpoint
	Adapter     *adapter.Config          `json:"adapter,omitempty"`
	Calibration *model.CalibrationRecord `json:"calibration,omitempty"` // of a backbone
	MadeFor     *adapter.Ref             `json:"made_for,omitempty"`    // the adapter's backbone
	Parameters  int                      `json:"parameters,omitempty"`
	Plugin      *pluginInfo              `json:"plugin,omitempty"`
	Signer      string                   `json:"signer,omitempty"` // public key; 'adapters verify' checks the signature
	Record      json.RawMessage          `json:"record,omitempty"` // of the adapter's training
	Note        string                   `json:"note,omitempty"`   // why a safetensors file is no checkpoint
	Metadata    map[string]string        `json:"metadata,omitempty"`
	Tensors     []sdk.TensorInfo         `json:"tensors,omitempty"`
	Bytes       int64                    `json:"bytes,omitempty"` // of all tensors
}

// pluginInfo is the plug-in of an adapter; limits that it does not state are left out.
type pluginInfo struct {
	Bytes int `json:"bytes"`
	*adapter.Plugin
}

// text prints the module's size and its limits.
func (p *pluginInfo) text() string {
	memory, limit := int64(plugin.DefaultMemory), plugin.DefaultTime
	if p.MemoryBytes > 0 {
		memory = p.MemoryBytes
	}
	if p.TimeMillis > 0 {
		limit = time.Duration(p.TimeMillis) * time.Millisecond
	}
	return fmt.Sprintf("%s of WebAssembly, %s of memory, %v a call", bytesText(int64(p.Bytes)), bytesText(memory), limit)
}

// inspect reads a file as what it says it is, which also checks it.
func inspect(path string) (*inspection, error) {
	r := &inspection{File: path}
	info, err := os.Stat(path)
	if err != nil {
		return nil, errors.Wrap(err, "inspect")
	}
	if info.IsDir() {
		return r, r.checkpoint()
	}
	if r.Tensors, r.Metadata, err = sdk.ListTensors(path); err != nil {
		return nil, err
	}
	for _, t := range r.Tensors {
		r.Bytes += t.Bytes
	}
	switch r.Metadata["edgeadapt"] {
	case "backbone":
		err = r.backbone()
	case "adapter":
		err = r.adapter()
	default:
		if err = r.checkpoint(); errors.Is(err, model.ErrLayout) {
			r.Kind, r.Note, err = "safetensors", "no checkpoint: "+shorten(err.Error()), nil
			if r.Metadata == nil {
				r.Kind = "pytorch"
			}
		}
	}
	return r, err
}

// maxNote bounds a note: the layout error of a big file names all its tensors.
const maxNote = 300

func shorten(s string) string {
	if len(s) <= maxNote {
		return s
	}
	return strings.ToValidUTF8(s[:maxNote], "") + "..."
}

func (r *inspection) backbone() error {
	b, err := model.OpenBackbone(r.File)
	if err != nil {
		return err
	}
	defer b.Close()
	c := b.Config()
	r.Kind, r.Backbone, r.Scheme, r.Fingerprint, r.Metadata = "backbone", &c, string(b.Scheme()), b.Fingerprint(), nil
	r.Calibration, r.FullRange = b.Calibration(), b.FullRange()
	return nil
}

func (r *inspection) adapter() error {
	ad, err := adapter.ReadFile(r.File)
	if err != nil {
		return err
	}
	c, ref := ad.Config(), ad.Backbone()
	r.Kind, r.Adapter, r.MadeFor, r.Fingerprint, r.Metadata = "adapter", &c, &ref, ref.Fingerprint, nil
	r.Parameters, r.Record = ad.Parameters(), ad.Record()
	if p := ad.Plugin(); p != nil {
		r.Plugin = &pluginInfo{len(p.Module), p}
	}
	if s := ad.Signature(); s != nil {
		r.Signer = s.Signer()
	}
	return nil
}

func (r *inspection) checkpoint() error {
	src, err := model.Import(r.File)
	if err != nil {
		return err
	}
	defer src.Close()
	c := src.Config()
	r.Kind, r.Backbone = "checkpoint", &c
	return nil
}

func (r *inspection) print(a *app, tensors bool) error {
	rows := [][]string{{"file", r.File}, {"kind", r.Kind}}
	if r.Backbone != nil {
		rows = append(rows, backboneRows(r.Backbone)...)
	}
	if r.Adapter != nil {
		rows = append(rows, r.adapterRows()...)
	}
	for _, row := range [][]string{{"scheme", r.schemeText()}, {"calibrated", calibrationText(r.Calibration)}, {"fingerprint", r.Fingerprint}, {"note", r.Note}} {
		if row[1] != "" {
			rows = append(rows, row)
		}
	}
	if len(r.Tensors) > 0 {
		rows = append(rows, []string{"tensors", fmt.Sprintf("%d, %s", len(r.Tensors), bytesText(r.Bytes))})
	}
	if err := table(a.stdout, rows); err != nil || !tensors {
		return err
	}
	fmt.Fprintln(a.stdout)
	rows = nil
	for _, t := range r.Tensors {
		rows = append(rows, []string{t.Name, t.DType, fmt.Sprint(t.Shape)})
	}
	return table(a.stdout, rows)
}

// calibrationText says how weights were calibrated, empty where they were not.
func calibrationText(c *model.CalibrationRecord) string {
	if c == nil {
		return ""
	}
	return fmt.Sprintf("with %d pictures, seed %d", c.Images, c.Seed)
}

// schemeText adds what the name of an integer scheme stands for.
func (r *inspection) schemeText() string {
	if g := model.Scheme(r.Scheme).Group(); g > 0 {
		return fmt.Sprintf("%s (int4, a scale for each row and %d columns)", r.Scheme, g)
	}
	if r.FullRange {
		return r.Scheme + " (full range, which is slower on x86 processors without VNNI)"
	}
	return r.Scheme
}

func backboneRows(c *model.Config) [][]string {
	h, w := c.ImageSize()
	p := c.Preprocess
	if c.Swin() {
		return swinRows(c)
	}
	return [][]string{
		{"architecture", fmt.Sprintf("%s (%s): %d blocks, width %d, %d heads, MLP %d", c.Name, c.Family, c.Depth, c.Dim, c.Heads, c.Hidden)},
		{"positions", fmt.Sprintf("%d x %d patches of %d pixels, for images of %d x %d", c.Grid[0], c.Grid[1], c.Patch, h, w)},
		{"preprocessing", fmt.Sprintf("short side to %d, centre %d, %s, mean %v, std %v", p.Resize, p.Crop, p.Interpolation, p.Mean, p.Std)},
		{"features", string(c.Pool)},
	}
}

// swinRows is backboneRows of a Swin.
func swinRows(c *model.Config) [][]string {
	h, w := c.ImageSize()
	p := c.Preprocess
	var blocks, heads []string
	for _, s := range c.Stages {
		blocks, heads = append(blocks, fmt.Sprint(s.Blocks)), append(heads, fmt.Sprint(s.Heads))
	}
	padding := "after the shift"
	if c.PadFirst {
		padding = "before the shift"
	}
	return [][]string{
		{"architecture", fmt.Sprintf("%s (%s): stages of %s blocks, width %d to %d, %s heads, MLP %d to %d", c.Name, c.Family, strings.Join(blocks, ", "),
			c.Dim, c.FeatureDim(), strings.Join(heads, ", "), c.Hidden, c.BlockHidden(c.Depth-1))},
		{"windows", fmt.Sprintf("%d x %d patches of %d pixels, padded %s, for images of %d x %d", c.Window, c.Window, c.Patch, padding, h, w)},
		{"preprocessing", fmt.Sprintf("short side to %d, centre %d, %s, mean %v, std %v", p.Resize, p.Crop, p.Interpolation, p.Mean, p.Std)},
		{"features", string(c.Pool)},
	}
}

func (r *inspection) adapterRows() [][]string {
	c := r.Adapter
	rows := [][]string{{"name", c.Name}}
	if c.Description != "" {
		rows = append(rows, []string{"description", c.Description})
	}
	method := string(c.Method)
	if len(c.Blocks) > 0 {
		method += ": " + branchesText(*c)
	}
	rows = append(rows, [][]string{
		{"method", method},
		{"labels", fmt.Sprintf("%d: %s", len(c.Labels), strings.Join(c.Labels, ", "))},
		{"input", fmt.Sprintf("%d x %d pixels, %s, %s", c.Size, c.Size, c.Fit, c.Interpolation)},
		{"features", string(c.Pool)},
		{"parameters", parameters(r.Parameters)},
		{"made for", r.MadeFor.Name},
	}...)
	if r.Plugin != nil {
		rows = append(rows, []string{"plug-in", r.Plugin.text()})
	}
	if r.Signer != "" {
		rows = append(rows, []string{"signed by", r.Signer + " (not verified)"})
	}
	return append(rows, recordRows(r.Record)...)
}

// recordRows prints the record of a training run; one that another program wrote is printed as it is.
func recordRows(raw json.RawMessage) [][]string {
	if len(raw) == 0 {
		return nil
	}
	var t tune.Record
	if json.Unmarshal(raw, &t) != nil || t.Recipe == "" {
		return [][]string{{"training", string(raw)}}
	}
	rows := [][]string{
		{"training", fmt.Sprintf("%s, on %s", t.Recipe, t.Device)},
		{"", fmt.Sprintf("%d images, %d held out, batch %d, rate %.3g, seed %d", t.TrainImages, t.ValImages, t.Batch, t.LR, t.Seed)},
	}
	if t.Score != nil {
		rows = append(rows, []string{"", fmt.Sprintf("%s (probe %s), epoch %d of %d", held(t.Metric, t.Score), percent(t.ProbeScore), t.BestEpoch, t.Epochs)})
	}
	return append(rows, []string{"data digest", t.DataDigest})
}

// formatBlocks prints blocks, counted from 0, as parseBlocks reads them.
func formatBlocks(blocks []int) string {
	var parts []string
	for len(blocks) > 0 {
		n := 1
		for n < len(blocks) && blocks[n] == blocks[0]+n {
			n++
		}
		part := fmt.Sprint(blocks[0] + 1)
		if n > 1 {
			part += fmt.Sprintf("-%d", blocks[0]+n)
		}
		parts = append(parts, part)
		blocks = blocks[n:]
	}
	return strings.Join(parts, ",")
}
