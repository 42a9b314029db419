package plugin

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"
)

// loadCached loads the module of testdata/abuse.wat with an engine of its own and asks it something.
func loadCached(t *testing.T, dir string) {
	t.Helper()
	e := newEngine(t, Limits{CacheDir: dir})
	p, err := e.Load(t.Context(), read(t, "abuse.wasm"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if out, err := p.Postprocess(t.Context(), classes(1)); err != nil || string(out) != calm {
		t.Fatalf("%s, %v", out, err)
	}
}

// entries are the files of compiled code below dir, with the time of their last change.
func entries(t *testing.T, dir string) map[string]time.Time {
	t.Helper()
	list := map[string]time.Time{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() == sumFile {
			return err
		}
		info, err := d.Info()
		list[path] = info.ModTime()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// keptCodeOf is the file of compiled code of a module that was loaded with a cache in dir. It skips where wazero interprets, and
// so has no code to keep: on processors but amd64 and arm64.
func keptCodeOf(t *testing.T, dir string) string {
	t.Helper()
	loadCached(t, dir)
	list := entries(t, dir)
	if runtime.GOARCH != "amd64" && runtime.GOARCH != "arm64" {
		t.Skipf("there is no compiler of WebAssembly for %s", runtime.GOARCH)
	}
	if len(list) != 1 {
		t.Fatalf("code that is kept: %v, expected one file", list)
	}
	return slices.Collect(maps.Keys(list))[0]
}

// TestCacheDir: code is written once and read by later engines; a damaged, cut or unsealed entry is made again.
func TestCacheDir(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "plugins")
	entry := keptCodeOf(t, dir)
	sound, err := os.ReadFile(entry)
	if err != nil {
		t.Fatal(err)
	}
	sum := filepath.Join(filepath.Dir(filepath.Dir(entry)), sumFile)
	long := time.Now().Add(-time.Hour).Truncate(time.Second)
	age := func() {
		t.Helper()
		if err := os.Chtimes(entry, long, long); err != nil {
			t.Fatal(err)
		}
	}
	age()
	loadCached(t, dir)
	if got := entries(t, dir)[entry]; !got.Equal(long) {
		t.Error("sound code was compiled again")
	}
	damage := map[string]func() error{
		"cut":         func() error { return os.Truncate(entry, int64(len(sound)/2)) },
		"empty":       func() error { return os.Truncate(entry, 0) },
		"no sum":      func() error { return os.Remove(sum) },
		"another sum": func() error { return os.WriteFile(sum, []byte("0"), 0o600) },
	}
	for _, at := range []int{0, 20, 40, len(sound) / 2, len(sound) - 1} { // header, offsets of functions, code, tables
		damage[fmt.Sprint("a bit of byte ", at)] = func() error {
			bad := append([]byte(nil), sound...)
			bad[at] ^= 0x40
			return os.WriteFile(entry, bad, 0o600)
		}
	}
	for name, harm := range damage {
		if err := harm(); err != nil {
			t.Fatal(err)
		}
		age()
		loadCached(t, dir)
		if got := entries(t, dir)[entry]; got.Equal(long) {
			t.Errorf("%s: damaged code was used", name)
		}
	}
}

// TestCacheDirUnusable: a cache that cannot be written costs time, not the plug-in.
func TestCacheDirUnusable(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	loadCached(t, file)
	locked := filepath.Join(t.TempDir(), "locked")
	if err := os.Mkdir(locked, 0o500); err != nil {
		t.Fatal(err)
	}
	loadCached(t, locked)
}

// BenchmarkLoadCached: a Go plug-in from module to ready, compiled anew and with its code in a folder.
func BenchmarkLoadCached(b *testing.B) {
	module, err := os.ReadFile(filepath.Join("..", "..", "examples", "plugins", "threshold.wasm"))
	if err != nil {
		b.Fatal(err)
	}
	for name, dir := range map[string]string{"anew": "", "cached": b.TempDir()} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				e := NewEngine(Limits{CacheDir: dir})
				p, err := e.Load(b.Context(), module, Options{})
				if err != nil {
					b.Fatal(err)
				}
				p.Close()
				e.Close()
			}
		})
	}
}
