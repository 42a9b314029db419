package model

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"

	pkgerrors "github.com/pkg/errors"

	"github.com/edgeadapt/edgeadapt/sdk/internal/checkpoint"
	"github.com/edgeadapt/edgeadapt/sdk/internal/tensor"
)

// Source is a published checkpoint, opened and checked: every tensor of the architecture is there with its shape. The
// values have not been read yet. Immutable; the caller closes it when nothing reads it any more.
type Source struct {
	file   *checkpoint.File
	layout layout
	config Config
}

// Config describes the checkpoint. Its Fingerprint is empty: that takes reading every weight.
func (s *Source) Config() Config { return s.config }

// Close releases the file. It may be called twice.
func (s *Source) Close() error { return s.file.Close() }

// File names of a checkpoint folder.
const (
	weightsFile      = "model.safetensors"
	configFile       = "config.json"
	preprocessorFile = "preprocessor_config.json"
)

// maxJSON bounds the settings files, in bytes.
const maxJSON = 1 << 20

// Import opens a checkpoint: a folder with model.safetensors, config.json and, if there is one,
// preprocessor_config.json; or the safetensors file itself, with the JSON files taken from beside it. The key layout is
// recognised. It returns ErrLayout, with the keys in question, for a checkpoint that is not one of a timm ViT or HF
// Dinov2Model, and ErrCorrupt for a damaged file.
func Import(path string) (*Source, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, pkgerrors.Wrap(err, "import")
	}
	folder, weights := filepath.Dir(path), path
	if info.IsDir() {
		folder, weights = path, filepath.Join(path, weightsFile)
	}
	config, err := readOptional(filepath.Join(folder, configFile))
	if err != nil {
		return nil, err
	}
	preprocessor, err := readOptional(filepath.Join(folder, preprocessorFile))
	if err != nil {
		return nil, err
	}
	f, err := checkpoint.Open(weights)
	if err != nil {
		return nil, pkgerrors.WithMessagef(err, "import %s", path)
	}
	s, err := newSource(f, config, preprocessor)
	if err != nil {
		f.Close()
		return nil, pkgerrors.WithMessagef(err, "import %s", path)
	}
	return s, nil
}

func readOptional(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil && info.Size() > maxJSON {
		return nil, fmt.Errorf("%s: %d bytes, the limit is %d: %w", path, info.Size(), maxJSON, ErrCorrupt)
	}
	b, err := os.ReadFile(path)
	return b, pkgerrors.Wrap(err, "import")
}

// newSource recognises and checks a checkpoint. On success the Source owns f.
func newSource(f *checkpoint.File, config, preprocessor []byte) (*Source, error) {
	set, err := readSettings(config, preprocessor)
	if err != nil {
		return nil, err
	}
	l, err := findLayout(f)
	if err != nil {
		return nil, err
	}
	s := &Source{file: f, layout: l}
	if s.config, err = s.configure(set); err != nil {
		return nil, err
	}
	if err := l.match(f, s.config); err != nil {
		return nil, err
	}
	return s, s.checkShapes()
}

// configure derives the architecture from the tensors' shapes and fills in what only the settings know.
func (s *Source) configure(set settings) (Config, error) {
	var c Config
	patch, err := s.shape(patchProj+".weight", 4)
	if err != nil {
		return c, err
	}
	fc1, err := s.shape(blockName(0, "mlp.fc1.weight"), 2)
	if err != nil {
		return c, err
	}
	positions, err := s.shape(posEmbed, 3)
	if err != nil {
		return c, err
	}
	c = Config{Family: FamilyViT, Patch: patch[2], Dim: patch[0], Hidden: fc1[0], Heads: set.heads, LayerNormEps: set.layerNormEps,
		Resample: ResampleAntialias, Pool: or(set.pool, checkpoint.PoolCLS), Preprocess: set.preprocess}
	if c.Depth, err = s.layout.depth(s.file.Names()); err != nil {
		return c, err
	}
	c.LayerScale = s.file.Has(s.layout.keys(blockName(0, "ls1.gamma"))[0])
	// Layer scale marks the family; timm resamples the positions of every model by its own rule, and its files of
	// DINOv2 have no mask token.
	if c.LayerScale {
		c.Family, c.Pool = FamilyDINOv2, or(set.pool, checkpoint.PoolCLSMean)
		if s.layout.name != "timm" || s.file.Has("mask_token") {
			c.Resample = ResampleBicubic
		}
	}
	c.HasHead = s.layout.name == "timm" && s.file.Has(headWeight)
	if c.Heads == 0 {
		return c, fmt.Errorf("the number of heads is not known, expected %s with num_heads or num_attention_heads beside the weights: %w", configFile, ErrLayout)
	}
	if c.Grid, err = gridOf(positions[1]-c.PrefixTokens(), set.image, c.Patch); err != nil {
		return c, err
	}
	c.Name = c.autoName()
	c.completePreprocess()
	if err := set.agree(c); err != nil {
		return c, err
	}
	if err := c.validate(); err != nil {
		return c, fmt.Errorf("%v: %w", err, ErrLayout)
	}
	return c, nil
}

// shape is that of a canonical tensor, which must have the given rank.
func (s *Source) shape(name string, rank int) (tensor.Shape, error) {
	key := s.layout.keys(name)[0]
	info, err := s.file.Info(key)
	if err != nil {
		return nil, fmt.Errorf("as %s: missing key %s: %w", s.layout.name, key, ErrLayout)
	}
	if len(info.Shape) != rank {
		return nil, fmt.Errorf("tensor %q is %v, expected rank %d: %w", key, info.Shape, rank, ErrLayout)
	}
	return info.Shape, nil
}

// gridOf finds the rows and columns of n patch positions: those of the stated image, else a square.
func gridOf(n int, image [2]int, patch int) ([2]int, error) {
	if patch > 0 && image[0] > 0 && image[0]/patch*(image[1]/patch) == n {
		return [2]int{image[0] / patch, image[1] / patch}, nil
	}
	side := int(math.Sqrt(float64(max(n, 0))))
	if side < 1 || side*side != n {
		return [2]int{}, fmt.Errorf("%d patch positions are no square and do not fit an image of %v with patches of %d: %w", n, image, patch, ErrLayout)
	}
	return [2]int{side, side}, nil
}

// completePreprocess fills in sizes that no file states: the image that the positions were made for, cut from one whose
// short side is 8/7 as long, as in 224 from 256.
func (c *Config) completePreprocess() {
	if p := &c.Preprocess; p.Crop == 0 {
		h, w := c.ImageSize()
		p.Crop = max(h, w)
		p.Resize = (p.Crop*8 + 3) / 7
	}
}

// agree compares what config.json states with what the tensors are.
func (s settings) agree(c Config) error {
	for _, v := range []struct {
		name         string
		stated, real int
	}{{"width", s.dim, c.Dim}, {"number of blocks", s.depth, c.Depth}, {"patch size", s.patch, c.Patch}} {
		if v.stated != 0 && v.stated != v.real {
			return fmt.Errorf("%s says that the %s is %d, the tensors say %d: %w", configFile, v.name, v.stated, v.real, ErrLayout)
		}
	}
	return nil
}

// checkShapes compares every tensor with the architecture.
func (s *Source) checkShapes() error {
	for _, spec := range s.config.specs() {
		keys := s.layout.keys(spec.name)
		part := spec
		if len(keys) > 1 { // each holds an equal share of the rows
			part.shape = append(tensor.Shape{spec.shape[0] / len(keys)}, spec.shape[1:]...)
		}
		for _, k := range keys {
			if info, err := s.file.Info(k); err != nil {
				return err
			} else if !part.fits(info.Shape) {
				return fmt.Errorf("%s: tensor %q is %v, expected %s: %w", s.file.Path(), k, info.Shape, part.want(), ErrLayout)
			}
		}
	}
	return nil
}

// read returns a canonical tensor as float32 in memory of its own, and whether its source holds nothing finer than
// float16. The error names a value that is no number.
func (s *Source) read(name string) (t tensor.Tensor, half bool, err error) {
	keys := s.layout.keys(name)
	half = true
	for _, k := range keys {
		part, err := s.file.Float32(k)
		if err != nil {
			return t, false, err
		}
		for i, v := range part.Data {
			if v-v != 0 {
				return t, false, fmt.Errorf("%s: tensor %q: element %d is %v: %w", s.file.Path(), k, i, v, ErrCorrupt)
			}
		}
		info, err := s.file.Info(k)
		if err != nil {
			return t, false, err
		}
		half = half && info.DType == checkpoint.F16
		t.Shape, t.Data = part.Shape, append(t.Data, part.Data...)
	}
	if len(keys) > 1 {
		t.Shape = append(tensor.Shape{t.Shape[0] * len(keys)}, t.Shape[1:]...)
	}
	return t, half, nil
}
