package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/edgeadapt/edgeadapt/sdk"
	"github.com/edgeadapt/edgeadapt/sdk/adapter"
	"github.com/edgeadapt/edgeadapt/sdk/data"
	"github.com/spf13/cobra"
)

// featuresFlags are the options of features.
type featuresFlags struct {
	session           sessionFlags
	tensor, pool, out string
	taps              []string
}

func (a *app) features() *cobra.Command {
	f := &featuresFlags{}
	c := &cobra.Command{
		Use:   "features IMAGE... -o FILE | features --tensor FILE:NAME -o FILE",
		Short: "Write features and other intermediates as tensors",
		Long: `Features runs images, or a normalised float32 tensor [batch, 3, height, width] of a safetensors file, through the
backbone and writes any intermediate to a safetensors file, under these names (blocks count from 0 here):

  features         pooled features          tokens            all tokens after the last norm
  embedding        tokens entering block 0  block.N.output    tokens leaving block N
  block.N.input    tokens entering block N  probs.N           attention of block N
  block.N.LAYER.input: what attn.qkv, attn.proj, mlp.fc1, mlp.fc2 or, before a Swin's stage, downsample.reduction reads
  logits           scores of the adapter's  logits_original   scores of the checkpoint's
                   head                                       own head

The tokens of a Swin are those of its grid, row by row; the attention is that of its windows.

Images go through the adapter's preprocessing or, without one, the backbone's.`,
		Example: `  edgeadapt features photo.jpg --taps features,tokens -o photo.safetensors
  edgeadapt features --tensor inputs.safetensors:images --backbone vit.safetensors --taps block.3.output -o out.safetensors`,
	}
	f.session.register(c)
	f.session.registerAdapter(c, "adapter file whose branches and head take part")
	c.Flags().StringVar(&f.tensor, "tensor", "", "FILE:NAME of an input tensor, instead of images")
	c.Flags().StringVar(&f.pool, "pool", "", "cls, mean, cls_mean or norm_mean: how features are made without an adapter (default: cls, norm_mean of a Swin)")
	c.Flags().StringSliceVar(&f.taps, "taps", []string{"features"}, "names of the intermediates, separated by commas")
	c.Flags().StringVarP(&f.out, "output", "o", "", "safetensors file to write")
	return a.command(c, func(ctx context.Context, args []string) error { return f.run(ctx, a, args) })
}

func (f *featuresFlags) run(ctx context.Context, a *app, paths []string) error {
	if err := f.check(paths); err != nil {
		return err
	}
	s, err := f.session.open(ctx, a)
	if err != nil {
		return err
	}
	defer s.close()
	c := &collector{ctx: ctx, s: s, pool: adapter.Pool(f.pool), taps: f.taps, out: map[string]sdk.Tensor{}}
	meta := map[string]string{"backbone": s.bb.Info().Name, "fingerprint": s.bb.Fingerprint()}
	skipped, err := f.feed(c, paths, meta)
	if err != nil {
		return err
	}
	a.reportSkipped(skipped)
	if c.rows == 0 {
		return unreadable(skipped, len(paths))
	}
	if err := sdk.WriteTensors(f.out, c.out, meta); err != nil {
		return err
	}
	var rows [][]string
	for _, name := range f.taps {
		rows = append(rows, []string{name, fmt.Sprint(c.out[name].Shape)})
	}
	if err := table(a.stdout, append(rows, []string{"written", f.out})); err != nil {
		return err
	}
	return unreadable(skipped, len(paths))
}

func (f *featuresFlags) check(paths []string) error {
	if err := require("output", f.out); err != nil {
		return err
	}
	if f.tensor != "" && len(paths) > 0 {
		return usagef("images and --tensor exclude each other")
	}
	if f.tensor == "" && len(paths) == 0 {
		return usagef("IMAGE is missing")
	}
	if len(f.taps) == 0 {
		return usagef("--taps is empty")
	}
	if f.pool != "" && adapter.Pool(f.pool).Check() != nil {
		return usagef("--pool %q, expected cls, mean, cls_mean or norm_mean", f.pool)
	}
	if f.session.adapter == "" && slices.Contains(f.taps, "logits") {
		return usagef("logits are those of an adapter, name one with --adapter")
	}
	return checkWritable(f.out)
}

// feed gives the input to c and notes in meta which images its rows are.
func (f *featuresFlags) feed(c *collector, paths []string, meta map[string]string) ([]data.Skipped, error) {
	if f.tensor != "" {
		at := strings.LastIndexByte(f.tensor, ':')
		if at < 1 || at == len(f.tensor)-1 {
			return nil, usagef("--tensor %q, expected FILE:NAME", f.tensor)
		}
		t, err := sdk.ReadTensor(f.tensor[:at], f.tensor[at+1:])
		if err != nil {
			return nil, err
		}
		return nil, c.add(t)
	}
	var used []string
	skipped, err := data.Load(c.ctx, items(paths), c.s.bb.Pipeline(c.s.adapter), 0, func(i int, t sdk.Tensor) error {
		used = append(used, paths[i])
		return c.add(sdk.Tensor{Shape: append([]int{1}, t.Shape...), Data: t.Data})
	})
	if err != nil {
		return skipped, err
	}
	list, err := json.Marshal(used)
	meta["images"] = string(list)
	return skipped, err
}

// collector runs inputs through the network and lays the results below one another, along the first axis.
type collector struct {
	ctx  context.Context
	s    *session
	pool adapter.Pool
	taps []string
	rows int
	out  map[string]sdk.Tensor
}

func (c *collector) add(t sdk.Tensor) error {
	parts, err := c.s.bb.Intermediates(c.ctx, t, c.s.adapter, c.pool, c.taps...)
	if err != nil {
		return err
	}
	c.rows += t.Shape[0]
	for name, p := range parts {
		if before, ok := c.out[name]; ok {
			p.Data = append(before.Data, p.Data...)
			p.Shape = append([]int{before.Shape[0] + p.Shape[0]}, p.Shape[1:]...)
		}
		c.out[name] = p
	}
	return nil
}
