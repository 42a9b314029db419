package sdk

import (
	"crypto/ed25519"
	"errors"
	"slices"

	"github.com/edgeadapt/edgeadapt/sdk/adapter"
	pkgerrors "github.com/pkg/errors"
)

var (
	// ErrUntrusted says that an adapter is not signed by a key that WithTrustedKeys named, or is not what was signed.
	ErrUntrusted = errors.New("untrusted adapter")
	// ErrKey says that a file holds no key of the wanted kind.
	ErrKey = errors.New("unusable key")
)

// WithTrustedKeys makes the Runtime accept only adapters with a valid signature by one of the keys; others, and unsigned ones,
// are refused with ErrUntrusted before anything in them is used.
func WithTrustedKeys(keys ...ed25519.PublicKey) Option {
	return func(o *options) { o.trusted = append(o.trusted, slices.Clone(keys)...) }
}

// trust checks an adapter's signature where the Runtime asks for one.
func (rt *Runtime) trust(a *adapter.Adapter) error {
	if len(rt.opt.trusted) == 0 {
		return nil
	}
	if err := a.Verify(rt.opt.trusted...); err != nil {
		return pkgerrors.WithMessage(ErrUntrusted, err.Error())
	}
	return nil
}
