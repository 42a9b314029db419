package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/edgeadapt/edgeadapt/sdk/model"
	"github.com/spf13/cobra"
)

// quantizeFlags are the options of quantize.
type quantizeFlags struct {
	out, scheme string
	json        bool
}

// schemes are the forms in which weights can be stored.
var schemes = []string{"q8c", "f16", "f32"}

func (a *app) quantize() *cobra.Command {
	f := &quantizeFlags{}
	c := &cobra.Command{
		Use:   "quantize CHECKPOINT -o BACKBONE",
		Short: "Turn a published checkpoint into a backbone file",
		Long: `Quantize reads a timm Vision Transformer or a Hugging Face Dinov2Model: a folder with model.safetensors, config.json
and preprocessor_config.json, or the safetensors file with the others beside it.

  q8c  int8, symmetric, a scale per output channel
  f16  half precision
  f32  as exact as the checkpoint

Patch embedding, norms and biases stay float in every scheme.`,
		Example: `  edgeadapt quantize dinov2-small/ -o vit.safetensors
  edgeadapt quantize dinov2-small/ -o vit.f16.safetensors --scheme f16`,
		Args: exactly("CHECKPOINT"),
	}
	c.Flags().StringVarP(&f.out, "output", "o", "", "backbone file to write")
	c.Flags().StringVar(&f.scheme, "scheme", "q8c", strings.Join(schemes, ", "))
	c.Flags().BoolVar(&f.json, "json", false, "print JSON")
	return a.command(c, func(ctx context.Context, args []string) error { return f.run(ctx, a, args[0]) })
}

// quantizeResult describes the file that was written.
type quantizeResult struct {
	File        string       `json:"file"`
	Bytes       int64        `json:"bytes"`
	Scheme      string       `json:"scheme"`
	Fingerprint string       `json:"fingerprint"`
	Config      model.Config `json:"config"`
}

func (f *quantizeFlags) run(ctx context.Context, a *app, path string) error {
	if err := require("output", f.out); err != nil {
		return err
	}
	if !slices.Contains(schemes, f.scheme) {
		return usagef("--scheme %q, expected %s", f.scheme, strings.Join(schemes, ", "))
	}
	if err := checkWritable(f.out); err != nil {
		return err
	}
	src, err := model.Import(path)
	if err != nil {
		return err
	}
	defer src.Close()
	b, err := model.Quantize(src, model.Scheme(f.scheme))
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := b.WriteFile(f.out); err != nil {
		return err
	}
	size, err := fileSize(f.out)
	if err != nil {
		return err
	}
	if f.json {
		return a.printJSON(quantizeResult{File: f.out, Bytes: size, Scheme: f.scheme, Fingerprint: b.Fingerprint(), Config: b.Config()})
	}
	_, err = fmt.Fprintf(a.stdout, "%s  %s, %s in %s\nfingerprint %s\n", f.out, bytesText(size), b.Config().Name, f.scheme, b.Fingerprint())
	return err
}
