package backend_test

import "github.com/edgeadapt/edgeadapt/sdk/internal/backend"

// buffer is a Buffer by its length alone.
type buffer int

func (b buffer) Len() int                 { return int(b) }
func (buffer) Type() backend.DType        { return backend.F32 }
func (buffer) Write(int, []float32) error { return nil }
func (buffer) Read(int, []float32) error  { return nil }
func (buffer) Close() error               { return nil }

// weight is a Weight by its extents alone.
type weight struct{ rows, cols int }

func (w weight) Rows() int  { return w.rows }
func (w weight) Cols() int  { return w.cols }
func (weight) Close() error { return nil }

func frozen(n, k int) backend.Frozen {
	return backend.Frozen{W: weight{n, k}, Bias: buffer(n)}
}
