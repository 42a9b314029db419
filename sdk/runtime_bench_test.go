//go:build unix

package sdk_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/edgeadapt/edgeadapt/sdk"
	"github.com/edgeadapt/edgeadapt/sdk/adapter"
	"github.com/edgeadapt/edgeadapt/sdk/backbones/vits14"
)

// The benchmarks of this file compare ways to use adapters of 64 hidden channels on the built-in ViT-S/14. Each checks its
// answers first. What is compared is timed in turns, and a ratio is that of the medians: `make bench-runtime`.

// runtimeBench is an open runtime with adapters; BENCH_DEVICE names the device, the CPU by default, BENCH_SIDE the side of
// the images, 224 by default.
type runtimeBench struct {
	rt       *sdk.Runtime
	bb       *sdk.Backbone
	hosts    []*adapter.Adapter
	adapters []*sdk.Adapter
	images   []sdk.Tensor
}

func newRuntimeBench(b *testing.B, tasks int, blocks []int, opts ...sdk.Option) *runtimeBench {
	b.Helper()
	ctx := context.Background()
	device, side := "cpu", 224
	if s := os.Getenv("BENCH_DEVICE"); s != "" {
		device = s
	}
	if s := os.Getenv("BENCH_SIDE"); s != "" {
		fmt.Sscan(s, &side)
	}
	rt, err := sdk.Open(ctx, append(opts, sdk.WithDevice(device))...)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := rt.Close(); err != nil {
			b.Error(err)
		}
	})
	vit, err := vits14.Open()
	if err != nil {
		b.Fatal(err)
	}
	r := &runtimeBench{rt: rt}
	if r.bb, err = rt.UseBackbone(ctx, vit); err != nil {
		b.Fatal(err)
	}
	for i := range tasks {
		a, err := adapter.New(adapter.Config{Method: adapter.AdaptFormer, Blocks: blocks, Bottleneck: 64, Scale: 0.1,
			Pool: adapter.PoolCLSMean, HeadNorm: true, Task: adapter.SingleLabel, Labels: []string{"a", "b", "c"}[:2+i%2],
			Size: side, Fit: adapter.Crop, Interpolation: "bicubic", Std: [3]float32{1, 1, 1}}, r.bb.Info().Ref(), uint64(i))
		if err != nil {
			b.Fatal(err)
		}
		a = variant(b, r.bb, a, i)
		r.hosts = append(r.hosts, a)
		r.adapters = append(r.adapters, attach(b, r.bb, a))
	}
	for i := range 16 {
		x := sdk.Tensor{Shape: []int{3, side, side}, Data: make([]float32, 3*side*side)}
		for j := range x.Data {
			x.Data[j] = float32((j*(2*i+3))%255)/127 - 1
		}
		r.images = append(r.images, x)
	}
	return r
}

var allBlocks, lateBlocks = []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, []int{6, 7, 8, 9, 10, 11}

// requests ask adapter i%distinct of image i.
func (r *runtimeBench) requests(n, distinct int) (reqs []sdk.Request) {
	for i := range n {
		reqs = append(reqs, sdk.Request{Image: r.images[i], Adapter: r.adapters[i%distinct]})
	}
	return reqs
}

func (r *runtimeBench) batch(b *testing.B, reqs []sdk.Request) []sdk.Result {
	rs, err := r.bb.PredictBatch(context.Background(), reqs)
	if err != nil {
		b.Fatal(err)
	}
	return rs
}

// check holds a batch's answers to those of each request alone.
func (r *runtimeBench) check(b *testing.B, reqs []sdk.Request) {
	b.Helper()
	for i, got := range r.batch(b, reqs) {
		want, err := r.bb.Predict(context.Background(), reqs[i].Image, reqs[i].Adapter)
		if err != nil || !equal(got, want) {
			b.Fatalf("request %d: %v, alone %v (%v)", i, got.Labels, want.Labels, err)
		}
	}
}

// cpuSeconds is the processor time that the process has used.
func cpuSeconds() float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

// compare times fs in turns and gives the median of each in seconds: of wall time, or with BENCH_CLOCK=cpu of processor time,
// which is steadier where others are at work, and leaves out what a caller waits.
func compare(b *testing.B, fs ...func()) []float64 {
	began := time.Now()
	clock := func() float64 { return time.Since(began).Seconds() }
	if os.Getenv("BENCH_CLOCK") == "cpu" {
		clock = cpuSeconds
	}
	times := make([][]float64, len(fs))
	for _, f := range fs {
		f() // compiles
	}
	for first := 0; b.Loop(); first++ { // each in every place: what comes after another may find a busier machine
		for k := range fs {
			i := (first + k) % len(fs)
			from := clock()
			fs[i]()
			times[i] = append(times[i], clock()-from)
		}
	}
	out := make([]float64, len(fs))
	for i, t := range times {
		slices.Sort(t)
		out[i] = t[len(t)/2]
	}
	return out
}

// BenchmarkSwitch: predictions that change the adapter each time beside predictions that do not.
func BenchmarkSwitch(b *testing.B) {
	r := newRuntimeBench(b, 2, allBlocks)
	r.check(b, r.requests(2, 2))
	at := 0
	one := func(next int) func() {
		return func() {
			at = (at + next) % 2
			r.batch(b, []sdk.Request{{Image: r.images[0], Adapter: r.adapters[at]}})
		}
	}
	t := compare(b, one(0), one(1))
	b.ReportMetric(100*(t[1]/t[0]-1), "%-of-a-pass")
	b.ReportMetric(1000*t[0], "ms/pass")
}

// BenchmarkLoad: from an adapter's file to ready.
func BenchmarkLoad(b *testing.B) {
	r := newRuntimeBench(b, 1, allBlocks)
	path := filepath.Join(b.TempDir(), "a.safetensors")
	if err := r.hosts[0].WriteFile(path); err != nil {
		b.Fatal(err)
	}
	want := r.batch(b, r.requests(1, 1))[0]
	var last *sdk.Adapter
	t := compare(b, func() {
		a, err := r.bb.LoadAdapter(context.Background(), path)
		if err != nil {
			b.Fatal(err)
		}
		if last != nil {
			last.Close()
		}
		last = a
	})
	if got := r.batch(b, []sdk.Request{{Image: r.images[0], Adapter: last}})[0]; !equal(got, want) {
		b.Fatalf("%v, expected %v", got.Labels, want.Labels)
	}
	b.ReportMetric(1000*t[0], "ms/load")
}

// BenchmarkMix: a batch of 8 images with 8 adapters beside the same with one.
func BenchmarkMix(b *testing.B) {
	r := newRuntimeBench(b, 8, allBlocks)
	r.check(b, r.requests(8, 8))
	one, eight := r.requests(8, 1), r.requests(8, 8)
	t := compare(b, func() { r.batch(b, one) }, func() { r.batch(b, eight) })
	b.ReportMetric(t[1]/t[0], "x-of-one-adapter")
	b.ReportMetric(1000*t[0], "ms/pass")
}

// BenchmarkPredictAll: 3 tasks with branches in blocks 7 to 12 asked of one image, in passes with one of them.
func BenchmarkPredictAll(b *testing.B) {
	r := newRuntimeBench(b, 3, lateBlocks)
	ctx := context.Background()
	all := func() []sdk.Result {
		rs, err := r.bb.PredictAll(ctx, r.images[0], r.adapters)
		if err != nil {
			b.Fatal(err)
		}
		return rs
	}
	for i, got := range all() {
		want, err := r.bb.Predict(ctx, r.images[0], r.adapters[i])
		if err != nil || !equal(got, want) {
			b.Fatalf("task %d: %v, alone %v (%v)", i, got.Labels, want.Labels, err)
		}
	}
	t := compare(b, func() { r.batch(b, r.requests(1, 1)) }, func() { all() })
	b.ReportMetric(t[1]/t[0], "passes")
}

// BenchmarkScheduler: 16 callers with 4 adapters, one image at a time each, beside the best fixed batch.
func BenchmarkScheduler(b *testing.B) {
	const callers, each = 16, 2
	r := newRuntimeBench(b, 4, allBlocks)
	reqs := r.requests(callers, 4)
	r.check(b, reqs)
	fixed := func(n int) func() {
		return func() {
			for range each {
				for i := 0; i < callers; i += n {
					r.batch(b, reqs[i:i+n])
				}
			}
		}
	}
	want := r.batch(b, reqs)
	scheduled := func() {
		var wg sync.WaitGroup
		for i := range callers {
			wg.Go(func() {
				for range each {
					if got := r.batch(b, reqs[i:i+1])[0]; !equal(got, want[i]) {
						b.Errorf("caller %d: %v, expected %v", i, got.Labels, want[i].Labels)
					}
				}
			})
		}
		wg.Wait()
	}
	t := compare(b, scheduled, fixed(1), fixed(4), fixed(8), fixed(16))
	best := slices.Min(t[1:])
	b.ReportMetric(best/t[0], "x-of-best-fixed-batch")
	b.ReportMetric(callers*each/t[0], "images/s")
}
