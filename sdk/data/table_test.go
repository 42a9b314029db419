package data

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestReadTable(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"labels", "file,labels\na.jpg,x|y\nb/c.png,\n\"d,e.jpg\", y | x \n", "a.jpg:x+y b/c.png: d,e.jpg:x+y"},
		{"byte order mark and CRLF", "\xef\xbb\xbffile,labels\r\na.jpg,x\r\n", "a.jpg:x"},
		{"only a header", "file,labels\n", ""},
	} {
		rows, err := readTable(strings.NewReader(c.text))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		var got []string
		for _, r := range rows {
			got = append(got, r.file+":"+strings.Join(r.labels, "+"))
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestReadTableRefuses(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"empty", "", "expected file,labels"},
		{"another header", "name,label\na.jpg,x\n", `header "name,label"`},
		{"one column", "file\na.jpg\n", "header"},
		{"three fields", "file,labels\na.jpg,x,y\n", "line 2"},
		{"above the folder", "file,labels\na.jpg,x\n../b.jpg,x\n", "line 3: file \"../b.jpg\""},
		{"absolute", "file,labels\n/etc/passwd,x\n", "line 2: file"},
		{"backslashes", "file,labels\na\\b.jpg,x\n", "line 2: file"},
		{"no file", "file,labels\n,x\n", "line 2: file \"\""},
		{"empty label", "file,labels\na.jpg,x||y\n", "line 2: labels"},
		{"a label twice", "file,labels\na.jpg,x|x\n", `label "x" twice`},
		{"a file twice", "file,labels\na.jpg,x\na.jpg,y\n", `line 3: "a.jpg" a second time`},
		{"an open quote", "file,labels\n\"a.jpg,x\n", "line"},
		{"a long label", "file,labels\na.jpg," + strings.Repeat("x", maxLabel+1) + "\n", "at most 256 bytes"},
	} {
		if _, err := readTable(strings.NewReader(c.text)); err == nil || !errors.Is(err, ErrDataset) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

// tableFolder writes files by name.
func tableFolder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestOpenFolderWithTables(t *testing.T) {
	dir := tableFolder(t, map[string]string{"train.csv": "file,labels\nb.jpg,y|x\na.jpg,\n", "train/a.jpg": "", "test.csv": "file,labels\nc.jpg,y\n", "test/c.jpg": ""})
	ds, err := OpenFolder(dir, Train)
	if err != nil {
		t.Fatal(err)
	}
	want := []Item{{Path: filepath.Join(dir, "train", "b.jpg"), Labels: []int{0, 1}}, {Path: filepath.Join(dir, "train", "a.jpg"), Labels: []int{}}}
	if !ds.MultiLabel || !slices.Equal(ds.Classes, []string{"x", "y"}) || !reflect.DeepEqual(ds.Items, want) {
		t.Errorf("train: %+v", ds)
	}
	if ds, err = OpenFolder(dir, Test); err != nil || !slices.Equal(ds.Classes, []string{"y"}) || ds.Items[0].Path != filepath.Join(dir, "test", "c.jpg") {
		t.Errorf("test: %+v, %v", ds, err)
	}
	flat := tableFolder(t, map[string]string{"train.csv": "file,labels\na.jpg,x\n"})
	if ds, err = OpenFolder(flat, Train); err != nil || ds.Items[0].Path != filepath.Join(flat, "a.jpg") {
		t.Errorf("images beside the table: %+v, %v", ds, err)
	}
	if _, err = OpenFolder(flat, Test); !errors.Is(err, ErrDataset) || !strings.Contains(err.Error(), "test.csv") {
		t.Errorf("no table for test: %v", err)
	}
	classes := tableFolder(t, map[string]string{"train.csv": "some,other\n", "train/x/a.jpg": "", "train/y/b.jpg": ""})
	if ds, err = OpenFolder(classes, Train); err != nil || ds.MultiLabel {
		t.Errorf("class folders beside a table: %+v, %v", ds, err)
	}
	unlabelled := tableFolder(t, map[string]string{"train.csv": "file,labels\na.jpg,\n"})
	if _, err = OpenFolder(unlabelled, Train); !errors.Is(err, ErrDataset) || !strings.Contains(err.Error(), "no label") {
		t.Errorf("no label at all: %v", err)
	}
}

// TestTableDigest: what an image shows decides the digest, not only the image.
func TestTableDigest(t *testing.T) {
	digest := func(table string) string {
		ds, err := OpenFolder(tableFolder(t, map[string]string{"train.csv": table, "train/a.jpg": "1"}), Train)
		if err != nil {
			t.Fatal(err)
		}
		d, err := ds.Digest()
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	one := digest("file,labels\na.jpg,x|y\n")
	if digest("file,labels\na.jpg,y|x\n") != one || digest("file,labels\na.jpg,x\n") == one {
		t.Error("the digest does not follow the labels")
	}
}

func TestSplitOfSets(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := &Dataset{MultiLabel: true, Classes: []string{"a", "b", "c", "d"}}
		sets := rapid.SliceOfN(rapid.IntRange(0, 15), 1, 60).Draw(t, "sets")
		positives := make([]int, 4)
		size := map[int]int{}
		for _, s := range sets {
			item := Item{Labels: []int{}, Label: len(d.Items)}
			for l := range 4 {
				if s>>l&1 == 1 {
					item.Labels = append(item.Labels, l)
					positives[l]++
				}
			}
			size[s]++
			d.Items = append(d.Items, item)
		}
		fraction, seed := rapid.Float64Range(0.05, 0.5).Draw(t, "fraction"), rapid.Uint64().Draw(t, "seed")
		train, val, _ := d.StratifiedSplit(fraction, seed)
		if len(train)+len(val) != len(sets) || float64(len(val)) > fraction*float64(len(sets))+1 || float64(len(val)) < fraction*float64(len(sets))-1-4 {
			t.Fatalf("%d and %d of %d images at %g", len(train), len(val), len(sets), fraction)
		}
		again, _, _ := d.StratifiedSplit(fraction, seed)
		if !reflect.DeepEqual(train, again) {
			t.Fatal("a second split differs")
		}
		for l, n := range positives {
			if n > 0 && !slices.ContainsFunc(train, func(i Item) bool { return slices.Contains(i.Labels, l) }) {
				t.Fatalf("label %d has %d images, none in train", l, n)
			}
		}
		held := map[int]int{}
		for _, item := range val {
			held[sets[item.Label]]++
		}
		for s, n := range size {
			if float64(held[s]) > fraction*float64(n)+1 {
				t.Fatalf("%d of %d images of set %b are held out at %g", held[s], n, s, fraction)
			}
		}
	})
}

func FuzzTable(f *testing.F) {
	f.Add([]byte("file,labels\na.jpg,x|y\nb/c.png,\n\"d,e.jpg\", y | x \n"))
	f.Add([]byte("\xef\xbb\xbffile,labels\r\na.jpg,x\r\n"))
	f.Add([]byte("file,labels\n\"a"))
	f.Fuzz(func(t *testing.T, text []byte) {
		rows, err := readTable(strings.NewReader(string(text)))
		if err != nil {
			if !errors.Is(err, ErrDataset) {
				t.Errorf("%v, expected ErrDataset", err)
			}
			return
		}
		for _, r := range rows {
			if !filepath.IsLocal(filepath.FromSlash(r.file)) || !slices.IsSorted(r.labels) || slices.Contains(r.labels, "") {
				t.Errorf("row %+v", r)
			}
		}
	})
}
