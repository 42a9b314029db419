package data

import (
	"bytes"
	"math"
	"testing"

	"github.com/edgeadapt/edgeadapt/sdk/internal/tensor"
)

func TestReduce(t *testing.T) {
	for _, c := range []struct{ w, h, side, want int }{
		{4000, 3000, 0, 1}, {4000, 3000, 512, 4}, {3000, 4000, 512, 4}, {4000, 3000, 448, 4}, {640, 480, 512, 1}, {1024, 1024, 512, 2},
		{1024, 1023, 512, 1}, {8192, 8192, 512, 8}, {60000, 60000, 1, 8}, {1, 1, 1, 1},
	} {
		if got := (Decoder{MinSide: c.side}).reduce(c.w, c.h); got != c.want {
			t.Errorf("%dx%d that keeps %d: reduced by %d, want %d", c.w, c.h, c.side, got, c.want)
		}
	}
}

// looking is a Step that changes nothing.
type looking struct{}

func (looking) Apply(m *RGB) (*RGB, error) { return m, nil }

func TestPipelineDecoder(t *testing.T) {
	crop, squash := vitS, vitS
	squash.Fit = Squash
	exact, before := vitS, vitS
	exact.Exact, before.Before = true, looking{}
	for name, c := range map[string]struct {
		p    Pipeline
		want int
	}{"crop": {crop, 512}, "squash": {squash, 448}, "exact": {exact, 0}, "before": {before, 0}} {
		if got := c.p.Decoder().MinSide; got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}

// TestReducedCost: what decoding at reduced size changes in the tensor, in steps of 1/255. At the rule's limit, a short
// side of twice the target, it must stay small; a file twice as small again, which the rule forbids, must show.
func TestReducedCost(t *testing.T) {
	const w, h, size = 1024, 768, 96 // by 4: 256x192
	p := Pipeline{Fit: Squash, Size: size, Interpolation: Bicubic, Std: [3]float32{1, 1, 1}}
	file := photo(w, h)
	decoded := func(d Decoder, short int) tensor.Tensor {
		m, err := d.Decode(bytes.NewReader(file))
		if err != nil {
			t.Fatal(err)
		}
		if min(m.Width, m.Height) != short {
			t.Fatalf("%dx%d, expected a short side of %d", m.Width, m.Height, short)
		}
		x, err := p.Apply(m)
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	want := decoded(Decoder{}, h)
	difference := func(x tensor.Tensor) (mean, most float64) {
		for i, v := range x.Data {
			d := 255 * math.Abs(float64(v-want.Data[i]))
			mean, most = mean+d, max(most, d)
		}
		return mean / float64(len(x.Data)), most
	}
	mean, most := difference(decoded(p.Decoder(), h/4))
	t.Logf("by the rule: mean %.2f, most %.0f", mean, most)
	if mean > 1 || most > 8 {
		t.Errorf("by the rule: mean %.2f, most %.0f of 255", mean, most)
	}
	if beyond, _ := difference(decoded(Decoder{MinSide: size}, h/8)); beyond < 1.5*mean {
		t.Errorf("beyond the rule: mean %.2f, hardly more than %.2f", beyond, mean)
	}
}
