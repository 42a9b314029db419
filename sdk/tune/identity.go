package tune

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/edgeadapt/edgeadapt/sdk/internal/nn"
	"github.com/edgeadapt/edgeadapt/sdk/internal/release"
	"github.com/pkg/errors"
)

// ErrDiffers says that a run file was written by a run of another configuration, data, backbone or device.
var ErrDiffers = errors.New("not the run that the checkpoint is of")

// identity is what decides a run's bits, by name: two runs of one identity give the same adapter.
type identity map[string]string

// machine are the names of what a run may be forced to go on without: the same bits are then no longer promised.
var machine = []string{"device", "driver", "release"}

func newIdentity(v *nn.ViT, c Config, digest string) (identity, error) {
	info := v.Backend().Info()
	id := identity{"backbone": v.Config().Fingerprint, "scheme": string(v.Scheme()), "activations": v.Activations().String(),
		"data digest": digest, "device": info.Name, "driver": info.Driver, "release": release.Version()}
	if c.From != nil {
		var err error
		if id["init"], err = c.From.Digest(); err != nil {
			return nil, errors.WithMessage(err, "identity of the run")
		}
	}
	text, err := json.Marshal(c.decisive())
	if err != nil {
		return nil, errors.Wrap(err, "identity of the run")
	}
	var settings map[string]json.RawMessage
	if err := json.Unmarshal(text, &settings); err != nil {
		return nil, errors.Wrap(err, "identity of the run")
	}
	for name, value := range settings {
		id[strings.ToLower(name)] = string(value)
	}
	return id, nil
}

// decisive is c without the settings that change no bit of what is trained. A new setting counts until it is named here.
func (c Config) decisive() Config {
	c.CacheBytes, c.MemoryBudget, c.Workers, c.Checkpoint = 0, 0, 0, Checkpoint{}
	c.Name, c.Description, c.Tags = "", "", nil
	return c
}

// check returns ErrDiffers with everything in which now is not what was.
func (was identity) check(now identity, forced bool) error {
	all := maps.Clone(was)
	maps.Copy(all, now)
	var differ []string
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if was[name] != now[name] && !(forced && slices.Contains(machine, name)) {
			differ = append(differ, fmt.Sprintf("%s was %s, is %s", name, shorten(was[name]), shorten(now[name])))
		}
	}
	if differ == nil {
		return nil
	}
	return errors.WithMessage(ErrDiffers, strings.Join(differ, "; "))
}

// shorten keeps a value readable: 64 digits of a digest say no more than 12.
func shorten(s string) string {
	const most = 60
	switch {
	case s == "":
		return "absent"
	case len(s) == 64 && strings.Trim(s, "0123456789abcdef") == "":
		return s[:12]
	case len(s) > most:
		return s[:most] + "..."
	}
	return s
}
