package nn

import (
	"context"
	"slices"
	"strings"

	"github.com/edgeadapt/edgeadapt/sdk/adapter"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/edgeadapt/edgeadapt/sdk/internal/tensor"
	"github.com/pkg/errors"
)

// Mixer runs images of many tasks through one backbone, a batch in one pass or, on the CPU, in short ones. It keeps the tasks resident within a budget
// and the compiled passes, which know no task: the tasks of a batch are data. One goroutine at a time.
type Mixer struct {
	v      *ViT
	arena  arena
	passes []*cachedPass // most recently used last
	limits struct{ bottleneck, classes int }
	room   map[passKey]int // by MixConfig.images: the most images that the device had room for, until passes go and make more
}

type cachedPass struct {
	key  passKey
	pass *Forward
}

type passKey struct {
	batch, height, width int
	from                 Entry
	pool                 adapter.Pool
	taps                 string
	mixed                bool
	options              int
}

// maxPasses bounds the compiled passes that a Mixer keeps. Each holds its own activations: 12 MB for one image of a ViT-S
// at 224 pixels.
const maxPasses = 16

// MaxBatch is the most images of one pass.
const MaxBatch = 32

// batchSizes are the sizes that passes are compiled for.
var batchSizes = []int{1, 2, 3, 4, 6, 8, 12, 16, 24, MaxBatch}

// batchFor is the size of the pass that serves n images.
func batchFor(n int) int {
	for _, b := range batchSizes {
		if b >= n {
			return b
		}
	}
	return MaxBatch
}

// shorter is the largest such size below n.
func shorter(n int) int {
	at, _ := slices.BinarySearch(batchSizes, n)
	return batchSizes[at-1]
}

// NewMixer makes a Mixer whose resident tasks, stored as float32 or float16, take at most budget bytes. It must be closed
// before v.
func NewMixer(v *ViT, budget int64, storage backend.DType) *Mixer {
	m := &Mixer{v: v, room: map[passKey]int{}, arena: arena{be: v.be, dtype: storage, budget: int(budget / int64(storage.Size())), stats: Stats{Budget: budget}}}
	m.arena.moved = func() error { return m.forget(func(k passKey) bool { return k.mixed }) }
	return m
}

// MixConfig says what a Mixer computes of each image.
type MixConfig struct {
	Height, Width int
	From          Entry        // Images or AtBlock; with the latter, no task of the batch has a branch below
	Pool          adapter.Pool // of the features of images without a task
	Taps          []string
}

// images tells apart what passes of different sizes compute.
func (c MixConfig) images() passKey {
	return passKey{height: c.Height, width: c.Width, from: c.From, taps: strings.Join(c.Taps, ",")}
}

// Load makes t resident now instead of at its first use.
func (m *Mixer) Load(t *Resident) error {
	m.arena.clock++
	_, err := m.arena.touch(t)
	return err
}

// Drop frees the device memory of t. It may be used again.
func (m *Mixer) Drop(t *Resident) { m.arena.drop(t) }

// Stats says what is resident.
func (m *Mixer) Stats() Stats { return m.arena.stats }

// Run takes len(tasks) images through the network; input holds them side by side, as c.From says, and tasks[i], which may
// be nil, belongs to image i. It needs several passes where there are more than MaxBatch images or where the tasks do not
// fit the budget together, or where the device prefers short passes or has no room for long ones; read is called after each with
// the images from first on that it served, the results still in place: taps as Forward.Read gives them, batch rows at first, with features [2 D] and logits of more classes than a task
// may have. An image's bits depend on nothing but itself and its task.
func (m *Mixer) Run(ctx context.Context, c MixConfig, input []float32, tasks []*Resident, read func(f *Forward, first, n int) error) error {
	if len(tasks) == 0 || len(input)%len(tasks) != 0 {
		return errors.WithMessagef(tensor.ErrShape, "input of %d elements for %d images", len(input), len(tasks))
	}
	size, most := len(input)/len(tasks), m.most(c)
	for first := 0; first < len(tasks); {
		n, err := m.admit(tasks[first:min(first+most, len(tasks))])
		if err != nil {
			return err
		}
		f, err := m.pass(c, tasks[first:first+n])
		if n > 1 && errors.Is(err, backend.ErrOutOfMemory) {
			most = shorter(n)
			m.room[c.images()] = most // or each call would compile in vain what there is no room for
			continue
		}
		if err != nil {
			return err
		}
		if f.InputShape().Elems() != batchFor(n)*size {
			return errors.WithMessagef(tensor.ErrShape, "images of %d elements, the pass takes %v", size, f.InputShape())
		}
		if err := m.run(ctx, c, f, input[first*size:(first+n)*size], tasks[first:first+n]); err != nil {
			return err
		}
		if err := read(f, first, n); err != nil {
			return err
		}
		first += n
	}
	return nil
}

// cpuElems bounds the token matrix [B T, D] of a pass on the CPU: 200 kB of float32, four times that with what a block
// keeps beside it.
const cpuElems = 50_000

// most is how many images a pass takes. The CPU gains nothing from many tokens at a time, and loses where what it keeps
// of them leaves its caches: eight images of 224 pixels took 9.4 times as long as one in one pass, and 7.8 in eight.
func (m *Mixer) most(c MixConfig) int {
	if known, ok := m.room[c.images()]; ok {
		return known
	}
	if m.v.be.Info().Kind != "cpu" {
		return MaxBatch
	}
	cfg := m.v.cfg
	image := (c.Height/cfg.Patch*(c.Width/cfg.Patch) + cfg.PrefixTokens()) * cfg.Dim
	most := batchSizes[0]
	for _, b := range batchSizes {
		if b*image <= cpuElems {
			most = b
		}
	}
	return most
}

// admit makes as many of the first tasks resident as fit together, at least one.
func (m *Mixer) admit(tasks []*Resident) (int, error) {
	m.arena.clock++
	for i, t := range tasks {
		// The plain features of such a backbone go through its own norm, which the tasks' do not.
		if m.v.cfg.FCNorm && (t == nil) != (tasks[0] == nil) {
			return i, nil
		}
		if t == nil {
			continue
		}
		ok, err := m.arena.touch(t)
		if err != nil {
			return 0, err
		}
		if !ok {
			return i, nil // i > 0: a task alone always fits
		}
	}
	return len(tasks), nil
}

// pass finds or compiles the pass for a batch.
func (m *Mixer) pass(c MixConfig, tasks []*Resident) (*Forward, error) {
	fc := ForwardConfig{Batch: batchFor(len(tasks)), Height: c.Height, Width: c.Width, From: c.From, Pool: c.Pool, Taps: c.Taps}
	key := passKey{fc.Batch, c.Height, c.Width, c.From, c.Pool, strings.Join(c.Taps, ","), false, 0}
	if slices.ContainsFunc(tasks, func(t *Resident) bool { return t != nil }) {
		if err := m.widen(tasks); err != nil {
			return nil, err
		}
		key.mixed, key.pool, key.options = true, "", optionsOf(tasks)
		fc.mixed = &mixed{arena: m.arena.buf, bottleneck: m.limits.bottleneck, classes: m.limits.classes, options: key.options}
	} else {
		fc.Taps = slices.DeleteFunc(slices.Clone(fc.Taps), func(t string) bool { return t == TapLogits })
	}
	for i, e := range m.passes {
		if e.key == key {
			m.passes = append(slices.Delete(m.passes, i, i+1), e)
			return e.pass, nil
		}
	}
	f, err := m.v.NewForward(fc)
	if err != nil {
		return nil, err
	}
	m.passes = append(m.passes, &cachedPass{key, f})
	if len(m.passes) > maxPasses {
		oldest := m.passes[0].key
		err = m.forget(func(k passKey) bool { return k == oldest })
	}
	return f, err
}

// optionsOf is what the branches of any of the tasks have: a pass without the kernels for options costs nothing for them.
// An image's bits are the same in a pass with them.
func optionsOf(tasks []*Resident) (options int) {
	for _, t := range tasks {
		if t != nil {
			options |= int(t.mix[backend.MixOptions])
		}
	}
	return options
}

// widen raises the limits that passes are compiled for to what tasks need; passes with lower ones go.
func (m *Mixer) widen(tasks []*Resident) error {
	was := m.limits
	raise := func(limit *int, need int) {
		for *limit = max(*limit, 16); *limit < need; *limit *= 2 {
		}
	}
	for _, t := range tasks {
		if t != nil {
			raise(&m.limits.bottleneck, t.bottleneck)
			raise(&m.limits.classes, t.classes)
		}
	}
	if was == m.limits {
		return nil
	}
	return m.forget(func(k passKey) bool { return k.mixed })
}

// run writes a batch, padded to the pass's size, and runs it.
func (m *Mixer) run(ctx context.Context, c MixConfig, f *Forward, input []float32, tasks []*Resident) error {
	if n := f.InputShape().Elems(); len(input) < n {
		input = append(make([]float32, 0, n), input...)[:n]
	}
	if err := f.exec.WriteFloats(f.input, input); err != nil {
		return err
	}
	if f.mix != backend.None {
		columns := backend.MixBranch(m.v.cfg.Depth)
		mix := make([]int32, batchFor(len(tasks))*columns)
		for i := 0; i*columns < len(mix); i++ {
			if row := mix[i*columns : (i+1)*columns]; i < len(tasks) && tasks[i] != nil {
				tasks[i].row(row)
			} else {
				plainRow(row, c.Pool)
			}
		}
		if err := f.exec.WriteInts(f.mix, mix); err != nil {
			return err
		}
	}
	return f.exec.Run(ctx)
}

// forget closes the passes that match.
func (m *Mixer) forget(match func(passKey) bool) (first error) {
	m.passes = slices.DeleteFunc(m.passes, func(e *cachedPass) bool {
		if !match(e.key) {
			return false
		}
		clear(m.room)
		if err := e.pass.Close(); err != nil && first == nil {
			first = err
		}
		return true
	})
	return first
}

// Close frees the passes and the resident tasks. Idempotent.
func (m *Mixer) Close() error {
	err := m.forget(func(passKey) bool { return true })
	if e := m.arena.close(); err == nil {
		err = e
	}
	return err
}
