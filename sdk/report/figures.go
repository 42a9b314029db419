package report

import (
	"bytes"
	"context"
	"fmt"
	"image/color"
	"slices"
	"strconv"

	"github.com/edgeadapt/edgeadapt/sdk"
	"github.com/edgeadapt/edgeadapt/sdk/metrics"
	"github.com/edgeadapt/edgeadapt/sdk/report/tsne"
	"github.com/edgeadapt/edgeadapt/sdk/tune"
	"github.com/pkg/errors"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

const side = 11 * vg.Centimeter // of a square figure

// svg draws a figure of the given size on white.
func svg(name, caption string, w, h vg.Length, paint func(c draw.Canvas)) (figure, error) {
	canvas, err := draw.NewFormattedCanvas(w, h, "svg")
	if err != nil {
		return figure{}, errors.Wrap(err, "figure")
	}
	c := draw.New(canvas)
	c.SetColor(color.White)
	c.Fill(c.Rectangle.Path())
	paint(c)
	var b bytes.Buffer
	_, err = canvas.WriteTo(&b)
	return figure{name, caption, b.Bytes()}, errors.Wrap(err, "figure")
}

// axes is an empty plot in the style of all.
func axes(x, y string) *plot.Plot {
	p := plot.New()
	p.X.Label.Text, p.Y.Label.Text = x, y
	for _, a := range []*plot.Axis{&p.X, &p.Y} {
		a.Label.TextStyle.Font = sans(10)
		a.Tick.Label.Font = sans(9)
		a.Color, a.Tick.Color = probeColor, probeColor
	}
	grid := plotter.NewGrid()
	grid.Vertical.Color, grid.Horizontal.Color = gridColor, gridColor
	p.Add(grid)
	return p
}

// runFigures are the curves of a run and its learning rate; none of a run without epochs.
func runFigures(r *tune.Report) ([]figure, error) {
	if len(r.History) == 0 {
		return nil, nil
	}
	var b bytes.Buffer
	if err := Curves(&b, "svg", r); err != nil {
		return nil, err
	}
	s := newSeries(r)
	p := axes("epoch", "learning rate")
	p.X.Tick.Marker, p.Y.Tick.Marker = ticks{most: 8, least: 1}, ticks{most: 4}
	var points plotter.XYs
	for _, e := range s.epochs {
		points = append(points, plotter.XY{X: float64(e.Epoch), Y: e.LR})
	}
	line, err := plotter.NewLine(points)
	if err != nil {
		return nil, errors.Wrap(err, "figure")
	}
	line.LineStyle = trainStyle
	p.Add(line)
	p.X.Min, p.Y.Min = 0, 0
	rate, err := svg("rate", "Learning rate at the end of each epoch.", width, 6*vg.Centimeter, func(c draw.Canvas) { p.Draw(draw.Crop(c, margin, -margin, margin/2, -margin)) })
	return []figure{{"curves", "Loss and score by epoch.", b.Bytes()}, rate}, err
}

// calibrationFigure sets confidence against accuracy.
func calibrationFigure(c metrics.Calibration) (*figure, error) {
	p := axes("confidence (%)", "share that is right (%)")
	p.X.Tick.Marker, p.Y.Tick.Marker = ticks{most: 6}, ticks{most: 6}
	diagonal, err := plotter.NewLine(plotter.XYs{{X: 0, Y: 0}, {X: 100, Y: 100}})
	if err != nil {
		return nil, errors.Wrap(err, "figure")
	}
	diagonal.LineStyle = probeStyle
	p.Add(diagonal)
	most := 1
	for _, b := range c.Bins {
		most = max(most, b.Count)
	}
	for _, b := range c.Bins {
		if b.Count == 0 {
			continue
		}
		dot, err := plotter.NewScatter(plotter.XYs{{X: 100 * b.Confidence, Y: 100 * b.Accuracy}})
		if err != nil {
			return nil, errors.Wrap(err, "figure")
		}
		share := float64(b.Count) / float64(most)
		dot.GlyphStyle = draw.GlyphStyle{Color: trainColor, Shape: draw.CircleGlyph{}, Radius: vg.Points(3 + 5*share)}
		p.Add(dot)
	}
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = -2, 102, -2, 102
	f, err := svg("calibration", fmt.Sprintf("Calibration: a circle a tenth of the confidences, larger for more decisions; expected error %.1f %%.", 100*c.ECE),
		side, side, func(c draw.Canvas) { p.Draw(draw.Crop(c, margin, -margin, margin/2, -margin)) })
	return &f, err
}

// mostCells is how many classes have their counts and names printed.
const mostCells = 24

// confusionFigure draws a confusion matrix: rows true, columns predicted, coloured by the share of the row.
func confusionFigure(labels []string, counts [][]int) (*figure, error) {
	n := len(labels)
	f, err := svg("confusion", "Confusion: rows are what images show, columns what they were taken for.", side, side, func(c draw.Canvas) {
		style := text.Style{Color: probeColor, Font: sans(9), YAlign: draw.YCenter, Handler: plot.DefaultTextHandler}
		room := vg.Length(0.4) * vg.Centimeter
		if n <= mostCells {
			for _, l := range labels {
				room = max(room, style.Width(short(l))+0.5*vg.Centimeter)
			}
		}
		cell := (side - room - 0.3*vg.Centimeter) / vg.Length(n)
		for i, row := range counts {
			total := 0
			for _, k := range row {
				total += k
			}
			top := side - 0.2*vg.Centimeter - vg.Length(i)*cell
			for j, k := range row {
				left := room + vg.Length(j)*cell
				share := float64(k) / float64(max(total, 1))
				c.FillPolygon(shade(share, i == j), []vg.Point{{X: left, Y: top}, {X: left + cell, Y: top}, {X: left + cell, Y: top - cell}, {X: left, Y: top - cell}})
				if n <= mostCells && k > 0 {
					number := style
					number.XAlign, number.Font = draw.XCenter, sans(min(9, cell*0.5))
					if share > 0.5 {
						number.Color = color.White
					}
					c.FillText(number, vg.Point{X: left + cell/2, Y: top - cell/2}, strconv.Itoa(k))
				}
			}
			if n <= mostCells {
				name := style
				name.XAlign = draw.XRight
				c.FillText(name, vg.Point{X: room - 0.2*vg.Centimeter, Y: top - cell/2}, short(labels[i]))
				name.Rotation, name.XAlign = 1.5707963, draw.XRight
				c.FillText(name, vg.Point{X: room + (vg.Length(i)+0.5)*cell, Y: room - 0.2*vg.Centimeter}, short(labels[i]))
			}
		}
	})
	return &f, err
}

// short cuts a name that would fill the figure.
func short(s string) string {
	const most = 16
	if r := []rune(s); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return s
}

// shade is white for nothing, blue for what is right and vermilion for what is wrong.
func shade(share float64, right bool) color.Color {
	full := valColor
	if right {
		full = trainColor
	}
	mixed := func(c uint8) uint8 { return uint8(255 - share*(255-float64(c))) }
	return color.NRGBA{mixed(full.R), mixed(full.G), mixed(full.B), 255}
}

// Bounds of a map of features: fewer points show nothing, more take long.
const (
	fewestPoints = 12
	mostPoints   = 400
	mapSeed      = 1
)

// featureMaps lays the features out in the plane, without the adapter and with it.
func featureMaps(ctx context.Context, e *sdk.Evaluation, images []sdk.Examined) ([]figure, string, error) {
	var shown []sdk.Examined
	stride := (len(images) + mostPoints - 1) / mostPoints
	for i := 0; i < len(images); i += max(stride, 1) {
		shown = append(shown, images[i])
	}
	if len(shown) < fewestPoints {
		return nil, "", nil
	}
	perplexity := min(30, float64(len(shown)-1)/3)
	groups := groupsOf(e.Labels, shown)
	var figures []figure
	for _, m := range []struct {
		name, caption string
		features      func(x sdk.Examined) []float32
	}{
		{"features-before", "Features of the plain backbone.", func(x sdk.Examined) []float32 { return x.Before }},
		{"features-after", "Features with the adapter.", func(x sdk.Examined) []float32 { return x.After }},
	} {
		points := make([][]float32, len(shown))
		for i, x := range shown {
			points[i] = m.features(x)
		}
		places, err := tsne.Embed(ctx, points, perplexity, mapSeed)
		if err != nil {
			return nil, "", err
		}
		f, err := scatter(m.name, m.caption, places, groups)
		if err != nil {
			return nil, "", err
		}
		figures = append(figures, f)
	}
	return figures, fmt.Sprintf("t-SNE of %d images, perplexity %.0f: neighbours are alike, distances between groups mean little.", len(shown), perplexity), nil
}

// group is the points of one colour.
type group struct {
	name string
	ids  []int
}

// groupsOf sorts images by what they show, the most frequent first; what is rare goes together.
func groupsOf(labels []string, images []sdk.Examined) []group {
	var all []group
	for i, x := range images {
		name := names(labels, x.Truth)
		at := slices.IndexFunc(all, func(g group) bool { return g.name == name })
		if at < 0 {
			at = len(all)
			all = append(all, group{name: name})
		}
		all[at].ids = append(all[at].ids, i)
	}
	slices.SortStableFunc(all, func(a, b group) int { return len(b.ids) - len(a.ids) })
	if most := len(palette); len(all) > most {
		rest := group{name: "others"}
		for _, g := range all[most-1:] {
			rest.ids = append(rest.ids, g.ids...)
		}
		all = append(all[:most-1], rest)
	}
	return all
}

// palette are colours that stay apart (Okabe and Ito), twice, with another shape the second time.
var palette = func() (list []draw.GlyphStyle) {
	for _, shape := range []draw.GlyphDrawer{draw.CircleGlyph{}, draw.TriangleGlyph{}} {
		for _, c := range []color.NRGBA{trainColor, valColor, {0x00, 0x9e, 0x73, 0xff}, {0xcc, 0x79, 0xa7, 0xff}, {0xe6, 0x9f, 0x00, 0xff},
			{0x56, 0xb4, 0xe9, 0xff}, {0x22, 0x22, 0x22, 0xff}, {0xb8, 0xa8, 0x00, 0xff}} {
			list = append(list, draw.GlyphStyle{Color: c, Radius: vg.Points(2.6), Shape: shape})
		}
	}
	return list
}()

// scatter draws points by group, with a legend below.
func scatter(name, caption string, places [][2]float64, groups []group) (figure, error) {
	const line = 0.5 * vg.Centimeter
	const columns = 2
	rows := (len(groups) + columns - 1) / columns
	legend := vg.Length(rows)*line + margin
	p := plot.New()
	p.HideAxes()
	for k, g := range groups {
		var points plotter.XYs
		for _, i := range g.ids {
			points = append(points, plotter.XY{X: places[i][0], Y: places[i][1]})
		}
		dots, err := plotter.NewScatter(points)
		if err != nil {
			return figure{}, errors.Wrap(err, "figure")
		}
		dots.GlyphStyle = palette[k]
		p.Add(dots)
	}
	return svg(name, caption, side, side+legend, func(c draw.Canvas) {
		p.Draw(draw.Crop(c, margin, -margin, legend, -margin))
		style := text.Style{Color: probeColor, Font: sans(9), YAlign: draw.YCenter, Handler: plot.DefaultTextHandler}
		for k, g := range groups {
			at := vg.Point{X: margin + vg.Length(k%columns)*side/columns, Y: legend - vg.Length(k/columns)*line - line/2}
			c.DrawGlyph(palette[k], at)
			c.FillText(style, vg.Point{X: at.X + 0.3*vg.Centimeter, Y: at.Y}, fmt.Sprintf("%s (%d)", short(g.name), len(g.ids)))
		}
	})
}
