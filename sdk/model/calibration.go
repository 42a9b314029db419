package model

import (
	"encoding/json"
	"fmt"
)

// CalibrationRecord is how the weights of a backbone were calibrated. With the same checkpoint, pictures, scheme and processor it
// gives the same weights again.
type CalibrationRecord struct {
	Images int    `json:"images"` // pictures that were used
	Seed   uint64 `json:"seed"`   // which of them
}

// Calibration is the record of b's calibration, nil where there was none, or none that the file tells of.
func (b *Backbone) Calibration() *CalibrationRecord {
	if b.calibration == nil {
		return nil
	}
	c := *b.calibration
	return &c
}

// WithCalibration is b with such a record. It shares b's weights: the two are closed as one.
func (b *Backbone) WithCalibration(c CalibrationRecord) *Backbone {
	noted := *b
	noted.calibration = &c
	return &noted
}

// loadCalibration reads the record of a file, empty for none.
func (b *Backbone) loadCalibration(text string) error {
	if text == "" {
		return nil
	}
	c := &CalibrationRecord{}
	if err := json.Unmarshal([]byte(text), c); err != nil || c.Images < 1 {
		return fmt.Errorf("calibration %.100q, expected an object with images, at least 1, and seed: %w", text, ErrCorrupt)
	}
	b.calibration = c
	return nil
}
