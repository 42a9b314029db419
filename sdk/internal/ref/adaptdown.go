package ref

// AdaptDown is the first half of AdaptMLP:
//
//	h = dropout(ReLU(x downᵀ + bias))      x [m, d], down [r, d], bias [r], h [m, r]
func AdaptDown[T Float](h, x, down, bias []T, drop Dropout, m, d, r int) {
	for i := range m {
		for j := range r {
			a := dot(row(x, i, d), row(down, j, d)) + float64(bias[j])
			h[i*r+j] = T(drop.apply(max(a, 0), i*r+j))
		}
	}
}

// AdaptDownBackward is the gradient at the hidden sums, from the gradient g at the block's output:
//
//	dh = scale (g up) where h > 0, else 0      g [m, d], up [d, r], h, dh [m, r]
//
// scale is the branch's scale divided by 1 - dropout: h > 0 holds exactly where ReLU passed and dropout kept.
func AdaptDownBackward[T Float](dh, g, up, h []T, scale float64, m, d, r int) {
	sum := make([]float64, r)
	for i := range m {
		clear(sum)
		for j := range d {
			addScaled(sum, float64(g[i*d+j]), row(up, j, r))
		}
		for j, s := range sum {
			if h[i*r+j] > 0 {
				dh[i*r+j] = T(scale * s)
			} else {
				dh[i*r+j] = 0
			}
		}
	}
}
