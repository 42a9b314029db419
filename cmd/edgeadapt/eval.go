package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/edgeadapt/edgeadapt/sdk"
	"github.com/edgeadapt/edgeadapt/sdk/data"
	"github.com/edgeadapt/edgeadapt/sdk/tune"
	"github.com/spf13/cobra"
)

// evalFlags are the options of eval.
type evalFlags struct {
	session sessionFlags
	split   string
	report  string
	val     float64
	json    bool
}

func (a *app) eval() *cobra.Command {
	f := &evalFlags{}
	c := &cobra.Command{
		Use:   "eval DATA --adapter ADAPTER",
		Short: "Score an adapter on a folder of labelled images",
		Long: `Eval scores an adapter on the images of DATA/test/CLASS/* or, where there is no test folder, on all of DATA.
A multi-label adapter is scored on the images of the table DATA/test.csv (file,labels) in DATA/test.

--split val takes DATA/val or, without that folder, the images that 'tune' held out: a share --val of the training
images, drawn with the seed that the adapter file records.`,
		Example: `  edgeadapt eval parts --adapter parts.safetensors
  edgeadapt eval parts --adapter parts.safetensors --split all --json`,
		Args: exactly("DATA"),
	}
	f.session.register(c)
	f.session.registerAdapter(c, "adapter file to score")
	c.Flags().StringVar(&f.split, "split", "", "test, train, val or all (default: test where there is one, else all)")
	c.Flags().Float64Var(&f.val, "val", tune.Default().Val, "share that tune held out, for --split val")
	c.Flags().StringVar(&f.report, "report", "", reportUsage)
	c.Flags().BoolVar(&f.json, "json", false, "print JSON: top1, top5, per_class, confusion; of a multi-label task map, micro_ap, f1, per_label")
	return a.command(c, func(ctx context.Context, args []string) error { return f.run(ctx, a, args[0]) })
}

// evalResult is an evaluation with what was scored.
type evalResult struct {
	Data    string `json:"data"`
	Split   string `json:"split"`
	Adapter string `json:"adapter"`
	*sdk.Evaluation
}

func (f *evalFlags) run(ctx context.Context, a *app, dir string) error {
	if err := require("adapter", f.session.adapter); err != nil {
		return err
	}
	split := f.split
	if split == "" {
		split = "all"
		if isFolder(filepath.Join(dir, "test")) || isFile(filepath.Join(dir, "test.csv")) {
			split = "test"
		}
	}
	if !slices.Contains([]string{"test", "train", "val", "all"}, split) {
		return usagef("--split %q, expected test, train, val or all", split)
	}
	if err := checkReport(f.report); err != nil {
		return err
	}
	s, err := f.session.open(ctx, a)
	if err != nil {
		return err
	}
	defer s.close()
	ds, err := f.dataset(dir, split, s.adapter)
	if err != nil {
		return err
	}
	show := newProgress(a.stderr)
	e, images, err := f.evaluate(ctx, s, ds, show.images("eval"))
	show.end()
	if err != nil {
		return err
	}
	a.reportSkipped(e.Skipped)
	if f.report != "" {
		if err := f.writeReport(ctx, dir, split, s.adapter, e, images); err != nil {
			return err
		}
	}
	for _, m := range e.Renamed {
		fmt.Fprintf(a.stderr, "class %q is scored as the label %q\n", m.Name, m.Label)
	}
	if f.json {
		return a.printJSON(evalResult{Data: dir, Split: split, Adapter: f.session.adapter, Evaluation: e})
	}
	if e.Tagging != nil {
		return printTagging(a, e, split)
	}
	return printEvaluation(a, e, split)
}

// evaluate scores the adapter; images are for a report, where one is wanted.
func (f *evalFlags) evaluate(ctx context.Context, s *session, ds *data.Dataset, progress func(done, total int)) (e *sdk.Evaluation, images []sdk.Examined, err error) {
	if f.report != "" {
		return s.bb.Examine(ctx, ds, s.adapter, progress)
	}
	e, err = s.bb.Evaluate(ctx, ds, s.adapter, progress)
	return e, nil, err
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// dataset lists the images of a split.
func (f *evalFlags) dataset(dir, split string, ad *sdk.Adapter) (*data.Dataset, error) {
	switch split {
	case "train":
		return data.OpenFolder(dir, data.Train)
	case "test":
		return data.OpenFolder(dir, data.Test)
	case "val":
		if sub := filepath.Join(dir, "val"); isFolder(sub) {
			return data.OpenFolder(sub, data.Test)
		}
		return f.heldOut(dir, ad)
	}
	return allImages(dir)
}

// heldOut lists the images that tune kept for choosing the epoch.
func (f *evalFlags) heldOut(dir string, ad *sdk.Adapter) (*data.Dataset, error) {
	ds, err := data.OpenFolder(dir, data.Train)
	if err != nil {
		return nil, err
	}
	host, err := ad.Host()
	if err != nil {
		return nil, err
	}
	var record tune.Record
	if raw := host.Record(); raw != nil {
		if err := json.Unmarshal(raw, &record); err != nil {
			return nil, err
		}
	}
	_, ds.Items, _ = ds.StratifiedSplit(f.val, record.Seed)
	return ds, nil
}

// allImages lists the images of every split that dir has.
func allImages(dir string) (*data.Dataset, error) {
	all := &data.Dataset{}
	for _, part := range []string{"train", "val", "test"} {
		sub := filepath.Join(dir, part)
		var ds *data.Dataset
		var err error
		if table := sub + ".csv"; isFile(table) && isFolder(sub) {
			ds, err = data.OpenTable(table, sub)
		} else if isFile(table) {
			ds, err = data.OpenTable(table, dir)
		} else if isFolder(sub) {
			ds, err = data.OpenFolder(sub, data.Test)
		} else {
			continue
		}
		if err != nil {
			return nil, err
		}
		merge(all, ds)
	}
	if len(all.Items) == 0 {
		return data.OpenFolder(dir, data.Test)
	}
	return all, nil
}

// merge appends the images of ds to all, class by name.
func merge(all, ds *data.Dataset) {
	at := make([]int, len(ds.Classes))
	for i, class := range ds.Classes {
		if at[i] = slices.Index(all.Classes, class); at[i] < 0 {
			at[i] = len(all.Classes)
			all.Classes = append(all.Classes, class)
		}
	}
	all.MultiLabel = ds.MultiLabel
	for _, it := range ds.Items {
		moved := data.Item{Path: it.Path}
		if ds.MultiLabel {
			for _, l := range it.Labels {
				moved.Labels = append(moved.Labels, at[l])
			}
			slices.Sort(moved.Labels)
		} else {
			moved.Label = at[it.Label]
		}
		all.Items = append(all.Items, moved)
	}
}

func printEvaluation(a *app, e *sdk.Evaluation, split string) error {
	summary := [][]string{{"images", fmt.Sprintf("%d (%s)", e.Images, split)}, {"top-1", percent(&e.Top1)}}
	if len(e.Labels) > 5 {
		summary = append(summary, []string{"top-5", percent(&e.Top5)})
	}
	if err := table(a.stdout, summary); err != nil {
		return err
	}
	fmt.Fprintln(a.stdout)
	rows := [][]string{{"CLASS", "IMAGES", "RECALL", "PRECISION", "MOST OFTEN TAKEN FOR"}}
	for i, c := range e.PerClass {
		rows = append(rows, []string{c.Label, strconv.Itoa(c.Images), percent(&c.Recall), percent(&c.Precision), mistakenFor(e, i)})
	}
	return table(a.stdout, rows)
}

func printTagging(a *app, e *sdk.Evaluation, split string) error {
	summary := [][]string{{"images", fmt.Sprintf("%d (%s)", e.Images, split)}, {"mAP", percent(&e.MAP)}, {"micro AP", percent(&e.Micro)}, {"mean F1", percent(&e.Tagging.F1)}}
	if err := table(a.stdout, summary); err != nil {
		return err
	}
	fmt.Fprintln(a.stdout)
	rows := [][]string{{"LABEL", "IMAGES", "AP", "THRESHOLD", "PRECISION", "RECALL", "F1"}}
	for _, l := range e.PerLabel {
		rows = append(rows, []string{l.Label, strconv.Itoa(l.Images), percent(&l.AP), fmt.Sprintf("%.2f", l.Threshold), percent(&l.Precision), percent(&l.Recall), percent(&l.F1)})
	}
	return table(a.stdout, rows)
}

// mistakenFor names the wrong class that the images of a class were most often given.
func mistakenFor(e *sdk.Evaluation, class int) string {
	worst := -1
	for j, n := range e.Confusion[class] {
		if j != class && n > 0 && (worst < 0 || n > e.Confusion[class][worst]) {
			worst = j
		}
	}
	if worst < 0 {
		return "-"
	}
	return fmt.Sprintf("%s (%d)", e.Labels[worst], e.Confusion[class][worst])
}
