package nn

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/edgeadapt/edgeadapt/sdk/adapter"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/edgeadapt/edgeadapt/sdk/internal/tensor"
	"github.com/edgeadapt/edgeadapt/sdk/model"
	"github.com/pkg/errors"
)

// Names of intermediates. "block.N.output" and "probs.N" count blocks from 0.
const (
	TapEmbedding = "embedding"       // tokens entering block 0 [B, T, D]
	TapTokens    = "tokens"          // after the final norm [B, T, D]
	TapFeatures  = "features"        // pooled [B, F]
	TapPooled    = "pooled"          // with mean pooling, before fc_norm [B, F]: what a task takes that enters at Features
	TapLogits    = "logits"          // the adapter's head [B, classes]
	TapOriginal  = "logits_original" // the checkpoint's own head on its class token [B, classes]
)

// BlockOutput names block i's output tokens [B, T, D].
func BlockOutput(i int) string { return fmt.Sprintf("block.%d.output", i) }

// BlockInput names the tokens that enter block i [B, T, D]: the embedding or the output of the block below, in a Swin after
// patch merging. For the number of blocks it names those that enter the final norm.
func BlockInput(i int) string { return fmt.Sprintf("block.%d.input", i) }

// LayerInput names the rows that a linear layer of block i reads [B, T, K]; layers are named as in package model. That of
// the layer that merges patches into block i exists in passes that enter below it.
func LayerInput(i int, layer string) string { return fmt.Sprintf("block.%d.%s.input", i, layer) }

// tapLayers keeps the inputs of block i's layers.
func (p *pass) tapLayers(i int) (done bool) {
	s := p.states[i]
	for _, l := range []struct {
		layer string
		input backend.Value
	}{{model.LayerQKV, s.n1}, {model.LayerProj, s.o}, {model.LayerFC1, s.n2}, {model.LayerFC2, s.z}} {
		if p.tap(LayerInput(i, l.layer), l.input) {
			return true
		}
	}
	return false
}

// ErrTap says that a name is no intermediate of this model.
var ErrTap = errors.New("no such intermediate")

// Entry is the point at which a batch enters the network.
type Entry int

const (
	Images   Entry = 0  // normalised pixels [B, 3, H, W]
	Features Entry = -1 // pooled features [B, F], before fc_norm with mean pooling: only that and the task's head run
)

// AtBlock is the entry of tokens [B T, D] that go into block i: what is below ran before, and was kept. Those that go into
// the block after the last go into the final norm.
func AtBlock(i int) Entry { return Entry(i + 1) }

// block is the first block that runs from e.
func (e Entry) block(depth int) int {
	switch {
	case e == Features:
		return depth
	case e == Images:
		return 0
	}
	return int(e) - 1
}

// ForwardConfig says what a Forward computes.
type ForwardConfig struct {
	Batch, Height, Width int // input size in pixels, multiples of the patch
	From                 Entry
	Task                 *Task        // nil for the plain backbone
	Pool                 adapter.Pool // of the features where there is no Task
	Taps                 []string     // what to keep; the pass ends as soon as all are made

	mixed *mixed // set for a Mixer's passes: each image has its own task, Task is nil
}

// Forward is a compiled inference pass. Safe for concurrent use: calls take turns.
type Forward struct {
	mu     sync.Mutex
	exec   backend.Executable
	input  backend.Value
	mix    backend.Value // of a Mixer's pass, else None
	shape  tensor.Shape
	taps   map[string]backend.Value
	shapes map[string]tensor.Shape
}

// NewForward records and compiles a pass. The Forward must be closed before the Task and the ViT.
func (v *ViT) NewForward(c ForwardConfig) (*Forward, error) {
	f, prog, err := v.recordForward(c)
	if err != nil {
		return nil, err
	}
	if f.exec, err = v.be.Compile(prog); err != nil {
		return nil, err
	}
	return f, nil
}

// ForwardFootprint is the memory that a pass would take, as with StepFootprint, and the shapes of its taps.
func (v *ViT) ForwardFootprint(c ForwardConfig) (bytes int64, taps map[string]tensor.Shape, err error) {
	f, prog, err := v.recordForward(c)
	if err != nil {
		return 0, nil, err
	}
	bytes, err = prog.Footprint()
	return bytes, f.shapes, err
}

func (v *ViT) recordForward(c ForwardConfig) (*Forward, *backend.Program, error) {
	p := newPass(v, c)
	input := p.input()
	p.run(input)
	p.r.Prune() // a layer's input may be all that is wanted of a block
	if missing := p.missing(); missing != "" && p.err() == nil {
		return nil, nil, errors.WithMessagef(ErrTap, "%q, expected embedding, block.N.input, block.N.output, probs.N (N below %d), tokens, features%s%s", missing,
			v.cfg.Depth, ifElse(c.Task != nil || c.mixed != nil, ", logits", ""), ifElse(v.head != nil, ", logits_original", ""))
	}
	prog, err := p.r.Finish()
	if err != nil {
		return nil, nil, err
	}
	f := &Forward{input: input, mix: p.mix.Mix, shape: prog.Shape(input), taps: p.taps, shapes: map[string]tensor.Shape{}}
	for name, t := range p.taps {
		f.shapes[name] = p.imageShape(name, prog.Shape(t))
	}
	return f, prog, nil
}

func ifElse(ok bool, yes, no string) string {
	if ok {
		return yes
	}
	return no
}

// Run computes one batch; input is what the configured Entry says. read is called with the
// results still in place, before another goroutine's Run may replace them.
func (f *Forward) Run(ctx context.Context, input []float32, read func(*Forward) error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.exec.WriteFloats(f.input, input); err != nil {
		return err
	}
	if err := f.exec.Run(ctx); err != nil {
		return err
	}
	return read(f)
}

// InputShape is what Run takes.
func (f *Forward) InputShape() tensor.Shape { return f.shape }

// Shape is the shape of a tap, images outermost.
func (f *Forward) Shape(tap string) tensor.Shape { return f.shapes[tap] }

// Read copies a tap of the last Run; only from within Run's read function.
func (f *Forward) Read(tap string, dst []float32) error {
	t, ok := f.taps[tap]
	if !ok {
		return errors.WithMessagef(ErrTap, "%q", tap)
	}
	return f.exec.ReadFloats(t, dst)
}

// Bytes is the device memory that the pass holds.
func (f *Forward) Bytes() int64 { return f.exec.Bytes() }

// Close frees it, after a Run under way.
func (f *Forward) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.exec.Close()
}

// pass records one walk through the network.
type pass struct {
	r      *backend.Recorder
	v      *ViT
	c      ForwardConfig
	places []place // by block
	want   map[string]bool
	taps   map[string]backend.Value
	mix    backend.Mixed

	grads  backend.Buffer // set in training: the walk keeps what the backward pass needs
	key    backend.Value  // of the dropout, None without
	states []blockState   // by block
	last   backend.Value  // the last block's output
	pooled backend.Value  // input of fc_norm, with mean pooling
	final  backend.NormStats
}

func newPass(v *ViT, c ForwardConfig) *pass {
	p := &pass{r: backend.NewRecorder(), v: v, c: c, want: map[string]bool{}, taps: map[string]backend.Value{},
		states: make([]blockState, v.cfg.Depth)}
	for _, t := range c.Taps {
		p.want[t] = true
	}
	patch := v.cfg.Patch
	if c.Batch <= 0 || c.Height < patch || c.Width < patch || c.Height%patch != 0 || c.Width%patch != 0 {
		p.r.Fail(errors.WithMessagef(tensor.ErrShape, "input of %d images of %d x %d pixels, expected sides that are multiples of the patch %d",
			c.Batch, c.Height, c.Width, patch))
	}
	for i := range v.cfg.Depth {
		if p.err() == nil {
			p.places = append(p.places, v.place(i, c.Batch, c.Height, c.Width))
		}
	}
	if c.From < Features || c.From > AtBlock(v.cfg.Depth) {
		p.r.Fail(errors.Errorf("pass from block %d, the backbone has %d", c.From-1, v.cfg.Depth))
	}
	if c.mixed != nil {
		p.mix = c.mixed.declare(p.r, c.Batch, v.cfg.Depth)
	}
	return p
}

func (p *pass) err() error {
	_, err := p.r.Finish()
	return err
}

// training is whether the walk keeps state for a backward pass.
func (p *pass) training() bool { return p.grads != nil }

// input declares what comes in.
func (p *pass) input() backend.Value {
	switch p.c.From {
	case Images:
		return p.r.Input("image", p.c.Batch, 3, p.c.Height, p.c.Width)
	case Features:
		return p.r.Input("features", p.c.Batch, p.v.featureWidth(p.pool()))
	}
	if p.err() != nil {
		return backend.None
	}
	at := p.places[min(p.c.From.block(p.v.cfg.Depth), p.v.cfg.Depth-1)]
	return p.r.Input("tokens", p.c.Batch*at.tokens, at.dim)
}

func (p *pass) pool() adapter.Pool {
	if p.c.Task != nil {
		return p.c.Task.cfg.Pool
	}
	return p.c.Pool
}

// tap keeps v if somebody asked for name, and reports whether everything asked for has been made.
func (p *pass) tap(name string, v backend.Value) (done bool) {
	if p.want[name] {
		p.taps[name] = p.r.Output(v, name)
	}
	return !p.training() && len(p.taps) == len(p.want)
}

func (p *pass) missing() string {
	for _, name := range p.c.Taps {
		if _, ok := p.taps[name]; !ok {
			return name
		}
	}
	return ""
}

// embed records the tokens of images.
func (p *pass) embed(image backend.Value) backend.Value {
	v, r := p.v, p.r
	gh, gw := p.c.Height/v.cfg.Patch, p.c.Width/v.cfg.Patch
	pos, err := v.positionsFor(gh, gw)
	if err != nil {
		r.Fail(err)
		return backend.None
	}
	d, prefix := v.cfg.Dim, backend.None
	if v.prefix != nil {
		prefix = r.Param("prefix", v.prefix, 0, v.cfg.PrefixTokens(), d)
	}
	x := r.PatchEmbed(image, r.Param("patch_embed.weight", v.patch, 0, d, 3*v.cfg.Patch*v.cfg.Patch),
		r.Param("patch_embed.bias", v.patchBias, 0, d), prefix, r.Param("pos_embed", pos, 0, gh*gw, d), v.cfg.Patch)
	if v.stemNorm != nil {
		x, _ = r.LayerNorm(x, *v.stemNorm)
	}
	return x
}

// run records the walk from the input to the last tap; in training to the features, which it returns.
func (p *pass) run(x backend.Value) (features backend.Value) {
	if p.err() != nil {
		return backend.None
	}
	switch p.c.From {
	case Features:
		if p.c.Task != nil && p.c.Task.hasFCNorm() {
			x = p.normPooled(x)
		}
		p.classify(x)
		return x
	case Images:
		x = p.embed(x)
		if p.tap(TapEmbedding, x) {
			return backend.None
		}
	}
	first := p.c.From.block(p.v.cfg.Depth)
	for i := first; i < p.v.cfg.Depth; i++ {
		if i > first {
			x = p.enter(i, x)
		}
		if i > first && p.v.blocks[i].merge != nil && p.tap(LayerInput(i, model.LayerReduction), p.states[i].merged.y) {
			return backend.None
		}
		if p.tap(BlockInput(i), x) {
			return backend.None
		}
		x = p.block(i, x)
		if p.tapLayers(i) {
			return backend.None
		}
		if name := fmt.Sprintf("probs.%d", i); p.want[name] {
			p.tap(name, p.places[i].probs(p.r, p.states[i].qkv, p.states[i].lse))
		}
		if p.tap(BlockOutput(i), x) {
			return backend.None
		}
	}
	if p.tap(BlockInput(p.v.cfg.Depth), x) {
		return backend.None
	}
	p.last = x
	if p.c.mixed != nil {
		return p.featuresMixed(x)
	}
	return p.features(x)
}

// enter records what stands between block i and the one below: patch merging, where a stage begins.
func (p *pass) enter(i int, x backend.Value) backend.Value {
	if m := p.v.blocks[i].merge; m != nil {
		x, p.states[i].merged = m.forward(p.r, x, p.places[i-1].grid)
	}
	return x
}

// leave records its gradient.
func (p *pass) leave(i int, g backend.Value) backend.Value {
	if m := p.v.blocks[i].merge; m != nil {
		return m.backward(p.r, p.states[i].merged, g, p.places[i-1].grid)
	}
	return g
}

// block records block i with the branches that it has.
func (p *pass) block(i int, x backend.Value) (y backend.Value) {
	if p.c.mixed != nil {
		return p.forwardMixed(i, x)
	}
	br := p.c.Task.branchAt(i)
	if br != nil && p.training() {
		br.grads = p.grads
		if p.key != backend.None {
			br.dropout = backend.Dropout{P: p.c.Task.cfg.Dropout, Key: p.key, Stream: uint32(i)}
		}
	}
	y, s := p.v.blocks[i].forward(p.r, x, p.places[i], br, p.training())
	s.merged = p.states[i].merged
	p.states[i] = s
	return y
}

// features records the final norm, the pooling and, outside training, the heads.
func (p *pass) features(x backend.Value) backend.Value {
	v, r, prefix := p.v, p.r, p.v.cfg.PrefixTokens()
	pool := p.pool()
	if v.cfg.Swin() && pool != adapter.PoolNormMean {
		r.Fail(errSwinPool)
		return backend.None
	}
	var tokens, f backend.Value
	if wants := pool != adapter.PoolMean || p.want[TapTokens]; v.cfg.FCNorm && wants {
		r.Fail(errNoTokens)
		return backend.None
	} else if wants || p.want[TapOriginal] && !v.cfg.FCNorm {
		tokens, p.final = r.LayerNorm(x, v.norm)
		if p.tap(TapTokens, tokens) {
			return backend.None
		}
	}
	switch {
	case pool != adapter.PoolMean:
		f = r.Pool(tokens, poolMode(pool), p.c.Batch, prefix)
	default:
		f = r.Pool(x, backend.PoolMean, p.c.Batch, prefix)
		if p.tap(TapPooled, f) {
			return backend.None
		}
		if p.c.Task != nil {
			f = p.normPooled(f)
		} else if v.cfg.FCNorm {
			f, _ = r.LayerNorm(f, v.norm)
		}
	}
	if p.tap(TapFeatures, f) || p.training() {
		return f
	}
	if p.want[TapOriginal] && v.head != nil {
		p.original(x, tokens)
	}
	p.classify(f)
	return f
}

// normPooled records the task's fc_norm.
func (p *pass) normPooled(f backend.Value) backend.Value {
	p.pooled = f
	f, p.final = p.r.LayerNormTrained(f, p.c.Task.fcNorm(p.r))
	return f
}

var errNoTokens = errors.WithMessage(tensor.ErrShape, "the backbone's final norm is that of mean pooling (fc_norm): expected pooling mean, and no normed tokens")

var errSwinPool = errors.WithMessage(tensor.ErrShape, "a swin has no class token and one norm: expected pooling norm_mean")

// original records the checkpoint's own head, on what that was trained on: the class token of the normed tokens, or the
// normed mean of the last block's patches x.
func (p *pass) original(x, tokens backend.Value) {
	v, r, prefix := p.v, p.r, p.v.cfg.PrefixTokens()
	var f backend.Value
	switch {
	case v.cfg.FCNorm:
		f, _ = r.LayerNorm(r.Pool(x, backend.PoolMean, p.c.Batch, prefix), v.norm)
	case v.cfg.Swin():
		f = r.Pool(tokens, backend.PoolMean, p.c.Batch, prefix)
	default:
		f = r.Pool(tokens, backend.PoolCLS, p.c.Batch, prefix)
	}
	p.tap(TapOriginal, r.Affine(f, r.Param("head.weight", v.head, 0, v.classes, v.cfg.FeatureDim()), r.Param("head.bias", v.headBias, 0, v.classes)))
}

// classify records the task's head on the features, where somebody asked for logits; in training the step does.
func (p *pass) classify(f backend.Value) {
	if p.c.Task != nil && p.want[TapLogits] {
		logits, _ := p.c.Task.head(p.r, f, false)
		p.tap(TapLogits, logits)
	}
}

// imageShape splits the rows of a token matrix [B T, D] into [B, T, D]; what has a row an image stays as it is.
func (p *pass) imageShape(name string, s tensor.Shape) tensor.Shape {
	if vectors := []string{TapFeatures, TapPooled, TapLogits, TapOriginal, "logits_train", "dlogits", "dfeatures"}; len(s) == 2 && !slices.Contains(vectors, name) {
		return tensor.Shape{p.c.Batch, s[0] / p.c.Batch, s[1]}
	}
	return s
}

// ParseTap checks a name against a depth without recording anything: for early errors on a command line.
func ParseTap(name string, depth int) error {
	switch name {
	case TapEmbedding, TapTokens, TapFeatures, TapLogits, TapOriginal:
		return nil
	}
	var number string
	if rest, ok := strings.CutPrefix(name, "block."); ok {
		var what string
		if number, what, _ = strings.Cut(rest, "."); !slices.Contains(blockTaps, what) {
			number = ""
		}
	} else if rest, ok := strings.CutPrefix(name, "probs."); ok {
		number = rest
	}
	if n, err := strconv.Atoi(number); err == nil && n >= 0 && n < depth && strconv.Itoa(n) == number {
		return nil
	}
	return errors.WithMessagef(ErrTap, "%q, expected embedding, block.N.input, block.N.output, block.N.LAYER.input, probs.N (N below %d), tokens, features, logits or logits_original", name, depth)
}

// blockTaps are what follows "block.N." in a name.
var blockTaps = []string{"input", "output", model.LayerQKV + ".input", model.LayerProj + ".input", model.LayerFC1 + ".input", model.LayerFC2 + ".input",
	model.LayerReduction + ".input"}
