package quant

import (
	"encoding/binary"
	"math"
)

// Panels of frozen weights for GPUs. A matrix W [N, K] is laid out as [N/64][K/L][64 slots] of 128 bits: 16 int8, 8
// half or 4 float32 numbers of one row of W, L being that count, N padded to 64 and K to L with zeros. Slot s of a panel
// holds row 4 (s mod 16) + s/16: a thread that reads slots t, t+16, t+32 and t+48 owns the four adjacent rows 4t to
// 4t+3, and sixteen such threads read whole kibibytes. Behind the panels stand the row scales as float32, N padded to 64
// with ones. Everything is little-endian.
const (
	panelRows = 64
	wordBytes = 16
)

// perWord is the number of elements in 128 bits.
func (m Matrix) perWord() int {
	switch m.Scheme {
	case Q8C:
		return 16
	case F16:
		return 8
	}
	return 4
}

// panelSlot is where the word of (row, col) stands, counted in words; group is col / perWord.
func (m Matrix) panelSlot(row, group int) int {
	groups := (m.Cols + m.perWord() - 1) / m.perWord()
	in := row % panelRows
	return (row/panelRows*groups+group)*panelRows + in%4*16 + in/4
}

// PanelBytes is the size of the panels and scales of m.
func (m Matrix) PanelBytes() int {
	rows := (m.Rows + panelRows - 1) / panelRows * panelRows
	groups := (m.Cols + m.perWord() - 1) / m.perWord()
	return rows*groups*wordBytes + 4*rows
}

// Panels lays m out in panels.
func (m Matrix) Panels() []byte {
	out := make([]byte, m.PanelBytes())
	per := m.perWord()
	for r := range m.Rows {
		for c := 0; c < m.Cols; c += per {
			word := out[m.panelSlot(r, c/per)*wordBytes:][:wordBytes]
			from, to := r*m.Cols+c, r*m.Cols+min(c+per, m.Cols)
			switch m.Scheme {
			case Q8C:
				for i, v := range m.Int8[from:to] {
					word[i] = byte(v)
				}
			case F16:
				for i, v := range m.Half[from:to] {
					binary.LittleEndian.PutUint16(word[2*i:], v)
				}
			default:
				for i, v := range m.Float[from:to] {
					binary.LittleEndian.PutUint32(word[4*i:], math.Float32bits(v))
				}
			}
		}
	}
	padded := (m.Rows + panelRows - 1) / panelRows * panelRows
	scales := out[len(out)-4*padded:]
	for r := range padded {
		s := float32(1)
		if m.Scale != nil && r < m.Rows {
			s = m.Scale[r]
		}
		binary.LittleEndian.PutUint32(scales[4*r:], math.Float32bits(s))
	}
	return out
}
