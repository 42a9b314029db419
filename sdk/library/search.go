package library

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"unicode"

	"github.com/blevesearch/go-porterstemmer"
)

// Okapi BM25 with the usual constants: how soon repeated words stop to count, and how much long texts are held back.
const (
	saturation = 1.2
	lengthNorm = 0.75
)

// How many times a word counts in each field: a name says more than a description.
const (
	weightName        = 3
	weightLabel       = 2
	weightTag         = 2
	weightDescription = 1
)

// Hit is one entry that a search found.
type Hit struct {
	Entry
	Score float64 // BM25, above 0; comparable within one search only
}

// maxQuery is the most of a query that counts, in bytes.
const maxQuery = 4096

// Search ranks the entries that share a word with the query, by BM25 over Porter stems of name, description, labels
// and tags: "sorting ripe fruits" finds "fruit sorter" and a label "ripe". At most n, all for n = 0; equal scores by path.
func (l *Library) Search(query string, n int) []Hit {
	if len(query) > maxQuery {
		query = query[:maxQuery]
	}
	var hits []Hit
	words := Stems(query)
	slices.Sort(words)
	words = slices.Compact(words)
	for i, e := range l.Entries {
		if s := l.index.score(i, words); s > 0 {
			hits = append(hits, Hit{e, s})
		}
	}
	slices.SortFunc(hits, func(a, b Hit) int {
		return cmp.Or(cmp.Compare(b.Score, a.Score), strings.Compare(a.Path, b.Path))
	})
	if n > 0 && len(hits) > n {
		hits = hits[:n]
	}
	return hits
}

// Stems cuts text into words at everything but letters and digits and reduces each to its Porter stem.
func Stems(text string) []string {
	var stems []string
	for _, w := range strings.FieldsFunc(text, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		stems = append(stems, porterstemmer.StemString(w))
	}
	return stems
}

// index counts the stems of each entry.
type index struct {
	counts   []map[string]float64 // by entry, weighted
	lengths  []float64
	mean     float64        // of lengths
	document map[string]int // entries that have a stem
}

func newIndex(entries []Entry) index {
	x := index{document: map[string]int{}}
	for _, e := range entries {
		counts, length := map[string]float64{}, 0.0
		add := func(text string, weight float64) {
			for _, s := range Stems(text) {
				counts[s] += weight
				length += weight
			}
		}
		add(e.Name(), weightName)
		add(e.Config.Description, weightDescription)
		for _, label := range e.Config.Labels {
			add(label, weightLabel)
		}
		for _, tag := range e.Config.Tags {
			add(tag, weightTag)
		}
		for s := range counts {
			x.document[s]++
		}
		x.counts, x.lengths = append(x.counts, counts), append(x.lengths, length)
		x.mean += length / float64(len(entries))
	}
	return x
}

// score is the BM25 of an entry for distinct stems.
func (x index) score(i int, words []string) (sum float64) {
	for _, w := range words {
		f := x.counts[i][w]
		if f == 0 {
			continue
		}
		n := float64(x.document[w])
		rarity := math.Log(1 + (float64(len(x.counts))-n+0.5)/(n+0.5))
		sum += rarity * f * (saturation + 1) / (f + saturation*(1-lengthNorm+lengthNorm*x.lengths[i]/x.mean))
	}
	return sum
}
