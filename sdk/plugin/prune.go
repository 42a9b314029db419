package plugin

import (
	"encoding/hex"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// DefaultCacheBytes bounds the compiled code in a cache folder: that of some 20 plug-ins written in Go.
const DefaultCacheBytes = 128 << 20

// unsealedAge is how long a folder without a sum is taken for one that another process is filling.
const unsealedAge = time.Hour

// touch notes that the folder's code was used.
func (c codeCache) touch() {
	now := time.Now()
	_ = os.Chtimes(filepath.Join(c.dir, sumFile), now, now) // at worst it is removed too early, and made again
}

// keptCode is a module's folder.
type keptCode struct {
	path  string
	bytes int64
	used  time.Time
}

// prune removes the folders of modules in dir, those used longest ago first, until what is left takes at most so many bytes. The
// one that is in use stays. What has another name than a module's digest is not ours and stays too.
func prune(dir string, inUse codeCache, limit int64) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	var all []keptCode
	total := int64(0)
	for _, e := range entries {
		if name, err := hex.DecodeString(e.Name()); err != nil || len(name) != len(programKey{}.digest) || !e.IsDir() {
			continue
		}
		k := keptCode{path: filepath.Join(dir, e.Name())}
		k.measure()
		total += k.bytes
		if k.path != inUse.dir {
			all = append(all, k)
		}
	}
	slices.SortFunc(all, func(a, b keptCode) int { return a.used.Compare(b.used) })
	for _, k := range all {
		if total <= limit {
			return
		}
		if os.RemoveAll(k.path) == nil {
			total -= k.bytes
		}
	}
}

// measure finds the folder's size and when it was last used: when its sum was last touched or, where it has none, an hour
// after its last change.
func (k *keptCode) measure() {
	sealed := false
	var changed time.Time
	_ = filepath.WalkDir(k.path, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil // gone meanwhile
		}
		info, err := d.Info()
		if err != nil {
			return nil
		}
		if !d.IsDir() {
			k.bytes += info.Size()
		}
		if filepath.Base(path) == sumFile {
			sealed, k.used = true, info.ModTime()
		}
		if info.ModTime().After(changed) {
			changed = info.ModTime()
		}
		return nil
	})
	if !sealed {
		k.used = changed.Add(unsealedAge)
	}
}
