package tune

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/edgeadapt/edgeadapt/sdk/internal/checkpoint"
	"github.com/edgeadapt/edgeadapt/sdk/internal/disk"
	"github.com/edgeadapt/edgeadapt/sdk/internal/tensor"
	"github.com/pkg/errors"
)

// The run file; see FORMATS.
const (
	runKind    = "run"
	runVersion = "1"
	metaState  = "state"
	metaDigest = "sha256" // of the state and all tensors: safetensors has no check of its own
)

// Groups of tensors in a run file: the name's part before the first dot.
const (
	groupNow       = "now"       // the task's parameters and statistics
	groupBest      = "best"      // those of the best epoch, where that is one of this phase
	groupProbe     = "probe"     // the fitted probe, in the adapter phase
	groupOptimizer = "optimizer" // flat, by nn.Optimizer's names
)

// tensors are named tensors of one group.
type tensors = map[string]tensor.Tensor

// state is all that a run is between two steps and that neither its configuration nor its data gives: the order of the
// images and the dropout masks follow from seed, epoch and step.
type state struct {
	Identity identity `json:"identity"`

	Phase  Phase  `json:"phase"`
	Epochs int    `json:"epochs"` // of the phase
	At     cursor `json:"at"`

	Best  savedScore  `json:"best"`
	Probe *savedScore `json:"probe,omitempty"` // in the adapter phase
	Epoch []EpochStat `json:"history"`

	Train   int     `json:"train_images"` // that could be read
	Val     int     `json:"val_images"`
	Seconds float64 `json:"seconds"` // spent so far

	groups map[string]tensors
}

// cursor is a place in a phase: the steps done of an epoch, and what they summed up.
type cursor struct {
	Epoch   int     `json:"epoch"` // counted from 1; one more than there are at the phase's end
	Step    int     `json:"step"`
	Loss    float64 `json:"loss"`
	Correct int     `json:"correct"`
}

// means are the mean loss and the accuracy of the steps done, with so many decisions in each.
func (c cursor) means(decisions int) (loss, accuracy float64) {
	n := float64(max(c.Step, 1))
	return c.Loss / n, float64(c.Correct) / (n * float64(decisions))
}

// savedScore is score for a file.
type savedScore struct {
	Epoch int      `json:"epoch"`
	Value *float64 `json:"val_score,omitempty"`
	Loss  *float64 `json:"val_loss,omitempty"`
}

func saved(s score) savedScore { return savedScore{s.epoch, s.value, s.loss} }

func (s savedScore) score() score { return score{epoch: s.Epoch, value: s.Value, loss: s.Loss} }

// previous is the name of the generation before the newest.
func previous(path string) string { return path + ".previous" }

// write makes the state the newest generation of path.
func (s *state) write(fsys disk.FS, path string) error {
	text, err := json.Marshal(s)
	if err != nil {
		return errors.Wrapf(err, "checkpoint %s", path)
	}
	var entries []checkpoint.Entry
	for group, members := range s.groups {
		for name, t := range members {
			entries = append(entries, checkpoint.Float32Entry(group+"."+name, t))
		}
	}
	slices.SortFunc(entries, func(a, b checkpoint.Entry) int { return strings.Compare(a.Name, b.Name) })
	meta := map[string]string{checkpoint.MetaKind: runKind, checkpoint.MetaVersion: runVersion, metaState: string(text)}
	sum := sha256.New()
	io.WriteString(sum, meta[metaState])
	for _, e := range entries { // in the order of File.Names
		digestTensor(sum, e.Name, e.Data)
	}
	meta[metaDigest] = hex.EncodeToString(sum.Sum(nil))
	return disk.WriteFileKeeping(fsys, path, previous(path), func(w io.Writer) error { return checkpoint.Write(w, meta, entries) })
}

// digestTensor adds a tensor to a digest; lengths come first, so that no two lists give the same bytes.
func digestTensor(w io.Writer, name string, data []byte) {
	fmt.Fprintf(w, "\n%d %s %d\n", len(name), name, len(data))
	w.Write(data)
}

// openState reads the state of a run file, without its tensors; the caller loads those and closes the file.
func openState(path string) (*state, *checkpoint.File, error) {
	f, err := checkpoint.Open(path)
	if err != nil {
		return nil, nil, err
	}
	s, err := parseState(f)
	if err != nil {
		f.Close()
		return nil, nil, errors.WithMessage(err, path)
	}
	return s, f, nil
}

func parseState(f *checkpoint.File) (*state, error) {
	if err := f.CheckKind(runKind, runVersion); err != nil {
		return nil, err
	}
	s := &state{}
	dec := json.NewDecoder(bytes.NewReader([]byte(f.Metadata()[metaState])))
	dec.DisallowUnknownFields()
	if err := dec.Decode(s); err != nil {
		return nil, errors.WithMessagef(checkpoint.ErrCorrupt, "state: %v", err)
	}
	if s.Phase != Probe && s.Phase != Adapter || s.At.Epoch < 1 || s.At.Epoch > s.Epochs+1 || s.At.Step < 0 || (s.Phase == Adapter) != (s.Probe != nil) {
		return nil, errors.WithMessagef(checkpoint.ErrCorrupt, "state: phase %q at epoch %d of %d, step %d", s.Phase, s.At.Epoch, s.Epochs, s.At.Step)
	}
	return s, nil
}

// load reads the tensors and checks that the file is what was written.
func (s *state) load(f *checkpoint.File) error {
	sum := sha256.New()
	io.WriteString(sum, f.Metadata()[metaState])
	s.groups = map[string]tensors{}
	for _, full := range f.Names() {
		b, err := f.Bytes(full)
		if err != nil {
			return err
		}
		digestTensor(sum, full, b)
		t, err := f.Float32(full)
		if err != nil {
			return err
		}
		group, name, _ := strings.Cut(full, ".")
		if s.groups[group] == nil {
			s.groups[group] = tensors{}
		}
		s.groups[group][name] = t.Clone() // the file is closed soon
	}
	if got, want := hex.EncodeToString(sum.Sum(nil)), f.Metadata()[metaDigest]; got != want {
		return errors.WithMessagef(checkpoint.ErrCorrupt, "%s: content of SHA-256 %.12s, its header says %.12s", f.Path(), got, want)
	}
	return nil
}
