package adapter

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	pkgerrors "github.com/pkg/errors"

	"github.com/edgeadapt/edgeadapt/sdk/internal/checkpoint"
)

// ErrSignature says that an adapter has no signature, or one that does not hold.
var ErrSignature = errors.New("signature does not hold")

// metaSignature is where a file keeps its signature.
const metaSignature = "signature"

// Signature is an ed25519 signature over an adapter's canonical bytes: the file as WriteFile writes it, without the
// signature itself.
type Signature struct {
	Key   ed25519.PublicKey
	Value []byte
}

// Signer is the public key as hex.
func (s *Signature) Signer() string { return hex.EncodeToString(s.Key) }

// signatureJSON is a Signature in a file's metadata.
type signatureJSON struct {
	Algorithm string `json:"algorithm"`
	Key       string `json:"key"`
	Value     string `json:"value"`
}

const algorithm = "ed25519"

// Signature is the adapter's, nil where it has none. Whether it holds is Verify's to say.
func (a *Adapter) Signature() *Signature { return a.signature }

// Sign returns a copy that is signed with key. Every change to the copy drops the signature.
func (a *Adapter) Sign(key ed25519.PrivateKey) (*Adapter, error) {
	if len(key) != ed25519.PrivateKeySize {
		return nil, fmt.Errorf("private key of %d bytes, expected %d: %w", len(key), ed25519.PrivateKeySize, ErrSignature)
	}
	message, err := a.canonical()
	if err != nil {
		return nil, err
	}
	b := *a
	b.signature = &Signature{Key: key.Public().(ed25519.PublicKey), Value: ed25519.Sign(key, message)}
	return &b, nil
}

// Verify returns ErrSignature unless the adapter has a signature that holds, by one of the trusted keys where any are given.
func (a *Adapter) Verify(trusted ...ed25519.PublicKey) error {
	s := a.signature
	if s == nil {
		return fmt.Errorf("the adapter is not signed: %w", ErrSignature)
	}
	known := len(trusted) == 0
	for _, k := range trusted {
		known = known || k.Equal(s.Key)
	}
	if !known {
		return fmt.Errorf("signed by %s, none of %d trusted keys: %w", s.Signer(), len(trusted), ErrSignature)
	}
	message, err := a.canonical()
	if err != nil {
		return err
	}
	if !ed25519.Verify(s.Key, message, s.Value) {
		return fmt.Errorf("not what %s signed: %w", s.Signer(), ErrSignature)
	}
	return nil
}

// VerifyFile reads a file and does what Verify does, and makes sure that the file is written in the canonical form, byte
// by byte: what the signature covers is then all there is.
func VerifyFile(path string, trusted ...ed25519.PublicKey) (*Adapter, error) {
	a, err := ReadFile(path)
	if err != nil {
		return nil, err
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return a, pkgerrors.Wrap(err, "adapter")
	}
	whole, err := a.bytes(a.signature)
	if err != nil {
		return a, err
	}
	if !bytes.Equal(data, whole) {
		return a, fmt.Errorf("%s is not in canonical form: %w", path, ErrSignature)
	}
	return a, pkgerrors.WithMessage(a.Verify(trusted...), path)
}

// Digest is the SHA-256 of the canonical bytes, as hex: the same for a signed and an unsigned copy.
func (a *Adapter) Digest() (string, error) {
	b, err := a.canonical()
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:]), err
}

// canonical is what a signature covers.
func (a *Adapter) canonical() ([]byte, error) { return a.bytes(nil) }

// bytes is the file with the given signature.
func (a *Adapter) bytes(s *Signature) ([]byte, error) {
	b := *a
	b.signature = s
	metadata, entries, err := b.encode()
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = checkpoint.Write(&out, metadata, entries)
	return out.Bytes(), err
}

// encode adds the signature, if any, to a file's metadata.
func (s *Signature) encode(metadata map[string]string) {
	if s != nil {
		text, _ := json.Marshal(signatureJSON{algorithm, s.Signer(), hex.EncodeToString(s.Value)}) // strings cannot fail
		metadata[metaSignature] = string(text)
	}
}

// decodeSignature reads the signature of a file, nil where it has none.
func decodeSignature(text string) (*Signature, error) {
	if text == "" {
		return nil, nil
	}
	var j signatureJSON
	if err := json.Unmarshal([]byte(text), &j); err != nil {
		return nil, fmt.Errorf("metadata %q: %v: %w", metaSignature, err, ErrCorrupt)
	}
	s := &Signature{}
	var err1, err2 error
	s.Key, err1 = hex.DecodeString(j.Key)
	s.Value, err2 = hex.DecodeString(j.Value)
	if j.Algorithm != algorithm || err1 != nil || err2 != nil || len(s.Key) != ed25519.PublicKeySize || len(s.Value) != ed25519.SignatureSize {
		return nil, fmt.Errorf("metadata %q: algorithm %q with a key of %d bytes and a value of %d, expected %s with %d and %d: %w",
			metaSignature, j.Algorithm, len(s.Key), len(s.Value), algorithm, ed25519.PublicKeySize, ed25519.SignatureSize, ErrCorrupt)
	}
	return s, nil
}
