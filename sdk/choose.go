package sdk

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"path/filepath"
	"time"

	"github.com/edgeadapt/edgeadapt/sdk/internal/memo"
	"github.com/edgeadapt/edgeadapt/sdk/internal/nn"
	"github.com/edgeadapt/edgeadapt/sdk/internal/release"
	"github.com/edgeadapt/edgeadapt/sdk/model"
	"github.com/pkg/errors"
)

// choiceSubject is what a choice of device depends on.
type choiceSubject struct {
	Release     string   `json:"release"`
	Backbone    string   `json:"backbone"` // fingerprint
	Scheme      string   `json:"scheme"`
	Activations string   `json:"activations"`
	Size        int      `json:"size"`
	Threads     int      `json:"threads"`
	Devices     []string `json:"devices"` // name, driver and UUID of each
}

// choice is what was found: the device, and what a pass of one image took on each that could run it.
type choice struct {
	Device string             `json:"device"` // "cpu" or a UUID
	MS     map[string]float64 `json:"ms"`
}

// choiceRuns are the timed passes on each device, after one that compiles and one that warms up.
const choiceRuns = 5

// choose is the seat for b: the named device, or under "auto" the one that runs b fastest. That is measured once a device,
// driver, model and release, where there is a cache folder; software drivers never take part. rt.mu is held.
func (rt *Runtime) choose(ctx context.Context, b *model.Backbone) (*seat, error) {
	if rt.opt.device != "auto" {
		return rt.seats[0], nil
	}
	list, err := rt.opt.drivers.list()
	var candidates []Device
	for _, d := range list {
		if err == nil && d.Kind != "software" && d.UUID != "" {
			candidates = append(candidates, d)
		}
	}
	if len(candidates) == 0 {
		return rt.seats[0], nil
	}
	about := choiceSubject{Release: release.Version(), Backbone: b.Fingerprint(), Scheme: string(b.Scheme()), Activations: rt.opt.activations,
		Size: b.Config().Preprocess.Crop, Threads: rt.opt.threads}
	for _, d := range append([]Device{rt.seats[0].backend().Info()}, candidates...) {
		about.Devices = append(about.Devices, d.Name+" "+d.Driver+" "+d.UUID)
	}
	path := rt.opt.choicePath(about)
	var known choice
	if memo.Load(path, about, &known) {
		if s, err := rt.seatOf(known.Device); err == nil {
			return s, nil
		}
	}
	found, s, sure, err := rt.fastest(ctx, b, candidates)
	if err != nil {
		return nil, err
	}
	if sure {
		_ = memo.Save(path, about, found) // without it the next process measures again
	}
	return s, nil
}

// choicePath is where a choice is remembered, empty for nowhere.
func (o options) choicePath(about choiceSubject) string {
	text, err := json.Marshal(about)
	if o.cacheDir == "" || err != nil {
		return ""
	}
	sum := sha256.Sum256(text)
	return filepath.Join(o.cacheDir, "choice-"+hex.EncodeToString(sum[:8])+".json")
}

// seatOf is the seat of "cpu" or of the device with a UUID, opened at first use.
func (rt *Runtime) seatOf(id string) (*seat, error) {
	if id == "cpu" {
		return rt.seats[0], nil
	}
	for _, s := range rt.seats[1:] {
		if s.opt.device == id {
			return s, nil
		}
	}
	o := rt.opt
	o.device = id
	s, err := newSeat(o)
	if err == nil {
		rt.seats = append(rt.seats, s)
	}
	return s, err
}

// fastest measures b on the CPU and on each candidate. It is sure where every device was measured, or failed its self-test
// or the comparison with the CPU, which later attempts would do too.
func (rt *Runtime) fastest(ctx context.Context, b *model.Backbone, candidates []Device) (found choice, best *seat, sure bool, err error) {
	best, sure = rt.seats[0], true
	least, want, err := rt.timeOn(ctx, best, b)
	if err != nil {
		return found, nil, false, err
	}
	found = choice{"cpu", map[string]float64{"cpu": ms(least)}}
	for _, d := range candidates {
		s, err := rt.seatOf(d.UUID)
		var took time.Duration
		var got []float32
		if err == nil {
			took, got, err = rt.timeOn(ctx, s, b)
		}
		if err == nil {
			if worst := relMax(got, want); !(worst <= checkToleranceInt8) {
				err = errors.WithMessagef(ErrCheck, "features differ from the CPU's by %.2g of the largest", worst)
			}
		}
		if ctx.Err() != nil {
			return found, nil, false, ctx.Err()
		}
		if err != nil {
			rt.opt.log.Warn("device cannot be chosen", "device", d.Name, "error", err)
			sure = sure && (errors.Is(err, ErrFaulty) || errors.Is(err, ErrCheck))
			continue
		}
		found.MS[d.UUID] = ms(took)
		if took < least {
			least, best, found.Device = took, s, d.UUID
		}
	}
	rt.opt.log.Info("device chosen", "device", best.backend().Info().Name, "ms", found.MS)
	return found, best, sure, nil
}

// timeOn is the median time of a pass of one image of b on a seat, and its features. Nothing stays on the device.
func (rt *Runtime) timeOn(ctx context.Context, s *seat, b *model.Backbone) (_ time.Duration, features []float32, err error) {
	n, err := rt.opt.newNetwork(s.backend(), b)
	if err != nil {
		return 0, nil, err
	}
	defer func() {
		if e := n.close(); err == nil {
			err = e
		}
	}()
	size := b.Config().Preprocess.Crop
	input, tasks := noise(3*size*size), []*nn.Resident{nil}
	mc := nn.MixConfig{Height: size, Width: size, Pool: b.Config().Pool, Taps: []string{nn.TapFeatures}}
	var times []float64
	for range 2 + choiceRuns {
		began := rt.opt.drivers.now()
		err := n.mixer.Run(ctx, mc, input, tasks, func(f *nn.Forward, _, _ int) error {
			t, err := readTap(f, nn.TapFeatures)
			features = t.Data
			return err
		})
		if err != nil {
			return 0, nil, err
		}
		times = append(times, float64(rt.opt.drivers.now().Sub(began)))
	}
	return time.Duration(median(times[2:])), features, nil
}
