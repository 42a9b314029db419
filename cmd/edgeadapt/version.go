package main

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// versionInfo says which build this is.
type versionInfo struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func (a *app) version() *cobra.Command {
	asJSON := false
	c := &cobra.Command{Use: "version", Short: "Print the version of this build", Args: exactly()}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return a.command(c, func(context.Context, []string) error {
		v := buildVersion()
		if asJSON {
			return a.printJSON(v)
		}
		if v.Revision != "" {
			v.Version += " (" + v.Revision + ")"
		}
		_, err := fmt.Fprintf(a.stdout, "edgeadapt %s, %s, %s\n", v.Version, v.Go, v.Platform)
		return err
	})
}

func buildVersion() versionInfo {
	v := versionInfo{Version: "devel", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	if info.Main.Version != "" && info.Main.Version != "(devel)" {
		v.Version = info.Main.Version
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			v.Revision = s.Value
		}
	}
	return v
}
