package model

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"

	"github.com/edgeadapt/edgeadapt/sdk/internal/checkpoint"
)

var (
	// swinUnused are buffers that follow from the architecture, SimMIM's mask token, and what the AdaptFormer authors trained.
	swinUnused = regexp.MustCompile(`\.relative_position_index$|\.attn_mask$|mask_token$|\.adaptmlp\.|^head\.[01]\.|^classifier\.(weight|bias)$`)
	swinBlock  = regexp.MustCompile(`^(?:encoder\.)?layers\.(\d+)\.blocks\.(\d+)\.`)
	swinMerge  = regexp.MustCompile(`^layers\.(\d+)\.downsample\.`)
	// swinV2 matches tensors that only Swin V2 has: cosine attention and continuous positions.
	swinV2 = regexp.MustCompile(`\.(logit_scale|cpb_mlp\.|continuous_position_bias_mlp\.)`)
)

// swinLayouts are recognised in this order: timm's differs from the original by the stage that patch merging belongs to.
// Hugging Face's program pads odd grids before it shifts, the others after.
var swinLayouts = []layout{
	{name: "Swin-Transformer", marker: "layers.0.downsample.reduction.weight", block: swinBlock, source: originalSwinSource, unused: swinUnused},
	{name: "timm Swin", marker: "layers.0.blocks.0.attn.qkv.weight", block: swinBlock, source: timmSwinSource, unused: swinUnused},
	{name: "SwinModel", marker: hfSwinMarker, block: swinBlock, source: hfSwinSource, unused: swinUnused, padFirst: true},
	{name: "SwinForImageClassification", marker: hfSwinMarker, prefix: "swin.", block: swinBlock, source: hfSwinSource, unused: swinUnused, padFirst: true},
}

const hfSwinMarker = "encoder.layers.0.blocks.0.attention.self.query.weight"

// timmSwinSource is the identity but for the head.
func timmSwinSource(canonical string) []string {
	if leaf, ok := strings.CutPrefix(canonical, "head."); ok {
		return []string{swinHeadName + leaf}
	}
	return []string{canonical}
}

// originalSwinSource has patch merging at the end of the stage before.
func originalSwinSource(canonical string) []string { return []string{mergeAtEnd(canonical)} }

func mergeAtEnd(canonical string) string {
	m := swinMerge.FindStringSubmatch(canonical)
	if m == nil {
		return canonical
	}
	stage, _ := strconv.Atoi(m[1])
	return stageName(stage-1, strings.TrimPrefix(canonical, stageName(stage, "")))
}

// hfSwinNames turns a canonical name into that of SwinModel, the fused qkv apart.
var hfSwinNames = strings.NewReplacer(
	patchProj, "embeddings.patch_embeddings.projection",
	patchNorm, "embeddings.norm",
	".attn.proj.", ".attention.output.dense.",
	".attn.relative_position_bias_table", ".attention.self.relative_position_bias_table",
	".norm1.", ".layernorm_before.", ".norm2.", ".layernorm_after.",
	".mlp.fc1.", ".intermediate.dense.", ".mlp.fc2.", ".output.dense.",
)

func hfSwinSource(canonical string) []string {
	if leaf, ok := strings.CutPrefix(canonical, "head."); ok {
		return []string{classifier + leaf}
	}
	if leaf, ok := strings.CutPrefix(canonical, "norm."); ok {
		return []string{"layernorm." + leaf}
	}
	name := mergeAtEnd(canonical)
	if strings.HasPrefix(name, "layers.") {
		name = "encoder." + name
	}
	return split(hfSwinNames.Replace(name), ".attn.qkv.", ".attention.self.%s.", "query", "key", "value")
}

// isSwin reports whether the checkpoint is of one of the Swin layouts.
func (l layout) isSwin() bool { return l.block == swinBlock }

// refuseSwinV2 names the architecture that looks like one of ours and is another.
func refuseSwinV2(f checkpoint.Tensors) error {
	for _, n := range f.Names() {
		if swinV2.MatchString(n) {
			return fmt.Errorf("%s: tensor %q is of Swin V2 (cosine attention, continuous positions), expected Swin V1: %w", f.Path(), n, ErrLayout)
		}
	}
	return nil
}

// configureSwin derives the architecture of a Swin: all but window and image size stands in the tensors' shapes, and
// these have defaults that every published size follows.
func (s *Source) configureSwin(set settings) (Config, error) {
	c := Config{Family: FamilySwin, LayerNormEps: or(set.layerNormEps, swinEps), Pool: checkpoint.PoolNormMean, Preprocess: set.preprocess,
		PadFirst: s.layout.padFirst, HasHead: s.has(headWeight)}
	patch, err := s.shape(patchProj+".weight", 4)
	if err != nil {
		return c, err
	}
	c.Patch, c.Dim = patch[2], patch[0]
	if err := s.countStages(&c); err != nil {
		return c, err
	}
	fc1, err := s.shape(c.BlockName(0, "mlp.fc1.weight"), 2)
	if err != nil {
		return c, err
	}
	table, err := s.shape(c.BlockName(0, biasTable), 2)
	if err != nil {
		return c, err
	}
	c.Hidden, c.Heads = fc1[0], c.Stages[0].Heads
	if c.Window = set.window; c.Window == 0 {
		c.Window = (int(math.Sqrt(float64(table[0]))) + 1) / 2
	}
	image := set.image
	if image[0] == 0 || image[1] == 0 {
		image = [2]int{set.preprocess.Crop, set.preprocess.Crop}
	}
	if c.Grid = [2]int{image[0] / max(c.Patch, 1), image[1] / max(c.Patch, 1)}; c.Grid[0] == 0 || c.Grid[1] == 0 {
		c.Grid = [2]int{8 * c.Window, 8 * c.Window} // the last of four stages is then one window: 224 pixels for 7, 384 for 12
	}
	c.Name = c.autoName()
	c.completePreprocess()
	if err := set.agreeSwin(c); err != nil {
		return c, err
	}
	if err := c.validate(); err != nil {
		return c, fmt.Errorf("%v: %w", err, ErrLayout)
	}
	return c, nil
}

// countStages finds stages and blocks by the highest numbers among the keys, and the heads by the bias tables' columns.
func (s *Source) countStages(c *Config) error {
	for _, n := range s.file.Names() {
		m := swinBlock.FindStringSubmatch(strings.TrimPrefix(n, s.layout.prefix))
		if m == nil {
			continue
		}
		stage, err1 := strconv.Atoi(m[1])
		block, err2 := strconv.Atoi(m[2])
		if err1 != nil || err2 != nil || stage >= maxStages || block >= maxDepth {
			return fmt.Errorf("tensor %q: the limit is %d stages of %d blocks: %w", n, maxStages, maxDepth, ErrLayout)
		}
		for len(c.Stages) <= stage {
			c.Stages = append(c.Stages, Stage{})
		}
		c.Stages[stage].Blocks = max(c.Stages[stage].Blocks, block+1)
	}
	for i := range c.Stages {
		table, err := s.shape(stageName(i, blockName(0, biasTable)), 2)
		if err != nil {
			return err
		}
		c.Stages[i].Heads = table[1]
		c.Depth += c.Stages[i].Blocks
	}
	if len(c.Stages) == 0 {
		return fmt.Errorf("%s: no blocks: %w", s.file.Path(), ErrLayout)
	}
	return nil
}

// agreeSwin compares what config.json states with what the tensors are; hidden_size is the width after the last stage.
func (s settings) agreeSwin(c Config) error {
	if s.dim != 0 && s.dim != c.Dim && s.dim != c.FeatureDim() {
		return fmt.Errorf("%s says that the width is %d, the tensors say %d in the first stage: %w", configFile, s.dim, c.Dim, ErrLayout)
	}
	if s.patch != 0 && s.patch != c.Patch {
		return fmt.Errorf("%s says that the patch size is %d, the tensors say %d: %w", configFile, s.patch, c.Patch, ErrLayout)
	}
	return nil
}
