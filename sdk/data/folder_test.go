package data

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// tree makes files below a new folder. A content of "png" stands for a real 5x3 PNG; a name ending in / is a folder.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	png, err := os.ReadFile("testdata/extra/orient1.png")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, name)
		folder := filepath.Dir(path)
		if strings.HasSuffix(name, "/") {
			folder = path
		}
		if err := os.MkdirAll(folder, 0o755); err != nil {
			t.Fatal(err)
		}
		if folder == path {
			continue
		}
		data := []byte(content)
		if content == "png" {
			data = png
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// names lists a dataset as CLASS/FILE.
func names(d *Dataset) []string {
	var out []string
	for _, item := range d.Items {
		out = append(out, d.Classes[item.Label]+"/"+filepath.Base(item.Path))
	}
	return out
}

func TestOpenFolder(t *testing.T) {
	split := map[string]string{"train/b/2.png": "png", "train/b/1.jpg": "broken", "train/a/x.PNG": "png", "train/a/noext": "png",
		"train/a/Thumbs.db": "no picture", "train/a/.hidden.png": "png", "train/.git/x.png": "png", "train/README": "text",
		"test/a/t.png": "png", "test/b/t.png": "png", "val/b/v.png": "png"}
	flat := map[string]string{"train/a.png": "png", "bus/a.png": "png"}
	val := map[string]string{"train/a/1.png": "png", "train/b/1.png": "png", "val/b/v.png": "png", "train.csv": "file,labels"}
	for _, c := range []struct {
		name  string
		files map[string]string
		split Split
		want  string
	}{
		{"train", split, Train, "a/noext a/x.PNG b/1.jpg b/2.png"},
		{"test", split, Test, "a/t.png b/t.png"},
		{"val serves as test", val, Test, "b/v.png"},
		{"class called train", flat, Train, "bus/a.png train/a.png"},
		{"flat serves as test", flat, Test, "bus/a.png train/a.png"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, err := OpenFolder(tree(t, c.files), c.split)
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(names(d), " "); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestOpenFolderRefuses(t *testing.T) {
	for _, c := range []struct {
		name  string
		files map[string]string
		dir   string
		split Split
		says  string
	}{
		{"missing", nil, "nowhere", Train, "no such folder"},
		{"file", map[string]string{"f": "x"}, "f", Train, "is a file"},
		{"empty", nil, "", Train, "no class folders"},
		{"one class", map[string]string{"a/1.png": "png"}, "", Train, `one class, "a"`},
		{"empty class", map[string]string{"a/1.png": "png", "b/": ""}, "", Train, "b has no images"},
		{"no pictures", map[string]string{"a/1.png": "png", "b/notes.txt": "x"}, "", Train, "b has no images"},
		{"no train", map[string]string{"test/a/1.png": "png", "test/b/1.png": "png"}, "", Train, "no train"},
		{"no test", map[string]string{"train/a/1.png": "png", "train/b/1.png": "png"}, "", Test, "neither test nor val"},
		{"table", map[string]string{"train.csv": "file,labels"}, "", Train, "no label in 0 lines"},
		{"split", map[string]string{"a/1.png": "png", "b/1.png": "png"}, "", "valid", `split "valid"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := filepath.Join(tree(t, c.files), c.dir)
			_, err := OpenFolder(dir, c.split)
			if !errors.Is(err, ErrDataset) {
				t.Fatalf("got %v, want ErrDataset", err)
			}
			if !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), "expected") {
				t.Errorf("%q should say %q and what was expected", err, c.says)
			}
			if c.split != "valid" && !strings.Contains(err.Error(), dir) {
				t.Errorf("%q does not name %s", err, dir)
			}
		})
	}
}

func TestDigest(t *testing.T) {
	files := func() map[string]string {
		return map[string]string{"a/1.png": "one", "a/2.png": "two", "b/1.png": "three"}
	}
	digest := func(files map[string]string) string {
		d, err := OpenFolder(tree(t, files), Train)
		if err != nil {
			t.Fatal(err)
		}
		sum, err := d.Digest()
		if err != nil {
			t.Fatal(err)
		}
		return sum
	}
	want := digest(files())
	if got := digest(files()); got != want || len(got) != 64 {
		t.Errorf("a copy in another place: %s, want %s", got, want)
	}
	seen := map[string]string{want: "the original"}
	for name, change := range map[string]func(map[string]string){
		"content":      func(f map[string]string) { f["a/1.png"] = "eno" },
		"file name":    func(f map[string]string) { f["a/3.png"] = f["a/2.png"]; delete(f, "a/2.png") },
		"class name":   func(f map[string]string) { f["c/1.png"] = f["b/1.png"]; delete(f, "b/1.png") },
		"another file": func(f map[string]string) { f["b/2.png"] = "" },
		"shifted byte": func(f map[string]string) { f["a/1.png"], f["a/2.png"] = "onet", "wo" },
	} {
		f := files()
		change(f)
		sum := digest(f)
		if other, ok := seen[sum]; ok {
			t.Errorf("%s: same digest as %s", name, other)
		}
		seen[sum] = name
	}
}

func TestDigestSurvivesMissingFile(t *testing.T) {
	dir := tree(t, map[string]string{"a/1.png": "png", "b/1.png": "png"})
	if err := os.Symlink("nowhere", filepath.Join(dir, "b", "gone.png")); err != nil {
		t.Skip(err)
	}
	d, err := OpenFolder(dir, Train)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"a/1.png", "b/1.png", "b/gone.png"}; !slices.Equal(names(d), want) {
		t.Fatalf("got %v, want %v", names(d), want)
	}
	if _, err := d.Digest(); err != nil {
		t.Error(err)
	}
}
