// Package window is the geometry of Swin's shifted windows: which token of a grid stands at which place of which window,
// which tokens of a window may see one another, and which entry of the position table belongs to a pair. Source: Liu et
// al., Swin Transformer, 2021, and the programs that the weights come from.
package window

// Axis is one side of a grid, cut into windows. A side that is no multiple of the window is padded at its end.
type Axis struct {
	Tokens int // of the grid
	Window int // side in tokens, at most Tokens
	Shift  int // cyclic, towards the start; 0 for none, below Window
	Table  int // side of the window that the position table was made for, at least Window
}

// NewAxis cuts a side of tokens into windows of the given side. Where the side has only one window, that is the whole
// side, and nothing is shifted.
func NewAxis(tokens, window, table int, shifted bool) Axis {
	a := Axis{Tokens: tokens, Window: min(window, tokens), Table: table}
	if shifted && tokens > window {
		a.Shift = window / 2
	}
	return a
}

// Windows is the number of windows.
func (a Axis) Windows() int { return (a.Tokens + a.Window - 1) / a.Window }

// Padded is the side with its padding.
func (a Axis) Padded() int { return a.Windows() * a.Window }

// Token is what stands at a place of the padded and shifted side, -1 for padding. The order in which a program pads and
// shifts decides where the padding comes to stand.
func (a Axis) Token(place int, padFirst bool) int {
	if !padFirst {
		if place >= a.Tokens {
			return -1
		}
		return (place + a.Shift) % a.Tokens
	}
	if t := (place + a.Shift) % a.Padded(); t < a.Tokens {
		return t
	}
	return -1
}

// Region numbers the places that were neighbours before the shift: tokens of a window see only those of their region.
func (a Axis) Region(place int) int {
	switch {
	case a.Shift == 0 || place < a.Padded()-a.Window:
		return 0
	case place < a.Padded()-a.Shift:
		return 1
	}
	return 2
}

// Layout is a grid of tokens, row by row, under shifted windows.
type Layout struct {
	Rows, Columns Axis
	PadFirst      bool // before the shift, as Hugging Face's program does; timm's and the original pad after it
}

// Tokens is the number of tokens of the grid.
func (l Layout) Tokens() int { return l.Rows.Tokens * l.Columns.Tokens }

// Windows is the number of windows.
func (l Layout) Windows() int { return l.Rows.Windows() * l.Columns.Windows() }

// Size is the number of places in a window.
func (l Layout) Size() int { return l.Rows.Window * l.Columns.Window }

// Entries is the number of entries in the position table.
func (l Layout) Entries() int { return (2*l.Rows.Table - 1) * (2*l.Columns.Table - 1) }

// place is where place i of window w lies on each axis.
func (l Layout) place(w, i int) (row, column int) {
	across := l.Columns.Windows()
	return w/across*l.Rows.Window + i/l.Columns.Window, w%across*l.Columns.Window + i%l.Columns.Window
}

// Token is the number of the token at place i of window w, -1 for padding.
func (l Layout) Token(w, i int) int {
	y, x := l.place(w, i)
	row, column := l.Rows.Token(y, l.PadFirst), l.Columns.Token(x, l.PadFirst)
	if row < 0 || column < 0 {
		return -1
	}
	return row*l.Columns.Tokens + column
}

// Region numbers the places of window w that see one another.
func (l Layout) Region(w, i int) int {
	y, x := l.place(w, i)
	return 3*l.Rows.Region(y) + l.Columns.Region(x)
}

// Entry is the entry of the position table for the query at place i and the key at place j of a window.
func (l Layout) Entry(i, j int) int {
	w := l.Columns.Window
	dy, dx := i/w-j/w+l.Rows.Table-1, i%w-j%w+l.Columns.Table-1
	return dy*(2*l.Columns.Table-1) + dx
}

// Mask is added to the scores of places that do not see one another. It is the number that the models were trained with.
const Mask = -100

// Valid reports whether the sides are positive and fit one another.
func (l Layout) Valid() bool {
	for _, a := range []Axis{l.Rows, l.Columns} {
		if a.Tokens < 1 || a.Window < 1 || a.Window > a.Tokens || a.Shift < 0 || a.Shift >= a.Window || a.Table < a.Window {
			return false
		}
	}
	return true
}
