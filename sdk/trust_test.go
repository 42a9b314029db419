package sdk_test

import (
	"context"
	"crypto/ed25519"
	"errors"
	"testing"

	"github.com/edgeadapt/edgeadapt/quant"
	"github.com/edgeadapt/edgeadapt/sdk"
)

// TestTrustedKeys: only an adapter signed by a trusted key becomes resident.
func TestTrustedKeys(t *testing.T) {
	host := tiny(t, quant.Q8C)
	private := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	rt, err := sdk.Open(context.Background(), sdk.WithDevice("cpu"), sdk.WithTrustedKeys(private.Public().(ed25519.PublicKey)))
	if err != nil {
		t.Fatal(err)
	}
	defer rt.Close()
	bb, err := rt.UseBackbone(context.Background(), host)
	if err != nil {
		t.Fatal(err)
	}
	plain := task(t, bb, "par")
	if _, err := bb.UseAdapter(context.Background(), plain); !errors.Is(err, sdk.ErrUntrusted) {
		t.Errorf("unsigned: got %v, expected ErrUntrusted", err)
	}
	seed := make([]byte, ed25519.SeedSize)
	seed[0] = 1
	stranger, err := plain.Sign(ed25519.NewKeyFromSeed(seed))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bb.UseAdapter(context.Background(), stranger); !errors.Is(err, sdk.ErrUntrusted) {
		t.Errorf("another signer: got %v, expected ErrUntrusted", err)
	}
	signed, err := plain.Sign(private)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bb.UseAdapter(context.Background(), signed); err != nil {
		t.Error(err)
	}
}
