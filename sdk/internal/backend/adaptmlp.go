package backend

// AdaptDown is the first half of AdaptMLP:
//
//	h = dropout(ReLU(x downᵀ + bias))      x [M, D], down [r, D], bias [r], h [M, r]
//
// Dropout zeroes element e = row*r + column where Philox2x32(counter {e, Stream}, key) gives a first word below
// p 2³², and multiplies the others by 1/(1-p). Key [1] is an I32 input, a new one every step; None where p is 0.
// The second half is Linear's EpiResidualAdapter.
type AdaptDown struct {
	Dropout            float32
	Stream             uint32
	X, Down, Bias, Key Value
	H                  Value
}

func (*AdaptDown) Name() string { return "adaptdown" }

func (o *AdaptDown) Operands() []Operand { return reads(o.X, o.Down, o.Bias, o.Key).writes(o.H) }

func (o *AdaptDown) integers() Value { return o.Key }

func (o *AdaptDown) check(p *Program) error {
	m, d, err := matrix(p, "x", o.X)
	if err != nil {
		return err
	}
	_, r, err := matrix(p, "h", o.H)
	err = firstError(err, want(p, "down", o.Down, r, d), want(p, "bias", o.Bias, r), want(p, "h", o.H, m, r),
		option(o.Dropout >= 0 && o.Dropout < 1, "dropout is %g, expected at least 0 and below 1", o.Dropout),
		option(o.Dropout == 0 || o.Key != None, "dropout is %g but there is no key", o.Dropout))
	if o.Key != None && err == nil {
		err = want(p, "key", o.Key, 1)
	}
	return err
}

// Dropout says how AdaptDown drops hidden activations; the zero value drops none.
type Dropout struct {
	P      float32 // probability of zero, 0 <= P < 1
	Key    Value   // I32 [1]
	Stream uint32  // tells the branches of one step apart
}

// AdaptDown records h = dropout(ReLU(x downᵀ + bias)).
func (r *Recorder) AdaptDown(x, down, bias Value, d Dropout) Value {
	h := r.temp("adaptdown", r.dim(x, 0), r.dim(down, 0))
	r.record(&AdaptDown{Dropout: d.P, Stream: d.Stream, X: x, Down: down, Bias: bias, Key: d.Key, H: h})
	return h
}

// AdaptDownBackward is the gradient at the hidden sums, from the gradient g at the block's output:
//
//	dh = Scale (g up) where h > 0, else 0      g [M, D], up [D, r], h, dh [M, r]
//
// Scale is the branch's scale divided by 1 - dropout: h > 0 holds exactly where ReLU passed and dropout kept.
type AdaptDownBackward struct {
	Scale    float32
	G, Up, H Value
	DH       Value
}

func (*AdaptDownBackward) Name() string { return "adaptdown_bwd_x" }

func (o *AdaptDownBackward) Operands() []Operand { return reads(o.G, o.Up, o.H).writes(o.DH) }

func (o *AdaptDownBackward) check(p *Program) error {
	m, d, err := matrix(p, "g", o.G)
	if err != nil {
		return err
	}
	_, r, err := matrix(p, "h", o.H)
	return firstError(err, want(p, "up", o.Up, d, r), want(p, "h", o.H, m, r), want(p, "dh", o.DH, m, r))
}

// AdaptDownBackward records dh.
func (r *Recorder) AdaptDownBackward(g, up, h Value, scale float32) Value {
	dh := r.temp("dadaptdown", r.dim(h, 0), r.dim(h, 1))
	r.record(&AdaptDownBackward{Scale: scale, G: g, Up: up, H: h, DH: dh})
	return dh
}
