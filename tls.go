package mocksrv

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/mocksrv/mocksrv/internal/authority"
)

// TLS adds a listener for https on a free port of the loopback interface: see Server.TLSURL.
func TLS() func(*Options) {
	return func(o *Options) { o.Listen = append(o.Listen, "https://127.0.0.1:0") }
}

// TLSURL is where the providers are reached over TLS: https://127.0.0.1:port, or "" where no listener speaks it. They show
// certificates of CA, for whatever name a client asks for.
func (s *Server) TLSURL() string {
	if len(s.providerEnds) == 0 || !s.providerEnd(true).secure {
		return ""
	}
	return s.providerEnd(true).url()
}

// CA is the certificate of the development CA: clients that have it among their roots trust the server and its receivers.
func (s *Server) CA() *x509.Certificate { return s.ca.Certificate }

// ClientCertificate issues the certificate of a client, for a provider that asks for one. An expired one ended yesterday.
// name is its common name; "" is a default.
func (s *Server) ClientCertificate(name string, expired bool) (tls.Certificate, error) {
	made, err := s.ca.Client(name, expired)
	if err != nil {
		return tls.Certificate{}, err
	}
	return *made, nil
}

// ParseListen reads where to listen: host:port, http://host:port or https://host:port. A URL without a port has that of its
// scheme.
func ParseListen(where string) (secure bool, address string, err error) {
	name, rest, isURL := strings.Cut(where, "://")
	if !isURL {
		return false, where, checkAddress(where, where)
	}
	port := "80"
	switch name {
	case "http":
	case "https":
		secure, port = true, "443"
	default:
		return false, "", fmt.Errorf("listen on %q: want http://host:port, https://host:port or host:port, got the scheme %q", where, name)
	}
	address = strings.TrimSuffix(rest, "/")
	if address == "" || strings.ContainsAny(address, "/?#@ ") {
		return false, "", fmt.Errorf("listen on %q: want scheme, host and port alone, such as %s://127.0.0.1:%s", where, name, port)
	}
	host, given, err := net.SplitHostPort(address)
	switch {
	case err != nil:
		address = net.JoinHostPort(strings.Trim(address, "[]"), port)
	case given == "":
		address = net.JoinHostPort(host, port)
	}
	return secure, address, checkAddress(where, address)
}

// checkAddress refuses what package net would take for any port of every interface, or refuse when it is too late.
func checkAddress(where, address string) error {
	_, port, err := net.SplitHostPort(address)
	if err == nil && port == "" {
		err = errors.New("there is no port")
	}
	if err == nil {
		_, err = net.DefaultResolver.LookupPort(context.Background(), "tcp", port)
	}
	if err != nil {
		return fmt.Errorf("listen on %q: want an address and a port, such as 127.0.0.1:8080: %w", where, err)
	}
	return nil
}

// openCA finds or makes the development CA, and the parsed form of the certificates from elsewhere.
func (s *Server) openCA() (err error) {
	if s.ca, err = newCA(s.options.TLSDir); err != nil {
		return err
	}
	for i, own := range s.options.Certificates {
		if len(own.Certificate) == 0 {
			return fmt.Errorf("certificate %d: want at least one block, got none", i+1)
		}
		if own.Leaf != nil {
			continue
		}
		if s.options.Certificates[i].Leaf, err = x509.ParseCertificate(own.Certificate[0]); err != nil {
			return fmt.Errorf("certificate %d: %w", i+1, err)
		}
	}
	return nil
}

func newCA(dir string) (*authority.CA, error) {
	if dir == "" {
		return authority.New()
	}
	return authority.Open(dir)
}

// tlsConfig is what a TLS listener shows, and on which names it asks for the client's certificate.
func (s *Server) tlsConfig() *tls.Config {
	return authority.Listener{CA: s.ca, Own: s.options.Certificates, Kind: s.kind, Asks: s.asksForCertificate}.Config()
}

// kind says what the client of a handshake meets: what a scripted rule says.
func (s *Server) kind(serverName string) authority.Kind {
	return s.stage.Certificate(serverName)
}

// asksForCertificate is true for the real host names of providers that admit clients by their certificates.
func (s *Server) asksForCertificate(serverName string) bool {
	p, ok := s.engine.ForHost(serverName)
	return ok && p.Admit != nil
}

// newTransport is how Client reaches a server that speaks TLS: it trusts the development CA and the certificates from
// elsewhere, and nobody else.
func (s *Server) newTransport() *http.Transport {
	roots := s.ca.Pool()
	for _, own := range s.options.Certificates {
		roots.AddCert(own.Leaf)
	}
	return &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, ForceAttemptHTTP2: true, IdleConnTimeout: time.Minute,
	}
}
