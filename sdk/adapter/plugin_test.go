package adapter

import (
	"errors"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/edgeadapt/edgeadapt/sdk/internal/checkpoint"
	"github.com/edgeadapt/edgeadapt/sdk/internal/tensor"
)

func withPlugin(t testing.TB, p Plugin) *Adapter {
	t.Helper()
	a, err := tiny(t, nil).WithPlugin(&p)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestPluginRoundTrip(t *testing.T) {
	for _, p := range []Plugin{{Module: []byte("odd")}, {Module: []byte("\x00asm\x01\x00\x00\x00"), MemoryBytes: 64 << 20, TimeMillis: 250}} {
		path := filepath.Join(t.TempDir(), "a.safetensors")
		if err := withPlugin(t, p).WriteFile(path); err != nil {
			t.Fatal(err)
		}
		a, err := ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(a.Plugin(), &p) {
			t.Errorf("%+v, expected %+v", a.Plugin(), p)
		}
		if !reflect.DeepEqual(a.tensors, tiny(t, nil).tensors) {
			t.Error("the other tensors changed")
		}
		if a, err = a.WithPlugin(nil); err != nil || a.Plugin() != nil {
			t.Errorf("dropped: %v, %v", a.Plugin(), err)
		}
		if string(encoded(t, a, nil)) != string(encoded(t, tiny(t, nil), nil)) {
			t.Error("dropping the plug-in left a trace in the file")
		}
	}
}

// TestPluginStays: copies with other tensors, options or records keep the plug-in, and none shares it with its maker.
func TestPluginStays(t *testing.T) {
	module := []byte("module")
	a := withPlugin(t, Plugin{Module: module})
	module[0] = 'x'
	for name, change := range map[string]func() (*Adapter, error){
		"itself":  func() (*Adapter, error) { return a, nil },
		"tensors": func() (*Adapter, error) { return a.WithTensors(map[string]tensor.Tensor{"head.1.bias": tensor.New(3)}) },
		"config":  func() (*Adapter, error) { return a.WithConfig(a.Config()) },
		"record":  func() (*Adapter, error) { return a.WithRecord(1) },
	} {
		b, err := change()
		if err != nil || b.Plugin() == nil || string(b.Plugin().Module) != "module" {
			t.Errorf("%s: %+v, %v", name, b.Plugin(), err)
		}
	}
}

func TestPluginRefuses(t *testing.T) {
	for name, p := range map[string]Plugin{
		"empty":     {},
		"too large": {Module: make([]byte, MaxPlugin+1)},
		"memory":    {Module: []byte("m"), MemoryBytes: -1},
		"time":      {Module: []byte("m"), TimeMillis: -1},
	} {
		if _, err := tiny(t, nil).WithPlugin(&p); !errors.Is(err, ErrConfig) {
			t.Errorf("%s: %v", name, err)
		}
	}
	entry := func(d checkpoint.DType, data string, shape ...int) func(map[string]string, *[]checkpoint.Entry) {
		return func(m map[string]string, list *[]checkpoint.Entry) {
			*list = append(*list, checkpoint.Entry{Name: tensorPlugin, DType: d, Shape: shape, Data: []byte(data)})
		}
	}
	options := func(text string) func(map[string]string, *[]checkpoint.Entry) {
		return func(m map[string]string, list *[]checkpoint.Entry) {
			entry(checkpoint.U8, "abc", 3)(m, list)
			m[metaPlugin] = text
		}
	}
	for name, c := range map[string]struct {
		edit func(map[string]string, *[]checkpoint.Entry)
		says string
	}{
		"type":          {entry(checkpoint.I8, "abc", 3), "expected U8"},
		"axes":          {entry(checkpoint.U8, "abcd", 2, 2), "expected U8"},
		"size":          {entry(checkpoint.U8, strings.Repeat("a", MaxPlugin+1), MaxPlugin+1), "at most"},
		"no bytes":      {entry(checkpoint.U8, "", 0), "0 bytes"},
		"options":       {options("["), "metadata"},
		"options range": {options(`{"time_ms":-1}`), "-1 ms"},
		"options type":  {options(`{"memory_bytes":"much"}`), "metadata"},
		"no module":     {func(m map[string]string, _ *[]checkpoint.Entry) { m[metaPlugin] = "{}" }, "without a tensor"},
	} {
		if _, err := Parse(encoded(t, tiny(t, nil), c.edit)); !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: got %v, expected ErrCorrupt that says %q", name, err, c.says)
		}
	}
	if a, err := Parse(encoded(t, tiny(t, nil), entry(checkpoint.U8, "abc", 3))); err != nil || string(a.Plugin().Module) != "abc" {
		t.Errorf("control, without options: %v", err)
	}
}
