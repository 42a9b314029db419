package adapter

import (
	"hash/fnv"
	"math"
	"math/rand/v2"
	"strings"

	"github.com/edgeadapt/edgeadapt/sdk/internal/tensor"
)

// headStd is the standard deviation of a fresh head's weights. The authors cut the distribution at +-2, which is 200
// deviations away, so that a plain normal distribution is the same.
const headStd = 0.01

// New makes an adapter that changes nothing yet: down-projections uniform in +-1/sqrt(dim) (kaiming-uniform with
// a = sqrt 5), up-projections and all biases zero, running statistics 0 and 1, head weights normal.
// The same configuration, backbone and seed give the same bits; a tensor does not depend on which others there are.
func New(c Config, backbone Ref, seed uint64) (*Adapter, error) {
	if err := checkFor(c, backbone); err != nil {
		return nil, err
	}
	tensors := map[string]tensor.Tensor{}
	for _, s := range c.specs(backbone) {
		t := tensor.New(s.shape...)
		s.fill(t.Data, stream(seed, s.name))
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
func (s spec) fill(data []float32, r *rand.Rand) {
	switch {
	case strings.HasSuffix(s.name, "down_proj.weight"):
		bound := 1 / math.Sqrt(float64(s.shape[1]))
		for i := range data {
			data[i] = float32((2*r.Float64() - 1) * bound)
		}
	case s.name == runningVar || s.name == fcNormWeight:
		for i := range data {
			data[i] = 1
		}
	case strings.HasPrefix(s.name, "head.") && strings.HasSuffix(s.name, "weight"):
		for i := range data {
			data[i] = float32(headStd * r.NormFloat64())
		}
	}
}
