package data

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/pkg/errors"
)

// Digest is a SHA-256, in hex, over the path within the dataset, the size and the content of every item and, in a table, its labels, in order: equal
// for equal copies in different places. A file that cannot be opened counts with its name only, since Load skips it as
// well; one whose reading breaks off is an error. Files are streamed, one at a time.
func (d *Dataset) Digest() (string, error) {
	sum := sha256.New()
	for _, item := range d.Items {
		path, err := filepath.Rel(d.root, item.Path)
		if err != nil {
			return "", errors.Wrap(err, "digest")
		}
		size, content, err := hashFile(item.Path)
		if err != nil {
			return "", errors.Wrapf(err, "digest of %s", item.Path)
		}
		path = filepath.ToSlash(path)
		// Lengths come first, so that no two lists give the same bytes.
		fmt.Fprintf(sum, "%d %s %d %x\n", len(path), path, size, content)
		for _, l := range item.Labels { // a folder's class is in the path
			fmt.Fprintf(sum, "%d %s\n", len(d.Classes[l]), d.Classes[l])
		}
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// hashFile returns size -1 for what cannot be opened as a regular file.
func hashFile(path string) (size int64, content []byte, err error) {
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
		return -1, nil, nil
	}
	file, err := os.Open(path)
	if err != nil {
		return -1, nil, nil
	}
	defer file.Close()
	h := sha256.New()
	if size, err = io.Copy(h, file); err != nil {
		return 0, nil, err
	}
	return size, h.Sum(nil), nil
}
