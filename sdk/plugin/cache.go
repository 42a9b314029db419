package plugin

import (
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/tetratelabs/wazero"
)

// codeCache is the folder of one module's compiled code, kept between processes. The compiler checks only part of what it
// reads back, and runs it as machine code: so a sum over all files is kept beside them, and a folder that does not match
// it is emptied first. That tells damage, not malice: whoever may write the folder may run code as its owner.
type codeCache struct{ dir string }

const sumFile = "sha256"

// open gives a compilation cache over the folder, emptied where it is not as seal left it.
func (c codeCache) open() (wazero.CompilationCache, error) {
	if want, err := os.ReadFile(filepath.Join(c.dir, sumFile)); err != nil || string(want) != c.sum() {
		if err := os.RemoveAll(c.dir); err != nil {
			return nil, err
		}
	}
	return wazero.NewCompilationCacheWithDir(c.dir)
}

// seal writes the sum, unless it is there, and tells whether the code is new. Where it cannot, the next process compiles again.
func (c codeCache) seal() (fresh bool) {
	path, sum := filepath.Join(c.dir, sumFile), c.sum()
	if have, err := os.ReadFile(path); sum == "" || err == nil && string(have) == sum {
		return false
	}
	f, err := os.CreateTemp(c.dir, ".sum.*.tmp") // renamed: another process sees all of it or none
	if err != nil {
		return true
	}
	_, err = f.WriteString(sum)
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return true
}

// sum is the SHA-256 of the names and contents of the code in the folder, "" where it cannot be read or there is none.
func (c codeCache) sum() string {
	h, found := sha256.New(), false
	err := filepath.WalkDir(c.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() == sumFile || strings.HasSuffix(d.Name(), ".tmp") {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, content := sha256.Sum256([]byte(path[len(c.dir):])), sha256.Sum256(data)
		h.Write(name[:])
		h.Write(content[:])
		found = true
		return nil
	})
	if err != nil || !found {
		return ""
	}
	return hex.EncodeToString(h.Sum(nil))
}
