package main

import (
	"testing"

	"github.com/edgeadapt/edgeadapt/sdk/data"
)

func TestParseAugment(t *testing.T) {
	for text, want := range map[string]data.Augmentation{
		"": {}, "none": {}, "flip": {Flip: true}, "crop": {MinArea: usualCrop}, "crop=0.3, flip,jitter=0.1": {MinArea: 0.3, Flip: true, Jitter: 0.1},
	} {
		if got, err := parseAugment(text); err != nil || got != want {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{"rotate", "flip=1", "crop=0", "crop=2", "crop=x", "jitter=NaN", "flip,flip", ",", "crop=", "none,flip"} {
		if got, err := parseAugment(text); err == nil {
			t.Errorf("%q: %+v, expected an error", text, got)
		}
	}
}
