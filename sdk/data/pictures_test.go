package data

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestPictures(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"b/x.png", "a.jpg", "b/.hidden.png", ".git/y.png", "b/c/z.JPEG", "notes.txt"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("text"), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	items, err := Pictures(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, i := range items {
		rel, _ := filepath.Rel(dir, i.Path)
		got = append(got, filepath.ToSlash(rel))
	}
	if want := []string{"a.jpg", "b/c/z.JPEG", "b/x.png"}; !slices.Equal(got, want) {
		t.Errorf("%v, expected %v", got, want)
	}
	for _, bad := range []string{filepath.Join(dir, "none"), t.TempDir()} {
		if _, err := Pictures(bad); !errors.Is(err, ErrDataset) {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

func TestDraw(t *testing.T) {
	var items []Item
	for i := range 20 {
		items = append(items, Item{Label: i})
	}
	labels := func(n int, seed uint64) (l []int) {
		for _, i := range Draw(items, n, seed) {
			l = append(l, i.Label)
		}
		return l
	}
	a := labels(5, 1)
	if len(a) != 5 || !slices.Equal(a, labels(5, 1)) || slices.Equal(a, labels(5, 2)) || !slices.Equal(a, labels(9, 1)[:5]) {
		t.Errorf("drew %v, %v, %v", a, labels(5, 2), labels(9, 1))
	}
	if all := labels(99, 3); len(all) != 20 || len(slices.Compact(slices.Sorted(slices.Values(all)))) != 20 {
		t.Errorf("drew %v of 20", all)
	}
}
