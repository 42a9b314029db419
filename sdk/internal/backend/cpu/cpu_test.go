package cpu

import (
	"testing"

	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend/backendtest"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend/cpu/simd"
)

// tolerance is some ten roundings of float32 for sums of a few hundred terms; tanh-GELU would be 4.7e-4 away.
const tolerance = 2e-6

// forEachSet runs f with every instruction set of this machine.
func forEachSet(t *testing.T, f func(t *testing.T, set *simd.Set)) {
	for _, set := range simd.All() {
		t.Run(set.Name, func(t *testing.T) { f(t, set) })
	}
}

func mustOpen(t testing.TB, threads int, set *simd.Set) *device {
	t.Helper()
	d, err := open(Options{Threads: threads}, set)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestSuite(t *testing.T) {
	forEachSet(t, func(t *testing.T, set *simd.Set) {
		backendtest.Run(t, func(t *testing.T) backend.Backend { return mustOpen(t, 3, set) }, tolerance)
	})
}
