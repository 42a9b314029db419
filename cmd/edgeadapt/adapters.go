package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/edgeadapt/edgeadapt/sdk/adapter"
	"github.com/spf13/cobra"
)

func (a *app) adapters() *cobra.Command {
	c := &cobra.Command{Use: "adapters", Short: "Work with adapter files", Args: cobra.NoArgs}
	c.AddCommand(a.adaptersList(), a.adaptersSearch(), a.adaptersVerify(), a.adaptersSign(), a.adaptersKeygen(), a.adaptersImport(), a.adaptersExport(),
		a.adaptersAttach(), a.adaptersDetach())
	c.RunE = func(*cobra.Command, []string) error { return usagef("a command is missing, such as list") }
	return c
}

// importFlags are the options of adapters import.
type importFlags struct {
	backbone, out, labels string
}

func (a *app) adaptersImport() *cobra.Command {
	f := &importFlags{}
	c := &cobra.Command{
		Use:   "import FILE -o ADAPTER",
		Short: "Turn a task file with the AdaptFormer authors' tensor names into an adapter",
		Long: `Import reads a safetensors file with tensors named as in the AdaptFormer authors' code and its options in the
metadata's "spec". Input size and preprocessing are those of the backbone.`,
		Example: `  edgeadapt adapters import task.safetensors --backbone vit.safetensors --labels good,scratched -o parts.safetensors`,
		Args:    exactly("FILE"),
	}
	c.Flags().StringVar(&f.backbone, "backbone", "", "backbone file it is for (default: the built-in ViT-S/14)")
	c.Flags().StringVarP(&f.out, "output", "o", "", "adapter file to write")
	c.Flags().StringVar(&f.labels, "labels", "", "class names in the order of the scores, separated by commas (default: numbers)")
	return a.command(c, func(ctx context.Context, args []string) error { return f.run(ctx, a, args[0]) })
}

func (f *importFlags) run(ctx context.Context, a *app, path string) error {
	if err := require("output", f.out); err != nil {
		return err
	}
	ref, err := backboneRef(f.backbone)
	if err != nil {
		return err
	}
	var labels []string
	if f.labels != "" {
		labels = strings.Split(f.labels, ",")
	}
	ad, err := adapter.Import(path, ref, labels)
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := ad.WriteFile(f.out); err != nil {
		return err
	}
	size, err := fileSize(f.out)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.stdout, "%s  %s, %d classes, %s parameters\n", f.out, bytesText(size), len(ad.Config().Labels), parameters(ad.Parameters()))
	return err
}

func (a *app) adaptersExport() *cobra.Command {
	var out string
	c := &cobra.Command{
		Use:   "export ADAPTER -o FILE",
		Short: "Turn an adapter into a task file with the AdaptFormer authors' tensor names",
		Long: `Export writes a safetensors file with tensors named as in the AdaptFormer authors' code, its options in the
metadata's "spec", and labels and kind of task beside them, for PyTorch and for 'adapters import'. What such a file has no place for
stays behind: preprocessing, description, training record, plug-in and signature.`,
		Example: `  edgeadapt adapters export parts.safetensors -o task.safetensors`,
		Args:    exactly("ADAPTER"),
	}
	c.Flags().StringVarP(&out, "output", "o", "", "task file to write")
	return a.command(c, func(ctx context.Context, args []string) error { return a.export(ctx, args[0], out) })
}

func (a *app) export(ctx context.Context, path, out string) error {
	if err := require("output", out); err != nil {
		return err
	}
	ad, err := adapter.ReadFile(path)
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := ad.Export(out); err != nil {
		return err
	}
	size, err := fileSize(out)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.stdout, "%s  %s, %d classes, %s parameters\n", out, bytesText(size), len(ad.Config().Labels), parameters(ad.Parameters()))
	return err
}
