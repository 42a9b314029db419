package main

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/edgeadapt/edgeadapt/sdk"
	"github.com/edgeadapt/edgeadapt/sdk/adapter"
	"github.com/pkg/errors"
	"github.com/spf13/cobra"
)

// PEM blocks of key files, as openssl writes them too.
const (
	pemPrivate = "PRIVATE KEY" // PKCS #8
	pemPublic  = "PUBLIC KEY"  // PKIX
	maxKeyFile = 1 << 14
)

func (a *app) adaptersKeygen() *cobra.Command {
	out := ""
	c := &cobra.Command{
		Use:   "keygen -o KEY",
		Short: "Make a pair of keys to sign adapters with",
		Long: `Keygen writes a new ed25519 private key to KEY, readable by its owner alone, and the public key that others need to KEY.pub.
Neither file may exist.`,
		Example: `  edgeadapt adapters keygen -o factory.key`,
		Args:    exactly(),
	}
	c.Flags().StringVarP(&out, "output", "o", "", "file for the private key")
	return a.command(c, func(context.Context, []string) error {
		if err := require("output", out); err != nil {
			return err
		}
		public, private, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return errors.Wrap(err, "make key")
		}
		secret, err := x509.MarshalPKCS8PrivateKey(private)
		if err != nil {
			return errors.Wrap(err, "encode key")
		}
		open, err := x509.MarshalPKIXPublicKey(public)
		if err != nil {
			return errors.Wrap(err, "encode key")
		}
		if err := writeKey(out, 0o600, pemPrivate, secret); err != nil {
			return err
		}
		if err := writeKey(out+".pub", 0o644, pemPublic, open); err != nil {
			return err
		}
		_, err = fmt.Fprintf(a.stdout, "%s  private, keep it\n%s.pub  public key %s\n", out, out, hex.EncodeToString(public))
		return err
	})
}

// writeKey makes a file that must not exist yet.
func writeKey(path string, mode os.FileMode, kind string, der []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return errors.Wrap(err, "key")
	}
	err = pem.Encode(f, &pem.Block{Type: kind, Bytes: der})
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		os.Remove(path)
	}
	return errors.Wrap(err, "key")
}

// readKey reads the first block of a key file.
func readKey(path, kind string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, errors.Wrap(err, "key")
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxKeyFile))
	if err != nil {
		return nil, errors.Wrap(err, "key")
	}
	return parseKey(path, kind, text)
}

func parseKey(path, kind string, text []byte) ([]byte, error) {
	block, _ := pem.Decode(text)
	if block == nil || block.Type != kind {
		return nil, errors.WithMessagef(sdk.ErrKey, "%s has no PEM block %q", path, kind)
	}
	return block.Bytes, nil
}

func readPrivateKey(path string) (ed25519.PrivateKey, error) {
	der, err := readKey(path, pemPrivate)
	if err != nil {
		return nil, err
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if private, ok := key.(ed25519.PrivateKey); ok && err == nil {
		return private, nil
	}
	return nil, errors.WithMessagef(sdk.ErrKey, "%s is no ed25519 private key", path)
}

func readPublicKey(path string) (ed25519.PublicKey, error) {
	der, err := readKey(path, pemPublic)
	if err != nil {
		return nil, err
	}
	key, err := x509.ParsePKIXPublicKey(der)
	if public, ok := key.(ed25519.PublicKey); ok && err == nil {
		return public, nil
	}
	return nil, errors.WithMessagef(sdk.ErrKey, "%s is no ed25519 public key", path)
}

func (a *app) adaptersSign() *cobra.Command {
	key, out := "", ""
	c := &cobra.Command{
		Use:   "sign ADAPTER --key KEY [-o ADAPTER]",
		Short: "Sign an adapter file",
		Long: `Sign adds an ed25519 signature over everything in the file: options, labels, weights, plug-in. A program can be told to
accept the adapters of certain signers only.`,
		Example: `  edgeadapt adapters sign parts.safetensors --key factory.key`,
		Args:    exactly("ADAPTER"),
	}
	c.Flags().StringVar(&key, "key", "", "private key, as keygen or 'openssl genpkey -algorithm ed25519' writes it")
	c.Flags().StringVarP(&out, "output", "o", "", "adapter file to write (default: in place)")
	return a.command(c, func(_ context.Context, args []string) error {
		if err := require("key", key); err != nil {
			return err
		}
		private, err := readPrivateKey(key)
		if err != nil {
			return err
		}
		ad, err := adapter.ReadFile(args[0])
		if err != nil {
			return err
		}
		if ad, err = ad.Sign(private); err != nil {
			return err
		}
		if out == "" {
			out = args[0]
		}
		if err := ad.WriteFile(out); err != nil {
			return err
		}
		_, err = fmt.Fprintf(a.stdout, "%s  signed by %s\n", out, ad.Signature().Signer())
		return err
	})
}

// verifyFlags are the options of adapters verify.
type verifyFlags struct {
	keys     []string
	backbone string
	json     bool
}

func (a *app) adaptersVerify() *cobra.Command {
	f := &verifyFlags{}
	c := &cobra.Command{
		Use:   "verify ADAPTER...",
		Short: "Check adapter files: form, backbone, signature",
		Long: `Verify reads each file completely, compares its backbone's fingerprint, and checks its signature where it has one. With --key a
signature by one of these keys is demanded. Every file gets its verdict. It exits with 3 where one cannot be read or is damaged, and else
with 5 where a check does not hold.`,
		Example: `  edgeadapt adapters verify parts.safetensors --key factory.key.pub`,
		Args:    atLeastOne("ADAPTER"),
	}
	c.Flags().StringSliceVar(&f.keys, "key", nil, "public key that must have signed; may be repeated")
	c.Flags().StringVar(&f.backbone, "backbone", "", "backbone file that it must fit (default: the built-in ViT-S/14)")
	c.Flags().BoolVar(&f.json, "json", false, "print JSON")
	return a.command(c, func(_ context.Context, args []string) error { return f.run(a, args) })
}

// errUnverified says that an adapter does not fit the backbone or that its signature does not hold.
var errUnverified = errors.New("a check does not hold")

// verdict is what verify found.
type verdict struct {
	File      string `json:"file"`
	Digest    string `json:"digest,omitempty"` // SHA-256 of the canonical bytes without the signature
	Fits      bool   `json:"fits_backbone"`
	Signer    string `json:"signer,omitempty"`
	Signature string `json:"signature,omitempty"` // "valid", "none" or why it does not hold
	Error     string `json:"error,omitempty"`     // of a file that is no adapter or cannot be read; then there is nothing else
	OK        bool   `json:"ok"`
}

func (f *verifyFlags) run(a *app, paths []string) error {
	var trusted []ed25519.PublicKey
	for _, path := range f.keys {
		k, err := readPublicKey(path)
		if err != nil {
			return err
		}
		trusted = append(trusted, k)
	}
	ref, err := backboneRef(f.backbone)
	if err != nil {
		return err
	}
	var list []verdict
	failed, unreadable := 0, 0
	var first error // of a file that cannot be read
	for _, path := range paths {
		v, err := judge(path, ref, trusted)
		if err != nil {
			v = verdict{File: path, Error: err.Error()}
			if unreadable++; first == nil {
				first = err
			} else {
				fmt.Fprintf(a.stderr, "%s %v\n", a.paint(red, "refused:"), err)
			}
		} else if !v.OK {
			failed++
		}
		list = append(list, v)
	}
	if err := printVerdicts(a, list, f.json); err != nil {
		return err
	}
	if first != nil {
		return errors.WithMessagef(first, "%d of %d files cannot be verified", unreadable, len(list))
	}
	if failed > 0 {
		return errors.WithMessagef(errUnverified, "%d of %d adapters", failed, len(list))
	}
	return nil
}

func judge(path string, ref adapter.Ref, trusted []ed25519.PublicKey) (verdict, error) {
	ad, err := adapter.VerifyFile(path, trusted...)
	if ad == nil || err != nil && !errors.Is(err, adapter.ErrSignature) {
		return verdict{}, err
	}
	v := verdict{File: path, Signature: "valid", Fits: ad.CheckBackbone(ref) == nil}
	if s := ad.Signature(); s != nil {
		v.Signer = s.Signer()
	}
	holds := err == nil
	switch {
	case err != nil && ad.Signature() == nil && len(trusted) == 0:
		v.Signature, holds = "none", true // nobody asked for one
	case ad.Signature() == nil:
		v.Signature = "missing"
	case err != nil:
		v.Signature = strings.TrimPrefix(err.Error(), path+": ")
	}
	v.OK = v.Fits && holds
	v.Digest, err = ad.Digest()
	return v, err
}

func printVerdicts(a *app, list []verdict, asJSON bool) error {
	if asJSON {
		return a.printJSON(list)
	}
	rows := [][]string{{"FILE", "FITS", "SIGNATURE", "SIGNED BY", "DIGEST"}}
	for _, v := range list {
		if v.Error != "" {
			continue // said on stderr
		}
		fits, signer := "yes", "-"
		if !v.Fits {
			fits = "no"
		}
		if v.Signer != "" {
			signer = v.Signer[:12] + "..."
		}
		rows = append(rows, []string{v.File, fits, v.Signature, signer, v.Digest[:12] + "..."})
	}
	if len(rows) == 1 {
		return nil
	}
	return table(a.stdout, rows)
}
