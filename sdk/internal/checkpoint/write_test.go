package checkpoint

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/edgeadapt/edgeadapt/sdk/internal/disk/disktest"
	"github.com/edgeadapt/edgeadapt/sdk/internal/tensor"
)

// only makes sure that the folder holds exactly this one file, with this text.
func only(t *testing.T, path, text string) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil || string(got) != text {
		t.Errorf("%s holds %q (%v), expected %q", path, got, err, text)
	}
	if list, _ := os.ReadDir(filepath.Dir(path)); len(list) != 1 {
		t.Errorf("the folder holds %v, expected one file", list)
	}
}

func TestFullDiskKeepsOldFile(t *testing.T) {
	metadata, entries := sample()
	var whole bytes.Buffer
	if err := Write(&whole, metadata, entries); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "a.safetensors")
	if err := os.WriteFile(path, []byte("old"), 0o640); err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{0, 1, whole.Len() / 2, whole.Len() - 1} {
		err := WriteFileTo(&disktest.Failing{Op: "space", Room: n}, path, metadata, entries)
		if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), path) {
			t.Errorf("after %d bytes: got %v, expected ENOSPC with the path", n, err)
		}
		only(t, path, "old")
	}
	if err := WriteFileTo(&disktest.Failing{Op: "space", Room: whole.Len()}, path, metadata, entries); err != nil {
		t.Fatal(err)
	}
	only(t, path, whole.String())
	if info, _ := os.Stat(path); info.Mode().Perm() != 0o640 {
		t.Errorf("mode %v, expected that of the old file", info.Mode())
	}
}

func TestWriteFile(t *testing.T) {
	metadata, entries := sample()
	var whole bytes.Buffer
	if err := Write(&whole, metadata, entries); err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	path := filepath.Join(folder, "a.safetensors")
	for range 2 { // new, then replaced
		if err := WriteFile(path, metadata, entries); err != nil {
			t.Fatal(err)
		}
		only(t, path, whole.String())
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(path, link); err != nil {
		t.Skip(err)
	}
	if err := WriteFile(link, nil, nil); err != nil {
		t.Fatal(err)
	}
	if info, _ := os.Lstat(link); info.Mode()&os.ModeSymlink == 0 {
		t.Error("the link was replaced instead of its target")
	}
}

func TestWriteFileRefuses(t *testing.T) {
	if err := WriteFile(t.TempDir(), nil, nil); err == nil {
		t.Error("wrote over a folder")
	}
	if err := WriteFile(filepath.Join(t.TempDir(), "no", "a"), nil, nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing folder: %v", err)
	}
	if _, err := os.Stat("/dev/full"); err == nil {
		_, entries := sample()
		if err := WriteFile("/dev/full", nil, entries); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("/dev/full: %v", err)
		}
	}
	for name, entries := range map[string][]Entry{
		"name twice":   {Float32Entry("a", tensor.New(1)), Float32Entry("a", tensor.New(1))},
		"reserved":     {Float32Entry(metadataKey, tensor.New(1))},
		"wrong length": {{"a", F32, tensor.Shape{2}, make([]byte, 4)}},
		"no dtype":     {{"a", "F33", tensor.Shape{1}, make([]byte, 4)}},
	} {
		if err := Write(io.Discard, nil, entries); err == nil {
			t.Errorf("%s: written", name)
		}
	}
}
