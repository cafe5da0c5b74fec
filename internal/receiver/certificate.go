package receiver

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/netip"

	"github.com/mocksrv/mocksrv/internal/authority"
)

// TLS says what a client meets in the handshake. The receiver speaks plain HTTP without it.
type TLS = authority.Kind

// What a client meets in the handshake.
const (
	Plain        = authority.Plain        // no TLS
	Trusted      = authority.Trusted      // a good certificate, signed by the CA of the Config
	SelfSigned   = authority.SelfSigned   // signed by nobody else
	Expired      = authority.Expired      // as trusted, but it ended yesterday
	WrongHost    = authority.WrongHost    // as trusted, but for another host
	HandshakeCut = authority.HandshakeCut // a reset after the client's hello
)

func tlsKinds() []TLS { return []TLS{Plain, Trusted, SelfSigned, Expired, WrongHost, HandshakeCut} }

// tlsConfig is what a receiver at an address shows; nil for Plain.
func tlsConfig(kind TLS, ca *authority.CA, host netip.Addr) (*tls.Config, error) {
	if kind == Plain {
		return nil, nil
	}
	certificate, err := authority.Leaf(kind, ca, host)
	if errors.Is(err, authority.ErrNoCA) {
		return nil, &InvalidError{Fields: []FieldError{{
			Field: "tls", Saw: fmt.Sprintf("%q without a CA", kind),
			Want: `a CA in the configuration, which signs the certificate, or "self_signed"`,
		}}}
	}
	if err != nil {
		return nil, err
	}
	config := &tls.Config{
		MinVersion:   tls.VersionTLS12,
		NextProtos:   []string{"http/1.1"}, // a bare connection cannot be had from HTTP/2
		Certificates: []tls.Certificate{*certificate},
	}
	if kind == HandshakeCut {
		config.GetConfigForClient = authority.Cut
	}
	return config, nil
}
