//go:build unix

package main

import (
	"bytes"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// asProgram makes the test's own executable, started again, the program.
const asProgram = "EDGEADAPT_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
	}
	os.Exit(m.Run())
}

// killsVariable sets the number of times that TestKilled kills the program.
const killsVariable = "EDGEADAPT_KILLS"

// TestKilled kills a tuning run at random moments, resuming it each time, until it has been killed 12 times or as often
// as EDGEADAPT_KILLS says. Left alone at last, it gives the file of an undisturbed run, byte for byte. Every moment may
// be hit: starting, encoding, a step, the writing of a checkpoint, the renaming.
func TestKilled(t *testing.T) {
	kills := 12
	if n, err := strconv.Atoi(os.Getenv(killsVariable)); err == nil {
		kills = n
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	backbone, dir, out := tinyBackbone(t, "q8c"), stripes(t, t.TempDir(), 8, "a", "b", "c"), t.TempDir()
	tune := func(path string, more ...string) *exec.Cmd {
		args := tinyTune(backbone, dir, path, append([]string{"--epochs", strconv.Itoa(20 + 4*kills), "--checkpoint-every", "1"}, more...)...)
		c := exec.Command(os.Args[0], args...)
		c.Env = append(os.Environ(), asProgram+"=1")
		return c
	}
	whole := filepath.Join(t.TempDir(), "task.safetensors")
	began := time.Now()
	if text, err := tune(whole).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	undisturbed := time.Since(began)

	task := filepath.Join(out, "task.safetensors")
	var places []string // where the runs began
	for k := 0; k < kills; {
		var stderr bytes.Buffer
		c := tune(task, "--resume")
		c.Stderr = &stderr
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		// Time to start or not, and to get on by a share of the run.
		time.Sleep(time.Duration(rnd.Int64N(int64(150*time.Millisecond + 6*undisturbed/time.Duration(5*kills)))))
		_ = c.Process.Kill() // it may have ended
		if err := c.Wait(); err == nil {
			t.Logf("the run ended after %d of %d kills", k, kills)
			break
		} else if status := c.ProcessState.Sys().(syscall.WaitStatus); !status.Signaled() {
			t.Fatalf("after %d kills: %v\n%s", k, err, &stderr)
		}
		k++
		if line, _, _ := strings.Cut(stderr.String(), "\n"); strings.HasPrefix(line, "resuming") {
			_, place, _ := strings.Cut(line, ", at ")
			places = append(places, place)
		}
	}
	if text, err := tune(task, "--resume").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	a, _ := os.ReadFile(whole)
	b, _ := os.ReadFile(task)
	if len(a) == 0 || !bytes.Equal(a, b) {
		t.Error("the file is not that of an undisturbed run")
	}
	if left := files(t, out); !slices.Equal(left, []string{"task.safetensors"}) {
		t.Errorf("files left: %q", left)
	}
	t.Logf("undisturbed %.1f s; %d kills; resumed at %d places:\n%s", undisturbed.Seconds(), kills, len(slices.Compact(slices.Clone(places))), strings.Join(places, "\n"))
}
