package plugin

import (
	"bytes"
	"context"
	"math"
	"testing"

	"github.com/tetratelabs/wazero/api"
)

// inside runs f in a fresh instance of the minimal plug-in, whose memory is one page.
func inside(t *testing.T, f func(ctx context.Context, m api.Module)) {
	t.Helper()
	p := load(t, minimal(bodyTrap).bytes(), Options{TimeMillis: 10_000})
	err := p.call(t.Context(), func(ctx context.Context, i *instance) error {
		f(ctx, i.module)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// wasi calls a system function as a module does.
func wasi(ctx context.Context, m api.Module, name string, params ...uint64) uint64 {
	stack := append(make([]uint64, 0, len(params)+1), params...)
	if len(stack) == 0 {
		stack = stack[:1]
	}
	wasiFunction(name)(ctx, m, stack)
	return stack[0]
}

func word(t *testing.T, m api.Module, at uint32) uint32 {
	t.Helper()
	v, ok := m.Memory().ReadUint32Le(at)
	if !ok {
		t.Fatalf("nothing at %d", at)
	}
	return v
}

// TestSystemRepeats: clock and random numbers are the same in every instance, and do move on within one.
func TestSystemRepeats(t *testing.T) {
	read := func() []byte {
		var b []byte
		inside(t, func(ctx context.Context, m api.Module) {
			for range 2 {
				for _, code := range []uint64{wasi(ctx, m, "clock_time_get", 0, 1, 100), wasi(ctx, m, "random_get", 108, 33)} {
					if code != errnoSuccess {
						t.Errorf("error %d", code)
					}
				}
				part, _ := m.Memory().Read(100, 41)
				b = append(b, part...)
			}
		})
		return b
	}
	first := read()
	if !bytes.Equal(first, read()) {
		t.Error("two instances see different worlds")
	}
	a, b := first[:41], first[41:]
	if le.Uint64(a) != clockStart+clockStep || le.Uint64(b) != clockStart+2*clockStep {
		t.Errorf("clock %d, then %d", le.Uint64(a), le.Uint64(b))
	}
	if bytes.Equal(a[8:], b[8:]) || bytes.Equal(a[8:], make([]byte, 33)) {
		t.Errorf("random numbers %x, then %x", a[8:], b[8:])
	}
}

func TestSystemFunctions(t *testing.T) {
	inside(t, func(ctx context.Context, m api.Module) {
		memory := m.Memory()
		check := func(what string, got, want uint64) {
			t.Helper()
			if got != want {
				t.Errorf("%s: %d, expected %d", what, got, want)
			}
		}
		memory.Write(0, bytes.Repeat([]byte{0xff}, 64))
		check("args", wasi(ctx, m, "args_sizes_get", 0, 4), errnoSuccess)
		check("count of args", uint64(word(t, m, 0)|word(t, m, 4)), 0)
		check("args", wasi(ctx, m, "args_get", 0, 4), errnoSuccess)
		check("yield", wasi(ctx, m, "sched_yield"), errnoSuccess)
		check("clock resolution", wasi(ctx, m, "clock_res_get", 0, 16), errnoSuccess)
		check("clock resolution", uint64(word(t, m, 16)), clockStep)

		for i, v := range []uint32{1000, 7, 2000, 5} { // two pieces
			memory.WriteUint32Le(uint32(32+4*i), v)
		}
		check("stdout", wasi(ctx, m, "fd_write", 1, 32, 2, 60), errnoSuccess)
		check("bytes written", uint64(word(t, m, 60)), 12)
		check("file", wasi(ctx, m, "fd_write", 3, 32, 2, 60), errnoBadF)
		check("many pieces", wasi(ctx, m, "fd_write", 1, 32, maxVectors+1, 60), errnoInval)

		for name, want := range map[string]uint64{"fd_read": errnoBadF, "fd_prestat_get": errnoBadF, "path_open": errnoNoSys, "sock_send": errnoNoSys, "proc_raise": errnoNoSys} {
			check(name, wasi(ctx, m, name, make([]uint64, len(wasiParams[name]))...), want)
		}
	})
}

// TestSleep: waiting takes no time but moves the clock to the earliest of the times waited for.
func TestSleep(t *testing.T) {
	inside(t, func(ctx context.Context, m api.Module) {
		s := ctx.Value(systemKey{}).(*system)
		list := make([]byte, 3*subscriptionBytes)
		for i, timeout := range []uint64{9e9, 5e9} { // userdata i+1, relative
			le.PutUint64(list[i*subscriptionBytes:], uint64(i+1))
			le.PutUint64(list[i*subscriptionBytes+24:], timeout)
		}
		list[2*subscriptionBytes+8] = 1 // a file that becomes readable
		m.Memory().Write(0, list)
		if code := wasi(ctx, m, "poll_oneoff", 0, 500, 3, 600); code != errnoSuccess || s.now != clockStart+5e9 || word(t, m, 500) != 2 || word(t, m, 600) != 1 {
			t.Errorf("error %d, clock +%d, %d event(s) with userdata %d", code, s.now-clockStart, word(t, m, 600), word(t, m, 500))
		}
		le.PutUint64(list[24:], clockStart+1) // an absolute time that has passed
		list[40] = 1
		m.Memory().Write(0, list)
		if code := wasi(ctx, m, "poll_oneoff", 0, 500, 1, 600); code != errnoSuccess || s.now != clockStart+5e9 || word(t, m, 500) != 1 {
			t.Errorf("error %d, clock +%d", code, s.now-clockStart)
		}
		if code := wasi(ctx, m, "poll_oneoff", 2*subscriptionBytes, 500, 1, 600); code != errnoNoSys {
			t.Errorf("files alone: error %d", code)
		}
		if code := wasi(ctx, m, "poll_oneoff", 0, 500, maxSubscriptions+1, 600); code != errnoInval {
			t.Errorf("too many: error %d", code)
		}
	})
}

// TestSystemPointers hands every function addresses and counts outside of the memory.
func TestSystemPointers(t *testing.T) {
	inside(t, func(ctx context.Context, m api.Module) {
		for name, params := range wasiParams {
			if name == "proc_exit" {
				continue
			}
			for _, v := range []uint64{math.MaxUint32, 1<<16 - 3, 1 << 31} {
				all := make([]uint64, len(params))
				for i := range all {
					all[i] = v
				}
				code := wasi(ctx, m, name, all...)
				if code == errnoSuccess && len(params) > 0 && name != "args_get" && name != "environ_get" {
					t.Errorf("%s(%#x, ...) succeeded", name, v)
				}
			}
		}
		if code := wasi(ctx, m, "fd_write", 1, 1<<16-8, 2, 0); code != errnoFault {
			t.Errorf("pieces across the end: error %d", code)
		}
		if code := wasi(ctx, m, "poll_oneoff", 1<<16-48, 500, 2, 600); code != errnoFault {
			t.Errorf("subscriptions across the end: error %d", code)
		}
	})
}
