package sdk

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestGate: close waits for the calls under way, and lets no other in meanwhile.
func TestGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g gate
		began := time.Now()
		var wg sync.WaitGroup
		for i := range 3 {
			if !g.enter() {
				t.Fatal("a gate that is open does not let in")
			}
			wg.Go(func() {
				time.Sleep(time.Duration(i+1) * time.Second)
				g.leave()
			})
		}
		firsts := 0
		var mu sync.Mutex
		for range 2 {
			wg.Go(func() {
				first := g.close()
				mu.Lock()
				defer mu.Unlock()
				if first {
					firsts++
				}
				if waited := time.Since(began); waited != 3*time.Second {
					t.Errorf("closed after %v", waited)
				}
			})
		}
		synctest.Wait()
		if g.enter() {
			t.Error("a gate that closes lets in")
		}
		wg.Wait()
		if firsts != 1 || g.close() || g.enter() {
			t.Errorf("%d of 2 came first", firsts)
		}
	})
	var unused gate
	if !unused.close() {
		t.Error("a gate that nobody used does not close")
	}
}
