package tune

import (
	"testing"

	"github.com/edgeadapt/edgeadapt/sdk/adapter"
)

// TestOptimizerByBackbone: branches of a Swin are trained by AdamW, all else by SGD, unless the caller says otherwise.
func TestOptimizerByBackbone(t *testing.T) {
	for _, k := range []struct {
		pool   adapter.Pool
		method adapter.Method
		asked  Optimizer
		want   Optimizer
		rate   float64
	}{
		{adapter.PoolCLSMean, adapter.AdaptFormer, "", SGD, adapterRate},
		{adapter.PoolNormMean, adapter.AdaptFormer, "", AdamW, adamWRate},
		{adapter.PoolNormMean, adapter.AdaptFormer, SGD, SGD, adapterRate},
		{adapter.PoolNormMean, adapter.Linear, "", SGD, adapterRate},
		{adapter.PoolCLSMean, adapter.AdaptFormer, AdamW, AdamW, adamWRate},
	} {
		c := Default()
		c.Method, c.Optimizer = k.method, k.asked
		got, err := c.complete(4, 4, 1000, k.pool)
		if err != nil {
			t.Fatal(err)
		}
		if got.Optimizer != k.want || got.LR != k.rate {
			t.Errorf("%s, %s, asked for %q: %s at %g, want %s at %g", k.pool, k.method, k.asked, got.Optimizer, got.LR, k.want, k.rate)
		}
	}
}
