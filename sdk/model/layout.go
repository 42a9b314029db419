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
	prefix string // of every key but the classifier's, may be empty
	block  *regexp.Regexp
	// source lists the keys that hold a canonical tensor: one, or several to be concatenated along the rows.
	source func(canonical string) []string
	// unused matches keys that the encoder does not need: decoders, pre-training's mask, heads of other kinds, adapters.
	unused *regexp.Regexp
	// aliases are other names of canonical parts, taken where the file has them.
	aliases []alias
	// resample is the rule that the layout's own program has for positions.
	resample Resample
	padFirst bool // of a Swin: the layout's own program pads before it shifts
}

// alias says that a checkpoint may hold a part under another name. The marker is a whole key behind the prefix.
type alias struct{ marker, canonical, name string }

var (
	timmBlock = regexp.MustCompile(`^blocks\.(\d+)\.`)
	hfBlock   = regexp.MustCompile(`^encoder\.layer\.(\d+)\.`)
	// A SwiGLU MLP is fc1 with both halves of its rows, gate first, and fc2; DINOv2 calls them w12 and w3.
	timmAliases = []alias{
		{"blocks.0.mlp.w12.weight", ".mlp.fc1.", ".mlp.w12."}, {"blocks.0.mlp.w12.weight", ".mlp.fc2.", ".mlp.w3."},
		{"reg_token", registerTokens, "reg_token"},
	}
	hfAliases = []alias{
		{"encoder.layer.0.mlp.weights_in.weight", ".mlp.fc1.", ".mlp.weights_in."},
		{"encoder.layer.0.mlp.weights_in.weight", ".mlp.fc2.", ".mlp.weights_out."},
	}
	// timmUnused are mask tokens and MAE's decoder, DeiT's second head, and what the AdaptFormer authors trained.
	timmUnused = regexp.MustCompile(`^mask_token$|^decoder_|^head_dist\.|\.adaptmlp\.|^head\.[01]\.`)
	hfUnused   = regexp.MustCompile(`^embeddings\.mask_token$|^classifier\.(weight|bias)$`)
	hfViTOnly  = regexp.MustCompile(`^embeddings\.mask_token$|^pooler\.dense\.|^decoder\.`)
)

const (
	hfDINOMarker = "encoder.layer.0.norm1.weight"
	hfViTMarker  = "encoder.layer.0.layernorm_before.weight"
)

var layouts = []layout{
	{name: "timm", marker: "blocks.0.attn.qkv.weight", block: timmBlock, source: timmSource, unused: timmUnused,
		aliases: timmAliases, resample: ResampleAntialias},
	{name: "split q/k/v", marker: "blocks.0.attn.q_proj.weight", block: timmBlock, source: splitSource, unused: timmUnused,
		resample: ResampleAntialias},
	{name: "Dinov2Model", marker: hfDINOMarker, block: hfBlock, source: hfSource, unused: hfUnused, aliases: hfAliases, resample: ResampleBicubic},
	// The classifiers of these two read class token and mean together; they are not kept.
	{name: "Dinov2ForImageClassification", marker: hfDINOMarker, prefix: "dinov2.", block: hfBlock, source: hfSource, unused: hfUnused,
		aliases: hfAliases, resample: ResampleBicubic},
	{name: "Dinov2WithRegistersForImageClassification", marker: hfDINOMarker, prefix: "dinov2_with_registers.", block: hfBlock, source: hfSource,
		unused: hfUnused, aliases: hfAliases, resample: ResampleAntialias},
	{name: "ViTModel", marker: hfViTMarker, block: hfBlock, source: hfViTSource, unused: hfViTOnly, resample: ResampleBicubic},
	{name: "ViTForImageClassification", marker: hfViTMarker, prefix: "vit.", block: hfBlock, source: hfViTSource, unused: hfViTOnly,
		resample: ResampleBicubic},
}

// timmSource is the identity: the canonical names are timm's.
func timmSource(canonical string) []string { return []string{canonical} }

// splitSource is the AdaptFormer authors' naming: q, k and v apart, and the MLP's layers directly in the block.
func splitSource(canonical string) []string {
	name := strings.Replace(canonical, ".mlp.", ".", 1)
	return split(name, ".attn.qkv.", ".attn.%s.", "q_proj", "k_proj", "v_proj")
}

// split replaces the fused part of a name by each of three parts, put into format; other names stay as they are.
func split(name, fused, format string, parts ...string) []string {
	block, leaf, ok := strings.Cut(name, fused)
	if !ok {
		return []string{name}
	}
	keys := make([]string, len(parts))
	for i, part := range parts {
		keys[i] = block + fmt.Sprintf(format, part) + leaf
	}
	return keys
}

// hfNames turns a canonical name into that of Hugging Face's encoders, the fused qkv and the rest of the block apart.
var hfNames = strings.NewReplacer(
	"patch_embed.proj", "embeddings.patch_embeddings.projection",
	clsToken, "embeddings.cls_token",
	registerTokens, "embeddings.register_tokens",
	posEmbed, "embeddings.position_embeddings",
	"blocks.", "encoder.layer.",
	".attn.proj.", ".attention.output.dense.",
	".ls1.gamma", ".layer_scale1.lambda1",
	".ls2.gamma", ".layer_scale2.lambda1",
)

// hfViTBlock turns what is left of a name into that of ViTModel.
var hfViTBlock = strings.NewReplacer(".norm1.", ".layernorm_before.", ".norm2.", ".layernorm_after.",
	".mlp.fc1.", ".intermediate.dense.", ".mlp.fc2.", ".output.dense.")

func hfSource(canonical string) []string {
	if leaf, ok := strings.CutPrefix(canonical, "norm."); ok {
		return []string{"layernorm." + leaf}
	}
	return split(hfNames.Replace(canonical), ".attn.qkv.", ".attention.attention.%s.", "query", "key", "value")
}

func hfViTSource(canonical string) []string {
	if leaf, ok := strings.CutPrefix(canonical, "head."); ok {
		return []string{classifier + leaf}
	}
	keys := hfSource(canonical)
	for i := range keys {
		keys[i] = hfViTBlock.Replace(keys[i])
	}
	return keys
}

// classifier is the prefix of Hugging Face's heads, which stand beside the encoder.
const classifier = "classifier."

// findLayout recognises a checkpoint by its keys.
func findLayout(f checkpoint.Tensors) (layout, error) {
	if f.Metadata()[metaKind] == kindBackbone {
		return layout{}, fmt.Errorf("%s: is a backbone file already: %w", f.Path(), ErrLayout)
	}
	if err := refuseSwinV2(f); err != nil {
		return layout{}, err
	}
	for _, l := range slices.Concat(layouts, swinLayouts) {
		if f.Has(l.prefix + l.marker) {
			return l.withAliases(f), nil
		}
	}
	return layout{}, fmt.Errorf("%s: keys %s; expected those of a ViT or Swin of timm, MAE, DINOv2, Swin-Transformer, the AdaptFormer authors, or Hugging Face's ViTModel, Dinov2Model or SwinModel: %w",
		f.Path(), listed(f.Names()), ErrLayout)
}

// withAliases keeps the aliases that f uses.
func (l layout) withAliases(f checkpoint.Tensors) layout {
	used := []alias{}
	for _, a := range l.aliases {
		if f.Has(l.prefix + a.marker) {
			used = append(used, a)
		}
	}
	l.aliases = used
	return l
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
	for _, a := range l.aliases {
		canonical = strings.Replace(canonical, a.canonical, a.name, 1)
	}
	keys := l.source(canonical)
	for i := range keys {
		if !strings.HasPrefix(keys[i], classifier) {
			keys[i] = l.prefix + keys[i]
		}
	}
	return keys
}

// match checks that the file has the tensors of the architecture and no others. It returns the keys that the
// architecture has no use for.
func (l layout) match(f checkpoint.Tensors, c Config) (unused []string, err error) {
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
		if expected[n] {
			continue
		}
		// A classifier beside a prefixed encoder has no prefix itself.
		if name := strings.TrimPrefix(n, l.prefix); l.unused.MatchString(name) || c.Distilled && strings.HasPrefix(name, "head.") {
			unused = append(unused, n)
		} else {
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
		return nil, fmt.Errorf("%s: as %s: %s: %w", f.Path(), l.name, strings.Join(parts, "; "), ErrLayout)
	}
	return unused, nil
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
