// Package library finds adapters: it lists a folder of adapter files, ranks them for a few words, matches the names of
// classes, and watches the folder for new versions.
//
// It reads what files say of themselves; it needs no device and no backbone.
package library

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/edgeadapt/edgeadapt/sdk/adapter"
	"github.com/pkg/errors"
)

// Extension is how the names of adapter files end.
const Extension = ".safetensors"

// Entry is one adapter file.
type Entry struct {
	Path   string // as the folder was named, joined with the file's name
	Config adapter.Config
	Ref    adapter.Ref // the backbone that it was made for
	Bytes  int64
	Signer string // public key as hex, empty where unsigned; the signature is not checked here
	Plugin bool
}

// Name is the task's name, or the file's where it has none.
func (e Entry) Name() string {
	if e.Config.Name != "" {
		return e.Config.Name
	}
	return strings.TrimSuffix(filepath.Base(e.Path), Extension)
}

// Refused is a file that is no usable adapter, and why.
type Refused struct {
	Path string
	Err  error
}

// Library is what a folder held when it was opened. Immutable; safe for concurrent use.
type Library struct {
	Entries []Entry // by path
	Refused []Refused
	index   index
}

// Open reads every adapter file in dir, not in the folders below it. A file that cannot be used is listed with its
// reason; only a folder that cannot be read is an error. Backbone files are left out.
func Open(dir string) (*Library, error) {
	paths, err := files(dir)
	if err != nil {
		return nil, err
	}
	l := &Library{}
	for _, path := range paths {
		e, err := read(path)
		switch {
		case errors.Is(err, adapter.ErrKind):
		case err != nil:
			l.Refused = append(l.Refused, Refused{path, err})
		default:
			l.Entries = append(l.Entries, e)
		}
	}
	l.index = newIndex(l.Entries)
	return l, nil
}

// files lists the adapter files of a folder, in the order of their names.
func files(dir string) ([]string, error) {
	list, err := os.ReadDir(dir)
	if err != nil {
		return nil, errors.Wrap(err, "adapter library")
	}
	var paths []string
	for _, f := range list {
		if isAdapter(f.Name()) && !f.IsDir() {
			paths = append(paths, filepath.Join(dir, f.Name()))
		}
	}
	slices.Sort(paths)
	return paths, nil
}

// isAdapter is whether a file of this name may be an adapter; names that begin with a dot are files in the making.
func isAdapter(name string) bool {
	return strings.HasSuffix(name, Extension) && !strings.HasPrefix(name, ".")
}

func read(path string) (Entry, error) {
	info, err := os.Stat(path)
	if err != nil {
		return Entry{}, errors.Wrap(err, "adapter library")
	}
	a, err := adapter.ReadFile(path)
	if err != nil {
		return Entry{}, err
	}
	e := Entry{Path: path, Config: a.Config(), Ref: a.Backbone(), Bytes: info.Size(), Plugin: a.Plugin() != nil}
	if s := a.Signature(); s != nil {
		e.Signer = s.Signer()
	}
	return e, nil
}
