package sdk_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/edgeadapt/edgeadapt/quant"
	"github.com/edgeadapt/edgeadapt/sdk"
	"github.com/edgeadapt/edgeadapt/sdk/adapter"
	"github.com/edgeadapt/edgeadapt/sdk/data"
)

// variant is task with labels of its own and other values in its head and branches, so that no two answer alike.
func variant(t testing.TB, bb *sdk.Backbone, base *adapter.Adapter, i int) *adapter.Adapter {
	t.Helper()
	r := rand.New(rand.NewPCG(uint64(i), 3))
	tensors := map[string]sdk.Tensor{}
	for _, name := range base.Names() {
		x := base.Tensor(name).Clone()
		for j := range x.Data {
			x.Data[j] *= float32(0.5 + r.Float64())
		}
		tensors[name] = x
	}
	a, err := base.WithTensors(tensors)
	if err != nil {
		t.Fatal(err)
	}
	c := a.Config()
	for j := range c.Labels {
		c.Labels[j] = fmt.Sprintf("%d.%d", i, j)
	}
	if a, err = a.WithConfig(c); err != nil {
		t.Fatal(err)
	}
	return a
}

func attach(t testing.TB, bb *sdk.Backbone, a *adapter.Adapter) *sdk.Adapter {
	t.Helper()
	r, err := bb.UseAdapter(context.Background(), a)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func equal(a, b sdk.Result) bool {
	return slices.Equal(a.Labels, b.Labels) && slices.EqualFunc(a.Features, b.Features, func(x, y float32) bool { return math.Float32bits(x) == math.Float32bits(y) })
}

// TestPredictAll: tasks that share the blocks below their first branches answer with the bits of Predict.
func TestPredictAll(t *testing.T) {
	onDevices(t, func(t *testing.T, rt *sdk.Runtime) {
		t.Run("vit", func(t *testing.T) { predictAll(t, rt, "vit", "par", "range", "linear", "par", "range") })
		t.Run("swin", func(t *testing.T) { predictAll(t, rt, "swin", "par", "range", "seq_lnin", "par", "range") })
	})
}

func predictAll(t *testing.T, rt *sdk.Runtime, family string, tasks ...string) {
	ctx := context.Background()
	bb, err := rt.UseBackbone(ctx, tinyOf(t, family, quant.Q8C))
	if err != nil {
		t.Fatal(err)
	}
	adapters := []*sdk.Adapter{nil}
	for i, name := range tasks {
		adapters = append(adapters, attach(t, bb, variant(t, bb, task(t, bb, name), i)))
	}
	other := task(t, bb, "par")
	c := other.Config()
	c.Size = 48
	if other, err = other.WithConfig(c); err != nil {
		t.Fatal(err)
	}
	adapters = append(adapters, attach(t, bb, other)) // sees the image in another size
	for _, list := range [][]*sdk.Adapter{adapters, adapters[1:2], adapters[4:6], {adapters[3], nil}, nil} {
		got, err := bb.PredictAll(ctx, gradient(50, 40), list, sdk.TopK(2))
		if err != nil {
			t.Fatal(err)
		}
		for i, a := range list {
			want, err := bb.Predict(ctx, gradient(50, 40), a, sdk.TopK(2))
			if err != nil {
				t.Fatal(err)
			}
			if !equal(got[i], want) {
				t.Errorf("%d tasks: task %d gives %v, alone %v", len(list), i, got[i].Labels, want.Labels)
			}
		}
	}
	if _, err := bb.PredictAll(ctx, 42, adapters); !errors.Is(err, sdk.ErrInput) {
		t.Errorf("a number: %v", err)
	}
}

// TestBudget: adapters beyond the budget come and go, attach order does not matter, and Stats tells.
func TestBudget(t *testing.T) {
	ctx := context.Background()
	b := tiny(t, quant.Q8C)
	var answers [][]sdk.Result
	for _, budget := range []int64{1 << 30, 100000} {
		rt, err := sdk.Open(ctx, sdk.WithDevice("cpu"), sdk.WithAdapterBudget(budget))
		if err != nil {
			t.Fatal(err)
		}
		bb, err := rt.UseBackbone(ctx, b)
		if err != nil {
			t.Fatal(err)
		}
		base := task(t, bb, "par")
		const n = 12
		list := make([]*sdk.Adapter, n)
		for k := range n {
			i := k
			if budget < 1<<20 {
				i = 5 * k % n // another order of attaching
			}
			list[i] = attach(t, bb, variant(t, bb, base, i))
		}
		var reqs []sdk.Request
		for i := range 2 * n {
			reqs = append(reqs, sdk.Request{Image: gradient(40+i, 36), Adapter: list[7*(i/2)%n]})
		}
		rs, err := bb.PredictBatch(ctx, reqs)
		if err != nil {
			t.Fatal(err)
		}
		answers = append(answers, rs)
		s := rt.Stats()
		if evicts := budget < 1<<20; (s.Evictions > 0) != evicts || s.Bytes > s.Budget || s.Budget != budget || s.Residents == 0 || s.Hits == 0 || s.Misses < n {
			t.Errorf("budget %d: %+v", budget, s)
		}
		if err := rt.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for i := range answers[0] {
		if !equal(answers[0][i], answers[1][i]) {
			t.Errorf("request %d: %v in a small budget, %v in a large one", i, answers[1][i].Labels, answers[0][i].Labels)
		}
	}
	rt, err := sdk.Open(ctx, sdk.WithDevice("cpu"), sdk.WithAdapterBudget(100))
	if err != nil {
		t.Fatal(err)
	}
	defer rt.Close()
	bb, err := rt.UseBackbone(ctx, b)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bb.UseAdapter(ctx, task(t, bb, "par")); !errors.Is(err, sdk.ErrOutOfMemory) {
		t.Errorf("an adapter above the budget: %v", err)
	}
	for name, o := range map[string]sdk.Option{"budget": sdk.WithAdapterBudget(0), "delay": sdk.WithBatching(-1, 1),
		"batch": sdk.WithBatching(0, 33), "queue": sdk.WithQueue(0)} {
		if _, err := sdk.Open(ctx, sdk.WithDevice("cpu"), o); !errors.Is(err, sdk.ErrOption) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestReload publishes new versions of a file; a bad file leaves the present one.
func TestReload(t *testing.T) {
	ctx := context.Background()
	rt, err := sdk.Open(ctx, sdk.WithDevice("cpu"))
	if err != nil {
		t.Fatal(err)
	}
	defer rt.Close()
	bb, err := rt.UseBackbone(ctx, tiny(t, quant.Q8C))
	if err != nil {
		t.Fatal(err)
	}
	base := task(t, bb, "par")
	path := filepath.Join(t.TempDir(), "a.safetensors")
	write := func(i int) (want sdk.Result) {
		v := variant(t, bb, base, i)
		if err := v.WriteFile(path); err != nil {
			t.Fatal(err)
		}
		want, err := bb.Predict(ctx, gradient(40, 40), attach(t, bb, v))
		if err != nil {
			t.Fatal(err)
		}
		return want
	}
	check := func(a *sdk.Adapter, want sdk.Result) {
		t.Helper()
		if got, err := bb.Predict(ctx, gradient(40, 40), a); err != nil || !equal(got, want) {
			t.Errorf("%v, %v, expected %v", got.Labels, err, want.Labels)
		}
	}
	old := write(1)
	a, err := bb.LoadAdapter(ctx, path)
	if err != nil {
		t.Fatal(err)
	}
	check(a, old)
	next := write(2)
	check(a, old) // not asked yet
	if err := a.Reload(ctx); err != nil {
		t.Fatal(err)
	}
	check(a, next)
	if err := os.Truncate(path, 100); err != nil {
		t.Fatal(err)
	}
	if err := a.Reload(ctx); !errors.Is(err, sdk.ErrCorrupt) {
		t.Errorf("a truncated file: %v", err)
	}
	check(a, next)
	if err := attach(t, bb, base).Reload(ctx); !errors.Is(err, sdk.ErrInput) {
		t.Errorf("without a file: %v", err)
	}
	if err := errors.Join(a.Close(), a.Close()); err != nil {
		t.Fatal(err)
	}
	if err := a.Replace(ctx, base); !errors.Is(err, sdk.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

// raceSeconds is how long TestConcurrentReloads runs: RACE_SECONDS, 2 by default.
func raceSeconds(t *testing.T) time.Duration {
	n := 2
	if s := os.Getenv("RACE_SECONDS"); s != "" {
		var err error
		if n, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
	}
	return time.Duration(n) * time.Second
}

// TestConcurrentReloads lets 32 goroutines predict with 16 adapters in a budget for 5, with host memory
// for few more, while others replace, reload, close and load them. Every answer must be that of a version that was present during the call, to the bit.
func TestConcurrentReloads(t *testing.T) {
	onDevices(t, func(t *testing.T, rt *sdk.Runtime) { concurrentReloads(t) })
}

func concurrentReloads(t *testing.T) {
	const callers, tasks, versions, images = 32, 16, 3, 3
	ctx := context.Background()
	device := filepath.Base(t.Name())
	rt, err := sdk.Open(ctx, sdk.WithDevice(device), sdk.WithAdapterBudget(150000), sdk.WithAdapterHostBudget(50000))
	if err != nil {
		t.Fatal(err)
	}
	bb, err := rt.UseBackbone(ctx, tiny(t, quant.Q8C))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	load := func(i, v int) *sdk.Adapter {
		a, err := bb.LoadAdapter(ctx, filepath.Join(dir, fmt.Sprintf("%d.%d", i, v)))
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	var hosts [tasks][versions]*adapter.Adapter
	var want [tasks][versions][images]sdk.Result
	var current [tasks]struct {
		sync.Mutex
		a *sdk.Adapter
	}
	for i := range tasks {
		base := task(t, bb, []string{"par", "range", "linear"}[i%3])
		for v := range versions {
			hosts[i][v] = variant(t, bb, base, versions*i+v)
			if err := hosts[i][v].WriteFile(filepath.Join(dir, fmt.Sprintf("%d.%d", i, v))); err != nil {
				t.Fatal(err)
			}
			a := attach(t, bb, hosts[i][v])
			for k := range images {
				if want[i][v][k], err = bb.Predict(ctx, gradient(40+k, 40), a); err != nil {
					t.Fatal(err)
				}
			}
			if err := a.Close(); err != nil {
				t.Fatal(err)
			}
		}
		current[i].a = load(i, 0)
	}
	// Every label names its version: a mix of two could not pass for either.
	known := func(i, k int, got sdk.Result) bool {
		return slices.ContainsFunc(want[i][:], func(w [images]sdk.Result) bool { return equal(w[k], got) })
	}
	end, cancel := context.WithTimeout(ctx, raceSeconds(t))
	defer cancel()
	var wg sync.WaitGroup
	for n := range callers {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(n), 1))
			// A slow machine leaves a caller without an answer at the end: it goes on until it has one.
			for answered := false; !answered || end.Err() == nil; {
				i, j, k := r.IntN(tasks), r.IntN(tasks), r.IntN(images)
				current[i].Lock()
				a := current[i].a
				current[i].Unlock()
				current[j].Lock()
				b := current[j].a
				current[j].Unlock()
				img := gradient(40+k, 40)
				rs, err := ask(ctx, bb, r.IntN(3), img, a, b)
				switch {
				case errors.Is(err, sdk.ErrClosed), errors.Is(err, sdk.ErrBusy), errors.Is(err, context.DeadlineExceeded):
					continue
				case err != nil:
					t.Error(err)
					return
				}
				answered = true
				if !known(i, k, rs[0]) || !known(j, k, rs[1]) {
					t.Errorf("a wrong answer for tasks %d and %d", i, j)
					return
				}
			}
		})
	}
	for n := range 2 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(n), 2))
			for end.Err() == nil {
				i, v := r.IntN(tasks), r.IntN(versions)
				current[i].Lock()
				if r.IntN(4) == 0 { // close and load anew
					if err := current[i].a.Close(); err != nil {
						t.Error(err)
					}
					a, err := bb.LoadAdapter(ctx, filepath.Join(dir, fmt.Sprintf("%d.%d", i, v)))
					if err != nil {
						t.Error(err)
						current[i].Unlock()
						return
					}
					current[i].a = a
				} else if r.IntN(2) == 0 { // from its file again
					if err := current[i].a.Reload(ctx); err != nil {
						t.Error(err)
					}
				} else if err := current[i].a.Replace(ctx, hosts[i][v]); err != nil {
					t.Error(err)
				}
				current[i].Unlock()
			}
		})
	}
	wg.Wait()
	if s := rt.Stats(); s.Evictions == 0 || s.FileReads == 0 {
		t.Errorf("nothing was evicted, or read again: %+v", s)
	}
	if err := rt.Close(); err != nil {
		t.Error(err)
	}
	if n := rt.MemoryInUse(); n != 0 {
		t.Errorf("%d bytes of device memory left", n)
	}
}

// ask puts the same question in one of three ways.
func ask(ctx context.Context, bb *sdk.Backbone, way int, img any, a, b *sdk.Adapter) ([]sdk.Result, error) {
	switch way {
	case 0:
		return bb.PredictAll(ctx, img, []*sdk.Adapter{a, b})
	case 1:
		return bb.PredictBatch(ctx, []sdk.Request{{Image: img, Adapter: a}, {Image: img, Adapter: b}})
	}
	short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	x, err := bb.Predict(short, img, a)
	if err != nil {
		return nil, err
	}
	y, err := bb.Predict(short, img, b)
	return []sdk.Result{x, y}, err
}

// TestQueueBusy: a full queue refuses at once.
func TestQueueBusy(t *testing.T) {
	ctx := context.Background()
	rt, err := sdk.Open(ctx, sdk.WithDevice("cpu"), sdk.WithQueue(1), sdk.WithBatching(0, 1))
	if err != nil {
		t.Fatal(err)
	}
	defer rt.Close()
	bb, err := rt.UseBackbone(ctx, tiny(t, quant.Q8C))
	if err != nil {
		t.Fatal(err)
	}
	want, err := bb.Predict(ctx, gradient(40, 40), nil)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	served, refused := 0, 0
	for range 16 {
		wg.Go(func() {
			for range 20 {
				got, err := bb.Predict(ctx, gradient(40, 40), nil)
				mu.Lock()
				switch {
				case errors.Is(err, sdk.ErrBusy):
					refused++
				case err != nil || !reflect.DeepEqual(got, want):
					t.Errorf("%v, %v", got, err)
				default:
					served++
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if served == 0 || served+refused != 320 {
		t.Errorf("%d served, %d refused", served, refused)
	}
}

// TestCloseMeanwhile closes a backbone while a call of it runs, which makes another: that is refused, and nobody waits for ever.
func TestCloseMeanwhile(t *testing.T) {
	ctx := context.Background()
	rt, err := sdk.Open(ctx, sdk.WithDevice("cpu"))
	if err != nil {
		t.Fatal(err)
	}
	defer rt.Close()
	bb, err := rt.UseBackbone(ctx, tiny(t, quant.Q8C))
	if err != nil {
		t.Fatal(err)
	}
	a := attach(t, bb, task(t, bb, "par"))
	dir := t.TempDir()
	for _, label := range a.Labels() {
		if err := os.MkdirAll(filepath.Join(dir, label), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, label, "1.png"), picture(t, "rgb.png"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ds, err := data.OpenFolder(dir, data.Test)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	refused := 0
	_, err = bb.Evaluate(ctx, ds, a, func(int, int) {
		wg.Go(func() {
			if err := bb.Close(); err != nil {
				t.Error(err)
			}
		})
		for refused == 0 {
			switch _, err := bb.Predict(ctx, gradient(40, 40), nil); {
			case errors.Is(err, sdk.ErrClosed):
				refused++
			case err != nil:
				t.Error(err)
				refused++
			}
		}
	})
	if err != nil {
		t.Error(err)
	}
	wg.Wait()
}

// TestQueueBusyForAll: an image that is being read counts as waiting, whoever asks, so that ErrBusy comes before the memory of
// the next one is taken.
func TestQueueBusyForAll(t *testing.T) {
	ctx := context.Background()
	rt, err := sdk.Open(ctx, sdk.WithDevice("cpu"), sdk.WithQueue(1))
	if err != nil {
		t.Fatal(err)
	}
	defer rt.Close()
	bb, err := rt.UseBackbone(ctx, tiny(t, quant.Q8C))
	if err != nil {
		t.Fatal(err)
	}
	slow := &slowReader{begun: make(chan struct{}), come: make(chan struct{}), data: picture(t, "rgb.png")}
	done := make(chan error)
	go func() {
		_, err := bb.Predict(ctx, slow, nil)
		done <- err
	}()
	<-slow.begun // its picture is being read
	if _, err := bb.PredictAll(ctx, gradient(40, 40), []*sdk.Adapter{nil}); !errors.Is(err, sdk.ErrBusy) {
		t.Errorf("PredictAll: %v", err)
	}
	if _, err := bb.Predict(ctx, gradient(40, 40), nil); !errors.Is(err, sdk.ErrBusy) {
		t.Errorf("Predict: %v", err)
	}
	if n := rt.Stats().Waiting; n != 1 {
		t.Errorf("%d wait", n)
	}
	close(slow.come)
	if err := <-done; err != nil {
		t.Error(err)
	}
	if _, err := bb.PredictAll(ctx, 42, []*sdk.Adapter{nil}); !errors.Is(err, sdk.ErrInput) {
		t.Errorf("no picture: %v", err)
	}
	if _, err := bb.PredictAll(ctx, gradient(40, 40), []*sdk.Adapter{nil}); err != nil || rt.Stats().Waiting != 0 {
		t.Errorf("afterwards: %v, %d wait", err, rt.Stats().Waiting)
	}
}

// slowReader is a file that comes when it is told to.
type slowReader struct {
	begun, come chan struct{}
	once        sync.Once
	data        []byte
}

func (r *slowReader) Read(p []byte) (int, error) {
	r.once.Do(func() { close(r.begun) })
	<-r.come
	n := copy(p, r.data)
	r.data = r.data[n:]
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}
