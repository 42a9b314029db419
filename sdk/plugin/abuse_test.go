package plugin

import (
	"context"
	"errors"
	"strings"
	"testing"
)

// abuse is a limit short enough for tests to wait for, and long enough for a call that works on a busy machine.
var abuse = Options{MemoryBytes: 1 << 20, TimeMillis: 500}

// checkCalm makes the call that works, and works the same in an instance that no other call has touched.
func checkCalm(t *testing.T, p *Plugin) {
	t.Helper()
	if got, err := p.Postprocess(t.Context(), classes(1)); err != nil || string(got) != calm {
		t.Errorf("the next call: %s, %v", got, err)
	}
}

// TestPostprocessAbuse asks testdata/abuse.wat for one misbehaviour after the other; between them it must work.
func TestPostprocessAbuse(t *testing.T) {
	p := load(t, read(t, "abuse.wasm"), abuse)
	checkCalm(t, p)
	for n, c := range map[int]struct{ name, says string }{
		2:  {"endless loop", "no answer within 500ms"},
		3:  {"memory bomb", "code 16"}, // pages: the limit of 1 MiB
		4:  {"growth without end", "no answer within 500ms"},
		5:  {"recursion without end", "stack overflow"},
		6:  {"trap", "unreachable"},
		7:  {"output outside of the memory", "address 2147483632 of 131072"},
		8:  {"huge output", "limit is 65536"},
		9:  {"no JSON", "no JSON"},
		10: {"no object", "no object"},
		11: {"no UTF-8", "no UTF-8"},
		12: {"exit", "code 7"},
		13: {"division by zero", "divide by zero"},
		14: {"load outside of the memory", "out of bounds memory access"},
		15: {"call of an empty table entry", "invalid table access"},
		16: {"empty output", "no JSON"},
		17: {"output across the memory's end", "output of 1000 bytes at address 131000 of 131072"},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, err := p.Postprocess(t.Context(), classes(n))
			if !errors.Is(err, ErrPlugin) || !strings.Contains(err.Error(), c.says) || out != nil {
				t.Errorf("got %s, %v; expected ErrPlugin that says %q", out, err, c.says)
			}
			checkCalm(t, p)
		})
	}
}

// TestPreprocessAbuse does the same for pictures; testdata/abuse.wat looks at their width.
func TestPreprocessAbuse(t *testing.T) {
	p := load(t, read(t, "abuse.wasm"), abuse)
	for width, c := range map[int]struct{ name, says string }{
		2:  {"part beyond the border", "part 2x1 at 2,0 of a picture of 2x1"},
		3:  {"empty part", "part 0x1"},
		4:  {"part whose right border wraps", "part 2x1 at 4294967295,0"},
		5:  {"unknown kind", "kind 9"},
		6:  {"pixels missing", "17 bytes for a picture of 2x1, expected 18"},
		7:  {"picture too large", "picture of 2147483647x1, expected sides of 1 to 16"},
		8:  {"part cut short", "rectangle of 19 bytes"},
		9:  {"no room", "room for 27 bytes at address 0"},
		10: {"room outside of the memory", "room for 30 bytes at address 2147483632"},
		11: {"output shorter than its kind", "3 bytes, expected at least 4"},
		13: {"endless loop", "no answer within 500ms"},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, err := p.Preprocess(t.Context(), Picture{width, 1, make([]byte, 3*width)}, 8)
			if !errors.Is(err, ErrPlugin) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, %v; expected ErrPlugin that says %q", out, err, c.says)
			}
			checkCalm(t, p)
		})
	}
}

// TestCancel: a call that its caller gives up is no fault of the plug-in.
func TestCancel(t *testing.T) {
	p := load(t, read(t, "abuse.wasm"), Options{TimeMillis: 10_000})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		_, err := p.Postprocess(ctx, classes(2))
		done <- err
	}()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) || errors.Is(err, ErrPlugin) {
		t.Errorf("got %v, expected context.Canceled", err)
	}
	checkCalm(t, p)
}
