package report

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/edgeadapt/edgeadapt/sdk"
)

const hostile = `<script>alert("x")</script>&'"`

// examined are n images of two classes, with every third taken for the other, and an evaluation of them.
func examined(t *testing.T, n int) (*sdk.Evaluation, []sdk.Examined) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "a<b>.png")
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 30, 20))); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	e := &sdk.Evaluation{Images: n, Labels: []string{hostile, "plain"}, Classification: &sdk.Classification{Top1: 2.0 / 3, Confusion: [][]int{{2, 1}, {1, 2}},
		PerClass: []sdk.ClassScore{{Label: hostile, Images: 3}, {Label: "plain", Images: 3}}}}
	var images []sdk.Examined
	for i := range n {
		x := sdk.Examined{Path: path, Truth: []int{i % 2}, Scores: []float32{0.1, 0.9}, Before: []float32{float32(i), 1}, After: []float32{float32(math.Sin(float64(i))), float32(i % 2)}}
		if i%2 == 0 != (i%3 == 0) {
			x.Scores = []float32{0.8, 0.2}
		}
		images = append(images, x)
	}
	return e, images
}

func TestPage(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "report")
	e, images := examined(t, 30)
	p := Page{Title: hostile, Examined: hostile, Settings: [][2]string{{"name", hostile}}, Run: run(4, true), Evaluation: e, Images: images}
	if err := p.Write(context.Background(), dir); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(dir, pageFile))
	if err != nil {
		t.Fatal(err)
	}
	text := string(page)
	if strings.Contains(text, "<script") || strings.Contains(text, "http://") || strings.Contains(text, "https://") || strings.Contains(text, "ZgotmplZ") {
		t.Error("the page holds a script, an address elsewhere or something that was taken out as dangerous")
	}
	for _, want := range []string{"&lt;script&gt;", "Worst mistakes", "data:image/jpeg;base64,", "Calibration", "t-SNE of 30 images", "Learning rate", "a&lt;b&gt;.png"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	var files []string
	entries, _ := os.ReadDir(dir)
	for _, f := range entries {
		files = append(files, f.Name())
	}
	want := []string{"calibration.svg", "confusion.svg", "curves.png", "curves.svg", "features-after.svg", "features-before.svg", "index.html", "rate.svg"}
	if !slices.Equal(files, want) {
		t.Errorf("files %q, want %q", files, want)
	}
	if svg, err := os.ReadFile(filepath.Join(dir, "confusion.svg")); err != nil || bytes.Contains(svg, []byte("<script")) {
		t.Errorf("confusion.svg holds a script (%v)", err)
	}
	if err := p.Write(context.Background(), dir); err != nil {
		t.Errorf("a second time: %v", err)
	}
	again, err := os.ReadFile(filepath.Join(dir, pageFile))
	if err != nil || !bytes.Equal(again, page) {
		t.Errorf("the same results give another page (%v)", err)
	}
}

// TestPageOfTags: a multi-label task, too few images for a map, and pictures that are gone.
func TestPageOfTags(t *testing.T) {
	e := &sdk.Evaluation{Images: 3, Labels: []string{"a", "b"}, Tagging: &sdk.Tagging{MAP: 0.5,
		PerLabel: []sdk.TagScore{{Label: "a", Threshold: 0.3}, {Label: "b", Threshold: 0.6}}}}
	images := []sdk.Examined{{Path: "gone.png", Truth: []int{}, Scores: []float32{0.2, 0.9}}, {Path: "right.png", Truth: []int{0}, Scores: []float32{0.4, 0.5}},
		{Path: "least.png", Truth: []int{0, 1}, Scores: []float32{0.4, 0.55}}}
	list := mistakes(e, images)
	if len(list) != 2 || list[0].Path != "gone.png" || list[0].Truth != "none" || list[0].Guess != "b" || list[0].Thumbnail != "" || list[1].Path != "least.png" {
		t.Errorf("mistakes %+v", list)
	}
	dir := t.TempDir()
	if err := (Page{Title: "tags", Evaluation: e, Images: images}).Write(context.Background(), dir); err != nil {
		t.Fatal(err)
	}
	if page, _ := os.ReadFile(filepath.Join(dir, pageFile)); !bytes.Contains(page, []byte("<th class=\"n\">threshold</th>")) || bytes.Contains(page, []byte("t-SNE")) {
		t.Errorf("%s", page)
	}
}

func TestMistakesAreSorted(t *testing.T) {
	e, images := examined(t, 7)
	images[1].Scores, images[3].Scores = []float32{0.6, 0.4}, []float32{0.99, 0.01} // both show class 1
	list := mistakes(e, images)
	if len(list) < 2 || list[0].Guess != hostile+" (99 %)" || list[0].Truth != "plain" {
		t.Errorf("%+v", list)
	}
}

func TestCheckFolder(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(dir, "site")
	if err := os.Mkdir(other, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := CheckFolder(other); err != nil {
		t.Errorf("an empty folder: %v", err)
	}
	if err := os.WriteFile(filepath.Join(other, pageFile), []byte("<html>"), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{"a file": file, "other files": dir, "another page": other, "no parent": filepath.Join(dir, "none", "report")} {
		if err := CheckFolder(path); !errors.Is(err, ErrFolder) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := CheckFolder(filepath.Join(dir, "new")); err != nil {
		t.Errorf("a new folder: %v", err)
	}
}

// TestGroups: more sets of labels than colours, and the most frequent first.
func TestGroups(t *testing.T) {
	var labels []string
	var images []sdk.Examined
	for i := range 40 {
		labels = append(labels, string(rune('a'+i%26))+string(rune('a'+i/26)))
		images = append(images, sdk.Examined{Truth: []int{i}})
	}
	images = append(images, sdk.Examined{Truth: []int{7}})
	groups := groupsOf(labels, images)
	n := 0
	for _, g := range groups {
		n += len(g.ids)
	}
	if len(groups) != len(palette) || n != len(images) || groups[0].name != labels[7] || groups[len(groups)-1].name != "others" {
		t.Errorf("%d groups of %d images: %+v", len(groups), n, groups)
	}
}
