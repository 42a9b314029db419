package main

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/edgeadapt/edgeadapt/sdk"
	"github.com/spf13/cobra"
)

// checkFlags are those of devices --check.
type checkFlags struct {
	check, compileOnly bool
	device             string
}

func (f *checkFlags) register(c *cobra.Command) {
	c.Flags().BoolVar(&f.check, "check", false, "test every kernel on every Vulkan device")
	c.Flags().BoolVar(&f.compileOnly, "compile-only", false, "with --check: make every pipeline and run nothing")
	c.Flags().StringVar(&f.device, "device", "", "with --check: this device only, vulkan:N or a UUID")
}

// checkedDevice is a device's check as --json prints it.
type checkedDevice struct {
	device
	Usable  bool            `json:"usable"`
	Error   string          `json:"error,omitempty"`
	Kernels []checkedKernel `json:"kernels"`
}

type checkedKernel struct {
	Kernel   string  `json:"kernel"`
	Variant  string  `json:"variant"`
	Used     bool    `json:"used"`
	Verdict  string  `json:"verdict"` // "ok" or "failed"
	Fault    string  `json:"fault,omitempty"`
	Case     string  `json:"case,omitempty"`
	Divided  string  `json:"divided,omitempty"` // "ok" or what is wrong where long dispatches are divided
	MaxError float64 `json:"max_error"`
	MS       float64 `json:"ms"`
}

// run checks the devices and says which can be used. It returns ErrCheck where none can.
func (f *checkFlags) run(ctx context.Context, a *app, asJSON bool) error {
	var opts []sdk.Option
	if dir, err := cacheDir(); err == nil && !f.compileOnly {
		opts = append(opts, sdk.WithCacheDir(dir))
	}
	list, usable := []checkedDevice{}, 0
	for _, d := range sdk.Devices() {
		if d.UUID == "" || f.device != "" && f.device != d.ID && !strings.EqualFold(f.device, d.UUID) {
			continue
		}
		show := newProgress(a.stderr)
		checks, err := sdk.CheckDevice(ctx, d.ID, f.compileOnly, append(opts, sdk.WithCheckProgress(show.parts("check "+d.ID, "kernels")))...)
		show.end()
		if err != nil && ctx.Err() != nil {
			return err
		}
		c := checkedDevice{device: device(d), Usable: err == nil, Kernels: []checkedKernel{}}
		if err != nil {
			c.Error = err.Error()
		} else {
			usable++
		}
		for _, k := range checks {
			c.Kernels = append(c.Kernels, kernelOf(k))
		}
		list = append(list, c)
	}
	if len(list) == 0 && f.device != "" {
		return fmt.Errorf("%w: %s", sdk.ErrNoDevice, f.device)
	}
	if err := f.print(a, list, asJSON); err != nil || usable > 0 {
		return err
	}
	return fmt.Errorf("%w: no Vulkan device can be used, the CPU serves", sdk.ErrCheck)
}

func kernelOf(k sdk.KernelCheck) checkedKernel {
	out := checkedKernel{Kernel: k.Kernel, Variant: k.Variant, Used: k.Used, Verdict: "ok", Fault: k.Fault, Case: k.Case, Divided: k.Divided, MaxError: k.MaxError, MS: float64(k.Took.Microseconds()) / 1000}
	if k.Fault != "" {
		out.Verdict = "failed"
	}
	return out
}

func (f *checkFlags) print(a *app, list []checkedDevice, asJSON bool) error {
	if asJSON {
		return a.printJSON(list)
	}
	for _, d := range list {
		state := "usable"
		if !d.Usable {
			state = "not usable: " + d.Error
		}
		fmt.Fprintf(a.stdout, "%s  %s (%s): %s\n", d.ID, d.Name, d.Driver, state)
		rows := [][]string{{"KERNEL", "VARIANT", "USED", "VERDICT", "DIVIDED", "MAX ERROR", "TIME"}}
		for _, k := range d.Kernels {
			used, worst := "", fmt.Sprintf("%.1e", k.MaxError)
			if k.Used {
				used = "yes"
			}
			if f.compileOnly {
				worst = "-"
			}
			verdict := k.Verdict
			if k.Fault != "" {
				verdict += ": " + k.Fault
			}
			parts := cmp.Or(k.Divided, "-")
			if parts != "ok" && parts != "-" {
				parts = "stays whole: " + parts
			}
			rows = append(rows, []string{k.Kernel, variantText(k.Variant), used, verdict, parts, worst, fmt.Sprintf("%.1f ms", k.MS)})
		}
		if err := table(a.stdout, rows); err != nil {
			return err
		}
	}
	if len(list) == 0 {
		fmt.Fprintln(a.stdout, "no Vulkan devices")
	}
	return nil
}
