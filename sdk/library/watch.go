package library

import (
	"context"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fsnotify/fsnotify"
	"github.com/pkg/errors"
)

// settle is how long a file must be left alone before it is loaded: writers that do not rename into place need it.
const settle = 100 * time.Millisecond

// longest is how long changes that follow one another are waited out.
const longest = 10 * settle

// WatchConfig says what to do with the files of a folder.
type WatchConfig[T any] struct {
	// Load reads and checks a file completely; what it returns is published. Called from one goroutine at a time.
	Load func(ctx context.Context, path string) (T, error)
	// Release, if any, is called with what is no longer published. Calls that still use it may be under way.
	Release func(name string, old T)
	// Log receives refused files as warnings, and new, changed and removed ones as information. Nil is silent.
	Log *slog.Logger
}

// Watcher keeps what the files of a folder hold, by name without the extension. A new version of a file is published at
// once and whole; where it is bad, the previous one stays. Safe for concurrent use.
type Watcher[T any] struct {
	dir     string
	cfg     WatchConfig[T]
	notify  *fsnotify.Watcher
	current atomic.Pointer[map[string]version[T]]
	refused map[string]stamp // files that could not be loaded, by name; of the goroutine that scans
	done    chan struct{}
	stop    context.CancelFunc
	closing sync.Once
}

// version is a published value and the file it came from.
type version[T any] struct {
	value T
	file  stamp
}

// stamp tells two versions of a file apart.
type stamp struct {
	size     int64
	modified time.Time
	which    identity
}

// identity tells a file from another that took its name, its size and its time of modification; zero where the system does not
// tell.
type identity struct {
	device, number uint64
	seconds, nanos int64 // of its last change
}

// Watch loads every adapter file in dir and then follows the folder until ctx ends or Close is called. Files that cannot
// be loaded are logged, and tried again when they change.
func Watch[T any](ctx context.Context, dir string, cfg WatchConfig[T]) (*Watcher[T], error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	notify, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, errors.Wrap(err, "watch adapter library")
	}
	if err := notify.Add(dir); err != nil {
		notify.Close()
		return nil, errors.Wrap(err, "watch adapter library")
	}
	ctx, stop := context.WithCancel(ctx)
	w := &Watcher[T]{dir: dir, cfg: cfg, notify: notify, refused: map[string]stamp{}, done: make(chan struct{}), stop: stop}
	w.current.Store(&map[string]version[T]{})
	if err := w.scan(ctx); err != nil {
		stop()
		notify.Close()
		return nil, err
	}
	go w.follow(ctx)
	return w, nil
}

// Get returns what is published under a name.
func (w *Watcher[T]) Get(name string) (T, bool) {
	v, ok := (*w.current.Load())[name]
	return v.value, ok
}

// Names lists what is published, in alphabetical order.
func (w *Watcher[T]) Names() []string { return slices.Sorted(maps.Keys(*w.current.Load())) }

// Close stops following the folder and releases what is published. Idempotent.
func (w *Watcher[T]) Close() error {
	w.closing.Do(func() {
		w.stop()
		<-w.done
		old := w.current.Swap(&map[string]version[T]{})
		for _, name := range slices.Sorted(maps.Keys(*old)) {
			w.release(name, (*old)[name].value)
		}
	})
	return nil
}

func (w *Watcher[T]) release(name string, old T) {
	if w.cfg.Release != nil {
		w.cfg.Release(name, old)
	}
}

// follow waits for changes, lets them settle, and looks at the folder anew: what a lost or merged event would have said
// is there to see. Whatever changes counts: where a folder is a set of links, as in a container's configuration, no
// event names an adapter file.
func (w *Watcher[T]) follow(ctx context.Context) {
	defer close(w.done)
	defer w.notify.Close()
	settled := time.NewTimer(settle)
	settled.Stop()
	var first time.Time // of the changes since the last look
	changed := func() {
		if first.IsZero() {
			first = time.Now()
		}
		if time.Since(first) < longest { // a file that is written without end must not hide the others
			settled.Reset(settle)
		}
	}
	for {
		select {
		case <-ctx.Done():
			return
		case _, ok := <-w.notify.Events:
			if ok {
				changed()
			}
		case err, ok := <-w.notify.Errors:
			if ok {
				w.cfg.Log.Warn("adapter library: events were lost, the folder is read anew", "error", err)
				changed()
			}
		case <-settled.C:
			first = time.Time{}
			if err := w.scan(ctx); err != nil && ctx.Err() == nil {
				w.cfg.Log.Warn("adapter library: the folder cannot be read", "error", err)
			}
		}
	}
}

// scan brings what is published in line with the folder.
func (w *Watcher[T]) scan(ctx context.Context) error {
	paths, err := files(w.dir)
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, path := range paths {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		name := nameOf(path)
		seen[name] = true
		w.update(ctx, name, path)
	}
	maps.DeleteFunc(w.refused, func(name string, _ stamp) bool { return !seen[name] })
	for _, name := range w.Names() {
		if !seen[name] {
			w.publish(name, nil)
			w.cfg.Log.Info("adapter removed", "name", name)
		}
	}
	return nil
}

func nameOf(path string) string {
	base := filepath.Base(path)
	return base[:len(base)-len(Extension)]
}

// update loads a file that is not the published one.
func (w *Watcher[T]) update(ctx context.Context, name, path string) {
	info, err := os.Stat(path)
	if err != nil {
		return // gone again: the next look tells
	}
	now := stamp{info.Size(), info.ModTime(), identify(info)}
	old, known := (*w.current.Load())[name]
	bad, refused := w.refused[name]
	if known && old.file == now || refused && bad == now {
		return
	}
	delete(w.refused, name)
	value, err := w.cfg.Load(ctx, path)
	if ctx.Err() != nil {
		if err == nil {
			w.release(name, value)
		}
		return
	}
	if err != nil {
		w.refused[name] = now
		w.cfg.Log.Warn("adapter refused", "file", path, "error", err, "previous version kept", known)
		return
	}
	w.publish(name, &version[T]{value, now})
	w.cfg.Log.Info("adapter published", "name", name, "replaced", known)
}

// publish puts v in the place of what has the name, nil for nothing, and releases that.
func (w *Watcher[T]) publish(name string, v *version[T]) {
	next := maps.Clone(*w.current.Load())
	old, known := next[name]
	delete(next, name)
	if v != nil {
		next[name] = *v
	}
	w.current.Store(&next)
	if known {
		w.release(name, old.value)
	}
}
