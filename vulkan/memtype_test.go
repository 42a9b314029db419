package vulkan

import "testing"

func TestChooseMemory(t *testing.T) {
	const local, visible, coherent, cached = memoryDeviceLocal, memoryHostVisible, memoryHostCoherent, memoryHostCached
	software := []memoryFlags{local | visible | coherent | cached}
	discrete := []memoryFlags{0, local, visible | coherent, visible | coherent | cached, local | visible | coherent}
	phone := []memoryFlags{local, local | visible | cached, local | visible | coherent}
	tests := []struct {
		name    string
		types   []memoryFlags
		allowed uint32
		memory  Memory
		unified bool
		want    int
	}{
		{"software, local", software, 1, DeviceLocal, true, 0},
		{"software, host", software, 1, HostVisible, true, 0},
		{"discrete, local avoids the visible part", discrete, 31, DeviceLocal, false, 1},
		{"discrete, local with only the visible part", discrete, 16, DeviceLocal, false, 4},
		{"discrete, host is cached", discrete, 31, HostVisible, false, 3},
		{"discrete, host without cached", discrete, 7, HostVisible, false, 2},
		{"phone, local is coherent", phone, 7, DeviceLocal, true, 2},
		{"phone, host is cached", phone, 7, HostVisible, true, 1},
		{"nothing visible", phone, 1, HostVisible, true, -1},
		{"nothing allowed", phone, 0, DeviceLocal, true, -1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := chooseMemory(tt.types, tt.allowed, tt.memory, tt.unified); got != tt.want {
				t.Errorf("type %d, expected %d", got, tt.want)
			}
		})
	}
}
