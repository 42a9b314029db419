package calibrate

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/edgeadapt/edgeadapt/quant"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend/cpu"
	"github.com/edgeadapt/edgeadapt/sdk/internal/nn"
	"github.com/edgeadapt/edgeadapt/sdk/internal/tensor"
	"github.com/edgeadapt/edgeadapt/sdk/model"
)

func open(t *testing.T, threads int) backend.Backend {
	t.Helper()
	be, err := cpu.New(cpu.Options{Threads: threads})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if n := be.MemoryInUse(); n != 0 {
			t.Errorf("%d bytes in use at the end", n)
		}
		be.Close()
	})
	return be
}

func source(t *testing.T, parts ...string) *model.Source {
	t.Helper()
	src, err := model.Import(filepath.Join(append([]string{"..", "nn", "testdata"}, parts...)...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { src.Close() })
	return src
}

// waves makes n images of a few waves each.
func waves(seed uint64, n, side int) (images []tensor.Tensor) {
	r := rand.New(rand.NewPCG(seed, 0))
	for range n {
		x := tensor.New(3, side, side)
		for range 4 {
			a, b, phase := r.NormFloat64(), r.NormFloat64(), 6*r.Float64()
			gain := [3]float64{r.NormFloat64(), r.NormFloat64(), r.NormFloat64()}
			for i := range x.Data {
				c, row, col := i/(side*side), i/side%side, i%side
				x.Data[i] += float32(gain[c] * math.Sin(phase+(a*float64(row)+b*float64(col))/4))
			}
		}
		images = append(images, x)
	}
	return images
}

// deviation is the squared distance of b's last tokens to want's, over those of want.
func deviation(t *testing.T, be backend.Backend, b *model.Backbone, acts nn.Activations, images []tensor.Tensor, want [][]float32) (float64, [][]float32) {
	t.Helper()
	v, err := nn.NewViT(be, b, acts)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	s, last := images[0].Shape, nn.BlockOutput(b.Config().Depth-1)
	f, err := v.NewForward(nn.ForwardConfig{Batch: 1, Height: s[1], Width: s[2], Taps: []string{last}})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var got [][]float32
	var sum, size float64
	for i, x := range images {
		y, err := read(context.Background(), f, last, x.Data)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, y)
		if want != nil {
			for j, v := range want[i] {
				sum += float64(y[j]-v) * float64(y[j]-v)
				size += float64(v) * float64(v)
			}
		}
	}
	return sum / size, got
}

// TestRun: calibrated with some images, a network is closer to the float one on others, in all architectures.
func TestRun(t *testing.T) {
	for _, c := range []struct {
		name  string
		parts []string
		side  int
		least float64 // of the rounded network's deviation
	}{
		{"vit", []string{"vit", "timm"}, 32, 0.7},
		{"layer scale", []string{"dinov2", "hf"}, 0, 0.7},
		{"swin", []string{"swin", "timm"}, 0, 0.7},
	} {
		t.Run(c.name, func(t *testing.T) {
			be, src := open(t, 2), source(t, c.parts...)
			if c.side == 0 {
				c.side, _ = src.Config().ImageSize()
			}
			seen, others := waves(1, 24, c.side), waves(2, 6, c.side)
			float, err := model.Quantize(src, quant.F32)
			if err != nil {
				t.Fatal(err)
			}
			plain, err := model.Quantize(src, quant.Q4G)
			if err != nil {
				t.Fatal(err)
			}
			var steps, total int
			b, err := Run(context.Background(), be, src, quant.Q4G, seen, 2, func(done, of int) { steps, total = steps+1, of })
			if err != nil {
				t.Fatal(err)
			}
			if steps != total || total < 4*src.Config().Depth {
				t.Errorf("progress told %d times of %d", steps, total)
			}
			_, want := deviation(t, be, float, nn.FloatActivations, others, nil)
			was, _ := deviation(t, be, plain, nn.FloatActivations, others, want)
			got, _ := deviation(t, be, b, nn.FloatActivations, others, want)
			t.Logf("deviation %.4g, rounded %.4g", got, was)
			if got > c.least*was {
				t.Errorf("deviation %.4g, rounded %.4g", got, was)
			}
			if b.Fingerprint() != plain.Fingerprint() || b.Scheme() != quant.Q4G || b.Bytes() != plain.Bytes() {
				t.Errorf("%s of scheme %s, %d bytes", b.Fingerprint(), b.Scheme(), b.Bytes())
			}
		})
	}
}

// TestRunRepeats: the number of threads has no say.
func TestRunRepeats(t *testing.T) {
	images := waves(1, 3, 32)
	var first *model.Backbone
	for _, threads := range []int{1, 2} {
		b, err := Run(context.Background(), open(t, threads), source(t, "vit", "timm"), quant.Q4G32, images, threads, nil)
		if err != nil {
			t.Fatal(err)
		}
		if first != nil {
			for i := range b.Config().Depth {
				for _, layer := range blockLayers {
					m, _ := b.Linear(i, layer)
					other, _ := first.Linear(i, layer)
					if !reflect.DeepEqual(m, other) {
						t.Errorf("block %d %s differs", i, layer)
					}
				}
			}
		}
		first = b
	}
}

func TestRunRefuses(t *testing.T) {
	be, src := open(t, 1), source(t, "vit", "timm")
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	broken := waves(1, 1, 32)
	broken[0].Data[5] = float32(math.NaN())
	for _, c := range []struct {
		name   string
		ctx    context.Context
		scheme quant.Scheme
		images []tensor.Tensor
		is     error
	}{
		{"no images", context.Background(), quant.Q4G, nil, quant.ErrInputs},
		{"scheme", context.Background(), quant.F16, waves(1, 1, 32), quant.ErrScheme},
		{"sizes", context.Background(), quant.Q4G, append(waves(1, 1, 32), waves(1, 1, 48)...), tensor.ErrShape},
		{"odd size", context.Background(), quant.Q4G, waves(1, 1, 33), tensor.ErrShape},
		{"nan", context.Background(), quant.Q4G, broken, quant.ErrInputs},
		{"int8, nan", context.Background(), quant.Q8C, broken, quant.ErrInputs},
		{"int8, sizes", context.Background(), quant.Q8C, append(waves(1, 1, 32), waves(1, 1, 48)...), tensor.ErrShape},
		{"int8, cancelled", cancelled, quant.Q8C, waves(1, 1, 32), context.Canceled},
		{"cancelled", cancelled, quant.Q4G, waves(1, 1, 32), context.Canceled},
	} {
		if _, err := Run(c.ctx, be, src, c.scheme, c.images, 1, nil); !errors.Is(err, c.is) {
			t.Errorf("%s: %v, expected %v", c.name, err, c.is)
		}
	}
}
