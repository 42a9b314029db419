package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/edgeadapt/edgeadapt/sdk"
	"github.com/spf13/cobra"
)

// planFlags are the options of inspect --plan.
type planFlags struct {
	wanted  bool
	session sessionFlags
	measure sdk.MeasureConfig
}

func (f *planFlags) register(c *cobra.Command) {
	c.Flags().BoolVar(&f.wanted, "plan", false, "of a backbone: the memory of a pass, tensor by tensor")
	c.Flags().StringVar(&f.session.device, "device", "auto", "--plan: auto, cpu, vulkan:N or a UUID")
	c.Flags().StringVar(&f.session.activations, "activations", "auto", "--plan: int8, float or auto, and +f16 behind it or not")
	c.Flags().IntVar(&f.measure.Batch, "batch", 1, "--plan: images at a time; the CPU takes few in one pass, and one after the other")
	c.Flags().IntVar(&f.measure.Size, "size", 0, "--plan: side of the input in pixels (default: the backbone's)")
	c.Flags().BoolVar(&f.measure.Step, "step", false, "--plan: of a training step, with branches of 64 channels in all blocks")
	f.session.registerAdapter(c, "--plan: adapter file that takes part")
}

// check refuses options that say nothing without --plan.
func (f *planFlags) check(c *cobra.Command) error {
	for _, name := range []string{"device", "activations", "batch", "size", "step", "adapter"} {
		if c.Flags().Changed(name) && !f.wanted {
			return usagef("--%s is for --plan", name)
		}
	}
	if n := f.measure.Batch; n < 1 || n > sdk.MaxMeasuredBatch {
		return usagef("--batch %d, expected 1 to %d", n, sdk.MaxMeasuredBatch)
	}
	return nil
}

// run plans a pass of the backbone in a file.
func (f *planFlags) run(ctx context.Context, a *app, file string, asJSON bool) error {
	f.session.backbone = file
	s, err := f.session.open(ctx, a)
	if err != nil {
		return err
	}
	defer s.close()
	if patch := s.bb.Info().Patch; f.measure.Size < 0 || f.measure.Size%patch != 0 || f.measure.Size > sdk.MaxMeasuredSize {
		return usagef("--size %d, expected a multiple of the backbone's patch %d up to %d", f.measure.Size, patch, sdk.MaxMeasuredSize)
	}
	f.measure.Adapter = s.adapter
	p, err := s.bb.Plan(ctx, f.measure)
	if err != nil {
		return err
	}
	if asJSON {
		return a.printJSON(p)
	}
	return printPlan(a, p)
}

func printPlan(a *app, p *sdk.MemoryPlan) error {
	rows := [][]string{
		{"device", p.Device},
		{"planned", fmt.Sprintf("%s of %d image(s) at %d pixels, %s activations", p.Mode, p.Batch, p.Size, p.Activations)},
		{"weights", fmt.Sprintf("%s on the device, copied matrix by matrix out of the file (%s), which is mapped, or streamed where the system has no mappings",
			bytesText(p.WeightBytes), bytesText(p.FileBytes))},
		{"beside them", bytesText(p.ExtraBytes) + " of positions, adapters and what trains them"},
	}
	for i, pass := range p.Passes {
		name := "pass"
		if len(p.Passes) > 1 {
			name = fmt.Sprintf("pass %d", i+1)
		}
		images := ""
		if pass.Images > 0 {
			images = fmt.Sprintf(" for %d image(s)", pass.Images)
		}
		var arenas []string
		for _, n := range pass.Arenas {
			arenas = append(arenas, bytesText(n))
		}
		pieces := ""
		if pass.PieceLimit > 0 {
			pieces = "; pieces of up to " + bytesText(pass.PieceLimit)
		}
		rows = append(rows, []string{name, fmt.Sprintf("%s%s: arenas %s, inputs %s, scratch and copies %s", bytesText(pass.Bytes), images, strings.Join(arenas, " + "),
			bytesText(pass.Inputs), bytesText(pass.Scratch))},
			[]string{"", fmt.Sprintf("%d operators; at most %s alive at once, in %s%s", pass.Operators, bytesText(pass.Peak), pass.PeakAt, pieces)})
	}
	if err := table(a.stdout, rows); err != nil {
		return err
	}
	for _, pass := range p.Passes {
		fmt.Fprintln(a.stdout)
		lines := [][]string{{"TENSOR", "KIND", "SHAPE", "TYPE", "BYTES", "ARENA", "OFFSET", "FIRST", "LAST"}}
		for _, v := range pass.Values {
			arena, offset := "-", "-"
			if v.Arena >= 0 {
				arena, offset = fmt.Sprint(v.Arena), fmt.Sprint(v.Offset)
			}
			lines = append(lines, []string{v.Name, v.Kind, fmt.Sprint(v.Shape), v.Type, fmt.Sprint(v.Bytes), arena, offset, fmt.Sprint(v.First), fmt.Sprint(v.Last)})
		}
		if err := table(a.stdout, lines); err != nil {
			return err
		}
	}
	return nil
}
