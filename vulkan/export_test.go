//go:build linux && !android && cgo && !novulkan

package vulkan

import (
	"crypto/sha256"
	"time"
)

// StagingOptions makes a device treat its local memory as out of the host's reach, as on a discrete GPU.
var StagingOptions = DeviceOptions{RobustAccess: true, forceStaging: true}

// SegmentDispatches is the length of a submission of commands without estimates.
const SegmentDispatches = 50

// SegmentTime is the longest estimated time of a submission.
const SegmentTime = segmentTime

// Segments is the number of submissions.
func (rec *Recording) Segments() int { return len(rec.segments) }

// Repeat submits segment from where segment to belongs, as if a driver had lost the one and got to another.
func (rec *Recording) Repeat(from, to int) { rec.segments[to] = rec.segments[from] }

// Pipelines is how many pipelines the device has made or is making.
func (d *Device) Pipelines() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.kernels)
}

// StagingBytes is the length of one copy through staging.
const StagingBytes = stagingBytes

// DropBarriers makes the recording wrong, for the negative control of the barrier tests.
func (r *Recorder) DropBarriers() { clear(r.barriers) }

var _ = [1]struct{}{}[segmentTime/unknownTime-SegmentDispatches] // they agree

// CacheData is what of a pipeline cache's file d would give to its driver.
func CacheData(d *Device, file []byte) []byte { return d.physical.cacheData(file) }

// Sealed is a pipeline cache's file with one byte of its data changed, or with only a byte of data where at is -1, and the right sum.
func Sealed(file []byte, at int) []byte {
	data := append([]byte(nil), file[sha256.Size:]...)
	if at < 0 {
		data = data[:1]
	} else {
		data[at] ^= 1
	}
	sum := sha256.Sum256(data)
	return append(sum[:], data...)
}

// TicksBetween is the time between two readings of a clock of so many bits and nanoseconds a tick.
func TicksBetween(bits uint, period float64, from, to uint64) time.Duration {
	t := timing{mask: 1<<bits - 1, period: period}
	return t.between(from, to)
}
