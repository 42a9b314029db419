//go:build linux && !android && cgo && !novulkan

package gpu_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend/backendtest"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend/gpu"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend/gpu/gputest"
)

// divided is a device whose every operator is too long for a submission.
func divided(t *testing.T) backend.Backend {
	return gputest.OpenWith(t, gpu.Options{Untested: true, SegmentTime: 50 * time.Microsecond})
}

// TestDivided runs operators whose dispatches are divided into several submissions.
func TestDivided(t *testing.T) {
	gputest.Require(t)
	backendtest.Run(t, divided, tolerance, "linear", "linear_int8", "linear_bwd_x", "linear_bwd_x_int8", "matmul", "attention", "block", "timed")
	parts := 0
	for _, line := range blockPlan(t, divided(t), false) {
		if strings.Contains(line, " from ") {
			parts++
		}
	}
	if parts < 10 {
		t.Errorf("control: %d later parts of divided dispatches in a block", parts)
	}
}

// TestDivisible: kernels find their work in the one way that a divided dispatch leaves right. The canary and axpy, which do not,
// are never divided.
func TestDivisible(t *testing.T) {
	files, err := filepath.Glob("../../../../shaders/src/*.comp")
	more, _ := filepath.Glob("../../../../shaders/src/include/*.glsl")
	if err != nil || len(files) < 20 || len(more) < 5 {
		t.Fatalf("%d shaders and %d includes, %v", len(files), len(more), err)
	}
	right := regexp.MustCompile(`gl_WorkGroupID\.x \+ gl_WorkGroupID\.y \* gl_NumWorkGroups\.x\b|gl_GlobalInvocationID\.x \+ gl_GlobalInvocationID\.y \* gl_NumWorkGroups\.x \* gl_WorkGroupSize\.x`)
	other := regexp.MustCompile(`gl_(WorkGroupID|GlobalInvocationID|NumWorkGroups)`)
	found := 0
	for _, path := range append(files, more...) {
		if name := filepath.Base(path); name == "axpy.comp" || name == "canary.comp" {
			continue
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		found += len(right.FindAll(text, -1))
		if use := other.Find(right.ReplaceAll(text, nil)); use != nil {
			t.Errorf("%s uses %s in another way than a divided dispatch allows", path, use)
		}
	}
	if found < 4 {
		t.Errorf("control: %d uses in all", found)
	}
}
