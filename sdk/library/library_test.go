package library

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/edgeadapt/edgeadapt/sdk/adapter"
)

var ref = adapter.Ref{Name: "tiny", Fingerprint: strings.Repeat("ab", 32), Dim: 8, Depth: 2}

// write makes an adapter file that describes itself.
func write(t testing.TB, dir, file, name, description string, tags []string, labels ...string) string {
	t.Helper()
	if len(labels) == 0 {
		labels = []string{"yes", "no"}
	}
	a, err := adapter.New(adapter.Config{Name: name, Description: description, Tags: tags, Method: adapter.Linear, Pool: adapter.PoolCLS,
		Task: adapter.SingleLabel, Labels: labels, Size: 28, Fit: adapter.Squash, Interpolation: "bicubic", Std: [3]float32{1, 1, 1}}, ref, 1)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, file+Extension)
	if err := a.WriteFile(path); err != nil {
		t.Fatal(err)
	}
	return path
}

// shelf is a folder of a few adapters and files that are none.
func shelf(t testing.TB) string {
	dir := t.TempDir()
	write(t, dir, "fruit", "fruit sorter", "Tells ripe from unripe apples on the belt.", nil, "ripe", "unripe", "rotten")
	write(t, dir, "textile", "textile", "Finds faults in woven cloth.", []string{"inspection"}, "good", "hole", "stain")
	write(t, dir, "birds", "", "Garden birds at the feeder.", []string{"wildlife"}, "robin", "sparrow")
	write(t, dir, "cats", "pets", "Which pet sits on the chair?", nil, "cat", "dog")
	for name, text := range map[string]string{"broken.safetensors": "no header", ".half.safetensors": "", "notes.txt": "ripe fruits"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestSearch(t *testing.T) {
	l, err := Open(shelf(t))
	if err != nil {
		t.Fatal(err)
	}
	if len(l.Entries) != 4 || len(l.Refused) != 1 || filepath.Base(l.Refused[0].Path) != "broken.safetensors" || l.Refused[0].Err == nil {
		t.Fatalf("%d entries, refused %v", len(l.Entries), l.Refused)
	}
	for query, want := range map[string][]string{
		"sorting ripe fruits":  {"fruit"},
		"RIPENESS, sorted!":    {"fruit"},
		"inspect cloth":        {"textile"},
		"bird":                 {"birds"}, // its description; the file's name stands for the missing name
		"faults on the chair":  {"birds", "cats", "fruit", "textile"},
		"submarine":            nil,
		"":                     nil,
		"the the the the":      {"birds", "cats", "fruit"},
		strings.Repeat("ü", 9): nil,
	} {
		var got []string
		for _, h := range l.Search(query, 0) {
			got = append(got, strings.TrimSuffix(filepath.Base(h.Path), Extension))
			if !(h.Score > 0) {
				t.Errorf("%q: score %v", query, h.Score)
			}
		}
		if len(want) > 1 { // which come is certain, in which order depends on lengths
			slices.Sort(got)
			want = slices.Sorted(slices.Values(want))
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q found %v, expected %v", query, got, want)
		}
	}
	if got := l.Search("the", 2); len(got) != 2 {
		t.Errorf("%d hits, expected 2", len(got))
	}
}

// TestScore computes one BM25 by hand, the rarity being log(1 + 1.5/1.5): two entries of one word each in the name, weight 3, and equal lengths.
func TestScore(t *testing.T) {
	x := newIndex([]Entry{{Config: adapter.Config{Name: "apple"}}, {Config: adapter.Config{Name: "pear"}}})
	want := math.Log(2) * 3 * 2.2 / (3 + 1.2)
	if got := x.score(0, []string{"appl"}); math.Abs(got-want) > 1e-12 {
		t.Errorf("got %v, expected %v", got, want)
	}
	if got := x.score(1, []string{"appl"}); got != 0 {
		t.Errorf("another entry scores %v", got)
	}
}

// TestRepeatable: equal scores come in the order of the paths.
func TestRepeatable(t *testing.T) {
	dir := t.TempDir()
	for _, f := range []string{"c", "a", "b"} {
		write(t, dir, f, "same words", "", nil)
	}
	l, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		var got string
		for _, h := range l.Search("words", 0) {
			got += strings.TrimSuffix(filepath.Base(h.Path), Extension)
		}
		if got != "abc" {
			t.Fatalf("order %s", got)
		}
	}
}

func TestMatchLabels(t *testing.T) {
	labels := []string{"cat", "dog", "t-shirt", "running", "run"}
	got, err := MatchLabels([]string{"cats", "dog", "T-Shirts", "running"}, labels)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []int{0, 1, 2, 3} {
		if got[i].Index != want || got[i].Label != labels[want] {
			t.Errorf("%q stands for %q, expected %q", got[i].Name, got[i].Label, labels[want])
		}
	}
	for name, names := range map[string][]string{
		"none":      {"bird"},
		"ambiguous": {"runs"},
		"twice":     {"cat", "cats"},
		"no word":   {"--"},
	} {
		if _, err := MatchLabels(names, labels); !errors.Is(err, ErrMatch) {
			t.Errorf("%s: got %v, expected ErrMatch", name, err)
		}
	}
}

func FuzzStems(f *testing.F) {
	f.Add("sorting ripe fruits")
	f.Add("\xff\xfe ﬁne İ")
	f.Fuzz(func(t *testing.T, text string) {
		for _, s := range Stems(text) {
			if s == "" {
				t.Fatal("an empty stem")
			}
		}
	})
}

// watched is a Watcher over the names of adapters, with what it released.
type watched struct {
	*Watcher[string]
	mu       sync.Mutex
	released []string
	loads    map[string]int // by file
}

func watch(t *testing.T, dir string) *watched {
	t.Helper()
	w := &watched{loads: map[string]int{}}
	var err error
	w.Watcher, err = Watch(context.Background(), dir, WatchConfig[string]{
		Load: func(_ context.Context, path string) (string, error) {
			w.mu.Lock()
			w.loads[filepath.Base(path)]++
			w.mu.Unlock()
			a, err := adapter.ReadFile(path)
			if err != nil {
				return "", err
			}
			return a.Config().Name, nil
		},
		Release: func(_, old string) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.released = append(w.released, old)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return w
}

// becomes waits until a name holds a value, empty for nothing.
func (w *watched) becomes(t *testing.T, name, want string) {
	t.Helper()
	for range 1000 {
		if got, ok := w.Get(name); got == want && ok == (want != "") {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	got, _ := w.Get(name)
	t.Fatalf("%s is %q, expected %q", name, got, want)
}

func TestWatch(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "a", "first", "", nil)
	w := watch(t, dir)
	w.becomes(t, "a", "first")
	write(t, dir, "a", "second version", "", nil)
	w.becomes(t, "a", "second version")
	write(t, dir, "b", "new", "", nil)
	w.becomes(t, "b", "new")
	// A bad version leaves the good one in place.
	if err := os.WriteFile(filepath.Join(dir, "a"+Extension), []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	write(t, dir, "c", "after", "", nil) // once this is there, the damaged file has been looked at
	w.becomes(t, "c", "after")
	w.becomes(t, "a", "second version")
	if err := os.Remove(filepath.Join(dir, "b"+Extension)); err != nil {
		t.Fatal(err)
	}
	w.becomes(t, "b", "")
	if got := w.Names(); !slices.Equal(got, []string{"a", "c"}) {
		t.Errorf("names %v", got)
	}
	for range 2 {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	}
	if want := []string{"first", "new", "second version", "after"}; !slices.Equal(w.released, want) {
		t.Errorf("released %q, expected %q", w.released, want)
	}
	if _, err := Watch(context.Background(), filepath.Join(dir, "none"), WatchConfig[string]{}); err == nil {
		t.Error("a folder that does not exist was watched")
	}
}

// TestWatchRefused: a bad file is read, and logged, once; then only when it has changed.
func TestWatchRefused(t *testing.T) {
	dir := t.TempDir()
	damage := func(text string) {
		if err := os.WriteFile(filepath.Join(dir, "bad"+Extension), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	damage("damaged")
	w := watch(t, dir)
	for _, name := range []string{"a", "b"} {
		write(t, dir, name, name, "", nil)
		w.becomes(t, name, name)
	}
	loads := func() int {
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.loads["bad"+Extension]
	}
	if n := loads(); n != 1 {
		t.Errorf("a file that does not change was loaded %d times", n)
	}
	damage("damaged in another way")
	for range 1000 {
		if loads() > 1 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	write(t, dir, "bad", "mended", "", nil)
	w.becomes(t, "bad", "mended")
}

// TestWatchBusyFolder: a file that is written without end does not hide what else comes.
func TestWatchBusyFolder(t *testing.T) {
	dir := t.TempDir()
	w := watch(t, dir)
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			case <-time.After(settle / 10):
				_ = os.WriteFile(filepath.Join(dir, "log"+Extension), []byte(time.Now().String()), 0o600)
			}
		}
	}()
	write(t, dir, "a", "there", "", nil)
	w.becomes(t, "a", "there")
	close(stop)
	<-done
}

// TestWatchLinks: files that are links, which all change when one link to their folder does.
func TestWatchLinks(t *testing.T) {
	dir := t.TempDir()
	for _, v := range []string{"one", "two"} {
		if err := os.Mkdir(filepath.Join(dir, v), 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, v), "a", "version "+v, "", nil)
	}
	point := func(to string) {
		t.Helper()
		fresh := filepath.Join(dir, "..fresh")
		if err := os.Symlink(to, fresh); err != nil {
			t.Skip(err)
		}
		if err := os.Rename(fresh, filepath.Join(dir, "..data")); err != nil {
			t.Fatal(err)
		}
	}
	point("one")
	if err := os.Symlink(filepath.Join("..data", "a"+Extension), filepath.Join(dir, "a"+Extension)); err != nil {
		t.Skip(err)
	}
	w := watch(t, dir)
	w.becomes(t, "a", "version one")
	point("two")
	w.becomes(t, "a", "version two")
}

// TestWatchReaders reads while versions come and go, for the race detector.
func TestWatchReaders(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "a", "v", "", nil)
	w := watch(t, dir)
	ctx, stop := context.WithCancel(context.Background())
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for ctx.Err() == nil {
				if v, ok := w.Get("a"); ok && !strings.HasPrefix(v, "v") {
					t.Errorf("a is %q", v)
					return
				}
				w.Names()
				time.Sleep(time.Millisecond)
			}
		})
	}
	for _, v := range []string{"v one", "v two, longer"} {
		write(t, dir, "a", v, "", nil)
		w.becomes(t, "a", v)
	}
	stop()
	readers.Wait()
}
