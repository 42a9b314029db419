package backend

// PatchEmbed turns normalised images into tokens:
//
//	x[b, t]          = prefix[t]                              t < P
//	x[b, P + i]      = W patch(b, i) + bias + pos[i]          i over the grid, row by row
//
// image [B, 3, H, W]; W [D, 3 p p] with a patch flattened as channel, row, column; bias [D]; prefix [P, D] (class
// token with its position, later registers), optional; pos [gh gw, D]; x [B (P + gh gw), D]; gh = H/p, gw = W/p.
type PatchEmbed struct {
	Patch                            int
	Image, Weight, Bias, Prefix, Pos Value
	X                                Value
}

func (*PatchEmbed) Name() string { return "patchembed" }

func (o *PatchEmbed) Operands() []Operand {
	return reads(o.Image, o.Weight, o.Bias, o.Prefix, o.Pos).writes(o.X)
}

func (o *PatchEmbed) check(p *Program) error {
	s := p.Shape(o.Image)
	if err := option(len(s) == 4 && s[1] == 3 && o.Patch > 0 && s[2]%o.Patch == 0 && s[3]%o.Patch == 0,
		"image is %v, expected [batch, 3, height, width] with sides that are multiples of the patch %d", s, o.Patch); err != nil {
		return err
	}
	_, d, err := matrix(p, "pos", o.Pos)
	pre := 0
	if o.Prefix != None && err == nil {
		var width int
		pre, width, err = matrix(p, "prefix", o.Prefix)
		err = firstError(err, option(width == d, "prefix has %d columns, the positions have %d", width, d))
	}
	g := s[2] / o.Patch * (s[3] / o.Patch)
	return firstError(err, want(p, "weight", o.Weight, d, 3*o.Patch*o.Patch), want(p, "bias", o.Bias, d),
		want(p, "pos", o.Pos, g, d), want(p, "x", o.X, s[0]*(pre+g), d))
}

// PatchEmbed records the tokens of image; prefix may be None.
func (r *Recorder) PatchEmbed(image, weight, bias, prefix, pos Value, patch int) Value {
	tokens := r.dim(pos, 0)
	if prefix != None {
		tokens += r.dim(prefix, 0)
	}
	x := r.temp("patchembed", r.dim(image, 0)*tokens, r.dim(pos, 1))
	r.record(&PatchEmbed{Patch: patch, Image: image, Weight: weight, Bias: bias, Prefix: prefix, Pos: pos, X: x})
	return x
}
