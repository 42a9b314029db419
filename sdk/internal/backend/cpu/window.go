package cpu

import (
	"math"

	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/edgeadapt/edgeadapt/sdk/internal/window"
)

// windows is an attention within windows. A task is one head in some windows of one image: it spreads the head's position
// table over the pairs of a window once, and gathers the rows of each window, so that heads does the rest.
type windows struct {
	heads                           // of one window, as if it were an image with one head
	images, count, tokens, size int // tokens of an image, places of a window
	number, group               int // windows of an image; of a task
	token                       []int32
	region                      [][]uint8 // by window, nil where all see one another
	entry                       []int32   // of the position table, by query and key
	pad, table                  []float32
}

// paddingLSE makes the probabilities in rows of padding zero when they are recomputed.
const paddingLSE = 1e4

func (d *device) windows(e *executable, o backend.Windows, qkv, pad, table backend.Value) windows {
	const windowsPerTask = 8
	_, n := matrix(e, qkv)
	dim, l, size := n/(3*o.Count), o.Layout, o.Layout.Size()
	mr, nr := d.set.MR, d.set.NR
	w := windows{images: o.Batch, count: o.Count, tokens: l.Tokens(), size: size, number: l.Windows(), group: min(windowsPerTask, l.Windows()),
		pad: e.Floats(pad), table: e.Floats(table)}
	w.heads = heads{device: d, batch: 1, tokens: size, count: 1, dim: dim, scale: float32(1 / math.Sqrt(float64(dim))),
		block: pieces(min(size, 64), mr) * mr, keys: pieces(size, nr) * nr, channels: pieces(dim, nr) * nr}
	for win := range w.number {
		region, mixed := make([]uint8, size), false
		for i := range size {
			w.token = append(w.token, int32(l.Token(win, i)))
			region[i] = uint8(l.Region(win, i))
			mixed = mixed || region[i] != region[0]
		}
		if !mixed {
			region = nil
		}
		w.region = append(w.region, region)
	}
	for i := range size {
		for j := range size {
			w.entry = append(w.entry, int32(l.Entry(i, j)))
		}
	}
	return w
}

// tasks is how many there are.
func (w *windows) tasks() int { return w.images * w.count * pieces(w.number, w.group) }

// each calls f for the windows of task i, with the bias of its head.
func (w *windows) each(c *carve, i int, f func(image, head, win int, bias []float32)) {
	groups := pieces(w.number, w.group)
	image, head, group := i/(w.count*groups), i/groups%w.count, i%groups
	bias := c.take(w.size * w.size)
	for j, e := range w.entry {
		bias[j] = w.table[int(e)*w.count+head] / w.scale
	}
	for win := group * w.group; win < min((group+1)*w.group, w.number); win++ {
		f(image, head, win, bias)
	}
}

// gather copies parts of the rows of a window's tokens side by side to dst [size, parts dim]: part p of a row begins at
// p stride + head dim. Places of padding get those of pad, or zeros where that is nil.
func (w *windows) gather(dst, x, pad []float32, parts, image, head, win int) {
	d := w.count * w.dim
	for i, t := range w.token[win*w.size : (win+1)*w.size] {
		from := pad
		if t >= 0 {
			from = x[(image*w.tokens+int(t))*parts*d:]
		}
		for p := range parts {
			to := dst[(i*parts+p)*w.dim : (i*parts+p+1)*w.dim]
			if from == nil {
				clear(to)
			} else {
				copy(to, from[p*d+head*w.dim:])
			}
		}
	}
}

// scatter is the way back; what stands at places of padding is dropped.
func (w *windows) scatter(x, src []float32, parts, image, head, win int) {
	d := w.count * w.dim
	for i, t := range w.token[win*w.size : (win+1)*w.size] {
		if t < 0 {
			continue
		}
		to := x[(image*w.tokens+int(t))*parts*d:]
		for p := range parts {
			copy(to[p*d+head*w.dim:][:w.dim], src[(i*parts+p)*w.dim:])
		}
	}
}

// addBias adds the bias and the mask, both divided by the scale, to the scores of the query at place i.
func (w *windows) addBias(row, bias []float32, win, i int) {
	w.set.Add(row, bias[i*w.size:(i+1)*w.size])
	region := w.region[win]
	if region == nil {
		return
	}
	mask := window.Mask / w.scale
	for j, r := range region {
		if r != region[i] {
			row[j] += mask
		}
	}
}

// windowAttention is o = softmax(q kᵀ / sqrt(d) + table + mask) v within windows, and the log-sum-exp of the scores.
func (d *device) windowAttention(e *executable, o *backend.WindowAttention) func() {
	w := d.windows(e, o.Windows, o.QKV, o.Pad, o.Table)
	qkv, out, lse := e.Floats(o.QKV), e.Floats(o.O), e.Floats(o.LSE)
	n := w.size
	scratch := w.scratch(e, n*n+3*n*w.dim+w.dim*w.keys+n*w.channels+w.block*w.keys+n*w.dim+n)
	task := func(k *worker, i int) {
		c := scratch(k)
		w.each(&c, i, func(image, head, win int, bias []float32) {
			c := c
			x, y, l := c.take(3*n*w.dim), c.take(n*w.dim), c.take(n)
			w.gather(x, qkv, w.pad, 3, image, head, win)
			w.forward(k, &c, x, y, l, bias, win)
			w.scatter(out, y, 1, image, head, win)
			row := lse[(image*w.count+head)*w.tokens:]
			for j, t := range w.token[win*n : (win+1)*n] {
				if t >= 0 {
					row[t] = l[j]
				}
			}
		})
	}
	return func() { d.pool.run(w.tasks(), task) }
}

// forward computes one window and head: x [size, 3 dim], y [size, dim], lse [size].
func (w *windows) forward(k *worker, c *carve, x, y, lse, bias []float32, win int) {
	ld := 3 * w.dim
	keys, values, s := c.take(w.dim*w.keys), c.take(w.size*w.channels), c.take(w.block*w.keys)
	w.packKeys(keys, x[w.dim:])
	w.packChannels(values, x[2*w.dim:], ld)
	for t0 := 0; t0 < w.size; t0 += w.block {
		m := min(w.block, w.size-t0)
		w.scores(s, m, x[t0*ld:], ld, keys)
		for i := range m {
			row := s[i*w.keys : i*w.keys+w.size]
			w.addBias(row, bias, win, t0+i)
			top := w.scale * w.set.Largest(row)
			sum := w.set.ExpSum(row, w.scale, top)
			lse[t0+i] = top + float32(math.Log(float64(sum)))
			w.set.Scale(row, 1/sum)
		}
		w.product(k, y[t0*w.dim:], w.dim, m, w.size, s, w.keys, 1, values, 0, false)
	}
}

// windowAttentionBackward is dqkv, with P recomputed from the log-sum-exp.
func (d *device) windowAttentionBackward(e *executable, o *backend.WindowAttentionBackward) func() {
	w := d.windows(e, o.Windows, o.QKV, o.Pad, o.Table)
	qkv, out, lse, do := e.Floats(o.QKV), e.Floats(o.O), e.Floats(o.LSE), e.Floats(o.DO)
	delta, dqkv := e.Floats(o.Delta), e.Floats(o.DQKV)
	n := w.size
	scratch := w.scratch(e, n*n+8*n*w.dim+2*n+2*w.dim*w.keys+3*n*w.channels+2*w.block*w.keys)
	task := func(k *worker, i int) {
		c := scratch(k)
		w.each(&c, i, func(image, head, win int, bias []float32) {
			c := c
			g := headGradients{qkv: c.take(3 * n * w.dim), o: c.take(n * w.dim), do: c.take(n * w.dim), dqkv: c.take(3 * n * w.dim),
				lse: c.take(n), delta: c.take(n)}
			w.gather(g.qkv, qkv, w.pad, 3, image, head, win)
			w.gather(g.o, out, nil, 1, image, head, win)
			w.gather(g.do, do, nil, 1, image, head, win)
			row := (image*w.count + head) * w.tokens
			for j, t := range w.token[win*n : (win+1)*n] {
				if g.lse[j] = paddingLSE; t >= 0 {
					g.lse[j] = lse[row+int(t)]
				}
			}
			w.backward(k, &c, g, bias, win)
			w.scatter(dqkv, g.dqkv, 3, image, head, win)
			for j, t := range w.token[win*n : (win+1)*n] {
				if t >= 0 {
					delta[row+int(t)] = g.delta[j]
				}
			}
		})
	}
	return func() { d.pool.run(w.tasks(), task) }
}

// backward computes one window and head. dk and dv are sums over the blocks of queries, in order.
func (w *windows) backward(k *worker, c *carve, g headGradients, bias []float32, win int) {
	ld := 3 * w.dim
	kt, vt := c.take(w.dim*w.keys), c.take(w.dim*w.keys)
	q, keys, do := c.take(w.size*w.channels), c.take(w.size*w.channels), c.take(w.size*w.channels)
	p, ds := c.take(w.block*w.keys), c.take(w.block*w.keys)
	w.packKeys(kt, g.qkv[w.dim:])
	w.packKeys(vt, g.qkv[2*w.dim:])
	w.packChannels(q, g.qkv, ld)
	w.packChannels(keys, g.qkv[w.dim:], ld)
	w.packChannels(do, g.do, w.dim)
	for t0 := 0; t0 < w.size; t0 += w.block {
		m := min(w.block, w.size-t0)
		w.scores(p, m, g.qkv[t0*ld:], ld, kt)
		w.scores(ds, m, g.do[t0*w.dim:], w.dim, vt)
		for i := range m {
			at, t := i*w.keys, t0+i
			row := g.do[t*w.dim : (t+1)*w.dim]
			g.delta[t] = w.set.Dot(row, g.o[t*w.dim:(t+1)*w.dim])
			w.addBias(p[at:at+w.size], bias, win, t)
			w.set.ExpSum(p[at:at+w.size], w.scale, g.lse[t])
			w.set.ScoreGrad(ds[at:at+w.size], p[at:at+w.size], g.delta[t], w.scale)
		}
		w.product(k, g.dqkv[t0*ld:], ld, m, w.size, ds, w.keys, 1, keys, 0, false)
		w.product(k, g.dqkv[w.dim:], ld, w.size, m, ds, 1, w.keys, q, t0, t0 > 0)
		w.product(k, g.dqkv[2*w.dim:], ld, w.size, m, p, 1, w.keys, do, t0, t0 > 0)
	}
}
