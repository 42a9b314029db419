// Command make rebuilds the demo data beside it from the packages that ../../README.md names:
//
//	go run ./examples/data/internal/make -out examples/data -textile UNPACKED_WHEEL -fashion UNPACKED_DEB
//
// The choice of images is fixed: the first of each class, in the packages' own order.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	out := flag.String("out", "examples/data", "folder that receives textile/ and clothes/")
	textile := flag.String("textile", "", "folder with the unpacked wheel conformal-clip-data")
	fashion := flag.String("fashion", "", "folder with the unpacked Debian package dataset-fashion-mnist")
	flag.Parse()
	if err := run(*out, *textile, *fashion); err != nil {
		fmt.Fprintln(os.Stderr, "make:", err)
		os.Exit(1)
	}
}

func run(out, textile, fashion string) error {
	if textile == "" && fashion == "" {
		return fmt.Errorf("nothing to do: give -textile, -fashion or both")
	}
	if textile != "" {
		if err := makeTextile(filepath.Join(out, "textile"), textile); err != nil {
			return err
		}
	}
	if fashion != "" {
		return makeClothes(filepath.Join(out, "clothes"), fashion)
	}
	return nil
}

// clear removes the images of an earlier run; what else lies in dir, such as its LICENSE, stays.
func clear(dir string) error {
	for _, split := range []string{"train", "test"} {
		if err := os.RemoveAll(filepath.Join(dir, split)); err != nil {
			return err
		}
	}
	return nil
}

// write stores one image as DIR/SPLIT/CLASS/NAME.
func write(dir, split, class, name string, data []byte) error {
	folder := filepath.Join(dir, split, class)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, name), data, 0o644)
}
