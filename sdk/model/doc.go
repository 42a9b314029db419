// Package model holds frozen Vision Transformers: their configuration, the import of published checkpoints, and the
// quantised backbone file.
//
// A checkpoint is opened with [Import], turned into a [Backbone] with [Quantize], written with [Backbone.WriteFile] and
// read back with [OpenBackbone]. Tensor names inside are those of timm, whatever layout the checkpoint had.
package model
