package model

import (
	"errors"
	"math"
	"testing"

	"github.com/edgeadapt/edgeadapt/quant"
	"github.com/edgeadapt/edgeadapt/sdk/internal/checkpoint"
)

// TestCalibrationRecord: kept through a file, absent where there was none, and refused where it is none.
func TestCalibrationRecord(t *testing.T) {
	plain := tinyBackbone(t, hfFolder(t), quant.Q4G)
	if plain.Calibration() != nil {
		t.Error("a backbone that nobody calibrated has a record")
	}
	want := CalibrationRecord{Images: 24, Seed: math.MaxUint64}
	b := plain.WithCalibration(want)
	back, err := ReadBackbone(encoded(t, b, nil))
	if err != nil || back.Calibration() == nil || *back.Calibration() != want {
		t.Fatalf("%+v, %v", back.Calibration(), err)
	}
	if b.Calibration().Images = 7; *b.Calibration() != want || plain.Calibration() != nil {
		t.Error("a record can be changed from outside")
	}
	for _, text := range []string{"24", "{", `{"images":0}`, `{"images":-1,"seed":1}`, `{"images":1,"seed":-1}`} {
		file := encoded(t, b, func(m map[string]string, _ *[]checkpoint.Entry) { m[metaCalibration] = text })
		if _, err := ReadBackbone(file); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %v", text, err)
		}
	}
}
