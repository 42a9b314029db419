package nn

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/edgeadapt/edgeadapt/sdk/adapter"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/edgeadapt/edgeadapt/sdk/internal/tensor"
	"github.com/pkg/errors"
)

// Names of intermediates. "block.N.output" and "probs.N" count blocks from 0.
const (
	TapEmbedding = "embedding"       // tokens entering block 0 [B, T, D]
	TapTokens    = "tokens"          // after the final norm [B, T, D]
	TapFeatures  = "features"        // pooled [B, F]
	TapLogits    = "logits"          // the adapter's head [B, classes]
	TapOriginal  = "logits_original" // the checkpoint's own head on its class token [B, classes]
)

// BlockOutput names block i's output tokens [B, T, D].
func BlockOutput(i int) string { return fmt.Sprintf("block.%d.output", i) }

// BlockInput names the tokens that enter block i: the embedding or the output of the block below.
func BlockInput(i int) string {
	if i == 0 {
		return TapEmbedding
	}
	return BlockOutput(i - 1)
}

// ErrTap says that a name is no intermediate of this model.
var ErrTap = errors.New("no such intermediate")

// Entry is the point at which a batch enters the network.
type Entry int

const (
	Images   Entry = 0  // normalised pixels [B, 3, H, W]
	Features Entry = -1 // pooled features [B, F]: only the task's head runs
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
	p := newPass(v, c)
	input := p.input()
	p.run(input)
	if missing := p.missing(); missing != "" && p.err() == nil {
		return nil, errors.WithMessagef(ErrTap, "%q, expected embedding, block.N.output, probs.N (N below %d), tokens, features%s%s", missing,
			v.cfg.Depth, ifElse(c.Task != nil || c.mixed != nil, ", logits", ""), ifElse(v.head != nil, ", logits_original", ""))
	}
	prog, err := p.r.Finish()
	if err != nil {
		return nil, err
	}
	exec, err := v.be.Compile(prog)
	if err != nil {
		return nil, err
	}
	f := &Forward{exec: exec, input: input, mix: p.mix.Mix, shape: prog.Shape(input), taps: p.taps, shapes: map[string]tensor.Shape{}}
	for name, t := range p.taps {
		f.shapes[name] = p.imageShape(prog.Shape(t))
	}
	return f, nil
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
	r     *backend.Recorder
	v     *ViT
	c     ForwardConfig
	heads backend.Heads
	want  map[string]bool
	taps  map[string]backend.Value
	mix   backend.Mixed

	grads  backend.Buffer // set in training: the walk keeps what the backward pass needs
	key    backend.Value  // of the dropout, None without
	states []blockState   // by block
	last   backend.Value  // the last block's output
	pooled backend.Value  // input of fc_norm, with mean pooling
	final  backend.NormStats
}

func newPass(v *ViT, c ForwardConfig) *pass {
	p := &pass{r: backend.NewRecorder(), v: v, c: c, want: map[string]bool{}, taps: map[string]backend.Value{},
		states: make([]blockState, v.cfg.Depth),
		heads:  backend.Heads{Batch: c.Batch, Tokens: v.Tokens(c.Height, c.Width), Count: v.cfg.Heads}}
	for _, t := range c.Taps {
		p.want[t] = true
	}
	patch := v.cfg.Patch
	if c.Batch <= 0 || c.Height < patch || c.Width < patch || c.Height%patch != 0 || c.Width%patch != 0 {
		p.r.Fail(errors.WithMessagef(tensor.ErrShape, "input of %d images of %d x %d pixels, expected sides that are multiples of the patch %d",
			c.Batch, c.Height, c.Width, patch))
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
	return p.r.Input("tokens", p.heads.Batch*p.heads.Tokens, p.v.cfg.Dim)
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
	d := v.cfg.Dim
	return r.PatchEmbed(image, r.Param("patch_embed.weight", v.patch, 0, d, 3*v.cfg.Patch*v.cfg.Patch),
		r.Param("patch_embed.bias", v.patchBias, 0, d), r.Param("prefix", v.prefix, 0, v.cfg.PrefixTokens(), d),
		r.Param("pos_embed", pos, 0, gh*gw, d), v.cfg.Patch)
}

// run records the walk from the input to the last tap; in training to the features, which it returns.
func (p *pass) run(x backend.Value) (features backend.Value) {
	if p.err() != nil {
		return backend.None
	}
	switch p.c.From {
	case Features:
		p.classify(x)
		return x
	case Images:
		x = p.embed(x)
		if p.tap(TapEmbedding, x) {
			return backend.None
		}
	}
	for i := p.c.From.block(p.v.cfg.Depth); i < p.v.cfg.Depth; i++ {
		x = p.block(i, x)
		if name := fmt.Sprintf("probs.%d", i); p.want[name] {
			p.tap(name, p.r.AttentionProbs(p.states[i].qkv, p.states[i].lse, p.heads))
		}
		if p.tap(BlockOutput(i), x) {
			return backend.None
		}
	}
	p.last = x
	if p.c.mixed != nil {
		return p.featuresMixed(x)
	}
	return p.features(x)
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
	y, p.states[i] = p.v.blocks[i].forward(p.r, x, p.heads, br, p.training())
	return y
}

// features records the final norm, the pooling and, outside training, the heads.
func (p *pass) features(x backend.Value) backend.Value {
	v, r, prefix := p.v, p.r, p.v.cfg.PrefixTokens()
	pool := p.pool()
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
	case p.c.Task != nil:
		p.pooled = r.Pool(x, backend.PoolMean, p.c.Batch, prefix)
		f, p.final = r.LayerNorm(p.pooled, *p.c.Task.fcNorm)
	default:
		f = r.Pool(x, backend.PoolMean, p.c.Batch, prefix)
		if v.cfg.FCNorm {
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

var errNoTokens = errors.WithMessage(tensor.ErrShape, "the backbone's final norm is that of mean pooling (fc_norm): expected pooling mean, and no normed tokens")

// original records the checkpoint's own head, on what that was trained on: the class token of the normed tokens, or the
// normed mean of the last block's patches x.
func (p *pass) original(x, tokens backend.Value) {
	v, r, prefix := p.v, p.r, p.v.cfg.PrefixTokens()
	var f backend.Value
	if v.cfg.FCNorm {
		f, _ = r.LayerNorm(r.Pool(x, backend.PoolMean, p.c.Batch, prefix), v.norm)
	} else {
		f = r.Pool(tokens, backend.PoolCLS, p.c.Batch, prefix)
	}
	p.tap(TapOriginal, r.Affine(f, r.Param("head.weight", v.head, 0, v.classes, v.cfg.Dim), r.Param("head.bias", v.headBias, 0, v.classes)))
}

// classify records the task's head on the features, where somebody asked for logits; in training the step does.
func (p *pass) classify(f backend.Value) {
	if p.c.Task != nil && p.want[TapLogits] {
		logits, _ := p.c.Task.head(p.r, f, false)
		p.tap(TapLogits, logits)
	}
}

// imageShape splits the rows of a token matrix [B T, D] into [B, T, D].
func (p *pass) imageShape(s tensor.Shape) tensor.Shape {
	if len(s) == 2 && s[0] == p.heads.Batch*p.heads.Tokens {
		return tensor.Shape{p.heads.Batch, p.heads.Tokens, s[1]}
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
		if rest, ok = strings.CutSuffix(rest, ".output"); ok {
			number = rest
		}
	} else if rest, ok := strings.CutPrefix(name, "probs."); ok {
		number = rest
	}
	if n, err := strconv.Atoi(number); err == nil && n >= 0 && n < depth && strconv.Itoa(n) == number {
		return nil
	}
	return errors.WithMessagef(ErrTap, "%q, expected embedding, block.N.output, probs.N (N below %d), tokens, features, logits or logits_original", name, depth)
}
