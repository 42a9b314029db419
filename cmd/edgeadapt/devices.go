package main

import (
	"context"

	"github.com/edgeadapt/edgeadapt/sdk"
	"github.com/spf13/cobra"
)

func (a *app) devices() *cobra.Command {
	asJSON := false
	c := &cobra.Command{
		Use:     "devices",
		Short:   "List what --device accepts on this machine",
		Example: `  edgeadapt devices --json`,
		Args:    exactly(),
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return a.command(c, func(context.Context, []string) error {
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
