package ref

// SGD is one step of stochastic gradient descent with momentum, in place:
//
//	g' = g + weightDecay p;  v = momentum v + g';  p = p - lr v
func SGD[T Float](p, v, g []T, lr, momentum, weightDecay float64) {
	for i := range p {
		step := momentum*float64(v[i]) + float64(g[i]) + weightDecay*float64(p[i])
		v[i] = T(step)
		p[i] = T(float64(p[i]) - lr*step)
	}
}
