package report

import (
	"bytes"
	"errors"
	"fmt"
	"image/png"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/edgeadapt/edgeadapt/sdk/tune"
)

// run is the report of an adapter run with n epochs after a probe of 3.
func run(n int, val bool) *tune.Report {
	r := &tune.Report{Method: "adaptformer", Classes: []string{"a", "b"}, Train: 40, BestEpoch: n}
	add := func(phase tune.Phase, epochs int, top float64) {
		for e := 1; e <= epochs; e++ {
			s := tune.EpochStat{Phase: phase, Epoch: e, Loss: 1 / float64(e), Accuracy: top - 0.1/float64(e)}
			if val {
				loss, acc := s.Loss*1.2, s.Accuracy-0.1
				s.ValLoss, s.ValScore = &loss, &acc
			}
			r.History = append(r.History, s)
		}
	}
	add(tune.Probe, 3, 0.8)
	add(tune.Adapter, n, 0.95)
	return r
}

func TestCurves(t *testing.T) {
	linear := run(0, true)
	linear.Method, linear.BestEpoch = "linear", 3
	probeWins := run(4, true)
	probeWins.BestEpoch = 0
	broken := run(4, true)
	broken.History[4].Loss = math.NaN()
	for name, c := range map[string]struct {
		report *tune.Report
		want   []string
		not    string
	}{
		"adapter":          {run(15, true), []string{"training", "held out", "linear probe", "chosen: epoch 15", "loss (cross-entropy)", "accuracy (%)"}, "chosen: the"},
		"one epoch":        {run(1, true), []string{"chosen: epoch 1"}, "chosen: the"},
		"nothing held out": {run(5, false), []string{"training", "linear probe"}, ">held out"},
		"linear":           {linear, []string{"held out", "chosen: epoch 3"}, "linear probe<"},
		"probe wins":       {probeWins, []string{"chosen: the probe"}, "chosen: epoch"},
		"not a number":     {broken, []string{"chosen: epoch 4"}, "NaN"},
	} {
		var svg, img bytes.Buffer
		if err := Curves(&svg, "svg", c.report); err != nil {
			t.Fatal(name, err)
		}
		for _, text := range c.want {
			if !strings.Contains(svg.String(), text) {
				t.Errorf("%s: the figure does not say %q", name, text)
			}
		}
		if strings.Contains(svg.String(), c.not) {
			t.Errorf("%s: the figure says %q", name, c.not)
		}
		if err := Curves(&img, "png", c.report); err != nil {
			t.Fatal(name, err)
		}
		if p, err := png.Decode(&img); err != nil || p.Bounds().Dx() < 800 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCurvesRefuses(t *testing.T) {
	var b bytes.Buffer
	if err := Curves(&b, "png", &tune.Report{}); !errors.Is(err, ErrEmpty) {
		t.Errorf("empty report: %v", err)
	}
	if err := Curves(&b, "gif", run(3, true)); err == nil {
		t.Error("no error for an unknown format")
	}
	if b.Len() > 0 {
		t.Errorf("%d bytes written", b.Len())
	}
}

func TestTicks(t *testing.T) {
	for _, c := range []struct {
		t         ticks
		low, high float64
		want      string
	}{
		{ticks{8, 1}, 0, 15.2, "[0 2 4 6 8 10 12 14]"},
		{ticks{8, 1}, 0, 3, "[0 1 2 3]"},
		{ticks{8, 1}, 0, 100, "[0 20 40 60 80 100]"},
		{ticks{6, 0}, 72.9, 101, "[75 80 85 90 95 100]"},
		{ticks{6, 0}, -0.07, 1.8, "[0.0 0.5 1.0 1.5]"},
		{ticks{6, 0}, 0.001, 0.0038, "[0.0010 0.0015 0.0020 0.0025 0.0030 0.0035]"},
		{ticks{6, 0}, 2, 2, "[2]"},
	} {
		var labels []string
		for _, x := range c.t.Ticks(c.low, c.high) {
			labels = append(labels, x.Label)
		}
		if got := fmt.Sprint(labels); got != c.want {
			t.Errorf("%g to %g: %s, expected %s", c.low, c.high, got, c.want)
		}
		if slices.Contains(labels, "-0") {
			t.Error("negative zero")
		}
	}
}
