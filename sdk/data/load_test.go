package data

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/edgeadapt/edgeadapt/sdk/internal/tensor"
)

var smallPipeline = Pipeline{Fit: Squash, Size: 4, Interpolation: Bilinear, Std: [3]float32{1, 1, 1}}

// mixedItems are pictures with a damaged, a foreign and a missing file among them; bad are the indices of those.
func mixedItems(t *testing.T) (items []Item, bad []int) {
	dir := tree(t, map[string]string{"damaged.png": "\x89PNG\r\n\x1a\nno more", "foreign.jpg": "plain text"})
	for i := range 23 {
		path := fmt.Sprintf("testdata/extra/orient%d.png", i%8+1)
		switch i {
		case 0:
			path = filepath.Join(dir, "damaged.png")
		case 7:
			path = filepath.Join(dir, "foreign.jpg")
		case 8:
			path = filepath.Join(dir, "missing.png")
		case 22:
			path = dir
		default:
			items = append(items, Item{Path: path, Label: i % 3})
			continue
		}
		bad = append(bad, i)
		items = append(items, Item{Path: path})
	}
	return items, bad
}

func TestLoadConcurrentKeepsOrder(t *testing.T) {
	items, bad := mixedItems(t)
	for _, workers := range []int{0, 1, 2, 7, 64} {
		var got []int
		skipped, err := Load(t.Context(), items, smallPipeline, workers, func(i int, x tensor.Tensor) error {
			got = append(got, i)
			m, err := Decoder{}.DecodeFile(items[i].Path)
			if err != nil {
				return err
			}
			want, err := smallPipeline.Apply(m)
			if err == nil && !slices.Equal(x.Data, want.Data) {
				t.Errorf("image %d has another's pixels", i)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if !slices.IsSorted(got) || len(got) != len(items)-len(bad) {
			t.Errorf("%d workers: images %v", workers, got)
		}
		if len(skipped) != len(bad) {
			t.Fatalf("%d workers: skipped %v, want items %v", workers, skipped, bad)
		}
		for k, s := range skipped {
			if s.Path != items[bad[k]].Path || s.Reason == "" || strings.HasPrefix(s.Reason, s.Path) {
				t.Errorf("skipped %+v, want %s with a reason", s, items[bad[k]].Path)
			}
		}
	}
}

func TestLoadStops(t *testing.T) {
	items, _ := mixedItems(t)
	stop := errors.New("stop")
	calls := 0
	skipped, err := Load(t.Context(), items, smallPipeline, 2, func(int, tensor.Tensor) error {
		if calls++; calls == 3 {
			return stop
		}
		return nil
	})
	if !errors.Is(err, stop) || calls != 3 || len(skipped) != 1 {
		t.Errorf("error %v after %d calls, skipped %v", err, calls, skipped)
	}
	ctx, cancel := context.WithCancel(t.Context())
	calls = 0
	_, err = Load(ctx, items, smallPipeline, 2, func(int, tensor.Tensor) error {
		calls++
		cancel()
		return nil
	})
	if !errors.Is(err, context.Canceled) || calls != 1 {
		t.Errorf("cancelled: error %v after %d calls", err, calls)
	}
	if _, err = Load(t.Context(), items, Pipeline{}, 2, nil); err == nil {
		t.Error("an empty pipeline is accepted")
	}
	if _, err = Load(t.Context(), nil, smallPipeline, 2, nil); err != nil {
		t.Error(err)
	}
}
