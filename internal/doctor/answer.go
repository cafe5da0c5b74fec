package doctor

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/mocksrv/mocksrv/internal/clock"
	"github.com/mocksrv/mocksrv/internal/delivery"
	"github.com/mocksrv/mocksrv/internal/strictjson"
)

const itselfAdvice = "Use the address and port of your app. mocksrv can play it: open a receiver (POST …/receivers) and use the receiver's URL."

// answer is what came back of the request.
type answer struct {
	status   int
	response delivery.Response
	failure  *delivery.ProbeError // no complete answer
	took     time.Duration
}

// body is what the doctor posts.
func body() ([]byte, error) {
	return strictjson.Encode(map[string]string{"mocksrv": "doctor", "message": "Can this URL be reached? This is no event."})
}

// send posts what a delivery would, but for the event and its signature.
func (e *examination) send(ctx context.Context) finding {
	if e.check.NoRequest {
		return skipped("left out, as asked for")
	}
	data, err := body()
	if err != nil {
		return wrong(RequestFailed, err.Error(), "This is a defect of mocksrv: please report it.")
	}
	began := clock.WallNow()
	e.answer.status, e.answer.response, e.answer.failure = e.prober.Send(ctx, e.request(http.MethodPost, e.check.URL, data), e.check.Timeout)
	e.answer.took = clock.WallNow().Sub(began)
	if f := e.answer.failure; f != nil {
		switch f.Class {
		case delivery.ClassRequest:
			return wrong(RequestFailed, f.Detail, "Correct the URL.")
		case delivery.ClassDNS, delivery.ClassRefused, delivery.ClassForbidden:
			return wrong(RequestFailed, f.Detail+", although it was reached a moment ago", "Try again: the app may be restarting, or its name may have several addresses.")
		}
	}
	return fine(fmt.Sprintf("sent a POST with a JSON body of %d bytes and the header %s: 1; it is no event and has no signature", len(data), Header))
}

// judge says whether the answer is one that a delivery takes for success.
func (e *examination) judge(ctx context.Context) finding {
	switch status := e.answer.status; {
	case e.check.NoRequest:
		return skipped("left out, as asked for")
	case e.answer.failure != nil:
		return e.unanswered(ctx)
	case status >= 200 && status <= 299:
		return e.accepted()
	case e.isMocksrv(ctx):
		return wrong(MocksrvItself, fmt.Sprintf("status %d; the URL leads to a mocksrv, not to your app", status), itselfAdvice)
	case status >= 300 && status <= 399:
		return e.redirected()
	case status == http.StatusBadRequest && e.target.Scheme == "http" && e.speaksTLS(ctx):
		return tlsPort()
	}
	return e.refusedByStatus()
}

func (e *examination) accepted() finding {
	detail := fmt.Sprintf("status %d after %s", e.answer.status, e.answer.took.Round(time.Millisecond))
	if e.answer.status != http.StatusOK {
		return fine(detail, "Some providers take only 200 for success: see the policy success_statuses.")
	}
	return fine(detail)
}

// unanswered says why there was no complete answer.
func (e *examination) unanswered(ctx context.Context) finding {
	f := e.answer.failure
	if e.target.Scheme == "http" && (f.Class == delivery.ClassProtocol || f.Class == delivery.ClassReset) && e.speaksTLS(ctx) {
		return tlsPort()
	}
	switch f.Class {
	case delivery.ClassTimeout:
		return wrong(Slow, "connected, but "+f.Detail, "Let the app answer first and work afterwards: a provider gives up after its own time (policy attempt_timeout).",
			"If it never answers, see whether it hangs (a debugger, a lock, a single-threaded server that is busy), or give --timeout more.")
	case delivery.ClassReset:
		return wrong(Reset, f.Detail, "See the app's log: it crashed, restarted, or closes connections it does not like.")
	case delivery.ClassTooLarge:
		return wrong(TooLarge, f.Detail, "Answer with a short body or none: nobody reads it.")
	case delivery.ClassTLS:
		return clientCertificate(f.Detail)
	}
	return wrong(NotHTTP, "what came back is no HTTP/1.1 answer: "+clip(f.Detail), "Check the port: another protocol listens there (a database, gRPC, a debugger).")
}

func tlsPort() finding {
	return wrong(HTTPOnHTTPSPort, "the port speaks TLS, and the URL is http", "Begin the URL with https://, or use the app's http port.")
}

// redirected says where a redirect leads: deliveries follow none.
func (e *examination) redirected() finding {
	location := e.answer.response.Header.Get("Location")
	why := fmt.Sprintf("status %d to %q; deliveries follow no redirects", e.answer.status, clip(location))
	to, err := e.target.Parse(location)
	switch {
	case err != nil || location == "":
		return wrong(Redirect, why, "Let the app answer at this URL itself.")
	case e.target.Scheme == "http" && to.Scheme == "https":
		return wrong(RedirectToHTTPS, why, "Register "+clip(plain(to))+" instead, or let the app answer http on the webhook's path.")
	}
	return wrong(Redirect, why, "Register "+clip(plain(to))+" instead, if that is the webhook's path and not a login page.",
		"Frameworks redirect when a slash at the end is missing or is one too many.")
}

func plain(u *url.URL) string { return u.Redacted() }

// refusedByStatus says what an error status of the app means.
func (e *examination) refusedByStatus() finding {
	status, unsigned := e.answer.status, "This request has no signature: if the app checks signatures, this is the right answer, and the app is reached. Make an event to see a signed one."
	why := fmt.Sprintf("status %d %s", status, http.StatusText(status))
	switch {
	case status == http.StatusBadRequest || status == http.StatusUnprocessableEntity || status == http.StatusUnsupportedMediaType:
		return wrong(BadRequest, why, "The app does not like this body, which is no event of a provider. If it validates what it gets, this is the right answer, and the app is reached.", unsigned)
	case status == http.StatusUnauthorized && e.target.User != nil:
		return wrong(CredentialsInURL, why+"; user and password in the URL are not sent", "Take the webhook's path out of the app's Basic authentication: providers sign instead.")
	case status == http.StatusUnauthorized:
		return wrong(Unauthorized, why, unsigned, "If not, take the webhook's path out of what needs a login.")
	case status == http.StatusForbidden:
		return wrong(Forbidden, why, unsigned, "If not: take the path out of CSRF protection, and let a proxy or firewall in front of the app pass it.")
	case status == http.StatusNotFound || status == http.StatusGone:
		return wrong(NotFound, why, fmt.Sprintf("The server is reached, but has no POST %s: check the path, a prefix that the app is mounted under, and the slash at the end.", e.target.EscapedPath()))
	case status == http.StatusMethodNotAllowed:
		return wrong(MethodNotAllowed, why+allowed(e.answer.response.Header), "The path exists, but takes no POST: let the app's route accept POST.")
	case status >= 400 && status <= 499:
		return wrong(ClientError, why, "See the app's log for why it refuses the request.")
	case slices.Contains([]int{http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout}, status):
		return wrong(GatewayError, why, "A proxy in front of the app answers, and the app behind it does not, or is not ready: look at that one.")
	case status >= 500:
		return wrong(ServerError, why, "The app is reached and fails: see its log. It may not expect a body that is no event.")
	}
	return wrong(UnexpectedStatus, why, "A delivery succeeds with a status from 200 to 299.")
}

func allowed(h http.Header) string {
	if methods := h.Get("Allow"); methods != "" {
		return "; it allows " + clip(methods)
	}
	return ""
}

// isMocksrv asks the server behind the URL whether it is a simulator.
func (e *examination) isMocksrv(ctx context.Context) bool {
	health := url.URL{Scheme: e.target.Scheme, Host: e.target.Host, Path: "/_mocksrv/health"}
	status, response, err := e.prober.Send(ctx, e.request(http.MethodGet, health.String(), nil), e.check.Timeout)
	return err == nil && status == http.StatusOK && strings.TrimSpace(string(response.Body)) == `{"status":"ok"}`
}

// clip keeps what a stranger sent short.
func clip(text string) string {
	const limit = 200
	if len(text) > limit {
		return text[:limit] + "…"
	}
	return text
}
