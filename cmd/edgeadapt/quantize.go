package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/edgeadapt/edgeadapt/sdk"
	"github.com/edgeadapt/edgeadapt/sdk/data"
	"github.com/edgeadapt/edgeadapt/sdk/model"
	"github.com/spf13/cobra"
)

// quantizeFlags are the options of quantize.
type quantizeFlags struct {
	out, scheme string
	fullRange   bool
	heads       int
	eps         float32
	json        bool

	calibrate string
	images    int
	seed      uint64
	threads   int
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

Patch embedding, norms and biases stay float in every scheme.

The int8 weights of two neighbouring columns never come to more than 128 together: x86 processors without VNNI multiply such weights
faster. A row's steps get a little wider for it; with --full-range each row uses all of int8.

--calibrate takes pictures of the kind that the model will see, any number, without labels, in DIR or in folders below it. The int4
weights are then chosen for the outputs that they give on them, and not as the nearest ones (a ViT-S takes some three minutes of
one core); for int8, channels of large values hand their range over to the weights, so that activations lose less when they are rounded (seconds).`,
		Example: `  edgeadapt quantize dinov2-small/ -o vit.safetensors
  edgeadapt quantize mae_pretrain_vit_base.pth --heads 12 -o vit.safetensors
  edgeadapt quantize dinov2-small/ -o vit.q4g.safetensors --scheme q4g --calibrate photos/`,
		Args: exactly("CHECKPOINT"),
	}
	c.Flags().StringVarP(&f.out, "output", "o", "", "backbone file to write")
	c.Flags().StringVar(&f.scheme, "scheme", "q8c", strings.Join(schemes, ", "))
	c.Flags().BoolVar(&f.fullRange, "full-range", false, "use all of int8 in each row of q8c, for slower products on x86 processors without VNNI")
	c.Flags().IntVar(&f.heads, "heads", 0, "attention heads, where config.json does not say them or there is none")
	c.Flags().Float32Var(&f.eps, "layer-norm-eps", 0, "eps of the norms, where config.json does not say it (0: 1e-6, as in timm, MAE and DINOv2)")
	c.Flags().StringVar(&f.calibrate, "calibrate", "", "folder of pictures to calibrate integer weights with")
	c.Flags().IntVar(&f.images, "calibrate-images", 32, "how many of them to use")
	c.Flags().Uint64Var(&f.seed, "seed", 0, "which of them")
	c.Flags().IntVar(&f.threads, "threads", 0, "processor cores to calibrate on (default: all)")
	c.Flags().BoolVar(&f.json, "json", false, "print JSON")
	return a.command(c, func(ctx context.Context, args []string) error { return f.run(ctx, a, args[0]) })
}

// quantizeResult describes the file that was written.
type quantizeResult struct {
	File        string         `json:"file"`
	Bytes       int64          `json:"bytes"`
	Scheme      string         `json:"scheme"`
	Fingerprint string         `json:"fingerprint"`
	Config      model.Config   `json:"config"`
	Unused      []string       `json:"unused,omitempty"` // tensors of the checkpoint that a backbone has no use for
	Calibrated  int            `json:"calibration_images,omitempty"`
	Skipped     []data.Skipped `json:"skipped,omitempty"` // images that cannot be read
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
	if err := f.check(); err != nil {
		return err
	}
	if err := checkWritable(f.out); err != nil {
		return err
	}
	src, err := model.ImportWith(path, model.Settings{Heads: f.heads, LayerNormEps: f.eps})
	if err != nil {
		return err
	}
	defer src.Close()
	b, result, err := f.convert(ctx, a, src)
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
		result.File, result.Bytes, result.Scheme, result.Fingerprint = f.out, size, f.scheme, b.Fingerprint()
		result.Config, result.Unused = b.Config(), src.Unused()
		return a.printJSON(result)
	}
	if n := len(src.Unused()); n > 0 {
		fmt.Fprintf(a.stderr, "not used: %d tensors of the checkpoint, %s\n", n, shortList(src.Unused()))
	}
	_, err = fmt.Fprintf(a.stdout, "%s  %s, %s in %s\nfingerprint %s\n", f.out, bytesText(size), b.Config().Name, f.scheme, b.Fingerprint())
	return err
}

// check refuses flags that mean nothing together.
func (f *quantizeFlags) check() error {
	if f.calibrate != "" && !model.Scheme(f.scheme).Integers() {
		return usagef("--calibrate with --scheme %s, expected q8c, q4g, q4g32 or q4g128", f.scheme)
	}
	if f.calibrate != "" && f.fullRange {
		return usagef("--calibrate and --full-range, expected one of them")
	}
	if f.fullRange && f.scheme != "q8c" {
		return usagef("--full-range with --scheme %s, expected q8c", f.scheme)
	}
	if f.images < 1 || f.images > maxCalibration || f.threads < 0 {
		return usagef("--calibrate-images %d and --threads %d, expected 1 to %d images and at least 1 thread", f.images, f.threads, maxCalibration)
	}
	return nil
}

// maxCalibration bounds the images, all of which are in memory: 0.6 GB at 224 pixels.
const maxCalibration = 1024

// convert quantises src, with pictures where there are some.
func (f *quantizeFlags) convert(ctx context.Context, a *app, src *model.Source) (b *model.Backbone, r quantizeResult, err error) {
	switch {
	case f.fullRange:
		b, err = model.QuantizeFullRange(src)
		return b, r, err
	case f.calibrate == "":
		b, err = model.Quantize(src, model.Scheme(f.scheme))
		return b, r, err
	}
	items, err := data.Pictures(f.calibrate)
	if err != nil {
		return nil, r, err
	}
	p, unit := newProgress(a.stderr), "layers"
	defer p.end()
	if model.Scheme(f.scheme).Group() == 0 {
		unit = "images"
	}
	b, r.Skipped, err = sdk.Calibrate(ctx, src, model.Scheme(f.scheme), items, sdk.Calibration{Images: f.images, Seed: f.seed, Threads: f.threads,
		Progress: p.parts("calibrate", unit)})
	for _, s := range r.Skipped {
		p.say(fmt.Sprintf("skipped %s: %s", s.Path, s.Reason))
	}
	r.Calibrated = min(len(items), f.images) - len(r.Skipped)
	if err == nil && r.Calibrated < f.images {
		p.say(fmt.Sprintf("calibrated with %d images, %d were asked for", r.Calibrated, f.images))
	}
	return b, r, err
}

// shortList names the first few.
func shortList(names []string) string {
	const most = 4
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return strings.Join(names[:most], ", ") + ", ..."
}
