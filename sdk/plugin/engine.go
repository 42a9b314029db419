package plugin

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/pkg/errors"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

// Options are what an adapter states for its plug-in.
type Options struct {
	MemoryBytes int64 `json:"memory_bytes,omitempty"` // largest linear memory; 0: DefaultMemory
	TimeMillis  int   `json:"time_ms,omitempty"`      // longest call; 0: DefaultTime
}

// Limits of a plug-in that states none, and of what one may state where the host sets no other.
const (
	DefaultMemory = 16 << 20
	DefaultTime   = time.Second
	HostMemory    = 256 << 20
	HostTime      = 10 * time.Second
)

// Limits are the host's. Zero values are the defaults above; Calls is one a processor.
type Limits struct {
	MemoryBytes int64         // most that an Options may state
	Time        time.Duration // likewise
	Calls       int           // at once, of all plug-ins: with MemoryBytes this bounds the memory in use

	// CacheDir is a folder of this user alone where compiled code is kept between processes; empty: nowhere. Damaged or
	// unreadable entries are compiled again; without the right to write, code is kept in memory only.
	CacheDir string
	// CacheBytes bounds what CacheDir holds: code used longest ago is removed when new code is written. 0: DefaultCacheBytes.
	CacheBytes int64
}

// features are those of WebAssembly that modules may use: version 2 but for reference types, with which a table grows
// beyond every limit, and vectors and several results, which no compiler asks for unless it is told to.
const features = api.CoreFeaturesV2 &^ (api.CoreFeatureReferenceTypes | api.CoreFeatureSIMD | api.CoreFeatureMultiValue)

// Engine compiles plug-ins and keeps the code: modules with the same bytes are compiled once, and some stay compiled
// when nobody uses them. Safe for concurrent use.
type Engine struct {
	limits Limits
	slots  chan struct{} // one for each call under way

	use      sync.RWMutex // read by calls, written by Close
	mu       sync.Mutex
	closed   bool
	programs map[programKey]*program
	idle     []*program // used by nobody, oldest first
}

// maxIdle is how many unused programs stay compiled.
const maxIdle = 8

// NewEngine makes an engine. The caller closes it, after its plug-ins.
func NewEngine(l Limits) *Engine {
	if l.MemoryBytes <= 0 {
		l.MemoryBytes = HostMemory
	}
	l.MemoryBytes = min(l.MemoryBytes, 1<<32) // what 32-bit addresses reach
	if l.Time <= 0 {
		l.Time = HostTime
	}
	if l.Calls <= 0 {
		l.Calls = runtime.GOMAXPROCS(0)
	}
	return &Engine{limits: l, slots: make(chan struct{}, l.Calls), programs: map[programKey]*program{}}
}

// Load compiles a module, or takes its code from an earlier Load, and runs its initialisation once. It returns ErrPlugin
// where the module or its options break a limit or the ABI. The caller closes the plug-in. module is not kept.
func (e *Engine) Load(ctx context.Context, module []byte, o Options) (*Plugin, error) {
	memory, limit, err := e.limits.check(o)
	if err != nil {
		return nil, err
	}
	p, err := e.acquire(ctx, module, memory)
	if err != nil {
		return nil, err
	}
	plug := &Plugin{engine: e, program: p, limit: limit}
	if err := plug.try(ctx); err != nil {
		plug.Close()
		return nil, err
	}
	return plug, nil
}

// check returns what o states with the defaults filled in: bytes of memory and time of a call.
func (l Limits) check(o Options) (memory int64, limit time.Duration, err error) {
	memory, limit = o.MemoryBytes, time.Duration(o.TimeMillis)*time.Millisecond
	if memory == 0 {
		memory = min(DefaultMemory, l.MemoryBytes)
	}
	if limit == 0 {
		limit = min(DefaultTime, l.Time)
	}
	if memory < pageBytes || memory > l.MemoryBytes {
		return 0, 0, failed("memory of %d bytes, expected %d to %d", memory, pageBytes, l.MemoryBytes)
	}
	if o.TimeMillis < 0 || int64(o.TimeMillis) > l.Time.Milliseconds() {
		return 0, 0, failed("time limit of %d ms, expected 1 to %d", o.TimeMillis, l.Time.Milliseconds())
	}
	return memory, limit, nil
}

// Close frees all code after the calls under way. Idempotent.
func (e *Engine) Close() error {
	e.use.Lock()
	defer e.use.Unlock()
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil
	}
	e.closed = true
	for _, p := range e.programs {
		p.free()
	}
	e.programs, e.idle = nil, nil
	return nil
}

// pageBytes is the unit of linear memory.
const pageBytes = 1 << 16

// programKey tells programs apart: the module, and the memory limit that is part of its runtime.
type programKey struct {
	digest [sha256.Size]byte
	pages  uint32
}

// program is a module's code with the runtime that its instances live in.
type program struct {
	key     programKey
	users   int // guarded by Engine.mu
	compile sync.Once
	cache   wazero.CompilationCache
	runtime wazero.Runtime
	code    wazero.CompiledModule
	err     error
}

// acquire finds or compiles a program; release is its counterpart.
func (e *Engine) acquire(ctx context.Context, module []byte, memory int64) (*program, error) {
	if len(module) > MaxBytes {
		return nil, failed("module of %d bytes, the limit is %d", len(module), MaxBytes)
	}
	key := programKey{sha256.Sum256(module), uint32(memory / pageBytes)}
	e.use.RLock()
	defer e.use.RUnlock()
	e.mu.Lock()
	if e.closed {
		e.mu.Unlock()
		return nil, errors.WithMessage(ErrClosed, "engine")
	}
	p := e.programs[key]
	if p == nil {
		p = &program{key: key}
		e.programs[key] = p
	}
	p.users++
	e.idle = slices.DeleteFunc(e.idle, func(q *program) bool { return q == p })
	e.mu.Unlock()
	p.compile.Do(func() { p.err = p.build(context.WithoutCancel(ctx), module, e.limits) })
	if p.err != nil {
		err := p.err
		e.release(p)
		return nil, err
	}
	return p, nil
}

// release ends a use of p. Programs that nobody uses stay for a while, those that failed do not.
func (e *Engine) release(p *program) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if p.users--; p.users > 0 || e.closed {
		return
	}
	if e.idle = append(e.idle, p); p.err == nil && len(e.idle) <= maxIdle {
		return
	}
	drop := e.idle[0]
	if p.err != nil {
		drop = p
	}
	e.idle = slices.DeleteFunc(e.idle, func(q *program) bool { return q == drop })
	delete(e.programs, drop.key)
	drop.free()
}

// build compiles the module, or takes its code from the cache's folder, where there is one. What goes wrong with the folder
// is not the module's fault: then it is compiled in memory.
func (p *program) build(ctx context.Context, module []byte, l Limits) error {
	module, err := clean(module)
	if err != nil {
		return failed("%v", err)
	}
	if l.CacheDir != "" {
		kept := codeCache{filepath.Join(l.CacheDir, hex.EncodeToString(p.key.digest[:]))}
		if cache, err := kept.open(); err == nil {
			if err := p.compileWith(ctx, module, cache); err == nil {
				if kept.seal() {
					prune(l.CacheDir, kept, cmp.Or(l.CacheBytes, DefaultCacheBytes))
				} else {
					kept.touch()
				}
				return nil
			}
			p.free()
		}
	}
	return p.compileWith(ctx, module, wazero.NewCompilationCache())
}

// compileWith compiles the module. A panic of the compiler is the module's fault: it is turned into an error.
func (p *program) compileWith(ctx context.Context, module []byte, cache wazero.CompilationCache) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = failed("compile: %v", r)
		}
	}()
	c := wazero.NewRuntimeConfig().WithCompilationCache(cache).WithMemoryLimitPages(p.key.pages).
		WithCoreFeatures(features).WithCloseOnContextDone(true).WithDebugInfoEnabled(false)
	p.cache, p.runtime = cache, wazero.NewRuntimeWithConfig(ctx, c)
	if err := instantiateWASI(ctx, p.runtime); err != nil {
		return fmt.Errorf("system functions: %w", err)
	}
	if p.code, err = p.runtime.CompileModule(ctx, module); err != nil {
		return failed("%s", firstLine(err))
	}
	if err := checkABI(p.code); err != nil {
		return failed("%v", err)
	}
	return nil
}

func (p *program) free() {
	ctx := context.Background()
	if p.code != nil {
		p.code.Close(ctx)
	}
	if p.runtime != nil {
		p.runtime.Close(ctx) // closes instances, of which there are none
	}
	if p.cache != nil {
		p.cache.Close(ctx)
	}
	p.code, p.runtime, p.cache = nil, nil, nil
}
