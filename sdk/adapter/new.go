package adapter

import (
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"strings"

	"github.com/edgeadapt/edgeadapt/sdk/internal/tensor"
)

// headStd is the standard deviation of a fresh head's weights. The authors cut the distribution at +-2, which is 200
// deviations away, so that a plain normal distribution is the same.
const headStd = 0.01

// Init is how branches start.
type Init string

// The starts. ZeroStart is the paper's: down-projections uniform in +-1/sqrt(dim) (kaiming-uniform with a = sqrt 5),
// up-projections zero, so that a branch adds nothing at first. VideoStart is what the authors' video code comes to: it
// initialises all linear layers once more, with normal weights of deviation 0.02, up-projections included.
const (
	ZeroStart  Init = ""
	VideoStart Init = "video"
)

// String is the start's word.
func (i Init) String() string {
	if i == ZeroStart {
		return "zero"
	}
	return string(i)
}

// ParseInit reads what String writes.
func ParseInit(s string) (Init, error) {
	for _, i := range []Init{ZeroStart, VideoStart} {
		if s == i.String() {
			return i, nil
		}
	}
	return ZeroStart, fmt.Errorf("start %q, expected zero or video: %w", s, ErrConfig)
}

// videoStd is the standard deviation of VideoStart. The authors cut the distribution at +-2, 100 deviations away.
const videoStd = 0.02

// New makes an adapter with branches of ZeroStart, which change nothing yet; see NewStart.
func New(c Config, backbone Ref, seed uint64) (*Adapter, error) {
	return NewStart(c, backbone, seed, ZeroStart)
}

// NewStart makes an adapter: branches as start says, all biases zero, gains and running variances 1, learned scales
// c.Scale, head weights normal. The same arguments give the same bits; a tensor does not depend on which others there are.
func NewStart(c Config, backbone Ref, seed uint64, start Init) (*Adapter, error) {
	if _, err := ParseInit(start.String()); err != nil {
		return nil, err
	}
	if err := checkFor(c, backbone); err != nil {
		return nil, err
	}
	tensors := map[string]tensor.Tensor{}
	for _, s := range c.specs(backbone) {
		t := tensor.New(s.shape...)
		s.fill(t.Data, stream(seed, s.name), c, start)
		tensors[s.name] = t
	}
	return build(c, backbone, tensors, nil)
}

// stream is the random generator of one tensor.
func stream(seed uint64, name string) *rand.Rand {
	h := fnv.New64a()
	h.Write([]byte(name))
	return rand.New(rand.NewPCG(seed, h.Sum64()))
}

// fill sets the start values of a tensor that is still zero.
func (s spec) fill(data []float32, r *rand.Rand, c Config, start Init) {
	projection := strings.HasSuffix(s.name, "down_proj.weight") || strings.HasSuffix(s.name, "up_proj.weight")
	switch {
	case projection && start == VideoStart:
		normal(data, r, videoStd)
	case strings.HasSuffix(s.name, "down_proj.weight"):
		bound := 1 / math.Sqrt(float64(s.shape[1]))
		for i := range data {
			data[i] = float32((2*r.Float64() - 1) * bound)
		}
	case s.name == runningVar || s.name == fcNormWeight || strings.HasSuffix(s.name, normLeaf+"weight"):
		constant(data, 1)
	case strings.HasSuffix(s.name, "adaptmlp."+scaleLeaf):
		constant(data, c.Scale)
	case strings.HasPrefix(s.name, "head.") && strings.HasSuffix(s.name, "weight"):
		normal(data, r, headStd)
	}
}

func constant(data []float32, v float32) {
	for i := range data {
		data[i] = v
	}
}

func normal(data []float32, r *rand.Rand, std float64) {
	for i := range data {
		data[i] = float32(std * r.NormFloat64())
	}
}
