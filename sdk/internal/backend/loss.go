package backend

// CrossEntropy is the loss of single-label classification, per image, with its gradient:
//
//	loss[b] = Scale (log sum exp z[b] - Σc y[c] z[b, c]);  dz = Scale (softmax z - y)
//	y = (1 - Smoothing) onehot + Smoothing / C
//
// z, dz [B, C]; target [B] I32, each at least 0 and below C; loss [B]. Scale is 1/B for the mean over a batch. Smoothing is label
// smoothing, from 0 below 1.
type CrossEntropy struct {
	Scale     float32
	Smoothing float32
	Z, Target Value
	Loss, DZ  Value
}

func (*CrossEntropy) Name() string { return "crossentropy" }

func (o *CrossEntropy) Operands() []Operand { return reads(o.Z, o.Target).writes(o.Loss, o.DZ) }

func (o *CrossEntropy) integers() Value { return o.Target }

func (o *CrossEntropy) check(p *Program) error {
	b, c, err := matrix(p, "logits", o.Z)
	return firstError(err, want(p, "target", o.Target, b), want(p, "loss", o.Loss, b), want(p, "dlogits", o.DZ, b, c),
		option(o.Smoothing >= 0 && o.Smoothing < 1, "label smoothing %g, expected from 0 below 1", o.Smoothing))
}

// CrossEntropy records the loss per image and the gradient at the logits z.
func (r *Recorder) CrossEntropy(z, target Value, scale, smoothing float32) (loss, dz Value) {
	loss, dz = r.temp("loss", r.dim(z, 0)), r.temp("dlogits", r.Shape(z)...)
	r.record(&CrossEntropy{Scale: scale, Smoothing: smoothing, Z: z, Target: target, Loss: loss, DZ: dz})
	return loss, dz
}

// BinaryCrossEntropy is the loss of multi-label classification from logits, per image, with its gradient:
//
//	loss[b] = Scale Σc (max(z, 0) - z y + log(1 + exp(-|z|)));  dz = Scale (sigmoid z - y)
//
// z, dz, target [B, C], target float32 in 0..1; loss [B]. Scale is 1/(B C) for the mean over images and classes.
type BinaryCrossEntropy struct {
	Scale     float32
	Z, Target Value
	Loss, DZ  Value
}

func (*BinaryCrossEntropy) Name() string { return "binarycrossentropy" }

func (o *BinaryCrossEntropy) Operands() []Operand { return reads(o.Z, o.Target).writes(o.Loss, o.DZ) }

func (o *BinaryCrossEntropy) check(p *Program) error {
	b, c, err := matrix(p, "logits", o.Z)
	return firstError(err, want(p, "target", o.Target, b, c), want(p, "loss", o.Loss, b), want(p, "dlogits", o.DZ, b, c))
}

// BinaryCrossEntropy records the loss per image and the gradient at the logits z.
func (r *Recorder) BinaryCrossEntropy(z, target Value, scale float32) (loss, dz Value) {
	loss, dz = r.temp("loss", r.dim(z, 0)), r.temp("dlogits", r.Shape(z)...)
	r.record(&BinaryCrossEntropy{Scale: scale, Z: z, Target: target, Loss: loss, DZ: dz})
	return loss, dz
}
