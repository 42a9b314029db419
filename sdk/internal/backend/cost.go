package backend

// Work is what one run of an operator takes, whatever the device: multiply-adds, and the bytes of its operands, each counted
// once.
type Work struct{ MACs, Bytes int64 }

// Cost estimates op, an operator of p: exact for products of matrices, an element of the results for a few operations
// elsewhere.
func Cost(p *Program, op Op) Work {
	w := Work{MACs: macs(p, op)}
	for _, o := range op.Operands() {
		info := p.Info(o.Value)
		n := int64(info.Shape.Elems() * info.Type.Size())
		if o.Access&Read != 0 {
			w.Bytes += n
		}
		if o.Access&Write != 0 {
			w.Bytes += n
			if w.MACs == 0 {
				w.MACs = n
			}
		}
	}
	w.Bytes += weightBytes(op)
	return w
}

// Traffic is Cost in full: a frozen matrix counts with the bytes that the device holds it in, and multiply-adds are those of
// products alone.
func Traffic(p *Program, op Op) Work {
	w := Cost(p, op)
	w.MACs = macs(p, op)
	if held, ok := frozenOf(op).(interface{ Bytes() int64 }); ok {
		w.Bytes += held.Bytes() - weightBytes(op)
	}
	return w
}

// frozenOf is op's frozen matrix, nil for none.
func frozenOf(op Op) Weight {
	switch o := op.(type) {
	case *Linear:
		return o.W
	case *LinearBackward:
		return o.W
	}
	return nil
}

// weightBytes is the size of op's frozen matrix at a byte a weight; those of more bytes are no slower per multiply-add.
func weightBytes(op Op) int64 {
	if w := frozenOf(op); w != nil {
		return int64(w.Rows()) * int64(w.Cols())
	}
	return 0
}

// macs counts the multiply-adds of matrix products; 0 for operators without any.
func macs(p *Program, op Op) int64 {
	elems := func(v Value) int64 { return int64(p.Shape(v).Elems()) }
	dim := func(v Value, i int) int64 { return int64(p.Shape(v)[i]) }
	switch o := op.(type) {
	case *Linear:
		n := elems(o.X) * int64(o.W.Rows())
		if o.Epilogue == EpiResidualAdapter {
			n += elems(o.Hidden) * int64(o.W.Rows())
		}
		return n
	case *LinearBackward:
		return elems(o.DY) * int64(o.W.Cols())
	case *PatchEmbed:
		return elems(o.X) * dim(o.Weight, 1)
	case *Affine:
		return elems(o.X) * dim(o.W, 0)
	case *MatMul:
		return elems(o.C) * dim(o.A, 1)
	case *AdaptDown:
		return elems(o.X) * dim(o.Down, 0)
	case *AdaptDownBackward:
		return elems(o.DH) * dim(o.G, 1)
	case *WeightGrad:
		return elems(o.DW) * dim(o.DY, 0)
	case *MixedAdapter:
		return 2 * elems(o.X) * int64(o.Bottleneck)
	case *MixedHead:
		return elems(o.Y) * dim(o.Z, 1)
	case *Attention:
		return 2 * elems(o.O) * int64(o.Tokens)
	case *AttentionProbs:
		return elems(o.P) * dim(o.QKV, 1) / int64(3*o.Count)
	case *AttentionBackward:
		return 7 * elems(o.O) * int64(o.Tokens)
	case *WindowAttention:
		return 2 * elems(o.O) * int64(o.Size())
	case *WindowAttentionBackward:
		return 7 * elems(o.O) * int64(o.Size())
	}
	return 0
}
