//go:build linux && !android && cgo && !novulkan

package gpu

import (
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/edgeadapt/edgeadapt/vulkan"
)

// normThreads is how many sums the squares of a vector are first gathered in.
const normThreads = 1024

func (r *recording) clipNorm(o *backend.ClipNorm) error {
	n := r.elems(o.X)
	part, squares := r.partial(normThreads), r.partialAt(normThreads, 1)
	if err := r.threads("clipnorm_squares", normThreads, push(n, normThreads), append(r.values(o.X), part)); err != nil {
		return err
	}
	if err := r.numbers("reduce", 1, 1, push(1, normThreads, float32(1)), []vulkan.Range{part, squares}); err != nil {
		return err
	}
	return r.threads("clipnorm", n, push(n, o.Max), append([]vulkan.Range{squares}, r.values(o.X)...))
}
