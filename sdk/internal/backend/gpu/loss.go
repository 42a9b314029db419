//go:build linux && !android && cgo && !novulkan

package gpu

import "github.com/edgeadapt/edgeadapt/sdk/internal/backend"

func (r *recording) crossEntropy(o *backend.CrossEntropy) error {
	b, c := r.matrix(o.Z)
	r.e.labels[o.Target] = c
	return r.threads("crossentropy", b, push(b, c, o.Scale, o.Smoothing), r.values(o.Z, o.Target, o.Loss, o.DZ))
}

func (r *recording) binaryCrossEntropy(o *backend.BinaryCrossEntropy) error {
	b, c := r.matrix(o.Z)
	return r.threads("binarycrossentropy", b, push(b, c, o.Scale), r.values(o.Z, o.Target, o.Loss, o.DZ))
}
