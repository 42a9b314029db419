package main

import (
	"reflect"
	"strings"
	"testing"
)

func sample() table {
	return table{driver: "radv 1", rows: []row{{"linear", "VANGOGH", 56, 0, 0, 18, 1000, 65.3}, {"norm", "VANGOGH", 20, 0, 512, 32, 100, 0}}}
}

func TestBaselineRoundTrip(t *testing.T) {
	got, err := decode(sample().encode())
	if err != nil || !reflect.DeepEqual(got, sample()) {
		t.Errorf("%+v, %v", got, err)
	}
	for _, text := range []string{"", "# radv\n", "linear\n", "# radv\n" + columns + "\na\tb\n", "# radv\n" + columns + "\na\tb\tc\t0\t0\t0\t0\t0\n"} {
		if _, err := decode([]byte(text)); err == nil {
			t.Errorf("%q: no error", text)
		}
	}
}

// TestCompare: what gets worse is a complaint, what stays within a tenth is none.
func TestCompare(t *testing.T) {
	for name, c := range map[string]struct {
		change func(was, now *table)
		want   string // in the only complaint; none where empty
	}{
		"the same":                {func(_, _ *table) {}, ""},
		"a tenth more":            {func(_, now *table) { now.rows[0].instructions = 1100 }, ""},
		"more than a tenth more":  {func(_, now *table) { now.rows[0].instructions = 1101 }, "1101 instructions, 1000"},
		"more registers":          {func(_, now *table) { now.rows[0].registers = 64 }, "64 registers, 56"},
		"a spill":                 {func(_, now *table) { now.rows[0].spills = 1 }, "1 registers spill"},
		"shared memory":           {func(_, now *table) { now.rows[1].shared = 20000 }, "20000 bytes"},
		"a new kernel":            {func(was, _ *table) { was.rows = was.rows[:1] }, "not in the baseline"},
		"a kernel that is gone":   {func(_, now *table) { now.rows = now.rows[:1] }, "in the baseline only"},
		"another driver":          {func(_, now *table) { now.driver, now.rows[0].instructions = "radv 2", 9999 }, ""},
		"a spill, another driver": {func(_, now *table) { now.driver, now.rows[0].spills = "radv 2", 3 }, "3 registers spill"},
	} {
		was, now := sample(), sample()
		c.change(&was, &now)
		complaints, notes := compare(was, now)
		if (len(notes) > 0) != (was.driver != now.driver) {
			t.Errorf("%s: notes %q", name, notes)
		}
		if c.want == "" && len(complaints) > 0 || c.want != "" && (len(complaints) != 1 || !strings.Contains(complaints[0], c.want)) {
			t.Errorf("%s: complaints %q, want %q", name, complaints, c.want)
		}
	}
}
