package nn

import (
	"math"

	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
)

// OptimizerConfig is an optimiser's rule: AdamW where that is set, else SGD with momentum.
type OptimizerConfig struct {
	Momentum    float32              // of SGD
	WeightDecay float32              // of SGD
	AdamW       *backend.AdamWConfig // nil: SGD
}

// Optimizer is the state of a training run beside the task's parameters, one element each for every parameter: gradients,
// and what the rule carries from step to step. One goroutine at a time.
type Optimizer struct {
	cfg     OptimizerConfig
	grads   backend.Buffer
	moments []backend.Buffer // SGD: the velocity; AdamW: the first and the second moment
	steps   int              // done
	input   [3]float32
	resources
}

// NewOptimizer makes the state for t, all zero.
func NewOptimizer(v *ViT, t *Task, c OptimizerConfig) (*Optimizer, error) {
	o := &Optimizer{cfg: c, resources: resources{be: v.be}}
	o.grads = o.floats("gradients", make([]float32, t.Size()))
	for _, name := range c.moments() {
		o.moments = append(o.moments, o.floats(name, make([]float32, t.Size())))
	}
	if o.err != nil {
		o.Close()
		return nil, o.err
	}
	return o, nil
}

// moments are the names of what the rule carries.
func (c OptimizerConfig) moments() []string {
	if c.AdamW != nil {
		return []string{"first moment", "second moment"}
	}
	return []string{"velocity"}
}

// update records one step over all of t's parameters by their gradients and returns the input that takes rates.
func (o *Optimizer) update(r *backend.Recorder, t *Task, gradients backend.Buffer, clip float32) (rates backend.Value) {
	whole := func(name string, b backend.Buffer) backend.Value { return r.Param(name, b, 0, t.layout.size) }
	grads, params := whole("gradients", gradients), whole("parameters", t.params)
	if clip > 0 {
		r.ClipNorm(grads, clip)
	}
	if o.cfg.AdamW != nil {
		rates = r.Input("rates", 3)
		r.AdamW(params, grads, whole("first moment", o.moments[0]), whole("second moment", o.moments[1]), rates, *o.cfg.AdamW)
		return rates
	}
	rates = r.Input("learning rate", 1)
	r.SGD(params, grads, whole("velocity", o.moments[0]), rates, o.cfg.Momentum, o.cfg.WeightDecay)
	return rates
}

// rates is what the next step at learning rate lr is given, valid until the next call.
func (o *Optimizer) rates(lr float32) []float32 {
	o.input[0] = lr
	c := o.cfg.AdamW
	if c == nil {
		return o.input[:1]
	}
	for i, beta := range []float32{c.Beta1, c.Beta2} {
		o.input[1+i] = float32(1 - math.Pow(float64(beta), float64(o.steps+1)))
	}
	return o.input[:]
}
