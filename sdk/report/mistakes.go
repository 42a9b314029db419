package report

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"fmt"
	"html/template"
	"image"
	"image/jpeg"
	"math"
	"slices"

	"github.com/edgeadapt/edgeadapt/sdk"
	"github.com/edgeadapt/edgeadapt/sdk/data"
	"github.com/edgeadapt/edgeadapt/sdk/metrics"
)

const (
	mostMistakes  = 18
	thumbnailSide = 144 // pixels
)

// mistake is an image that an adapter is wrong about.
type mistake struct {
	Path, Truth, Guess string
	Thumbnail          template.URL // empty where the picture cannot be read any more

	cost float64
}

// mistakes are the worst: the single label that is most sure and wrong, or the labels that are furthest from what is there.
func mistakes(e *sdk.Evaluation, images []sdk.Examined) []mistake {
	var list []mistake
	for _, x := range images {
		m := mistake{Path: x.Path, Truth: names(e.Labels, x.Truth)}
		if e.Classification != nil {
			best := metrics.Best(x.Scores)
			if has(x, best) {
				continue
			}
			m.Guess = fmt.Sprintf("%s (%.0f %%)", e.Labels[best], 100*x.Scores[best])
			m.cost = float64(x.Scores[best])
			for _, l := range x.Truth {
				m.cost -= float64(x.Scores[l])
			}
		} else if m.Guess, m.cost = wrongTags(e, x); m.cost == 0 {
			continue
		}
		list = append(list, m)
	}
	slices.SortStableFunc(list, func(a, b mistake) int { return cmp.Compare(b.cost, a.cost) })
	list = list[:min(len(list), mostMistakes)]
	for i := range list {
		list[i].Thumbnail = thumbnail(list[i].Path)
	}
	return list
}

// wrongTags names the labels that an image is given, and what the wrong ones cost: their distances from the threshold.
func wrongTags(e *sdk.Evaluation, x sdk.Examined) (guess string, cost float64) {
	var given []int
	for l, s := range x.Scores {
		threshold := e.PerLabel[l].Threshold
		if s >= threshold {
			given = append(given, l)
		}
		if (s >= threshold) != has(x, l) {
			cost += math.Abs(float64(s-threshold)) + 1e-9 // on the threshold it is a mistake too
		}
	}
	return names(e.Labels, given), cost
}

// has reports whether an image has a label.
func has(x sdk.Examined, label int) bool { return slices.Contains(x.Truth, label) }

// thumbnail is a small copy of a picture file as an address within the page.
func thumbnail(path string) template.URL {
	m, err := data.Decoder{MinSide: thumbnailSide}.DecodeFile(path)
	if err != nil {
		return ""
	}
	w, h := thumbnailSide, thumbnailSide
	if m.Width > m.Height {
		h = max(1, h*m.Height/m.Width)
	} else {
		w = max(1, w*m.Width/m.Height)
	}
	if m, err = m.ResizeTo(w, h, data.Bicubic); err != nil {
		return ""
	}
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	for i := range w * h {
		copy(img.Pix[4*i:], m.Pix[3*i:3*i+3])
		img.Pix[4*i+3] = 255
	}
	var b bytes.Buffer
	if jpeg.Encode(&b, img, &jpeg.Options{Quality: 85}) != nil {
		return ""
	}
	return template.URL("data:image/jpeg;base64," + base64.StdEncoding.EncodeToString(b.Bytes()))
}
