package model

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/edgeadapt/edgeadapt/sdk/internal/checkpoint"
)

// layout is a way in which checkpoints name a ViT's tensors.
type layout struct {
	name   string
	marker string // a tensor that only this layout has, behind the prefix
	prefix string // of every key, may be empty
	block  *regexp.Regexp
	// source lists the keys that hold a canonical tensor: one, or several to be concatenated along the rows.
	source func(canonical string) []string
	// unused matches keys that the encoder does not need.
	unused *regexp.Regexp
}

var layouts = []layout{
	{
		name: "timm", marker: "blocks.0.attn.qkv.weight",
		block:  regexp.MustCompile(`^blocks\.(\d+)\.`),
		source: func(canonical string) []string { return []string{canonical} },
		unused: regexp.MustCompile(`^mask_token$`), // of DINOv2's own files, for pre-training only
	},
	{
		name: "Dinov2Model", marker: "encoder.layer.0.attention.attention.query.weight",
		block: regexp.MustCompile(`^encoder\.layer\.(\d+)\.`), source: hfSource,
		unused: regexp.MustCompile(`^embeddings\.mask_token$`),
	},
	{
		name: "Dinov2ForImageClassification", marker: "encoder.layer.0.attention.attention.query.weight", prefix: "dinov2.",
		block: regexp.MustCompile(`^encoder\.layer\.(\d+)\.`), source: hfSource,
		// The classifier reads class token and mean together; it is not kept.
		unused: regexp.MustCompile(`^embeddings\.mask_token$|^classifier\.(weight|bias)$`),
	},
}

// hfNames turns a canonical name into that of Dinov2Model, the fused qkv apart.
var hfNames = strings.NewReplacer(
	"patch_embed.proj", "embeddings.patch_embeddings.projection",
	clsToken, "embeddings.cls_token",
	posEmbed, "embeddings.position_embeddings",
	"blocks.", "encoder.layer.",
	".attn.proj.", ".attention.output.dense.",
	".ls1.gamma", ".layer_scale1.lambda1",
	".ls2.gamma", ".layer_scale2.lambda1",
)

func hfSource(canonical string) []string {
	if leaf, ok := strings.CutPrefix(canonical, "norm."); ok {
		return []string{"layernorm." + leaf}
	}
	name := hfNames.Replace(canonical)
	block, leaf, fused := strings.Cut(name, ".attn.qkv.")
	if !fused {
		return []string{name}
	}
	var keys []string
	for _, part := range []string{"query", "key", "value"} {
		keys = append(keys, fmt.Sprintf("%s.attention.attention.%s.%s", block, part, leaf))
	}
	return keys
}

// findLayout recognises a checkpoint by its keys.
func findLayout(f *checkpoint.File) (layout, error) {
	if f.Metadata()[metaKind] == kindBackbone {
		return layout{}, fmt.Errorf("%s: is a backbone file already: %w", f.Path(), ErrLayout)
	}
	for _, l := range layouts {
		if f.Has(l.prefix + l.marker) {
			return l, nil
		}
	}
	return layout{}, fmt.Errorf("%s: keys %s; expected those of a timm ViT or of Dinov2Model: %w", f.Path(), listed(f.Names()), ErrLayout)
}

// depth counts the blocks by the highest number among the keys; whatever misses below shows as missing keys.
func (l layout) depth(names []string) (int, error) {
	depth := 0
	for _, n := range names {
		m := l.block.FindStringSubmatch(strings.TrimPrefix(n, l.prefix))
		if m == nil {
			continue
		}
		i, err := strconv.Atoi(m[1])
		if err != nil || i >= maxDepth {
			return 0, fmt.Errorf("tensor %q: the limit is %d blocks: %w", n, maxDepth, ErrLayout)
		}
		depth = max(depth, i+1)
	}
	return depth, nil
}

// keys returns the file's keys of a canonical tensor.
func (l layout) keys(canonical string) []string {
	keys := l.source(canonical)
	for i := range keys {
		keys[i] = l.prefix + keys[i]
	}
	return keys
}

// match checks that the file has the tensors of the architecture and no others.
func (l layout) match(f *checkpoint.File, c Config) error {
	expected := map[string]bool{}
	var missing, unknown []string
	for _, s := range c.specs() {
		for _, k := range l.keys(s.name) {
			expected[k] = true
			if !f.Has(k) {
				missing = append(missing, k)
			}
		}
	}
	for _, n := range f.Names() {
		// A classifier beside a prefixed encoder has no prefix itself.
		if !expected[n] && !l.unused.MatchString(strings.TrimPrefix(n, l.prefix)) {
			unknown = append(unknown, n)
		}
	}
	var parts []string
	if len(missing) > 0 {
		parts = append(parts, "missing keys "+listed(missing))
	}
	if len(unknown) > 0 {
		parts = append(parts, "unknown keys "+listed(unknown))
	}
	if len(parts) > 0 {
		return fmt.Errorf("%s: as %s: %s: %w", f.Path(), l.name, strings.Join(parts, "; "), ErrLayout)
	}
	return nil
}

// listed prints up to 20 names, and the number of the others.
func listed(names []string) string {
	const most = 20
	names = slices.Sorted(slices.Values(names))
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}
