package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/edgeadapt/edgeadapt/sdk"
	"github.com/edgeadapt/edgeadapt/sdk/tune"
	pkgerrors "github.com/pkg/errors"
)

// announce says what a run begins with, and refuses early where a checkpoint lies and nobody asked to go on from it.
func (a *app) announce(c tune.Checkpoint) error {
	p, err := c.Unfinished()
	switch {
	case err != nil:
		return pkgerrors.WithMessage(err, "no sound checkpoint, remove it to begin anew")
	case p == nil && c.Resume:
		fmt.Fprintf(a.stderr, "no checkpoint %s, beginning anew\n", c.Path)
	case p == nil:
	case c.Resume:
		removeLeftovers(strings.TrimSuffix(c.Path, runSuffix))
		fmt.Fprintf(a.stderr, "resuming from %s, at %s\n", c.Path, p)
	default:
		return pkgerrors.WithMessagef(sdk.ErrUnfinished, "checkpoint %s, at %s", c.Path, p)
	}
	return nil
}

// runSuffix makes a checkpoint's name of the output's.
const runSuffix = ".run"

// removeLeftovers removes what a process left that was killed while it wrote the output.
func removeLeftovers(output string) {
	entries, _ := os.ReadDir(filepath.Dir(output))
	for _, e := range entries {
		if name := e.Name(); strings.HasPrefix(name, "."+filepath.Base(output)+".") && strings.HasSuffix(name, ".tmp") {
			_ = os.Remove(filepath.Join(filepath.Dir(output), name)) // it costs nothing but room
		}
	}
}

// settle ends a run whose adapter was written, or was not because of failed: the checkpoint goes, or stays for another try.
func (f *tuneFlags) settle(a *app, c tune.Checkpoint, failed error) error {
	if failed == nil {
		if err := c.Remove(); err != nil {
			fmt.Fprintln(a.stderr, "warning:", err)
		}
		return nil
	}
	if p, err := c.Unfinished(); p != nil && err == nil {
		return pkgerrors.WithMessagef(failed, "checkpoint %s is kept for --resume, which will not train again what it holds", c.Path)
	}
	return failed
}

// interrupted is the last line of an interrupted command: what is left, and how to go on.
func (a *app) interrupted(err error) string {
	var stop *tune.Stopped
	if !errors.As(err, &stop) || stop.Kept == nil && stop.Lost == nil {
		return "interrupted, nothing was written"
	}
	if stop.Kept == nil {
		return fmt.Sprintf("interrupted, and no checkpoint could be written: %v", stop.Lost)
	}
	text := "interrupted"
	if stop.Lost != nil {
		text += fmt.Sprintf(", and no newer checkpoint could be written (%v)", stop.Lost)
	}
	command := "edgeadapt"
	for _, arg := range a.args {
		command += " " + shellQuote(arg)
	}
	if !slices.Contains(a.args, "--resume") {
		command += " --resume"
	}
	return fmt.Sprintf("%s; go on from %s with: %s", text, stop.Kept, command)
}
