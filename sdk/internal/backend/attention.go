package backend

// Heads is the layout of a fused attention: Batch images of Tokens rows, Count heads.
type Heads struct{ Batch, Tokens, Count int }

func (h Heads) dim(p *Program, qkv Value) (int, error) {
	m, n, err := matrix(p, "qkv", qkv)
	return n / 3, firstError(err,
		option(h.Count > 0 && n%(3*h.Count) == 0, "qkv has %d columns, expected a multiple of 3 x %d heads", n, h.Count),
		want(p, "qkv", qkv, h.Batch*h.Tokens, n),
		option(m > 0, "qkv has no rows"))
}

// Attention is softmax attention per image and head, d = D/heads:
//
//	S = q kᵀ / sqrt(d);  P = softmax(S);  o = P v;  lse = log sum exp S
//
// qkv [B T, 3 D] holds q, k, v side by side, heads contiguous within each; o [B T, D]; lse [B, heads, T].
// Qkv may be F16. No T x T matrix need exist in memory.
type Attention struct {
	Heads
	QKV    Value
	O, LSE Value
}

func (*Attention) Name() string { return "attention" }

func (o *Attention) half() Value { return o.QKV }

func (o *Attention) Operands() []Operand { return reads(o.QKV).writes(o.O, o.LSE) }

func (o *Attention) check(p *Program) error {
	d, err := o.dim(p, o.QKV)
	return firstError(err, want(p, "o", o.O, o.Batch*o.Tokens, d), want(p, "lse", o.LSE, o.Batch, o.Count, o.Tokens))
}

// Attention records o = attention(qkv) and the log-sum-exp of each row of scores, which the gradient needs.
func (r *Recorder) Attention(qkv Value, h Heads) (o, lse Value) {
	op := &Attention{Heads: h, QKV: qkv,
		O: r.temp("attention", h.Batch*h.Tokens, r.dim(qkv, 1)/3), LSE: r.temp("lse", h.Batch, h.Count, h.Tokens)}
	r.record(op)
	return op.O, op.LSE
}

// AttentionProbs is the matrix P of Attention, for inspection: p [B, heads, T, T], rows sum to 1. Qkv may be F16.
type AttentionProbs struct {
	Heads
	QKV, LSE Value
	P        Value
}

func (*AttentionProbs) Name() string { return "attentionprobs" }

func (o *AttentionProbs) half() Value { return o.QKV }

func (o *AttentionProbs) Operands() []Operand { return reads(o.QKV, o.LSE).writes(o.P) }

func (o *AttentionProbs) check(p *Program) error {
	_, err := o.dim(p, o.QKV)
	return firstError(err, want(p, "lse", o.LSE, o.Batch, o.Count, o.Tokens),
		want(p, "p", o.P, o.Batch, o.Count, o.Tokens, o.Tokens))
}

// AttentionProbs records the attention probabilities of qkv, from Attention's lse.
func (r *Recorder) AttentionProbs(qkv, lse Value, h Heads) Value {
	p := r.temp("probs", h.Batch, h.Count, h.Tokens, h.Tokens)
	r.record(&AttentionProbs{Heads: h, QKV: qkv, LSE: lse, P: p})
	return p
}

// AttentionBackward is the gradient of Attention. P is recomputed as exp(S - lse); per head
//
//	delta = rowsum(do ⊙ o);  dv = Pᵀ do;  dS = P ⊙ (do vᵀ - delta);  dq = dS k / sqrt(d);  dk = dSᵀ q / sqrt(d)
//
// qkv, dqkv [B T, 3 D]; o, do [B T, D]; lse, delta [B, heads, T]. Delta is scratch.
type AttentionBackward struct {
	Heads
	QKV, O, LSE, DO Value
	Delta, DQKV     Value
}

func (*AttentionBackward) Name() string { return "attention_bwd_x" }

func (o *AttentionBackward) Operands() []Operand {
	return reads(o.QKV, o.O, o.LSE, o.DO).writes(o.Delta, o.DQKV)
}

func (o *AttentionBackward) check(p *Program) error {
	d, err := o.dim(p, o.QKV)
	m := o.Batch * o.Tokens
	return firstError(err, want(p, "o", o.O, m, d), want(p, "do", o.DO, m, d), want(p, "dqkv", o.DQKV, m, 3*d),
		want(p, "lse", o.LSE, o.Batch, o.Count, o.Tokens), want(p, "delta", o.Delta, o.Batch, o.Count, o.Tokens))
}

// AttentionBackward records dqkv.
func (r *Recorder) AttentionBackward(qkv, o, lse, do Value, h Heads) Value {
	op := &AttentionBackward{Heads: h, QKV: qkv, O: o, LSE: lse, DO: do,
		Delta: r.temp("delta", h.Batch, h.Count, h.Tokens), DQKV: r.temp("dqkv", h.Batch*h.Tokens, r.dim(qkv, 1))}
	r.record(op)
	return op.DQKV
}
