package main

import (
	"fmt"
	"math"
	"runtime/debug"
	"strconv"
	"strings"
)

// byteSize is a flag that takes a number of bytes, with or without a unit: 300MB, 1.5 GiB, 65536.
type byteSize int64

// units by their letter, as powers of 1000 and of 1024.
var units = []struct {
	suffix string
	bytes  float64
}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"kB", 1e3}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"B", 1}}

// Set implements pflag.Value.
func (b *byteSize) Set(text string) error {
	number, unit := strings.TrimSpace(text), 1.0
	for _, u := range units {
		if rest, ok := strings.CutSuffix(number, u.suffix); ok {
			number, unit = strings.TrimSpace(rest), u.bytes
			break
		}
	}
	n, err := strconv.ParseFloat(number, 64)
	if n *= unit; err != nil || !(n >= 1 && n < math.MaxInt64) {
		return fmt.Errorf("%q, expected a number of bytes such as 300MB or 1GiB", text)
	}
	*b = byteSize(n)
	return nil
}

// String implements pflag.Value; the empty text keeps help from naming a default.
func (b *byteSize) String() string {
	if *b == 0 {
		return ""
	}
	return bytesText(int64(*b))
}

// Type implements pflag.Value.
func (*byteSize) Type() string { return "BYTES" }

// limitGarbage makes the collector work harder as the process nears a budget; it leaves a tenth to what is no Go memory.
func limitGarbage(budget int64) {
	if budget > 0 {
		debug.SetMemoryLimit(budget - budget/10)
	}
}
