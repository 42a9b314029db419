package window

import "testing"

// grid is a matrix of token numbers, -1 for padding.
type grid [][]int

func newGrid(rows, columns int) grid {
	g := make(grid, rows)
	for y := range g {
		g[y] = make([]int, columns)
		for x := range g[y] {
			g[y][x] = y*columns + x
		}
	}
	return g
}

// pad appends rows and columns of padding up to whole windows.
func (g grid) pad(rows, columns int) grid {
	var p grid
	for y := range rows {
		row := make([]int, columns)
		for x := range row {
			if row[x] = -1; y < len(g) && x < len(g[0]) {
				row[x] = g[y][x]
			}
		}
		p = append(p, row)
	}
	return p
}

// roll moves everything dy rows up and dx columns left, cyclically.
func (g grid) roll(dy, dx int) grid {
	r := newGrid(len(g), len(g[0]))
	for y := range g {
		for x := range g[y] {
			r[y][x] = g[(y+dy)%len(g)][(x+dx)%len(g[0])]
		}
	}
	return r
}

// bands numbers the rows or columns of a shifted side as the original program does when it makes its mask.
func bands(n, window, shift int) []int {
	b := make([]int, n)
	for i := range b {
		if shift > 0 && i >= n-window {
			b[i]++
		}
		if shift > 0 && i >= n-shift {
			b[i]++
		}
	}
	return b
}

var layouts = []struct {
	name                  string
	rows, columns, window int
	shifted               bool
}{
	{"whole windows", 8, 8, 4, false},
	{"shifted", 8, 12, 4, true},
	{"odd window", 14, 14, 7, true},
	{"padded", 9, 10, 4, false},
	{"padded and shifted", 9, 11, 4, true},
	{"one more than the window", 5, 8, 4, true},
	{"one axis within the window", 3, 9, 4, true},
	{"one token", 1, 1, 7, true},
}

// TestAgainstArrays moves a grid of numbers as the programs move tensors, and cuts it into windows.
func TestAgainstArrays(t *testing.T) {
	for _, c := range layouts {
		for _, padFirst := range []bool{false, true} {
			l := Layout{NewAxis(c.rows, c.window, c.window, c.shifted), NewAxis(c.columns, c.window, c.window, c.shifted), padFirst}
			if !l.Valid() {
				t.Fatalf("%s: %+v is not valid", c.name, l)
			}
			h, w := l.Rows.Padded(), l.Columns.Padded()
			g := newGrid(c.rows, c.columns)
			if padFirst {
				g = g.pad(h, w).roll(l.Rows.Shift, l.Columns.Shift)
			} else {
				g = g.roll(l.Rows.Shift, l.Columns.Shift).pad(h, w)
			}
			rows, columns := bands(h, l.Rows.Window, l.Rows.Shift), bands(w, l.Columns.Window, l.Columns.Shift)
			seen := map[int]int{}
			for y := range h {
				for x := range w {
					win := y/l.Rows.Window*l.Columns.Windows() + x/l.Columns.Window
					place := y%l.Rows.Window*l.Columns.Window + x%l.Columns.Window
					if got := l.Token(win, place); got != g[y][x] {
						t.Fatalf("%s, pad first %t: token %d at place %d of window %d, expected %d", c.name, padFirst, got, place, win, g[y][x])
					}
					if got, want := l.Region(win, place), 3*rows[y]+columns[x]; got != want {
						t.Fatalf("%s: region %d at (%d, %d), expected %d", c.name, got, y, x, want)
					}
					seen[g[y][x]]++
				}
			}
			for token := range l.Tokens() {
				if seen[token] != 1 {
					t.Errorf("%s: token %d stands at %d places", c.name, token, seen[token])
				}
			}
		}
	}
}

// TestEntry compares with the index that the original program keeps in its files, and with the part of a larger table
// that a smaller window uses.
func TestEntry(t *testing.T) {
	l := Layout{Rows: Axis{Tokens: 3, Window: 3, Table: 3}, Columns: Axis{Tokens: 2, Window: 2, Table: 2}}
	for i := range l.Size() {
		for j := range l.Size() {
			dy, dx := i/2-j/2+2, i%2-j%2+1
			if got, want := l.Entry(i, j), dy*3+dx; got != want || want >= l.Entries() {
				t.Errorf("entry %d for (%d, %d), expected %d of %d", got, i, j, want, l.Entries())
			}
		}
	}
	small := Layout{Rows: Axis{Tokens: 2, Window: 2, Table: 7}, Columns: Axis{Tokens: 2, Window: 2, Table: 7}}
	if got, want := small.Entry(0, 3), 5*13+5; got != want { // one up, one left of the centre (6, 6)
		t.Errorf("entry %d, expected %d", got, want)
	}
}

func TestValid(t *testing.T) {
	good := Axis{Tokens: 8, Window: 4, Shift: 2, Table: 4}
	for _, bad := range []Axis{{0, 1, 0, 1}, {8, 0, 0, 4}, {3, 4, 0, 4}, {8, 4, 4, 4}, {8, 4, -1, 4}, {8, 4, 2, 3}} {
		if (Layout{Rows: good, Columns: bad}).Valid() || (Layout{Rows: bad, Columns: good}).Valid() {
			t.Errorf("%+v is valid", bad)
		}
	}
	if !(Layout{Rows: good, Columns: good}).Valid() {
		t.Errorf("%+v is not valid", good)
	}
}
