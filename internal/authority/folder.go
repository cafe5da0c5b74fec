package authority

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// The files of a CA in a folder. The key file has the certificate, too: so both come into being at one instant, also when
// two processes start at the same time.
const (
	CertificateFile = "ca.pem"
	KeyFile         = "ca-key.pem"
)

// What one may read is public, what only the owner may is not.
const (
	publicFolder = 0o755 // other users read ca.pem; the key has a mode of its own
	publicFile   = 0o644
	privateFile  = 0o600
)

// Open returns the CA of a folder, and makes one when there is none.
func Open(dir string) (*CA, error) {
	ca, err := load(dir)
	if !errors.Is(err, fs.ErrNotExist) {
		return ca, err
	}
	if err := create(dir); err != nil {
		return nil, fmt.Errorf("authority: no CA can be kept in %s: %w; name a folder that this user may write to", dir, err)
	}
	return load(dir)
}

// Find returns the CA of a folder that has one.
func Find(dir string) (*CA, error) {
	ca, err := load(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("authority: there is no CA in %s (no %s); start the server with --tls-dir %[1]s, which makes one", dir, KeyFile)
	}
	return ca, err
}

// load reads the CA of a folder. The error is fs.ErrNotExist only when nothing of one is there.
func load(dir string) (*CA, error) {
	certificatePath, keyPath := filepath.Join(dir, CertificateFile), filepath.Join(dir, KeyFile)
	certificate, certificateErr := os.ReadFile(certificatePath) //nolint:gosec // G304: the folder is the operator's to choose
	key, keyErr := os.ReadFile(keyPath)                         //nolint:gosec // G304: as above
	switch {
	case errors.Is(keyErr, fs.ErrNotExist) && certificateErr == nil:
		return nil, fmt.Errorf("authority: %s is there without %s; put its key beside it, or remove it, so that a new pair is made", certificatePath, KeyFile)
	case keyErr != nil:
		return nil, fmt.Errorf("authority: key of the CA: %w", keyErr)
	case errors.Is(certificateErr, fs.ErrNotExist):
		if certificate = certificateIn(key); certificate == nil {
			return nil, fmt.Errorf("authority: %s is there without %s; put its certificate beside it, or remove it, so that a new pair is made", keyPath, CertificateFile)
		}
		if err := place(certificatePath, certificate, publicFile, os.Rename); err != nil {
			return nil, fmt.Errorf("authority: certificate of the CA: %w", err)
		}
	case certificateErr != nil:
		return nil, fmt.Errorf("authority: certificate of the CA: %w", certificateErr)
	}
	if err := CheckKey(keyPath, key); err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		return nil, fmt.Errorf("authority: %s and %s are no pair: %w", certificatePath, KeyFile, err)
	}
	ca, err := newCA(pair.Leaf, pair.PrivateKey)
	if err != nil {
		return nil, err
	}
	return ca, ca.check(certificatePath)
}

// CheckKey refuses the file of a key that asks for a password: there is nobody to type it.
func CheckKey(path string, file []byte) error {
	for block, rest := pem.Decode(file); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "ENCRYPTED PRIVATE KEY" || strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED") {
			return fmt.Errorf("authority: the key in %s is encrypted, want one without a password; openssl pkey -in %[1]s -out FILE makes one", path)
		}
	}
	return nil
}

// check refuses a CA whose certificates nobody would trust.
func (c *CA) check(path string) error {
	switch now := c.now(); {
	case !c.Certificate.IsCA || c.Certificate.KeyUsage != 0 && c.Certificate.KeyUsage&x509.KeyUsageCertSign == 0:
		return fmt.Errorf("authority: %s is no certificate of a CA: it may not sign others", path)
	case !now.Before(c.Certificate.NotAfter):
		return fmt.Errorf("authority: %s ended at %s; remove it and %s, so that a new pair is made", path, c.Certificate.NotAfter.Format(time.RFC3339), KeyFile)
	}
	return nil
}

// certificateIn returns the certificate that stands in a key file, or nil.
func certificateIn(file []byte) []byte {
	for block, rest := pem.Decode(file); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "CERTIFICATE" {
			return encode(block.Bytes)
		}
	}
	return nil
}

// create makes a CA in a folder, unless another process was faster.
func create(dir string) error {
	ca, err := New()
	if err != nil {
		return err
	}
	certificate, key, err := EncodePair(&tls.Certificate{Certificate: [][]byte{ca.Certificate.Raw}, PrivateKey: ca.key})
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, publicFolder); err != nil {
		return err
	}
	err = place(filepath.Join(dir, KeyFile), append(key, certificate...), privateFile, linkOrRename)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}

// place writes a file aside and moves it to where it belongs: nobody sees a half of it.
func place(path string, data []byte, mode fs.FileMode, move func(from, to string) error) error {
	aside, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(aside.Name()) }() // it may have been moved
	_, err = aside.Write(data)
	if err = errors.Join(err, aside.Chmod(mode), aside.Close()); err != nil {
		return err
	}
	return move(aside.Name(), path)
}

// linkOrRename leaves a file that is there already, where the file system knows hard links.
func linkOrRename(from, to string) error {
	if err := os.Link(from, to); err == nil || errors.Is(err, fs.ErrExist) {
		return err
	}
	return os.Rename(from, to)
}
