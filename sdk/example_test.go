package sdk_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/edgeadapt/edgeadapt/sdk"
	"github.com/edgeadapt/edgeadapt/sdk/backbones/vits14"
	"github.com/edgeadapt/edgeadapt/sdk/data"
	"github.com/edgeadapt/edgeadapt/sdk/tune"
)

// Train a task from a folder of pictures, keep it, and use it beside another one. It is not run: it needs a folder of
// yours. The programs in examples are.
func Example() {
	check := func(err error) {
		if err != nil {
			log.Fatal(err)
		}
	}
	ctx := context.Background()
	rt, err := sdk.Open(ctx)
	check(err)
	defer rt.Close()
	vit, err := vits14.Open()
	check(err)
	bb, err := rt.UseBackbone(ctx, vit)
	check(err)

	ds, err := data.OpenFolder("parts", data.Train)
	check(err)
	a, _, err := bb.Tune(ctx, ds, tune.Default(), nil)
	check(err)
	check(a.WriteFile("parts.safetensors"))

	parts, err := bb.UseAdapter(ctx, a)
	check(err)
	cloth, err := bb.LoadAdapter(ctx, "textile.safetensors")
	check(err)
	photo, err := os.Open("photo.jpg")
	check(err)
	r, err := bb.Predict(ctx, photo, parts, sdk.TopK(3))
	check(err)
	fmt.Println(r.Labels, cloth.Labels())
}
