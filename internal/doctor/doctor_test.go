package doctor_test

import (
	"context"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/mocksrv/mocksrv/client"
	"github.com/mocksrv/mocksrv/internal/authority"
	"github.com/mocksrv/mocksrv/internal/delivery"
	"github.com/mocksrv/mocksrv/internal/doctor"
	"github.com/mocksrv/mocksrv/internal/receiver"
	"github.com/mocksrv/mocksrv/internal/strictjson"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// practice is a doctor with what surrounds it.
type practice struct {
	trust     *x509.Certificate
	public    bool
	container bool
	timeout   time.Duration
	noRequest bool
	hosts     map[string][]string // what names resolve to; those that are missing do not
	lookup    error               // instead
}

func (p practice) examine(t *testing.T, target string) client.DoctorReport {
	t.Helper()
	prober := delivery.NewProber(delivery.Options{Trust: p.trust, AllowPublic: p.public, UserAgent: "mocksrv/test"})
	t.Cleanup(prober.Close)
	d := doctor.New(prober, doctor.Options{Lookup: p.resolve, Container: func() bool { return p.container }})
	report, err := d.Examine(t.Context(), doctor.Check{URL: target, Timeout: p.timeout, NoRequest: p.noRequest})
	require.NoError(t, err)
	return report
}

func (p practice) resolve(ctx context.Context, host string) ([]netip.Addr, error) {
	if p.lookup != nil {
		return nil, p.lookup
	}
	var found []netip.Addr
	for _, address := range p.hosts[host] {
		found = append(found, netip.MustParseAddr(address))
	}
	if host == "localhost" && found == nil {
		return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	}
	if found == nil {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	return found, nil
}

// requireHealthy holds that no step failed.
func requireHealthy(t *testing.T, report client.DoctorReport) {
	t.Helper()
	require.True(t, report.Reachable, "%+v", report)
	require.Empty(t, report.Cause)
	require.Len(t, report.Steps, 7)
}

// requireCause holds that one step failed for a cause, with advice, and that none after it was taken.
func requireCause(t *testing.T, report client.DoctorReport, step string, cause doctor.Cause, words ...string) {
	t.Helper()
	require.False(t, report.Reachable)
	require.Equal(t, string(cause), report.Cause, "%+v", report)
	require.Len(t, report.Steps, 7)
	want := doctor.OK
	for _, s := range report.Steps {
		switch {
		case s.Step == step:
			require.Equal(t, doctor.Failed, s.Outcome, "%+v", report)
			require.NotEmpty(t, s.Advice)
			all := s.Detail + " " + strings.Join(s.Advice, " ")
			for _, word := range words {
				require.Contains(t, all, word)
			}
			want = doctor.Skipped
		case want == doctor.Skipped:
			require.Equal(t, client.DoctorStep{Step: s.Step, Outcome: doctor.Skipped, Detail: "not reached"}, s)
		default:
			require.NotEqual(t, doctor.Failed, s.Outcome)
		}
		require.NotEmpty(t, s.Detail)
	}
	require.Equal(t, doctor.Skipped, want, "there is no step %s", step)
}

// app is a customer's endpoint on loopback.
func app(t *testing.T, serve http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(serve)
	t.Cleanup(server.Close)
	return server.URL
}

// status is an app that always answers one status, with headers in pairs.
func status(t *testing.T, code int, header ...string) string {
	t.Helper()
	return app(t, func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(code)
	})
}

// socket plays every connection to a port, and returns its address.
func socket(t *testing.T, address string, play func(net.Conn)) string {
	t.Helper()
	listener, err := net.Listen("tcp", address)
	require.NoError(t, err)
	over := make(chan struct{})
	go func() {
		defer close(over)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			play(conn)
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() {
		_ = listener.Close()
		<-over
	})
	return listener.Addr().String()
}

// answers reads a request, or the hello of TLS, and says something.
func answers(text string) func(net.Conn) {
	return func(conn net.Conn) {
		if n, _ := conn.Read(make([]byte, 1<<12)); n > 0 {
			_, _ = io.WriteString(conn, text)
		}
	}
}

// closedPort is a port on which nobody listens, and that nobody else gets.
func closedPort(t *testing.T) string {
	t.Helper()
	r, err := receiver.Open(receiver.Config{Spec: receiver.Spec{Script: receiver.Script{Down: true}}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.Close()) })
	return portOf(t, strings.TrimPrefix(r.URL(), "http://"))
}

func portOf(t *testing.T, address string) string {
	t.Helper()
	_, port, err := net.SplitHostPort(address)
	require.NoError(t, err)
	return port
}

func TestAnAppThatAnswersIsReachable(t *testing.T) {
	t.Parallel()
	var got atomic.Pointer[http.Request]
	var body atomic.Value
	target := app(t, func(_ http.ResponseWriter, r *http.Request) {
		data, err := io.ReadAll(r.Body)
		if err == nil {
			body.Store(string(data))
			got.Store(r)
		}
	}) + "/hook?a=b"
	report := practice{}.examine(t, target)
	requireHealthy(t, report)
	require.Equal(t, target, report.URL)
	sent := got.Load()
	require.Equal(t, []string{"POST", "/hook?a=b", "1", "application/json", "mocksrv/test"},
		[]string{sent.Method, sent.RequestURI, sent.Header.Get(doctor.Header), sent.Header.Get("Content-Type"), sent.Header.Get("User-Agent")})
	require.JSONEq(t, `{"mocksrv":"doctor","message":"Can this URL be reached? This is no event."}`, body.Load().(string)) //nolint:errcheck,forcetypeassert // stored above
	require.Contains(t, report.Steps[5].Detail, "the header Mocksrv-Doctor: 1")
}

func TestASuccessOtherThan200IsRemarked(t *testing.T) {
	t.Parallel()
	report := practice{}.examine(t, status(t, http.StatusNoContent))
	requireHealthy(t, report)
	require.Contains(t, report.Steps[6].Advice[0], "success_statuses")
}

func TestWithoutTheRequestNothingIsSent(t *testing.T) {
	t.Parallel()
	var requests atomic.Int32
	report := practice{noRequest: true}.examine(t, app(t, func(http.ResponseWriter, *http.Request) { requests.Add(1) }))
	requireHealthy(t, report)
	require.Equal(t, []string{doctor.OK, doctor.Skipped, doctor.Skipped, doctor.Skipped},
		[]string{report.Steps[3].Outcome, report.Steps[4].Outcome, report.Steps[5].Outcome, report.Steps[6].Outcome})
	require.Zero(t, requests.Load())
}

func TestURLsThatAreNone(t *testing.T) {
	t.Parallel()
	for target, cause := range map[string]doctor.Cause{
		"": doctor.InvalidURL, "/hook": doctor.InvalidURL, "127.0.0.1:9000/hook": doctor.InvalidURL, "http://": doctor.InvalidURL, "http:///hook": doctor.InvalidURL,
		"http://[::1/": doctor.InvalidURL, "http://127.0.0.1:99999": doctor.InvalidURL, "http://127.0.0.1:0": doctor.InvalidURL,
		"http://u:secret@127.0.0.1:x/": doctor.InvalidURL, "http:opaque": doctor.InvalidURL, "http://\x7f": doctor.InvalidURL,
		"localhost:9000/hook": doctor.UnsupportedScheme, "ftp://127.0.0.1/": doctor.UnsupportedScheme,
	} {
		requireCause(t, practice{}.examine(t, target), "url", cause)
	}
}

func TestPasswordsInURLsAreNotShownAndNotSent(t *testing.T) {
	t.Parallel()
	var sent atomic.Value
	target := app(t, func(w http.ResponseWriter, r *http.Request) {
		sent.Store(r.Header.Get("Authorization"))
		w.WriteHeader(http.StatusUnauthorized)
	})
	report := practice{}.examine(t, strings.Replace(target, "://", "://me:s3cret@", 1))
	requireCause(t, report, "answer", doctor.CredentialsInURL, "are not sent")
	require.NotContains(t, report.URL, "s3cret")
	require.NotEmpty(t, report.Steps[0].Advice)
	require.Empty(t, sent.Load())
	report = practice{}.examine(t, "http://me:s3cret%@127.0.0.1/hook")
	requireCause(t, report, "url", doctor.InvalidURL)
	require.Equal(t, "…@127.0.0.1/hook", report.URL, "nor of a URL that does not parse")
}

func TestNamesThatDoNotResolve(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		practice
		target string
		cause  doctor.Cause
		words  string
	}{
		"a name":                            {practice{}, "http://nobody.example", doctor.DNSNotFound, "spelling"},
		"a service, from the host":          {practice{}, "http://shop:9000", doctor.ServiceName, "Publish the app's port"},
		"a service, in a container":         {practice{container: true}, "http://shop:9000", doctor.ServiceName, "same network"},
		"a service of Kubernetes":           {practice{container: true}, "http://shop.prod.svc.cluster.local", doctor.ServiceName, "<namespace>"},
		"the host, in a container":          {practice{container: true}, "http://host.docker.internal:9000", doctor.DockerHostName, "host-gateway"},
		"the host of Podman":                {practice{container: true}, "http://host.containers.internal", doctor.DockerHostName, "host-gateway"},
		"the host's name, from the host":    {practice{}, "http://HOST.docker.internal", doctor.DockerHostName, "Use localhost"},
		"name servers that do not answer":   {practice{lookup: &net.DNSError{Err: "i/o timeout", IsTimeout: true}}, "http://shop.example", doctor.DNSFailed, "no name server answered"},
		"name servers that answer an error": {practice{lookup: &net.DNSError{Err: "server misbehaving"}}, "http://shop.example", doctor.DNSFailed, "server misbehaving"},
		"a resolver that fails":             {practice{lookup: io.ErrUnexpectedEOF}, "http://shop.example", doctor.DNSFailed, "unexpected EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			requireCause(t, c.examine(t, c.target), "dns", c.cause, c.words)
		})
	}
}

func TestAddressesThatAreNotCalled(t *testing.T) {
	t.Parallel()
	for host, cause := range map[string]doctor.Cause{
		"169.254.169.254": doctor.MetadataAddress, "[fd00:ec2::254]": doctor.MetadataAddress, "cloud.example": doctor.MetadataAddress,
		"169.254.1.1": doctor.LinkLocalAddress, "[fe80::1]": doctor.LinkLocalAddress, "224.0.0.1": doctor.LinkLocalAddress,
		"0.0.0.0": doctor.UnspecifiedAddress, "[::]": doctor.UnspecifiedAddress, "255.255.255.255": doctor.UnspecifiedAddress,
		"8.8.8.8": doctor.PublicAddress, "[2001:4860:4860::8888]": doctor.PublicAddress, "shop.example": doctor.PublicAddress,
	} {
		t.Run(host, func(t *testing.T) {
			t.Parallel()
			p := practice{hosts: map[string][]string{"cloud.example": {"169.254.169.254"}, "shop.example": {"203.0.113.5", "203.0.113.6"}}}
			requireCause(t, p.examine(t, "http://"+host+":9/"), "address", cause)
			p.public = true
			if cause != doctor.PublicAddress { // which would be called
				requireCause(t, p.examine(t, "https://"+host+":9/"), "address", cause)
			}
		})
	}
	require.Contains(t, practice{}.examine(t, "http://8.8.8.8").Steps[2].Advice[1], "--allow-public-delivery")
}

func TestAnAddressThatIsNotCalledIsPassedOver(t *testing.T) {
	t.Parallel()
	target := "http://localhost:" + portOf(t, strings.TrimPrefix(status(t, 200), "http://"))
	report := practice{hosts: map[string][]string{"localhost": {"203.0.113.5", "127.0.0.1"}}}.examine(t, target)
	requireHealthy(t, report)
	require.Contains(t, report.Steps[2].Detail, "203.0.113.5 is public")
	require.NotEmpty(t, report.Steps[2].Advice)
}

func TestNobodyListens(t *testing.T) {
	t.Parallel()
	port := closedPort(t)
	hosts := map[string][]string{"shop": {"127.0.0.1"}, "shop.example": {"127.0.0.1"}, "host.docker.internal": {"127.0.0.1"}}
	for name, c := range map[string]struct {
		container bool
		host      string
		cause     doctor.Cause
		words     string
	}{
		"on this machine":            {false, "127.0.0.1", doctor.Refused, "Start the app"},
		"at a name":                  {false, "shop.example", doctor.Refused, "Start the app"},
		"localhost, in a container":  {true, "localhost", doctor.ContainerLocalhost, "host.docker.internal:host-gateway"},
		"an address, in a container": {true, "127.0.0.1", doctor.ContainerLocalhost, "this container itself"},
		"a service":                  {false, "shop", doctor.ServiceRefused, "0.0.0.0"},
		"the host":                   {false, "host.docker.internal", doctor.HostRefused, "0.0.0.0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			report := practice{container: c.container, hosts: hosts}.examine(t, "http://"+c.host+":"+port)
			requireCause(t, report, "connect", c.cause, c.words, "refused")
		})
	}
}

// TestAnAppOnTheOtherLoopback has an app on one of 127.0.0.1 and ::1 only.
func TestAnAppOnTheOtherLoopback(t *testing.T) {
	t.Parallel()
	six := portOf(t, socket(t, "[::1]:0", answers("HTTP/1.1 200 OK\r\n\r\n")))
	report := practice{}.examine(t, "http://127.0.0.1:"+six+"/hook")
	requireCause(t, report, "connect", doctor.OtherLoopback, "http://[::1]:"+six, "127.0.0.1")
	report = practice{hosts: map[string][]string{"localhost": {"127.0.0.1"}}}.examine(t, "http://localhost:"+six)
	requireCause(t, report, "connect", doctor.OtherLoopback)
	four := portOf(t, socket(t, "127.0.0.1:0", answers("HTTP/1.1 200 OK\r\n\r\n")))
	requireCause(t, practice{container: true}.examine(t, "http://[::1]:"+four), "connect", doctor.OtherLoopback, "http://127.0.0.1:"+four)
	requireHealthy(t, practice{}.examine(t, "http://[::1]:"+six))
}

// TestANameWithTwoAddressesOfWhichOneAnswers: a delivery goes on to the next address, and the report says so.
func TestANameWithTwoAddressesOfWhichOneAnswers(t *testing.T) {
	t.Parallel()
	port := portOf(t, strings.TrimPrefix(status(t, 200), "http://"))
	report := practice{hosts: map[string][]string{"localhost": {"::1", "127.0.0.1"}}}.examine(t, "http://localhost:"+port)
	requireHealthy(t, report)
	require.Equal(t, "connected to 127.0.0.1:"+port+" ([::1]:"+port+": refused, nobody listens there)", report.Steps[3].Detail)
	require.NotEmpty(t, report.Steps[3].Advice)
}

func TestAnswersThatAreNone(t *testing.T) {
	t.Parallel()
	ca, err := authority.New()
	require.NoError(t, err)
	played := func(reply receiver.Reply) string {
		r, err := receiver.Open(receiver.Config{Spec: receiver.Spec{Script: receiver.Script{Replies: []receiver.Reply{reply}}}, CA: ca})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, r.Close()) })
		return r.URL()
	}
	short := practice{timeout: 80 * time.Millisecond}
	requireCause(t, practice{}.examine(t, played(receiver.Reply{Fault: receiver.ResetBefore})), "answer", doctor.Reset)
	requireCause(t, practice{}.examine(t, played(receiver.Reply{Fault: receiver.Truncate, Body: "half"})), "answer", doctor.Reset)
	requireCause(t, practice{}.examine(t, played(receiver.Reply{Fault: receiver.Garbage})), "answer", doctor.NotHTTP)
	requireCause(t, practice{}.examine(t, played(receiver.Reply{Fault: receiver.Huge})), "answer", doctor.TooLarge)
	requireCause(t, short.examine(t, played(receiver.Reply{Delay: "1m"})), "answer", doctor.Slow, "no complete answer within 80ms")
	requireCause(t, short.examine(t, "http://"+hanging(t)), "answer", doctor.Slow, "connected, but")
	mail := socket(t, "127.0.0.1:0", func(conn net.Conn) {
		_, _ = io.WriteString(conn, "220 \x1b[31mmail\r\n")
		_, _ = conn.Read(make([]byte, 1<<12))
	})
	report := practice{}.examine(t, "http://"+mail)
	requireCause(t, report, "answer", doctor.NotHTTP)
	require.NotContains(t, report.Steps[6].Detail, "\x1b", "what a stranger sent goes to a terminal")
}

func TestStatusesThatAreNoSuccess(t *testing.T) {
	t.Parallel()
	for code, cause := range map[int]doctor.Cause{
		400: doctor.BadRequest, 415: doctor.BadRequest, 422: doctor.BadRequest, 401: doctor.Unauthorized, 403: doctor.Forbidden, 404: doctor.NotFound,
		410: doctor.NotFound, 405: doctor.MethodNotAllowed, 429: doctor.ClientError, 500: doctor.ServerError, 501: doctor.ServerError,
		502: doctor.GatewayError, 503: doctor.GatewayError, 504: doctor.GatewayError, 600: doctor.ServerError,
	} {
		requireCause(t, practice{}.examine(t, status(t, code, "Allow", "GET")+"/hook"), "answer", cause, "status ")
	}
	require.Contains(t, practice{}.examine(t, status(t, 404)+"/a/hook").Steps[6].Advice[0], "POST /a/hook")
	require.Contains(t, practice{}.examine(t, status(t, 405, "Allow", "GET")).Steps[6].Detail, "it allows GET")
	upgrade := socket(t, "127.0.0.1:0", answers("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"))
	requireCause(t, practice{}.examine(t, "http://"+upgrade), "answer", doctor.UnexpectedStatus)
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	for location, cause := range map[string]doctor.Cause{
		"https://shop.example/hook": doctor.RedirectToHTTPS, "/hook/": doctor.Redirect, "http://shop.example/login": doctor.Redirect,
		"": doctor.Redirect, "http://[::1": doctor.Redirect,
	} {
		target := status(t, http.StatusMovedPermanently, "Location", location)
		requireCause(t, practice{}.examine(t, target+"/hook"), "answer", cause, "deliveries follow no redirects")
	}
	target := status(t, http.StatusFound, "Location", "/hook/")
	require.Contains(t, practice{}.examine(t, target+"/hook").Steps[6].Advice[0], "Register "+target+"/hook/")
}

func TestAnotherMocksrvIsRecognised(t *testing.T) {
	t.Parallel()
	target := app(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet && r.URL.Path == "/_mocksrv/health" {
			_, _ = io.WriteString(w, "{\"status\":\"ok\"}\n")
			return
		}
		w.WriteHeader(http.StatusUnauthorized)
	})
	requireCause(t, practice{}.examine(t, target+"/bts/v1"), "answer", doctor.MocksrvItself)
}

// TestWhoeverStopsWaitingGetsNoReport: the caller goes away, or the server stops.
func TestWhoeverStopsWaitingGetsNoReport(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(cancel func(), p *delivery.Prober){
		"the caller": func(cancel func(), _ *delivery.Prober) { cancel() },
		"the server": func(_ func(), p *delivery.Prober) { p.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			prober := delivery.NewProber(delivery.Options{})
			defer prober.Close()
			target := socket(t, "127.0.0.1:0", func(conn net.Conn) {
				if n, _ := conn.Read(make([]byte, 1)); n > 0 {
					end(cancel, prober)
				}
			})
			_, err := doctor.New(prober, doctor.Options{}).Examine(ctx, doctor.Check{URL: "http://" + target})
			require.ErrorIs(t, err, context.Canceled)
		})
	}
}

// TestWhatStrangersSayIsFitForJSONAndATerminal: names and answers may hold any bytes.
func TestWhatStrangersSayIsFitForJSONAndATerminal(t *testing.T) {
	t.Parallel()
	for _, target := range []string{"http://%ff/", "http://\xff/", "ftp:\xff", "\x1b[31m"} {
		report := practice{}.examine(t, target)
		require.False(t, report.Reachable)
		_, err := strictjson.Encode(report)
		require.NoError(t, err, "%q", target)
		require.NotContains(t, report.URL+report.Steps[0].Detail+report.Steps[1].Detail, "\x1b")
	}
}

func TestTheURLShownParsesAsItDid(t *testing.T) {
	t.Parallel()
	report := practice{noRequest: true}.examine(t, status(t, 200)+"/a%2Fb?x=%20y")
	u, err := url.Parse(report.URL)
	require.NoError(t, err)
	require.Equal(t, "/a%2Fb?x=%20y", u.RequestURI())
}
