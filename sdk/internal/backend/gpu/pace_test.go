//go:build linux && !android && cgo && !novulkan

package gpu

import (
	"testing"
	"time"

	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
)

func TestPace(t *testing.T) {
	p := newPace("software")
	work := backend.Work{MACs: int64(p.macs)} // a second
	if got := p.of(work) - p.dispatch; got != time.Second {
		t.Errorf("%v, expected a second", got)
	}
	if got := p.of(backend.Work{Bytes: int64(p.bytes)}) - p.dispatch; got != time.Second {
		t.Errorf("%v by bytes, expected a second", got)
	}
	steps := []struct {
		plain, took, want time.Duration
	}{
		{time.Second, 3 * time.Second, 3 * time.Second},                   // slower: believed at once
		{time.Second, time.Second, 2500 * time.Millisecond},               // faster: a quarter of the way
		{time.Millisecond, time.Hour, 2500 * time.Millisecond},            // too short to tell
		{time.Second, time.Millisecond, 2500 * time.Millisecond},          // likewise
		{time.Second, time.Hour, mostFactor * time.Second},                // the machine slept
		{time.Second, mostFactor * time.Second, mostFactor * time.Second}, // as it was
	}
	for _, s := range steps {
		p.learn(s.plain, s.took)
		if got := p.of(work) - p.dispatch; got != s.want {
			t.Errorf("after a run of %v that took %v: %v, expected %v", s.plain, s.took, got, s.want)
		}
	}
	if newPace("other").rates != ratesOf["integrated"] {
		t.Error("an unknown kind is no small GPU")
	}
}
