//go:build linux && !android && cgo && !novulkan

package gpu

import (
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/pkg/errors"
)

func (r *recording) linear(o *backend.Linear) error {
	if o.Block > 0 {
		return errors.New("this device takes no int8 activations")
	}
	w, err := r.weight(o.W)
	if err != nil {
		return err
	}
	m, k := r.matrix(o.X)
	name, radapt := "linear", 0
	bindings := append(r.values(o.X), w.whole())
	bindings = append(bindings, r.values(o.Bias)...)
	switch o.Epilogue {
	case backend.EpiNone:
		bindings = append(bindings, r.values(o.Y)...)
	case backend.EpiResidual:
		name = "linear_residual"
		bindings = append(bindings, r.values(o.Residual, o.Y)...)
	case backend.EpiGELU:
		name = "linear_gelu"
		bindings = append(bindings, r.values(o.Y)...)
		if o.DGELU != backend.None {
			name = "linear_gelu_train"
			bindings = append(bindings, r.values(o.DGELU)...)
		}
	case backend.EpiResidualAdapter:
		name = "linear_residual_adapter"
		_, radapt = r.matrix(o.Hidden)
		bindings = append(bindings, r.values(o.Residual, o.Hidden, o.Up, o.UpBias, o.Y)...)
	default:
		return errors.Errorf("unknown epilogue %d", o.Epilogue)
	}
	v, err := r.variant(name+"_"+string(w.scheme), k%w.perWord() == 0 && w.rows%4 == 0 && radapt%4 == 0)
	if err != nil {
		return err
	}
	quads := ceil(w.rows, 64) * 16
	return r.over(v, v.tiles(m, quads/int(v.spec[2])), push(m, w.rows, k, radapt, o.AdapterScale), bindings)
}

func (r *recording) linearBackward(o *backend.LinearBackward) error {
	if o.Block > 0 {
		return errors.New("this device takes no int8 gradients")
	}
	w, err := r.weight(o.W)
	if err != nil {
		return err
	}
	m, n := r.matrix(o.DY)
	name := "linear_bwd_x"
	bindings := append(r.values(o.DY), w.whole())
	if o.DGELU != backend.None {
		name = "linear_bwd_x_gelu"
		bindings = append(bindings, r.values(o.DGELU)...)
	}
	bindings = append(bindings, r.values(o.DX)...)
	v, err := r.variant(name+"_"+string(w.scheme), n%4 == 0 && w.cols%4 == 0)
	if err != nil {
		return err
	}
	return r.over(v, v.tiles(m, ceil(w.cols, w.perWord())), push(m, n, w.cols), bindings)
}

// weight refuses another device's weight.
func (r *recording) weight(w backend.Weight) (*weight, error) {
	own, ok := w.(*weight)
	if !ok || own.d.dev != r.e.d.dev {
		return nil, errors.New("the weight belongs to another device")
	}
	return own, nil
}
