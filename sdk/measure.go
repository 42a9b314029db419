package sdk

import (
	"context"
	"math"
	"runtime/debug"
	"slices"
	"time"

	"github.com/edgeadapt/edgeadapt/sdk/adapter"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend/host"
	"github.com/edgeadapt/edgeadapt/sdk/internal/nn"
	"github.com/edgeadapt/edgeadapt/sdk/model"
	"github.com/pkg/errors"
)

// MeasureConfig says what to time.
type MeasureConfig struct {
	Adapter *Adapter // nil for the plain backbone
	Size    int      // side of the square input in pixels; 0: the adapter's, or the backbone's own
	Batch   int      // images a pass, at least 1
	Runs    int      // timed passes; 0 for 10
	Step    bool     // time a training step (forward, backward, update) instead of inference
	Blocks  []int    // those with a branch in a step without Adapter, ascending from 0; nil: all. Below the first a step starts from cached tokens
	Profile bool     // then time each kernel, in passes of their own
}

// Measurement is the time of one pass or training step, after its outputs were checked.
type Measurement struct {
	Device       string  `json:"device"`
	Driver       string  `json:"driver"` // the CPU's instruction set
	Backbone     string  `json:"backbone"`
	Scheme       string  `json:"scheme"`
	Activations  string  `json:"activations"` // "int8" or "float", and "+f16" behind it where they are stored so
	Mode         string  `json:"mode"`        // "forward" or "step"
	Size         int     `json:"size"`
	Batch        int     `json:"batch"`
	Runs         int     `json:"runs"`
	MS           float64 `json:"ms"`     // median wall time of a pass
	CPUMS        float64 `json:"cpu_ms"` // median CPU time of the whole process during a pass; 0 where the system does not tell
	ImagesPerSec float64 `json:"images_per_s"`
	FirstMS      float64 `json:"first_ms"` // compiling and running the first pass
	RSSMB        float64 `json:"rss_mb"`   // peak resident memory of the process; 0 where the system does not tell
	DeviceMB     float64 `json:"device_mb"`
	MaxError     float64 `json:"max_error"` // of the checked output, relative to the reference's largest value

	Profile *Profile `json:"profile,omitempty"` // where MeasureConfig.Profile asks for it
}

// checkTolerance bounds the difference between a device and the float64 reference, relative to the largest value. With
// int8 activations the two part where a value lies next to the middle between two integers, and each block widens that:
// 0.02 after twelve blocks of ViT-S, where a wrong scale or a lost row gives 0.3 and more.
const (
	checkTolerance     = 1e-3
	checkToleranceInt8 = 5e-2
)

// Measure checks the outputs of bb on its device against the float64 reference, on one image of noise, and then times
// passes. It returns ErrCheck, and no time, where they differ.
func (bb *Backbone) Measure(ctx context.Context, c MeasureConfig) (*Measurement, error) {
	c, v, leave, err := bb.enterMeasured(ctx, c)
	if err != nil {
		return nil, err
	}
	defer leave()
	mc := bb.host.Config()
	info := v.Backend().Info()
	m := &Measurement{Device: info.ID, Driver: info.Driver, Backbone: mc.Name, Scheme: string(bb.host.Scheme()),
		Activations: v.Activations().String(), Mode: "forward",
		Size: c.Size, Batch: c.Batch, Runs: c.Runs}
	if m.MaxError, err = bb.check(ctx, v, c); err != nil {
		return nil, err
	}
	debug.FreeOSMemory() // the reference's, which is no part of what is measured
	began := time.Now()
	pass, done, err := bb.measured(v, c)
	if err != nil {
		return nil, err
	}
	defer done()
	if c.Step {
		m.Mode = "step"
	}
	if err := pass(ctx); err != nil {
		return nil, err
	}
	m.FirstMS = ms(time.Since(began))
	var wall, cpu []float64
	for range c.Runs {
		c0, t0 := cpuTime(), time.Now()
		if err := pass(ctx); err != nil {
			return nil, err
		}
		wall = append(wall, ms(time.Since(t0)))
		cpu = append(cpu, ms(cpuTime()-c0))
	}
	m.MS, m.CPUMS = median(wall), median(cpu)
	m.ImagesPerSec = 1000 * float64(c.Batch) / m.MS
	m.RSSMB, m.DeviceMB = float64(peakRSS())/1e6, float64(v.Backend().MemoryInUse())/1e6
	if c.Profile {
		m.Profile, err = bb.profile(ctx, v, c)
	}
	return m, err
}

// Bounds of what Measure takes.
const (
	MaxMeasuredSize  = 2048 // pixels a side
	MaxMeasuredBatch = 4096 // images
)

// enterMeasured completes c, refuses sizes that no pass has, and gives the network that c asks for. bb and c's adapter stay
// open until leave is called.
func (bb *Backbone) enterMeasured(ctx context.Context, c MeasureConfig) (_ MeasureConfig, v *nn.ViT, leave func(), err error) {
	var leavers []func()
	leave = func() {
		for _, f := range slices.Backward(leavers) {
			f()
		}
	}
	defer func() {
		if err != nil {
			leave()
		}
	}()
	done, err := bb.enter(ctx)
	if err != nil {
		return c, nil, nil, err
	}
	leavers = append(leavers, done)
	if _, done, err = c.Adapter.enter(bb); err != nil {
		return c, nil, nil, err
	}
	leavers = append(leavers, done)
	c = c.complete(bb)
	if err := bb.checkMeasured(c); err != nil {
		return c, nil, nil, err
	}
	v = bb.net.Load().vit
	if c.Step {
		if v, err = bb.trained(ctx); err != nil {
			return c, nil, nil, err
		}
		leavers = append(leavers, func() { v.Close() })
	}
	return c, v, leave, nil
}

// checkMeasured refuses sizes that no pass has.
func (bb *Backbone) checkMeasured(c MeasureConfig) error {
	if p := bb.host.Config().Patch; c.Size < p || c.Size%p != 0 || c.Size > MaxMeasuredSize || c.Batch > MaxMeasuredBatch {
		return errors.WithMessagef(ErrShape, "%d images of %d pixels, expected up to %d, and a multiple of the patch %d up to %d", c.Batch, c.Size, MaxMeasuredBatch, p, MaxMeasuredSize)
	}
	if c.Blocks != nil && (!c.Step || c.Adapter != nil) {
		return errors.WithMessage(ErrShape, "blocks are given, which are those of a training step without an adapter")
	}
	return nil
}

func (c MeasureConfig) complete(bb *Backbone) MeasureConfig {
	c.Batch = max(c.Batch, 1)
	if c.Runs <= 0 {
		c.Runs = 10
	}
	if c.Size == 0 {
		c.Size = bb.Pipeline(c.Adapter).Size
	}
	return c
}

// noise is a repeatable input: normal-like values in about -2 to 2.
func noise(n int) []float32 {
	out := make([]float32, n)
	state := uint32(2463534242)
	for i := range out {
		state ^= state << 13
		state ^= state >> 17
		state ^= state << 5
		out[i] = 4*float32(state)/float32(1<<32) - 2
	}
	return out
}

// check compares the features of one image, and the logits where there is an adapter, with the reference's.
func (bb *Backbone) check(ctx context.Context, v *nn.ViT, c MeasureConfig) (float64, error) {
	ref := host.NewReference()
	defer ref.Close()
	vit, err := nn.NewViT(ref, bb.host, v.Activations())
	if err != nil {
		return 0, err
	}
	defer vit.Close()
	input := noise(3 * c.Size * c.Size)
	got, err := bb.measuredOnce(ctx, v, c, input)
	if err != nil {
		return 0, err
	}
	exact, err := exactOnce(ctx, vit, c, input)
	if err != nil {
		return 0, err
	}
	worst := 0.0
	for i := range exact {
		worst = max(worst, relMax(got[i], exact[i]))
	}
	allowed := checkTolerance
	if v.Activations().Int8() {
		allowed = checkToleranceInt8
	}
	if !(worst <= allowed) {
		return worst, errors.WithMessagef(ErrCheck, "%s differs from the reference by %.2g of its largest value, allowed %.2g", v.Backend().Info().ID, worst, allowed)
	}
	return worst, nil
}

// measuredOnce is features, and logits where there is an adapter, as Predict makes them.
func (bb *Backbone) measuredOnce(ctx context.Context, v *nn.ViT, c MeasureConfig, input []float32) (out [][]float32, err error) {
	mc, tasks, err := bb.measuredTasks(v, c, 1)
	if err != nil {
		return nil, err
	}
	m := nn.NewMixer(v, bb.rt.opt.budget, bb.rt.opt.storageType())
	defer m.Close()
	err = m.Run(ctx, mc, input, tasks, func(f *nn.Forward, _, _ int) error {
		for _, name := range mc.Taps {
			t, err := readTap(f, name)
			if err != nil {
				return err
			}
			out = append(out, appendImages(Tensor{}, t, 1, columns(name, tasks[0])).Data)
		}
		return nil
	})
	return out, err
}

// measuredTasks is what a pass of images of one adapter, or of none, is asked.
func (bb *Backbone) measuredTasks(v *nn.ViT, c MeasureConfig, images int) (nn.MixConfig, []*nn.Resident, error) {
	mc := nn.MixConfig{Height: c.Size, Width: c.Size, Pool: widestPool(v.Config()), Taps: []string{nn.TapFeatures}}
	tasks := make([]*nn.Resident, images)
	if c.Adapter == nil {
		return mc, tasks, nil
	}
	mc.Taps = append(mc.Taps, nn.TapLogits)
	host, err := c.Adapter.Host()
	if err != nil {
		return mc, nil, err
	}
	t, err := v.NewResident(host)
	for i := range tasks {
		tasks[i] = t
	}
	return mc, tasks, err
}

// widestPool is the pooling that shows the most of a backbone's last tokens.
func widestPool(c model.Config) adapter.Pool {
	if c.Swin() {
		return adapter.PoolNormMean
	}
	return adapter.PoolCLSMean
}

// exactOnce is what measuredOnce should be, by the float64 reference and a pass for the one adapter.
func exactOnce(ctx context.Context, v *nn.ViT, c MeasureConfig, input []float32) (out [][]float32, err error) {
	fc := nn.ForwardConfig{Batch: 1, Height: c.Size, Width: c.Size, Pool: widestPool(v.Config()), Taps: []string{nn.TapFeatures}}
	if c.Adapter != nil {
		host, err := c.Adapter.Host()
		if err != nil {
			return nil, err
		}
		task, err := nn.NewTask(v, host)
		if err != nil {
			return nil, err
		}
		defer task.Close()
		fc.Task, fc.Taps = task, append(fc.Taps, nn.TapLogits)
	}
	f, err := v.NewForward(fc)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	err = f.Run(ctx, input, func(f *nn.Forward) error {
		for _, name := range fc.Taps {
			t, err := readTap(f, name)
			if err != nil {
				return err
			}
			out = append(out, t.Data)
		}
		return nil
	})
	return out, err
}

// relMax is the largest difference relative to the largest magnitude of want; NaN counts as infinite.
func relMax(got, want []float32) float64 {
	var diff, top float64
	for i, w := range want {
		d := math.Abs(float64(got[i]) - float64(w))
		if math.IsNaN(d) {
			return math.Inf(1)
		}
		diff, top = max(diff, d), max(top, math.Abs(float64(w)))
	}
	if top == 0 {
		return diff
	}
	return diff / top
}

// measured compiles what is to be timed.
func (bb *Backbone) measured(v *nn.ViT, c MeasureConfig) (pass func(context.Context) error, done func(), err error) {
	if c.Step {
		return bb.measuredStep(v, c)
	}
	mc, tasks, err := bb.measuredTasks(v, c, c.Batch)
	if err != nil {
		return nil, nil, err
	}
	m := nn.NewMixer(v, bb.rt.opt.budget, bb.rt.opt.storageType())
	input := noise(c.Batch * 3 * c.Size * c.Size)
	return func(ctx context.Context) error {
		return m.Run(ctx, mc, input, tasks, func(f *nn.Forward, first, n int) error {
			_, err := bb.readAnswers(f, tasks[first:first+n])
			return err
		})
	}, func() { m.Close() }, nil
}

// measuredStep compiles a training step of a fresh adapter, or of a copy of the given one, at learning rate 0.
func (bb *Backbone) measuredStep(v *nn.ViT, c MeasureConfig) (pass func(context.Context) error, done func(), err error) {
	var closers []interface{ Close() error }
	done = func() {
		for _, x := range slices.Backward(closers) {
			x.Close()
		}
	}
	defer func() {
		if err != nil {
			done()
		}
	}()
	host, err := bb.stepAdapter(c)
	if err != nil {
		return nil, done, err
	}
	task, err := nn.NewTask(v, host)
	if err != nil {
		return nil, done, err
	}
	closers = append(closers, task)
	opt, err := nn.NewOptimizer(v, task, nn.OptimizerConfig{Momentum: 0.9})
	if err != nil {
		return nil, done, err
	}
	closers = append(closers, opt)
	step, err := v.NewStep(task, opt, nn.StepConfig{Batch: c.Batch, Height: c.Size, Width: c.Size, Dropout: true})
	if err != nil {
		return nil, done, err
	}
	closers = append(closers, step)
	input := noise(step.InputShape().Elems())
	y := nn.Targets{Classes: make([]int32, c.Batch), Flags: make([]float32, c.Batch*len(host.Config().Labels))}
	return func(ctx context.Context) error {
		_, _, err := step.Run(ctx, input, y, 0, 1)
		return err
	}, done, nil
}

func (bb *Backbone) stepAdapter(c MeasureConfig) (*adapter.Adapter, error) {
	if c.Adapter != nil {
		return c.Adapter.Host()
	}
	mc, blocks := bb.host.Config(), c.Blocks
	if blocks == nil {
		for i := range mc.Depth {
			blocks = append(blocks, i)
		}
	}
	labels := []string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"}
	return adapter.New(adapter.Config{Method: adapter.AdaptFormer, Blocks: blocks, Bottleneck: 64, Scale: 0.1, Dropout: 0.1,
		Pool: widestPool(mc), Size: c.Size, Fit: adapter.Squash, Interpolation: mc.Preprocess.Interpolation, Mean: mc.Preprocess.Mean,
		Std: mc.Preprocess.Std, Labels: labels, Task: adapter.SingleLabel, HeadNorm: true}, mc.Ref(), 0)
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func median(x []float64) float64 {
	slices.Sort(x)
	n := len(x)
	if n%2 == 1 {
		return x[n/2]
	}
	return (x[n/2-1] + x[n/2]) / 2
}
