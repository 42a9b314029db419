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
	heads       int
	eps         float32
	json        bool
}

// schemes are the forms in which weights can be stored.
var schemes = func() (names []string) {
	for _, s := range model.Schemes() {
		names = append(names, string(s))
	}
	return names
}()

func (a *app) quantize() *cobra.Command {
	f := &quantizeFlags{}
	c := &cobra.Command{
		Use:   "quantize CHECKPOINT -o BACKBONE",
		Short: "Turn a published checkpoint into a backbone file",
		Long: `Quantize reads a Vision Transformer: a folder with model.safetensors or pytorch_model.bin, config.json and
preprocessor_config.json, or a safetensors or PyTorch file (.pth, .pt, .bin) with the others beside it. The names of the
tensors say what it is: a ViT or DeiT of timm, MAE, DINOv2, the AdaptFormer authors' files, or Hugging Face's ViTModel,
ViTForImageClassification and Dinov2Model, with registers and SwiGLU too; a Swin of timm, the original program, or
Hugging Face's SwinModel and SwinForImageClassification. Nothing in a PyTorch file is executed.

What the tensors do not say comes from config.json, or from --heads and --layer-norm-eps.

  q8c     int8, symmetric, a scale per output channel
  q4g     int4, symmetric, a scale per output channel and group of 64 input channels
  q4g32   the same with groups of 32: more exact and larger
  q4g128  the same with groups of 128
  f16     half precision
  f32     as exact as the checkpoint

Patch embedding, norms and biases stay float in every scheme.`,
		Example: `  edgeadapt quantize dinov2-small/ -o vit.safetensors
  edgeadapt quantize mae_pretrain_vit_base.pth --heads 12 -o vit.safetensors
  edgeadapt quantize dinov2-small/ -o vit.q4g.safetensors --scheme q4g`,
		Args: exactly("CHECKPOINT"),
	}
	c.Flags().StringVarP(&f.out, "output", "o", "", "backbone file to write")
	c.Flags().StringVar(&f.scheme, "scheme", "q8c", strings.Join(schemes, ", "))
	c.Flags().IntVar(&f.heads, "heads", 0, "attention heads, where config.json does not say them or there is none")
	c.Flags().Float32Var(&f.eps, "layer-norm-eps", 0, "eps of the norms, where config.json does not say it (0: 1e-6, as in timm, MAE and DINOv2)")
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
	Unused      []string     `json:"unused,omitempty"` // tensors of the checkpoint that a backbone has no use for
}

func (f *quantizeFlags) run(ctx context.Context, a *app, path string) error {
	if err := require("output", f.out); err != nil {
		return err
	}
	if !slices.Contains(schemes, f.scheme) {
		return usagef("--scheme %q, expected %s", f.scheme, strings.Join(schemes, ", "))
	}
	if f.heads < 0 || !(f.eps >= 0 && f.eps < 1) {
		return usagef("--heads %d and --layer-norm-eps %g, expected positive numbers, eps below 1", f.heads, f.eps)
	}
	if err := checkWritable(f.out); err != nil {
		return err
	}
	src, err := model.ImportWith(path, model.Settings{Heads: f.heads, LayerNormEps: f.eps})
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
		return a.printJSON(quantizeResult{File: f.out, Bytes: size, Scheme: f.scheme, Fingerprint: b.Fingerprint(), Config: b.Config(), Unused: src.Unused()})
	}
	if n := len(src.Unused()); n > 0 {
		fmt.Fprintf(a.stderr, "not used: %d tensors of the checkpoint, %s\n", n, shortList(src.Unused()))
	}
	_, err = fmt.Fprintf(a.stdout, "%s  %s, %s in %s\nfingerprint %s\n", f.out, bytesText(size), b.Config().Name, f.scheme, b.Fingerprint())
	return err
}

// shortList names the first few.
func shortList(names []string) string {
	const most = 4
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return strings.Join(names[:most], ", ") + ", ..."
}
