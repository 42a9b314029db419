package profile

import (
	"bytes"
	"encoding/json"
	"math"
	"testing"
	"time"

	"github.com/edgeadapt/edgeadapt/quant"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend/cpu"
	"github.com/pkg/errors"
)

// events are a copy, two equal products of two kernels, one of another size and one vector, with times that are easy to add.
func events() []Event {
	product := backend.Work{MACs: 4e6, Bytes: 1e6}
	at := time.Duration(0)
	event := func(op int, operator, size, kernel string, took time.Duration, w backend.Work) Event {
		e := Event{Operator: operator, Size: size, Kernel: kernel, Op: op, Work: w, Start: at, Took: took}
		at += took + time.Millisecond
		return e
	}
	return []Event{
		event(-1, "copy", "", "copy", time.Millisecond, backend.Work{}),
		event(0, "linear", "8x8 of 8", "round", time.Millisecond, product), event(0, "linear", "8x8 of 8", "product", 3*time.Millisecond, product),
		event(1, "linear", "8x8 of 8", "round", time.Millisecond, product), event(1, "linear", "8x8 of 8", "product", 3*time.Millisecond, product),
		event(2, "linear", "4x4 of 8", "product", 2*time.Millisecond, product),
		event(3, "scale", "64", "scale", 9*time.Millisecond, backend.Work{Bytes: 18e6}),
	}
}

func TestTable(t *testing.T) {
	p := Table(events(), "a clock", 40*time.Millisecond, Roof{GOPS: 1, GBs: 4})
	if p.KernelMS != 20 || p.PassMS != 40 {
		t.Errorf("%v ms of kernels in %v ms", p.KernelMS, p.PassMS)
	}
	// 8 M operations in 2 ms: faster than the calibration, so the roof.
	if math.Abs(p.Roof.GOPS-4) > 1e-9 || p.Roof.GBs != 4 {
		t.Errorf("roof %+v", p.Roof)
	}
	want := []Row{
		{Operator: "scale", Size: "64", Count: 1, MS: 9, Share: 0.45, MB: 18, GBs: 2, Roofline: 0.5, Bound: "memory"},
		{Operator: "linear", Size: "8x8 of 8", Count: 2, MS: 8, Share: 0.4, GOPS: 2, MB: 2, GBs: 0.25, Roofline: 0.5, Bound: "compute"},
		{Operator: "linear", Size: "4x4 of 8", Count: 1, MS: 2, Share: 0.1, GOPS: 4, MB: 1, GBs: 0.5, Roofline: 1, Bound: "compute"},
		{Operator: "copy", Count: 1, MS: 1, Share: 0.05, Bound: "memory"},
	}
	if len(p.Rows) != len(want) {
		t.Fatalf("%d rows: %+v", len(p.Rows), p.Rows)
	}
	sum := 0.0
	for i, r := range p.Rows {
		w := want[i]
		sum += r.MS
		if r.Operator != w.Operator || r.Size != w.Size || r.Count != w.Count || r.Bound != w.Bound {
			t.Errorf("row %d: %+v, expected %+v", i, r, w)
		}
		for _, pair := range [][2]float64{{r.MS, w.MS}, {r.Share, w.Share}, {r.GOPS, w.GOPS}, {r.MB, w.MB}, {r.GBs, w.GBs}, {r.Roofline, w.Roofline}} {
			if math.Abs(pair[0]-pair[1]) > 1e-9 {
				t.Errorf("row %d: %+v, expected %+v", i, r, w)
			}
		}
	}
	if k := p.Rows[1].Kernels; len(k) != 2 || k[0] != (Kernel{"round", 2, 2}) || k[1] != (Kernel{"product", 2, 6}) {
		t.Errorf("kernels %+v", k)
	}
	if math.Abs(sum-p.KernelMS) > 1e-9 {
		t.Errorf("rows take %v ms, kernels %v ms", sum, p.KernelMS)
	}
}

// TestTableOfNothing: a clock too coarse for a pass makes no infinities, which JSON has no word for.
func TestTableOfNothing(t *testing.T) {
	still := events()
	for i := range still {
		still[i].Took = 0
	}
	for _, list := range [][]Event{still, nil} {
		if _, err := json.Marshal(Table(list, "", 0, Roof{GOPS: 1, GBs: 1})); err != nil {
			t.Error(err)
		}
	}
}

func TestTrace(t *testing.T) {
	var out bytes.Buffer
	p := Table(events(), "a clock", 40*time.Millisecond, Roof{GOPS: 1, GBs: 4})
	if err := p.WriteTrace(&out, `a "device" <of> ours`); err != nil {
		t.Fatal(err)
	}
	var trace struct {
		TraceEvents []struct {
			Name, Ph string
			Ts, Dur  float64
			Tid      int
			Args     map[string]any
		}
	}
	if err := json.Unmarshal(out.Bytes(), &trace); err != nil {
		t.Fatal(err)
	}
	count, end := map[int]int{}, map[int]float64{}
	for _, e := range trace.TraceEvents {
		if e.Ph == "M" {
			continue
		}
		if e.Ph != "X" || e.Ts < end[e.Tid] || e.Name == "" {
			t.Errorf("%+v; its row is busy until %v", e, end[e.Tid])
		}
		count[e.Tid]++
		end[e.Tid] = e.Ts + e.Dur
	}
	if count[operatorTrack] != 4 || count[kernelTrack] != 7 || end[operatorTrack] != 26000 || end[kernelTrack] != 26000 {
		t.Errorf("%v events, the rows end at %v us", count, end)
	}
	if trace.TraceEvents[0].Args["name"] != `a "device" <of> ours` {
		t.Errorf("process %v", trace.TraceEvents[0])
	}
}

// TestCalibrate: on a device that is right, and on one that is wrong and gets no rates.
func TestCalibrate(t *testing.T) {
	be, err := cpu.New(cpu.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer be.Close()
	watch, err := New(be)
	if err != nil {
		t.Fatal(err)
	}
	block := 0
	if be.Info().Int8 {
		block = quant.PerToken
	}
	roof, err := watch.Calibrate(t.Context(), quant.Q8C, block)
	if err != nil || roof.GOPS <= 0 || roof.GBs <= 0 || roof.How == "" {
		t.Errorf("%+v, %v", roof, err)
	}
	if n := be.MemoryInUse(); n != 0 {
		t.Errorf("%d bytes left", n)
	}
	watch.timer = wrong{watch.timer}
	if roof, err := watch.Calibrate(t.Context(), quant.Q8C, 0); err == nil {
		t.Errorf("a device that computes wrongly has the rates %+v", roof)
	}
	if _, err := New(untimed{be}); !errors.Is(err, backend.ErrNoDevice) {
		t.Errorf("%v", err)
	}
}

// untimed is a device that cannot tell times.
type untimed struct{ backend.Backend }

// wrong is a device one of whose results is wrong.
type wrong struct{ backend.Profiler }

func (w wrong) CompileTimed(p *backend.Program) (backend.Timed, error) {
	e, err := w.Profiler.CompileTimed(p)
	return wrongly{e}, err
}

type wrongly struct{ backend.Timed }

func (w wrongly) ReadFloats(v backend.Value, dst []float32) error {
	err := w.Timed.ReadFloats(v, dst)
	dst[len(dst)/2]++
	return err
}
