package main

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/edgeadapt/edgeadapt/sdk"
	"github.com/edgeadapt/edgeadapt/sdk/adapter"
	"github.com/edgeadapt/edgeadapt/sdk/data"
	"github.com/edgeadapt/edgeadapt/sdk/report"
	"github.com/edgeadapt/edgeadapt/sdk/tune"
)

// reportUsage describes --report.
const reportUsage = "folder for a page (index.html) with figures, mistakes and a map of the features; empty, new, or that of an earlier report"

// checkReport refuses a folder before the work is done.
func checkReport(dir string) error {
	if dir == "" {
		return nil
	}
	if err := report.CheckFolder(dir); err != nil {
		return usagef("--report: %v", err)
	}
	return nil
}

// mostExamined bounds the images that a report of a run without held-out images looks at.
const mostExamined = 1000

// writeReport examines what was held out, or else a part of what it was trained on, and writes the page of a run.
func (f *tuneFlags) writeReport(ctx context.Context, a *app, s *session, ds *data.Dataset, cfg tune.Config, ad *adapter.Adapter, rep *tune.Report) error {
	if f.report == "" {
		return nil
	}
	judged := ad
	if rep.Judged != nil {
		judged = rep.Judged // which has not seen the images held out
	}
	handle, err := s.bb.UseAdapter(ctx, judged)
	if err != nil {
		return err
	}
	defer handle.Close()
	train, val, _ := ds.StratifiedSplit(cfg.Val, cfg.Seed)
	shown, what := *ds, fmt.Sprintf("The %d images held out, which chose the epoch: expect a little less on others.", rep.Val)
	if rep.Refit > 0 {
		what += fmt.Sprintf(" Afterwards the head was fitted again on all %d images.", rep.Refit)
	}
	if shown.Items = val; len(val) == 0 {
		shown.Items = nil
		for i := 0; i < len(train); i += (len(train) + mostExamined - 1) / mostExamined {
			shown.Items = append(shown.Items, train[i])
		}
		what = fmt.Sprintf("%d of the images that it was trained on, as none were held out: says nothing of others.", len(shown.Items))
	}
	show := newProgress(a.stderr)
	e, images, err := s.bb.Examine(ctx, &shown, handle, show.images("report"))
	show.end()
	if err != nil {
		return err
	}
	c := ad.Config()
	settings := append(adapterSettings(c), [][2]string{{"learning rate", fmt.Sprintf("%.3g", rep.LR)}, {"images a step", fmt.Sprint(rep.Batch)},
		{"epochs", fmt.Sprintf("%d, of which %d is kept", rep.Epochs, rep.BestEpoch)}, {"seed", fmt.Sprint(rep.Seed)}, {"backbone", rep.Backbone}, {"data digest", rep.DataDigest}}...)
	return report.Page{Title: c.Name, Examined: what, Settings: settings, Run: rep, Evaluation: e, Images: images}.Write(ctx, f.report)
}

// adapterSettings are what an adapter is, for people.
func adapterSettings(c adapter.Config) [][2]string {
	rows := [][2]string{{"method", string(c.Method)}, {"input", fmt.Sprintf("%d x %d pixels, %s", c.Size, c.Size, c.Fit)}, {"pooling", string(c.Pool)}}
	if len(c.Blocks) > 0 {
		rows = append(rows, [2]string{"branches", fmt.Sprintf("of %d in %d blocks, %s", c.Bottleneck, len(c.Blocks), c.Placement)})
	}
	return rows
}

// writeReport writes the page of an evaluation.
func (f *evalFlags) writeReport(ctx context.Context, dir, split string, ad *sdk.Adapter, e *sdk.Evaluation, images []sdk.Examined) error {
	host, err := ad.Host()
	if err != nil {
		return err
	}
	c := host.Config()
	title := c.Name
	if title == "" {
		title = filepath.Base(f.session.adapter)
	}
	return report.Page{Title: title, Examined: fmt.Sprintf("%d images of %s (%s).", e.Images, dir, split), Settings: adapterSettings(c),
		Evaluation: e, Images: images}.Write(ctx, f.report)
}
