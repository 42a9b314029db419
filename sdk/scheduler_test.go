package sdk

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeadapt/edgeadapt/sdk/internal/tensor"
)

// bench is a scheduler over a device that takes a second for each pass and notes its batches.
type bench struct {
	s       *scheduler
	mu      sync.Mutex
	batches [][]*job
	fail    error
}

func newBench(o options) *bench {
	b := &bench{}
	b.s = newScheduler(o, func(ctx context.Context, batch []*job) error {
		if len(batch) == 0 {
			return nil
		}
		b.mu.Lock()
		b.batches = append(b.batches, batch)
		b.mu.Unlock()
		select {
		case <-time.After(time.Second):
			return b.fail
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	return b
}

// do asks for room and queues jobs.
func (b *bench) do(ctx context.Context, list []*job) error {
	r, err := b.s.admit(len(list))
	if err != nil {
		return err
	}
	return b.s.do(ctx, r, list)
}

// sizes are the number of images of each pass so far.
func (b *bench) sizes() (n []int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, batch := range b.batches {
		n = append(n, len(batch))
	}
	return n
}

func jobs(a *Adapter, n, side int) (list []*job) {
	for range n {
		list = append(list, &job{adapter: a, input: Tensor{Shape: tensor.Shape{3, side, side}}})
	}
	return list
}

var defaults = options{maxBatch: 8, queue: 100}

// TestSchedulerGathers: an image that comes to an idle device runs at once, and what comes during its pass shares the next.
func TestSchedulerGathers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(defaults)
		var wg sync.WaitGroup
		for i := range 12 {
			wg.Go(func() {
				time.Sleep(time.Duration(i) * time.Millisecond)
				if err := b.do(context.Background(), jobs(nil, 1, 32)); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if got := b.sizes(); !slices.Equal(got, []int{1, 8, 3}) {
			t.Errorf("passes of %v images", got)
		}
		b.s.close()
	})
}

// TestSchedulerDelay: with a delay an image waits for others, but no longer than that, and not once the batch is full.
func TestSchedulerDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := defaults
		o.batchDelay = 100 * time.Millisecond
		b := newBench(o)
		began := time.Now()
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() { b.do(context.Background(), jobs(nil, 1, 32)) })
		}
		wg.Wait()
		if took := time.Since(began); took != 1100*time.Millisecond || !slices.Equal(b.sizes(), []int{3}) {
			t.Errorf("%v, passes of %v", took, b.sizes())
		}
		began = time.Now()
		b.do(context.Background(), jobs(nil, 8, 32))
		if took := time.Since(began); took != time.Second {
			t.Errorf("a full batch took %v", took)
		}
		b.s.close()
	})
}

// TestSchedulerSettles: callers that come back shortly after their pass share the next one; a lone caller never waits.
func TestSchedulerSettles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(defaults)
		var wg sync.WaitGroup
		for i := range 6 {
			wg.Go(func() {
				for range 3 {
					time.Sleep(time.Duration(i+1) * time.Millisecond)
					b.do(context.Background(), jobs(nil, 1, 32))
				}
			})
		}
		wg.Wait()
		if got := b.sizes(); !slices.Equal(got, []int{1, 6, 6, 5}) {
			t.Errorf("passes of %v images", got)
		}
		time.Sleep(time.Second)
		began := time.Now()
		for range 3 {
			b.do(context.Background(), jobs(nil, 1, 32))
		}
		if took := time.Since(began); took != 3*time.Second {
			t.Errorf("3 calls one after the other took %v", took)
		}
		b.s.close()
	})
}

// TestSchedulerFair: adapters take turns whatever the length of their queues; images of another size wait for their own
// pass, but not for ever.
func TestSchedulerFair(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(defaults)
		many, few, other := &Adapter{}, &Adapter{}, &Adapter{}
		var wg sync.WaitGroup
		call := func(list []*job) {
			wg.Go(func() { b.do(context.Background(), list) })
			synctest.Wait()
		}
		call(jobs(nil, 1, 32)) // keeps the device busy
		call(jobs(many, 40, 32))
		call(jobs(few, 2, 32))
		call(jobs(other, 1, 64))
		wg.Wait()
		if got := b.sizes(); !slices.Equal(got, []int{1, 8, 8, 8, 8, 8, 2, 1}) && !slices.Equal(got, []int{1, 8, 1, 8, 8, 8, 8, 2}) {
			t.Errorf("passes of %v images", got)
		}
		n := 0
		for _, j := range b.batches[1] {
			if j.adapter == few {
				n++
			}
		}
		if n != 2 {
			t.Errorf("%d of the 2 images behind 40 others are in the first pass", n)
		}
		b.s.close()
	})
}

// TestSchedulerNoStarvation: a size that is rare is served although others never stop coming.
func TestSchedulerNoStarvation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := defaults
		o.maxBatch = 2
		b := newBench(o)
		ctx, stop := context.WithCancel(context.Background())
		var wg sync.WaitGroup
		for range 6 {
			a := &Adapter{}
			wg.Go(func() {
				for ctx.Err() == nil {
					b.do(ctx, jobs(a, 1, 32))
				}
			})
		}
		time.Sleep(500 * time.Millisecond)
		began := time.Now()
		b.do(context.Background(), jobs(&Adapter{}, 1, 64))
		if waited := time.Since(began); waited > 6*time.Second {
			t.Errorf("waited %v", waited)
		}
		stop()
		wg.Wait()
		b.s.close()
	})
}

func TestSchedulerBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := defaults
		o.queue = 3
		b := newBench(o)
		var wg sync.WaitGroup
		wg.Go(func() { b.do(context.Background(), jobs(nil, 1, 32)) })
		synctest.Wait()
		wg.Go(func() {
			if err := b.do(context.Background(), jobs(nil, 5, 32)); err != nil {
				t.Errorf("a batch larger than the queue, which is empty: %v", err)
			}
		})
		synctest.Wait()
		if err := b.do(context.Background(), jobs(nil, 1, 32)); !errors.Is(err, ErrBusy) {
			t.Errorf("with 5 waiting: %v", err)
		}
		wg.Wait()
		if err := b.do(context.Background(), jobs(nil, 1, 32)); err != nil {
			t.Errorf("afterwards: %v", err)
		}
		b.s.close()
	})
}

// TestSchedulerCancel: a waiting request leaves at once; a pass stops when nobody waits for it any more, and not before.
func TestSchedulerCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(defaults)
		var wg sync.WaitGroup
		short, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		defer cancel()
		var first, shared error
		wg.Go(func() { first = b.do(context.Background(), jobs(nil, 1, 32)) })
		synctest.Wait()
		began := time.Now()
		if err := b.do(short, jobs(nil, 2, 32)); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != 100*time.Millisecond {
			t.Errorf("waiting: %v after %v", err, time.Since(began))
		}
		wg.Wait()
		if got := b.sizes(); first != nil || !slices.Equal(got, []int{1}) {
			t.Errorf("%v, passes of %v", first, got)
		}

		// Two callers share a pass; one gives up.
		wg.Go(func() { b.do(context.Background(), jobs(nil, 1, 32)) })
		synctest.Wait()
		ctx, giveUp := context.WithCancel(context.Background())
		wg.Go(func() { b.do(ctx, jobs(nil, 1, 32)) })
		wg.Go(func() { shared = b.do(context.Background(), jobs(nil, 1, 32)) })
		time.Sleep(1500 * time.Millisecond)
		giveUp()
		wg.Wait()
		if shared != nil {
			t.Errorf("the other caller of the pass: %v", shared)
		}

		began = time.Now()
		alone, cancelAlone := context.WithTimeout(context.Background(), 10*time.Millisecond)
		defer cancelAlone()
		b.do(alone, jobs(nil, 1, 32))
		if took := time.Since(began); took != 10*time.Millisecond {
			t.Errorf("a pass that nobody waits for ended after %v", took)
		}
		b.s.close()
	})
}

// TestSchedulerRoom: images that are being prepared count as waiting, until they are given up or queued.
func TestSchedulerRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := defaults
		o.queue = 3
		b := newBench(o)
		ctx := context.Background()
		r, err := b.s.admit(3)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.s.admit(1); !errors.Is(err, ErrBusy) {
			t.Errorf("with 3 prepared: %v", err)
		}
		if _, err := b.s.admit(0); err != nil {
			t.Errorf("no image: %v", err)
		}
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := b.s.do(ctx, r, jobs(nil, 3, 32)); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait() // they run
		r.leave()       // as the caller does when do has returned, whatever came of it
		r, err = b.s.admit(2)
		if err != nil {
			t.Errorf("with 3 in their pass: %v", err)
		}
		r.leave()
		r.leave()
		wg.Wait()
		if b.s.preparing != 0 || b.s.waiting != 0 {
			t.Errorf("%d prepared and %d waiting are left", b.s.preparing, b.s.waiting)
		}
		b.s.close()
		if _, err := b.s.admit(1); !errors.Is(err, ErrClosed) {
			t.Errorf("after close: %v", err)
		}
	})
}

// TestSchedulerClose: what waits is served, what comes later is refused, an error reaches all who share the pass.
func TestSchedulerClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(defaults)
		b.fail = errors.New("broken")
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				if err := b.do(context.Background(), jobs(nil, 1, 32)); !errors.Is(err, b.fail) {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		b.s.close()
		wg.Wait()
		if err := b.do(context.Background(), jobs(nil, 1, 32)); !errors.Is(err, ErrClosed) {
			t.Errorf("after close: %v", err)
		}
		if n := b.s.waiting; n != 0 {
			t.Errorf("%d still wait", n)
		}
	})
}
