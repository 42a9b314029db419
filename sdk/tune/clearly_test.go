package tune

import "testing"

// TestClearly: a probe of 0.8 on 100 images has a standard error of 0.04.
func TestClearly(t *testing.T) {
	at := func(v float64) score { return score{value: &v} }
	for _, c := range []struct {
		adapter, probe float64
		images         int
		want           bool
	}{
		{0.83, 0.8, 100, false}, {0.841, 0.8, 100, true}, {0.83, 0.8, 1000, true}, {0.8, 0.8, 1000000, false}, {1, 1, 10, false}, {0.1, 0, 10, true},
	} {
		if got := at(c.adapter).clearly(at(c.probe), c.images); got != c.want {
			t.Errorf("%g against %g on %d images: %t", c.adapter, c.probe, c.images, got)
		}
	}
	if !(score{}).clearly(score{}, 0) {
		t.Error("without images held out the later one stays")
	}
}
