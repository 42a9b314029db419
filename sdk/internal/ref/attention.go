package ref

import "math"

// Heads is the layout of an attention: Batch images of Tokens rows, Count heads of Dim channels. In qkv [B T, 3 D],
// D = Count Dim, lie q, k and v side by side, the heads contiguous within each.
type Heads struct{ Batch, Tokens, Count, Dim int }

// qkvRow returns the query, key and value of one token and head.
func qkvRow[T Float](h Heads, qkv []T, image, head, token int) (q, k, v []T) {
	d := h.Count * h.Dim
	r := row(qkv, image*h.Tokens+token, 3*d)
	at := head * h.Dim
	return r[at : at+h.Dim], r[d+at : d+at+h.Dim], r[2*d+at : 2*d+at+h.Dim]
}

// channels returns one head's channels of a token in x [B T, D].
func channels[T Float](h Heads, x []T, image, head, token int) []T {
	at := (image*h.Tokens+token)*h.Count*h.Dim + head*h.Dim
	return x[at : at+h.Dim]
}

// scores is row t of S = q kᵀ / sqrt(d).
func scores[T Float](h Heads, qkv []T, image, head, t int) []float64 {
	s := make([]float64, h.Tokens)
	q, _, _ := qkvRow(h, qkv, image, head, t)
	for u := range s {
		_, k, _ := qkvRow(h, qkv, image, head, u)
		s[u] = dot(q, k) / math.Sqrt(float64(h.Dim))
	}
	return s
}

// logSumExp is log Σ exp x, with the largest element taken out so that nothing overflows.
func logSumExp(x []float64) float64 {
	top := math.Inf(-1)
	for _, v := range x {
		top = max(top, v)
	}
	var sum float64
	for _, v := range x {
		sum += math.Exp(v - top)
	}
	return top + math.Log(sum)
}

// probs is row t of P = exp(S - lse), the softmax.
func probs[T Float](h Heads, qkv []T, lse float64, image, head, t int) []float64 {
	p := scores(h, qkv, image, head, t)
	for u := range p {
		p[u] = math.Exp(p[u] - lse)
	}
	return p
}

// each calls f for every image, head and token, with the token's index in [B, heads, T].
func (h Heads) each(f func(image, head, t, index int)) {
	for i := range h.Batch * h.Count * h.Tokens {
		f(i/(h.Count*h.Tokens), i/h.Tokens%h.Count, i%h.Tokens, i)
	}
}

// Attention is, per image and head,
//
//	S = q kᵀ / sqrt(d);  P = softmax(S);  o = P v;  lse = log Σ exp S
//
// qkv [B T, 3 D]; o [B T, D]; lse [B, heads, T].
func Attention[T Float](o, lse, qkv []T, h Heads) {
	sum := make([]float64, h.Dim)
	h.each(func(image, head, t, index int) {
		s := scores(h, qkv, image, head, t)
		l := logSumExp(s)
		clear(sum)
		for u := range s {
			_, _, v := qkvRow(h, qkv, image, head, u)
			addScaled(sum, math.Exp(s[u]-l), v)
		}
		store(channels(h, o, image, head, t), sum)
		lse[index] = T(l)
	})
}

// AttentionProbs is P of Attention; p [B, heads, T, T].
func AttentionProbs[T Float](p, qkv, lse []T, h Heads) {
	h.each(func(image, head, t, index int) {
		store(row(p, index, h.Tokens), probs(h, qkv, float64(lse[index]), image, head, t))
	})
}

// AttentionBackward is the gradient of Attention. With P = exp(S - lse), per head:
//
//	delta = rowsum(do ⊙ o);  dv = Pᵀ do;  dS = P ⊙ (do vᵀ - delta);  dq = dS k / sqrt(d);  dk = dSᵀ q / sqrt(d)
//
// qkv, dqkv [B T, 3 D]; o, do [B T, D]; lse, delta [B, heads, T].
func AttentionBackward[T Float](dqkv, delta, qkv, o, lse, do []T, h Heads) {
	sum := make([]float64, len(dqkv))
	scale := 1 / math.Sqrt(float64(h.Dim))
	h.each(func(image, head, t, index int) {
		g := channels(h, do, image, head, t)
		dt := dot(g, channels(h, o, image, head, t))
		delta[index] = T(dt)
		q, _, _ := qkvRow(h, qkv, image, head, t)
		dq, _, _ := qkvRow(h, sum, image, head, t)
		for u, p := range probs(h, qkv, float64(lse[index]), image, head, t) {
			_, k, v := qkvRow(h, qkv, image, head, u)
			_, dk, dv := qkvRow(h, sum, image, head, u)
			ds := p * (dot(g, v) - dt)
			addScaled(dv, p, g)
			addScaled(dq, ds*scale, k)
			addScaled(dk, ds*scale, q)
		}
	})
	store(dqkv, sum)
}
