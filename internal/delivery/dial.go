package delivery

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http/httptrace"
	"sync"
	"sync/atomic"
	"syscall"
)

// dialer connects for one attempt, and gives up when the attempt ends: the transport would go on dialling in the
// background.
type dialer struct {
	net.Dialer
	roots func() *x509.CertPool
}

// trusted are the roots of this machine and one more. They are read when the first secure connection is made.
func trusted(more *x509.Certificate) func() *x509.CertPool {
	return sync.OnceValue(func() *x509.CertPool {
		pool, err := x509.SystemCertPool()
		if err != nil {
			pool = x509.NewCertPool()
		}
		if more != nil {
			pool.AddCert(more)
		}
		return pool
	})
}

type attemptKey struct{}

func (d dialer) plain(detached context.Context, network, address string) (net.Conn, error) {
	ctx, _ := detached.Value(attemptKey{}).(context.Context)
	c, err := d.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &conn{Conn: c}, nil
}

func (d dialer) secure(detached context.Context, network, address string) (net.Conn, error) {
	ctx, _ := detached.Value(attemptKey{}).(context.Context)
	c, err := d.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	host, _, _ := net.SplitHostPort(address) // the dialer took it
	secured, err := d.handshake(ctx, c, host)
	if err != nil {
		return nil, err
	}
	return &conn{Conn: secured}, nil
}

// handshake makes a connection a secure one, or closes it.
func (d dialer) handshake(ctx context.Context, c net.Conn, host string) (net.Conn, error) {
	secured := tls.Client(c, &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12, RootCAs: d.roots()})
	if err := secured.HandshakeContext(ctx); err != nil {
		_ = c.Close()
		return nil, handshakeError{err}
	}
	return secured, nil
}

// handshakeError is what kept a connection from becoming a secure one.
type handshakeError struct{ error }

func (e handshakeError) Unwrap() error { return e.error }

// why is free of addresses and ports, which differ from run to run.
func (e handshakeError) why() string {
	if broken(e.error) {
		return "the connection broke"
	}
	return e.Error()
}

// broken: the other side ended the connection.
func broken(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

// conn remembers whether it ended in the middle of a line: net/http takes the half line for a whole one.
type conn struct {
	net.Conn
	last  atomic.Uint32 // the last byte that was read
	ended atomic.Bool
}

func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.last.Store(uint32(p[n-1]))
	}
	if err != nil {
		c.ended.Store(true)
	}
	return n, err
}

func (c *conn) brokeOff() bool {
	return c != nil && c.ended.Load() && c.last.Load() != 0 && c.last.Load() != '\n'
}

// watching gives an attempt's context to its dialer, and tells which connection the attempt uses.
func watching(ctx context.Context, use func(*conn)) context.Context {
	ctx = context.WithValue(ctx, attemptKey{}, ctx)
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) {
		if c, ok := info.Conn.(*conn); ok {
			use(c)
		}
	}})
}
