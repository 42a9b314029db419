package profile

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// Profile is where the time of one pass went.
type Profile struct {
	Clock    string  `json:"clock"`     // what measured the kernels
	PassMS   float64 `json:"pass_ms"`   // wall time of the profiled pass, whose kernels wait for each other
	KernelMS float64 `json:"kernel_ms"` // all kernels together
	Roof     Roof    `json:"roof"`
	Rows     []Row   `json:"operators"` // the longest first

	Events []Event `json:"-"` // in order, for WriteTrace
}

// Row is all runs of an operator at one size with the same kernels.
type Row struct {
	Operator string   `json:"operator"`
	Size     string   `json:"size,omitempty"` // of its results, and how many products make one element
	Kernels  []Kernel `json:"kernels"`
	Count    int      `json:"count"`
	MS       float64  `json:"ms"`             // of all runs, in one pass
	Share    float64  `json:"share"`          // of the time of all kernels
	GOPS     float64  `json:"gops,omitempty"` // 1e9 operations a second, two a multiply-add; 0 for operators that are no product
	MB       float64  `json:"mb"`             // operands of all runs, each once
	GBs      float64  `json:"gb_per_s"`
	Roofline float64  `json:"roofline"` // the least time that the roof allows, as a share of the time taken
	Bound    string   `json:"bound"`    // what sets that least time: "compute" or "memory"
}

// Kernel is a kernel's part of a Row.
type Kernel struct {
	Name  string  `json:"name"`
	Count int     `json:"count"`
	MS    float64 `json:"ms"`
}

// Roof is the best that any kernel reached.
type Roof struct {
	GOPS float64 `json:"gops"`
	GBs  float64 `json:"gb_per_s"`
	How  string  `json:"how"`
}

// leastShare of a pass's time is what an operator takes whose rates are believed: a shorter time is mostly the clock's error.
const leastShare = 0.01

// Table sorts the events of one pass into rows. The roof is the calibration's, or what an operator of the pass reached where that
// is more.
func Table(events []Event, clock string, pass time.Duration, roof Roof) *Profile {
	p := &Profile{Clock: clock, PassMS: ms(pass), Roof: roof, Events: events}
	rows, works := group(events)
	for i := range rows {
		p.KernelMS += rows[i].MS
	}
	for i := range rows {
		r, w := &rows[i], works[i]
		r.MB = float64(w.Bytes) / 1e6
		if r.MS > 0 {
			r.Share, r.GOPS, r.GBs = r.MS/p.KernelMS, 2*float64(w.MACs)/r.MS/1e6, float64(w.Bytes)/r.MS/1e6
		}
		if r.Share >= leastShare {
			p.Roof.GOPS, p.Roof.GBs = max(p.Roof.GOPS, r.GOPS), max(p.Roof.GBs, r.GBs)
		}
	}
	for i := range rows {
		compute, memory := rows[i].GOPS/p.Roof.GOPS, rows[i].GBs/p.Roof.GBs
		rows[i].Roofline, rows[i].Bound = min(max(compute, memory), 1), "memory"
		if compute > memory {
			rows[i].Bound = "compute"
		}
	}
	slices.SortStableFunc(rows, func(a, b Row) int { return cmp.Compare(b.MS, a.MS) })
	p.Rows = rows
	return p
}

type work struct{ MACs, Bytes int64 }

// group makes a row of each operator, size and list of kernels, in the order of their first run.
func group(events []Event) (rows []Row, works []work) {
	index := map[string]int{}
	for len(events) > 0 {
		n := 1
		for events[0].Op >= 0 && n < len(events) && events[n].Op == events[0].Op {
			n++
		}
		one := events[:n]
		events = events[n:]
		names := []string{one[0].Operator, one[0].Size}
		for _, e := range one {
			names = append(names, e.Kernel)
		}
		key := strings.Join(names, "\n")
		at, ok := index[key]
		if !ok {
			at = len(rows)
			index[key] = at
			rows, works = append(rows, Row{Operator: one[0].Operator, Size: one[0].Size}), append(works, work{})
		}
		rows[at].add(one)
		works[at].MACs += one[0].Work.MACs
		works[at].Bytes += one[0].Work.Bytes
	}
	return rows, works
}

// add counts one run of the operator.
func (r *Row) add(one []Event) {
	r.Count++
	for _, e := range one {
		r.MS += ms(e.Took)
		at := slices.IndexFunc(r.Kernels, func(k Kernel) bool { return k.Name == e.Kernel })
		if at < 0 {
			at = len(r.Kernels)
			r.Kernels = append(r.Kernels, Kernel{Name: e.Kernel})
		}
		r.Kernels[at].Count++
		r.Kernels[at].MS += ms(e.Took)
	}
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
