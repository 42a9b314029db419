package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/edgeadapt/edgeadapt/sdk/tune"
	"github.com/vbauerster/mpb/v8"
)

// events is a run of which one image of three is unreadable, so that a phase ends short of its total.
func events() []tune.Event {
	val := 0.75
	stat := &tune.EpochStat{Phase: tune.Adapter, Epoch: 1, Loss: 0.5, Accuracy: 0.9, ValScore: &val, ValLoss: &val}
	return []tune.Event{
		{Phase: tune.Encode, Step: 2, Steps: 3, ImagesPerSec: 10},
		{Phase: tune.Adapter, Epoch: 1, Epochs: 2, Step: 1, Steps: 4, Loss: 0.6, Accuracy: 0.8, ImagesPerSec: 20, ETA: 90 * time.Second},
		{Phase: tune.Adapter, Epoch: 1, Epochs: 2, Step: 2, Steps: 4, Loss: 0.5, Accuracy: 0.9, ImagesPerSec: 20, ETA: 61 * time.Second, Done: stat},
	}
}

func TestProgressLines(t *testing.T) {
	var b bytes.Buffer
	p := newProgress(&b)
	for _, e := range events() {
		p.event(e)
	}
	p.end()
	if text := b.String(); strings.Count(text, "\n") != 1 || !strings.Contains(text, "val 75.0%") || !strings.Contains(text, "1:01 left") {
		t.Errorf("%q", text)
	}
}

// TestProgressBars checks that bars end, also those short of their total.
func TestProgressBars(t *testing.T) {
	var b bytes.Buffer
	p := &progress{w: &b, bars: mpb.New(mpb.WithOutput(&b), mpb.WithWidth(100), mpb.WithAutoRefresh())}
	for _, e := range events() {
		p.event(e)
	}
	p.end()
	text := b.String()
	for _, want := range []string{"encode", "2/3", "adapter", "1/2", "loss 0.500", "train 90.0%", "val 75.0%", "20 images/s", "1:01"} {
		if !strings.Contains(text, want) {
			t.Errorf("bars lack %q: %q", want, text)
		}
	}
}

func TestClock(t *testing.T) {
	for d, want := range map[time.Duration]string{0: "0:00", 59600 * time.Millisecond: "1:00", 3700 * time.Second: "61:40"} {
		if got := clock(d); got != want {
			t.Errorf("%v: %s, expected %s", d, got, want)
		}
	}
}
