package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/mocksrv/mocksrv/client"
	"github.com/mocksrv/mocksrv/internal/authority"
)

// certCommand issues certificates.
type certCommand struct {
	Client certClientCommand `cmd:"" help:"Issue a certificate for a client of a provider that asks for one."`
}

// certClientCommand issues the certificate of a client.
type certClientCommand struct {
	caSource     `embed:""`
	OutCert      string `help:"Write the certificate to this file (PEM)." required:"" type:"path" placeholder:"FILE"`
	OutKey       string `help:"Write its key to this file (PEM), for its owner only." required:"" type:"path" placeholder:"FILE"`
	Name         string `help:"The common name in it." default:"mocksrv client"`
	Expired      bool   `help:"Issue one that ended yesterday."`
	Force        bool   `help:"Overwrite files that are there already."`
	ControlToken string `help:"Send this bearer token to the server." placeholder:"TOKEN"`
}

// What others may read of the files, and what not.
const (
	modeCertificate fs.FileMode = 0o644
	modeKey         fs.FileMode = 0o600
)

// Validate implements kong.Validatable.
func (c *certClientCommand) Validate() error {
	if err := authority.CheckName(c.Name); err != nil {
		return fmt.Errorf("--name: %w", err)
	}
	if c.OutCert != "" && c.OutCert == c.OutKey {
		return fmt.Errorf("--out-cert and --out-key: want two files, got %s twice", c.OutCert)
	}
	return nil
}

// Run issues.
func (c *certClientCommand) Run(p *program) error {
	if err := c.spare(); err != nil {
		return err
	}
	certificate, key, err := c.issue(p.ctx)
	if err != nil {
		return err
	}
	if err := writeFile(c.OutKey, key, modeKey); err != nil {
		return fmt.Errorf("--out-key: %w", err)
	}
	if err := writeFile(c.OutCert, certificate, modeCertificate); err != nil {
		withdraw(c.OutKey)
		return fmt.Errorf("--out-cert: %w", err)
	}
	return nil
}

// withdraw removes a key that was left without its certificate: it would be in the way of the next try.
func withdraw(key string) {
	if info, err := os.Lstat(key); err == nil && info.Mode().IsRegular() {
		_ = os.Remove(key) // at worst the next try says so
	}
}

// spare refuses to overwrite files, unless it is asked to. What is no file, such as /dev/stdout, can be written to.
func (c *certClientCommand) spare() error {
	if c.Force {
		return nil
	}
	for _, out := range []struct{ flag, path string }{{"--out-key", c.OutKey}, {"--out-cert", c.OutCert}} {
		if info, err := os.Stat(out.path); err == nil && info.Mode().IsRegular() {
			return fmt.Errorf("%s: %s is there already; name another file, or say --force to overwrite it", out.flag, out.path)
		}
	}
	return nil
}

func (c *certClientCommand) issue(ctx context.Context) (certificate, key []byte, err error) {
	if c.TLSDir != "" {
		ca, err := authority.Find(c.TLSDir)
		if err != nil {
			return nil, nil, err
		}
		made, err := ca.Client(c.Name, c.Expired)
		if err != nil {
			return nil, nil, err
		}
		return authority.EncodePair(made)
	}
	ctx, cancel := context.WithTimeout(ctx, patienceWithServer)
	defer cancel()
	asked := client.NewCertificate{Name: c.Name, Expired: c.Expired}
	made, err := newClient(c.URL, c.ControlToken, client.WithStartupWait(0)).ClientCertificate(ctx, asked)
	if err != nil {
		return nil, nil, fmt.Errorf("ask the server at %s for a certificate: %w", c.URL, err)
	}
	return []byte(made.Certificate), []byte(made.Key), nil
}

// writeFile writes a file with a mode, also where there was one with another. A device keeps its own.
func writeFile(path string, data []byte, mode fs.FileMode) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, mode)
	if err != nil {
		return err
	}
	info, err := file.Stat()
	if err == nil && info.Mode().IsRegular() {
		err = file.Chmod(mode)
	}
	if err == nil {
		_, err = file.Write(data)
	}
	return errors.Join(err, file.Close())
}
