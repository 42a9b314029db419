package main

import (
	"context"

	"github.com/edgeadapt/edgeadapt/sdk"
	"github.com/spf13/cobra"
)

func (a *app) devices() *cobra.Command {
	asJSON, check := false, checkFlags{}
	c := &cobra.Command{
		Use:   "devices",
		Short: "List what --device accepts on this machine, or check it",
		Long: `Devices lists the devices. With --check it runs every kernel variant that a Vulkan device supports on canned cases, 20
times, and compares with the float64 reference; the verdicts are kept for other commands, which use no variant that failed.
It exits with 5 where no Vulkan device can be used, so that the CPU has to serve.`,
		Example: `  edgeadapt devices --json
  edgeadapt devices --check
  edgeadapt devices --check --compile-only --device vulkan:0`,
		Args: exactly(),
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	check.register(c)
	return a.command(c, func(ctx context.Context, _ []string) error {
		if check.check {
			return check.run(ctx, a, asJSON)
		}
		if check.compileOnly || check.device != "" {
			return usagef("--compile-only and --device belong to --check")
		}
		if asJSON {
			return a.printJSON(deviceList(sdk.Devices()))
		}
		return printDevices(a, sdk.Devices())
	})
}

// device is a device as --json prints it.
type device struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Kind   string `json:"kind"`
	UUID   string `json:"uuid,omitempty"`
	Driver string `json:"driver"`
	Memory int64  `json:"memory_bytes"` // 0 if unknown
	Int8   bool   `json:"int8_activations"`
	Half   bool   `json:"f16_activations"`
}

func deviceList(devices []sdk.Device) []device {
	list := []device{}
	for _, d := range devices {
		list = append(list, device(d))
	}
	return list
}

func printDevices(a *app, devices []sdk.Device) error {
	rows := [][]string{{"DEVICE", "KIND", "MEMORY", "NAME", "DRIVER", "UUID"}}
	for _, d := range devices {
		memory, uuid := "-", "-"
		if d.Memory > 0 {
			memory = bytesText(d.Memory)
		}
		if d.UUID != "" {
			uuid = d.UUID
		}
		rows = append(rows, []string{d.ID, d.Kind, memory, d.Name, d.Driver, uuid})
	}
	return table(a.stdout, rows)
}
