// Package tsne lays points of many dimensions out in the plane, neighbours beside neighbours: exact t-SNE (van der Maaten and
// Hinton, 2008) in float64. Its cost grows with the square of the number of points: 500 take about two seconds.
package tsne

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/pkg/errors"
)

// The usual schedule of gradient descent: exaggerated attraction first, then the true one with more momentum.
const (
	exaggeration   = 12
	exaggerated    = 250  // steps
	steps          = 1000 // in all
	earlyMomentum  = 0.5
	lateMomentum   = 0.8
	slowestRate    = 50
	least          = 1e-12 // of an affinity, to keep logarithms finite
	startDeviation = 1e-4
)

// Embed places points, all of one length, in the plane. perplexity is how many neighbours count, at least 1 and below the number
// of points; seed decides the start, and with it orientation and details: the same arguments give the same bits on one kind of
// machine. It returns nothing for fewer than 3 points, and an error for points that are no numbers, or a cancelled ctx.
func Embed(ctx context.Context, points [][]float32, perplexity float64, seed uint64) ([][2]float64, error) {
	n := len(points)
	if n < 3 {
		return nil, nil
	}
	p, err := affinities(points, perplexity)
	if err != nil {
		return nil, err
	}
	g := &descent{p: p, n: n, y: make([][2]float64, n), velocity: make([][2]float64, n), gain: make([][2]float64, n),
		q: make([]float64, n*n), rate: max(float64(n)/exaggeration/4, slowestRate)}
	r := rand.New(rand.NewPCG(seed, 0x745e))
	for i := range g.y {
		g.y[i] = [2]float64{startDeviation * r.NormFloat64(), startDeviation * r.NormFloat64()}
		g.gain[i] = [2]float64{1, 1}
	}
	for step := range steps {
		if err := ctx.Err(); err != nil {
			return nil, errors.Wrap(err, "t-SNE")
		}
		if step < exaggerated {
			g.step(exaggeration, earlyMomentum)
		} else {
			g.step(1, lateMomentum)
		}
	}
	return g.y, nil
}

// affinities is P [n, n]: symmetric, of sum 1, with Gaussians whose widths give each point the perplexity.
func affinities(points [][]float32, perplexity float64) ([]float64, error) {
	n := len(points)
	if !(perplexity >= 1 && perplexity < float64(n)) {
		return nil, fmt.Errorf("perplexity %g of %d points, expected at least 1 and less than there are", perplexity, n)
	}
	d, err := distances(points)
	if err != nil {
		return nil, err
	}
	p := make([]float64, n*n)
	row := make([]float64, n)
	for i := range n {
		conditional(row, d[i*n:(i+1)*n], i, math.Log(perplexity))
		for j, v := range row {
			p[i*n+j] += v / float64(2*n)
			p[j*n+i] += v / float64(2*n)
		}
	}
	return p, nil
}

// distances are the squares of the Euclidean ones [n, n].
func distances(points [][]float32) ([]float64, error) {
	n := len(points)
	d := make([]float64, n*n)
	for i := range n {
		if len(points[i]) != len(points[0]) {
			return nil, fmt.Errorf("point %d has %d dimensions, the first has %d", i, len(points[i]), len(points[0]))
		}
		for j := range i {
			var sum float64
			for k, x := range points[i] {
				e := float64(x) - float64(points[j][k])
				sum += e * e
			}
			if sum-sum != 0 {
				return nil, fmt.Errorf("points %d and %d, expected finite numbers", j, i)
			}
			d[i*n+j], d[j*n+i] = sum, sum
		}
	}
	return d, nil
}

// conditional fills row with the probabilities of i's neighbours, at the precision that gives them the entropy wanted, which
// bisection finds.
func conditional(row, d []float64, i int, wanted float64) {
	nearest := math.Inf(1)
	for j, v := range d {
		if j != i {
			nearest = min(nearest, v)
		}
	}
	low, high := 0.0, math.Inf(1)
	beta := 1.0
	for range 200 {
		var sum, weighted float64
		for j, v := range d {
			row[j] = 0
			if j != i {
				row[j] = math.Exp(-beta * (v - nearest)) // the nearest is 1: the sum never vanishes
				sum += row[j]
				weighted += (v - nearest) * row[j]
			}
		}
		for j := range row {
			row[j] /= sum
		}
		entropy := math.Log(sum) + beta*weighted/sum
		switch {
		case math.Abs(entropy-wanted) < 1e-10:
			return
		case entropy > wanted:
			low = beta
		default:
			high = beta
		}
		if beta = (low + high) / 2; math.IsInf(high, 1) {
			beta = 2 * low
		}
		if low == 0 && beta < 1e-300 {
			return // equal distances: no precision changes anything
		}
	}
}

// descent is gradient descent on the Kullback-Leibler divergence, with momentum and a gain for each coordinate.
type descent struct {
	n                 int
	p, q              []float64 // q is not normalised
	y, velocity, gain [][2]float64
	rate              float64
}

func (g *descent) step(exaggerate, momentum float64) {
	var sum float64
	for i := range g.n {
		for j := range i {
			dx, dy := g.y[i][0]-g.y[j][0], g.y[i][1]-g.y[j][1]
			q := 1 / (1 + dx*dx + dy*dy)
			g.q[i*g.n+j], g.q[j*g.n+i] = q, q
			sum += 2 * q
		}
	}
	next := make([][2]float64, g.n)
	for i := range g.n {
		var grad [2]float64
		q, p := g.q[i*g.n:(i+1)*g.n], g.p[i*g.n:(i+1)*g.n]
		for j := range g.n {
			f := 4 * (exaggerate*p[j] - max(q[j]/sum, least)) * q[j]
			grad[0] += f * (g.y[i][0] - g.y[j][0])
			grad[1] += f * (g.y[i][1] - g.y[j][1])
		}
		for k, d := range grad {
			v, gain := &g.velocity[i][k], &g.gain[i][k]
			if (d > 0) != (*v > 0) {
				*gain += 0.2
			} else {
				*gain = max(*gain*0.8, 0.01)
			}
			*v = momentum**v - g.rate**gain*d
			next[i][k] = g.y[i][k] + *v
		}
	}
	copy(g.y, next)
	g.center()
}

// center keeps the mean at the origin.
func (g *descent) center() {
	var mean [2]float64
	for _, y := range g.y {
		mean[0] += y[0] / float64(g.n)
		mean[1] += y[1] / float64(g.n)
	}
	for i := range g.y {
		g.y[i][0] -= mean[0]
		g.y[i][1] -= mean[1]
	}
}
