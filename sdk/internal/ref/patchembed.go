package ref

// Patches is the layout of images [Batch, 3, Height, Width] cut into squares of Size pixels, row by row, and of the
// tokens made of them: Prefix tokens that belong to no patch, then the patches; Dim channels each.
type Patches struct{ Batch, Height, Width, Size, Prefix, Dim int }

// PatchEmbed turns normalised images into tokens:
//
//	x[b, t]      = prefix[t]                              t < P
//	x[b, P + i]  = W patch(b, i) + bias + pos[i]
//
// image [B, 3, H, W]; w [D, 3 p p], a patch flattened as channel, row, column; bias [D]; prefix [P, D];
// pos [gh gw, D]; x [B (P + gh gw), D]; gh = H/p, gw = W/p.
func PatchEmbed[T Float](x, image, w, bias, prefix, pos []T, g Patches) {
	count := g.Height / g.Size * (g.Width / g.Size)
	pixels := make([]T, 3*g.Size*g.Size)
	for b := range g.Batch {
		tokens := row(x, b, (g.Prefix+count)*g.Dim)
		copy(tokens, prefix)
		for i := range count {
			g.patch(b, i, func(at, pixel int) { pixels[at] = image[pixel] })
			out := row(tokens, g.Prefix+i, g.Dim)
			for j := range out {
				out[j] = T(dot(pixels, row(w, j, len(pixels))) + float64(bias[j]) + float64(pos[i*g.Dim+j]))
			}
		}
	}
}

// patch calls f with each position in the flattened patch i of image b and its pixel's index.
func (g Patches) patch(b, i int, f func(at, pixel int)) {
	columns := g.Width / g.Size
	top, left := i/columns*g.Size, i%columns*g.Size
	at := 0
	for c := range 3 {
		for y := range g.Size {
			for x := range g.Size {
				f(at, ((b*3+c)*g.Height+top+y)*g.Width+left+x)
				at++
			}
		}
	}
}
