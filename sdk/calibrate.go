package sdk

import (
	"context"
	"runtime"

	"github.com/edgeadapt/edgeadapt/sdk/data"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend/cpu"
	"github.com/edgeadapt/edgeadapt/sdk/internal/calibrate"
	"github.com/edgeadapt/edgeadapt/sdk/internal/tensor"
	"github.com/edgeadapt/edgeadapt/sdk/model"
	"github.com/pkg/errors"
)

// Calibration says how Calibrate chooses its images.
type Calibration struct {
	Images  int    // at most so many; 0 for 32
	Seed    uint64 // draws them
	Threads int    // processors to use, 0 for all
	// Progress, which may be nil, is told how many layers of how many are done, or images for int8.
	Progress func(done, of int)
}

// defaultCalibration gives each input of a ViT-S's widest layer five samples of its own; RATIONALE has the numbers.
const defaultCalibration = 32

// Calibrate quantises a checkpoint to a scheme of integers with pictures of the kind that the model will see, of which it needs
// no labels. int4 weights are chosen for the outputs that they give and not as the nearest ones. Before they are rounded to
// int8, weights take over the range of channels of activations that are much larger than others. It runs on the CPU.
// The same pictures, seed and processor give the same backbone. It also returns the images that cannot be read, which are
// left out; ErrDataset says that none is left.
func Calibrate(ctx context.Context, src *model.Source, scheme model.Scheme, items []data.Item, c Calibration) (*model.Backbone, []data.Skipped, error) {
	if c.Images == 0 {
		c.Images = defaultCalibration
	}
	if c.Images < 0 || c.Threads < 0 {
		return nil, nil, errors.WithMessagef(ErrConfig, "calibration with %d images on %d threads, expected positive numbers", c.Images, c.Threads)
	}
	var images []tensor.Tensor
	skipped, err := data.Load(ctx, data.Draw(items, c.Images, c.Seed), plainPipeline(src.Config()), c.Threads, func(_ int, t tensor.Tensor) error {
		images = append(images, t)
		return nil
	})
	if err != nil {
		return nil, skipped, err
	}
	if len(images) == 0 {
		return nil, skipped, errors.WithMessagef(ErrDataset, "calibration: none of %d images can be read", len(skipped))
	}
	be, err := cpu.New(cpu.Options{Threads: c.Threads})
	if err != nil {
		return nil, skipped, err
	}
	defer be.Close()
	if c.Threads == 0 {
		c.Threads = runtime.GOMAXPROCS(0)
	}
	b, err := calibrate.Run(ctx, be, src, scheme, images, c.Threads, c.Progress)
	if err != nil {
		return nil, skipped, errors.WithMessage(err, "calibrate")
	}
	return b.WithCalibration(model.CalibrationRecord{Images: len(images), Seed: c.Seed}), skipped, nil
}
