// Package report draws what happened in a tuning run.
package report

import (
	"errors"
	"fmt"
	"image/color"
	"io"

	"github.com/edgeadapt/edgeadapt/sdk/tune"
	pkgerrors "github.com/pkg/errors"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	_ "gonum.org/v1/plot/vg/vgimg" // the formats
	_ "gonum.org/v1/plot/vg/vgsvg"
)

// ErrEmpty says that a report has no epoch to draw.
var ErrEmpty = errors.New("report has no epochs")

// The figure's measures.
const (
	width, height = 24 * vg.Centimeter, 10.5 * vg.Centimeter
	header        = 1.9 * vg.Centimeter // title and legend
	margin        = 0.4 * vg.Centimeter
)

// Colours that stay apart for colour-blind readers (Okabe and Ito).
var (
	trainColor = color.NRGBA{0x00, 0x72, 0xb2, 0xff} // blue
	valColor   = color.NRGBA{0xd5, 0x5e, 0x00, 0xff} // vermilion
	probeColor = color.NRGBA{0x55, 0x55, 0x55, 0xff}
	gridColor  = color.NRGBA{0xe4, 0xe4, 0xe4, 0xff}
)

// Curves writes a figure of loss and accuracy by epoch, side by side, for training and held-out images, with the level
// of the linear probe dashed and the chosen epoch marked. format is "png" or "svg". Of a run that was only a linear
// probe it shows the probe's own epochs. It returns ErrEmpty for a report without epochs.
func Curves(w io.Writer, format string, r *tune.Report) error {
	if format != "png" && format != "svg" {
		return pkgerrors.Errorf("format %q, expected png or svg", format)
	}
	s := newSeries(r)
	if len(s.epochs) == 0 {
		return ErrEmpty
	}
	loss, err := s.panel("loss (cross-entropy)", s.loss)
	if err != nil {
		return err
	}
	label := "accuracy (%)"
	if r.Metric == tune.MeanAP {
		label = "training accuracy, held-out mAP (%)"
	}
	accuracy, err := s.panel(label, s.accuracy)
	if err != nil {
		return err
	}
	accuracy.Y.Max = min(accuracy.Y.Max, 101) // room for a line at 100
	canvas, err := draw.NewFormattedCanvas(width, height, format)
	if err != nil {
		return pkgerrors.Wrap(err, "figure")
	}
	all := draw.New(canvas)
	all.SetColor(color.White)
	all.Fill(all.Rectangle.Path())
	s.drawHeader(draw.Crop(all, margin, -margin, height-header, -margin/2), title(r))
	tiles := draw.Tiles{Rows: 1, Cols: 2, PadX: 0.8 * vg.Centimeter, PadLeft: margin, PadRight: margin, PadBottom: margin / 2}
	plots := [][]*plot.Plot{{loss, accuracy}}
	canvases := plot.Align(plots, tiles, draw.Crop(all, 0, 0, 0, -header))
	for i, p := range plots[0] {
		p.Draw(canvases[0][i])
	}
	_, err = canvas.WriteTo(w)
	return pkgerrors.Wrap(err, "figure")
}

// title says what was trained, on how many images.
func title(r *tune.Report) string {
	return fmt.Sprintf("%s: %d classes, %d training and %d held-out images", r.Method, len(r.Classes), r.Train, r.Val)
}

// panel is one of the two plots; values says what it shows of an epoch.
func (s *series) panel(label string, values func(tune.EpochStat) levels) (*plot.Plot, error) {
	p := plot.New()
	p.X.Label.Text, p.Y.Label.Text = "epoch", label
	for _, a := range []*plot.Axis{&p.X, &p.Y} {
		a.Label.TextStyle.Font = sans(10)
		a.Tick.Label.Font = sans(9)
		a.Color, a.Tick.Color = probeColor, probeColor
	}
	p.X.Tick.Marker, p.Y.Tick.Marker = ticks{most: 8, least: 1}, ticks{most: 6}
	grid := plotter.NewGrid()
	grid.Vertical.Color, grid.Horizontal.Color = gridColor, gridColor
	p.Add(grid)
	for _, c := range s.curves(values) {
		l, err := plotter.NewLine(c.points)
		if err != nil {
			return nil, pkgerrors.Wrap(err, "figure")
		}
		l.LineStyle = c.style
		p.Add(l)
	}
	if mark := s.mark(values); mark != nil {
		dot, err := plotter.NewScatter(mark)
		if err != nil {
			return nil, pkgerrors.Wrap(err, "figure")
		}
		dot.GlyphStyle = markStyle
		p.Add(dot)
	}
	p.X.Min, p.X.Max = 0, float64(s.epochs[len(s.epochs)-1].Epoch)+0.2
	pad := 0.04 * (p.Y.Max - p.Y.Min)
	p.Y.Min, p.Y.Max = p.Y.Min-pad, p.Y.Max+pad
	return p, nil
}

// sans is the figure's typeface.
func sans(size vg.Length) font.Font {
	return font.Font{Typeface: "Liberation", Variant: "Sans", Size: size}
}
