package cpu

import (
	"os"
	"runtime"

	"github.com/edgeadapt/edgeadapt/quant"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend/cpu/simd"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend/host"
	"github.com/pkg/errors"
)

// InstructionSetVariable names the environment variable that forces one of the sets of package simd.
const InstructionSetVariable = "EDGEADAPT_CPU"

// InstructionSets lists the values of that variable that this processor runs, best first.
func InstructionSets() (names []string) {
	for _, s := range simd.All() {
		names = append(names, s.Name)
	}
	return names
}

// Options configure the backend.
type Options struct {
	// Threads is how many goroutines compute; 0 means GOMAXPROCS, which respects a container's quota.
	Threads int
}

// device implements backend.Backend: host's frame with kernels in front.
type device struct {
	*host.Backend[float32]
	set  *simd.Set
	pool *pool
}

// New makes the CPU backend. It returns simd.ErrUnsupported, wrapped, where EDGEADAPT_CPU names an instruction set
// that this processor lacks.
func New(o Options) (backend.Backend, error) {
	set, err := simd.Choose(os.Getenv(InstructionSetVariable))
	if err != nil {
		return nil, errors.Wrap(err, InstructionSetVariable)
	}
	return open(o, set)
}

func open(o Options, set *simd.Set) (*device, error) {
	if o.Threads < 0 {
		return nil, errors.Errorf("%d threads, expected at least 1, or 0 for all", o.Threads)
	}
	if o.Threads == 0 {
		o.Threads = runtime.GOMAXPROCS(0)
	}
	d := &device{set: set, pool: newPool(o.Threads, set)}
	d.Backend = host.New(host.Options[float32]{
		Info:   backend.Info{ID: "cpu", Name: processorName(), Kind: "cpu", Driver: set.Name, Int8: set.GemmInt8 != nil},
		Kernel: d.kernel,
		Pack:   func(m quant.Matrix) (host.Packed, error) { return pack(m, set) },
	})
	return d, nil
}

// Close implements backend.Backend.
func (d *device) Close() error {
	err := d.Backend.Close()
	d.pool.close()
	return err
}

// executable is what kernels are compiled into.
type executable = host.Executable[float32]

// kernel is the code of one operator, or nil to leave it to package ref.
func (d *device) kernel(e *executable, op backend.Op) func() error {
	run := d.compile(e, op)
	if run == nil {
		return nil
	}
	return func() error { run(); return nil }
}

func (d *device) compile(e *executable, op backend.Op) func() {
	switch o := op.(type) {
	case *backend.PatchEmbed:
		return d.patchEmbed(e, o)
	case *backend.LayerNorm:
		return d.layerNorm(e, o)
	case *backend.LayerNormBackward:
		return d.layerNormBackward(e, o)
	case *backend.GainGrad:
		return d.gainGrad(e, o)
	case *backend.Linear:
		return d.linear(e, o)
	case *backend.LinearBackward:
		return d.linearBackward(e, o)
	case *backend.Attention:
		return d.attention(e, o)
	case *backend.AttentionBackward:
		return d.attentionBackward(e, o)
	case *backend.WindowAttention:
		return d.windowAttention(e, o)
	case *backend.WindowAttentionBackward:
		return d.windowAttentionBackward(e, o)
	case *backend.PatchMerge:
		return d.patchMerge(e, o)
	case *backend.PatchMergeBackward:
		return d.patchMergeBackward(e, o)
	case *backend.AdaptDown:
		return d.adaptDown(e, o)
	case *backend.AdaptDownBackward:
		return d.adaptDownBackward(e, o)
	case *backend.Affine:
		return d.affine(e, o)
	case *backend.MatMul:
		return d.matMul(e, o)
	case *backend.WeightGrad:
		return d.weightGrad(e, o)
	case *backend.BiasGrad:
		return d.biasGrad(e, o)
	case *backend.Pool:
		return d.poolTokens(e, o)
	case *backend.PoolBackward:
		return d.poolBackward(e, o)
	case *backend.BatchNorm:
		return d.batchNorm(e, o)
	case *backend.BatchNormBackward:
		return d.batchNormBackward(e, o)
	case *backend.MixedAdapter:
		return d.mixedAdapter(e, o)
	case *backend.MixedHead:
		return d.mixedHead(e, o)
	case *backend.AdamW:
		return d.adamW(e, o)
	case *backend.ClipNorm:
		return d.clipNorm(e, o)
	case *backend.SGD:
		return d.sgd(e, o)
	case *backend.SwiGLU:
		return d.swiGLU(e, o)
	case *backend.SwiGLUBackward:
		return d.swiGLUBackward(e, o)
	case *backend.Add:
		return d.add(e, o)
	case *backend.Scale:
		return d.scale(e, o)
	case *backend.ScaleBy:
		return d.scaleBy(e, o)
	}
	return nil
}
