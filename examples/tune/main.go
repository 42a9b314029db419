// Command tune trains an adapter from a folder of pictures, on this device, and uses it at once:
//
//	go run ./examples/tune examples/data/textile textile.safetensors
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"

	"github.com/edgeadapt/edgeadapt/sdk"
	"github.com/edgeadapt/edgeadapt/sdk/backbones/vits14"
	"github.com/edgeadapt/edgeadapt/sdk/data"
	"github.com/edgeadapt/edgeadapt/sdk/tune"
)

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: tune FOLDER ADAPTER")
	}
	ds, err := data.OpenFolder(os.Args[1], data.Train) // FOLDER/train/CLASS/*.jpg or FOLDER/CLASS/*.jpg
	if err != nil {
		log.Fatal(err)
	}
	if err := run(context.Background(), os.Stdout, ds, tune.Default(), os.Args[2]); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, w io.Writer, ds *data.Dataset, config tune.Config, file string) error {
	rt, err := sdk.Open(ctx)
	if err != nil {
		return err
	}
	defer rt.Close()
	vit, err := vits14.Open()
	if err != nil {
		return err
	}
	backbone, err := rt.UseBackbone(ctx, vit)
	if err != nil {
		return err
	}
	progress := func(e tune.Event) {
		if e.Done != nil { // an epoch is over
			fmt.Fprintln(w, e.Done)
		}
	}
	adapter, report, err := backbone.Tune(ctx, ds, config, progress)
	if err != nil {
		return err
	}
	if err := adapter.WriteFile(file); err != nil {
		return err
	}
	task, err := backbone.UseAdapter(ctx, adapter) // or LoadAdapter(ctx, file), any time later
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "%s tells %q apart, after %.0f s on %s\n", file, task.Labels(), report.Seconds, report.Device)
	return nil
}
