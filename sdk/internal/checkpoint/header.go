package checkpoint

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"

	"github.com/edgeadapt/edgeadapt/sdk/internal/tensor"
)

// ErrCorrupt says that a file is damaged, cut short or does not say what it should.
var ErrCorrupt = errors.New("corrupt file")

const (
	prefixBytes    = 8        // the header's length, little endian
	maxHeaderBytes = 64 << 20 // a header is about 100 bytes a tensor; this is far above any model
	metadataKey    = "__metadata__"
)

// Info describes a tensor of a file.
type Info struct {
	DType DType
	Shape tensor.Shape

	begin, end int64 // byte range within the data that follows the header
}

// header is the parsed JSON of a file.
type header struct {
	infos    map[string]Info
	names    []string // by name
	metadata map[string]string
}

func corrupt(format string, args ...any) error {
	return fmt.Errorf(format+": %w", append(args, ErrCorrupt)...)
}

// parseHeader reads the JSON header of a file whose data part is dataBytes long. The grammar is fixed, so it is read
// token by token: encoding/json would accept repeated keys, and would build whatever nested value it finds.
func parseHeader(text []byte, dataBytes int64) (*header, error) {
	p := headerParser{json.NewDecoder(bytes.NewReader(text))}
	p.dec.UseNumber()
	h := &header{infos: map[string]Info{}, metadata: map[string]string{}}
	err := p.object(func(key string) (err error) {
		if key == metadataKey {
			return p.object(func(name string) error {
				h.metadata[name], err = p.text()
				return err
			})
		}
		h.infos[key], err = p.info()
		h.names = append(h.names, key)
		if err != nil {
			return fmt.Errorf("tensor %q: %w", key, err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if _, err := p.dec.Token(); err != io.EOF {
		return nil, corrupt("header has text after its end")
	}
	slices.Sort(h.names)
	return h, h.checkRanges(dataBytes)
}

// checkRanges makes sure that the tensors cover the data without gap or overlap.
func (h *header) checkRanges(dataBytes int64) error {
	order := slices.Clone(h.names)
	slices.SortStableFunc(order, func(a, b string) int {
		x, y := h.infos[a], h.infos[b]
		if x.begin != y.begin {
			return compare(x.begin, y.begin)
		}
		return compare(x.end, y.end) // empty tensors first
	})
	at := int64(0)
	for _, name := range order {
		if i := h.infos[name]; i.begin != at {
			return corrupt("tensor %q begins at byte %d of the data, expected %d: ranges overlap or leave a hole", name, i.begin, at)
		}
		at = h.infos[name].end
	}
	if at != dataBytes {
		return corrupt("tensors end at byte %d of the data, the file has %d", at, dataBytes)
	}
	return nil
}

func compare(a, b int64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// headerParser reads the few forms of value that a header may hold.
type headerParser struct{ dec *json.Decoder }

func (p headerParser) token() (json.Token, error) {
	t, err := p.dec.Token()
	if err != nil {
		return nil, corrupt("header is no JSON at byte %d (%v)", p.dec.InputOffset(), err)
	}
	return t, nil
}

func (p headerParser) delim(want json.Delim) error {
	t, err := p.token()
	if err == nil && t != want {
		err = corrupt("header has %v at byte %d, expected %q", t, p.dec.InputOffset(), want.String())
	}
	return err
}

func (p headerParser) text() (string, error) {
	t, err := p.token()
	s, ok := t.(string)
	if err == nil && !ok {
		err = corrupt("header has %v at byte %d, expected a string", t, p.dec.InputOffset())
	}
	return s, err
}

// object calls member for each key, to read the key's value.
func (p headerParser) object(member func(key string) error) error {
	if err := p.delim('{'); err != nil {
		return err
	}
	seen := map[string]bool{}
	for p.dec.More() {
		key, err := p.text()
		if err != nil {
			return err
		}
		if seen[key] {
			return corrupt("header names %q twice", key)
		}
		seen[key] = true
		if err := member(key); err != nil {
			return err
		}
	}
	return p.delim('}')
}

// integers reads an array of at most limit integers in 0..MaxInt.
func (p headerParser) integers(limit int) ([]int, error) {
	if err := p.delim('['); err != nil {
		return nil, err
	}
	list := []int{}
	for p.dec.More() {
		t, err := p.token()
		if err != nil {
			return nil, err
		}
		number, _ := t.(json.Number)
		v, err := strconv.ParseInt(number.String(), 10, strconv.IntSize)
		if err != nil || v < 0 {
			return nil, corrupt("header has %v at byte %d, expected an integer of at least 0", t, p.dec.InputOffset())
		}
		if len(list) == limit {
			return nil, corrupt("header has more than %d numbers at byte %d", limit, p.dec.InputOffset())
		}
		list = append(list, int(v))
	}
	return list, p.delim(']')
}

const maxRank = 8

func (p headerParser) info() (Info, error) {
	var i Info
	var offsets []int
	found := 0
	err := p.object(func(key string) (err error) {
		found++
		switch key {
		case "dtype":
			var s string
			s, err = p.text()
			i.DType = DType(s)
		case "shape":
			var s []int
			s, err = p.integers(maxRank)
			i.Shape = s
		case "data_offsets":
			offsets, err = p.integers(2)
		default:
			err = corrupt("unknown key %q", key)
		}
		return err
	})
	if err != nil {
		return i, err
	}
	if found != 3 || len(offsets) != 2 {
		return i, corrupt("needs dtype, shape and two data_offsets")
	}
	i.begin, i.end = int64(offsets[0]), int64(offsets[1])
	return i, i.check()
}

// check compares the byte range with dtype and shape.
func (i Info) check() error {
	c, ok := codecs[i.DType]
	if !ok {
		return corrupt("unknown dtype %q", i.DType)
	}
	want := c.size
	for _, d := range i.Shape {
		if d != 0 && want > math.MaxInt/d {
			return corrupt("shape %v overflows", i.Shape)
		}
		want *= d
	}
	if i.end < i.begin || i.end-i.begin != int64(want) {
		return corrupt("data_offsets [%d, %d], expected %d bytes for %s %v", i.begin, i.end, want, i.DType, i.Shape)
	}
	return nil
}
