package nn_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/edgeadapt/edgeadapt/quant"
	"github.com/edgeadapt/edgeadapt/sdk/adapter"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend/cpu"
	"github.com/edgeadapt/edgeadapt/sdk/internal/checkpoint"
	"github.com/edgeadapt/edgeadapt/sdk/internal/nn"
	"github.com/edgeadapt/edgeadapt/sdk/internal/tensor"
	"github.com/edgeadapt/edgeadapt/sdk/model"
)

// goldens is an opened file of golden tensors.
type goldens struct {
	t *testing.T
	f *checkpoint.File
}

func open(t *testing.T, parts ...string) goldens {
	t.Helper()
	f, err := checkpoint.Open(filepath.Join(append([]string{"testdata"}, parts...)...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return goldens{t, f}
}

func (g goldens) floats(name string) tensor.Tensor {
	g.t.Helper()
	x, err := g.f.Float32(name)
	if err != nil {
		g.t.Fatal(err)
	}
	return x
}

func (g goldens) ints(name string) []int32 {
	x := g.floats(name)
	out := make([]int32, len(x.Data))
	for i, v := range x.Data {
		out[i] = int32(v)
	}
	return out
}

func importBackbone(t *testing.T, scheme quant.Scheme, parts ...string) *model.Backbone {
	t.Helper()
	var stated model.Settings
	if parts[0] == "vit_mean" {
		stated.Heads = 3
	}
	src, err := model.ImportWith(filepath.Join(append([]string{"testdata"}, parts...)...), stated)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	quantize := model.Quantize
	if scheme == quant.Q8C { // the golden weights are the nearest ones
		quantize = func(src *model.Source, _ quant.Scheme) (*model.Backbone, error) { return model.QuantizeFullRange(src) }
	}
	b, err := quantize(src, scheme)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// outputs and gradients of one model and task, as the golden files have them.
type parityCase struct {
	folder, layout string
	scheme         quant.Scheme
	task           string
	expect         string
	losses         []string
}

var parityCases = []parityCase{
	{"vit", "timm", quant.F32, "par", "par", []string{"ce", "bce"}},
	{"vit", "timm", quant.F32, "par_plainhead", "par_plainhead", []string{"ce"}},
	{"vit", "timm", quant.F32, "range", "range", []string{"ce"}},
	{"vit", "timm", quant.F32, "linear", "linear", []string{"ce", "bce"}},
	{"vit", "timm", quant.F32, "par_learn_lnin", "par_learn_lnin", []string{"ce", "bce"}},
	{"vit", "timm", quant.F32, "par_lnout", "par_lnout", []string{"ce"}},
	{"vit", "timm", quant.F32, "seq", "seq", []string{"ce", "bce"}},
	{"vit", "timm", quant.F32, "seq_lnin", "seq_lnin", []string{"ce"}},
	{"vit_mean", "timm", quant.F32, "par", "par", []string{"ce", "bce"}},
	{"vit", "timm", quant.Q8C, "par", "par.int8_rows", []string{"ce"}},
	{"dinov2", "hf", quant.F32, "par", "par", []string{"ce"}},
	{"dinov2", "hf", quant.F32, "seq", "seq", []string{"ce"}},
	{"registers", "model", quant.F32, "par", "par", []string{"ce"}},
	{"dinov2_resample", "hf", quant.F32, "linear", "linear", []string{"ce"}},
	{"swin", "timm", quant.F32, "par", "par", []string{"ce", "bce"}},
	{"swin", "hf", quant.F32, "par", "par", []string{"ce"}},
	{"swin", "timm", quant.F32, "seq_lnin", "seq_lnin", []string{"ce"}},
	{"swin", "ms.pth", quant.F32, "range", "range", []string{"ce"}},
}

func TestParity(t *testing.T) {
	forEachBackend(t, func(t *testing.T, be backend.Backend, tol tolerance) {
		for _, c := range parityCases {
			t.Run(c.folder+"/"+c.expect, func(t *testing.T) { c.run(t, be, tol) })
		}
	})
}

func (c parityCase) run(t *testing.T, be backend.Backend, tol tolerance) {
	host := importBackbone(t, c.scheme, c.folder, c.layout)
	v, err := nn.NewViT(be, host, nn.FloatActivations)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	a, err := adapter.Import(filepath.Join("testdata", c.folder, "task."+c.task+".safetensors"), v.Config().Ref(), nil)
	if err != nil {
		t.Fatal(err)
	}
	in := open(t, c.folder, "inputs.safetensors")
	image := in.floats("image")
	want := open(t, c.folder, "expect."+c.expect+".safetensors")
	if c.scheme == quant.F32 {
		plain := open(t, c.folder, "backbone.safetensors")
		checkForward(t, v, nil, plainPool(host.Config()), image, plain, tol, []string{"embedding", "tokens", "features", "logits_original"})
	}
	task, err := nn.NewTask(v, a)
	if err != nil {
		t.Fatal(err)
	}
	defer task.Close()
	checkForward(t, v, task, adapter.PoolCLS, image, want, tol, []string{"features", "logits"})
	for _, loss := range c.losses {
		y := nn.Targets{Classes: in.ints("target"), Flags: in.floats("target_multi").Data}
		c.gradients(t, v, a, loss, image, y, want, tol)
	}
}

// plainPool is the pooling of the features in backbone.safetensors.
func plainPool(c model.Config) adapter.Pool {
	switch {
	case c.Swin():
		return adapter.PoolNormMean
	case c.FCNorm:
		return adapter.PoolMean
	}
	return adapter.PoolCLS
}

// checkForward compares every block's output, the attention probabilities that the file has and the named taps.
func checkForward(t *testing.T, v *nn.ViT, task *nn.Task, pool adapter.Pool, image tensor.Tensor, want goldens, tol tolerance, taps []string) {
	t.Helper()
	s := image.Shape
	c := nn.ForwardConfig{Batch: s[0], Height: s[2], Width: s[3], Task: task, Pool: pool}
	for _, name := range want.f.Names() {
		if strings.HasPrefix(name, "block.") || strings.HasPrefix(name, "probs.") {
			c.Taps = append(c.Taps, name)
		}
	}
	for _, name := range taps {
		if (name != "logits_original" || v.Config().HasHead) && (name != "tokens" || !v.Config().FCNorm) {
			c.Taps = append(c.Taps, name)
		}
	}
	f, err := v.NewForward(c)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	err = f.Run(context.Background(), image.Data, func(f *nn.Forward) error {
		for _, name := range c.Taps {
			key := name
			if name == "logits" {
				key = "logits_eval"
			}
			w := want.floats(key)
			got := tensor.New(f.Shape(name)...)
			if err := f.Read(name, got.Data); err != nil {
				return err
			}
			if s := w.Shape; len(s) == 4 && !strings.HasPrefix(name, "probs.") { // a Swin's grid
				w.Shape = tensor.Shape{s[0], s[1] * s[2], s[3]}
			}
			if !got.Shape.Equal(w.Shape) {
				t.Errorf("%s is %v, expected %v", name, got.Shape, w.Shape)
				continue
			}
			bound := tol.outputs * largest(w.Data)
			if strings.HasPrefix(name, "probs.") {
				bound = tol.probs
			}
			if d, i := worst(got.Data, w.Data); !(d <= bound) {
				t.Errorf("%s: element %d is %g, expected %g: differs by %g, allowed %g", name, i, got.Data[i], w.Data[i], d, bound)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (c parityCase) gradients(t *testing.T, v *nn.ViT, a *adapter.Adapter, loss string, image tensor.Tensor, y nn.Targets, want goldens, tol tolerance) {
	t.Helper()
	cfg := a.Config()
	if loss == "bce" {
		cfg.Task = adapter.MultiLabel
	}
	a, err := a.WithConfig(cfg)
	if err != nil {
		t.Fatal(err)
	}
	s := image.Shape
	task, step, end := stepOf(t, v, a, nn.StepConfig{Batch: s[0], Height: s[2], Width: s[3], Gradients: true})
	defer end()
	got, _, err := step.Run(context.Background(), image.Data, y, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	if w := float64(want.floats(loss + ".loss").Data[0]); math.Abs(got-w) > 1e-4*math.Abs(w) {
		t.Errorf("%s loss %g, expected %g", loss, got, w)
	}
	checkGradients(t, step, loss, want, tol)
	checkStatistics(t, task, want, tol)
}

// stepOf is a task on v with an adapter's values, and a step that trains it; end closes both, before v is closed.
func stepOf(t *testing.T, v *nn.ViT, a *adapter.Adapter, c nn.StepConfig) (task *nn.Task, step *nn.Step, end func()) {
	t.Helper()
	task, err := nn.NewTask(v, a)
	if err != nil {
		t.Fatal(err)
	}
	opt, err := nn.NewOptimizer(v, task, nn.OptimizerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	if step, err = v.NewStep(task, opt, c); err != nil {
		t.Fatal(err)
	}
	return task, step, func() {
		step.Close()
		opt.Close()
		task.Close()
	}
}

// checkGradients applies the reference's rule: an error is measured against the tensor's own largest gradient, or
// against 1% of the largest of the whole loss where that is more.
func checkGradients(t *testing.T, step *nn.Step, loss string, want goldens, tol tolerance) {
	t.Helper()
	top := 0.0
	var names []string
	for _, key := range want.f.Names() {
		name, ok := strings.CutPrefix(key, loss+".")
		if !ok || name == "loss" {
			continue
		}
		names = append(names, name)
		top = max(top, largest(want.floats(key).Data))
	}
	for _, name := range names {
		w := want.floats(loss + "." + name)
		got, err := step.Gradient(name)
		if err != nil {
			t.Error(err)
			continue
		}
		bound := tol.gradients * max(largest(w.Data), 1e-2*top)
		if strings.HasPrefix(name, "grad.fc_norm.") { // 0 in theory: BatchNorm takes out what it does. Both are noise.
			bound = 1e-4 * top
		}
		if d, i := worst(got.Data, w.Data); !(d <= bound) {
			t.Errorf("%s.%s: element %d is %g, expected %g: differs by %g, allowed %g", loss, name, i, got.Data[i], w.Data[i], d, bound)
		}
	}
}

// checkStatistics compares the head's running statistics after one training step.
func checkStatistics(t *testing.T, task *nn.Task, want goldens, tol tolerance) {
	t.Helper()
	got, err := task.Tensors()
	if err != nil {
		t.Fatal(err)
	}
	for name, key := range map[string]string{"head.0.running_mean": "bn.running_mean_after", "head.0.running_var": "bn.running_var_after"} {
		if _, ok := got[name]; !ok {
			continue
		}
		w := want.floats(key)
		if d, i := worst(got[name].Data, w.Data); !(d <= tol.outputs*largest(w.Data)) {
			t.Errorf("%s: element %d is %g, expected %g", name, i, got[name].Data[i], w.Data[i])
		}
	}
}

// worst is the largest difference and where it is; a NaN anywhere is infinitely far, and so are unequal lengths.
func worst(got, want []float32) (diff float64, at int) {
	if len(got) != len(want) {
		return math.Inf(1), 0
	}
	for i := range want {
		d := math.Abs(float64(got[i]) - float64(want[i]))
		if math.IsNaN(d) {
			return math.Inf(1), i
		}
		if d > diff {
			diff, at = d, i
		}
	}
	return diff, at
}

func largest(x []float32) float64 {
	top := 0.0
	for _, v := range x {
		top = max(top, math.Abs(float64(v)))
	}
	return top
}

// TestParityRejects makes sure that the comparison notices a wrong model: a scale of 1 for 0.1, a block without its
// branch, and int8 weights held to the float model's numbers.
func TestParityRejects(t *testing.T) {
	v, err := nn.NewViT(reference(t), importBackbone(t, quant.F32, "vit", "timm"), nn.FloatActivations)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	right, err := adapter.Import(filepath.Join("testdata", "vit", "task.par.safetensors"), v.Config().Ref(), nil)
	if err != nil {
		t.Fatal(err)
	}
	in, want := open(t, "vit", "inputs.safetensors"), open(t, "vit", "expect.par.safetensors")
	scaled := right.Config()
	scaled.Scale = 1
	fewer := right.Config()
	fewer.Blocks = []int{0, 1}
	sequential := right.Config()
	sequential.Placement = adapter.Sequential
	for name, c := range map[string]adapter.Config{"scale": scaled, "branch left out": fewer, "sequential": sequential} {
		a, err := right.WithConfig(c)
		if err != nil {
			t.Fatal(name, err)
		}
		if d := featureError(t, v, a, in, want); d < 100*5e-5 {
			t.Errorf("%s: features differ by only %g of their largest value", name, d)
		}
	}
	if d := featureError(t, v, right, in, want); d > 1e-5 {
		t.Errorf("control: features differ by %g", d)
	}
	q, err := nn.NewViT(reference(t), importBackbone(t, quant.Q8C, "vit", "timm"), nn.FloatActivations)
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	if d := featureError(t, q, right, in, want); d < 20*5e-5 {
		t.Errorf("int8 weights: features differ by only %g", d)
	}
}

func featureError(t *testing.T, v *nn.ViT, a *adapter.Adapter, in, want goldens) float64 {
	t.Helper()
	task, err := nn.NewTask(v, a)
	if err != nil {
		t.Fatal(err)
	}
	defer task.Close()
	image := in.floats("image")
	f, err := v.NewForward(nn.ForwardConfig{Batch: image.Shape[0], Height: image.Shape[2], Width: image.Shape[3], Task: task, Taps: []string{nn.TapFeatures}})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := want.floats("features")
	got := tensor.New(w.Shape...)
	if err := f.Run(context.Background(), image.Data, func(f *nn.Forward) error { return f.Read(nn.TapFeatures, got.Data) }); err != nil {
		t.Fatal(err)
	}
	d, _ := worst(got.Data, w.Data)
	return d / largest(w.Data)
}

// trajectory is what train_vit/trajectory.json holds.
type trajectory struct {
	Batch, Epochs, Accumulate int
	Warmup                    float64 `json:"warmup_epochs"`
	Runs                      map[string]struct {
		Optimiser struct {
			LR, Momentum, Eps float64
			Betas             []float64
		}
		LR, Loss []float64
	}
}

// optimizer is the rule of a run.
func (traj trajectory) optimizer(run string) nn.OptimizerConfig {
	o := traj.Runs[run].Optimiser
	if run == "adamw" {
		return nn.OptimizerConfig{AdamW: &backend.AdamWConfig{Beta1: float32(o.Betas[0]), Beta2: float32(o.Betas[1]), Eps: float32(o.Eps)}}
	}
	return nn.OptimizerConfig{Momentum: float32(o.Momentum)}
}

// TestTrajectory replays 30 steps of each optimiser: the loss before each and the tensors after the last.
func TestTrajectory(t *testing.T) {
	for _, folder := range []string{"train_vit", "train_vit_multilabel", "train_vit_accumulate"} {
		raw, err := os.ReadFile(filepath.Join("testdata", folder, "trajectory.json"))
		if err != nil {
			t.Fatal(err)
		}
		var traj trajectory
		if err := json.Unmarshal(raw, &traj); err != nil {
			t.Fatal(err)
		}
		for run, want := range traj.Runs {
			t.Run(folder+" "+run, func(t *testing.T) {
				forEachBackend(t, func(t *testing.T, be backend.Backend, _ tolerance) {
					v, err := nn.NewViT(be, importBackbone(t, quant.F32, folder), nn.FloatActivations)
					if err != nil {
						t.Fatal(err)
					}
					defer v.Close()
					task, losses := replay(t, v, folder, traj.optimizer(run), want.LR, traj)
					defer task.Close()
					for i, l := range want.Loss {
						if math.Abs(losses[i]-l) > 1e-3 {
							t.Fatalf("step %d: loss %g, expected %g", i, losses[i], l)
						}
					}
					got, err := task.Tensors()
					if err != nil {
						t.Fatal(err)
					}
					final := open(t, folder, "final."+run+".safetensors")
					for name, x := range got {
						w := final.floats(name)
						if d, i := worst(x.Data, w.Data); d > 5e-3*largest(w.Data) {
							t.Errorf("%s: element %d is %g, expected %g", name, i, x.Data[i], w.Data[i])
						}
					}
				})
			})
		}
	}
}

func replay(t *testing.T, v *nn.ViT, folder string, rule nn.OptimizerConfig, rates []float64, traj trajectory) (*nn.Task, []float64) {
	t.Helper()
	size := traj.Batch
	a, err := adapter.Import(filepath.Join("testdata", folder, "start.safetensors"), v.Config().Ref(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if strings.HasSuffix(folder, "multilabel") {
		c := a.Config()
		c.Task = adapter.MultiLabel
		if a, err = a.WithConfig(c); err != nil {
			t.Fatal(err)
		}
	}
	data := open(t, folder, "data.safetensors")
	images, order := data.floats("input"), data.ints("order")
	var labels []int32
	var flags tensor.Tensor
	if a.Config().Task == adapter.MultiLabel {
		flags = data.floats("target")
	} else {
		labels = data.ints("target")
	}
	task, err := nn.NewTask(v, a)
	if err != nil {
		t.Fatal(err)
	}
	opt, err := nn.NewOptimizer(v, task, rule)
	if err != nil {
		t.Fatal(err)
	}
	defer opt.Close()
	step, err := v.NewStep(task, opt, nn.StepConfig{Batch: size, Height: images.Shape[2], Width: images.Shape[3], Accumulate: traj.Accumulate})
	if err != nil {
		t.Fatal(err)
	}
	defer step.Close()
	tokens := embeddings(t, v, images)
	n, width := images.Shape[0], len(tokens)/images.Shape[0]
	batch := make([]float32, size*width)
	var losses []float64
	for i, lr := range rates {
		perEpoch := n / size
		at := i/perEpoch*n + i%perEpoch*size
		var y nn.Targets
		for k := range size {
			id := int(order[at+k])
			copy(batch[k*width:], tokens[id*width:(id+1)*width])
			if labels != nil {
				y.Classes = append(y.Classes, labels[id])
			} else {
				classes := flags.Shape[1]
				y.Flags = append(y.Flags, flags.Data[id*classes:(id+1)*classes]...)
			}
		}
		loss, _, err := step.Run(context.Background(), batch, y, float32(lr), 0)
		if err != nil {
			t.Fatal(err)
		}
		losses = append(losses, loss)
	}
	return task, losses
}

// embeddings are the tokens that enter block 0, image by image.
func embeddings(t *testing.T, v *nn.ViT, images tensor.Tensor) []float32 {
	t.Helper()
	s := images.Shape
	f, err := v.NewForward(nn.ForwardConfig{Batch: s[0], Height: s[2], Width: s[3], Taps: []string{nn.TapEmbedding}})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	out := make([]float32, f.Shape(nn.TapEmbedding).Elems())
	if err := f.Run(context.Background(), images.Data, func(f *nn.Forward) error { return f.Read(nn.TapEmbedding, out) }); err != nil {
		t.Fatal(err)
	}
	return out
}

var _ = fmt.Sprint

// TestTrajectoryControl: updates after each of the runs that should be summed give other losses.
func TestTrajectoryControl(t *testing.T) {
	be, err := cpu.New(cpu.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer be.Close()
	const folder = "train_vit_accumulate"
	raw, err := os.ReadFile(filepath.Join("testdata", folder, "trajectory.json"))
	if err != nil {
		t.Fatal(err)
	}
	var traj trajectory
	if err := json.Unmarshal(raw, &traj); err != nil {
		t.Fatal(err)
	}
	v, err := nn.NewViT(be, importBackbone(t, quant.F32, folder), nn.FloatActivations)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	want := traj.Runs["sgd"]
	traj.Accumulate = 1
	task, losses := replay(t, v, folder, traj.optimizer("sgd"), want.LR, traj)
	defer task.Close()
	worst := 0.0
	for i, l := range want.Loss {
		worst = max(worst, math.Abs(losses[i]-l))
	}
	if worst < 1e-2 {
		t.Errorf("the losses of summed gradients within %g", worst)
	}
}
