package data

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	pkgerrors "github.com/pkg/errors"
)

// ErrDataset says that a folder of images is not usable: missing, empty, or not laid out as expected.
var ErrDataset = errors.New("unusable dataset")

// Split is a part of a dataset.
type Split string

// Train images make an adapter; Test images only score it.
const (
	Train Split = "train"
	Test  Split = "test"
)

// Item is one labelled image file. Label, or in a multi-label dataset each of Labels, is an index into the dataset's Classes.
type Item struct {
	Path   string
	Label  int
	Labels []int // ascending, possibly none
}

// Dataset is a list of labelled image files: classes by name, items by class and file name or, of a table, in its order.
// Nothing is decoded yet. Immutable once it is open, so free to share.
type Dataset struct {
	Classes    []string
	Items      []Item
	MultiLabel bool // an image has any number of labels
	root       string
}

const layouts = "expected DIR/train/CLASS/* with an optional DIR/test/CLASS/*, or DIR/CLASS/*, or a table DIR/train.csv (file,labels)"

func datasetError(format string, args ...any) error {
	return pkgerrors.Wrapf(ErrDataset, format, args...)
}

// OpenFolder lists the images of a split: those of DIR/train/CLASS/*, or DIR/test/CLASS/* (DIR/val where there is no
// test), or of DIR/CLASS/* if DIR holds neither; the last layout serves both splits. Where there are no class folders but
// tables DIR/train.csv and DIR/test.csv, it is OpenTable with the images in DIR/train and DIR/test, or in DIR where there is
// no such folder. Hidden files and files that are no pictures are left out. It returns ErrDataset if there is no such folder, if a class has no image, or if a training
// split has fewer than two classes.
func OpenFolder(dir string, split Split) (*Dataset, error) {
	info, err := os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, datasetError("%s: no such folder, %s", dir, layouts)
	}
	if err != nil {
		return nil, pkgerrors.Wrap(err, "dataset")
	}
	if !info.IsDir() {
		return nil, datasetError("%s is a file, %s", dir, layouts)
	}
	if !holdsFolders(filepath.Join(dir, "train")) && !holdsFolders(filepath.Join(dir, "test")) {
		if ds, err := openSplitTable(dir, split); ds != nil || err != nil {
			return ds, err
		}
	}
	root, err := splitFolder(dir, split)
	if err != nil {
		return nil, err
	}
	ds := &Dataset{root: root}
	if ds.Classes, err = subfolders(root); err != nil {
		return nil, err
	}
	if err := ds.checkClasses(dir, split); err != nil {
		return nil, err
	}
	for label, class := range ds.Classes {
		if err := ds.list(label, filepath.Join(root, class)); err != nil {
			return nil, err
		}
	}
	return ds, nil
}

// splitFolder finds the folder whose subfolders are the classes of a split.
func splitFolder(dir string, split Split) (string, error) {
	train, test := filepath.Join(dir, "train"), filepath.Join(dir, "test")
	if !holdsFolders(test) && holdsFolders(filepath.Join(dir, "val")) {
		test = filepath.Join(dir, "val")
	}
	hasTrain, hasTest := holdsFolders(train), holdsFolders(test)
	switch {
	case split != Train && split != Test:
		return "", datasetError("split %q, expected %s or %s", split, Train, Test)
	case !hasTrain && !hasTest:
		return dir, nil
	case split == Train && hasTrain:
		return train, nil
	case split == Test && hasTest:
		return test, nil
	case split == Train:
		return "", datasetError("%s has %s but no train with class folders in it, %s", dir, filepath.Base(test), layouts)
	}
	return "", datasetError("%s has train but neither test nor val with class folders in it, %s", dir, layouts)
}

// holdsFolders tells a split, which holds class folders, from a class that happens to be called train, test or val.
func holdsFolders(dir string) bool {
	names, err := subfolders(dir)
	return err == nil && len(names) > 0
}

// subfolders lists the names of folders, and of links to folders, in dir; hidden ones are left out.
func subfolders(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir) // sorted by name
	if err != nil {
		return nil, pkgerrors.Wrap(err, "dataset")
	}
	var names []string
	for _, e := range entries {
		if hidden(e.Name()) {
			continue
		}
		if info, err := os.Stat(filepath.Join(dir, e.Name())); err == nil && info.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

func hidden(name string) bool { return strings.HasPrefix(name, ".") }

func (d *Dataset) checkClasses(dir string, split Split) error {
	switch n := len(d.Classes); {
	case n == 0:
		return datasetError("%s has no class folders, %s", d.root, layouts)
	case n == 1 && split == Train:
		return datasetError("%s has one class, %q; at least 2 are needed, %s", d.root, d.Classes[0], layouts)
	}
	return nil
}

// list appends the images of one class.
func (d *Dataset) list(label int, folder string) error {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return pkgerrors.Wrap(err, "dataset")
	}
	before := len(d.Items)
	for _, e := range entries {
		path := filepath.Join(folder, e.Name())
		if !hidden(e.Name()) && isPicture(path) {
			d.Items = append(d.Items, Item{Path: path, Label: label})
		}
	}
	if len(d.Items) == before {
		return datasetError("class folder %s has no images, expected JPEG, PNG, WebP, GIF or BMP files", folder)
	}
	return nil
}

// extensions are taken on trust: a damaged picture is then reported by Load instead of vanishing from the list.
var extensions = []string{".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp"}

// isPicture goes by the extension, and by the first bytes of regular files with another one.
func isPicture(path string) bool {
	info, err := os.Stat(path)
	if err == nil && info.IsDir() {
		return false
	}
	if slices.Contains(extensions, strings.ToLower(filepath.Ext(path))) {
		return true
	}
	if err != nil || !info.Mode().IsRegular() {
		return false
	}
	file, err := os.Open(path)
	if err != nil {
		return false
	}
	defer file.Close()
	head := make([]byte, 16)
	n, _ := io.ReadFull(file, head)
	return sniff(head[:n]) != nil
}
