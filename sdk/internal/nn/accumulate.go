package nn

import (
	"context"

	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
)

// accumulation sums the gradients of several runs of a step before one update. A nil one is that of a step that updates in
// every run.
type accumulation struct {
	runs   int
	total  backend.Buffer // of the gradients
	update backend.Executable
	rates  backend.Value // input of update
	keep   backend.Value // input of the step's program: 0 in an update's first run, else 1

	done int     // runs since the last update
	lr   float32 // of the first of them
	resources
}

// newAccumulation compiles the update; nil where c asks for none.
func (v *ViT) newAccumulation(t *Task, o *Optimizer, c StepConfig) (*accumulation, error) {
	if c.Accumulate <= 1 {
		return nil, nil
	}
	a := &accumulation{runs: c.Accumulate, resources: resources{be: v.be}}
	a.total = a.floats("summed gradients", make([]float32, t.Size()))
	if a.err != nil {
		a.close()
		return nil, a.err
	}
	r := backend.NewRecorder()
	a.rates = o.update(r, t, a.total, c.ClipNorm)
	prog, err := r.Finish()
	if err == nil {
		a.update, err = v.be.Compile(prog)
	}
	if err != nil {
		a.close()
		return nil, err
	}
	a.owned = append(a.owned, a.update)
	return a, nil
}

// close is Close, also of none.
func (a *accumulation) close() error {
	if a == nil {
		return nil
	}
	return a.Close()
}

// count is the number of runs an update.
func (a *accumulation) count() int {
	if a == nil {
		return 1
	}
	return a.runs
}

// add records what follows the gradients of a run.
func (a *accumulation) add(r *backend.Recorder, o *Optimizer) {
	n := a.total.Len()
	total := r.Param("summed gradients", a.total, 0, n)
	a.keep = r.Input("keep", 1)
	r.ScaleInPlace(total, a.keep)
	r.AddInPlace(total, r.Param("gradients", o.grads, 0, n))
}

// begin prepares a run of the step.
func (a *accumulation) begin(step backend.Executable, lr float32) error {
	if a == nil {
		return nil
	}
	keep := []float32{1}
	if a.done == 0 {
		keep[0], a.lr = 0, lr
	}
	return step.WriteFloats(a.keep, keep)
}

// end updates after the last run.
func (a *accumulation) end(ctx context.Context, o *Optimizer) error {
	if a == nil {
		return nil
	}
	if a.done++; a.done < a.runs {
		return nil
	}
	a.done = 0
	if err := a.update.WriteFloats(a.rates, o.rates(a.lr)); err != nil {
		return err
	}
	if err := a.update.Run(ctx); err != nil {
		return err
	}
	o.steps++
	return nil
}
