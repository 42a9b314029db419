package tune

import (
	"math"

	"github.com/edgeadapt/edgeadapt/sdk/data"
	"github.com/edgeadapt/edgeadapt/sdk/internal/nn"
	"github.com/edgeadapt/edgeadapt/sdk/metrics"
)

// truth is what the images of a set show: one class each or, where multi is set, any number of labels.
type truth struct {
	multi   bool
	labels  int // classes there are
	classes []int32
	flags   [][]bool // [images][labels]
}

func newTruth(ds *data.Dataset) truth {
	return truth{multi: ds.MultiLabel, labels: len(ds.Classes)}
}

// n is the number of images.
func (y truth) n() int {
	if y.multi {
		return len(y.flags)
	}
	return len(y.classes)
}

// add appends an image.
func (y *truth) add(item data.Item) {
	if !y.multi {
		y.classes = append(y.classes, int32(item.Label))
		return
	}
	row := make([]bool, y.labels)
	for _, l := range item.Labels {
		row[l] = true
	}
	y.flags = append(y.flags, row)
}

// counts is the number of images of each class.
func (y truth) counts() []int {
	n := make([]int, y.labels)
	for _, c := range y.classes {
		n[c]++
	}
	for _, row := range y.flags {
		for l, set := range row {
			if set {
				n[l]++
			}
		}
	}
	return n
}

// targets are what a step takes of the images ids; it reuses into.
func (y truth) targets(ids []int, into nn.Targets) nn.Targets {
	into.Classes, into.Flags = into.Classes[:0], into.Flags[:0]
	for _, i := range ids {
		if !y.multi {
			into.Classes = append(into.Classes, y.classes[i])
			continue
		}
		for _, set := range y.flags[i] {
			into.Flags = append(into.Flags, flag(set))
		}
	}
	return into
}

func flag(set bool) float32 {
	if set {
		return 1
	}
	return 0
}

// decisions is how many guesses an image takes: one, or one a label.
func (y truth) decisions() int {
	if y.multi {
		return y.labels
	}
	return 1
}

// correct is how many decisions about image i the logits z get right, where those of labels fall at a probability of a half.
func (y truth) correct(i int, z []float32) (n int) {
	if !y.multi {
		if argmax(z) == int(y.classes[i]) {
			return 1
		}
		return 0
	}
	for l, set := range y.flags[i] {
		if (z[l] > 0) == set {
			n++
		}
	}
	return n
}

// loss is the cross entropy of image i, softmax's or the mean over labels of the sigmoids'.
func (y truth) loss(i int, z []float32) float64 {
	if !y.multi {
		return crossEntropy(z, int(y.classes[i]))
	}
	var sum float64
	for l, set := range y.flags[i] {
		v := float64(z[l])
		if set {
			v = -v
		}
		sum += math.Max(v, 0) + math.Log1p(math.Exp(-math.Abs(v))) // log(1 + exp(v))
	}
	return sum / float64(y.labels)
}

// guess is the loss of logits that are all 0.
func (y truth) guess() float64 {
	if y.multi {
		return math.Ln2
	}
	return math.Log(float64(y.labels))
}

// measure is the figure that chooses the epoch: the share of right classes, or the mean average precision over labels.
func (y truth) measure(logits [][]float32) float64 {
	if y.multi {
		return metrics.MeanAP(logits, y.flags).MAP
	}
	truth := make([]int, len(y.classes))
	for i, c := range y.classes {
		truth[i] = int(c)
	}
	return metrics.TopK(logits, truth, 1)
}
