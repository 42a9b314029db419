package main

import (
	"fmt"

	"github.com/edgeadapt/edgeadapt/sdk"
)

// printProfile shows where the time of a pass went: a line an operator, and lines for its kernels where it has several.
func printProfile(a *app, p *sdk.Profile) error {
	fmt.Fprintln(a.stdout)
	err := table(a.stdout, [][]string{
		{"profile", fmt.Sprintf("a pass of %.2f ms, %.2f ms of it in kernels, which waited for each other", p.PassMS, p.KernelMS)},
		{"clock", p.Clock},
		{"roof", fmt.Sprintf("%.1f GOPS (two a multiply-add), %.2f GB/s", p.Roof.GOPS, p.Roof.GBs)},
		{"", p.Roof.How},
	})
	if err != nil {
		return err
	}
	fmt.Fprintln(a.stdout)
	lines := [][]string{{"OPERATOR", "SIZE", "KERNEL", "RUNS", "MS", "SHARE", "GOPS", "MB", "GB/S", "ROOFLINE"}}
	for _, r := range p.Rows {
		name, gops := r.Kernels[0].Name, "-"
		if len(r.Kernels) > 1 {
			name = fmt.Sprintf("%d kernels:", len(r.Kernels))
		}
		if r.GOPS > 0 {
			gops = fmt.Sprintf("%.1f", r.GOPS)
		}
		lines = append(lines, []string{r.Operator, r.Size, name, fmt.Sprint(r.Count), fmt.Sprintf("%.3f", r.MS), fmt.Sprintf("%.1f%%", 100*r.Share),
			gops, fmt.Sprintf("%.2f", r.MB), fmt.Sprintf("%.2f", r.GBs), fmt.Sprintf("%.0f%% of %s", 100*r.Roofline, r.Bound)})
		for _, k := range r.Kernels {
			if len(r.Kernels) > 1 {
				lines = append(lines, []string{"", "", "  " + k.Name, fmt.Sprint(k.Count), fmt.Sprintf("%.3f", k.MS)})
			}
		}
	}
	return table(a.stdout, lines)
}
