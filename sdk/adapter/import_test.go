package adapter

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/edgeadapt/edgeadapt/sdk/internal/checkpoint"
)

func taskFile(name string) string { return filepath.Join("testdata", "task."+name+".safetensors") }

func TestImport(t *testing.T) {
	for _, c := range []struct {
		task       string
		method     Method
		blocks     []int
		bottleneck int
		scale      float32
		headNorm   bool
	}{
		{"par", AdaptFormer, []int{0, 1, 2}, 16, 0.1, true},
		{"range", AdaptFormer, []int{1, 2}, 8, 1, true},
		{"linear", Linear, nil, 0, 0, true},
		{"par_plainhead", AdaptFormer, []int{0, 1, 2}, 16, 0.1, false},
	} {
		a, err := Import(taskFile(c.task), tinyRef, nil)
		if err != nil {
			t.Errorf("%s: %v", c.task, err)
			continue
		}
		g := a.Config()
		if g.Method != c.method || !slices.Equal(g.Blocks, c.blocks) || g.Bottleneck != c.bottleneck || g.Scale != c.scale || g.HeadNorm != c.headNorm ||
			g.Dropout != 0 || g.Pool != PoolCLS || len(g.Labels) != 5 || g.Labels[4] != "4" || g.Size != 32 || g.Fit != Crop || g.Name != "task."+c.task {
			t.Errorf("%s: %+v", c.task, g)
		}
		f, err := checkpoint.Open(taskFile(c.task))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range a.Names() {
			want, err := f.Float32(name)
			if err != nil || !slices.Equal(a.Tensor(name).Data, want.Data) {
				t.Errorf("%s: %s differs (%v)", c.task, name, err)
			}
		}
		f.Close()
	}
	for task, want := range map[string]Config{
		"seq":            {Placement: Sequential, Scale: 0.1},
		"seq_lnin":       {Placement: Sequential, Norm: NormIn, LearnScale: true, Scale: 1},
		"par_learn_lnin": {Norm: NormIn, LearnScale: true, Scale: 1},
		"par_lnout":      {Norm: NormOut, Scale: 0.1},
	} {
		a, err := Import(taskFile(task), tinyRef, nil)
		if err != nil {
			t.Errorf("%s: %v", task, err)
			continue
		}
		if g := a.Config(); g.Placement != want.Placement || g.Norm != want.Norm || g.LearnScale != want.LearnScale || g.Scale != want.Scale || g.Bottlenecks != nil {
			t.Errorf("%s: %+v", task, g)
		}
	}
	labels := []string{"a", "b", "c", "d", "e"}
	if a, err := Import(taskFile("par"), tinyRef, labels); err != nil || !slices.Equal(a.Config().Labels, labels) {
		t.Errorf("labels: %v", err)
	}
}

func TestImportRefuses(t *testing.T) {
	for _, c := range []struct{ task, says string }{
		{"vpt_deep", "prompts"}, {"lora_qv", "lora"},
	} {
		if _, err := Import(taskFile(c.task), tinyRef, nil); !errors.Is(err, ErrUnsupported) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, expected ErrUnsupported that says %s", c.task, err, c.says)
		}
	}
	if _, err := Import(taskFile("par"), tinyRef, []string{"a", "b"}); !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), "expected [2, 64]") {
		t.Errorf("two labels for five classes: %v", err)
	}
	narrow := tinyRef
	narrow.Dim = 48
	if _, err := Import(taskFile("par"), narrow, nil); !errors.Is(err, ErrCorrupt) {
		t.Errorf("other width: %v", err)
	}
}

// TestImportMean takes over fc_norm with its mean pooling.
func TestImportMean(t *testing.T) {
	ref := tinyRef
	ref.Dim, ref.Depth = 48, 2
	a, err := Import(taskFile("mean"), ref, nil)
	if err != nil || a.Config().Pool != PoolMean || len(a.Tensor("fc_norm.weight").Data) != 48 {
		t.Fatalf("%v", err)
	}
}
