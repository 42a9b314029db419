// Command switch judges one picture by two tasks, and mixes both tasks in one batch:
//
//	go run ./examples/switch textile.safetensors clothes.safetensors photo.jpg
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
	if len(os.Args) != 4 {
		log.Fatal("usage: switch ADAPTER ADAPTER IMAGE")
	}
	if err := run(context.Background(), os.Stdout, os.Args[1], os.Args[2], os.Args[3]); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, w io.Writer, adapterA, adapterB, image string) error {
	rt, err := sdk.Open(ctx)
	if err != nil {
		return err
	}
	defer rt.Close()
	vit, err := vits14.Open()
	if err != nil {
		return err
	}
	backbone, err := rt.UseBackbone(ctx, vit) // the weights of both tasks, once
	if err != nil {
		return err
	}
	a, err := backbone.LoadAdapter(ctx, adapterA)
	if err != nil {
		return err
	}
	b, err := backbone.LoadAdapter(ctx, adapterB)
	if err != nil {
		return err
	}
	picture, err := os.ReadFile(image)
	if err != nil {
		return err
	}
	// The task is an argument of the call: switching is naming another one, and a batch may mix them.
	best := sdk.TopK(1)
	results, err := backbone.PredictBatch(ctx, []sdk.Request{
		{Image: picture, Adapter: a, Options: []sdk.PredictOption{best}},
		{Image: picture, Adapter: b, Options: []sdk.PredictOption{best}},
		{Image: picture}, // no task: features only
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "%s says %s\n", adapterA, results[0].Labels[0].Name)
	fmt.Fprintf(w, "%s says %s\n", adapterB, results[1].Labels[0].Name)
	fmt.Fprintf(w, "without a task: %d features\n", len(results[2].Features))
	return nil
}
