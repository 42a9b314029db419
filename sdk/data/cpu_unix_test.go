//go:build unix

package data

import (
	"syscall"
	"testing"
	"time"
)

// reportCPU adds the processor time an operation to b's result: the wall clock says little on a machine that others use.
func reportCPU(b *testing.B) {
	start := cpuTime()
	b.Cleanup(func() { b.ReportMetric(float64((cpuTime()-start).Microseconds())/1000/float64(b.N), "cpu-ms/op") })
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
