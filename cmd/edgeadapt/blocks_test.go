package main

import (
	"slices"
	"testing"
)

func TestParseBlocks(t *testing.T) {
	for text, want := range map[string][]int{
		"":          nil,
		"1":         {0},
		"7-12":      {6, 7, 8, 9, 10, 11},
		"1,3,5-8":   {0, 2, 4, 5, 6, 7},
		"8,1-2, 2 ": {0, 1, 7},
		"5-5":       {4},
	} {
		got, err := resolveBlocks(text, nil)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %v, %v, expected %v", text, got, err, want)
		}
	}
	for _, text := range []string{"0", "-1", "1-", "-", ",", "1,,2", "1-2-3", "a", "1001", "3-1", "1.5", "99999999999999999999"} {
		if got, err := resolveBlocks(text, nil); err == nil {
			t.Errorf("%q: %v, expected an error", text, got)
		}
	}
}

func TestBlocksByStage(t *testing.T) {
	stages := []int{2, 2, 6, 2}
	for text, want := range map[string][]int{
		"3.1-3.6":       {4, 5, 6, 7, 8, 9},
		"1.2, 4.1":      {1, 10},
		"2.2-3.1":       {3, 4},
		"1-2,3.6-4.2":   {0, 1, 9, 10, 11},
		"1.1-4.2, 12":   {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11},
		"3 . 1 - 3 . 2": {4, 5},
	} {
		got, err := resolveBlocks(text, stages)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %v, %v, expected %v", text, got, err, want)
		}
	}
	for _, text := range []string{"5.1", "1.3", "0.1", "1.0", "3.6-3.1", "3.1-2.1", "3.1-6", "1-3.2", ".1", "1.", "1.1.1"} {
		if got, err := resolveBlocks(text, stages); err == nil {
			t.Errorf("%q: %v, expected an error", text, got)
		}
	}
}

func TestFormatBlocks(t *testing.T) {
	for _, text := range []string{"1", "1-12", "7-12", "1,3,5-8", "2,4,6"} {
		blocks, err := resolveBlocks(text, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := formatBlocks(blocks); got != text {
			t.Errorf("%v is printed as %q, expected %q", blocks, got, text)
		}
	}
}

func TestShellQuote(t *testing.T) {
	for text, want := range map[string]string{
		"a.safetensors": "a.safetensors", "": "''", "my file": "'my file'", "it's": `'it'\''s'`, "$(x)": "'$(x)'", "~": "'~'",
	} {
		if got := shellQuote(text); got != want {
			t.Errorf("%q is quoted as %s, expected %s", text, got, want)
		}
	}
}
