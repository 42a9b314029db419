package vits14

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"strings"
	"testing"
	"unsafe"

	"github.com/edgeadapt/edgeadapt/quant"
)

//go:embed vit-s14.q8c.safetensors.sha256
var digest string

func TestDigest(t *testing.T) {
	sum := sha256.Sum256(file)
	if want := strings.Fields(digest)[0]; hex.EncodeToString(sum[:]) != want {
		t.Errorf("the embedded file has SHA-256 %x, expected %s", sum, want)
	}
}

func TestOpen(t *testing.T) {
	b, err := Open()
	if err != nil {
		t.Fatal(err)
	}
	c := b.Config()
	if c.Name != "vit-s14" || c.Dim != 384 || c.Depth != 12 || c.Heads != 6 || c.Patch != 14 || !c.LayerScale || b.Scheme() != quant.Q8C {
		t.Errorf("%+v, scheme %s", c, b.Scheme())
	}
	if again, _ := Open(); again != b {
		t.Error("a second Open returns another backbone")
	}
	if p := b.Positions(8, 8); len(p.Data) != 64*384 {
		t.Errorf("positions %v", p.Shape)
	}
}

// TestAliases makes sure that the weights, scales and half-precision tensors are views of the program's data: opening
// must not cost 23 MB of heap.
func TestAliases(t *testing.T) {
	b, err := Open()
	if err != nil {
		t.Fatal(err)
	}
	lo := uintptr(unsafe.Pointer(unsafe.SliceData(file)))
	inside := func(p unsafe.Pointer) bool { return uintptr(p) >= lo && uintptr(p) < lo+uintptr(len(file)) }
	m, _ := b.Linear(3, "attn.qkv")
	if !inside(unsafe.Pointer(&m.Int8[0])) || !inside(unsafe.Pointer(&m.Scale[0])) {
		t.Error("weights or scales were copied")
	}
}
