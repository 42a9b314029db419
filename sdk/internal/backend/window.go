package backend

import "github.com/edgeadapt/edgeadapt/sdk/internal/window"

// Windows is the layout of a window attention: Batch images of a grid of tokens, Count heads.
type Windows struct {
	Batch, Count int
	window.Layout
}

// dim checks the operands that all operators share and returns the width of the tokens.
func (w Windows) dim(p *Program, qkv, pad, table Value) (int, error) {
	_, n, err := matrix(p, "qkv", qkv)
	if err == nil {
		err = option(w.Batch > 0 && w.Valid(), "%d images of windows %+v", w.Batch, w.Layout)
	}
	if err != nil {
		return 0, err
	}
	return n / 3, firstError(
		option(w.Count > 0 && n%(3*w.Count) == 0, "qkv has %d columns, expected a multiple of 3 x %d heads", n, w.Count),
		want(p, "qkv", qkv, w.Batch*w.Tokens(), n), want(p, "pad", pad, n), want(p, "table", table, w.Entries(), w.Count))
}

// WindowAttention is softmax attention within the shifted windows of a grid, per image, window and head, d = D/heads:
//
//	S = q kᵀ / sqrt(d) + table + mask;  P = softmax(S);  o = P v;  lse = log sum exp S
//
// qkv [B T, 3 D] holds q, k, v side by side, heads contiguous within each; o [B T, D]; lse [B, heads, T]. Partition, cyclic
// shift and their reversal are addressing: o is in the order of qkv. Pad [3 D] is q, k and v of a place that holds no token:
// such places are keys like all others. Table [entries, heads] is the relative position bias; window.Layout says which entry
// belongs to a pair, and which pairs are masked. Qkv may be F16.
type WindowAttention struct {
	Windows
	QKV, Pad, Table Value
	O, LSE          Value
}

func (*WindowAttention) Name() string { return "windowattention" }

func (o *WindowAttention) half() Value { return o.QKV }

func (o *WindowAttention) Operands() []Operand {
	return reads(o.QKV, o.Pad, o.Table).writes(o.O, o.LSE)
}

func (o *WindowAttention) check(p *Program) error {
	d, err := o.dim(p, o.QKV, o.Pad, o.Table)
	if err != nil {
		return err
	}
	return firstError(want(p, "o", o.O, o.Batch*o.Tokens(), d), want(p, "lse", o.LSE, o.Batch, o.Count, o.Tokens()))
}

// WindowAttention records o = attention(qkv) within windows and the log-sum-exp of each row of scores, which the gradient
// needs.
func (r *Recorder) WindowAttention(qkv, pad, table Value, w Windows) (o, lse Value) {
	op := &WindowAttention{Windows: w, QKV: qkv, Pad: pad, Table: table,
		O: r.temp("windowattention", r.dim(qkv, 0), r.dim(qkv, 1)/3), LSE: r.temp("lse", w.Batch, w.Count, w.Tokens())}
	r.record(op)
	return op.O, op.LSE
}

// WindowProbs is the matrix P of WindowAttention, for inspection: p [B windows, heads, L, L] over the L places of a window,
// those of padding among them; rows sum to 1. Qkv may be F16.
type WindowProbs struct {
	Windows
	QKV, Pad, Table Value
	P               Value
}

func (*WindowProbs) Name() string { return "windowprobs" }

func (o *WindowProbs) half() Value { return o.QKV }

func (o *WindowProbs) Operands() []Operand { return reads(o.QKV, o.Pad, o.Table).writes(o.P) }

func (o *WindowProbs) check(p *Program) error {
	_, err := o.dim(p, o.QKV, o.Pad, o.Table)
	if err != nil {
		return err
	}
	n := o.Layout.Size()
	return want(p, "p", o.P, o.Batch*o.Layout.Windows(), o.Count, n, n)
}

// WindowProbs records the attention probabilities of qkv.
func (r *Recorder) WindowProbs(qkv, pad, table Value, w Windows) Value {
	p := r.temp("probs", w.Batch*w.Layout.Windows(), w.Count, w.Size(), w.Size())
	r.record(&WindowProbs{Windows: w, QKV: qkv, Pad: pad, Table: table, P: p})
	return p
}

// WindowAttentionBackward is the gradient of WindowAttention at qkv. P is recomputed as exp(S - lse); per window and head
//
//	delta = rowsum(do ⊙ o);  dv = Pᵀ do;  dS = P ⊙ (do vᵀ - delta);  dq = dS k / sqrt(d);  dk = dSᵀ q / sqrt(d)
//
// qkv, dqkv [B T, 3 D]; o, do [B T, D]; lse, delta [B, heads, T]. Delta is scratch. Pad and table are frozen.
type WindowAttentionBackward struct {
	Windows
	QKV, Pad, Table, O, LSE, DO Value
	Delta, DQKV                 Value
}

func (*WindowAttentionBackward) Name() string { return "windowattention_bwd_x" }

func (o *WindowAttentionBackward) Operands() []Operand {
	return reads(o.QKV, o.Pad, o.Table, o.O, o.LSE, o.DO).writes(o.Delta, o.DQKV)
}

func (o *WindowAttentionBackward) check(p *Program) error {
	d, err := o.dim(p, o.QKV, o.Pad, o.Table)
	if err != nil {
		return err
	}
	m, t := o.Batch*o.Tokens(), o.Tokens()
	return firstError(want(p, "o", o.O, m, d), want(p, "do", o.DO, m, d), want(p, "dqkv", o.DQKV, m, 3*d),
		want(p, "lse", o.LSE, o.Batch, o.Count, t), want(p, "delta", o.Delta, o.Batch, o.Count, t))
}

// WindowAttentionBackward records dqkv.
func (r *Recorder) WindowAttentionBackward(qkv, pad, table, o, lse, do Value, w Windows) Value {
	op := &WindowAttentionBackward{Windows: w, QKV: qkv, Pad: pad, Table: table, O: o, LSE: lse, DO: do,
		Delta: r.temp("delta", w.Batch, w.Count, w.Tokens()), DQKV: r.temp("dqkv", r.dim(qkv, 0), r.dim(qkv, 1))}
	r.record(op)
	return op.DQKV
}
