//go:build linux && !android && cgo && !novulkan

package vulkan

// StagingOptions makes a device treat its local memory as out of the host's reach, as on a discrete GPU.
var StagingOptions = DeviceOptions{RobustAccess: true, forceStaging: true}

// SegmentDispatches is the length of a submission.
const SegmentDispatches = segmentDispatches

// StagingBytes is the length of one copy through staging.
const StagingBytes = stagingBytes

// DropBarriers makes the recording wrong, for the negative control of the barrier tests.
func (r *Recorder) DropBarriers() { clear(r.barriers) }
