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
	"github.com/edgeadapt/edgeadapt/sdk/internal/checkpoint/pth"
	"github.com/edgeadapt/edgeadapt/sdk/internal/tensor"
)

// Source is a published checkpoint, opened and checked: every tensor of the architecture is there with its shape. The
// values have not been read yet. Immutable; the caller closes it when nothing reads it any more.
type Source struct {
	file   checkpoint.Tensors
	layout layout
	config Config
	unused []string
}

// Config describes the checkpoint. Its Fingerprint is empty: that takes reading every weight.
func (s *Source) Config() Config { return s.config }

// Unused lists the tensors of the checkpoint that a backbone has no use for, such as a decoder or trained adapters. The
// caller must not modify the slice.
func (s *Source) Unused() []string { return s.unused }

// Close releases the file. It may be called twice.
func (s *Source) Close() error { return s.file.Close() }

// File names of a checkpoint folder.
const (
	weightsFile      = "model.safetensors"
	pickledFile      = "pytorch_model.bin"
	configFile       = "config.json"
	preprocessorFile = "preprocessor_config.json"
)

// maxJSON bounds the settings files, in bytes.
const maxJSON = 1 << 20

// Settings state what a checkpoint's files leave open. Zero means as the files say.
type Settings struct {
	Heads        int     // of the attention
	LayerNormEps float32 // of every norm
}

// Import opens a checkpoint: a folder with model.safetensors or pytorch_model.bin, config.json and, if there is one,
// preprocessor_config.json; or a safetensors or PyTorch file itself, with the JSON files taken from beside it. The key
// layout is recognised; see the README for the list. It returns ErrLayout, with the keys in question, for a checkpoint
// of another model, and ErrCorrupt for a damaged file.
func Import(path string) (*Source, error) { return ImportWith(path, Settings{}) }

// ImportWith is Import with settings that take the place of what config.json says.
func ImportWith(path string, stated Settings) (*Source, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, pkgerrors.Wrap(err, "import")
	}
	folder, weights := filepath.Dir(path), path
	if info.IsDir() {
		folder, weights = path, filepath.Join(path, weightsFile)
		if pickled := filepath.Join(path, pickledFile); !exists(weights) && exists(pickled) {
			weights = pickled
		}
	}
	config, err := readOptional(filepath.Join(folder, configFile))
	if err != nil {
		return nil, err
	}
	preprocessor, err := readOptional(filepath.Join(folder, preprocessorFile))
	if err != nil {
		return nil, err
	}
	f, err := pth.OpenTensors(weights)
	if err != nil {
		return nil, pkgerrors.WithMessagef(err, "import %s", path)
	}
	s, err := newSource(f, stated, config, preprocessor)
	if err != nil {
		f.Close()
		return nil, pkgerrors.WithMessagef(err, "import %s", path)
	}
	return s, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
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
func newSource(f checkpoint.Tensors, stated Settings, config, preprocessor []byte) (*Source, error) {
	set, err := readSettings(config, preprocessor)
	if err != nil {
		return nil, err
	}
	set.heads, set.layerNormEps = or(stated.Heads, set.heads), or(stated.LayerNormEps, set.layerNormEps)
	l, err := findLayout(f)
	if err != nil {
		return nil, err
	}
	if set.modelType != "" && (set.modelType == "swin") != l.isSwin() {
		return nil, fmt.Errorf("%s says model_type %q, the tensors are those of %s: %w", configFile, set.modelType, l.name, ErrLayout)
	}
	s := &Source{file: f, layout: l}
	if s.config, err = s.configure(set); err != nil {
		return nil, err
	}
	if s.unused, err = l.match(f, s.config); err != nil {
		return nil, err
	}
	if err := s.checkShapes(); err != nil {
		if c := s.config; l.isSwin() && set.image == (pair{}) {
			err = pkgerrors.WithMessagef(err, "images are taken to be of %d x %d pixels, which image_size in %s can state", c.Grid[1]*c.Patch, c.Grid[0]*c.Patch, configFile)
		}
		return nil, err
	}
	return s, nil
}

// configure derives the architecture from the tensors' shapes and fills in what only the settings know.
func (s *Source) configure(set settings) (Config, error) {
	if s.layout.isSwin() {
		return s.configureSwin(set)
	}
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
	fc2, err := s.shape(blockName(0, "mlp.fc2.weight"), 2)
	if err != nil {
		return c, err
	}
	c = Config{Family: FamilyViT, Patch: patch[2], Dim: patch[0], Hidden: fc2[1], Heads: set.heads, LayerNormEps: or(set.layerNormEps, defaultLayerNormEps),
		Resample: s.layout.resample, Pool: or(set.pool, checkpoint.PoolCLS), Preprocess: set.preprocess,
		LayerScale: s.has(blockName(0, "ls1.gamma")), Distilled: s.has(distToken), SwiGLU: fc1[0] == 2*fc2[1],
		FCNorm: s.has("fc_norm.weight") && !s.has("norm.weight")}
	if c.Depth, err = s.layout.depth(s.file.Names()); err != nil {
		return c, err
	}
	if s.has(registerTokens) {
		tokens, err := s.shape(registerTokens, 3)
		if err != nil {
			return c, err
		}
		c.Registers = tokens[1]
	}
	if c.LayerScale {
		c.Family, c.Pool = FamilyDINOv2, or(set.pool, checkpoint.PoolCLSMean)
		// DINOv2's own files have timm's names and a mask token; timm drops that, and has its own rule for positions.
		if s.file.Has("mask_token") {
			c.Resample = ResampleBicubic
		}
	}
	if c.Registers > 0 {
		c.Resample = ResampleAntialias // as the programs that brought registers do, Hugging Face's included
	}
	if c.FCNorm {
		c.Pool = checkpoint.PoolMean
	}
	// DeiT's logits are the mean of two heads; with only one they would be wrong.
	c.HasHead = s.has(headWeight) && !c.Distilled
	if c.Heads == 0 {
		return c, fmt.Errorf("the number of heads is not known, expected %s with num_heads or num_attention_heads beside the weights, or the number stated (--heads): %w", configFile, ErrLayout)
	}
	if c.Grid, err = gridOf(positions[1]-c.placedPrefix(), set.image, c.Patch); err != nil {
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

// has reports whether the file holds a canonical tensor.
func (s *Source) has(name string) bool { return s.file.Has(s.layout.keys(name)[0]) }

// shape is that of a canonical tensor, which must have the given rank.
func (s *Source) shape(name string, rank int) (tensor.Shape, error) {
	key := s.layout.keys(name)[0]
	info, err := s.file.Info(key)
	switch {
	case err != nil && s.file.Has(key):
		return nil, err
	case err != nil:
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
	if s.swiGLU && !c.SwiGLU {
		return fmt.Errorf("%s has use_swiglu_ffn, the MLP is one with GELU: %w", configFile, ErrLayout)
	}
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
