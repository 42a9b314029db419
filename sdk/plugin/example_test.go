package plugin_test

import (
	"context"
	"fmt"
	"os"

	"github.com/edgeadapt/edgeadapt/sdk/plugin"
)

// A module is loaded once and called from any number of goroutines. This one, examples/plugins/trim, cuts off a border
// of one colour.
func Example() {
	module, err := os.ReadFile("../../examples/plugins/trim.wasm")
	if err != nil {
		fmt.Println(err)
		return
	}
	engine := plugin.NewEngine(plugin.Limits{})
	defer engine.Close()
	ctx := context.Background()
	trim, err := engine.Load(ctx, module, plugin.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer trim.Close()

	black := plugin.Picture{Width: 4, Height: 3, Pix: make([]uint8, 3*4*3)}
	black.Pix[3*(1*4+2)] = 255 // but for a red pixel in column 2 of row 1
	out, err := trim.Preprocess(ctx, black, 2)
	fmt.Println(out.Crop, err)
	// Output: (2,1)-(3,2) <nil>
}
