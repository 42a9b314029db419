package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestLibrary lists and searches a folder with a good adapter and a broken one.
func TestLibrary(t *testing.T) {
	backbone := tinyBackbone(t, "q8c")
	dir := filepath.Dir(untrained(t, backbone, "ripe", "rotten"))
	if err := os.WriteFile(filepath.Join(dir, "broken.safetensors"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	o := must(t, "adapters", "list", dir, "--backbone", backbone)
	if !strings.Contains(o.stdout, "2: ripe, rotten") || !strings.Contains(o.stderr, "broken.safetensors") {
		t.Errorf("list: %s%s", o.stdout, o.stderr)
	}
	var rows []libraryRow
	o = must(t, "adapters", "search", "ripe", "fruits", "--dir", dir, "--backbone", backbone, "--json")
	if err := json.Unmarshal([]byte(o.stdout), &rows); err != nil || len(rows) != 1 || rows[0].Name != "task" || !rows[0].Fits || rows[0].Score <= 0 {
		t.Errorf("search: %v %+v", err, rows)
	}
	if o = must(t, "adapters", "search", "submarine", "--dir", dir, "--backbone", backbone); o.stdout != "" || !strings.Contains(o.stderr, "no adapters found") {
		t.Errorf("search for nothing: %s%s", o.stdout, o.stderr)
	}
}

// TestSign goes the whole way: keys, signature, verification, and a file that was changed afterwards.
func TestSign(t *testing.T) {
	backbone := tinyBackbone(t, "q8c")
	task := untrained(t, backbone, "only")
	key, other := filepath.Join(t.TempDir(), "a.key"), filepath.Join(t.TempDir(), "b.key")
	must(t, "adapters", "keygen", "-o", key)
	must(t, "adapters", "keygen", "-o", other)
	if info, err := os.Stat(key); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("private key: %v, %v", info.Mode(), err)
	}
	verify := func(want int, args ...string) outcome {
		t.Helper()
		o := edgeadapt(append([]string{"adapters", "verify", task, "--backbone", backbone}, args...)...)
		if o.code != want {
			t.Errorf("verify %v: exit %d, expected %d: %s%s", args, o.code, want, o.stdout, o.stderr)
		}
		return o
	}
	if o := verify(exitOK); !strings.Contains(o.stdout, "none") {
		t.Errorf("unsigned: %s", o.stdout)
	}
	verify(exitCheck, "--key", key+".pub")
	must(t, "adapters", "sign", task, "--key", key)
	verify(exitOK)
	verify(exitOK, "--key", key+".pub", "--key", other+".pub")
	verify(exitCheck, "--key", other+".pub")
	verify(exitData, "--key", key) // a private key where a public one is wanted
	if o := edgeadapt("adapters", "keygen", "-o", key); o.code != exitData {
		t.Errorf("keygen over a key: exit %d", o.code)
	}
	data, err := os.ReadFile(task)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)-1] ^= 1
	if err := os.WriteFile(task, data, 0o600); err != nil {
		t.Fatal(err)
	}
	verify(exitCheck)
	// A file that cannot be read does not keep the others from their verdicts.
	good := untrained(t, backbone, "good")
	broken := write(t, filepath.Join(t.TempDir(), "broken.safetensors"), []byte("nothing"))
	var list []verdict
	if o := verify(exitData, broken, good, "--json"); json.Unmarshal([]byte(o.stdout), &list) != nil || len(list) != 3 {
		t.Fatalf("three files: %s", o.stdout)
	}
	if list[0].OK || list[0].Error != "" || list[1].OK || list[1].Error == "" || !list[2].OK {
		t.Errorf("verdicts %+v", list)
	}
	if o := verify(exitData, broken, good); !strings.Contains(o.stdout, good) || strings.Contains(o.stdout, broken) || !strings.Contains(o.stderr, "1 of 3 files") {
		t.Errorf("table: %s%s", o.stdout, o.stderr)
	}
}

func FuzzKey(f *testing.F) {
	f.Add([]byte("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"))
	f.Add([]byte("no key"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if b, err := parseKey("key", pemPublic, text); (err == nil) != (b != nil) && err != nil {
			t.Fatal("bytes beside an error")
		}
	})
}
