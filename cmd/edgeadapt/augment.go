package main

import (
	"strconv"
	"strings"

	"github.com/edgeadapt/edgeadapt/sdk/data"
)

// What --augment takes for crop and jitter without a value.
const (
	usualCrop   = 0.5
	usualJitter = 0.2
)

// parseAugment reads a list such as crop,flip or crop=0.3,jitter=0.1; an empty one, or none, leaves pictures alone.
func parseAugment(s string) (a data.Augmentation, err error) {
	if s == "" || s == "none" {
		return a, nil
	}
	seen := map[string]bool{}
	for word := range strings.SplitSeq(s, ",") {
		name, text, valued := strings.Cut(strings.TrimSpace(word), "=")
		v := map[string]float64{"crop": usualCrop, "jitter": usualJitter}[name]
		if valued {
			if v, err = strconv.ParseFloat(text, 64); err != nil || !(v > 0 && v <= 1) {
				return a, usagef("--augment %q, expected %s=NUMBER above 0 and up to 1", s, name)
			}
		}
		switch {
		case seen[name]:
			return a, usagef("--augment %q has %s twice", s, name)
		case name == "crop":
			a.MinArea = v
		case name == "jitter":
			a.Jitter = v
		case name == "flip" && !valued:
			a.Flip = true
		default:
			return a, usagef("--augment %q, expected none or a list of crop, flip and jitter, such as crop=0.5,flip", s)
		}
		seen[name] = true
	}
	return a, nil
}
