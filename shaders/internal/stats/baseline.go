package main

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
)

// Budgets of every kernel, whatever the driver.
const (
	maxShared = 16 << 10  // bytes: what every Vulkan device has
	maxGrowth = 10. / 100 // of registers and instructions, against the baseline by the same driver
)

const columns = "kernel\tfamily\tregisters\tspills\tshared\twaves\tinstructions\tcycles"

// encode writes a table: the driver, the columns, a row a line.
func (t table) encode() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# %s\n%s\n", t.driver, columns)
	for _, r := range t.rows {
		fmt.Fprintf(&b, "%s\t%s\t%d\t%d\t%d\t%d\t%d\t%.1f\n", r.kernel, r.family, r.registers, r.spills, r.shared, r.waves, r.instructions, r.cycles)
	}
	return b.Bytes()
}

// decode reads what encode writes.
func decode(text []byte) (table, error) {
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	if len(lines) < 2 || !strings.HasPrefix(lines[0], "# ") || lines[1] != columns {
		return table{}, fmt.Errorf("expected a driver after # and the columns %q", columns)
	}
	t := table{driver: lines[0][2:]}
	for i, line := range lines[2:] {
		f := strings.Split(line, "\t")
		if len(f) != 8 {
			return t, fmt.Errorf("line %d has %d fields, expected 8", i+3, len(f))
		}
		r := row{kernel: f[0], family: f[1]}
		for k, to := range []*int{&r.registers, &r.spills, &r.shared, &r.waves, &r.instructions} {
			n, err := strconv.Atoi(f[2+k])
			if err != nil {
				return t, fmt.Errorf("line %d: %w", i+3, err)
			}
			*to = n
		}
		var err error
		if r.cycles, err = strconv.ParseFloat(f[7], 64); err != nil {
			return t, fmt.Errorf("line %d: %w", i+3, err)
		}
		t.rows = append(t.rows, r)
	}
	return t, nil
}

// compare holds now against the budgets and, where the same driver made both, against was. Kernels that only one of them has are
// complaints too: the baseline goes with the shaders.
func compare(was, now table) (complaints, notes []string) {
	before := map[[2]string]row{}
	for _, r := range was.rows {
		before[[2]string{r.kernel, r.family}] = r
	}
	same := was.driver == now.driver
	if !same {
		notes = append(notes, fmt.Sprintf("the baseline is by %s, this is %s: instructions and registers are not compared", was.driver, now.driver))
	}
	for _, r := range now.rows {
		complain := func(format string, args ...any) {
			complaints = append(complaints, fmt.Sprintf("%s on %s: ", r.kernel, r.family)+fmt.Sprintf(format, args...))
		}
		key := [2]string{r.kernel, r.family}
		old, known := before[key]
		delete(before, key)
		if r.spills > 0 {
			complain("%d registers spill", r.spills)
		}
		if r.shared > maxShared {
			complain("%d bytes of shared memory, at most %d allowed", r.shared, maxShared)
		}
		switch {
		case !known:
			complain("not in the baseline")
		case same && float64(r.instructions) > float64(old.instructions)*(1+maxGrowth):
			complain("%d instructions, %d in the baseline", r.instructions, old.instructions)
		case same && float64(r.registers) > float64(old.registers)*(1+maxGrowth):
			complain("%d registers, %d in the baseline", r.registers, old.registers)
		}
	}
	for _, r := range was.rows {
		if _, left := before[[2]string{r.kernel, r.family}]; left {
			complaints = append(complaints, fmt.Sprintf("%s on %s: in the baseline only", r.kernel, r.family))
		}
	}
	return complaints, notes
}
