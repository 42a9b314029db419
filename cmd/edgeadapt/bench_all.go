package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"github.com/edgeadapt/edgeadapt/sdk"
	"github.com/pkg/errors"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// instructionSetVariable forces an instruction set of the processor.
const instructionSetVariable = "EDGEADAPT_CPU"

// variant is one row of bench --all.
type variant struct {
	device, set, activations string // set is empty for Vulkan
}

// variants lists what this machine can run. Portable Go, a hundred times slower, only where there is nothing else.
func variants(sets []string, devices []sdk.Device) (list []variant) {
	if len(sets) > 1 {
		sets = sets[:len(sets)-1]
	}
	for _, set := range sets {
		list = append(list, variant{"cpu", set, "int8"}, variant{"cpu", set, "float"})
	}
	for _, d := range devices {
		if d.ID != "cpu" {
			list = append(list, variant{d.ID, "", "int8"}, variant{d.ID, "", "float"})
		}
	}
	return list
}

// benchRow is a variant's measurement, or why there is none.
type benchRow struct {
	*sdk.Measurement
	Error string `json:"error,omitempty"`
}

// runAll measures each variant in a process of its own: its peak memory is then its own, and a driver that fails takes
// no other row with it.
func (f *benchFlags) runAll(ctx context.Context, a *app, c *cobra.Command) error {
	if c.Flags().Changed("device") || c.Flags().Changed("activations") {
		return usagef("--all measures every device: leave out --device and --activations")
	}
	var rows []benchRow
	failed := false
	for _, v := range variants(sdk.InstructionSets(), sdk.Devices()) {
		m, err := v.measure(ctx, c)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		row := benchRow{Measurement: m}
		if err != nil {
			if v.activations == "int8" && strings.Contains(err.Error(), sdk.ErrActivations.Error()) {
				continue // a set, or a backbone, without them
			}
			row.Error = fmt.Sprintf("%s %s %s: %v", v.device, v.set, v.activations, err)
			failed = true
		}
		rows = append(rows, row)
	}
	if err := f.printAll(a, rows); err != nil {
		return err
	}
	if failed {
		return errors.WithMessage(sdk.ErrCheck, "see the table")
	}
	return nil
}

// measure runs this program once more, with the same options for the variant alone.
func (v variant) measure(ctx context.Context, c *cobra.Command) (*sdk.Measurement, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, errors.Wrap(err, "find this program")
	}
	args := []string{"bench", "--json", "--device", v.device, "--activations", v.activations}
	c.Flags().Visit(func(o *pflag.Flag) {
		if o.Name != "all" && o.Name != "json" {
			args = append(args, "--"+o.Name+"="+o.Value.String())
		}
	})
	cmd := exec.CommandContext(ctx, self, args...)
	cmd.Env = os.Environ()
	if v.set != "" {
		cmd.Env = append(cmd.Env, instructionSetVariable+"="+v.set)
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, errors.Errorf("%s", strings.TrimPrefix(strings.TrimSpace(stderr.String()), "error: "))
	}
	m := &sdk.Measurement{}
	return m, errors.Wrap(json.Unmarshal(out, m), "result of "+v.device)
}

func (f *benchFlags) printAll(a *app, rows []benchRow) error {
	if f.json {
		return a.printJSON(rows)
	}
	lines := [][]string{{"DEVICE", "KERNELS", "ACTIVATIONS", "WALL MS", "CPU MS", "IMAGES/S", "PEAK MB", "MAX ERROR"}}
	for _, r := range rows {
		if r.Error != "" {
			lines = append(lines, []string{r.Error})
			continue
		}
		lines = append(lines, []string{r.Device, r.Driver, r.Activations, fmt.Sprintf("%.2f", r.MS), fmt.Sprintf("%.2f", r.CPUMS),
			fmt.Sprintf("%.1f", r.ImagesPerSec), fmt.Sprintf("%.0f", r.RSSMB), fmt.Sprintf("%.1e", r.MaxError)})
	}
	return table(a.stdout, lines)
}
