package nn

import (
	"github.com/edgeadapt/edgeadapt/quant"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/edgeadapt/edgeadapt/sdk/internal/tensor"
	"github.com/pkg/errors"
)

// Scheme is how the backbone's linear layers are stored.
func (v *ViT) Scheme() quant.Scheme { return v.host.Scheme() }

// FCNorm is the backbone's own norm of the pooled vector, by the names of a task's, nil where it has none: what a task's
// may start from.
func (v *ViT) FCNorm() map[string]tensor.Tensor {
	if !v.cfg.FCNorm {
		return nil
	}
	norm := map[string]tensor.Tensor{}
	for _, leaf := range []string{"weight", "bias"} {
		data := v.host.Float(v.cfg.FinalNorm() + "." + leaf)
		norm["fc_norm."+leaf] = tensor.Tensor{Shape: tensor.Shape{len(data)}, Data: data}
	}
	return norm
}

// carried lists, by name, what the optimiser carries from one step to the next: a checkpoint holds all of it, so a new
// kind of state has only to be named here. Gradients are made anew by every step.
func (o *Optimizer) carried() map[string]backend.Buffer {
	buffers := map[string]backend.Buffer{}
	for i, name := range o.cfg.moments() {
		buffers[name] = o.moments[i]
	}
	return buffers
}

// stateSteps is the number of steps done, which float32 holds exactly up to 2²⁴.
const stateSteps = "steps"

// State reads what the optimiser carries from one step to the next, by name: the number of steps [1], the others [Task.Size].
func (o *Optimizer) State() (map[string][]float32, error) {
	state := map[string][]float32{stateSteps: {float32(o.steps)}}
	for name, b := range o.carried() {
		state[name] = make([]float32, b.Len())
		if err := b.Read(0, state[name]); err != nil {
			return nil, errors.WithMessagef(err, "optimiser state %s", name)
		}
	}
	return state, nil
}

// SetState puts back what State read.
func (o *Optimizer) SetState(state map[string][]float32) error {
	buffers, steps := o.carried(), state[stateSteps]
	if len(state) != len(buffers)+1 || len(steps) != 1 || !(steps[0] >= 0 && steps[0] <= 1<<24) {
		return errors.WithMessagef(tensor.ErrShape, "optimiser with %d kinds of state and steps %v, expected %d and a number", len(state), steps, len(buffers)+1)
	}
	for name, b := range buffers {
		if len(state[name]) != b.Len() {
			return errors.WithMessagef(tensor.ErrShape, "optimiser state %s has %d elements, expected %d", name, len(state[name]), b.Len())
		}
		if err := b.Write(0, state[name]); err != nil {
			return errors.WithMessagef(err, "optimiser state %s", name)
		}
	}
	o.steps = int(steps[0])
	return nil
}
