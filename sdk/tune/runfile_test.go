package tune

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/edgeadapt/edgeadapt/sdk/internal/checkpoint"
	"github.com/edgeadapt/edgeadapt/sdk/internal/disk"
	"github.com/edgeadapt/edgeadapt/sdk/internal/tensor"
)

// sampleState is a small state of the adapter phase.
func sampleState() *state {
	x := tensors{"head.1.bias": {Shape: tensor.Shape{2}, Data: []float32{1, 2}}}
	top1, loss := 0.5, 0.25
	return &state{Identity: identity{"seed": "1", "device": "cpu"}, Phase: Adapter, Epochs: 3, At: cursor{Epoch: 2, Step: 1, Loss: 0.75, Correct: 3},
		Best: savedScore{1, &top1, &loss}, Probe: &savedScore{Epoch: 4}, Epoch: []EpochStat{{Phase: Probe, Epoch: 1, ValScore: &top1}},
		Train: 8, Val: 2, groups: map[string]tensors{groupNow: x, groupBest: x, groupProbe: x, groupOptimizer: x}}
}

// TestRunFile reads back what was written; the same state gives the same bytes.
func TestRunFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run")
	var first []byte
	for range 2 {
		if err := sampleState().write(disk.OS, path); err != nil {
			t.Fatal(err)
		}
		b, _ := os.ReadFile(path)
		if first == nil {
			first = b
		}
		if !bytes.Equal(b, first) {
			t.Error("the same state gives other bytes")
		}
	}
	s, f, err := openState(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := s.load(f); err != nil || !reflect.DeepEqual(s, sampleState()) {
		t.Errorf("read %+v, %v", s, err)
	}
}

// FuzzRunFile: no content of a run file makes reading it panic.
func FuzzRunFile(f *testing.F) {
	path := filepath.Join(f.TempDir(), "run")
	if err := sampleState().write(disk.OS, path); err != nil {
		f.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add(whole[:len(whole)-1])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := checkpoint.Parse("run", data)
		if err != nil {
			return
		}
		s, err := parseState(file)
		if err != nil {
			return
		}
		_ = s.Identity.check(identity{"seed": "2"}, true)
		_ = s.progress().String()
		_ = s.load(file)
	})
}
