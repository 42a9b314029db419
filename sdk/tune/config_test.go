package tune

import (
	"testing"

	"github.com/edgeadapt/edgeadapt/sdk/adapter"
)

// TestDefaultOptimizer: branches are trained by AdamW and probes by SGD, unless the caller says otherwise; a rate alone is SGD's
// on a ViT.
func TestDefaultOptimizer(t *testing.T) {
	for _, k := range []struct {
		pool   adapter.Pool
		method adapter.Method
		asked  Optimizer
		lr     float64
		want   Optimizer
		rate   float64
	}{
		{adapter.PoolCLSMean, adapter.AdaptFormer, "", 0, AdamW, adamWRate},
		{adapter.PoolCLSMean, adapter.AdaptFormer, "", 0.02, SGD, 0.02},
		{adapter.PoolNormMean, adapter.AdaptFormer, "", 0, AdamW, adamWRate},
		{adapter.PoolNormMean, adapter.AdaptFormer, "", 0.002, AdamW, 0.002},
		{adapter.PoolNormMean, adapter.AdaptFormer, SGD, 0, SGD, adapterRate},
		{adapter.PoolCLSMean, adapter.AdaptFormer, SGD, 0, SGD, adapterRate},
		{adapter.PoolNormMean, adapter.Linear, "", 0, SGD, adapterRate},
		{adapter.PoolCLSMean, adapter.AdaptFormer, AdamW, 0.01, AdamW, 0.01},
	} {
		c := Default()
		c.Method, c.Optimizer, c.LR = k.method, k.asked, k.lr
		got, err := c.complete(4, 4, 1000, k.pool)
		if err != nil {
			t.Fatal(err)
		}
		if got.Optimizer != k.want || got.LR != k.rate {
			t.Errorf("%s, %s, asked for %q at %g: %s at %g, want %s at %g", k.pool, k.method, k.asked, k.lr, got.Optimizer, got.LR, k.want, k.rate)
		}
	}
}
