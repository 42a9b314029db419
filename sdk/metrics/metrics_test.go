package metrics

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/edgeadapt/edgeadapt/sdk/internal/checkpoint"
	"pgregory.net/rapid"
)

type golden struct {
	Top1, Top5 float64
	Confusion  [][]int    `json:"confusion_rows_true_cols_predicted"`
	MAP        float64    `json:"mAP_macro"`
	AP         []*float64 `json:"AP_per_class"`
	Micro      float64    `json:"AP_micro"`

	truth       []int
	scores      [][]float32
	positive    [][]bool
	scoresMulti [][]float32
}

func load(t *testing.T, name string) *golden {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	g := &golden{}
	if err := json.Unmarshal(text, g); err != nil {
		t.Fatal(err)
	}
	f, err := checkpoint.Open(filepath.Join("testdata", name+".safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, v := range integers(t, f, "target") {
		g.truth = append(g.truth, int(v))
	}
	g.scores, g.scoresMulti = rows(t, f, "scores"), rows(t, f, "scores_multi")
	labels := len(g.scoresMulti[0])
	targets := integers(t, f, "target_multi")
	for i := range g.scoresMulti {
		var p []bool
		for _, v := range targets[i*labels : (i+1)*labels] {
			p = append(p, v != 0)
		}
		g.positive = append(g.positive, p)
	}
	return g
}

func integers(t *testing.T, f *checkpoint.File, name string) []int64 {
	t.Helper()
	b, err := f.Bytes(name)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]int64, len(b)/8)
	for i := range out {
		out[i] = int64(binary.LittleEndian.Uint64(b[8*i:]))
	}
	return out
}

func rows(t *testing.T, f *checkpoint.File, name string) (out [][]float32) {
	t.Helper()
	x, err := f.Float32(name)
	if err != nil {
		t.Fatal(err)
	}
	for r := range slices.Chunk(x.Data, x.Shape[1]) {
		out = append(out, slices.Clone(r))
	}
	return out
}

const tolerance = 1e-6 // the reference's

func near(a, b float64) bool { return math.Abs(a-b) <= tolerance }

func TestReference(t *testing.T) {
	for _, name := range []string{"plain", "ties"} {
		t.Run(name, func(t *testing.T) {
			g := load(t, name)
			if got := TopK(g.scores, g.truth, 1); !near(got, g.Top1) {
				t.Errorf("top-1 %v, want %v", got, g.Top1)
			}
			if got := TopK(g.scores, g.truth, 5); !near(got, g.Top5) {
				t.Errorf("top-5 %v, want %v", got, g.Top5)
			}
			if got := Confusion(g.scores, g.truth, len(g.scores[0])); !slices.EqualFunc(got, g.Confusion, slices.Equal) {
				t.Errorf("confusion %v, want %v", got, g.Confusion)
			}
			m := MeanAP(g.scoresMulti, g.positive)
			if !near(m.MAP, g.MAP) || !near(m.Micro, g.Micro) {
				t.Errorf("mAP %v, micro %v; want %v, %v", m.MAP, m.Micro, g.MAP, g.Micro)
			}
			for i, want := range g.AP {
				if got := m.PerLabel[i]; (want == nil) != (got.Positives == 0) || want != nil && !near(got.Value, *want) {
					t.Errorf("AP of label %d is %v, want %v", i, got, want)
				}
			}
		})
	}
}

// TestNegativeControl: the nearest wrong definitions must miss the reference.
func TestNegativeControl(t *testing.T) {
	g := load(t, "ties")
	hits := 0
	for i, s := range g.scores { // equal scores count for the sample
		higher := 0
		for _, v := range s {
			if v > s[g.truth[i]] {
				higher++
			}
		}
		if higher == 0 {
			hits++
		}
	}
	if near(float64(hits)/float64(len(g.truth)), g.Top1) {
		t.Error("ties that count for the sample give the same top-1")
	}
	swapped := Confusion(g.scores, g.truth, 7)
	for i := range swapped {
		for j := range i {
			swapped[i][j], swapped[j][i] = swapped[j][i], swapped[i][j]
		}
	}
	if slices.EqualFunc(swapped, g.Confusion, slices.Equal) {
		t.Error("a transposed confusion matrix passes")
	}
	sum := 0.0
	for _, ap := range MeanAP(g.scoresMulti, g.positive).PerLabel {
		sum += ap.Value
	}
	if near(sum/float64(len(g.AP)), g.MAP) {
		t.Error("counting a label without positives as 0 gives the same mAP")
	}
}

func TestDegenerate(t *testing.T) {
	nan := float32(math.NaN())
	for _, c := range []struct {
		name   string
		scores [][]float32
		truth  []int
		k      int
		want   float64
	}{
		{"no samples", nil, nil, 1, 0},
		{"all NaN", [][]float32{{nan, nan}, {nan, nan}}, []int{0, 1}, 1, 0.5}, // the first class, as for any other tie
		{"NaN ranks last", [][]float32{{nan, -1}, {nan, -1}}, []int{0, 1}, 1, 0.5},
		{"k above classes", [][]float32{{1, 2}}, []int{0}, 5, 1},
		{"label outside", [][]float32{{1, 2}, {1, 2}, {1, 2}}, []int{-1, 2, 1}, 5, 1. / 3},
		{"rows missing", [][]float32{{1, 2}}, []int{1, 1}, 1, 0.5},
	} {
		if got := TopK(c.scores, c.truth, c.k); !near(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
		Confusion(c.scores, c.truth, 2)
	}
	if m := MeanAP([][]float32{{1}, {2, 3}}, [][]bool{{true, true}}); m.MAP != 1 || len(m.PerLabel) != 1 {
		t.Errorf("uneven rows: %+v", m)
	}
	if ap := AveragePrecision([]float32{nan, 1}, []bool{true, false}); !near(ap.Value, 0.5) {
		t.Errorf("NaN score: %v", ap)
	}
}

func TestPerClass(t *testing.T) {
	got := PerClass([][]int{{3, 1, 0}, {2, 2, 0}, {0, 0, 0}})
	want := []Class{{4, 5, 0.75, 0.6}, {4, 3, 0.5, 2. / 3}, {}}
	if !slices.Equal(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// averagePrecisionSlow takes every score as a threshold and counts anew.
func averagePrecisionSlow(scores []float32, positive []bool) float64 {
	thresholds := slices.Compact(slices.Sorted(slices.Values(scores)))
	slices.Reverse(thresholds)
	total, recall, sum := 0, 0.0, 0.0
	for _, p := range positive {
		if p {
			total++
		}
	}
	if total == 0 {
		return 0
	}
	for _, threshold := range thresholds {
		taken, right := 0, 0
		for i, s := range scores {
			if s >= threshold {
				taken++
				if positive[i] {
					right++
				}
			}
		}
		r := float64(right) / float64(total)
		sum += (r - recall) * float64(right) / float64(taken)
		recall = r
	}
	return sum
}

func TestAveragePrecisionProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 37).Draw(t, "n")
		scores, positive := make([]float32, n), make([]bool, n)
		for i := range n {
			scores[i] = float32(rapid.IntRange(-3, 3).Draw(t, "score")) // few values, so many ties
			positive[i] = rapid.Bool().Draw(t, "positive")
		}
		got, want := AveragePrecision(scores, positive).Value, averagePrecisionSlow(scores, positive)
		if math.Abs(got-want) > 1e-12 {
			t.Fatalf("got %v, want %v", got, want)
		}
	})
}
