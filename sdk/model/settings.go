package model

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/edgeadapt/edgeadapt/sdk/internal/checkpoint"
)

// settings is what a checkpoint's JSON files say beyond the tensors' shapes. Zero means not said.
type settings struct {
	heads, dim, depth, patch int
	image                    [2]int
	window                   int // of a Swin
	layerNormEps             float32
	swiGLU                   bool   // use_swiglu_ffn
	modelType                string // Hugging Face's
	pool                     Pool
	preprocess               Preprocess // Crop is 0 where it was not said
}

// modelTypes are Hugging Face's, with the LayerNorm eps of those whose config.json does not say it.
var modelTypes = map[string]float32{"": 0, "swin": swinEps, "vit": 1e-12, "vit_mae": 1e-12, "dinov2": defaultLayerNormEps,
	"dinov2_with_registers": defaultLayerNormEps}

// defaultLayerNormEps is that of timm, MAE and DINOv2.
const defaultLayerNormEps = 1e-6

// imageNet is the preprocessing of models trained on ImageNet: its mean and standard deviation.
var imageNet = Preprocess{Interpolation: checkpoint.Bicubic,
	Mean: [3]float32{0.485, 0.456, 0.406}, Std: [3]float32{0.229, 0.224, 0.225}}

// pair reads a number or a list of two.
type pair [2]int

func (p *pair) UnmarshalJSON(b []byte) error {
	var one int
	if json.Unmarshal(b, &one) == nil {
		*p = pair{one, one}
		return nil
	}
	var two []int
	if err := json.Unmarshal(b, &two); err != nil || len(two) != 2 {
		return fmt.Errorf("%s, expected a number or [height, width]", b)
	}
	*p = pair{two[0], two[1]}
	return nil
}

// heads reads a number of heads, or takes the list of a Swin's stages for not said: its tensors say it.
type heads int

func (h *heads) UnmarshalJSON(b []byte) error {
	var stages []int
	if json.Unmarshal(b, &stages) == nil {
		return nil
	}
	return json.Unmarshal(b, (*int)(h))
}

// configJSON is the part that matters of config.json, both of Hugging Face and of timm.
type configJSON struct {
	// Hugging Face
	ModelType    string   `json:"model_type"`
	HiddenSize   int      `json:"hidden_size"`
	Layers       int      `json:"num_hidden_layers"`
	Heads        heads    `json:"num_attention_heads"`
	Activation   string   `json:"hidden_act"`
	LayerNormEps *float32 `json:"layer_norm_eps"`
	ImageSize    pair     `json:"image_size"`
	PatchSize    pair     `json:"patch_size"`
	SwiGLU       bool     `json:"use_swiglu_ffn"`
	Window       pair     `json:"window_size"`
	// timm
	Architecture string `json:"architecture"`
	GlobalPool   string `json:"global_pool"`
	Args         struct {
		ImageSize  pair   `json:"img_size"`
		PatchSize  pair   `json:"patch_size"`
		Dim        int    `json:"embed_dim"`
		Depth      int    `json:"depth"`
		Heads      heads  `json:"num_heads"`
		Window     pair   `json:"window_size"`
		GlobalPool string `json:"global_pool"`
		Activation string `json:"act_layer"`
	} `json:"model_args"`
	Pretrained timmInput `json:"pretrained_cfg"`
	timmInput            // older files have these at the top
}

// timmInput is how timm writes a model's preprocessing.
type timmInput struct {
	InputSize     []int     `json:"input_size"` // channels, height, width
	CropShare     float64   `json:"crop_pct"`   // of the resized short side
	Interpolation string    `json:"interpolation"`
	Mean          []float32 `json:"mean"`
	Std           []float32 `json:"std"`
}

// readSettings parses config.json and preprocessor_config.json; either may be nil.
func readSettings(config, preprocessor []byte) (settings, error) {
	s := settings{preprocess: imageNet}
	if config != nil {
		var c configJSON
		if err := json.Unmarshal(config, &c); err != nil {
			return s, fmt.Errorf("config.json: %v: %w", err, ErrCorrupt)
		}
		if err := s.apply(c); err != nil {
			return s, fmt.Errorf("config.json: %w", err)
		}
	}
	if preprocessor != nil {
		if err := s.applyPreprocessor(preprocessor); err != nil {
			return s, fmt.Errorf("preprocessor_config.json: %w", err)
		}
	}
	return s, nil
}

func (s *settings) apply(c configJSON) error {
	eps, ok := modelTypes[c.ModelType]
	if c.ModelType == "swinv2" {
		return fmt.Errorf("model_type %q is Swin V2 (cosine attention, continuous positions), expected Swin V1: %w", c.ModelType, ErrLayout)
	}
	if !ok {
		return fmt.Errorf("model_type %q, expected %s: %w", c.ModelType, strings.TrimPrefix(strings.Join(slices.Sorted(maps.Keys(modelTypes)), ", "), ", "), ErrLayout)
	}
	s.layerNormEps, s.swiGLU, s.modelType = eps, c.SwiGLU, c.ModelType
	for _, a := range []string{c.Activation, c.Args.Activation} {
		if a != "" && a != "gelu" {
			return fmt.Errorf("activation %q, expected gelu: %w", a, ErrLayout)
		}
	}
	if strings.Contains(c.Architecture, "quickgelu") {
		return fmt.Errorf("architecture %q, expected the erf form of GELU: %w", c.Architecture, ErrLayout)
	}
	if c.LayerNormEps != nil {
		s.layerNormEps = *c.LayerNormEps
	}
	s.dim, s.depth = or(c.HiddenSize, c.Args.Dim), or(c.Layers, c.Args.Depth)
	s.heads = or(int(c.Heads), int(c.Args.Heads), timmHeads(c.Architecture))
	window := or(c.Window, c.Args.Window)
	if window[0] != window[1] {
		return fmt.Errorf("window size %v, expected a square: %w", window, ErrLayout)
	}
	s.window = window[0]
	patch := or(pair(c.PatchSize), c.Args.PatchSize)
	if patch[0] != patch[1] {
		return fmt.Errorf("patch size %v, expected a square: %w", patch, ErrLayout)
	}
	s.patch, s.image = patch[0], or([2]int(c.ImageSize), [2]int(c.Args.ImageSize))
	switch or(c.Args.GlobalPool, c.GlobalPool) {
	case "token":
		s.pool = checkpoint.PoolCLS
	case "avg":
		s.pool = checkpoint.PoolMean
	}
	return s.applyTimmInput(c.timmInput, c.Pretrained)
}

// or returns the first value that is set.
func or[T comparable](values ...T) T {
	var zero T
	for _, v := range values {
		if v != zero {
			return v
		}
	}
	return zero
}

// timmHeads knows the heads of timm's named sizes, whose config.json often gives the name only.
func timmHeads(architecture string) int {
	for size, heads := range map[string]int{"tiny": 3, "small": 6, "base": 12, "large": 16, "huge": 16} {
		if strings.Contains(architecture, "_"+size+"_patch") {
			return heads
		}
	}
	return 0
}

func (s *settings) applyTimmInput(inputs ...timmInput) error {
	for _, in := range inputs {
		if len(in.InputSize) == 3 {
			crop := in.InputSize[1]
			share := or(in.CropShare, 1)
			if share <= 0 || share > 1 || crop < 1 || crop > checkpoint.MaxSide {
				return fmt.Errorf("input size %v with crop_pct %g: %w", in.InputSize, share, ErrCorrupt)
			}
			s.preprocess.Crop, s.preprocess.Resize = crop, int(math.Floor(float64(crop)/share))
		}
		if in.Interpolation != "" {
			s.preprocess.Interpolation = Interpolation(in.Interpolation)
		}
		if err := s.normalise(in.Mean, in.Std); err != nil {
			return err
		}
	}
	return nil
}

func (s *settings) normalise(mean, std []float32) error {
	for _, v := range []struct {
		from []float32
		to   *[3]float32
	}{{mean, &s.preprocess.Mean}, {std, &s.preprocess.Std}} {
		switch len(v.from) {
		case 0:
		case 3:
			*v.to = [3]float32(v.from)
		default:
			return fmt.Errorf("mean %v and std %v, expected three numbers each: %w", mean, std, ErrCorrupt)
		}
	}
	return nil
}

// side reads Hugging Face's ways to write a size: a number, {"shortest_edge": n} or {"height": n, "width": n}.
type side int

func (s *side) UnmarshalJSON(b []byte) error {
	var n int
	if json.Unmarshal(b, &n) == nil {
		*s = side(n)
		return nil
	}
	var o struct {
		ShortestEdge int `json:"shortest_edge"`
		Height       int `json:"height"`
		Width        int `json:"width"`
	}
	if err := json.Unmarshal(b, &o); err != nil {
		return err
	}
	if o.Height != o.Width {
		return fmt.Errorf("height %d and width %d, expected a square", o.Height, o.Width)
	}
	*s = side(or(o.ShortestEdge, o.Height))
	return nil
}

// applyPreprocessor reads the settings of a Hugging Face image processor.
func (s *settings) applyPreprocessor(text []byte) error {
	p := struct {
		Size      side      `json:"size"`
		Crop      side      `json:"crop_size"`
		DoCrop    *bool     `json:"do_center_crop"`
		Resample  *int      `json:"resample"`
		Rescale   *float64  `json:"rescale_factor"`
		Normalise *bool     `json:"do_normalize"`
		Mean      []float32 `json:"image_mean"`
		Std       []float32 `json:"image_std"`
	}{}
	if err := json.Unmarshal(text, &p); err != nil {
		return fmt.Errorf("%v: %w", err, ErrCorrupt)
	}
	if p.Rescale != nil && math.Abs(*p.Rescale*255-1) > 1e-6 {
		return fmt.Errorf("rescale_factor %g, expected 1/255: %w", *p.Rescale, ErrLayout)
	}
	resize, crop := int(p.Size), int(p.Crop)
	if p.DoCrop == nil || !*p.DoCrop || crop == 0 {
		crop = resize
	}
	if crop > 0 {
		s.preprocess.Resize, s.preprocess.Crop = max(resize, crop), crop
	}
	if p.Resample != nil {
		filter, ok := map[int]Interpolation{2: checkpoint.Bilinear, 3: checkpoint.Bicubic}[*p.Resample] // PIL's numbers
		if !ok {
			return fmt.Errorf("resample %d, expected 2 (bilinear) or 3 (bicubic): %w", *p.Resample, ErrLayout)
		}
		s.preprocess.Interpolation = filter
	}
	if p.Normalise != nil && !*p.Normalise {
		p.Mean, p.Std = []float32{0, 0, 0}, []float32{1, 1, 1}
	}
	return s.normalise(p.Mean, p.Std)
}
