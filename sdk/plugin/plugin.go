package plugin

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pkg/errors"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/sys"
)

// Plugin is a compiled module. Safe for concurrent use: each call runs in an instance of its own. Calls wait, or end with
// their ctx, while the engine has as many under way as its limits allow.
type Plugin struct {
	engine  *Engine
	program *program
	limit   time.Duration // of a call

	use    sync.RWMutex // read by calls, written by Close
	closed bool
}

// CanPreprocess reports whether the module has the hook for pictures.
func (p *Plugin) CanPreprocess() bool { return p.exports(exportPre) }

// CanPostprocess reports whether the module has the hook for scores.
func (p *Plugin) CanPostprocess() bool { return p.exports(exportPost) }

func (p *Plugin) exports(name string) bool { return p.program.code.ExportedFunctions()[name] != nil }

// Close releases the code after the calls under way. Idempotent; a nil plug-in has nothing to release.
func (p *Plugin) Close() error {
	if p == nil {
		return nil
	}
	p.use.Lock()
	defer p.use.Unlock()
	if !p.closed {
		p.closed = true
		p.engine.release(p.program)
	}
	return nil
}

// Preprocess shows a picture to the plug-in and returns what it makes of it for a model whose input has the given side.
// The picture's sides must not exceed 2*side. It returns ErrPlugin for whatever the plug-in does wrong, and the error of
// ctx where that ended the call.
func (p *Plugin) Preprocess(ctx context.Context, m Picture, side int) (Preprocessed, error) {
	if m.Width < 1 || m.Height < 1 || m.Width > 2*side || m.Height > 2*side || len(m.Pix) != 3*m.Width*m.Height {
		return Preprocessed{}, errors.Errorf("pre-processing: picture of %dx%d in %d bytes, expected RGB with sides of 1 to %d", m.Width, m.Height, len(m.Pix), 2*side)
	}
	var out Preprocessed
	err := p.call(ctx, func(ctx context.Context, i *instance) error {
		raw, err := i.exchange(ctx, exportPre, m.Pix, maxPreprocessed(side), func(at uint32) []uint64 {
			return []uint64{uint64(at), uint64(m.Width), uint64(m.Height), uint64(side)}
		})
		if err != nil {
			return err
		}
		out, err = parsePreprocessed(raw, m.Width, m.Height, side)
		return err
	})
	return out, err
}

// Postprocess shows scores to the plug-in and returns its judgement, a JSON object that the caller owns. Errors are those
// of Preprocess.
func (p *Plugin) Postprocess(ctx context.Context, s Scores) (json.RawMessage, error) {
	in, err := s.encode()
	if err != nil {
		return nil, errors.Wrap(err, "post-processing")
	}
	var out json.RawMessage
	err = p.call(ctx, func(ctx context.Context, i *instance) error {
		raw, err := i.exchange(ctx, exportPost, in, maxJSON, func(at uint32) []uint64 { return []uint64{uint64(at), uint64(len(in))} })
		if err != nil {
			return err
		}
		out, err = parseJSON(raw)
		return err
	})
	return out, err
}

// try makes an instance and drops it: what breaks at the start is known when the module is loaded.
func (p *Plugin) try(ctx context.Context) error {
	return p.call(ctx, func(context.Context, *instance) error { return nil })
}

// call runs f with a fresh instance, within the time limit, and turns every failure into ErrPlugin.
func (p *Plugin) call(ctx context.Context, f func(ctx context.Context, i *instance) error) error {
	p.use.RLock()
	defer p.use.RUnlock()
	p.engine.use.RLock()
	defer p.engine.use.RUnlock()
	if p.closed || p.engine.closed {
		return errors.WithStack(ErrClosed)
	}
	select {
	case p.engine.slots <- struct{}{}:
		defer func() { <-p.engine.slots }()
	case <-ctx.Done():
		return ctx.Err()
	}
	limited, cancel := context.WithTimeout(context.WithValue(ctx, systemKey{}, newSystem()), p.limit)
	defer cancel()
	err := p.program.run(limited, f)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case limited.Err() != nil:
		return failed("no answer within %v", p.limit)
	}
	var exit *sys.ExitError
	if errors.As(err, &exit) {
		return failed("ended itself with code %d", exit.ExitCode())
	}
	return failed("%s", firstLine(err))
}

// run makes an instance for f and closes it.
func (p *program) run(ctx context.Context, f func(ctx context.Context, i *instance) error) error {
	config := wazero.NewModuleConfig().WithName("").WithStartFunctions() // nameless: any number at once
	m, err := p.runtime.InstantiateModule(ctx, p.code, config)
	if err != nil {
		return err
	}
	defer m.Close(context.WithoutCancel(ctx))
	if start := m.ExportedFunction(exportInitialize); start != nil {
		_, err = start.Call(ctx)
	}
	if err == nil {
		err = f(ctx, &instance{m})
	}
	if err != nil && overflowed(m) {
		return errors.Errorf("stack overflow: its calls take more than %d bytes", maxStack)
	}
	return err
}

// instance is a module with its memory, for one call.
type instance struct{ module api.Module }

// exchange copies input into the instance, calls a hook with it and returns a copy of the hook's output, which may have
// limit bytes at most. Every address comes from the module and is checked against its memory.
func (i *instance) exchange(ctx context.Context, hook string, input []byte, limit int, args func(at uint32) []uint64) ([]byte, error) {
	f := i.module.ExportedFunction(hook)
	if f == nil {
		return nil, errors.Errorf("module has no %s", hook)
	}
	r, err := i.module.ExportedFunction(exportAlloc).Call(ctx, uint64(len(input)))
	if err != nil {
		return nil, err
	}
	at, memory := uint32(r[0]), i.module.Memory()
	if at == 0 || !memory.Write(at, input) {
		return nil, errors.Errorf("room for %d bytes at address %d of %d", len(input), at, memory.Size())
	}
	if r, err = f.Call(ctx, args(at)...); err != nil {
		return nil, err
	}
	from, n := uint32(r[0]>>32), uint32(r[0])
	if int64(n) > int64(limit) {
		return nil, errors.Errorf("output of %d bytes, the limit is %d", n, limit)
	}
	out, ok := memory.Read(from, n)
	if !ok {
		return nil, errors.Errorf("output of %d bytes at address %d of %d", n, from, memory.Size())
	}
	return slices.Clone(out), nil
}

func failed(format string, args ...any) error { return errors.Wrapf(ErrPlugin, format, args...) }

// firstLine is an error without the stack trace of a trap.
func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return strings.TrimSuffix(line, " (recovered by wazero)")
}
