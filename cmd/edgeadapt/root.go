package main

import (
	"context"
	"io"

	"github.com/spf13/cobra"
)

// app is one invocation: where it prints, and whether its command line was understood.
type app struct {
	args           []string
	stdout, stderr io.Writer
	started        bool // a command's own work has begun: what fails now need not be a mistake of usage
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "edgeadapt",
		Short: "Tune and run small adapters on one frozen Vision Transformer, on this device",
		Long: `edgeadapt serves many visual tasks with one frozen, quantised Vision Transformer.
Each task is an adapter: a file of 0.2 to 3 MB that this device trains itself from a folder of images.

Results go to stdout, progress and messages to stderr. Exit codes: 0 done, 1 failure, 2 usage, 3 bad data
or file, 4 device, 5 a check did not hold, 130 interrupted.`,
		Example: `  edgeadapt tune parts -o parts.safetensors          # parts/train/CLASS/*.jpg or parts/CLASS/*.jpg
  edgeadapt eval parts --adapter parts.safetensors
  edgeadapt predict photo.jpg --adapter parts.safetensors`,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.AddCommand(a.tune(), a.eval(), a.predict(), a.features(), a.adapters(), a.quantize(), a.inspect(), a.devices(),
		a.bench(), a.version())
	return root
}

// command makes c run work. Errors before work begins are those of the command line.
func (a *app) command(c *cobra.Command, work func(ctx context.Context, args []string) error) *cobra.Command {
	c.DisableFlagsInUseLine = true
	c.RunE = func(cmd *cobra.Command, args []string) error {
		a.started = true
		return work(cmd.Context(), args)
	}
	return c
}

// exactly checks that there is one argument for each name.
func exactly(names ...string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) < len(names) {
			return usagef("%s is missing", names[len(args)])
		}
		if len(args) > len(names) {
			return usagef("unexpected argument %q", args[len(names)])
		}
		return nil
	}
}

// atLeastOne checks that there is an argument of this name.
func atLeastOne(name string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) == 0 {
			return usagef("%s is missing", name)
		}
		return nil
	}
}
