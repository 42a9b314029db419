package library

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ErrMatch says that a name is none of the labels, or might be several of them.
var ErrMatch = errors.New("no unique label")

// Match is a class name and the label that it stands for.
type Match struct {
	Name  string `json:"name"`
	Label string `json:"label"`
	Index int    `json:"index"` // of the label
}

// MatchLabels finds each name among the labels: the label of that very name, or else the only one with the same Porter
// stems, "cats" for "cat". Two names never share a label. It returns ErrMatch where a name has no label or several; a
// caller shows the matches whose Name is not their Label.
func MatchLabels(names, labels []string) ([]Match, error) {
	out := make([]Match, len(names))
	taken := map[int]string{}
	for i, name := range names {
		at, err := matchLabel(name, labels)
		if err != nil {
			return nil, err
		}
		if other, ok := taken[at]; ok {
			return nil, fmt.Errorf("%q and %q both stand for the label %q: %w", other, name, labels[at], ErrMatch)
		}
		taken[at] = name
		out[i] = Match{name, labels[at], at}
	}
	return out, nil
}

func matchLabel(name string, labels []string) (int, error) {
	if i := slices.Index(labels, name); i >= 0 {
		return i, nil
	}
	stems := strings.Join(Stems(name), " ")
	var found []int
	for i, l := range labels {
		if stems != "" && strings.Join(Stems(l), " ") == stems {
			found = append(found, i)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return 0, fmt.Errorf("%q is none of the labels %q: %w", name, labels, ErrMatch)
	}
	return 0, fmt.Errorf("%q may stand for %q or %q: %w", name, labels[found[0]], labels[found[1]], ErrMatch)
}
