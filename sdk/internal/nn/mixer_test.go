package nn_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/edgeadapt/edgeadapt/quant"
	"github.com/edgeadapt/edgeadapt/sdk/adapter"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/edgeadapt/edgeadapt/sdk/internal/nn"
	"github.com/edgeadapt/edgeadapt/sdk/internal/tensor"
	"github.com/edgeadapt/edgeadapt/sdk/model"
	"pgregory.net/rapid"
)

// side of the images in these tests.
const side = 32

// randomAdapter is number i of a family that differs in everything an adapter may differ in; no value is zero.
func randomAdapter(t testing.TB, b *model.Backbone, i int) *adapter.Adapter {
	t.Helper()
	r := rand.New(rand.NewPCG(uint64(i), 7))
	c := adapter.Config{Method: adapter.AdaptFormer, Bottleneck: []int{1, 3, 4, 7, 16, 24}[i%6], Scale: float32(r.NormFloat64()),
		Pool: []adapter.Pool{adapter.PoolCLS, adapter.PoolMean, adapter.PoolCLSMean}[i%3], HeadNorm: i%2 == 0, Task: adapter.SingleLabel,
		Size: side, Fit: adapter.Crop, Interpolation: "bicubic", Std: [3]float32{1, 1, 1}}
	if b.Config().Swin() {
		c.Pool = adapter.PoolNormMean
	}
	for block := range b.Config().Depth {
		if r.IntN(2) == 0 {
			c.Blocks = append(c.Blocks, block)
		}
	}
	if i%2 == 1 { // half of them are the paper's own
		c.Placement = []adapter.Placement{adapter.Parallel, adapter.Sequential}[r.IntN(2)]
		c.Norm = []adapter.BranchNorm{adapter.NormNone, adapter.NormIn, adapter.NormOut}[r.IntN(3)]
		c.LearnScale = r.IntN(2) == 0
		for range c.Blocks {
			c.Bottlenecks = append(c.Bottlenecks, 1+r.IntN(c.Bottleneck))
		}
		if len(c.Blocks) > 0 {
			c.Bottlenecks[r.IntN(len(c.Blocks))] = c.Bottleneck
		}
	}
	if len(c.Blocks) == 0 {
		c.Method, c.Bottleneck, c.Scale = adapter.Linear, 0, 0
		c.Placement, c.Norm, c.LearnScale = adapter.Parallel, adapter.NormNone, false
	}
	for k := range 1 + r.IntN(40) {
		c.Labels = append(c.Labels, fmt.Sprint(k))
	}
	a, err := adapter.New(c, b.Config().Ref(), uint64(i))
	if err != nil {
		t.Fatal(err)
	}
	tensors := map[string]tensor.Tensor{}
	for _, name := range a.Names() {
		x := a.Tensor(name).Clone()
		for j := range x.Data {
			x.Data[j] += float32(0.3 * math.Abs(r.NormFloat64())) // variances stay positive
			if name != "head.0.running_var" && r.IntN(2) == 0 {
				x.Data[j] = -x.Data[j]
			}
		}
		tensors[name] = x
	}
	if a, err = a.WithTensors(tensors); err != nil {
		t.Fatal(err)
	}
	return a
}

// mixBench is a backbone with tasks and images, and what each pair of them gives alone.
type mixBench struct {
	v       *nn.ViT
	pool    adapter.Pool // of images without a task
	storage backend.DType
	tasks   []*nn.Resident // the first is nil: no task
	images  [][]float32
	alone   map[[2]int][]float32 // by task and image
}

var mixConfig = nn.MixConfig{Height: side, Width: side, Pool: adapter.PoolCLSMean, Taps: []string{nn.TapFeatures, nn.TapLogits}}

func newMixBench(t *testing.T, be backend.Backend, scheme quant.Scheme, acts nn.Activations, tasks int, storage backend.DType) *mixBench {
	t.Helper()
	return newMixBenchOf(t, be, importBackbone(t, scheme, "vit", "timm"), acts, tasks, storage)
}

func newMixBenchOf(t *testing.T, be backend.Backend, b *model.Backbone, acts nn.Activations, tasks int, storage backend.DType) *mixBench {
	t.Helper()
	v, err := nn.NewViT(be, b, acts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { v.Close() })
	m := &mixBench{v: v, pool: mixConfig.Pool, storage: storage, tasks: []*nn.Resident{nil}, alone: map[[2]int][]float32{}}
	if b.Config().Swin() {
		m.pool = adapter.PoolNormMean
	}
	for i := range tasks {
		task, err := v.NewResident(randomAdapter(t, b, i))
		if err != nil {
			t.Fatal(err)
		}
		m.tasks = append(m.tasks, task)
	}
	for i := range 3 {
		m.images = append(m.images, noise(uint64(i), 3*side*side))
	}
	for i, task := range m.tasks {
		for j := range m.images {
			m.alone[[2]int{i, j}] = m.once(t, task, m.images[j])
		}
	}
	return m
}

// once is what an image gives alone, in a Mixer that never held anything else.
func (m *mixBench) once(t *testing.T, task *nn.Resident, image []float32) []float32 {
	t.Helper()
	x := nn.NewMixer(m.v, 1<<30, m.storage)
	defer x.Close()
	out, err := m.run(x, image, []*nn.Resident{task})
	if err != nil {
		t.Fatal(err)
	}
	return out[0]
}

// run gives each image's features and logits, one after the other.
func (m *mixBench) run(x *nn.Mixer, input []float32, tasks []*nn.Resident) (out [][]float32, err error) {
	c := mixConfig
	c.Pool = m.pool
	err = x.Run(context.Background(), c, input, tasks, func(f *nn.Forward, first, n int) error {
		features := make([]float32, f.Shape(nn.TapFeatures).Elems())
		if err := f.Read(nn.TapFeatures, features); err != nil {
			return err
		}
		width := len(features) / f.Shape(nn.TapFeatures)[0]
		var logits []float32
		classes := 0
		if s := f.Shape(nn.TapLogits); s != nil {
			logits, classes = make([]float32, s.Elems()), s[1]
			if err := f.Read(nn.TapLogits, logits); err != nil {
				return err
			}
		}
		for i := range n {
			row := features[i*width : (i+1)*width]
			if m.pool == adapter.PoolNormMean { // a mixed pass has room for two such vectors
				row = row[:m.v.Config().FeatureDim()]
			}
			if task := tasks[first+i]; task != nil {
				row = append(slices.Clone(row[:task.Features()]), logits[i*classes:i*classes+task.Classes()]...)
			}
			out = append(out, row)
		}
		return nil
	})
	return out, err
}

func noise(seed uint64, n int) []float32 {
	r := rand.New(rand.NewPCG(seed, 1))
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	return x
}

// TestMixerEqualsAlone: whatever the mix, its order, the size of the batch and the evictions before it, each image has the
// bits that it has alone.
func TestMixerEqualsAlone(t *testing.T) {
	forEachBackend(t, func(t *testing.T, be backend.Backend, _ tolerance) {
		t.Run("float32", func(t *testing.T) { mixerEqualsAlone(t, be, "vit", backend.F32) })
		t.Run("float16", func(t *testing.T) { mixerEqualsAlone(t, be, "vit", backend.F16) })
		t.Run("swin", func(t *testing.T) { mixerEqualsAlone(t, be, "swin", backend.F32) })
	})
}

func mixerEqualsAlone(t *testing.T, be backend.Backend, folder string, storage backend.DType) {
	acts := nn.FloatActivations
	if be.Info().Int8 {
		acts = nn.Int8Activations
	}
	if storage == backend.F16 && be.Info().Half {
		acts |= nn.HalfStorage
	}
	m := newMixBenchOf(t, be, importBackbone(t, quant.Q8C, folder, "timm"), acts, 9, storage)
	largest := int64(0)
	for _, task := range m.tasks[1:] {
		largest = max(largest, task.Bytes(storage))
	}
	x := nn.NewMixer(m.v, 3*largest, storage) // a third of the tasks at a time
	defer x.Close()
	rapid.Check(t, func(r *rapid.T) {
		var input []float32
		var tasks []*nn.Resident
		var pairs [][2]int
		for range rapid.IntRange(1, 9).Draw(r, "images") {
			p := [2]int{rapid.IntRange(0, len(m.tasks)-1).Draw(r, "task"), rapid.IntRange(0, len(m.images)-1).Draw(r, "image")}
			pairs, tasks, input = append(pairs, p), append(tasks, m.tasks[p[0]]), append(input, m.images[p[1]]...)
		}
		got, err := m.run(x, input, tasks)
		if err != nil {
			r.Fatal(err)
		}
		for i, p := range pairs {
			if !sameBits(got[i], m.alone[p]) {
				r.Fatalf("task %d, image %d, place %d of %d: other bits than alone", p[0], p[1], i, len(pairs))
			}
		}
		if s := x.Stats(); s.Bytes > s.Budget {
			r.Fatalf("%d bytes resident, the budget is %d", s.Bytes, s.Budget)
		}
	})
	if s := x.Stats(); s.Evictions == 0 || s.Hits == 0 || s.Misses < uint64(len(m.tasks)) {
		t.Errorf("the test shows nothing: %+v", s)
	}
	if sameBits(m.alone[[2]int{1, 0}], m.alone[[2]int{1, 1}]) || sameBits(m.alone[[2]int{0, 0}], m.alone[[2]int{3, 0}]) {
		t.Error("control: different images or tasks give equal values")
	}
}

// TestMixerStorage: halves cost the answers little, and something.
func TestMixerStorage(t *testing.T) {
	forEachBackend(t, func(t *testing.T, be backend.Backend, _ tolerance) {
		full, half := newMixBench(t, be, quant.Q8C, nn.FloatActivations, 4, backend.F32), newMixBench(t, be, quant.Q8C, nn.FloatActivations, 4, backend.F16)
		for key, want := range full.alone {
			d, _ := worst(half.alone[key], want)
			if d > 5e-3*largest(want) || key[0] > 0 && d == 0 {
				t.Errorf("task %d, image %d: differs by %g, the largest is %g", key[0], key[1], d, largest(want))
			}
		}
	})
}

// TestMixerRefusesRange: a parameter that no half holds is named.
func TestMixerRefusesRange(t *testing.T) {
	m := newMixBench(t, reference(t), quant.F32, nn.FloatActivations, 2, backend.F16)
	a := m.tasks[1].Host()
	x := a.Tensor("head.1.bias").Clone()
	x.Data[0] = 7e4
	a, err := a.WithTensors(map[string]tensor.Tensor{"head.1.bias": x})
	if err != nil {
		t.Fatal(err)
	}
	task, err := m.v.NewResident(a)
	if err != nil {
		t.Fatal(err)
	}
	mixer := nn.NewMixer(m.v, 1<<30, backend.F16)
	defer mixer.Close()
	if err := mixer.Load(task); !errors.Is(err, tensor.ErrShape) || !strings.Contains(err.Error(), "head.1.bias") {
		t.Errorf("got %v", err)
	}
}

func sameBits(a, b []float32) bool {
	return slices.EqualFunc(a, b, func(x, y float32) bool { return math.Float32bits(x) == math.Float32bits(y) })
}

// TestMixerEqualsTask holds a mixed pass to the pass that is compiled for one task, which sums in another order; and an
// image without a task, among others with one, to the bits of the plain backbone.
func TestMixerEqualsTask(t *testing.T) {
	forEachBackend(t, func(t *testing.T, be backend.Backend, tol tolerance) {
		for _, folder := range []string{"vit", "swin"} {
			t.Run(folder, func(t *testing.T) { mixerEqualsTask(t, be, folder, tol) })
		}
	})
}

func mixerEqualsTask(t *testing.T, be backend.Backend, folder string, tol tolerance) {
	m := newMixBenchOf(t, be, importBackbone(t, quant.F32, folder, "timm"), nn.FloatActivations, 6, backend.F32)
	for i, task := range m.tasks[1:] {
		single, err := nn.NewTask(m.v, task.Host())
		if err != nil {
			t.Fatal(err)
		}
		f, err := m.v.NewForward(nn.ForwardConfig{Batch: 1, Height: side, Width: side, Task: single, Taps: mixConfig.Taps})
		if err != nil {
			t.Fatal(err)
		}
		want := make([]float32, task.Features()+task.Classes())
		err = f.Run(context.Background(), m.images[0], func(f *nn.Forward) error {
			return errors.Join(f.Read(nn.TapFeatures, want[:task.Features()]), f.Read(nn.TapLogits, want[task.Features():]))
		})
		if err = errors.Join(err, f.Close(), single.Close()); err != nil {
			t.Fatal(err)
		}
		if diff, at := worst(m.alone[[2]int{i + 1, 0}], want); diff > tol.outputs*largest(want) {
			t.Errorf("task %d: element %d differs by %g, the largest is %g", i, at, diff, largest(want))
		}
		if diff, _ := worst(m.alone[[2]int{i + 1, 1}], want); diff < 100*tol.outputs*largest(want) {
			t.Errorf("control: another image differs by %g only", diff)
		}
	}
	x := nn.NewMixer(m.v, 1<<30, backend.F32)
	defer x.Close()
	got, err := m.run(x, slices.Concat(m.images[0], m.images[1]), []*nn.Resident{m.tasks[1], nil})
	if err != nil {
		t.Fatal(err)
	}
	if !sameBits(got[1], m.alone[[2]int{0, 1}]) {
		t.Error("an image without a task differs from the plain backbone's")
	}
}

// TestMixerManyTasks: 200 tasks through room for 8 lose nothing.
func TestMixerManyTasks(t *testing.T) {
	forEachBackend(t, func(t *testing.T, be backend.Backend, _ tolerance) {
		b := importBackbone(t, quant.Q8C, "vit", "timm")
		v, err := nn.NewViT(be, b, nn.FloatActivations)
		if err != nil {
			t.Fatal(err)
		}
		defer v.Close()
		m := &mixBench{v: v, pool: mixConfig.Pool}
		image := noise(1, 3*side*side)
		var tasks []*nn.Resident
		for i := range 200 {
			a := randomAdapter(t, b, 6*(i%10)+4) // of one size but for the branches
			if i >= 10 {
				a = randomAdapter(t, b, i)
			}
			task, err := v.NewResident(a)
			if err != nil {
				t.Fatal(err)
			}
			tasks = append(tasks, task)
		}
		size := int64(0)
		for _, task := range tasks {
			size = max(size, task.Bytes(backend.F16))
		}
		x := nn.NewMixer(v, 8*size, backend.F16)
		defer x.Close()
		var first [][]float32
		for round := range 2 {
			for i := range tasks {
				if round == 1 {
					i = 7 * i % 200 // another order
				}
				got, err := m.run(x, image, tasks[i:i+1])
				if err != nil {
					t.Fatal(err)
				}
				if round == 0 {
					first = append(first, got[0])
				} else if !sameBits(got[0], first[i]) {
					t.Errorf("task %d: other bits after eviction", i)
				}
			}
		}
		if s := x.Stats(); s.Evictions < 300 || s.Bytes > s.Budget {
			t.Errorf("%+v", s)
		}
	})
}

// TestMixerShortPasses: the CPU takes few large images at a time, and other devices all of them.
func TestMixerShortPasses(t *testing.T) {
	const images, pixels = 5, 144
	forEachDevice(t, func(t *testing.T, be backend.Backend, _ tolerance) {
		v, err := nn.NewViT(be, importBackbone(t, quant.Q8C, "vit", "timm"), nn.FloatActivations)
		if err != nil {
			t.Fatal(err)
		}
		defer v.Close()
		x := nn.NewMixer(v, 1<<20, backend.F32)
		defer x.Close()
		c := nn.MixConfig{Height: pixels, Width: pixels, Pool: adapter.PoolCLSMean, Taps: []string{nn.TapFeatures}}
		var passes []int
		err = x.Run(context.Background(), c, noise(1, images*3*pixels*pixels), make([]*nn.Resident, images), func(_ *nn.Forward, _, n int) error {
			passes = append(passes, n)
			return nil
		})
		cfg := v.Config()
		elems := (pixels/cfg.Patch*(pixels/cfg.Patch) + cfg.PrefixTokens()) * cfg.Dim
		want := []int{images}
		if be.Info().Kind == "cpu" {
			want = []int{2, 2, 1}
		}
		if err != nil || !slices.Equal(passes, want) {
			t.Errorf("%d elements an image: passes of %v images, expected %v (%v)", elems, passes, want, err)
		}
	})
}

// cramped is a device without room for Programs with a value of more elements than that.
type cramped struct {
	backend.Backend
	most, refused int
}

func (c *cramped) Info() backend.Info { return backend.Info{Kind: "discrete"} }

func (c *cramped) Compile(p *backend.Program) (backend.Executable, error) {
	for v := backend.Value(1); int(v) <= p.Values(); v++ {
		if n := p.Shape(v).Elems(); p.Info(v).Kind == backend.Temp && n > c.most {
			c.refused++
			return nil, fmt.Errorf("%w: %d elements", backend.ErrOutOfMemory, n)
		}
	}
	return c.Backend.Compile(p)
}

// TestMixerShortens: where the device has no room for a batch, shorter passes serve it, to the same bits; where it has none for an
// image, that is the error.
func TestMixerShortens(t *testing.T) {
	be := &cramped{Backend: reference(t), most: math.MaxInt}
	m := newMixBench(t, be, quant.F32, nn.FloatActivations, 1, backend.F32)
	x := nn.NewMixer(m.v, 1<<30, backend.F32)
	defer x.Close()
	const images = 9
	input, tasks := slices.Repeat(m.images[1], images), slices.Repeat(m.tasks[1:], images)
	tasks[2] = nil
	cfg := m.v.Config()
	image := (side/cfg.Patch*(side/cfg.Patch) + cfg.PrefixTokens()) * max(3*cfg.Dim, cfg.Hidden)
	for most, want := range map[int][]int{12: {9}, 11: {8, 1}, 5: {4, 4, 1}, 1: {1, 1, 1, 1, 1, 1, 1, 1, 1}} {
		be.most = most * image
		var passes []int
		x := nn.NewMixer(m.v, 1<<30, backend.F32)
		err := x.Run(context.Background(), mixConfig, input, tasks, func(_ *nn.Forward, _, n int) error {
			passes = append(passes, n)
			return nil
		})
		if err != nil || !slices.Equal(passes, want) {
			t.Errorf("room for %d images: passes of %v, expected %v (%v)", most, passes, want, err)
		}
		refused := be.refused
		got, err := m.run(x, input, tasks)
		if be.refused != refused {
			t.Errorf("room for %d images: %d passes more were compiled in vain", most, be.refused-refused)
		}
		for i, y := range got {
			task := 1
			if i == 2 {
				task = 0
			}
			if !sameBits(y, m.alone[[2]int{task, 1}]) {
				t.Errorf("room for %d images: image %d has other bits", most, i)
			}
		}
		if err != nil || len(got) != images {
			t.Errorf("room for %d images: %d results, %v", most, len(got), err)
		}
		x.Close()
	}
	be.most = image - 1
	if _, err := m.run(x, input, tasks); !errors.Is(err, backend.ErrOutOfMemory) {
		t.Errorf("without room for an image: %v", err)
	}
}

// TestMixerRefuses what cannot run, and stays usable.
func TestMixerRefuses(t *testing.T) {
	be := reference(t)
	m := newMixBench(t, be, quant.F32, nn.FloatActivations, 3, backend.F32)
	x := nn.NewMixer(m.v, m.tasks[1].Bytes(backend.F32)-1, backend.F32)
	defer x.Close()
	if _, err := m.run(x, m.images[0], m.tasks[1:2]); !errors.Is(err, backend.ErrOutOfMemory) {
		t.Errorf("a task above the budget: %v", err)
	}
	if _, err := m.run(x, m.images[0][1:], m.tasks[:1]); !errors.Is(err, tensor.ErrShape) {
		t.Errorf("an input that is too short: %v", err)
	}
	if _, err := m.run(x, nil, nil); !errors.Is(err, tensor.ErrShape) {
		t.Errorf("no images: %v", err)
	}
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	if err := x.Run(cancelled, mixConfig, m.images[0], m.tasks[:1], nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if got, err := m.run(x, m.images[0], m.tasks[:1]); err != nil || !sameBits(got[0], m.alone[[2]int{0, 0}]) {
		t.Errorf("afterwards: %v", err)
	}
}
