package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/edgeadapt/edgeadapt/sdk"
	"github.com/edgeadapt/edgeadapt/sdk/adapter"
	"github.com/edgeadapt/edgeadapt/sdk/model"
	"github.com/spf13/cobra"
)

// Exit codes.
const (
	exitOK          = 0
	exitFailure     = 1
	exitUsage       = 2
	exitData        = 3 // a file, a folder or an image cannot be used
	exitDevice      = 4
	exitCheck       = 5   // outputs differ from the reference
	exitInterrupted = 130 // 128 + SIGINT, as shells have it
)

// errUsage marks mistakes of the command line.
var errUsage = errors.New("usage")

// usageError is a mistake of the command line.
type usageError struct{ text string }

func (e usageError) Error() string        { return e.text }
func (e usageError) Is(target error) bool { return target == errUsage }

func usagef(format string, args ...any) error { return usageError{fmt.Sprintf(format, args...)} }

// codes maps errors to exit codes; the first match wins.
var codes = []struct {
	code int
	errs []error
}{
	{exitUsage, []error{errUsage, sdk.ErrConfig, sdk.ErrTap, sdk.ErrUnfinished, sdk.ErrBudget}},
	{exitCheck, []error{sdk.ErrCheck, errUnverified}},
	{exitDevice, []error{sdk.ErrNoDevice, sdk.ErrDeviceLost, sdk.ErrFaulty, sdk.ErrOutOfMemory}},
	{exitData, []error{sdk.ErrCorrupt, sdk.ErrVersion, sdk.ErrIncompatible, sdk.ErrImage, sdk.ErrDataset, sdk.ErrShape, sdk.ErrInput,
		sdk.ErrNoTensor, model.ErrLayout, adapter.ErrConfig, adapter.ErrUnsupported, sdk.ErrDiffers, sdk.ErrPlugin, sdk.ErrUntrusted, sdk.ErrKey}},
}

// code is the exit code for what a command returned.
func code(ctx context.Context, err error) int {
	if err == nil {
		return exitOK
	}
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return exitInterrupted
	}
	for _, c := range codes {
		for _, e := range c.errs {
			if errors.Is(err, e) {
				return c.code
			}
		}
	}
	if isFileError(err) {
		return exitData
	}
	return exitFailure
}

// isFileError reports whether the system refused a file operation.
func isFileError(err error) bool {
	var path *fs.PathError
	var link *os.LinkError
	return errors.As(err, &path) || errors.As(err, &link)
}

// exit tells the user what went wrong and returns the exit code.
func (a *app) exit(ctx context.Context, cmd *cobra.Command, err error) int {
	if err == nil {
		return exitOK
	}
	if !a.started {
		err = usageError{err.Error()}
	}
	c := code(ctx, err)
	if c == exitInterrupted {
		fmt.Fprintln(a.stderr, a.interrupted(err))
		return c
	}
	fmt.Fprintf(a.stderr, "%s %v\n", a.paint(red, "error:"), err)
	switch {
	case errors.Is(err, sdk.ErrUnfinished):
		fmt.Fprintln(a.stderr, "Go on with it by --resume, or remove its checkpoint to begin anew.")
	case c == exitUsage:
		fmt.Fprintf(a.stderr, "Run '%s --help' for usage.\n", cmd.CommandPath())
	case errors.Is(err, sdk.ErrDiffers):
		fmt.Fprintln(a.stderr, "Repeat what the unfinished run was given, or remove its checkpoint to begin anew.")
	case errors.Is(err, sdk.ErrIncompatible):
		fmt.Fprintln(a.stderr, "Name the backbone that the adapter was made for with --backbone.")
	case errors.Is(err, sdk.ErrNoDevice):
		fmt.Fprintln(a.stderr, "Run 'edgeadapt devices' for what there is.")
	}
	return c
}
