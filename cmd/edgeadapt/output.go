package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/edgeadapt/edgeadapt/sdk/data"
)

// printJSON writes a result for programs.
func (a *app) printJSON(v any) error {
	e := json.NewEncoder(a.stdout)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// table writes rows in aligned columns.
func table(w io.Writer, rows [][]string) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, r := range rows {
		fmt.Fprintln(t, strings.Join(r, "\t"))
	}
	return t.Flush()
}

// bytesText prints a size the way people name it.
func bytesText(n int64) string {
	switch {
	case n < 1e6:
		return fmt.Sprintf("%.1f kB", float64(n)/1e3)
	case n < 1e9:
		return fmt.Sprintf("%.2f MB", float64(n)/1e6)
	}
	return fmt.Sprintf("%.1f GB", float64(n)/1e9)
}

// percent prints a share of 1; "-" where it is unknown.
func percent(x *float64) string {
	if x == nil {
		return "-"
	}
	return fmt.Sprintf("%.1f %%", 100**x)
}

// maxListed is how many unreadable images are named one by one.
const maxListed = 10

// reportSkipped lists the images that could not be read.
func (a *app) reportSkipped(skipped []data.Skipped) {
	if len(skipped) == 0 {
		return
	}
	fmt.Fprintf(a.stderr, "%d unreadable image(s) skipped:\n", len(skipped))
	for i, s := range skipped {
		if i == maxListed {
			fmt.Fprintf(a.stderr, "  and %d more\n", len(skipped)-maxListed)
			break
		}
		fmt.Fprintf(a.stderr, "  %s: %s\n", s.Path, s.Reason)
	}
}

// shellQuote makes s one word of a POSIX shell.
func shellQuote(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./:=,+@%", r)
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// red is the ANSI colour of errors.
const red = "31"

// paint colours text for a terminal, unless NO_COLOR asks for none.
func (a *app) paint(color, text string) string {
	if os.Getenv("NO_COLOR") != "" || !isTerminal(a.stderr) {
		return text
	}
	return "\x1b[" + color + "m" + text + "\x1b[0m"
}

// isTerminal reports whether w is a terminal that can move its cursor.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok || os.Getenv("TERM") == "dumb" {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
