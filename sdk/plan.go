package sdk

import (
	"context"
	"slices"

	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/pkg/errors"
)

// MemoryPlan is the memory that a pass over a batch, or a training step, takes on a device, and how it is divided.
type MemoryPlan struct {
	Device      string `json:"device"`
	Mode        string `json:"mode"` // "forward" or "step"
	Size        int    `json:"size"`
	Batch       int    `json:"batch"` // images asked for; a device may take them in several passes of the sizes below
	Activations string `json:"activations"`

	WeightBytes int64         `json:"weight_bytes"` // of the backbone on the device, with its float tensors
	FileBytes   int64         `json:"file_bytes"`   // of the backbone in its file
	ExtraBytes  int64         `json:"extra_bytes"`  // positions at this size, and the adapter with its gradients and optimiser state in a step
	Passes      []PlannedPass `json:"passes"`
}

// PlannedPass is one compiled list of operators.
type PlannedPass struct {
	Operators  int            `json:"operators"`
	Images     int            `json:"images,omitempty"` // that it takes; 0 for a training step, which takes tokens
	Bytes      int64          `json:"bytes"`            // all that it holds: arenas, inputs, scratch
	Arenas     []int64        `json:"arenas"`           // bytes of each
	Inputs     int64          `json:"input_bytes"`      // written by the host; twice that on a device with memory of its own
	Scratch    int64          `json:"scratch_bytes"`    // the kernels' own, and whatever else is in none of the above
	Peak       int64          `json:"peak_bytes"`       // the most that is alive at one operator: no plan needs less
	PeakAt     string         `json:"peak_at"`          // that operator
	PieceLimit int64          `json:"piece_limit"`      // the largest piece of memory that the device binds, 0 for no limit
	Values     []PlannedValue `json:"values"`           // in the order of their first operator
}

// PlannedValue is a tensor of a pass.
type PlannedValue struct {
	Name   string `json:"name"`
	Kind   string `json:"kind"` // "input", "temporary" or "output"
	Shape  []int  `json:"shape"`
	Type   string `json:"type"` // in memory: "float32", "float16", "int32", "int8" with its scales
	Bytes  int64  `json:"bytes"`
	Arena  int    `json:"arena"` // -1: memory of its own
	Offset int64  `json:"offset"`
	First  int    `json:"first"` // operator that first touches it, from 0 on
	Last   int    `json:"last"`  // and the last; the number of operators for what stays
}

// Plan says what memory a pass that c describes takes on bb's device. It compiles the pass, and runs it once where it is a
// prediction.
func (bb *Backbone) Plan(ctx context.Context, c MeasureConfig) (*MemoryPlan, error) {
	c, v, leave, err := bb.enterMeasured(ctx, c)
	if err != nil {
		return nil, err
	}
	defer leave()
	be := v.Backend()
	placer, ok := be.(backend.Placer)
	if !ok {
		return nil, errors.WithMessagef(ErrNoDevice, "%s has no plan of memory", be.Info().ID)
	}
	before := be.MemoryInUse()
	watch := &planWatch{Backend: be, placer: placer}
	seen := v.Through(watch)
	defer seen.Close()
	pass, done, err := bb.measured(seen, c)
	if err != nil {
		return nil, err
	}
	defer done()
	m := &MemoryPlan{Device: be.Info().ID, Mode: "step", Size: c.Size, Batch: c.Batch, Activations: v.Activations().String(),
		WeightBytes: before, FileBytes: int64(bb.host.Bytes())}
	if !c.Step {
		m.Mode = "forward"
		if err := pass(ctx); err != nil {
			return nil, err
		}
	}
	m.Passes, m.ExtraBytes = watch.passes, be.MemoryInUse()-before
	for _, p := range m.Passes {
		m.ExtraBytes -= p.Bytes
	}
	return m, nil
}

// planWatch notes the plan of each Program that it compiles.
type planWatch struct {
	backend.Backend
	placer backend.Placer
	passes []PlannedPass
}

func (w *planWatch) Compile(p *backend.Program) (backend.Executable, error) {
	layout, limit, err := w.placer.Place(p)
	if err != nil {
		return nil, err
	}
	e, err := w.Backend.Compile(p)
	if err != nil {
		return nil, err
	}
	w.passes = append(w.passes, plannedPass(p, layout, limit, e.Bytes()))
	return e, nil
}

func plannedPass(p *backend.Program, l backend.Layout, limit, bytes int64) PlannedPass {
	out := PlannedPass{Operators: len(p.Ops()), Bytes: bytes, Scratch: bytes, PieceLimit: limit}
	for _, n := range l.Size {
		out.Arenas = append(out.Arenas, 4*int64(n))
		out.Scratch -= 4 * int64(n)
	}
	for _, at := range backend.Placements(p, l) {
		info := p.Info(at.Value)
		kind := "temporary"
		switch {
		case info.Kind == backend.Input:
			kind = "input"
			out.Inputs += at.Bytes
			if len(info.Shape) == 4 { // [images, 3, height, width]
				out.Images = info.Shape[0]
			}
		case info.Output:
			kind = "output"
		}
		out.Values = append(out.Values, PlannedValue{Name: info.Name, Kind: kind, Shape: info.Shape, Type: at.Type, Bytes: at.Bytes,
			Arena: at.Arena, Offset: at.Offset, First: at.First, Last: at.Last})
	}
	slices.SortStableFunc(out.Values, func(a, b PlannedValue) int { return a.First - b.First })
	out.Scratch -= out.Inputs
	var op int
	if out.Peak, op = backend.PeakBytes(p, l); op < len(p.Ops()) {
		out.PeakAt = p.Ops()[op].Name()
	}
	return out
}
