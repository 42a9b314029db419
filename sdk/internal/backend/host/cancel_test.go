package host_test

import (
	"context"
	"errors"
	"testing"

	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend/host"
)

// chain compiles two operators on a device whose kernels are the given functions, in order.
func chain(t *testing.T, kernels ...func() error) (*host.Backend[float32], backend.Executable) {
	t.Helper()
	next := 0
	be := host.New(host.Options[float32]{Kernel: func(*host.Executable[float32], backend.Op) func() error {
		next++
		return kernels[(next-1)%len(kernels)]
	}})
	return be, compileChain(t, be)
}

func compileChain(t *testing.T, be backend.Backend) backend.Executable {
	t.Helper()
	r := backend.NewRecorder()
	r.Scale(r.Scale(r.Input("x", 1), 2), 2)
	p, err := r.Finish()
	if err != nil {
		t.Fatal(err)
	}
	exec, err := be.Compile(p)
	if err != nil {
		t.Fatal(err)
	}
	return exec
}

// TestCancelBetweenOperators: the operator after the cancellation does not run.
func TestCancelBetweenOperators(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	second := false
	_, exec := chain(t, func() error { cancel(); return nil }, func() error { second = true; return nil })
	if err := exec.Run(ctx); !errors.Is(err, context.Canceled) || second {
		t.Errorf("got %v, the next operator ran: %v", err, second)
	}
}

// TestCancelWhileWaiting: a run that waits for another one gives up with its context.
func TestCancelWhileWaiting(t *testing.T) {
	entered, leave := make(chan struct{}, 2), make(chan struct{})
	be, long := chain(t, func() error { entered <- struct{}{}; <-leave; return nil })
	short := compileChain(t, be)
	done := make(chan error)
	go func() { done <- long.Run(context.Background()) }()
	<-entered
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := short.Run(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	close(leave)
	if err := <-done; err != nil {
		t.Error(err)
	}
}
