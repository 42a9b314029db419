package tsne

import (
	"cmp"
	"context"
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"slices"
	"testing"
)

// golden is what testdata holds.
type golden struct {
	points                    [][]float32
	p                         []float64
	Perplexity                float64
	KL                        float64 `json:"quality_bar_kl"`
	Trust                     float64 `json:"quality_bar_trustworthiness"`
	Samples, Dims, Dimensions int
}

func load(t *testing.T) (g golden) {
	t.Helper()
	text, err := os.ReadFile("testdata/tsne.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &g); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile("testdata/features.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	head := binary.LittleEndian.Uint64(raw)
	var index map[string]struct {
		Offsets [2]int `json:"data_offsets"`
	}
	if err := json.Unmarshal(raw[8:8+head], &index); err != nil {
		t.Fatal(err)
	}
	data := raw[8+head:]
	f := data[index["features"].Offsets[0]:]
	for i := range g.Samples {
		row := make([]float32, g.Dims)
		for k := range row {
			row[k] = math.Float32frombits(binary.LittleEndian.Uint32(f[4*(i*g.Dims+k):]))
		}
		g.points = append(g.points, row)
	}
	p := data[index["P_float64"].Offsets[0]:]
	for i := range g.Samples * g.Samples {
		g.p = append(g.p, math.Float64frombits(binary.LittleEndian.Uint64(p[8*i:])))
	}
	return g
}

func TestAffinities(t *testing.T) {
	g := load(t)
	worst := func(perplexity float64) (d float64) {
		p, err := affinities(g.points, perplexity)
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range p {
			d = max(d, math.Abs(v-g.p[i]))
		}
		return d
	}
	if d := worst(g.Perplexity); d > 1e-6 {
		t.Errorf("P differs by %g", d)
	}
	if d := worst(g.Perplexity + 1); d < 1e-6 { // control
		t.Errorf("P of another perplexity within %g", d)
	}
}

// divergence is the Kullback-Leibler divergence of an embedding's affinities from p.
func divergence(p []float64, y [][2]float64) (kl float64) {
	n := len(y)
	q, sum := make([]float64, n*n), 0.0
	for i := range n {
		for j := range n {
			if i != j {
				q[i*n+j] = 1 / (1 + square(y[i], y[j]))
				sum += q[i*n+j]
			}
		}
	}
	for i, v := range p {
		if v > 0 {
			kl += v * math.Log(v/(q[i]/sum))
		}
	}
	return kl
}

func square(a, b [2]float64) float64 {
	return (a[0]-b[0])*(a[0]-b[0]) + (a[1]-b[1])*(a[1]-b[1])
}

// trustworthiness is 1 less a penalty for neighbours in the plane that are none in space (Venna and Kaski, 2001).
func trustworthiness(points [][]float32, y [][2]float64, k int) float64 {
	n := len(y)
	d, err := distances(points)
	if err != nil {
		return math.NaN()
	}
	var penalty float64
	for i := range n {
		order := func(distance func(j int) float64) []int {
			var ids []int
			for j := range n {
				if j != i {
					ids = append(ids, j)
				}
			}
			slices.SortFunc(ids, func(a, b int) int { return cmp.Compare(distance(a), distance(b)) })
			return ids
		}
		space := order(func(j int) float64 { return d[i*n+j] })
		for _, j := range order(func(j int) float64 { return square(y[i], y[j]) })[:k] {
			penalty += float64(max(slices.Index(space, j)+1-k, 0))
		}
	}
	return 1 - penalty*2/float64(n*k*(2*n-3*k-1))
}

func TestEmbedMeetsTheBars(t *testing.T) {
	g := load(t)
	for seed := range uint64(3) {
		y, err := Embed(context.Background(), g.points, g.Perplexity, seed)
		if err != nil {
			t.Fatal(err)
		}
		if kl := divergence(g.p, y); !(kl <= g.KL) {
			t.Errorf("seed %d: divergence %.4f, at most %.4f wanted", seed, kl, g.KL)
		}
		if trust := trustworthiness(g.points, y, 10); !(trust >= g.Trust) {
			t.Errorf("seed %d: trustworthiness %.4f, at least %.4f wanted", seed, trust, g.Trust)
		}
		again, err := Embed(context.Background(), g.points, g.Perplexity, seed)
		if err != nil || !slices.Equal(y, again) {
			t.Errorf("seed %d: another embedding the second time (%v)", seed, err)
		}
		slices.Reverse(again) // control: points in other places
		if kl := divergence(g.p, again); kl <= g.KL {
			t.Errorf("control: divergence %.4f of a wrong embedding", kl)
		}
	}
}

func TestEmbedCorners(t *testing.T) {
	ctx := context.Background()
	if y, err := Embed(ctx, [][]float32{{1}, {2}}, 1, 0); y != nil || err != nil {
		t.Errorf("two points: %v, %v", y, err)
	}
	same := make([][]float32, 20)
	for i := range same {
		same[i] = []float32{1, 2, 3}
	}
	y, err := Embed(ctx, same, 5, 0)
	for _, p := range y {
		if p[0]-p[0] != 0 || p[1]-p[1] != 0 {
			t.Fatalf("equal points land at %v", p)
		}
	}
	if err != nil {
		t.Error(err)
	}
	for name, points := range map[string][][]float32{"no number": {{1}, {float32(math.NaN())}, {2}, {3}}, "lengths": {{1}, {1, 2}, {2}, {3}}} {
		if _, err := Embed(ctx, points, 2, 0); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := Embed(ctx, same, 20, 0); err == nil {
		t.Error("as many neighbours as points: no error")
	}
	ctx, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := Embed(ctx, same, 5, 0); err == nil {
		t.Error("cancelled: no error")
	}
}

func BenchmarkEmbed500(b *testing.B) {
	points := make([][]float32, 500)
	for i := range points {
		points[i] = make([]float32, 768)
		for k := range points[i] {
			points[i][k] = float32(math.Sin(float64(i*k + i%10*77)))
		}
	}
	for b.Loop() {
		if _, err := Embed(context.Background(), points, 30, 0); err != nil {
			b.Fatal(err)
		}
	}
}
