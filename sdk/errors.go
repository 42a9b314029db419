package sdk

import (
	"errors"

	"github.com/edgeadapt/edgeadapt/quant"
	"github.com/edgeadapt/edgeadapt/sdk/adapter"
	"github.com/edgeadapt/edgeadapt/sdk/data"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/edgeadapt/edgeadapt/sdk/internal/checkpoint"
	"github.com/edgeadapt/edgeadapt/sdk/internal/nn"
	"github.com/edgeadapt/edgeadapt/sdk/internal/tensor"
	"github.com/edgeadapt/edgeadapt/sdk/model"
	"github.com/edgeadapt/edgeadapt/sdk/plugin"
	"github.com/edgeadapt/edgeadapt/sdk/tune"
)

// Errors that callers may test with errors.Is. Each comes wrapped in the particulars.
var (
	ErrClosed        = backend.ErrClosed                 // the object was closed before the call
	ErrNoDevice      = backend.ErrNoDevice               // no device of the wanted kind can be opened
	ErrDeviceLost    = backend.ErrDeviceLost             // the device stopped answering or computes wrongly, and nothing replaces it
	ErrFaulty        = backend.ErrFaulty                 // the device gets kernels wrong that nothing can replace
	ErrOutOfMemory   = backend.ErrOutOfMemory            // the device has no room
	ErrShape         = tensor.ErrShape                   // a tensor's extents do not fit
	ErrCorrupt       = model.ErrCorrupt                  // a file is damaged, or is not what it says
	ErrVersion       = model.ErrVersion                  // a file was written by a newer release
	ErrNoTensor      = checkpoint.ErrNoTensor            // a file has no tensor of that name
	ErrLayout        = model.ErrLayout                   // a sound file, but no checkpoint that can be read
	ErrIncompatible  = adapter.ErrIncompatible           // an adapter was made for another backbone
	ErrUnsupported   = adapter.ErrUnsupported            // an adapter asks for an option that does not exist here
	ErrAdapterConfig = adapter.ErrConfig                 // an adapter's options contradict one another
	ErrWeights       = quant.ErrValue                    // a weight is not a finite number
	ErrScheme        = quant.ErrScheme                   // no quantisation scheme has that name
	ErrInputs        = quant.ErrInputs                   // the images give a layer no finite inputs to calibrate with
	ErrImage         = data.ErrImage                     // an image cannot be read
	ErrDataset       = data.ErrDataset                   // a folder of images is not usable
	ErrPlugin        = plugin.ErrPlugin                  // an adapter's plug-in cannot be used, or a call of it went wrong
	ErrTap           = nn.ErrTap                         // no intermediate has that name
	ErrConfig        = tune.ErrConfig                    // a tuning setting is out of range
	ErrDiverged      = tune.ErrDiverged                  // the training loss left the range of numbers
	ErrUnfinished    = tune.ErrUnfinished                // a run would begin where another's checkpoint lies
	ErrDiffers       = tune.ErrDiffers                   // a checkpoint is of another configuration, data, backbone or device
	ErrBudget        = tune.ErrBudget                    // a run does not fit into the memory that it may take
	ErrActivations   = nn.ErrActivations                 // the device or the weights have no int8 activations
	ErrBusy          = errors.New("too many requests")   // too many images wait for the device; try again later
	ErrFileChanged   = errors.New("file has changed")    // an adapter was to come back from its file, which holds another now
	ErrOption        = errors.New("unknown option")      // an option of Open has a value that does not exist
	ErrInput         = errors.New("unsupported input")   // neither an image nor a tensor
	ErrCheck         = errors.New("output check failed") // a device's outputs differ from the reference's
)
