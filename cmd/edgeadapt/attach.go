package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/edgeadapt/edgeadapt/sdk/adapter"
	"github.com/edgeadapt/edgeadapt/sdk/plugin"
	"github.com/pkg/errors"
	"github.com/spf13/cobra"
)

// attachFlags are the options of adapters attach.
type attachFlags struct {
	plugin, out string
	memory      int // MiB
	time        time.Duration
}

func (a *app) adaptersAttach() *cobra.Command {
	f := &attachFlags{}
	c := &cobra.Command{
		Use:   "attach ADAPTER --plugin FILE.wasm -o ADAPTER",
		Short: "Put a plug-in into an adapter, or another in its place",
		Long: `Attach writes a copy of an adapter with a WebAssembly module for its own pre- and post-processing, which every program
that uses the adapter then runs, without access to files or network and within the limits stated here. The module is
loaded once to see that it works.`,
		Example: `  edgeadapt adapters attach parts.safetensors --plugin threshold.wasm -o judged.safetensors`,
		Args:    exactly("ADAPTER"),
	}
	c.Flags().StringVar(&f.plugin, "plugin", "", "WebAssembly module")
	c.Flags().StringVarP(&f.out, "output", "o", "", "adapter file to write")
	c.Flags().IntVar(&f.memory, "memory", 0, fmt.Sprintf("memory that the module may use, MiB (default %d)", plugin.DefaultMemory>>20))
	c.Flags().DurationVar(&f.time, "time", 0, fmt.Sprintf("time that a call may take (default %v)", plugin.DefaultTime))
	return a.command(c, func(ctx context.Context, args []string) error { return f.run(ctx, a, args[0]) })
}

func (f *attachFlags) run(ctx context.Context, a *app, path string) error {
	if err := require("plugin", f.plugin); err != nil {
		return err
	}
	if err := require("output", f.out); err != nil {
		return err
	}
	if most := int(plugin.HostMemory >> 20); f.memory < 0 || f.memory > most {
		return usagef("--memory %d, expected 1 to %d MiB", f.memory, most)
	}
	if f.time < 0 || f.time > plugin.HostTime || f.time%time.Millisecond != 0 {
		return usagef("--time %v, expected whole milliseconds up to %v", f.time, plugin.HostTime)
	}
	ad, err := adapter.ReadFile(path)
	if err != nil {
		return err
	}
	p := &adapter.Plugin{MemoryBytes: int64(f.memory) << 20, TimeMillis: int(f.time.Milliseconds())}
	if p.Module, err = readModule(f.plugin); err != nil {
		return err
	}
	hooks, err := tryPlugin(ctx, p)
	if err != nil {
		return errors.WithMessage(err, f.plugin)
	}
	if ad, err = ad.WithPlugin(p); err != nil {
		return err
	}
	if err := ad.WriteFile(f.out); err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.stdout, "%s  plug-in of %s: %s\n", f.out, bytesText(int64(len(p.Module))), hooks)
	return err
}

// readModule reads a file unless it is larger than any plug-in.
func readModule(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, errors.Wrap(err, "plug-in")
	}
	if info.Size() > adapter.MaxPlugin {
		return nil, errors.WithMessagef(plugin.ErrPlugin, "%s has %d bytes, the limit is %d", path, info.Size(), adapter.MaxPlugin)
	}
	b, err := os.ReadFile(path)
	return b, errors.Wrap(err, "plug-in")
}

// tryPlugin loads a module as an adapter's user will and says what it does.
func tryPlugin(ctx context.Context, p *adapter.Plugin) (hooks string, err error) {
	e := plugin.NewEngine(plugin.Limits{})
	defer e.Close()
	loaded, err := e.Load(ctx, p.Module, plugin.Options{MemoryBytes: p.MemoryBytes, TimeMillis: p.TimeMillis})
	if err != nil {
		return "", err
	}
	defer loaded.Close()
	var list []string
	if loaded.CanPreprocess() {
		list = append(list, "pre-processing")
	}
	if loaded.CanPostprocess() {
		list = append(list, "post-processing")
	}
	return strings.Join(list, " and "), nil
}

func (a *app) adaptersDetach() *cobra.Command {
	out := ""
	c := &cobra.Command{
		Use:     "detach ADAPTER -o ADAPTER",
		Short:   "Write a copy of an adapter without its plug-in",
		Example: `  edgeadapt adapters detach judged.safetensors -o parts.safetensors`,
		Args:    exactly("ADAPTER"),
	}
	c.Flags().StringVarP(&out, "output", "o", "", "adapter file to write")
	return a.command(c, func(ctx context.Context, args []string) error {
		if err := require("output", out); err != nil {
			return err
		}
		ad, err := adapter.ReadFile(args[0])
		if err != nil {
			return err
		}
		if ad.Plugin() == nil {
			return errors.WithMessagef(adapter.ErrConfig, "%s has no plug-in", args[0])
		}
		if ad, err = ad.WithPlugin(nil); err != nil {
			return err
		}
		if err := ad.WriteFile(out); err != nil {
			return err
		}
		_, err = fmt.Fprintf(a.stdout, "%s  no plug-in\n", out)
		return err
	})
}
