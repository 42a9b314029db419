package main

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/edgeadapt/edgeadapt/sdk"
	"github.com/edgeadapt/edgeadapt/sdk/data"
	"github.com/pkg/errors"
	"github.com/spf13/cobra"
)

// predictFlags are the options of predict.
type predictFlags struct {
	session  sessionFlags
	adapters []string
	all      string // folder of adapters
	topK     int
	minScore float32
	json     bool
}

func (a *app) predict() *cobra.Command {
	f := &predictFlags{}
	c := &cobra.Command{
		Use:   "predict IMAGE... --adapter ADAPTER",
		Short: "Classify images",
		Long: `Predict classifies JPEG, PNG, WebP, GIF and BMP files. An image that cannot be read is reported on stderr; the others
are classified all the same, and the exit code is then 3. What the adapter's plug-in makes of the scores is printed
below them; an image that the plug-in fails on counts as one that cannot be read.

With several adapters, or with --all for every adapter file of a folder, each image is judged by each of them; the blocks
below an adapter's first branch are computed once for all.`,
		Example: `  edgeadapt predict photo.jpg --adapter parts.safetensors
  edgeadapt predict *.jpg --adapter parts.safetensors --top-k 1 --min-score 0.8 --json
  edgeadapt predict photo.jpg --adapter parts.safetensors --adapter cloth.safetensors
  edgeadapt predict photo.jpg --all adapters/`,
		Args: atLeastOne("IMAGE"),
	}
	f.session.register(c)
	c.Flags().StringArrayVar(&f.adapters, "adapter", nil, "adapter file to classify with; may be given several times")
	c.Flags().StringVar(&f.all, "all", "", "folder whose adapter files are all to classify with")
	c.Flags().IntVar(&f.topK, "top-k", 3, "labels an image, best first; 0 for all")
	c.Flags().Float32Var(&f.minScore, "min-score", 0, "leave out labels below this score, 0 to 1")
	c.Flags().BoolVar(&f.json, "json", false, "print JSON: an object an image, with its labels or its error")
	return a.command(c, func(ctx context.Context, args []string) error { return f.run(ctx, a, args) })
}

// prediction is the answer for one image file.
type prediction struct {
	Image   string          `json:"image"`
	Adapter string          `json:"adapter,omitempty"` // where there are several, or may be
	Labels  []sdk.Label     `json:"labels"`
	Plugin  json.RawMessage `json:"plugin,omitempty"` // what the adapter's plug-in says
	Error   string          `json:"error,omitempty"`

	refused bool // by the plug-in
}

func (f *predictFlags) run(ctx context.Context, a *app, paths []string) error {
	if len(f.adapters) == 0 && f.all == "" {
		return require("adapter", "")
	}
	if f.topK < 0 {
		return usagef("--top-k %d, expected 0 or more", f.topK)
	}
	if !(f.minScore >= 0 && f.minScore <= 1) {
		return usagef("--min-score %g, expected 0 to 1", f.minScore)
	}
	s, err := f.session.open(ctx, a)
	if err != nil {
		return err
	}
	defer s.close()
	adapters, err := f.loadAdapters(ctx, a, s)
	if err != nil {
		return err
	}
	var list []prediction
	var skipped []data.Skipped
	if len(adapters) == 1 {
		s.adapter = adapters[0].Adapter
		list, skipped, err = f.classify(ctx, s, paths)
		for i := range list {
			if f.all != "" { // one or many, a script finds the same members
				list[i].Adapter = adapters[0].path
			}
		}
	} else {
		list, skipped, err = f.classifyAll(ctx, s, adapters, paths)
	}
	if err != nil {
		return err
	}
	if f.json {
		err = a.printJSON(list)
	} else {
		err = printPredictions(a, list)
	}
	if err != nil {
		return err
	}
	a.reportSkipped(skipped)
	failed := 0
	for _, p := range list {
		if p.refused {
			failed++
			fmt.Fprintf(a.stderr, "%s: %s\n", p.Image, p.Error)
		}
	}
	if len(skipped) == 0 && failed > 0 {
		return errors.WithMessagef(sdk.ErrPlugin, "%d of %d images", failed, len(paths))
	}
	return unreadable(skipped, len(paths))
}

// unreadable is the error of a command that has served all images but some.
func unreadable(skipped []data.Skipped, total int) error {
	if len(skipped) == 0 {
		return nil
	}
	return errors.WithMessagef(sdk.ErrImage, "%d of %d", len(skipped), total)
}

// maxPending is how many decoded images wait for a pass of the network.
const maxPending = 32

// classify judges image files in order; those that cannot be read come with their reason.
func (f *predictFlags) classify(ctx context.Context, s *session, paths []string) ([]prediction, []data.Skipped, error) {
	list := make([]prediction, len(paths))
	for i, p := range paths {
		list[i] = prediction{Image: p, Labels: []sdk.Label{}}
	}
	var pending []sdk.Request
	var ids []int
	flush := func() error {
		results, refused, err := predictEach(ctx, s.bb, pending)
		if err != nil {
			return err
		}
		for k, r := range results {
			p := &list[ids[k]]
			p.Labels, p.Plugin = append(p.Labels, r.Labels...), r.Plugin
			if refused[k] != nil {
				p.Error, p.refused = refused[k].Error(), true
			}
		}
		pending, ids = pending[:0], ids[:0]
		return nil
	}
	opts := []sdk.PredictOption{sdk.TopK(f.topK), sdk.MinScore(f.minScore)}
	read := make([]bool, len(paths))
	skipped, err := data.Load(ctx, items(paths), s.bb.Pipeline(s.adapter), 0, func(i int, t sdk.Tensor) error {
		read[i] = true
		ids = append(ids, i)
		pending = append(pending, sdk.Request{Image: t, Adapter: s.adapter, Options: opts})
		if len(pending) == maxPending {
			return flush()
		}
		return nil
	})
	if err == nil && len(pending) > 0 {
		err = flush()
	}
	next := 0
	for i := range list {
		if !read[i] && next < len(skipped) { // both are in the order of paths
			list[i].Error = skipped[next].Reason
			next++
		}
	}
	return list, skipped, err
}

// predictEach judges a batch. Where a plug-in fails, that is the error of its image alone: refused has one entry a
// request, nil where all is well.
func predictEach(ctx context.Context, bb *sdk.Backbone, reqs []sdk.Request) (results []sdk.Result, refused []error, err error) {
	refused = make([]error, len(reqs))
	results, err = bb.PredictBatch(ctx, reqs)
	if !errors.Is(err, sdk.ErrPlugin) {
		return results, refused, err
	}
	results = make([]sdk.Result, len(reqs))
	for i, q := range reqs {
		if results[i], err = bb.Predict(ctx, q.Image, q.Adapter, q.Options...); errors.Is(err, sdk.ErrPlugin) {
			refused[i] = err
		} else if err != nil {
			return nil, nil, err
		}
	}
	return results, refused, nil
}

// items lists image files that have no label.
func items(paths []string) []data.Item {
	list := make([]data.Item, len(paths))
	for i, p := range paths {
		list[i].Path = p
	}
	return list
}

// present says whether an image has a label.
func present(l sdk.Label) string {
	switch {
	case l.Present == nil:
		return "-"
	case *l.Present:
		return "yes"
	}
	return "no"
}

func printPredictions(a *app, list []prediction) error {
	several, multi := false, false
	for _, p := range list {
		several = several || p.Adapter != ""
		multi = multi || slices.ContainsFunc(p.Labels, func(l sdk.Label) bool { return l.Present != nil })
	}
	rows := [][]string{{"IMAGE", "LABEL", "SCORE"}}
	if multi {
		rows[0] = append(rows[0], "PRESENT")
	}
	if several {
		rows[0] = append(rows[0], "ADAPTER")
	}
	for _, p := range list {
		if p.Error != "" {
			continue
		}
		name := p.Image
		add := func(label, score, present string) {
			row := []string{name, label, score}
			if multi {
				row = append(row, present)
			}
			if several {
				row = append(row, filepath.Base(p.Adapter))
			}
			rows = append(rows, row)
			name = ""
		}
		if len(p.Labels) == 0 {
			add("-", "-", "-")
		}
		for _, l := range p.Labels {
			add(l.Name, fmt.Sprintf("%.4f", l.Score), present(l))
		}
		if name = ""; p.Plugin != nil {
			add("plug-in", string(p.Plugin), "")
		}
	}
	if len(rows) == 1 {
		return nil
	}
	return table(a.stdout, rows)
}
