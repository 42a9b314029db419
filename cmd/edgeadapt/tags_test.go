package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// tagged makes a multi-label data set of stripes across, down, and blank pictures that show neither.
func tagged(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for split, n := range map[string]int{"train": 8, "test": 4} {
		stripes(t, filepath.Join(dir, split), n, "across", "down")
		table := "file,labels\n"
		for _, class := range []string{"across", "down"} {
			for _, name := range files(t, filepath.Join(dir, split, class)) {
				label := class
				if strings.HasPrefix(name, "00") {
					label = "" // counts as one that shows nothing
				}
				table += class + "/" + name + "," + label + "\n"
			}
		}
		// Folders of classes beside a table are not what this is about: one folder of images.
		if err := os.Rename(filepath.Join(dir, split), filepath.Join(dir, "pictures."+split)); err != nil {
			t.Fatal(err)
		}
		table = strings.ReplaceAll(strings.ReplaceAll(table, "across/", "pictures."+split+"/across/"), "down/", "pictures."+split+"/down/")
		write(t, filepath.Join(dir, split+".csv"), []byte(table))
	}
	return dir
}

// TestTags goes from a table to predictions and scores.
func TestTags(t *testing.T) {
	backbone, data := tinyBackbone(t, "q8c"), tagged(t)
	task := filepath.Join(t.TempDir(), "task.safetensors")
	o := must(t, tinyTune(backbone, data, task)...)
	if !strings.Contains(o.stdout, "mAP") {
		t.Errorf("tune prints no mAP: %s", o.stdout)
	}
	at := []string{"--backbone", backbone, "--adapter", task, "--device", "cpu"}
	m := must(t, append([]string{"eval", data, "--json"}, at...)...).object(t, "map", "micro_ap", "f1", "per_label")
	if m["images"] != 8.0 || m["split"] != "test" || m["top1"] != nil {
		t.Errorf("eval: %v", m)
	}
	for split, want := range map[string]string{"test": "8 (test)", "all": "24 (all)", "val": " (val)"} {
		if o := must(t, append([]string{"eval", data, "--split", split}, at...)...); !strings.Contains(o.stdout, want) || !strings.Contains(o.stdout, "THRESHOLD") {
			t.Errorf("eval of %s: %s", split, o.stdout)
		}
	}
	o = must(t, append([]string{"predict", filepath.Join(data, "pictures.test/down/01.png")}, at...)...)
	if !strings.Contains(o.stdout, "PRESENT") || !strings.Contains(o.stdout, "yes") && !strings.Contains(o.stdout, "no") {
		t.Errorf("predict: %s", o.stdout)
	}
	if o := must(t, append([]string{"predict", filepath.Join(data, "pictures.test/down/01.png"), "--json"}, at...)...); !strings.Contains(o.stdout, `"present": `) {
		t.Errorf("predict --json: %s", o.stdout)
	}
	// The other kind of data is refused, with what is expected.
	folders := stripes(t, t.TempDir(), 2, "across", "down")
	if o := edgeadapt(append([]string{"eval", folders}, at...)...); o.code != 3 || !strings.Contains(o.stderr, "expected a table of labels") {
		t.Errorf("class folders for a multi-label adapter: exit %d, %s", o.code, o.stderr)
	}
}
