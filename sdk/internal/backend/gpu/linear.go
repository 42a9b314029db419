//go:build linux && !android && cgo && !novulkan

package gpu

import (
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/edgeadapt/edgeadapt/vulkan"
	"github.com/pkg/errors"
)

func (r *recording) linear(o *backend.Linear) error {
	w, err := r.weight(o.W)
	if err != nil {
		return err
	}
	if len(w.parts) > 0 {
		return r.linearInParts(o, w)
	}
	return r.linearOf(o, w, func(v backend.Value) vulkan.Range { return r.e.places[v] })
}

// linearOf records a layer of a weight or of a part of one, with operands beside x where at says.
func (r *recording) linearOf(o *backend.Linear, w *weight, at func(backend.Value) vulkan.Range) error {
	name, own, err := r.epilogue(o, at)
	if err != nil {
		return err
	}
	m, k := r.matrix(o.X)
	radapt := 0
	if o.Epilogue == backend.EpiResidualAdapter {
		_, radapt = r.matrix(o.Hidden)
	}
	wide := w.rows%4 == 0 && radapt%4 == 0
	constants := push(m, w.rows, k, radapt, o.AdapterScale)
	if o.Block > 0 {
		return r.linearInt8(o, w, name, wide, constants, own)
	}
	v, err := r.variant(name+"_"+w.kernel(), wide && k%w.perWord() == 0)
	if err != nil {
		return err
	}
	v.set(groupID, w.groupWords())
	v.set(halfID, r.half(o.Y))
	return r.over(v, v.tiles(m, v.quads(v.columns(w.rows))), constants, append(append(r.values(o.X), w.whole()), own...))
}

// panelRows is how many rows of a weight a panel holds; see quant.Matrix.Pack.
const panelRows = 64

// columns is n, those of a layer's outputs, padded to what threads are there for: whole panels, or whole groups of threads that
// fetch in turns, which have the same rows.
func (v variant) columns(n int) int {
	by := panelRows
	if lanes := v.value(lanesID, 0); lanes != 0 {
		by = lanes * 4 * v.value(columnQuads, 1)
	}
	return ceil(n, by) * by
}

// epilogue is the kernel's name without its scheme, and the bindings behind x and the weight.
func (r *recording) epilogue(o *backend.Linear, at func(backend.Value) vulkan.Range) (name string, bindings []vulkan.Range, err error) {
	var operands []backend.Value
	switch o.Epilogue {
	case backend.EpiNone:
		name, operands = "linear", []backend.Value{o.Bias, o.Y}
	case backend.EpiResidual:
		name, operands = "linear_residual", []backend.Value{o.Bias, o.Residual, o.Y}
	case backend.EpiGELU:
		name, operands = "linear_gelu", []backend.Value{o.Bias, o.Y}
		if o.DGELU != backend.None {
			name, operands = "linear_gelu_train", append(operands, o.DGELU)
		}
	case backend.EpiResidualAdapter:
		name, operands = "linear_residual_adapter", []backend.Value{o.Bias, o.Residual, o.Hidden, o.Up, o.UpBias, o.Y}
	default:
		return "", nil, errors.Errorf("unknown epilogue %d", o.Epilogue)
	}
	for _, v := range operands {
		bindings = append(bindings, at(v))
	}
	return name, bindings, nil
}

func (r *recording) linearBackward(o *backend.LinearBackward) error {
	w, err := r.weight(o.W)
	if err != nil {
		return err
	}
	if len(w.parts) > 0 {
		return r.linearBackwardInParts(o, w)
	}
	return r.linearBackwardOf(o, w, r.e.places[o.DY], r.e.places[o.DX])
}

// linearBackwardOf records the gradient of a weight or of a part of one, from dy to dx.
func (r *recording) linearBackwardOf(o *backend.LinearBackward, w *weight, dy, dx vulkan.Range) error {
	m := r.rows(o.DY)
	name, own := "linear_bwd_x", []vulkan.Range{dx}
	if o.DGELU != backend.None {
		name, own = "linear_bwd_x_gelu", []vulkan.Range{r.e.places[o.DGELU], dx}
	}
	if o.Block > 0 {
		return r.linearBackwardInt8(o, w, name, dy, own)
	}
	v, err := r.variant(name+"_"+w.kernel(), w.rows%4 == 0 && w.cols%4 == 0)
	if err != nil {
		return err
	}
	v.set(groupID, w.groupWords())
	return r.over(v, v.tiles(m, v.quads(ceil(w.cols, w.perWord())*w.perWord())), push(m, w.rows, w.cols), append([]vulkan.Range{dy, w.whole()}, own...))
}

// groupID is the specialisation constant that says how many words of an int4 weight share a scale.
const groupID = 6

// groupWords is its value, 0 where there are no groups.
func (w *weight) groupWords() uint32 { return uint32(w.scheme.Group() / w.perWord()) }

// weight refuses another device's weight.
func (r *recording) weight(w backend.Weight) (*weight, error) {
	own, ok := w.(*weight)
	if !ok || own.d.dev != r.e.d.dev {
		return nil, errors.New("the weight belongs to another device")
	}
	return own, nil
}
