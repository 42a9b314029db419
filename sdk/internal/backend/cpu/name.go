package cpu

import (
	"bufio"
	"os"
	"runtime"
	"strings"
)

// processorName is what the system calls the processor, or the architecture where it does not say.
func processorName() string {
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	defer f.Close()
	name := runtime.GOARCH
	for lines := bufio.NewScanner(f); lines.Scan(); {
		key, value, _ := strings.Cut(lines.Text(), ":")
		switch key, value = strings.TrimSpace(key), strings.TrimSpace(value); {
		case value == "":
		case key == "model name":
			return value
		case key == "Model" || key == "Hardware": // single-board computers: the board's name, after the cores
			name = value
		}
	}
	return name
}
