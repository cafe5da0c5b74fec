package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/mocksrv/mocksrv"
	"github.com/mocksrv/mocksrv/client"
)

// healthcheckCommand asks a running server. In its environment it finds the server without being told: a container's health
// check is "mocksrv healthcheck".
type healthcheckCommand struct {
	URL           string        `arg:"" optional:"" help:"The server. By default where --listen says."`
	Listen        []string      `help:"Where the server of this machine listens, as for serve. The first is asked." default:"127.0.0.1:8080" placeholder:"ADDRESS"`
	ControlListen string        `help:"Where its control API listens, as for serve. It is asked instead." placeholder:"ADDRESS"`
	Timeout       time.Duration `help:"How long to wait for the answer." default:"2s"`
}

// Run asks.
func (h *healthcheckCommand) Run(p *program) error {
	server, err := h.server()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(p.ctx, h.Timeout)
	defer cancel()
	options := []client.Option{client.WithStartupWait(0)}
	if h.URL == "" {
		options = append(options, client.WithHTTPClient(ownServer()))
	}
	if err := client.New(server, options...).Health(ctx); err != nil {
		return fmt.Errorf("not healthy: %w", err)
	}
	_, err = fmt.Fprintln(p.stdout, "healthy")
	return err
}

// server is the URL to ask.
func (h *healthcheckCommand) server() (string, error) {
	if h.URL != "" {
		return h.URL, nil
	}
	if h.ControlListen != "" {
		return reached("--control-listen", h.ControlListen)
	}
	if len(h.Listen) == 0 {
		return "", errors.New("--listen: want an address, got none")
	}
	return reached("--listen", h.Listen[0])
}

// reached is where a listener is reached from the machine it is on: an address that means all of them is none to call.
func reached(flag, listen string) (string, error) {
	secure, address, err := mocksrv.ParseListen(listen)
	if err != nil {
		return "", fmt.Errorf("%s: %w", flag, err)
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return "", fmt.Errorf("%s: want an address and a port: %w", flag, err)
	}
	if port == "0" {
		return "", fmt.Errorf("%s %s: want the URL of the server as an argument: nobody else knows the port it picked", flag, listen)
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1" // all of IPv6 is all of IPv4, too
	}
	scheme := "http://"
	if secure {
		scheme = "https://"
	}
	return scheme + net.JoinHostPort(host, port), nil
}

// ownServer is a client for the server of this machine. That one's certificate is for the names of providers, not for an
// address, and nothing is sent that somebody else may not read.
func ownServer() *http.Client {
	return &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}, //nolint:gosec // see above
	}}
}

// versionCommand prints the version.
type versionCommand struct{}

// Run prints.
func (versionCommand) Run(p *program) error {
	_, err := fmt.Fprintln(p.stdout, "mocksrv", version())
	return err
}

// release is the version of a released binary: -ldflags "-X main.release=v1.2.3".
var release string //nolint:gochecknoglobals // the linker sets it

// version is what the build knows: the release, a module version, or the revision it was built from.
func version() string {
	if release != "" {
		return release
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value
		}
	}
	return "devel"
}
