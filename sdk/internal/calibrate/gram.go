package calibrate

import (
	"context"

	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
)

// gram computes aᵀ b on the device for matrices [rows, k].
type gram struct {
	sum  backend.Buffer
	exec backend.Executable
	a, b backend.Value
	read []float32
}

func newGram(be backend.Backend, rows, k int) (*gram, error) {
	sum, err := be.NewBuffer("gram", k*k)
	if err != nil {
		return nil, err
	}
	g := &gram{sum: sum, read: make([]float32, k*k)}
	r := backend.NewRecorder()
	g.a, g.b = r.Input("a", rows, k), r.Input("b", rows, k)
	r.WeightGrad(g.a, g.b, r.Param("gram", sum, 0, k, k), 1)
	prog, err := r.Finish()
	if err == nil {
		g.exec, err = be.Compile(prog)
	}
	if err != nil {
		sum.Close()
		return nil, err
	}
	return g, nil
}

// run calls add for each element of aᵀ b.
func (g *gram) run(ctx context.Context, a, b []float32, add func(i int, v float32)) error {
	if err := g.exec.WriteFloats(g.a, a); err != nil {
		return err
	}
	if err := g.exec.WriteFloats(g.b, b); err != nil {
		return err
	}
	if err := g.exec.Run(ctx); err != nil {
		return err
	}
	if err := g.sum.Read(0, g.read); err != nil {
		return err
	}
	for i, v := range g.read {
		add(i, v)
	}
	return nil
}

func (g *gram) close() {
	g.exec.Close()
	g.sum.Close()
}
