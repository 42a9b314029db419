package sdk

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/edgeadapt/edgeadapt/sdk/internal/nn"
	"github.com/pkg/errors"
)

// scheduler gathers the images of many callers into batches, which its one goroutine runs. Each adapter has a lane of
// waiting images, and lanes take turns, so that one with many images does not hold up another with few.
// Safe for concurrent use.
type scheduler struct {
	run      func(ctx context.Context, batch []*job) error
	delay    time.Duration // how long an image may wait for company
	maxBatch int
	limit    int // images waiting or prepared above which calls are refused

	mu        sync.Mutex
	change    sync.Cond // of lanes, waiting and closed
	lanes     []*lane   // none is empty; the first is the next to be served
	waiting   int       // images in lanes
	preparing int       // images in rooms
	closed    bool
	ended     sync.WaitGroup

	// After a pass that served several, or that others waited for, the callers come back one after the other. The first must
	// not take the next pass for itself: until then, or until so many wait.
	settled  time.Time
	expected int
}

// settle is the part of a pass's time in which its callers may come back.
const settle = 50

// lane is the queue of one adapter, nil for plain features.
type lane struct {
	adapter *Adapter
	jobs    []*job
}

// job is one image on its way.
type job struct {
	call    *call
	adapter *Adapter
	task    *nn.Resident // the version of the adapter that the call began with; nil for plain features
	input   Tensor
	arrived time.Time

	answer // once it is done
}

// call is what one caller waits for.
type call struct {
	ctx  context.Context
	left int           // jobs that are neither done nor withdrawn; guarded by scheduler.mu
	err  error         // the first one; likewise, until done is closed
	done chan struct{} // closed when none is left
}

func newScheduler(o options, run func(context.Context, []*job) error) *scheduler {
	s := &scheduler{run: run, delay: o.batchDelay, maxBatch: o.maxBatch, limit: o.queue}
	s.change.L = &s.mu
	s.ended.Go(s.loop)
	return s
}

// room is the place of images whose caller decodes and resizes them, before they have a lane: what bounds the memory of
// those who wait has to count them too.
type room struct {
	s *scheduler
	n int // guarded by s.mu
}

// admit makes room for n images, to be given to do or given up with leave. It returns ErrBusy where too many wait already.
func (s *scheduler) admit(n int) (*room, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, errors.WithMessage(ErrClosed, "backbone")
	}
	if s.waiting+s.preparing >= s.limit && n > 0 {
		return nil, errors.WithMessagef(ErrBusy, "%d images wait, the limit is %d", s.waiting+s.preparing, s.limit)
	}
	s.preparing += n
	return &room{s, n}, nil
}

// leave gives the room up. Idempotent.
func (r *room) leave() {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	r.empty()
}

func (r *room) empty() {
	r.s.preparing -= r.n
	r.n = 0
}

// do queues the jobs that r was made for and waits for them all. Where ctx ends first it withdraws those that have not begun.
// The inputs are not read after it has returned.
func (s *scheduler) do(ctx context.Context, r *room, jobs []*job) error {
	if len(jobs) == 0 {
		return nil
	}
	c := &call{ctx: ctx, left: len(jobs), done: make(chan struct{})}
	if err := s.queue(c, r, jobs); err != nil {
		return err
	}
	select {
	case <-c.done:
	case <-ctx.Done():
		s.withdraw(c)
		<-c.done
		return ctx.Err()
	}
	return c.err
}

func (s *scheduler) queue(c *call, r *room, jobs []*job) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r.empty()
	if s.closed {
		return errors.WithMessage(ErrClosed, "backbone")
	}
	now := time.Now()
	for _, j := range jobs {
		j.call, j.arrived = c, now
		i := slices.IndexFunc(s.lanes, func(l *lane) bool { return l.adapter == j.adapter })
		if i < 0 {
			i = len(s.lanes)
			s.lanes = append(s.lanes, &lane{adapter: j.adapter})
		}
		s.lanes[i].jobs = append(s.lanes[i].jobs, j)
	}
	s.waiting += len(jobs)
	s.change.Broadcast()
	return nil
}

// withdraw takes a call's waiting jobs out of their lanes.
func (s *scheduler) withdraw(c *call) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.waiting
	s.waiting = 0
	s.lanes = slices.DeleteFunc(s.lanes, func(l *lane) bool {
		l.jobs = slices.DeleteFunc(l.jobs, func(j *job) bool { return j.call == c })
		s.waiting += len(l.jobs)
		return len(l.jobs) == 0
	})
	s.finish(c, before-s.waiting, nil)
}

// finish counts n jobs of c as done; s.mu is held.
func (s *scheduler) finish(c *call, n int, err error) {
	if c.err == nil {
		c.err = err
	}
	if c.left -= n; c.left == 0 && n > 0 {
		close(c.done)
	}
}

func (s *scheduler) loop() {
	for batch := s.next(); batch != nil; batch = s.next() {
		began := time.Now()
		err := s.runFor(batch)
		s.mu.Lock()
		for _, j := range batch {
			s.finish(j.call, 1, err)
		}
		if s.expected = len(batch) + s.waiting; s.expected > 1 {
			now := time.Now()
			s.settled = now.Add(now.Sub(began) / settle)
		}
		s.mu.Unlock()
	}
}

// runFor runs a batch until it is done or all who wait for it have given up.
func (s *scheduler) runFor(batch []*job) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var calls []*call
	for _, j := range batch {
		if !slices.Contains(calls, j.call) {
			calls = append(calls, j.call)
		}
	}
	var interested atomic.Int32
	interested.Store(int32(len(calls)))
	for _, c := range calls {
		defer context.AfterFunc(c.ctx, func() {
			if interested.Add(-1) == 0 {
				cancel()
			}
		})()
	}
	return s.run(ctx, batch)
}

// next waits for the next batch; nil says that the scheduler was closed and nothing waits.
func (s *scheduler) next() []*job {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.waiting == 0 {
		if s.closed {
			return nil
		}
		s.change.Wait()
	}
	for s.waiting > 0 && !s.closed {
		left := s.patience()
		if left <= 0 {
			break
		}
		wake := time.AfterFunc(left, func() {
			s.mu.Lock() // so that it cannot fall between the check above and Wait
			defer s.mu.Unlock()
			s.change.Broadcast()
		})
		s.change.Wait()
		wake.Stop()
	}
	if s.waiting == 0 { // withdrawn meanwhile
		return []*job{}
	}
	return s.take()
}

// patience is how long to wait for more images.
func (s *scheduler) patience() (left time.Duration) {
	if s.waiting >= s.maxBatch {
		return 0
	}
	if s.delay > 0 {
		left = time.Until(s.oldest().arrived.Add(s.delay))
	}
	if s.waiting < s.expected {
		left = max(left, time.Until(s.settled))
	}
	return left
}

// oldest is the job that has waited longest.
func (s *scheduler) oldest() *job {
	first := s.lanes[0].jobs[0]
	for _, l := range s.lanes {
		if l.jobs[0].arrived.Before(first.arrived) {
			first = l.jobs[0]
		}
	}
	return first
}

// take forms a batch of images as large as the one that has waited longest: one of each lane in turn.
func (s *scheduler) take() []*job {
	shape := s.oldest().input.Shape
	var batch []*job
	for skipped := 0; len(batch) < s.maxBatch && skipped < len(s.lanes); {
		l := s.lanes[0]
		s.lanes = s.lanes[1:]
		if l.jobs[0].input.Shape.Equal(shape) {
			batch, l.jobs, skipped = append(batch, l.jobs[0]), l.jobs[1:], 0
		} else {
			skipped++
		}
		if len(l.jobs) > 0 {
			s.lanes = append(s.lanes, l)
		}
	}
	s.waiting -= len(batch)
	return batch
}

// close runs what waits, refuses what comes, and ends the goroutine.
func (s *scheduler) close() {
	s.mu.Lock()
	s.closed = true
	s.change.Broadcast()
	s.mu.Unlock()
	s.ended.Wait()
}
