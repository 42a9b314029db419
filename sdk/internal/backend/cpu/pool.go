package cpu

import (
	"sync"
	"sync/atomic"

	"github.com/edgeadapt/edgeadapt/sdk/internal/backend/cpu/simd"
)

// pool runs the tasks of one operator on a fixed number of goroutines, the caller's among them. The others sleep on a
// channel between operators. run is for one goroutine at a time; the device's turn sees to that.
type pool struct {
	workers []*worker
	wake    []chan struct{} // of workers 1 and up
	ended   sync.WaitGroup
	closing sync.Once

	// Of the run under way.
	task    func(w *worker, i int)
	tasks   int64
	next    atomic.Int64
	working sync.WaitGroup
}

// newPool starts n-1 goroutines, which live until close.
func newPool(n int, set *simd.Set) *pool {
	p := &pool{workers: make([]*worker, n), wake: make([]chan struct{}, n)}
	for i := range p.workers {
		p.workers[i] = newWorker(i, set)
		p.wake[i] = make(chan struct{}, 1)
	}
	for i := 1; i < n; i++ {
		p.ended.Go(func() {
			for range p.wake[i] {
				p.work(p.workers[i])
				p.working.Done()
			}
		})
	}
	return p
}

// size is the number of workers.
func (p *pool) size() int { return len(p.workers) }

// run calls task for 0 <= i < n, each once, and returns when all have finished. Tasks are taken in increasing order.
// No two tasks under way share a worker.
func (p *pool) run(n int, task func(w *worker, i int)) {
	p.task, p.tasks = task, int64(n)
	p.next.Store(0)
	helpers := min(n, len(p.workers)) - 1
	for i := 1; i <= helpers; i++ {
		p.working.Add(1)
		p.wake[i] <- struct{}{}
	}
	p.work(p.workers[0])
	p.working.Wait()
	p.task = nil
}

func (p *pool) work(w *worker) {
	for {
		i := p.next.Add(1) - 1
		if i >= p.tasks {
			return
		}
		p.task(w, int(i))
	}
}

// close ends the goroutines. Idempotent; not during run.
func (p *pool) close() {
	p.closing.Do(func() {
		for _, c := range p.wake {
			close(c)
		}
	})
	p.ended.Wait()
}

// pieces is the number of pieces of at most step items that n items make; piece i is bounds(i, step, n).
func pieces(n, step int) int { return (n + step - 1) / step }

func bounds(i, step, n int) (from, to int) { return i * step, min((i+1)*step, n) }
