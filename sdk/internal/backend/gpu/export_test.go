//go:build linux && !android && cgo && !novulkan

package gpu

import (
	"math"

	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
)

// Plan lists an executable's commands.
func Plan(e backend.Executable) []string { return e.(*executable).rec.Plan() }

// Poison fills everything that a run may not rely on with NaN: temporaries and partial sums.
func Poison(e backend.Executable) error {
	if t, ok := e.(timed); ok {
		e = t.executable
	}
	own := e.(*executable)
	for _, b := range append(own.arenas, own.partials...) {
		nan := make([]float32, b.Size()/4)
		for i := range nan {
			nan[i] = float32(math.NaN())
		}
		if err := translate(b.Write(0, bytesOf(nan))); err != nil {
			return err
		}
	}
	return nil
}
