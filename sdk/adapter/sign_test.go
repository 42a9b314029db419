package adapter

import (
	"crypto/ed25519"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// keys makes a repeatable pair.
func keys(seed byte) (ed25519.PublicKey, ed25519.PrivateKey) {
	s := make([]byte, ed25519.SeedSize)
	s[0] = seed
	private := ed25519.NewKeyFromSeed(s)
	return private.Public().(ed25519.PublicKey), private
}

func TestSign(t *testing.T) {
	public, private := keys(1)
	other, _ := keys(2)
	plain := tiny(t, nil)
	a, err := plain.Sign(private)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "a.safetensors")
	if err := a.WriteFile(path); err != nil {
		t.Fatal(err)
	}
	read, err := VerifyFile(path, other, public)
	if err != nil {
		t.Fatal(err)
	}
	if err := read.Verify(); err != nil {
		t.Error(err)
	}
	if d, _ := read.Digest(); d == "" || d != digest(t, plain) {
		t.Error("the signature changed the digest")
	}
	for name, err := range map[string]error{
		"another key trusted": read.Verify(other),
		"unsigned":            plain.Verify(),
		"short key":           second(plain.Sign(private[:5])),
	} {
		if !errors.Is(err, ErrSignature) {
			t.Errorf("%s: got %v, expected ErrSignature", name, err)
		}
	}
	changed, err := a.WithRecord("another")
	if err != nil || changed.Signature() != nil || digest(t, changed) == digest(t, a) {
		t.Errorf("a changed copy keeps the signature or the digest: %v", err)
	}
}

func second(_ *Adapter, err error) error { return err }

func digest(t *testing.T, a *Adapter) string {
	t.Helper()
	d, err := a.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestSignTampered changes one bit of a signed file at each of many places, and the order of its header: every change is
// found, and none is a panic.
func TestSignTampered(t *testing.T) {
	public, private := keys(1)
	a, err := tiny(t, nil).Sign(private)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "a.safetensors")
	if err := a.WriteFile(path); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 1))
	for range 200 {
		at, bit := r.IntN(len(whole)), byte(1)<<r.IntN(8)
		whole[at] ^= bit
		if err := os.WriteFile(path, whole, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := VerifyFile(path, public); err == nil {
			t.Fatalf("bit %#x of byte %d of %d changed, and the signature holds", bit, at, len(whole))
		}
		whole[at] ^= bit
	}
	if err := os.WriteFile(path, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := VerifyFile(path, public); err != nil {
		t.Error(err)
	}
}

func FuzzSignature(f *testing.F) {
	f.Add(`{"algorithm":"ed25519","key":"00","value":"00"}`)
	f.Add(`{`)
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := decodeSignature(text)
		if err != nil && !errors.Is(err, ErrCorrupt) {
			t.Fatal(err)
		}
		if s != nil && (len(s.Key) != ed25519.PublicKeySize || len(s.Value) != ed25519.SignatureSize) {
			t.Fatal("a signature of the wrong size")
		}
	})
}
