package ref

import (
	"math"

	"github.com/edgeadapt/edgeadapt/sdk/internal/window"
)

// Windows is the layout of a window attention: Batch images, Count heads of Dim channels. In qkv [B T, 3 D], D = Count Dim,
// lie q, k and v side by side, the heads contiguous within each; pad [3 D] is such a row for the places of padding, and
// table [entries, Count] the relative position bias.
type Windows struct {
	Batch, Count, Dim int
	window.Layout
}

// each calls f for every image, window and head, with the index of the three.
func (w Windows) each(f func(image, win, head, index int)) {
	for i := range w.Batch * w.Windows() * w.Count {
		f(i/(w.Windows()*w.Count), i/w.Count%w.Windows(), i%w.Count, i)
	}
}

// windowPart is the query (0), key (1) or value (2) at a place of a window.
func windowPart[T Float](w Windows, qkv, pad []T, image, win, head, place, part int) []T {
	d := w.Count * w.Dim
	r := pad
	if t := w.Token(win, place); t >= 0 {
		r = row(qkv, image*w.Tokens()+t, 3*d)
	}
	return r[part*d+head*w.Dim:][:w.Dim]
}

// windowScores is the row of S = q kᵀ / sqrt(d) + table + mask at a place of a window.
func windowScores[T Float](w Windows, qkv, pad, table []T, image, win, head, place int) []float64 {
	s := make([]float64, w.Size())
	q := windowPart(w, qkv, pad, image, win, head, place, 0)
	for u := range s {
		s[u] = dot(q, windowPart(w, qkv, pad, image, win, head, u, 1))/math.Sqrt(float64(w.Dim)) +
			float64(table[w.Entry(place, u)*w.Count+head])
		if w.Region(win, place) != w.Region(win, u) {
			s[u] += window.Mask
		}
	}
	return s
}

// WindowAttention is, per image, window and head,
//
//	S = q kᵀ / sqrt(d) + table + mask;  P = softmax(S);  o = P v;  lse = log Σ exp S
//
// qkv [B T, 3 D]; o [B T, D]; lse [B, heads, T].
func WindowAttention[T Float](o, lse, qkv, pad, table []T, w Windows) {
	h := Heads{Batch: w.Batch, Tokens: w.Tokens(), Count: w.Count, Dim: w.Dim}
	sum := make([]float64, w.Dim)
	w.each(func(image, win, head, _ int) {
		for i := range w.Size() {
			t := w.Token(win, i)
			if t < 0 {
				continue
			}
			s := windowScores(w, qkv, pad, table, image, win, head, i)
			l := logSumExp(s)
			clear(sum)
			for u := range s {
				addScaled(sum, math.Exp(s[u]-l), windowPart(w, qkv, pad, image, win, head, u, 2))
			}
			store(channels(h, o, image, head, t), sum)
			lse[(image*w.Count+head)*w.Tokens()+t] = T(l)
		}
	})
}

// WindowProbs is P of WindowAttention, for all places; p [B windows, heads, L, L].
func WindowProbs[T Float](p, qkv, pad, table []T, w Windows) {
	n := w.Size()
	w.each(func(image, win, head, index int) {
		for i := range n {
			s := windowScores(w, qkv, pad, table, image, win, head, i)
			l := logSumExp(s)
			for u := range s {
				s[u] = math.Exp(s[u] - l)
			}
			store(row(p, index*n+i, n), s)
		}
	})
}

// WindowAttentionBackward is the gradient of WindowAttention at qkv. With P = exp(S - lse), per window and head:
//
//	delta = rowsum(do ⊙ o);  dv = Pᵀ do;  dS = P ⊙ (do vᵀ - delta);  dq = dS k / sqrt(d);  dk = dSᵀ q / sqrt(d)
//
// qkv, dqkv [B T, 3 D]; o, do [B T, D]; lse, delta [B, heads, T]. What reaches places of padding ends there.
func WindowAttentionBackward[T Float](dqkv, delta, qkv, pad, table, o, lse, do []T, w Windows) {
	h := Heads{Batch: w.Batch, Tokens: w.Tokens(), Count: w.Count, Dim: w.Dim}
	sum, lost := make([]float64, len(dqkv)), make([]float64, len(pad))
	scale := 1 / math.Sqrt(float64(w.Dim))
	w.each(func(image, win, head, _ int) {
		for i := range w.Size() {
			t := w.Token(win, i)
			if t < 0 {
				continue
			}
			g, index := channels(h, do, image, head, t), (image*w.Count+head)*w.Tokens()+t
			dt := dot(g, channels(h, o, image, head, t))
			delta[index] = T(dt)
			q := windowPart(w, qkv, pad, image, win, head, i, 0)
			dq := windowPart(w, sum, lost, image, win, head, i, 0)
			for u, s := range windowScores(w, qkv, pad, table, image, win, head, i) {
				p := math.Exp(s - float64(lse[index]))
				ds := p * (dot(g, windowPart(w, qkv, pad, image, win, head, u, 2)) - dt)
				addScaled(windowPart(w, sum, lost, image, win, head, u, 2), p, g)
				addScaled(dq, ds*scale, windowPart(w, qkv, pad, image, win, head, u, 1))
				addScaled(windowPart(w, sum, lost, image, win, head, u, 1), ds*scale, q)
			}
		}
	})
	store(dqkv, sum)
}
