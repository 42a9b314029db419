package main

import (
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/edgeadapt/edgeadapt/sdk/tune"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// progress shows how far a run is: a bar a phase on a terminal, elsewhere a line an epoch. One goroutine at a time.
type progress struct {
	w     io.Writer
	bars  *mpb.Progress // nil where w is no terminal
	bar   *mpb.Bar
	phase tune.Phase
	last  *atomic.Pointer[tune.Event] // of this bar, whose own goroutine reads it
}

func newProgress(w io.Writer) *progress {
	p := &progress{w: w}
	if isTerminal(w) {
		p.bars = mpb.New(mpb.WithOutput(w), mpb.WithWidth(78))
	}
	return p
}

// event shows a sign of progress of a tuning run.
func (p *progress) event(e tune.Event) {
	switch {
	case e.Warning != "":
		p.say("warning: " + e.Warning)
		return
	case e.Memory != nil:
		p.say(fmt.Sprintf("memory  %s planned (%s)", bytesText(e.Memory.Total()), e.Memory))
		return
	}
	if p.bars == nil {
		p.line(e)
		return
	}
	if e.Phase != p.phase {
		p.finishBar()
		last := &atomic.Pointer[tune.Event]{}
		last.Store(&e)
		p.phase, p.last = e.Phase, last
		p.bar = p.bars.AddBar(int64(e.Steps), mpb.PrependDecorators(decor.Name(string(e.Phase), decor.WC{W: 8, C: decor.DindentRight})),
			mpb.AppendDecorators(decor.Any(func(decor.Statistics) string { return describe(*last.Load()) })))
	}
	p.last.Store(&e)
	p.bar.SetCurrent(int64(e.Step))
}

// say prints a line, above the bars where there are some.
func (p *progress) say(text string) {
	w := p.w
	if p.bars != nil {
		w = p.bars
	}
	fmt.Fprintln(w, text)
}

// images shows how many of a number of images are done.
func (p *progress) images(what tune.Phase) func(done, total int) {
	began := time.Now()
	return func(done, total int) {
		elapsed := time.Since(began)
		p.event(tune.Event{Phase: what, Step: done, Steps: total, ImagesPerSec: float64(done) / max(elapsed.Seconds(), 1e-9),
			ETA: elapsed * time.Duration(total-done) / time.Duration(max(done, 1))})
	}
}

// parts shows how many of a number of layers or images are done.
func (p *progress) parts(what, unit string) func(done, of int) {
	began := time.Now()
	var bar *mpb.Bar
	return func(done, of int) {
		left := clock(time.Since(began) * time.Duration(of-done) / time.Duration(max(done, 1)))
		switch {
		case p.bars == nil && (done%8 == 0 || done == of):
			fmt.Fprintf(p.w, "%s %d of %d %s  %s left\n", what, done, of, unit, left)
		case p.bars != nil:
			if bar == nil {
				bar = p.bars.AddBar(int64(of), mpb.PrependDecorators(decor.Name(what)), mpb.AppendDecorators(decor.CountersNoUnit(" %d/%d "+unit)))
				p.bar = bar
			}
			bar.SetCurrent(int64(done))
		}
	}
}

// line prints an epoch that is done, or the end of a phase without epochs.
func (p *progress) line(e tune.Event) {
	switch {
	case e.Done != nil:
		fmt.Fprintf(p.w, "%s  %.0f images/s  %s left\n", *e.Done, e.ImagesPerSec, clock(e.ETA))
	case e.Epoch == 0 && e.Step == e.Steps:
		fmt.Fprintf(p.w, "%-7s %d images  %.0f images/s\n", e.Phase, e.Steps, e.ImagesPerSec)
	}
}

// describe is the text behind a bar.
func describe(e tune.Event) string {
	if e.Epoch == 0 {
		return fmt.Sprintf(" %d/%d  %.0f images/s  %s", e.Step, e.Steps, e.ImagesPerSec, clock(e.ETA))
	}
	text := fmt.Sprintf(" %d/%d  loss %.3f  train %.1f%%", e.Epoch, e.Epochs, e.Loss, 100*e.Accuracy)
	if e.Done != nil && e.Done.ValScore != nil {
		text += fmt.Sprintf("  val %.1f%%", 100**e.Done.ValScore)
	}
	return text + fmt.Sprintf("  %.0f images/s  %s", e.ImagesPerSec, clock(e.ETA))
}

// clock prints a duration as minutes and seconds.
func clock(d time.Duration) string {
	s := int(d.Round(time.Second).Seconds())
	return fmt.Sprintf("%d:%02d", s/60, s%60)
}

func (p *progress) finishBar() {
	if p.bar != nil {
		p.bar.Abort(false) // where it stands: an unreadable image leaves it short of its total
		p.bar.Wait()
	}
}

// end leaves the last bar as it is and gives the terminal back.
func (p *progress) end() {
	if p.bars != nil {
		p.finishBar()
		p.bars.Shutdown()
	}
}
