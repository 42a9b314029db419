package tune

import (
	"time"

	"github.com/edgeadapt/edgeadapt/sdk/adapter"
	"github.com/edgeadapt/edgeadapt/sdk/data"
)

// Phase is a part of a run.
type Phase string

// The parts, in order.
const (
	Encode  Phase = "encode"  // images through the frozen network
	Probe   Phase = "probe"   // the linear head on the frozen features
	Adapter Phase = "adapter" // branches and head
)

// Event is one sign of progress. Events come from one goroutine, in order; a slow receiver slows the run.
type Event struct {
	Phase        Phase
	Epoch        int // counted from 1; 0 while encoding
	Epochs       int
	Step, Steps  int     // images while encoding, optimiser steps of the whole phase otherwise
	Loss         float64 // mean over the epoch so far
	Accuracy     float64 // on the training images of the epoch so far; of a multi-label task the share of right decisions
	ImagesPerSec float64
	ETA          time.Duration // of the phase
	Done         *EpochStat    // set on the last event of an epoch
	Warning      string        // set on an event that says nothing else
	Memory       *Memory       // set on an event that says nothing else, before the first of Encode
}

// EpochStat is what one epoch did. Accuracy is as in Event, ValScore in the report's Metric. Val figures are NaN-free:
// without a validation split they are nil.
type EpochStat struct {
	Phase    Phase    `json:"phase"`
	Epoch    int      `json:"epoch"`
	Loss     float64  `json:"loss"`
	Accuracy float64  `json:"accuracy"`
	ValLoss  *float64 `json:"val_loss,omitempty"`
	ValScore *float64 `json:"val_score,omitempty"`
	LR       float64  `json:"lr"` // at the epoch's end
	Seconds  float64  `json:"seconds"`
}

// Metric is the figure that scores an adapter on the images held out, 0 to 1.
type Metric string

// The metrics, of single-label and of multi-label tasks.
const (
	Top1   Metric = "top1" // share of images whose best label is theirs
	MeanAP Metric = "map"  // mean average precision over the labels
)

// String is the metric for people.
func (m Metric) String() string {
	if m == MeanAP {
		return "mAP"
	}
	return "accuracy"
}

// Report is the record of a run.
type Report struct {
	Backbone   string         `json:"backbone"`
	Device     string         `json:"device"`
	Method     string         `json:"method"`
	Classes    []string       `json:"classes"`
	Train      int            `json:"train_images"`
	Val        int            `json:"val_images"`
	Skipped    []data.Skipped `json:"skipped,omitempty"`
	Warnings   []string       `json:"warnings,omitempty"`
	Parameters int            `json:"trained_parameters"`
	Epochs     int            `json:"epochs"`
	Optimizer  Optimizer      `json:"optimizer"`
	LR         float64        `json:"lr"`
	Batch      int            `json:"batch"`
	Seed       uint64         `json:"seed"`
	Metric     Metric         `json:"metric"` // of all scores here
	DataDigest string         `json:"data_digest"`
	ProbeScore *float64       `json:"probe_val_score,omitempty"`
	StartScore *float64       `json:"start_val_score,omitempty"` // of the adapter that the run went on from, if its head was kept
	Score      *float64       `json:"val_score,omitempty"`       // of the result
	BestEpoch  int            `json:"best_epoch"`                // 0: the probe, or what the run went on from, did best and is the result
	// Refit is the number of images, those held out among them, that the head of a probe was fitted on again at the end; 0
	// for an adapter with branches and without a split. Judged is then the probe before that, which Score is of.
	Refit  int              `json:"refit_images,omitempty"`
	Judged *adapter.Adapter `json:"-"`

	History []EpochStat `json:"history"`
	Seconds float64     `json:"seconds"`
	Memory  Memory      `json:"memory"` // as planned
	// ImagesPerSec is the training speed of the adapter phase.
	ImagesPerSec float64 `json:"images_per_s"`
}
