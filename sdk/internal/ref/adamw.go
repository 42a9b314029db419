package ref

import "math"

// AdamW is one step of Adam with decoupled weight decay, in place; rates holds lr, 1 - beta1ᵗ and 1 - beta2ᵗ:
//
//	m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g²
//	p = p - lr ((m / c1) / (sqrt(v / c2) + eps) + weightDecay p)
func AdamW[T Float](p, m, v, g, rates []T, beta1, beta2, eps, weightDecay float64) {
	lr, c1, c2 := float64(rates[0]), float64(rates[1]), float64(rates[2])
	for i := range p {
		x := float64(g[i])
		first := beta1*float64(m[i]) + (1-beta1)*x
		second := beta2*float64(v[i]) + (1-beta2)*x*x
		m[i], v[i] = T(first), T(second)
		p[i] = T(float64(p[i]) - lr*(first/c1/(math.Sqrt(second/c2)+eps)+weightDecay*float64(p[i])))
	}
}
