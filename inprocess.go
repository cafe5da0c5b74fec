package mocksrv

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// inProcess is a transport without a network.
type inProcess struct{ handler http.Handler }

// RoundTrip implements http.RoundTripper. It returns when the handler has returned, or when it flushes: then the rest of
// the body follows as it is written.
func (t inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(r.Context())
	rec := newRecorder(cancel)
	context.AfterFunc(ctx, func() { rec.client.broke(context.Cause(ctx)) })
	done := make(chan error, 1)
	go func() { done <- rec.record(t.handler, serverSide(ctx, r)) }()
	select {
	case err := <-done:
		if err == nil {
			err = context.Cause(r.Context()) // both may have come: then the caller is gone
		}
		if err != nil {
			return nil, err
		}
		return rec.response(r), nil
	case <-rec.streams:
		return rec.response(r), nil
	case <-r.Context().Done():
		return nil, context.Cause(r.Context())
	}
}

// serverSide is a request as a server sees it.
func serverSide(ctx context.Context, r *http.Request) *http.Request {
	in := r.Clone(ctx)
	in.RequestURI = r.URL.RequestURI()
	in.RemoteAddr = "127.0.0.1:0"
	if in.Host == "" {
		in.Host = r.URL.Host
	}
	if in.Body == nil {
		in.Body = http.NoBody
	}
	return in
}

// What ends a request, beside its context.
var (
	errAnswered = errors.New("the answer is complete")
	errClosed   = errors.New("the body of the answer was closed")
	errCut      = errors.New("the connection was cut")
)

// recorder takes an answer in: whole, or from its first flush on as a stream.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer // what was written before the first flush

	streams chan struct{} // closed at the first flush
	begun   http.Header   // the header as it was then; nil: there was none
	server  net.Conn      // the rest goes through it
	client  *streamBody
	cancel  context.CancelCauseFunc
}

func newRecorder(cancel context.CancelCauseFunc) *recorder {
	server, client := net.Pipe() // whose writes have deadlines, unlike those of io.Pipe
	return &recorder{
		header: http.Header{}, streams: make(chan struct{}), server: server, client: &streamBody{conn: client, cancel: cancel}, cancel: cancel,
	}
}

// record lets a handler answer.
func (rec *recorder) record(handler http.Handler, in *http.Request) (err error) {
	defer func() {
		_ = in.Body.Close()
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", errCut, p)
			rec.client.broke(err)
		}
		if cause := context.Cause(in.Context()); cause != nil {
			rec.client.broke(cause) // before the end, which would look like a whole answer
		}
		_ = rec.server.Close() // the end of the stream, if it is one
		rec.cancel(errAnswered)
	}()
	handler.ServeHTTP(rec, in)
	rec.WriteHeader(http.StatusOK)
	return nil
}

// Header implements http.ResponseWriter.
func (rec *recorder) Header() http.Header { return rec.header }

// WriteHeader implements http.ResponseWriter.
func (rec *recorder) WriteHeader(status int) {
	if rec.status == 0 && status >= http.StatusOK { // the others are informational
		rec.status = status
	}
}

// Write implements http.ResponseWriter.
func (rec *recorder) Write(p []byte) (int, error) {
	rec.WriteHeader(http.StatusOK)
	if rec.begun == nil {
		return rec.body.Write(p)
	}
	return rec.server.Write(p)
}

// FlushError is called through http.ResponseController: the answer becomes a stream.
func (rec *recorder) FlushError() error {
	if rec.begun == nil {
		rec.WriteHeader(http.StatusOK)
		rec.begun = rec.header.Clone()
		close(rec.streams)
	}
	return nil
}

// SetWriteDeadline is called through http.ResponseController.
func (rec *recorder) SetWriteDeadline(at time.Time) error { return rec.server.SetWriteDeadline(at) }

// response is the answer when the handler has returned, or begun to stream.
func (rec *recorder) response(r *http.Request) *http.Response {
	out := &http.Response{
		Status: fmt.Sprintf("%d %s", rec.status, http.StatusText(rec.status)), StatusCode: rec.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
	}
	if rec.begun == nil {
		out.Header, out.Body, out.ContentLength = rec.header, io.NopCloser(&rec.body), int64(rec.body.Len())
		return out
	}
	rec.client.before = bytes.NewReader(rec.body.Bytes())
	out.Header, out.Body, out.ContentLength = rec.begun, rec.client, -1
	return out
}

// streamBody is the client's end of a stream.
type streamBody struct {
	before *bytes.Reader // what was written before the first flush
	conn   net.Conn
	broken atomic.Pointer[error] // why it ended; nil: as it should
	cancel context.CancelCauseFunc
}

// broke ends the stream with an error for its reader, unless the answer was complete.
func (b *streamBody) broke(err error) {
	if errors.Is(err, errAnswered) {
		return
	}
	b.broken.CompareAndSwap(nil, &err)
	_ = b.conn.Close()
}

// Read implements io.Reader.
func (b *streamBody) Read(p []byte) (int, error) {
	if b.before.Len() > 0 {
		return b.before.Read(p)
	}
	n, err := b.conn.Read(p)
	if why := b.broken.Load(); err != nil && why != nil {
		return n, *why
	}
	return n, err
}

// Close implements io.Closer. As on a network it ends the context of the handler.
func (b *streamBody) Close() error {
	b.cancel(errClosed)
	return b.conn.Close()
}
