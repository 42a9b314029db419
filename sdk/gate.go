package sdk

import "sync"

// gate counts the calls under way with something that can be closed. The zero value is open. Unlike a read-write lock it
// refuses at once what comes after close has begun, so that a call may make others of its own, as a progress function does.
// Safe for concurrent use.
type gate struct {
	mu     sync.Mutex
	calls  int
	closed bool
	idle   chan struct{} // made by close, closed when no call is left
}

// enter begins a call; false says that close has begun.
func (g *gate) enter() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return false
	}
	g.calls++
	return true
}

// leave ends a call.
func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.calls--; g.calls == 0 && g.closed {
		close(g.idle)
	}
}

// close lets no call in any more and waits for those under way. It returns false where another close came first; both wait.
func (g *gate) close() bool {
	g.mu.Lock()
	first := !g.closed
	if first {
		g.closed, g.idle = true, make(chan struct{})
		if g.calls == 0 {
			close(g.idle)
		}
	}
	g.mu.Unlock()
	<-g.idle
	return first
}
