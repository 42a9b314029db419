package plugin

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestPrune: the code used longest ago goes first, what is in use or not ours never.
func TestPrune(t *testing.T) {
	now := time.Now()
	for _, c := range []struct {
		name  string
		limit int64
		inUse string
		want  string // those that stay, of a (3 hours ago), b (2), c (1), and u, unsealed, changed 90 minutes ago
	}{
		{"room for all", 1000, "c", "abcu"},
		{"room for three", 350, "c", "bcu"},
		{"room for two", 250, "c", "cu"},
		{"the oldest is in use", 250, "a", "au"},
		{"room for none", 0, "b", "b"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			folder := func(letter string) string { return filepath.Join(dir, strings.Repeat(letter, 64)) }
			digit := map[string]string{"a": "a", "b": "b", "c": "c", "u": "0"}
			for letter, age := range map[string]time.Duration{"a": 3 * time.Hour, "b": 2 * time.Hour, "c": time.Hour, "u": 90 * time.Minute} {
				path := folder(digit[letter])
				code := filepath.Join(path, "wazero", "code")
				if err := os.MkdirAll(filepath.Dir(code), 0o700); err != nil {
					t.Fatal(err)
				}
				files := []string{code}
				if err := os.WriteFile(code, make([]byte, 100), 0o600); err != nil {
					t.Fatal(err)
				}
				if letter != "u" {
					files = append(files, filepath.Join(path, sumFile))
					if err := os.WriteFile(files[1], nil, 0o600); err != nil {
						t.Fatal(err)
					}
				}
				for _, f := range append(files, filepath.Dir(code), path) {
					if err := os.Chtimes(f, now.Add(-age), now.Add(-age)); err != nil {
						t.Fatal(err)
					}
				}
			}
			stranger := filepath.Join(dir, "notes")
			if err := os.WriteFile(stranger, make([]byte, 500), 0o600); err != nil {
				t.Fatal(err)
			}
			prune(dir, codeCache{folder(digit[c.inUse])}, c.limit)
			left := ""
			for _, letter := range []string{"a", "b", "c", "u"} {
				if _, err := os.Stat(folder(digit[letter])); err == nil {
					left += letter
				}
			}
			if left != c.want {
				t.Errorf("left are %q, expected %q", left, c.want)
			}
			if _, err := os.Stat(stranger); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestCacheBound: an engine whose cache has no room keeps the code in use and removes the rest.
func TestCacheBound(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "plugins")
	keptCodeOf(t, dir)
	first, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	e := newEngine(t, Limits{CacheDir: dir, CacheBytes: 1})
	p, err := e.Load(t.Context(), slices.Concat(read(t, "abuse.wasm"), []byte{0, 2, 1, 'x'}), Options{}) // a custom section more
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 || left[0].Name() == first[0].Name() {
		t.Errorf("left is %v, %v; the first was %v", left, err, first)
	}
}
