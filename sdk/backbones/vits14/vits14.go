// Package vits14 carries a default backbone inside the program: a Vision Transformer S/14 with int8 weights.
//
// Importing it adds 23 MB to the program. README.md says where the weights come from and under which licences.
package vits14

import (
	_ "embed"
	"sync"

	"github.com/edgeadapt/edgeadapt/sdk/model"
)

// A []byte rather than a string: the linker aligns it, so that tensors are views of it and not copies.
//
//go:embed vit-s14.q8c.safetensors
var file []byte

var open = sync.OnceValues(func() (*model.Backbone, error) { return model.ReadBackbone(file) })

// Open returns the embedded backbone. The first call checks it; every call returns the same value, which aliases the
// program's data and needs no Close. Safe for concurrent use.
func Open() (*model.Backbone, error) { return open() }
