package tune

import (
	"encoding/binary"
	"math"
	"os"

	"github.com/pkg/errors"
)

// cache keeps one row of float32 per image: in memory up to a budget, in a temporary file beyond it.
// The tokens of 600 images of 65 tokens are 60 MB, those of 10,000 images of 257 tokens 4 GB.
type cache struct {
	width int
	rows  int
	mem   []float32
	file  *os.File
	bytes []byte // one row as the file holds it

	removed bool // the file has no name any more
}

// newCache makes room for up to rows rows.
func newCache(rows, width int, budget int64) (*cache, error) {
	c := &cache{width: width}
	if int64(rows)*int64(width)*4 <= budget {
		c.mem = make([]float32, 0, rows*width)
		return c, nil
	}
	f, err := os.CreateTemp("", "edgeadapt-tokens-*")
	if err != nil {
		return nil, errors.Wrap(err, "token cache")
	}
	c.file, c.bytes = f, make([]byte, 4*width)
	if os.Remove(f.Name()) == nil { // a process that is killed leaves nothing; not every system allows it this early
		c.removed = true
	}
	return c, nil
}

// add appends a row.
func (c *cache) add(row []float32) error {
	c.rows++
	if c.file == nil {
		c.mem = append(c.mem, row...)
		return nil
	}
	for i, v := range row {
		binary.LittleEndian.PutUint32(c.bytes[4*i:], math.Float32bits(v))
	}
	_, err := c.file.Write(c.bytes)
	return errors.Wrap(err, "token cache")
}

// read copies row i to dst.
func (c *cache) read(i int, dst []float32) error {
	if c.file == nil {
		copy(dst, c.mem[i*c.width:(i+1)*c.width])
		return nil
	}
	if _, err := c.file.ReadAt(c.bytes, int64(i)*int64(len(c.bytes))); err != nil {
		return errors.Wrap(err, "token cache")
	}
	for j := range dst {
		dst[j] = math.Float32frombits(binary.LittleEndian.Uint32(c.bytes[4*j:]))
	}
	return nil
}

// gather copies the rows of ids side by side to dst, which may be longer.
func (c *cache) gather(ids []int, dst []float32) error {
	for k, i := range ids {
		if err := c.read(i, dst[k*c.width:(k+1)*c.width]); err != nil {
			return err
		}
	}
	return nil
}

// Close removes the file.
func (c *cache) Close() error {
	if c == nil || c.file == nil {
		return nil
	}
	err := c.file.Close()
	if !c.removed {
		err = os.Remove(c.file.Name())
	}
	return errors.Wrap(err, "token cache")
}
