package data

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	pkgerrors "github.com/pkg/errors"
)

// Bounds of a table of labels: a million images of 60 bytes each are far below the first.
const (
	maxTable  = 256 << 20 // bytes
	maxLabels = 10000     // distinct
	maxLabel  = 256       // bytes of one
)

// labelSeparator stands between the labels of an image.
const labelSeparator = "|"

// tableRow is an image of a table with the names of what it shows, distinct and in order.
type tableRow struct {
	file   string // slash-separated, below the table's folder of images
	labels []string
}

// readTable reads a table of images with any number of labels each: CSV (RFC 4180) in UTF-8 with the header file,labels; the
// labels of an image are separated by "|", and may be none at all.
func readTable(r io.Reader) ([]tableRow, error) {
	in := bufio.NewReader(io.LimitReader(r, maxTable+1))
	if mark, _ := in.Peek(3); bytes.Equal(mark, []byte("\xef\xbb\xbf")) {
		_, _ = in.Discard(3) // the byte order mark of a spreadsheet
	}
	rows := csv.NewReader(in)
	rows.FieldsPerRecord = 2
	rows.ReuseRecord = true
	head, err := rows.Read()
	if err != nil && err != io.EOF {
		return nil, datasetError("header: %v, expected file,labels", err)
	}
	if err == io.EOF || strings.TrimSpace(head[0]) != "file" || strings.TrimSpace(head[1]) != "labels" {
		return nil, datasetError("header %.60q, expected file,labels", strings.Join(head, ","))
	}
	var list []tableRow
	seen, known := map[string]bool{}, map[string]string{}
	for {
		record, err := rows.Read()
		if rows.InputOffset() > maxTable {
			return nil, datasetError("more than %d bytes", maxTable)
		}
		if err == io.EOF {
			return list, nil
		}
		if err != nil {
			return nil, datasetError("%v", err)
		}
		line, _ := rows.FieldPos(0)
		row, err := newRow(record[0], record[1], known)
		if err == nil && seen[row.file] {
			err = datasetError("%q a second time", row.file)
		}
		if err != nil {
			return nil, pkgerrors.WithMessagef(err, "line %d", line)
		}
		seen[row.file] = true
		list = append(list, row)
	}
}

// newRow makes a row of its two fields. known holds one copy of each label's name.
func newRow(file, labels string, known map[string]string) (tableRow, error) {
	row := tableRow{file: strings.Clone(file)}
	if !fs.ValidPath(file) || file == "." || strings.Contains(file, "\\") {
		return row, datasetError("file %.100q, expected a path below the folder of images, such as a/b.jpg", file)
	}
	for name := range strings.SplitSeq(labels, labelSeparator) {
		name = strings.TrimSpace(name)
		switch {
		case name == "" && strings.TrimSpace(labels) == "":
			return row, nil // an image that shows nothing of all
		case name == "" || len(name) > maxLabel:
			return row, datasetError("labels %.100q, expected names of at most %d bytes with | between them", labels, maxLabel)
		case slices.Contains(row.labels, name):
			return row, datasetError("label %q twice", name)
		}
		if _, ok := known[name]; !ok {
			if len(known) == maxLabels {
				return row, datasetError("more than %d different labels", maxLabels)
			}
			name = strings.Clone(name)
			known[name] = name
		}
		row.labels = append(row.labels, known[name])
	}
	slices.Sort(row.labels)
	return row, nil
}

// table returns the name of the table of a split in dir, "" where there is none.
func table(dir string, split Split) string {
	names := []string{"train.csv"}
	if split == Test {
		names = []string{"test.csv", "val.csv"}
	}
	for _, name := range names {
		path := filepath.Join(dir, name)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			return path
		}
	}
	return ""
}

// OpenTable lists the images of a table: CSV with the header file,labels and a line an image, its labels separated by "|" or
// none, for tasks with any number of labels an image. Files are named relative to folder. Classes are the labels that occur,
// by name. A picture that is not there is reported by Load, as one that cannot be read. It returns ErrDataset, with the line,
// for a table that is not like this, and for one without a label.
func OpenTable(path, folder string) (*Dataset, error) {
	f, err := os.Open(path)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, datasetError("%s: no such table", path)
		}
		return nil, pkgerrors.Wrap(err, "dataset")
	}
	defer f.Close()
	rows, err := readTable(f)
	if err != nil {
		return nil, pkgerrors.WithMessage(err, path)
	}
	ds := &Dataset{MultiLabel: true, root: folder}
	for _, row := range rows {
		ds.Classes = append(ds.Classes, row.labels...)
	}
	slices.Sort(ds.Classes)
	ds.Classes = slices.Compact(ds.Classes)
	if len(ds.Classes) == 0 {
		return nil, datasetError("%s: no label in %d lines, expected file,labels with | between labels", path, len(rows))
	}
	for _, row := range rows {
		item := Item{Path: filepath.Join(folder, filepath.FromSlash(row.file)), Labels: []int{}}
		for _, name := range row.labels {
			label, _ := slices.BinarySearch(ds.Classes, name)
			item.Labels = append(item.Labels, label)
		}
		ds.Items = append(ds.Items, item)
	}
	return ds, nil
}

// openSplitTable opens the table of a split, whose images lie in the folder of its name, or beside it where there is none. It
// returns nil where there is no table.
func openSplitTable(dir string, split Split) (*Dataset, error) {
	path := table(dir, split)
	if path == "" {
		if other := table(dir, map[Split]Split{Train: Test, Test: Train}[split]); other != "" {
			return nil, datasetError("%s has %s but no table for %s, expected %s", dir, filepath.Base(other), split, fmt.Sprintf("%s.csv with the header file,labels", split))
		}
		return nil, nil
	}
	folder := strings.TrimSuffix(path, ".csv")
	if info, err := os.Stat(folder); err != nil || !info.IsDir() {
		folder = dir
	}
	return OpenTable(path, folder)
}
