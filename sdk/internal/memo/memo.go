// Package memo keeps what was found out about a machine, which could be found out again: files that are used where they are
// whole and about the same subject, and otherwise as if they were not there.
package memo

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"os"
	"path/filepath"

	"github.com/edgeadapt/edgeadapt/sdk/internal/disk"
	"github.com/pkg/errors"
)

// maxBytes bounds what is read: ours are of a few kilobytes.
const maxBytes = 4 << 20

// file is what a memo looks like on disk.
type file struct {
	About  json.RawMessage `json:"about"`
	SHA256 string          `json:"sha256"` // of about and finding, as they stand here
	Found  json.RawMessage `json:"found"`
}

func digest(about, found []byte) string {
	sum := sha256.Sum256(append(append([]byte{}, about...), found...))
	return hex.EncodeToString(sum[:])
}

// Load reads path into found, a pointer as json.Unmarshal takes it, and reports whether there was a whole memo about the same
// subject; found is undefined otherwise.
func Load(path string, about, found any) bool {
	info, err := os.Stat(path)
	if path == "" || err != nil || info.Size() > maxBytes {
		return false
	}
	text, err := os.ReadFile(path)
	var f file
	if err != nil || json.Unmarshal(text, &f) != nil {
		return false
	}
	want, err := json.Marshal(about)
	if err != nil || !bytes.Equal(compact(f.About), want) || digest(compact(f.About), compact(f.Found)) != f.SHA256 {
		return false
	}
	return json.Unmarshal(f.Found, found) == nil
}

func compact(text json.RawMessage) []byte {
	var b bytes.Buffer
	if json.Compact(&b, text) != nil {
		return nil
	}
	return b.Bytes()
}

// Save writes a memo to path, whose folder it makes; an empty path keeps nothing.
func Save(path string, about, found any) error {
	if path == "" {
		return nil
	}
	a, err := json.Marshal(about)
	if err != nil {
		return errors.Wrap(err, path)
	}
	f, err := json.Marshal(found)
	if err != nil {
		return errors.Wrap(err, path)
	}
	text, err := json.MarshalIndent(file{a, digest(a, f), f}, "", "  ")
	if err != nil {
		return errors.Wrap(err, path)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return errors.Wrap(err, path)
	}
	return disk.WriteFile(disk.OS, path, func(w io.Writer) error {
		_, err := w.Write(append(text, '\n'))
		return err
	})
}
