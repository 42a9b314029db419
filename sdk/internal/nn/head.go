package nn

import (
	"github.com/edgeadapt/edgeadapt/sdk/adapter"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
)

// featureWidth is F, the width of the pooled vector.
func (v *ViT) featureWidth(p adapter.Pool) int {
	if p == adapter.PoolCLSMean {
		return 2 * v.cfg.FeatureDim()
	}
	return v.cfg.FeatureDim()
}

func poolMode(p adapter.Pool) backend.PoolMode {
	switch p {
	case adapter.PoolMean, adapter.PoolNormMean:
		return backend.PoolMean
	case adapter.PoolCLSMean:
		return backend.PoolCLSMean
	}
	return backend.PoolCLS
}

// headState is what the head's forward pass leaves for its backward pass.
type headState struct {
	normed, rstd backend.Value // after the BatchNorm; rstd is None without one
	weight       backend.Value
}

// stat views the head's running statistics.
func (t *Task) stat(r *backend.Recorder) backend.BatchStats {
	return backend.BatchStats{Mean: r.Param("head.0.running_mean", t.stats, 0, t.features),
		Var: r.Param("head.0.running_var", t.stats, align(t.features), t.features), Eps: headEps, Momentum: headMomentum}
}

// head records logits = BatchNorm(features) Wᵀ + b; features [B, F], logits [B, classes]. In training the BatchNorm
// uses the batch's statistics and moves the running ones.
func (t *Task) head(r *backend.Recorder, features backend.Value, train bool) (backend.Value, headState) {
	s := headState{normed: features}
	switch {
	case t.cfg.HeadNorm && train:
		s.normed, s.rstd = r.BatchNormTrain(features, t.stat(r))
	case t.cfg.HeadNorm:
		s.normed = r.BatchNorm(features, t.stat(r))
	}
	s.weight = t.layout.param(r, t.params, t.headName()+"weight")
	return r.Affine(s.normed, s.weight, t.layout.param(r, t.params, t.headName()+"bias")), s
}

// headBackward records the head's parameter gradients into grads, and where deeper the gradient at the features.
func (t *Task) headBackward(r *backend.Recorder, s headState, dlogits backend.Value, grads backend.Buffer, deeper bool) backend.Value {
	r.WeightGrad(dlogits, s.normed, t.layout.param(r, grads, t.headName()+"weight"), 1)
	r.BiasGrad(dlogits, t.layout.param(r, grads, t.headName()+"bias"), 1)
	if !deeper {
		return backend.None
	}
	d := r.MatMul(dlogits, s.weight, backend.None)
	if s.rstd == backend.None {
		return d
	}
	return r.BatchNormBackward(s.normed, s.rstd, d)
}
