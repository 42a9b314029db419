package data

import (
	"io/fs"
	"math/rand/v2"
	"path/filepath"

	pkgerrors "github.com/pkg/errors"
)

// Pictures lists the image files in a folder and all folders below it, by path; labels and hidden files play no part. It
// returns ErrDataset where there is none.
func Pictures(dir string) (items []Item, err error) {
	err = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case hidden(e.Name()) && path != dir:
			if e.IsDir() {
				return filepath.SkipDir
			}
		case !e.IsDir() && isPicture(path):
			items = append(items, Item{Path: path})
		}
		return nil
	})
	if err != nil {
		return nil, pkgerrors.Wrapf(ErrDataset, "%v", err)
	}
	if len(items) == 0 {
		return nil, datasetError("%s: no images in it or below, expected JPEG, PNG, WebP, GIF or BMP files", dir)
	}
	return items, nil
}

// Draw returns n of items, or all where there are fewer, chosen and ordered by a seed.
func Draw(items []Item, n int, seed uint64) []Item {
	drawn := make([]Item, 0, min(n, len(items)))
	for _, i := range rand.New(rand.NewPCG(seed, 0)).Perm(len(items))[:cap(drawn)] {
		drawn = append(drawn, items[i])
	}
	return drawn
}
