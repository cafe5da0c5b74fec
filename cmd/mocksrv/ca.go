package main

import (
	"context"
	"fmt"
	"net/netip"
	"net/url"
	"time"

	"github.com/mocksrv/mocksrv/client"
	"github.com/mocksrv/mocksrv/internal/authority"
)

// caSource is where the development CA is: in a folder, or with a running server.
type caSource struct {
	TLSDir string `name:"tls-dir" help:"The folder that the server keeps the CA in; the server need not run." placeholder:"DIR"`
	URL    string `name:"url" help:"Ask this running server, when no folder is given." default:"http://127.0.0.1:8080"`
}

// caCommand prints the CA.
type caCommand struct {
	caSource `embed:""`
}

// patienceWithServer is how long a server may take to answer.
const patienceWithServer = 10 * time.Second

// Run prints.
func (c *caCommand) Run(p *program) error {
	certificate, err := c.certificate(p.ctx)
	if err != nil {
		return err
	}
	_, err = p.stdout.Write(certificate)
	return err
}

func (c *caSource) certificate(ctx context.Context) ([]byte, error) {
	if c.TLSDir != "" {
		ca, err := authority.Find(c.TLSDir)
		if err != nil {
			return nil, err
		}
		return ca.PEM(), nil
	}
	ctx, cancel := context.WithTimeout(ctx, patienceWithServer)
	defer cancel()
	certificate, err := newClient(c.URL, "", client.WithStartupWait(0)).CA(ctx)
	if err != nil {
		return nil, fmt.Errorf("ask the server at %s for its CA: %w", c.URL, err)
	}
	return certificate, nil
}

// newClient returns a client of the control API of a server. Over TLS a server on this machine is taken at its word: what
// is asked of it is how to trust it. Any other must have a certificate that this machine trusts.
func newClient(server, token string, options ...client.Option) *client.Client {
	options = append(options, client.WithToken(token))
	if onThisMachine(server) {
		options = append(options, client.WithHTTPClient(ownServer()))
	}
	return client.New(server, options...)
}

func onThisMachine(server string) bool {
	u, err := url.Parse(server)
	if err != nil || u.Scheme != "https" {
		return false
	}
	ip, err := netip.ParseAddr(u.Hostname())
	return u.Hostname() == "localhost" || err == nil && ip.IsLoopback()
}
