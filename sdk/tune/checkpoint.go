package tune

import (
	"fmt"
	"io/fs"
	"os"

	"github.com/edgeadapt/edgeadapt/sdk/internal/checkpoint"
	"github.com/edgeadapt/edgeadapt/sdk/internal/disk"
	"github.com/pkg/errors"
)

// Checkpoint says where a run keeps its state, for another process to go on from it after a crash. The zero value keeps
// none.
//
// There are two generations, Path and Path.previous, each written whole or not at all. A run leaves them when it ends:
// the caller removes them once the adapter is safe.
type Checkpoint struct {
	Path string
	// Every is how many optimiser steps lie between two checkpoints inside an epoch; each epoch ends with one as well.
	// 0: every 15 seconds, and at the ends of epochs as long as writing takes less than a twentieth of the time. A phase
	// always ends with one.
	Every int
	// Resume goes on from Path, where there is a checkpoint. Without it, a checkpoint there is ErrUnfinished.
	Resume bool
	// Force resumes on another device, driver or release of this library too. The result is then sound, and not bit for
	// bit that of an undisturbed run.
	Force bool
}

// ErrUnfinished says that a run was about to begin where the checkpoint of another lies.
var ErrUnfinished = errors.New("an unfinished run")

// Stopped is the error of a run that ctx cancelled; errors.Is sees ctx's own error in it.
type Stopped struct {
	Cause error     // ctx.Err()
	Kept  *Progress // what the newest checkpoint holds; nil where there is none
	Lost  error     // why no newer one could be written, or nil
}

func (e *Stopped) Error() string {
	text := e.Cause.Error()
	if e.Kept != nil {
		text += ", to be resumed from " + e.Kept.String()
	}
	if e.Lost != nil {
		text += fmt.Sprintf(" (no newer checkpoint: %v)", e.Lost)
	}
	return text
}

// Unwrap implements errors.Is and errors.As.
func (e *Stopped) Unwrap() error { return e.Cause }

// Progress is how far a run is.
type Progress struct {
	Phase         Phase
	Epoch, Epochs int // the epoch under way, counted from 1
	Step          int // optimiser steps of it that are done
}

func (p Progress) String() string {
	switch {
	case p.Epoch > p.Epochs:
		return fmt.Sprintf("the end of phase %s", p.Phase)
	case p.Step == 0:
		return fmt.Sprintf("%s epoch %d of %d", p.Phase, p.Epoch, p.Epochs)
	}
	return fmt.Sprintf("%s epoch %d of %d, step %d", p.Phase, p.Epoch, p.Epochs, p.Step+1)
}

func (s *state) progress() *Progress {
	return &Progress{Phase: s.Phase, Epoch: s.At.Epoch, Epochs: s.Epochs, Step: s.At.Step}
}

// Unfinished tells how far the run is that c.Path holds a checkpoint of, nil where it holds none.
func (c Checkpoint) Unfinished() (*Progress, error) {
	if c.Path == "" {
		return nil, nil
	}
	var p *Progress
	_, err := newest(c.Path, func(s *state, _ *checkpoint.File) error {
		p = s.progress()
		return nil
	})
	return p, err
}

// Remove removes the checkpoint and what killed writers left beside it.
func (c Checkpoint) Remove() error {
	if c.Path == "" {
		return nil
	}
	var first error
	for _, path := range append(disk.Leftovers(c.Path), previous(c.Path), c.Path) { // the newest last
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) && first == nil {
			first = errors.Wrap(err, "checkpoint")
		}
	}
	return first
}

// newest calls use on the newest generation at path that is sound, and returns its name: "" where there is none at all. A
// generation that use finds corrupt is passed over. It is an error if there are some and all are corrupt.
func newest(path string, use func(*state, *checkpoint.File) error) (name string, err error) {
	var first error
	for _, name := range []string{path, previous(path)} {
		s, f, err := openState(name)
		if err == nil {
			err = use(s, f)
			f.Close()
		}
		switch {
		case err == nil:
			return name, nil
		case errors.Is(err, fs.ErrNotExist):
		case errors.Is(err, checkpoint.ErrCorrupt):
			if first == nil {
				first = err
			}
		default:
			return "", err
		}
	}
	return "", first
}
