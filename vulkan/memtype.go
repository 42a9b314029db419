package vulkan

// Memory says who reaches a buffer's memory.
type Memory int

const (
	// DeviceLocal is for what kernels read and write. On GPUs that share memory with the host, and on software
	// drivers, the host writes it directly; elsewhere Write and Read copy through a staging buffer.
	DeviceLocal Memory = iota
	// HostVisible is for inputs and outputs: memory the host reads fast, and kernels reach.
	HostVisible
)

// memoryFlags are VkMemoryPropertyFlags.
type memoryFlags uint32

const (
	memoryDeviceLocal  memoryFlags = 1
	memoryHostVisible  memoryFlags = 2
	memoryHostCoherent memoryFlags = 4
	memoryHostCached   memoryFlags = 8
)

// preference is one choice of memory: types that have all of with and none of without.
type preference struct{ with, without memoryFlags }

var (
	// A mapped write goes to weights once, a mapped read of parameters is rare: cached memory is no must.
	unifiedLocal = []preference{
		{with: memoryDeviceLocal | memoryHostVisible | memoryHostCoherent},
		{with: memoryDeviceLocal | memoryHostVisible}, {with: memoryDeviceLocal}, {},
	}
	// The host-visible part of a discrete GPU's memory may be small: leave it to others.
	discreteLocal = []preference{
		{with: memoryDeviceLocal, without: memoryHostVisible}, {with: memoryDeviceLocal}, {},
	}
	// Uncached reads by the host are slow, so cached memory wins even where it must be flushed by hand.
	hostVisible = []preference{
		{with: memoryHostVisible | memoryHostCached | memoryHostCoherent},
		{with: memoryHostVisible | memoryHostCached},
		{with: memoryHostVisible | memoryHostCoherent}, {with: memoryHostVisible},
	}
)

// chooseMemory returns the index of the best memory type among those allowed (a bit set), -1 if none will do.
func chooseMemory(types []memoryFlags, allowed uint32, m Memory, unified bool) int {
	preferences := hostVisible
	if m == DeviceLocal {
		preferences = discreteLocal
		if unified {
			preferences = unifiedLocal
		}
	}
	for _, p := range preferences {
		for i, flags := range types {
			if allowed>>i&1 == 1 && flags&p.with == p.with && flags&p.without == 0 {
				return i
			}
		}
	}
	return -1
}
