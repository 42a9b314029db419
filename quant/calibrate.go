package quant

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
)

// ErrInputs says that the inputs of a layer are no basis for a calibration: none, or with a NaN or an infinity.
var ErrInputs = errors.New("inputs cannot calibrate a layer")

// Inputs is what calibration knows of a layer's inputs, as sums over Samples rows, both [cols, cols]:
//
//	Gram  Σ xᵀ x          x: what the layer will see, above layers that are quantised already
//	Cross Σ (f - x)ᵀ x    f: what it would see above float layers; nil stands for zeros
type Inputs struct {
	Samples int
	Gram    []float64
	Cross   []float32
}

// Knobs of the calibration. Each was tried at other values on a ViT-S; see RATIONALE.
const (
	damping     = 0.01 // added to the Gram matrix's diagonal, in its mean
	mostDamping = 10
	sweeps      = 4 // rounds of single integers and scales
	rowsAtOnce  = 8
	maxScale    = 65504.0 // of float16
)

// Calibrate is Quantize for the int4 schemes with the error of the layer's outputs in view: it looks for the integers
// and scales that make the outputs for x closest to the float layer's for f, in the sense of least squares,
//
//	Σ |x Qᵀ - f Wᵀ|²
//
// The columns are rounded one after another, those of the largest inputs first, and each takes on the error that the ones before it
// have left (GPTQ). Then single integers change, and the scales of the groups, as long as that helps. The result is the
// same for any number of threads. A cancelled ctx ends it with its error; ErrInputs says that in is no basis.
// Cost: about 5 rows cols² + cols³ / 6 multiplications, and 28 cols² bytes.
func Calibrate(ctx context.Context, s Scheme, w []float32, rows, cols int, in Inputs, threads int) (Matrix, error) {
	if s.Group() == 0 {
		return Matrix{}, fmt.Errorf("calibrate %q: %w", s, ErrScheme)
	}
	if err := checkWeights(w, rows, cols); err != nil {
		return Matrix{}, err
	}
	if top := largest(w); top > MaxInt4*maxScale {
		return Matrix{}, fmt.Errorf("a weight is as large as %v, the scales of %s end at %v: %w", top, s, maxScale, ErrValue)
	}
	m := newInt4(s, rows, cols)
	c, err := newCalibration(m, in)
	if err != nil {
		return m, err
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	for range max(threads, 1) {
		wg.Go(func() {
			row := newCalibratedRow(c)
			for from := 0; ctx.Err() == nil; {
				if from = int(next.Add(rowsAtOnce)) - rowsAtOnce; from >= rows {
					return
				}
				for r := from; r < min(from+rowsAtOnce, rows); r++ {
					row.calibrate(w[r*cols:(r+1)*cols], r)
				}
			}
		})
	}
	wg.Wait()
	return m, ctx.Err()
}

// calibration is what the rows of a layer share. Columns are in order, not as the weight has them, except in cross.
type calibration struct {
	m     Matrix
	k     int
	order []int     // the column at each place
	group []int     // of the column at each place
	unity float64   // factor on in's sums that makes the Gram matrix's mean diagonal 1
	gram  []float32 // damped: M D Mᵀ, M upper triangular with ones on the diagonal
	unit  []float32 // Mᵀ
	rest  []float32 // D: what is left of each input's square when the later ones are known
	cross []float32 // nil for none
}

func newCalibration(m Matrix, in Inputs) (*calibration, error) {
	k := m.Cols
	if in.Samples <= 0 || len(in.Gram) != k*k || in.Cross != nil && len(in.Cross) != k*k {
		return nil, fmt.Errorf("%d samples, sums of %d and %d for %d columns: %w", in.Samples, len(in.Gram), len(in.Cross), k, ErrInputs)
	}
	var mean float64
	for j := range k {
		mean += in.Gram[j*k+j] / float64(k)
	}
	if !(mean >= 0) || mean-mean != 0 {
		return nil, fmt.Errorf("mean square of the inputs is %v: %w", mean/float64(in.Samples), ErrInputs)
	}
	for i, v := range in.Cross {
		if v-v != 0 {
			return nil, fmt.Errorf("the inputs' product [%d, %d] is %v: %w", i/k, i%k, v, ErrInputs)
		}
	}
	if mean == 0 { // dead inputs: any weights do
		mean = 1
	}
	c := &calibration{m: m, k: k, unity: 1 / mean, order: make([]int, k), group: make([]int, k), cross: in.Cross}
	for i := range c.order {
		c.order[i] = i
	}
	slices.SortStableFunc(c.order, func(a, b int) int { return cmp.Compare(in.Gram[b*k+b], in.Gram[a*k+a]) })
	for i, col := range c.order {
		c.group[i] = col / m.Scheme.Group()
	}
	for damp := damping; ; damp *= 10 {
		err := c.decompose(in.Gram, damp)
		if err == nil || damp >= mostDamping {
			return c, err
		}
	}
}

// decompose sets gram, unit and rest. damp is in means of the diagonal.
func (c *calibration) decompose(gram []float64, damp float64) error {
	k := c.k
	a := make([]float64, k*k)
	c.gram, c.unit, c.rest = make([]float32, k*k), make([]float32, k*k), make([]float32, k)
	for i, row := range c.order {
		for j, col := range c.order {
			a[i*k+j] = gram[row*k+col] * c.unity
		}
		a[i*k+i] += damp
	}
	for i, v := range a {
		c.gram[i] = float32(v)
	}
	if err := cholesky(a, k); err != nil {
		return err
	}
	for j := range k {
		d := a[j*k+j]
		c.rest[j] = float32(d * d)
		for i := range j {
			c.unit[j*k+i] = float32(a[i*k+j] / d)
		}
		c.unit[j*k+j] = 1
	}
	return nil
}

// calibratedRow is one output channel on its way, in the calibration's order.
type calibratedRow struct {
	*calibration
	want, goal []float32 // the weights that are approximated, and gram want
	value, err []float32 // scale q, and want - value
	q          []int8
	scale      []float32 // of the groups
	image      []float32 // gram times the integers of each group, [groups, k]
	slope      []float32 // gram err
	byColumn   []float32 // want by column, for the search of scales
	importance []float32
	plain      []int8
	normal     []float64 // equations of the scales
	right      []float64
}

func newCalibratedRow(c *calibration) *calibratedRow {
	k, groups := c.k, c.m.Groups()
	floats := func() []float32 { return make([]float32, k) }
	return &calibratedRow{calibration: c, want: floats(), goal: floats(), value: floats(), err: floats(), slope: floats(),
		byColumn: floats(), importance: floats(), q: make([]int8, k), plain: make([]int8, k), scale: make([]float32, groups),
		image: make([]float32, groups*k), normal: make([]float64, groups*groups), right: make([]float64, groups)}
}

// calibrate sets row r of the matrix.
func (s *calibratedRow) calibrate(w []float32, r int) {
	s.target(w)
	s.searchScales()
	s.feedback()
	s.project()
	for range sweeps {
		if s.descend() == 0 || !s.fitScales() {
			break
		}
	}
	s.descend()
	for i, col := range s.order {
		s.plain[col] = s.q[i]
	}
	s.m.setInt4Row(r, s.plain)
	for g, v := range s.scale {
		s.m.GroupScale[r*len(s.scale)+g] = ToF16(v)
	}
}

// target sets want = w + w cross gram⁻¹, the float weights that do with x best what w does with f, and goal.
func (s *calibratedRow) target(w []float32) {
	k := s.k
	for i, col := range s.order {
		s.want[i] = w[col]
	}
	product(s.goal, s.want, s.gram)
	if s.cross == nil {
		return
	}
	product(s.byColumn, w, s.cross)
	b := s.err
	for i, col := range s.order {
		b[i] = float32(float64(s.byColumn[col]) * s.unity)
		s.goal[i] += b[i]
	}
	for j := k - 1; j >= 0; j-- { // M y = b
		axpy(b[:j], -b[j], s.unit[j*k:j*k+j])
	}
	for j := range k { // Mᵀ x = y / D
		b[j] = b[j]/s.rest[j] - dot(s.unit[j*k:j*k+j], b[:j])
		s.want[j] += b[j]
	}
}

// searchScales chooses the scales by the error of plain rounding, each column weighted by what the columns after it
// cannot make up for.
func (s *calibratedRow) searchScales() {
	for i, col := range s.order {
		s.byColumn[col], s.importance[col] = s.want[i], s.rest[i]
	}
	group := s.m.Scheme.Group()
	for g := range s.scale {
		lo, hi := g*group, min((g+1)*group, s.k)
		s.scale[g] = min(FromF16(int4Scale(s.byColumn[lo:hi], s.importance[lo:hi])), maxScale)
	}
}

// feedback rounds column after column, each with the errors of those before it.
func (s *calibratedRow) feedback() {
	for j, v := range s.want {
		s.set(j, roundInt4(v+dot(s.unit[j*s.k:j*s.k+j], s.err[:j]), s.scale[s.group[j]], MinInt4))
	}
}

// set stores an integer.
func (s *calibratedRow) set(j int, q int8) {
	s.q[j] = q
	s.value[j] = float32(q) * s.scale[s.group[j]]
	s.err[j] = s.want[j] - s.value[j]
}

// project sets image.
func (s *calibratedRow) project() {
	clear(s.image)
	for j, q := range s.q {
		s.move(j, float32(q))
	}
}

// move adds dq times column j of the Gram matrix to its group's image.
func (s *calibratedRow) move(j int, dq float32) {
	if dq != 0 {
		k, g := s.k, s.group[j]
		axpy(s.image[g*k:(g+1)*k], dq, s.gram[j*k:(j+1)*k])
	}
}

// descend gives every integer in turn its best value beside all others, and returns how many changed.
func (s *calibratedRow) descend() (changes int) {
	k := s.k
	copy(s.slope, s.goal)
	for g, scale := range s.scale {
		axpy(s.slope, -scale, s.image[g*k:(g+1)*k])
	}
	for j := range k {
		scale, old := s.scale[s.group[j]], s.q[j]
		if scale == 0 {
			continue
		}
		if q := roundInt4(s.value[j]+s.slope[j]/s.gram[j*k+j], scale, MinInt4); q != old {
			s.set(j, q)
			s.move(j, float32(q-old))
			axpy(s.slope, -float32(q-old)*scale, s.gram[j*k:(j+1)*k])
			changes++
		}
	}
	return changes
}

// fitScales gives the groups their best scales for the integers that they have, and reports whether there are any.
func (s *calibratedRow) fitScales() bool {
	k, n := s.k, len(s.scale)
	clear(s.normal)
	clear(s.right)
	for j, q := range s.q {
		s.right[s.group[j]] += float64(q) * float64(s.goal[j])
	}
	for g := range n {
		image := s.image[g*k : (g+1)*k]
		for j, q := range s.q {
			s.normal[g*n+s.group[j]] += float64(q) * float64(image[j])
		}
	}
	for g := range n {
		d := &s.normal[g*n+g]
		*d = *d*(1+1e-6) + 1e-30 // a group of zeros has any scale
	}
	if cholesky(s.normal, n) != nil {
		return false
	}
	solve(s.normal, s.right, n)
	for g, v := range s.right {
		if h := FromF16(ToF16(float32(v))); h > 0 && h-h == 0 {
			s.scale[g] = h
		}
	}
	for j, q := range s.q {
		s.set(j, q)
	}
	return true
}
