package memo_test

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/edgeadapt/edgeadapt/sdk/internal/memo"
)

type subject struct{ Device, Driver string }

// TestMemo: what was saved comes back, and nothing else does.
func TestMemo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "folder", "memo.json")
	about, found := subject{"gpu <1>", "2"}, map[string]float64{"a": 0.1, "b & c": 2}
	var got map[string]float64
	if memo.Load(path, about, &got) {
		t.Error("a memo that is not there")
	}
	if err := memo.Save(path, about, found); err != nil {
		t.Fatal(err)
	}
	if !memo.Load(path, about, &got) || len(got) != 2 || got["a"] != 0.1 || got["b & c"] != 2 {
		t.Fatalf("%v, expected %v", got, found)
	}
	if memo.Load(path, subject{"gpu <1>", "3"}, &got) {
		t.Error("a memo about another subject")
	}
	var other map[string]string
	if memo.Load(path, about, &other) {
		t.Error("a memo of another type")
	}
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string]string{
		"cut short": string(good[:len(good)/2]), "empty": "", "null": "null", "a list": "[]",
		"another finding": strings.Replace(string(good), "0.1", "0.2", 1), "no finding": `{"about":{"Device":"gpu <1>","Driver":"2"}}`,
		"too long": string(good) + strings.Repeat(" ", 5<<20),
	} {
		if err := os.WriteFile(path, []byte(bad), 0o644); err != nil {
			t.Fatal(err)
		}
		if memo.Load(path, about, &got) {
			t.Errorf("%s: loaded", name)
		}
	}
	if err := memo.Save("", about, found); err != nil || memo.Load("", about, &got) {
		t.Errorf("without a path: %v", err)
	}
}

// FuzzLoad: whatever a file holds, what is loaded is what can be saved again and loaded again.
func FuzzLoad(f *testing.F) {
	path := filepath.Join(f.TempDir(), "memo.json")
	about := subject{"gpu <1>", "2"}
	if err := memo.Save(path, about, map[string]float64{"a": 0.1, "b & c": 2}); err != nil {
		f.Fatal(err)
	}
	good, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(`{"about":{"Device":"gpu <1>","Driver":"2"},"sha256":"","found":{}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		path := filepath.Join(t.TempDir(), "memo.json")
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		var got, again map[string]float64
		if !memo.Load(path, about, &got) {
			return
		}
		if err := memo.Save(path, about, got); err != nil || !memo.Load(path, about, &again) || !maps.Equal(got, again) {
			t.Fatalf("%v, again %v, %v", got, again, err)
		}
	})
}
