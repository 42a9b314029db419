package report

import (
	"fmt"
	"math"

	"github.com/edgeadapt/edgeadapt/sdk/tune"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// series is the part of a report that is drawn.
type series struct {
	epochs []tune.EpochStat // of the adapter or, where there is none, of the probe
	probe  *tune.EpochStat  // the level to beat; nil where the probe is what is drawn
	best   int              // the chosen epoch; 0 for the probe
	hasVal bool
}

// levels is one quantity after an epoch; val is NaN without held-out images.
type levels struct{ train, val float64 }

func newSeries(r *tune.Report) *series {
	s := &series{best: r.BestEpoch}
	for i, e := range r.History {
		s.hasVal = s.hasVal || e.ValLoss != nil
		if e.Phase == tune.Adapter {
			s.epochs = append(s.epochs, e)
		} else if s.probe == nil || better(e, *s.probe) {
			s.probe = &r.History[i]
		}
	}
	if len(s.epochs) == 0 {
		s.epochs, s.probe = r.History, nil
	}
	return s
}

// better orders epochs as the tuner does: higher held-out accuracy, then lower loss; without held-out images the later one.
func better(e, than tune.EpochStat) bool {
	if e.ValScore == nil || than.ValScore == nil {
		return true
	}
	if *e.ValScore != *than.ValScore {
		return *e.ValScore > *than.ValScore
	}
	return *e.ValLoss < *than.ValLoss
}

func (s *series) loss(e tune.EpochStat) levels { return levels{e.Loss, or(e.ValLoss, 1)} }

func (s *series) accuracy(e tune.EpochStat) levels {
	return levels{100 * e.Accuracy, or(e.ValScore, 100)}
}

// or is factor times the value behind p, NaN if there is none.
func or(p *float64, factor float64) float64 {
	if p == nil {
		return math.NaN()
	}
	return factor * *p
}

// shown is the level that decides: that of the held-out images where there are some.
func (l levels) shown() float64 {
	if math.IsNaN(l.val) {
		return l.train
	}
	return l.val
}

// curve is one line of a panel.
type curve struct {
	points plotter.XYs
	style  draw.LineStyle
}

var (
	trainStyle = draw.LineStyle{Color: trainColor, Width: vg.Points(1.6)}
	valStyle   = draw.LineStyle{Color: valColor, Width: vg.Points(1.6)}
	probeStyle = draw.LineStyle{Color: probeColor, Width: vg.Points(1.3), Dashes: []vg.Length{vg.Points(5), vg.Points(3)}}
	markStyle  = draw.GlyphStyle{Color: valColor, Radius: vg.Points(4), Shape: draw.CircleGlyph{}}
)

// curves are the lines of a panel, those in front last.
func (s *series) curves(values func(tune.EpochStat) levels) []curve {
	var train, val plotter.XYs
	for _, e := range s.epochs {
		x, y := float64(e.Epoch), values(e)
		if finite(y.train) {
			train = append(train, plotter.XY{X: x, Y: y.train})
		}
		if finite(y.val) {
			val = append(val, plotter.XY{X: x, Y: y.val})
		}
	}
	var list []curve
	if s.probe != nil {
		if y := values(*s.probe).shown(); finite(y) {
			last := float64(s.epochs[len(s.epochs)-1].Epoch)
			list = append(list, curve{plotter.XYs{{X: 0, Y: y}, {X: last, Y: y}}, probeStyle})
		}
	}
	for _, c := range []curve{{train, trainStyle}, {val, valStyle}} {
		if len(c.points) > 0 {
			list = append(list, c)
		}
	}
	return list
}

// mark is the point of the chosen epoch.
func (s *series) mark(values func(tune.EpochStat) levels) plotter.XYs {
	for _, e := range s.epochs {
		if y := values(e).shown(); e.Epoch == s.best && finite(y) {
			return plotter.XYs{{X: float64(e.Epoch), Y: y}}
		}
	}
	if s.best == 0 && s.probe != nil {
		if y := values(*s.probe).shown(); finite(y) {
			return plotter.XYs{{X: 0, Y: y}}
		}
	}
	return nil
}

func finite(x float64) bool { return x-x == 0 }

// drawHeader puts the title and below it the legend, which serves both panels, on c.
func (s *series) drawHeader(c draw.Canvas, title string) {
	style := text.Style{Color: probeColor, Font: sans(12), XAlign: draw.XLeft, YAlign: draw.YTop, Handler: plot.DefaultTextHandler}
	c.FillText(style, vg.Point{X: c.Min.X, Y: c.Max.Y}, title)
	style.Font, style.YAlign = sans(10), draw.YCenter
	at := vg.Point{X: c.Min.X, Y: c.Min.Y + 0.25*vg.Centimeter}
	const sample, gap, space = 0.9 * vg.Centimeter, 0.2 * vg.Centimeter, 0.8 * vg.Centimeter
	entry := func(name string, drawSample func(from, to vg.Point)) {
		drawSample(at, vg.Point{X: at.X + sample, Y: at.Y})
		at.X += sample + gap
		c.FillText(style, at, name)
		at.X += style.Width(name) + space
	}
	line := func(l draw.LineStyle) func(from, to vg.Point) {
		return func(from, to vg.Point) { c.StrokeLines(l, []vg.Point{from, to}) }
	}
	entry("training", line(trainStyle))
	if s.hasVal {
		entry("held out", line(valStyle))
	}
	if s.probe != nil {
		entry("linear probe", line(probeStyle))
	}
	entry(s.chosen(), func(from, to vg.Point) { c.DrawGlyph(markStyle, vg.Point{X: (from.X + to.X) / 2, Y: from.Y}) })
}

func (s *series) chosen() string {
	if s.best == 0 {
		return "chosen: the probe"
	}
	return fmt.Sprintf("chosen: epoch %d", s.best)
}
