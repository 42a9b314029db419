package sdk_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/edgeadapt/edgeadapt/quant"
	"github.com/edgeadapt/edgeadapt/sdk"
)

// TestManyAdapters takes 200 adapters through device memory for 8 and host memory for 4, the rest in their files: random
// mixes give the bits of a runtime that holds all.
func TestManyAdapters(t *testing.T) {
	const n = 200
	ctx := context.Background()
	b, dir := tiny(t, quant.Q8C), t.TempDir()
	for _, storage := range []quant.Scheme{quant.F32, quant.F16} {
		var answers [2][]sdk.Result
		var one int64
		for pass := range 2 {
			opts := []sdk.Option{sdk.WithDevice("cpu"), sdk.WithAdapterStorage(storage), sdk.WithAdapterBudget(1 << 30)}
			if pass == 1 {
				opts = append(opts, sdk.WithAdapterBudget(8*one), sdk.WithAdapterHostBudget(4*one))
			}
			rt, err := sdk.Open(ctx, opts...)
			if err != nil {
				t.Fatal(err)
			}
			bb, err := rt.UseBackbone(ctx, b)
			if err != nil {
				t.Fatal(err)
			}
			base := task(t, bb, "par")
			list := make([]*sdk.Adapter, n)
			for i := range list {
				path := filepath.Join(dir, fmt.Sprint(i, ".safetensors"))
				if _, err := os.Stat(path); err != nil {
					if err := variant(t, bb, base, i).WriteFile(path); err != nil {
						t.Fatal(err)
					}
				}
				if list[i], err = bb.LoadAdapter(ctx, path); err != nil {
					t.Fatal(err)
				}
				if i == 0 {
					one = rt.Stats().Bytes
				}
			}
			r := rand.New(rand.NewPCG(1, 2))
			for left := r.Perm(n); len(left) > 0; { // each once, in batches of any size
				k := min(1+r.IntN(20), len(left))
				var reqs []sdk.Request
				for _, i := range left[:k] {
					reqs = append(reqs, sdk.Request{Image: gradient(40+i%3, 36), Adapter: list[i]})
				}
				left = left[k:]
				rs, err := bb.PredictBatch(ctx, reqs)
				if err != nil {
					t.Fatal(err)
				}
				answers[pass] = append(answers[pass], rs...)
			}
			s := rt.Stats()
			if paged := pass == 1; paged != (s.InFile > 0) || paged != (s.FileReads > 0) || s.InFile+s.InHost != n || s.Bytes > s.Budget ||
				paged && s.InHost > 8+8 { // on the device, and what 4 resident ones' bytes hold
				t.Errorf("%s, pass %d: %+v", storage, pass, s)
			}
			if err := rt.Close(); err != nil {
				t.Fatal(err)
			}
		}
		for i := range answers[0] {
			if !equal(answers[0][i], answers[1][i]) {
				t.Fatalf("%s: answer %d differs", storage, i)
			}
		}
	}
}

// TestPagedFileChanged: an adapter whose file is another, or gone, fails its own calls only; Reload mends it.
func TestPagedFileChanged(t *testing.T) {
	ctx := context.Background()
	rt, err := sdk.Open(ctx, sdk.WithDevice("cpu"), sdk.WithAdapterBudget(40000), sdk.WithAdapterHostBudget(1))
	if err != nil {
		t.Fatal(err)
	}
	defer rt.Close()
	bb, err := rt.UseBackbone(ctx, tiny(t, quant.Q8C))
	if err != nil {
		t.Fatal(err)
	}
	base, dir := task(t, bb, "par"), t.TempDir()
	path := func(i int) string { return filepath.Join(dir, fmt.Sprint(i, ".safetensors")) }
	var list []*sdk.Adapter
	for i := range 20 {
		if err := variant(t, bb, base, i).WriteFile(path(i)); err != nil {
			t.Fatal(err)
		}
		a, err := bb.LoadAdapter(ctx, path(i))
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, a)
	}
	if s := rt.Stats(); s.InFile == 0 {
		t.Fatalf("nothing is paged out: %+v", s)
	}
	if err := errors.Join(variant(t, bb, base, 30).WriteFile(path(0)), os.Remove(path(1))); err != nil {
		t.Fatal(err)
	}
	img := gradient(40, 36)
	if _, err := bb.Predict(ctx, img, list[0]); !errors.Is(err, sdk.ErrFileChanged) {
		t.Errorf("another file: %v", err)
	}
	if _, err := list[0].Host(); !errors.Is(err, sdk.ErrFileChanged) {
		t.Errorf("Host: %v", err)
	}
	if _, err := bb.Predict(ctx, img, list[1]); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	if got := list[1].Labels(); len(got) == 0 || got[0] != "1.0" {
		t.Errorf("labels %v", got)
	}
	if _, err := bb.Predict(ctx, img, list[2]); err != nil {
		t.Errorf("a neighbour: %v", err)
	}
	if err := list[0].Reload(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := bb.Predict(ctx, img, list[0]); err != nil || list[0].Labels()[0] != "30.0" {
		t.Errorf("after Reload: %v, %v", list[0].Labels(), err)
	}
	if err := list[1].Close(); err != nil {
		t.Error(err)
	}
}
