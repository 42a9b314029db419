package report

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/edgeadapt/edgeadapt/sdk"
	"github.com/edgeadapt/edgeadapt/sdk/internal/disk"
	"github.com/edgeadapt/edgeadapt/sdk/metrics"
	"github.com/edgeadapt/edgeadapt/sdk/tune"
	"github.com/pkg/errors"
)

// ErrFolder says that a folder is not one to write a report to.
var ErrFolder = errors.New("not a folder for a report")

// Page is what a report shows: a tuning run, an evaluation, or both.
type Page struct {
	Title    string
	Examined string      // which images, such as "90 images held out"
	Settings [][2]string // name and value

	Run        *tune.Report    // nil for an evaluation alone
	Evaluation *sdk.Evaluation // nil where no image was examined
	Images     []sdk.Examined  // those of Evaluation, in its order
}

// pageFile is the name of the page; the figures lie beside it.
const pageFile = "index.html"

// mark tells a page of ours from another.
const mark = `<meta name="generator" content="edgeadapt">`

// CheckFolder returns ErrFolder unless dir is empty, holds an earlier report or can be made, so that a long run does not end
// with nowhere to write to.
func CheckFolder(dir string) error {
	entries, err := os.ReadDir(dir)
	if os.IsNotExist(err) {
		if info, err := os.Stat(filepath.Dir(dir)); err != nil || !info.IsDir() {
			return errors.WithMessagef(ErrFolder, "%s: its parent is no folder", dir)
		}
		return nil
	}
	if err != nil {
		return errors.WithMessagef(ErrFolder, "%s: %v", dir, err)
	}
	page, err := os.ReadFile(filepath.Join(dir, pageFile))
	if len(entries) > 0 && (err != nil || !bytes.Contains(page, []byte(mark))) {
		return errors.WithMessagef(ErrFolder, "%s holds other files, expected an empty folder or an earlier report", dir)
	}
	return nil
}

// figure is a picture of the page.
type figure struct {
	Name, Caption string
	SVG           []byte
}

// Source is the figure as an address within the page. A browser runs no script in it.
func (f figure) Source() template.URL {
	return template.URL("data:image/svg+xml;base64," + base64.StdEncoding.EncodeToString(f.SVG))
}

// content is what the template prints.
type content struct {
	Page
	Mark        template.HTML
	Curves      []figure
	Confusion   *figure
	Calibration *figure
	ECE         float64
	Map         []figure // of the features
	MapNote     string
	Mistakes    []mistake
	Timings     [][2]string
}

//go:embed page.html
var pageText string

var pageTemplate = template.Must(template.New(pageFile).Funcs(template.FuncMap{
	"percent": func(x float64) string { return fmt.Sprintf("%.1f %%", 100*x) },
}).Parse(pageText))

// Write writes the page and its figures, as SVG and the curves as PNG too, to dir, which CheckFolder accepts. Each file is there
// whole or not at all, the page last. What comes from outside, such as the names of classes, is escaped. Layouts are the same for
// the same results.
func (p Page) Write(ctx context.Context, dir string) error {
	if err := CheckFolder(dir); err != nil {
		return err
	}
	c := content{Page: p, Mark: mark}
	var err error
	if p.Run != nil {
		if c.Curves, err = runFigures(p.Run); err != nil {
			return err
		}
		c.Timings = timings(p.Run)
	}
	if p.Evaluation != nil && len(p.Images) > 0 {
		if err := c.examine(ctx); err != nil {
			return err
		}
	}
	var page bytes.Buffer
	if err := pageTemplate.Execute(&page, c); err != nil {
		return errors.Wrap(err, "report")
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return errors.Wrap(err, "report")
	}
	for _, f := range c.figures() {
		if err := write(filepath.Join(dir, f.Name+".svg"), f.SVG); err != nil {
			return err
		}
	}
	if p.Run != nil && len(p.Run.History) > 0 {
		var img bytes.Buffer
		if err := Curves(&img, "png", p.Run); err != nil {
			return err
		}
		if err := write(filepath.Join(dir, "curves.png"), img.Bytes()); err != nil {
			return err
		}
	}
	return write(filepath.Join(dir, pageFile), page.Bytes())
}

func write(path string, b []byte) error {
	return disk.WriteFile(disk.OS, path, func(w io.Writer) error {
		_, err := w.Write(b)
		return err
	})
}

// figures are all figures of the page.
func (c *content) figures() []figure {
	all := append([]figure(nil), c.Curves...)
	for _, f := range []*figure{c.Confusion, c.Calibration} {
		if f != nil {
			all = append(all, *f)
		}
	}
	return append(all, c.Map...)
}

// bins of the calibration.
const bins = 10

// examine fills in what the examined images show.
func (c *content) examine(ctx context.Context) error {
	e := c.Evaluation
	var err error
	if e.Classification != nil {
		if c.Confusion, err = confusionFigure(e.Labels, e.Confusion); err != nil {
			return err
		}
	}
	cal := calibration(e, c.Images)
	c.ECE = cal.ECE
	if c.Calibration, err = calibrationFigure(cal); err != nil {
		return err
	}
	c.Mistakes = mistakes(e, c.Images)
	c.Map, c.MapNote, err = featureMaps(ctx, e, c.Images)
	return err
}

// calibration is of the best label of each image or, for a multi-label task, of every label's probability.
func calibration(e *sdk.Evaluation, images []sdk.Examined) metrics.Calibration {
	var confidence []float64
	var right []bool
	for _, x := range images {
		if e.Classification != nil {
			best := metrics.Best(x.Scores)
			confidence, right = append(confidence, float64(x.Scores[best])), append(right, has(x, best))
			continue
		}
		for l, s := range x.Scores {
			confidence, right = append(confidence, float64(s)), append(right, has(x, l))
		}
	}
	return metrics.Calibrate(confidence, right, bins)
}

// timings says how long a run took.
func timings(r *tune.Report) [][2]string {
	rows := [][2]string{{"whole run", fmt.Sprintf("%.1f s on %s", r.Seconds, r.Device)}}
	spent := map[tune.Phase]float64{}
	for _, s := range r.History {
		spent[s.Phase] += s.Seconds
	}
	for _, phase := range []tune.Phase{tune.Probe, tune.Adapter} {
		if s, ok := spent[phase]; ok {
			rows = append(rows, [2]string{string(phase), fmt.Sprintf("%.1f s", s)})
		}
	}
	if r.ImagesPerSec > 0 {
		rows = append(rows, [2]string{"training speed", fmt.Sprintf("%.1f images a second", r.ImagesPerSec)})
	}
	return append(rows, [2]string{"memory planned", fmt.Sprintf("%.0f MB", float64(r.Memory.Total())/1e6)})
}

// names lists labels for people.
func names(labels []string, which []int) string {
	if len(which) == 0 {
		return "none"
	}
	var list []string
	for _, l := range which {
		list = append(list, labels[l])
	}
	return strings.Join(list, ", ")
}
