// Command predict classifies pictures with an adapter file:
//
//	go run ./examples/predict textile.safetensors photo.jpg ...
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"

	"github.com/edgeadapt/edgeadapt/sdk"
	"github.com/edgeadapt/edgeadapt/sdk/backbones/vits14"
)

func main() {
	if len(os.Args) < 3 {
		log.Fatal("usage: predict ADAPTER IMAGE...")
	}
	if err := run(context.Background(), os.Stdout, os.Args[1], os.Args[2:]); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, w io.Writer, adapter string, images []string) error {
	rt, err := sdk.Open(ctx) // the CPU; sdk.WithDevice("vulkan:0") for a GPU
	if err != nil {
		return err
	}
	defer rt.Close() // closes all that is made from it
	vit, err := vits14.Open()
	if err != nil {
		return err
	}
	backbone, err := rt.UseBackbone(ctx, vit)
	if err != nil {
		return err
	}
	task, err := backbone.LoadAdapter(ctx, adapter)
	if err != nil {
		return err
	}
	for _, name := range images {
		picture, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		r, err := backbone.Predict(ctx, picture, task, sdk.TopK(1))
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		fmt.Fprintf(w, "%s: %s (%.0f %%)\n", name, r.Labels[0].Name, 100*r.Labels[0].Score)
	}
	return nil
}
