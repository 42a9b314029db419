package tune

import (
	"fmt"
	"runtime"
	"strings"

	"github.com/edgeadapt/edgeadapt/sdk/adapter"
	"github.com/edgeadapt/edgeadapt/sdk/internal/nn"
	"github.com/pkg/errors"
)

// ErrBudget says that a run does not fit into the memory that it may take.
var ErrBudget = errors.New("over the memory budget")

// Memory is what a run takes, in bytes, worked out from its compiled steps before it starts. Device and host are one sum:
// on most devices that this is for they are one memory.
type Memory struct {
	Backbone int64 `json:"backbone"` // on the device, with whatever else it holds already
	Adapter  int64 `json:"adapter"`  // values, gradients, optimiser state; the copies of best epoch, probe and checkpoint
	Cache    int64 `json:"cache"`    // features and tokens in memory
	File     int64 `json:"file"`     // tokens in a temporary file, which does not count
	Encode   int64 `json:"encode"`   // activations of the pass over all images, before training
	Step     int64 `json:"step"`     // activations of a training step and of validation
	Program  int64 `json:"program"`  // an allowance for code, garbage and the decoding of images

	Recompute bool  `json:"recompute"` // a step runs the blocks forward again instead of keeping all activations
	Budget    int64 `json:"budget,omitempty"`
}

// Total is the most that is taken at one time.
func (m Memory) Total() int64 {
	return m.Backbone + m.Adapter + m.Cache + max(m.Encode, m.Step) + m.Program
}

// String lists the parts, for people.
func (m Memory) String() string {
	parts := []string{fmt.Sprintf("MB: backbone %.1f, adapter %.1f, cache %.1f, activations %.1f", mb(m.Backbone), mb(m.Adapter), mb(m.Cache),
		mb(max(m.Encode, m.Step)))}
	if m.Recompute {
		parts = append(parts, "by running blocks twice")
	}
	parts = append(parts, fmt.Sprintf("program %.0f", mb(m.Program)))
	if m.File > 0 {
		parts = append(parts, fmt.Sprintf("and %.1f in a temporary file", mb(m.File)))
	}
	return strings.Join(parts, ", ")
}

func mb(n int64) float64 { return float64(n) / 1e6 }

// The allowance, measured as the resident memory of runs beyond what their plans name: code with the embedded backbone,
// and for each decoder an image under way and the one before it.
const (
	programBytes = 56e6
	decoderBytes = 8e6
)

// plan works out the memory of the run for a number of images and chooses, in the order of their cost, what brings it
// under the budget: tokens in a file instead of memory, then blocks that run twice in a step. None of them changes a bit.
func (r *run) plan(train, val int) (Memory, error) {
	workers := r.cfg.Workers
	if workers == 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	m := Memory{Backbone: r.v.Backend().MemoryInUse(), Program: programBytes + int64(workers)*decoderBytes, Budget: r.cfg.MemoryBudget}
	enc := r.encoderConfig(train + val)
	bytes, taps, err := r.v.ForwardFootprint(enc)
	if err != nil {
		return m, err
	}
	m.Encode = bytes
	var tokens int64
	large := false // whatever the budget
	for _, t := range enc.Taps {
		row := int64(taps[t].Elems() / enc.Batch * 4)
		m.Encode += row * int64(enc.Batch) // the host's copy
		if t == r.featureTap() {
			m.Cache = int64(train+val) * row
			continue
		}
		kept := train
		if r.cfg.Augment.Any() {
			kept = 0
		}
		tokens = int64(kept+val) * row
		large = int64(max(kept, val))*row > r.cfg.CacheBytes
	}
	steps, err := r.stepFootprints(train, &m)
	if err != nil {
		return m, err
	}
	for _, o := range []struct{ recompute, file bool }{{false, large}, {false, true}, {true, large}, {true, true}} {
		c := m
		if c.Recompute, c.Step = o.recompute, steps[o.recompute]; o.file {
			c.File = tokens
		} else {
			c.Cache += tokens
		}
		if m.Budget <= 0 || c.Total() <= m.Budget || o.recompute && o.file {
			m = c
			break
		}
	}
	r.tokensToFile = m.File > 0
	if m.Budget > 0 && m.Total() > m.Budget {
		return m, errors.WithMessagef(ErrBudget, "the run needs %.0f MB, the budget is %.0f MB; a smaller batch or size needs less (%s)", mb(m.Total()), mb(m.Budget), m)
	}
	return m, nil
}

// stepFootprints is the memory of a training step and the pass that validates, by whether it recomputes; m.Adapter is filled
// on the way.
func (r *run) stepFootprints(train int, m *Memory) (map[bool]int64, error) {
	blocks := r.cfg.Blocks
	a, err := r.start(blocks, r.rep.Classes)
	if err != nil {
		return nil, err
	}
	task, err := nn.NewTask(r.v, a)
	if err != nil {
		return nil, err
	}
	defer task.Close()
	opt, err := nn.NewOptimizer(r.v, task, r.cfg.optimizer(Adapter))
	if err != nil {
		return nil, err
	}
	defer opt.Close()
	const copies = 5 // of the adapter in host memory: start, best, probe, and the two of a checkpoint being written
	m.Adapter = r.v.Backend().MemoryInUse() - m.Backbone + copies*4*int64(task.Size())
	batch := min(r.cfg.Batch, train)
	eval, _, err := r.v.ForwardFootprint(r.evalConfig(task, batch))
	if err != nil {
		return nil, err
	}
	if r.cfg.Augment.Any() {
		views, _, err := r.v.ForwardFootprint(r.viewConfig(batch))
		if err != nil {
			return nil, err
		}
		eval += views
	}
	steps := map[bool]int64{}
	for _, recompute := range []bool{false, true} {
		c := r.stepConfig(batch, Adapter)
		c.Recompute = recompute
		if steps[recompute], err = r.v.StepFootprint(task, opt, c); err != nil {
			return nil, err
		}
		steps[recompute] += eval
	}
	return steps, nil
}

// encoderConfig is the pass over all images: features, and what enters the lowest adapted block where there is one.
func (r *run) encoderConfig(images int) nn.ForwardConfig {
	c := nn.ForwardConfig{Batch: min(r.cfg.Batch, max(images, 1)), Height: r.cfg.Size, Width: r.cfg.Size, Pool: r.cfg.Pool, Taps: []string{r.featureTap()}}
	if r.cfg.Method != adapter.Linear {
		c.Taps = append(c.Taps, nn.BlockInput(r.cfg.Blocks[0]))
	}
	return c
}

// featureTap names the pooled vectors that a probe takes: it trains fc_norm itself, with mean pooling.
func (r *run) featureTap() string {
	if r.cfg.Pool == adapter.PoolMean {
		return nn.TapPooled
	}
	return nn.TapFeatures
}

// stepConfig is a training step.
func (r *run) stepConfig(batch int, p Phase) nn.StepConfig {
	return nn.StepConfig{Batch: batch, Accumulate: r.cfg.accumulate(p), Height: r.cfg.Size, Width: r.cfg.Size, Dropout: true, LabelSmoothing: r.cfg.LabelSmoothing, ClipNorm: r.cfg.ClipNorm, Recompute: r.rep.Memory.Recompute}
}

// viewConfig is the frozen network below the lowest adapted block.
func (r *run) viewConfig(batch int) nn.ForwardConfig {
	return nn.ForwardConfig{Batch: batch, Height: r.cfg.Size, Width: r.cfg.Size, Pool: r.cfg.Pool, Taps: []string{nn.BlockInput(r.cfg.Blocks[0])}}
}

// evalConfig is the pass that validates.
func (r *run) evalConfig(task *nn.Task, batch int) nn.ForwardConfig {
	return nn.ForwardConfig{Batch: batch, Height: r.cfg.Size, Width: r.cfg.Size, From: task.Entry(r.v.Config().Depth), Task: task, Taps: []string{nn.TapLogits}}
}
