package tune

import "math"

// rate is the learning rate at a fractional epoch: it rises linearly from 0 over the warm-up and falls to 0 along half
// a cosine. All in epochs. Source: the AdaptFormer authors' training code.
func rate(epoch, base, warmup, epochs float64) float64 {
	if epoch < warmup {
		return base * epoch / warmup
	}
	return 0.5 * base * (1 + math.Cos(math.Pi*(epoch-warmup)/(epochs-warmup)))
}
