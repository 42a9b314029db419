package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/edgeadapt/edgeadapt/sdk/adapter"
	"github.com/edgeadapt/edgeadapt/sdk/data"
	"github.com/edgeadapt/edgeadapt/sdk/report"
	"github.com/edgeadapt/edgeadapt/sdk/tune"
	"github.com/spf13/cobra"
)

// tuneFlags are the options of tune.
type tuneFlags struct {
	session             sessionFlags
	branches            branchFlags
	out, curves, blocks string
	method, pool, fit   string
	optimizer, augment  string
	report              string
	config              tune.Config
	json                bool
}

func (a *app) tune() *cobra.Command {
	f := &tuneFlags{config: tune.Default()}
	c := &cobra.Command{
		Use:   "tune DATA -o ADAPTER",
		Short: "Train an adapter from a folder of images",
		Long: `Tune trains an adapter from DATA/train/CLASS/* or, without a train folder, DATA/CLASS/*.

Images with any number of labels come with a table DATA/train.csv instead: the header file,labels, then a line an image,
its file in DATA/train and its labels with | between them, or none. The epoch is then chosen by mean average precision,
and each label gets the threshold of best F1 on the images held out.

It fits a linear probe on the frozen features first, then AdaptMLP branches together with the head, and keeps the
epoch that does best on a part of the training images held out for that (--val), or the probe where no epoch beats it
by more than a standard error. A probe that wins is fitted again on all images. The same seed, data and device give the same file, bit for bit.

A run keeps a checkpoint in OUTPUT.run until it has ended. After Ctrl-C, a crash or a power cut the same command with
--resume goes on from there, to the same bits as a run that was never interrupted.`,
		Example: `  edgeadapt tune parts -o parts.safetensors
  edgeadapt tune parts -o parts.safetensors --report parts.report
  edgeadapt tune parts -o parts.safetensors --blocks 7-12 --epochs 30 --curves parts.png
  edgeadapt tune parts -o better.safetensors --init parts.safetensors
  edgeadapt tune parts -o learned.safetensors --placement sequential --branch-norm in --scale learn
  edgeadapt tune parts -o probe.safetensors --method linear`,
		Args: exactly("DATA"),
	}
	f.register(c)
	return a.command(c, func(ctx context.Context, args []string) error { return f.run(ctx, a, args[0]) })
}

func (f *tuneFlags) register(c *cobra.Command) {
	d, fl := tune.Default(), c.Flags()
	f.session.register(c)
	fl.StringVarP(&f.out, "output", "o", "", "adapter file to write")
	fl.StringVar(&f.method, "method", string(d.Method), "adaptformer or linear (the probe alone)")
	fl.StringVar(&f.blocks, "blocks", "", "blocks that get a branch, counted from 1, such as 7-12 or 1,3,5-8, or 3.1-3.6 by a Swin's stages (default: all)")
	fl.IntVar(&f.config.Bottleneck, "bottleneck", d.Bottleneck, "width of a branch, 1 to 256")
	f.branches.register(fl, d)
	fl.Float32Var(&f.config.Dropout, "dropout", d.Dropout, "share of a branch's hidden values dropped while training")
	fl.StringVar(&f.pool, "pool", "", "cls, mean, cls_mean or norm_mean (default: the backbone's)")
	fl.IntVar(&f.config.Size, "size", d.Size, "side of the input in pixels, a multiple of the backbone's patch")
	fl.StringVar(&f.fit, "fit", string(d.Fit), "squash (the whole image to a square) or crop (its centre)")
	fl.IntVar(&f.config.Epochs, "epochs", 0, "passes over the training images (default: by their number)")
	fl.Float64Var(&f.config.LR, "lr", 0, "peak learning rate (default: by the batch)")
	fl.IntVar(&f.config.Batch, "batch", d.Batch, "images a training step")
	fl.IntVar(&f.config.Accumulate, "accumulate", 1, "batches whose gradients make one update, in the memory of one batch")
	fl.StringVar(&f.optimizer, "optimizer", "", "sgd (momentum 0.9) or adamw (betas 0.9 and 0.999) (default: adamw; sgd for a probe, and for a ViT where --lr is given)")
	fl.Float32Var(&f.config.WeightDecay, "weight-decay", d.WeightDecay, "weight decay, decoupled with adamw")
	fl.Float32Var(&f.config.LabelSmoothing, "label-smoothing", d.LabelSmoothing, "share of a label that is spread over all classes")
	fl.BoolVar(&f.config.Balance, "balance", d.Balance, "show every class equally often in an epoch, for classes of very different size")
	fl.StringVar(&f.augment, "augment", "none", "vary training pictures at random: a list of crop, flip and jitter, such as crop=0.5,flip,jitter=0.2; gains where pictures have no right way up, and is slower, as nothing is cached")
	fl.Float32Var(&f.config.ClipNorm, "clip-norm", d.ClipNorm, "bound on the norm of a step's gradients; negative for none (default: 5)")
	fl.Float64Var(&f.config.Val, "val", d.Val, "share of each class held out to choose the epoch; 0 trains on all and keeps the last")
	fl.Uint64Var(&f.config.Seed, "seed", d.Seed, "seed of split, order, start and dropout")
	fl.StringVar(&f.config.Description, "description", "", "a sentence about the task, for people and 'adapters search'")
	fl.StringSliceVar(&f.config.Tags, "tag", nil, "word that 'adapters search' finds it by; may be repeated")
	fl.StringVar(&f.config.Name, "name", "", "name of the task (default: the folder's)")
	fl.StringVar(&f.curves, "curves", "", "picture of loss and accuracy to write, .png or .svg")
	fl.StringVar(&f.report, "report", "", reportUsage)
	fl.Var((*byteSize)(&f.config.MemoryBudget), "memory-budget", "memory that the run may take, such as 300MB: by keeping tokens in a file and running blocks twice, to the same bits")
	fl.BoolVar(&f.config.Checkpoint.Resume, "resume", false, "go on with the run that was interrupted, from its checkpoint OUTPUT.run where there is one")
	fl.BoolVar(&f.config.Checkpoint.Force, "force", false, "resume on another device, driver or release too; the bits may then differ")
	fl.IntVar(&f.config.Checkpoint.Every, "checkpoint-every", 0, "training steps between two checkpoints, beside one an epoch (default: by time)")
	fl.BoolVar(&f.json, "json", false, "print the record of the run as JSON")
}

// tuneResult is the record of a run with what became of it.
type tuneResult struct {
	File   string `json:"file"`
	Bytes  int64  `json:"bytes"`
	Curves string `json:"curves,omitempty"`
	*tune.Report
}

func (f *tuneFlags) run(ctx context.Context, a *app, dir string) error {
	cfg, err := f.complete(dir)
	if err != nil {
		return err
	}
	for _, path := range []string{f.out, f.curves} {
		if err := checkWritable(path); err != nil {
			return err
		}
	}
	if err := checkReport(f.report); err != nil {
		return err
	}
	if err := a.announce(cfg.Checkpoint); err != nil {
		return err
	}
	ds, err := data.OpenFolder(dir, data.Train)
	if err != nil {
		return err
	}
	s, err := f.session.open(ctx, a)
	if err != nil {
		return err
	}
	defer s.close()
	if cfg.Blocks, err = blocksOf(f.blocks, s.bb.Info().Ref()); err != nil {
		return err
	}
	limitGarbage(cfg.MemoryBudget)
	show := newProgress(a.stderr)
	ad, rep, err := s.bb.Tune(ctx, ds, cfg, show.event)
	show.end()
	if err != nil {
		return err
	}
	a.reportSkipped(rep.Skipped)
	saved, drawn := saveOr(f.out, ad.WriteFile), f.writeCurves(rep)
	if err := f.settle(a, cfg.Checkpoint, saved); err != nil {
		return errors.Join(err, drawn)
	}
	if drawn != nil {
		f.curves = "" // a picture that fails must not hide the result
	}
	reported := f.writeReport(ctx, a, s, ds, cfg, ad, rep)
	if reported != nil {
		f.report = ""
	}
	return errors.Join(f.print(a, ad, rep), drawn, reported)
}

// complete checks the options and makes a configuration of them.
func (f *tuneFlags) complete(dir string) (tune.Config, error) {
	c := f.config
	if err := require("output", f.out); err != nil {
		return c, err
	}
	if f.curves != "" {
		if _, err := curvesFormat(f.curves); err != nil {
			return c, err
		}
	}
	if _, err := parseBlocks(f.blocks); err != nil {
		return c, err
	}
	c.Fit = adapter.Fit(f.fit)
	if err := f.branches.complete(&c); err != nil {
		return c, err
	}
	if c.Checkpoint.Every < 0 {
		return c, usagef("--checkpoint-every %d, expected steps, or 0 to go by time", c.Checkpoint.Every)
	}
	c.Checkpoint.Path = f.out + runSuffix
	c.Method, c.Pool = adapter.Method(f.method), adapter.Pool(f.pool)
	c.Optimizer = tune.Optimizer(f.optimizer)
	var err error
	if c.Augment, err = parseAugment(f.augment); err != nil {
		return c, err
	}
	if c.Name == "" {
		if abs, err := filepath.Abs(dir); err == nil {
			c.Name = filepath.Base(abs)
		}
	}
	return c, nil
}

func curvesFormat(path string) (string, error) {
	switch ext := strings.ToLower(filepath.Ext(path)); ext {
	case ".png", ".svg":
		return ext[1:], nil
	}
	return "", usagef("--curves %q, expected a name ending in .png or .svg", path)
}

func (f *tuneFlags) writeCurves(rep *tune.Report) error {
	if f.curves == "" {
		return nil
	}
	format, err := curvesFormat(f.curves)
	if err != nil {
		return err
	}
	return writeFile(f.curves, func(w io.Writer) error { return report.Curves(w, format, rep) })
}

func (f *tuneFlags) print(a *app, ad *adapter.Adapter, rep *tune.Report) error {
	size, err := fileSize(f.out)
	if err != nil {
		return err
	}
	if f.json {
		return a.printJSON(tuneResult{File: f.out, Bytes: size, Curves: f.curves, Report: rep})
	}
	rows := [][]string{{"images", fmt.Sprintf("%d to train, %d held out, %d classes", rep.Train, rep.Val, len(rep.Classes))}}
	if rep.StartScore != nil {
		rows = append(rows, []string{"went on from", held(rep.Metric, rep.StartScore)})
	} else {
		rows = append(rows, []string{"linear probe", held(rep.Metric, rep.ProbeScore)})
	}
	if f.method != string(adapter.Linear) {
		rows = append(rows, []string{"adapter", held(rep.Metric, rep.Score) + chosen(rep)})
	}
	if rep.Refit > 0 {
		rows = append(rows, []string{"head", fmt.Sprintf("fitted again on all %d images", rep.Refit)})
	}
	rows = append(rows, []string{"learning rate", fmt.Sprintf("%.3g at its peak by %s, batches of %d", rep.LR, rep.Optimizer, rep.Batch)})
	rows = append(rows, []string{"trained", parameters(ad.Parameters()) + fmt.Sprintf(" parameters in %.1f s on %s", rep.Seconds, rep.Device)})
	rows = append(rows, []string{"written", f.out + ", " + bytesText(size)})
	if f.curves != "" {
		rows = append(rows, []string{"curves", f.curves})
	}
	if f.report != "" {
		rows = append(rows, []string{"report", filepath.Join(f.report, "index.html")})
	}
	if err := table(a.stdout, rows); err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.stdout, "\nedgeadapt predict IMAGE --adapter %s%s\n", shellQuote(f.out), f.session.backboneOption())
	return err
}

// held prints a score on the images held out.
func held(m tune.Metric, score *float64) string {
	switch {
	case score == nil:
		return "no images held out to score"
	case m == tune.MeanAP:
		return percent(score) + " mAP on the images held out"
	}
	return percent(score) + " of the images held out"
}

// chosen says which epoch the result is of.
func chosen(rep *tune.Report) string {
	switch {
	case rep.BestEpoch == 0 && rep.StartScore != nil:
		return ", as it was: no epoch did better"
	case rep.BestEpoch == 0:
		return ", which is the probe: no epoch did clearly better"
	}
	return fmt.Sprintf(", after epoch %d of %d", rep.BestEpoch, rep.Epochs)
}
