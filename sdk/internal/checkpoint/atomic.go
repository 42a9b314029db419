package checkpoint

import (
	"io"

	"github.com/edgeadapt/edgeadapt/sdk/internal/disk"
)

// WriteFile writes a safetensors file so that a reader, or a power cut, sees the old file or the new one and never
// half of either. On any error the old file stays and nothing is left behind; see disk.WriteFile.
func WriteFile(path string, metadata map[string]string, entries []Entry) error {
	return WriteFileTo(disk.OS, path, metadata, entries)
}

// WriteFileTo is WriteFile on a file system of the caller's.
func WriteFileTo(fsys disk.FS, path string, metadata map[string]string, entries []Entry) error {
	return disk.WriteFile(fsys, path, func(w io.Writer) error { return Write(w, metadata, entries) })
}
