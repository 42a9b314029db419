package main

import (
	"context"
	"fmt"
	"time"

	"github.com/edgeadapt/edgeadapt/sdk"
	"github.com/spf13/cobra"
)

// benchFlags are the options of bench.
type benchFlags struct {
	session sessionFlags
	measure sdk.MeasureConfig
	all     bool
	json    bool
	trace   string        // file
	blocks  string        // those with a branch in a step, "" for all
	tune    time.Duration // budget, 0 for no tuning
}

func (a *app) bench() *cobra.Command {
	f := &benchFlags{}
	c := &cobra.Command{
		Use:   "bench",
		Short: "Check a device's outputs, then time it",
		Long: `Bench compares the outputs of the device with the float64 reference first and prints no time, and exits with 5, where
they differ. Then it times passes over a batch: the median of wall and of processor time.

With --all it measures every Vulkan device and every instruction set of the processor, each in a process of its own and
one after the other, and prints one table.

With --profile it then times each kernel, in passes whose kernels wait for each other, by the device's own clock where it
has one, and prints what operators took, at what rate, and how near that is to the best that any kernel reached there.
--trace writes that pass as a Chrome trace, for chrome://tracing or ui.perfetto.dev.`,
		Example: `  edgeadapt bench --batch 8
  edgeadapt bench --device vulkan:0 --adapter parts.safetensors --json
  edgeadapt bench --step --batch 32 --size 112
  edgeadapt bench --step --batch 8 --blocks 7-12
  edgeadapt bench --all --threads 1
  edgeadapt bench --profile --trace pass.json`,
		Args: exactly(),
	}
	f.session.register(c)
	f.session.registerAdapter(c, "adapter file that takes part")
	c.Flags().IntVar(&f.measure.Batch, "batch", 1, "images a pass")
	c.Flags().IntVar(&f.measure.Size, "size", 0, "side of the input in pixels (default: the adapter's, or the backbone's)")
	c.Flags().IntVar(&f.measure.Runs, "runs", 10, "passes to time")
	c.Flags().BoolVar(&f.measure.Step, "step", false, "time a training step instead of a prediction")
	c.Flags().StringVar(&f.blocks, "blocks", "", "of --step: blocks that get a branch, as for tune (default: all); the step starts from cached tokens of those below")
	c.Flags().BoolVar(&f.measure.Profile, "profile", false, "then time each kernel: GOPS, bytes, share of the roofline")
	c.Flags().StringVar(&f.trace, "trace", "", "write the profiled pass to this file as a Chrome trace")
	c.Flags().BoolVar(&f.all, "all", false, "measure all devices and kernels, in one table")
	c.Flags().DurationVar(&f.tune, "tune-kernels", 0, "time variants of a Vulkan device's kernels for so long, and keep the fastest for later commands")
	c.Flags().Lookup("tune-kernels").NoOptDefVal = "30s"
	c.Flags().BoolVar(&f.json, "json", false, "print JSON: ms, cpu_ms, images_per_s, rss_mb and more")
	return a.command(c, func(ctx context.Context, _ []string) error {
		f.measure.Profile = f.measure.Profile || f.trace != ""
		if f.measure.Profile && (f.all || f.tune != 0) {
			return usagef("--profile and --trace are for one device: leave out --all and --tune-kernels")
		}
		if f.blocks != "" && (!f.measure.Step || f.tune != 0) {
			return usagef("--blocks %s is for a measured --step", f.blocks)
		}
		if f.all {
			return f.runAll(ctx, a, c)
		}
		return f.run(ctx, a)
	})
}

func (f *benchFlags) run(ctx context.Context, a *app) error {
	if n := f.measure.Batch; n < 1 || n > sdk.MaxMeasuredBatch {
		return usagef("--batch %d, expected 1 to %d", n, sdk.MaxMeasuredBatch)
	}
	if n := f.measure.Runs; n < 1 || n > 100000 {
		return usagef("--runs %d, expected 1 to 100000", n)
	}
	if err := checkWritable(f.trace); err != nil {
		return err
	}
	s, err := f.session.open(ctx, a)
	if err != nil {
		return err
	}
	defer s.close()
	if patch := s.bb.Info().Patch; f.measure.Size < 0 || f.measure.Size%patch != 0 || f.measure.Size > sdk.MaxMeasuredSize {
		return usagef("--size %d, expected a multiple of the backbone's patch %d up to %d", f.measure.Size, patch, sdk.MaxMeasuredSize)
	}
	if f.tune != 0 {
		return f.tuneKernels(ctx, a, s)
	}
	if f.blocks != "" && s.adapter != nil {
		return usagef("--blocks %s and --adapter: the adapter has blocks of its own", f.blocks)
	}
	if f.measure.Blocks, err = blocksOf(f.blocks, s.bb.Info().Ref()); err != nil {
		return err
	}
	f.measure.Adapter = s.adapter
	m, err := s.bb.Measure(ctx, f.measure)
	if err != nil {
		return err
	}
	if f.trace != "" {
		if err := writeFile(f.trace, m.WriteTrace); err != nil {
			return err
		}
	}
	return f.print(a, m)
}

// print shows a measurement, and its profile where it has one.
func (f *benchFlags) print(a *app, m *sdk.Measurement) error {
	if f.json {
		return a.printJSON(m)
	}
	rows := [][]string{
		{"device", m.Device + ", " + m.Driver},
		{"backbone", m.Backbone + ", " + m.Scheme + ", " + m.Activations + " activations"},
		{"measured", fmt.Sprintf("%s of %d image(s) at %d pixels, %d runs", m.Mode, m.Batch, m.Size, m.Runs)},
		{"outputs", fmt.Sprintf("equal to the reference within %.1e", m.MaxError)},
		{"wall time", fmt.Sprintf("%.2f ms (first %.0f ms)", m.MS, m.FirstMS)},
		{"CPU time", fmt.Sprintf("%.2f ms", m.CPUMS)},
		{"throughput", fmt.Sprintf("%.1f images/s", m.ImagesPerSec)},
		{"memory", fmt.Sprintf("%.0f MB peak, %.0f MB on the device", m.RSSMB, m.DeviceMB)},
	}
	if err := table(a.stdout, rows); err != nil || m.Profile == nil {
		return err
	}
	return printProfile(a, m.Profile)
}

// tuneKernels finds faster variants of kernels and prints them.
func (f *benchFlags) tuneKernels(ctx context.Context, a *app, s *session) error {
	if f.tune < 0 {
		return usagef("--tune-kernels %v, expected a time", f.tune)
	}
	found, err := s.bb.TuneKernels(ctx, f.tune)
	if err != nil {
		return err
	}
	if f.json {
		list := []tunedKernel{}
		for _, k := range found {
			list = append(list, tunedKernel(k))
		}
		return a.printJSON(list)
	}
	if len(found) == 0 {
		fmt.Fprintln(a.stdout, "no variant is at least 5% faster")
		return nil
	}
	rows := [][]string{{"KERNEL", "WAS", "NOW", "SAVES"}}
	for _, k := range found {
		rows = append(rows, []string{k.Kernel, variantText(k.From), variantText(k.To), fmt.Sprintf("%.1f%%", 100*k.Gain)})
	}
	return table(a.stdout, rows)
}

// tunedKernel is a change as --json prints it.
type tunedKernel struct {
	Kernel string  `json:"kernel"`
	From   string  `json:"from"`
	To     string  `json:"to"`
	Gain   float64 `json:"gain"`
}

// variantText is a variant's name for people.
func variantText(v string) string {
	if v == "" {
		return "base"
	}
	return v
}
