package nn

import (
	"github.com/edgeadapt/edgeadapt/quant"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/edgeadapt/edgeadapt/sdk/model"
	"github.com/pkg/errors"
)

// Edit is a network of which single linear layers have other weights. It shares everything else with the ViT that it was
// made of, and is closed before it. One goroutine at a time.
type Edit struct {
	*ViT
	base *ViT
	own  map[edited]backend.Weight
}

// edited names a layer.
type edited struct {
	block int
	layer string
}

// Edit makes one, as yet without a change.
func (v *ViT) Edit() (*Edit, error) {
	w, err := v.With(FloatActivations)
	if err != nil {
		return nil, err
	}
	return &Edit{w, v, map[edited]backend.Weight{}}, nil
}

// linear is the place of a linear layer, nil where the block has none of that name.
func (b *block) linear(layer string) *backend.Frozen {
	switch layer {
	case model.LayerQKV:
		return &b.qkv
	case model.LayerProj:
		return &b.proj
	case model.LayerFC1:
		return &b.fc1
	case model.LayerFC2:
		return &b.fc2
	case model.LayerReduction:
		if b.merge != nil {
			return &b.merge.reduction
		}
	}
	return nil
}

// Set gives a layer another weight; its bias stays. Passes over the former one must be closed.
func (e *Edit) Set(i int, layer string, m quant.Matrix) error {
	if b := &e.blocks[i]; b.merge != nil && b.merge == e.base.blocks[i].merge {
		own := *b.merge
		b.merge = &own
	}
	at := e.blocks[i].linear(layer)
	if at == nil {
		return errors.Errorf("block %d has no layer %q", i, layer)
	}
	w, err := e.be.NewWeight(e.cfg.LinearName(i, layer), m)
	if err != nil {
		return err
	}
	key := edited{i, layer}
	if old := e.own[key]; old != nil {
		old.Close()
	}
	at.W, e.own[key] = w, w
	return nil
}

// Reset gives the layers of block i the weights again that they came with.
func (e *Edit) Reset(i int) {
	for key, w := range e.own {
		if key.block == i {
			*e.blocks[i].linear(key.layer) = *e.base.blocks[i].linear(key.layer)
			w.Close()
			delete(e.own, key)
		}
	}
}

// Close frees what Set made.
func (e *Edit) Close() error {
	for i := range e.blocks {
		e.Reset(i)
	}
	return e.ViT.Close()
}
