package tune

import (
	"github.com/edgeadapt/edgeadapt/sdk/adapter"
	"github.com/edgeadapt/edgeadapt/sdk/data"
)

// Record is what an adapter file says about the run that made it, as JSON.
type Record struct {
	Recipe      string            `json:"recipe"`
	Device      string            `json:"device"`
	Driver      string            `json:"driver"`
	Seed        uint64            `json:"seed"`
	DataDigest  string            `json:"data_digest"`
	TrainImages int               `json:"train_images"`
	ValImages   int               `json:"val_images"`
	Epochs      int               `json:"epochs"`
	BestEpoch   int               `json:"best_epoch"`
	LR          float64           `json:"lr"`
	Batch       int               `json:"batch"`
	Accumulate  int               `json:"accumulate,omitempty"` // batches an update, where more than 1
	Warmup      float64           `json:"warmup"`
	Momentum    float64           `json:"momentum"`
	Optimizer   string            `json:"optimizer,omitempty"`
	WeightDecay float32           `json:"weight_decay,omitempty"`
	Smoothing   float32           `json:"label_smoothing,omitempty"`
	Balance     bool              `json:"balance,omitempty"`
	ClipNorm    float32           `json:"clip_norm,omitempty"`
	Augment     data.Augmentation `json:"augment,omitzero"`
	ProbeEpochs int               `json:"probe_epochs"`
	ProbeLR     float64           `json:"probe_lr"`
	ProbeScore  *float64          `json:"probe_val_score,omitempty"`
	StartScore  *float64          `json:"start_val_score,omitempty"`
	Score       *float64          `json:"val_score,omitempty"`
	Start       string            `json:"start,omitempty"` // of the branches, where it is not zero
	Refit       int               `json:"refit_images,omitempty"`
	Metric      Metric            `json:"metric,omitempty"`
	Init        string            `json:"init,omitempty"` // digest of the adapter that the run went on from
}

func (r *run) record() Record {
	info := r.v.Backend().Info()
	recipe := "linear probe"
	if r.cfg.Method == adapter.AdaptFormer {
		recipe = "linear probe, then AdaptMLP and head, cosine"
	}
	init := ""
	if from := r.cfg.From; from != nil {
		init, _ = from.Digest() // which the run has taken before
		recipe = "another adapter, trained on: " + recipe
		if r.keepsHead(r.rep.Classes) {
			recipe = "another adapter, trained on, cosine"
		}
	}
	accumulate := r.cfg.Accumulate
	if accumulate == 1 {
		accumulate = 0
	}
	return Record{Recipe: recipe, Accumulate: accumulate, Augment: r.cfg.Augment, Metric: r.rep.Metric, Start: string(r.cfg.Start), Init: init, StartScore: r.rep.StartScore,
		Device: info.Name, Driver: info.Driver, Seed: r.cfg.Seed, DataDigest: r.rep.DataDigest,
		TrainImages: r.rep.Train, ValImages: r.rep.Val, Epochs: r.rep.Epochs, BestEpoch: r.rep.BestEpoch, LR: r.rep.LR, Batch: r.rep.Batch,
		Warmup: r.cfg.Warmup, Momentum: momentum, ClipNorm: r.cfg.ClipNorm, Optimizer: string(r.cfg.Optimizer), WeightDecay: r.cfg.WeightDecay,
		Smoothing: r.cfg.LabelSmoothing, Balance: r.cfg.Balance, ProbeEpochs: r.cfg.ProbeEpochs, ProbeLR: r.cfg.ProbeLR,
		ProbeScore: r.rep.ProbeScore, Score: r.rep.Score, Refit: r.rep.Refit}
}
