package delivery_test

import (
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/internal/authority"
	"github.com/mocksrv/mocksrv/internal/delivery"
	"github.com/mocksrv/mocksrv/internal/receiver"
	"github.com/mocksrv/mocksrv/sims/signedsub"
	"github.com/mocksrv/mocksrv/sims/simtest"
)

// faulted is what one attempt at a URL came to. Each fault has a world of its own.
func faulted(w *simtest.World, url string) delivery.Attempt {
	w.T.Helper()
	w.SetPolicy("retry_schedule", []any{})
	subscribe(w, hookID, url)
	d := emit(w)
	require.Len(w.T, d.Attempts, 1)
	made := d.Attempts[0]
	if made.Error == nil {
		require.Equal(w.T, delivery.Delivered, d.State, d.Reason)
	} else {
		require.Equal(w.T, delivery.Failed, d.State)
		require.Contains(w.T, d.Reason, made.Error.Detail)
	}
	require.Len(w.T, outbound(w, d.ID), 1, "every attempt is in the journal once")
	require.Equal(w.T, made.Status, outbound(w, d.ID)[0].Status)
	return made
}

type fault struct {
	class  delivery.Class
	detail string
	status int
}

func (f fault) require(w *simtest.World, made delivery.Attempt) {
	w.T.Helper()
	require.Equal(w.T, f.class, classOf(made), "%+v", made.Error)
	require.Equal(w.T, f.status, made.Status)
	if made.Error != nil {
		require.Contains(w.T, made.Error.Detail, f.detail)
	}
}

// TestFaultsOfScriptedReceivers has every fault our own receivers can play.
func TestFaultsOfScriptedReceivers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		reply receiver.Reply
		want  fault
		short bool
	}{
		"success":                       {receiver.Reply{Body: "ok"}, fault{status: 200}, false},
		"another success":               {receiver.Reply{Status: 204}, fault{"status", "status 204 is no success", 204}, false},
		"error status":                  {receiver.Reply{Status: 503}, fault{"status", "status 503 is no success", 503}, false},
		"reset before the answer":       {receiver.Reply{Fault: receiver.ResetBefore}, fault{"reset", "broke before the answer was complete", 0}, false},
		"reset in the head":             {receiver.Reply{Fault: receiver.ResetDuring}, fault{"reset", "broke before the answer was complete", 0}, false},
		"reset in the body":             {receiver.Reply{Fault: receiver.ResetDuring, Body: strings.Repeat("x", 1000)}, fault{"reset", "broke before", 200}, false},
		"promises more than it sends":   {receiver.Reply{Fault: receiver.Truncate, Body: "half"}, fault{"reset", "broke before", 200}, false},
		"never answers":                 {receiver.Reply{Fault: receiver.Hang}, fault{"timeout", "no complete answer within 80ms", 0}, true},
		"answers too late":              {receiver.Reply{Delay: "1m"}, fault{"timeout", "within 80ms", 0}, true},
		"dribbles for too long":         {receiver.Reply{Fault: receiver.Dribble, Delay: "5ms", Body: "slow"}, fault{"timeout", "within 80ms", 0}, true},
		"dribbles, but gets there":      {receiver.Reply{Fault: receiver.Dribble, Body: "slow"}, fault{status: 200}, false},
		"a redirect":                    {receiver.Reply{Fault: receiver.Redirect, Location: "http://127.0.0.1:1/x"}, fault{"redirect", `status 302 to "http://127.0.0.1:1/x"; redirects are not followed`, 302}, false},
		"a redirect that keeps methods": {receiver.Reply{Fault: receiver.Redirect, Status: 308, Location: "/x"}, fault{"redirect", "status 308", 308}, false},
		"early hints, then success":     {receiver.Reply{Fault: receiver.Informational}, fault{status: 200}, false},
		"early hints, then an error":    {receiver.Reply{Fault: receiver.Informational, Status: 500}, fault{"status", "500", 500}, false},
		"a body without end":            {receiver.Reply{Fault: receiver.Huge}, fault{"too_large", "more than 1048576 bytes", 200}, false},
		"not HTTP":                      {receiver.Reply{Fault: receiver.Garbage}, fault{"protocol", "malformed", 0}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := simtest.New(t, signedsub.New())
			if c.short {
				w.SetPolicy("attempt_timeout", "80ms")
			}
			r := played(w, c.reply)
			c.want.require(w, faulted(w, r.URL()+"/hook"))
			require.EqualValues(t, 1, r.Info().Requests, "one attempt is one request")
			require.EqualValues(t, 1, r.Info().Connections)
		})
	}
}

func TestFaultsOfBareSockets(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		play  func(net.Conn)
		want  fault
		short bool
	}{
		"closes without an answer":       {says(""), fault{"reset", "broke before", 0}, false},
		"closes in the status line":      {says("HTTP/1.1 2"), fault{"reset", "", 0}, false},
		"switches protocols and stays":   {holds("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"), fault{"status", "status 101 is no success", 101}, false},
		"switches protocols and babbles": {says("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n" + strings.Repeat("x", 1<<16)), fault{"status", "101", 101}, false},
		"hints without end":              {says(strings.Repeat("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n", 20_000)), fault{"", "", 0}, false},
		"a header without end":           {says("HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 1<<20)), fault{"too_large", "the header of the answer has more than 65536 bytes", 0}, false},
		"very many headers":              {says("HTTP/1.1 200 OK\r\n" + strings.Repeat("X: y\r\n", 20_000) + "\r\n"), fault{"too_large", "more than 65536 bytes", 0}, false},
		"a status that is no number":     {says("HTTP/1.1 abc OK\r\n\r\n"), fault{"protocol", "malformed", 0}, false},
		"a header without a colon":       {says("HTTP/1.1 200 OK\r\nnonsense\r\n\r\n"), fault{"protocol", "malformed", 0}, false},
		"a long line without a colon":    {says("HTTP/1.1 200 OK\r\n" + strings.Repeat("\xff", 60_000) + "\r\n\r\n"), fault{"protocol", "malformed", 0}, false},
		"a redirect to nowhere":          {says("HTTP/1.1 302 Found\r\nLocation: /" + strings.Repeat("x", 60_000) + "\r\nContent-Length: 0\r\n\r\n"), fault{"redirect", "redirects are not followed", 302}, false},
		"a length that is no number":     {says("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"), fault{"protocol", "Content-Length", 0}, false},
		"two lengths":                    {says("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"), fault{"protocol", "Content-Length", 0}, false},
		"a length that is too small":     {says("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nabcdef"), fault{status: 200}, false},
		"a broken chunk":                 {says("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"), fault{"protocol", "invalid byte in chunk length", 200}, false},
		"chunks that stop":               {says("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"), fault{"reset", "broke before", 200}, false},
		"the head, then nothing":         {holds("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"), fault{"timeout", "within 80ms", 200}, true},
		"a body that ends with a close":  {says("HTTP/1.0 200 OK\r\n\r\nall of it"), fault{status: 200}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := simtest.New(t, signedsub.New())
			if c.short {
				w.SetPolicy("attempt_timeout", "80ms")
			}
			made := faulted(w, "http://"+raw(t, c.play)+"/hook")
			if name == "hints without end" {
				require.Contains(t, []delivery.Class{"protocol", "too_large"}, classOf(made))
				return
			}
			c.want.require(w, made)
			if failed := made.Error; failed != nil {
				require.Less(t, len(failed.Detail), 1100, "an error does not repeat a whole answer")
			}
		})
	}
}

func TestFaultsBeforeAnyAnswer(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		url  func(t *testing.T, w *simtest.World) string
		want fault
	}{
		"nobody listens": {func(_ *testing.T, w *simtest.World) string {
			return playedAs(w, receiver.Spec{Script: receiver.Script{Down: true}}, nil).URL()
		}, fault{class: "refused", detail: "nobody listens there"}},
		"a name that does not exist": {func(*testing.T, *simtest.World) string {
			return "http://nobody.invalid/hook"
		}, fault{class: "dns", detail: "the name nobody.invalid does not resolve"}},
		"accepts and closes at once": {func(t *testing.T, _ *simtest.World) string {
			return "http://" + rawAt(t, func(net.Conn) {})
		}, fault{class: "reset"}},
		"answers before it is asked": {func(t *testing.T, _ *simtest.World) string {
			return "http://" + rawAt(t, func(conn net.Conn) { says("220 mail ready\r\n")(conn); _, _ = conn.Read(make([]byte, 1)) })
		}, fault{class: "protocol"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := simtest.New(t, signedsub.New())
			c.want.require(w, faulted(w, c.url(t, w)))
		})
	}
}

func TestFaultsOfTLS(t *testing.T) {
	t.Parallel()
	ca, err := authority.New()
	require.NoError(t, err)
	for kind, want := range map[receiver.TLS]fault{
		receiver.Trusted:      {status: 200},
		receiver.SelfSigned:   {class: "tls", detail: "no TLS handshake: tls: failed to verify certificate"},
		receiver.Expired:      {class: "tls", detail: "certificate has expired"},
		receiver.WrongHost:    {class: "tls", detail: "certificate is valid for"},
		receiver.HandshakeCut: {class: "tls", detail: "no TLS handshake: the connection broke"},
	} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			w := simtest.New(t, signedsub.New())
			w.Dispatcher = delivery.New(w.Engine, delivery.Options{Trust: ca.Certificate})
			t.Cleanup(func() { w.Dispatcher.Stop(t.Context()) })
			r := playedAs(w, receiver.Spec{TLS: kind}, ca)
			made := faulted(w, r.URL())
			if kind == receiver.WrongHost && made.Error != nil {
				require.Contains(t, made.Error.Detail, "certificate")
				want.detail = ""
			}
			want.require(w, made)
		})
	}
}

func TestFaultsOfTLSOnBareSockets(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		play func(net.Conn)
		want fault
	}{
		"plain HTTP on the port of https": {says("HTTP/1.1 400 Bad Request\r\n\r\n"), fault{class: "tls", detail: "does not look like a TLS handshake"}},
		"a close instead of a handshake":  {says(""), fault{class: "tls", detail: "no TLS handshake: the connection broke"}},
		"no word of a handshake":          {holds(""), fault{class: "timeout", detail: "within 80ms"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := simtest.New(t, signedsub.New())
			if c.want.class == delivery.ClassTimeout {
				w.SetPolicy("attempt_timeout", "80ms")
			}
			address := rawAt(t, func(conn net.Conn) {
				_, _ = conn.Read(make([]byte, 1<<12)) // the client's hello
				c.play(conn)
			})
			c.want.require(w, faulted(w, "https://"+address))
		})
	}
}

// TestAnOldTLSVersionIsNoHandshake: nobody is talked to below TLS 1.2.
func TestAnOldTLSVersionIsNoHandshake(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.TLS = &tls.Config{MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}
	silence(server.Config)
	server.StartTLS()
	t.Cleanup(server.Close)
	w := simtest.New(t, signedsub.New())
	fault{class: "tls", detail: "protocol version"}.require(w, faulted(w, server.URL))
}

func TestARedirectIsNotFollowed(t *testing.T) {
	t.Parallel()
	w := simtest.New(t, signedsub.New())
	elsewhere := played(w)
	r := played(w, receiver.Reply{Fault: receiver.Redirect, Status: 307, Location: elsewhere.URL()})
	fault{class: "redirect", status: 307}.require(w, faulted(w, r.URL()))
	require.Zero(t, elsewhere.Info().Connections)
}

func TestProxiesOfTheEnvironmentAreNotUsed(t *testing.T) {
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "ALL_PROXY"} {
		t.Setenv(name, "http://127.0.0.1:1")
	}
	w := simtest.New(t, signedsub.New())
	fault{class: "dns"}.require(w, faulted(w, "http://proxied.invalid/")) // a proxy would be asked to resolve it
}

func TestHeadersThatCannotBeSentFailTheAttempt(t *testing.T) {
	t.Parallel()
	w := simtest.New(t, signedsub.New())
	w.SetPolicy("retry_schedule", []any{})
	r := played(w)
	key, _ := subscribe(w, hookID, r.URL()).Get("publicKey").(string)
	edit(w, "signedsub/subscriptions", key, `k\r\nX-Smuggled: 1`)
	d := emit(w)
	require.Equal(t, delivery.Failed, d.State)
	require.Equal(t, delivery.AttemptError{Class: "request", Detail: `header "Key": the value "k\r\nX-Smuggled: 1" cannot be sent`}, *d.Attempts[0].Error)
	require.Zero(t, r.Info().Connections)
}

func TestAURLThatCannotBeCalledFailsTheAttempt(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"", "http://", "ftp://127.0.0.1/x", "http://127.0.0.1:99999/", "http://[::1/", "/relative", "http://127.0.0.1:1\u0000/"} {
		w := simtest.New(t, signedsub.New())
		w.SetPolicy("retry_schedule", []any{})
		subscribe(w, hookID, "http://127.0.0.1:1/old")
		edit(w, "signedsub/subscriptions", "http://127.0.0.1:1/old", strings.ReplaceAll(url, "\x00", `\u0000`))
		d := emit(w)
		require.Equal(t, delivery.ClassRequest, classOf(d.Attempts[0]), "%q: %+v", url, d.Attempts[0].Error)
	}
}

func TestAnAnswerIsKeptInPart(t *testing.T) {
	t.Parallel()
	w := simtest.New(t, signedsub.New())
	body := strings.Repeat("0123456789abcdef", delivery.MaxKept/16) + "more"
	r := played(w, receiver.Reply{Status: 500, Body: body, Header: map[string]string{"X-Answer": "yes"}})
	made := faulted(w, r.URL())
	require.Equal(t, body[:delivery.MaxKept], string(made.Response.Body))
	require.True(t, made.Response.Truncated)
	require.Equal(t, []string{"yes"}, made.Response.Header["X-Answer"])
}
