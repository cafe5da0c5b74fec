package control_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv"
	"github.com/mocksrv/mocksrv/client"
	"github.com/mocksrv/mocksrv/internal/clock"
	"github.com/mocksrv/mocksrv/internal/engine"
	"github.com/mocksrv/mocksrv/sims"
)

func provider(t *testing.T, name string) *engine.Provider {
	t.Helper()
	providers, err := mocksrv.Providers()
	require.NoError(t, err)
	for _, p := range providers {
		if p.Name == name {
			return p
		}
	}
	require.FailNow(t, "there is no sim "+name)
	return nil
}

// authorized makes a request as a client of the provider does.
func authorized(t *testing.T, p *engine.Provider, method, target, body string, credentials map[string]string) *http.Request {
	t.Helper()
	return authorizedAt(t, clock.WallNow(), p, method, target, body, credentials)
}

func authorizedAt(
	t *testing.T, now time.Time, p *engine.Provider, method, target, body string, credentials map[string]string,
) *http.Request {
	t.Helper()
	u, err := url.Parse(target)
	require.NoError(t, err)
	c := &sims.ClientRequest{
		Method: method, URL: u, Header: http.Header{}, Body: []byte(body), Credentials: sims.Credentials(credentials), Now: now,
	}
	if body != "" {
		c.Header.Set("Content-Type", "application/json")
	}
	require.NoError(t, p.Authorize(c))
	req, err := http.NewRequestWithContext(t.Context(), c.Method, c.URL.String(), strings.NewReader(string(c.Body)))
	require.NoError(t, err)
	req.Header = c.Header
	return req
}

// TestSimsSayTheirEnvironments: these are what an event may name, and no other.
func TestSimsSayTheirEnvironments(t *testing.T) {
	t.Parallel()
	a := newAPI(t, frozen)
	seen := map[string][]string{}
	for _, sim := range decode[client.Sims](a.call("GET /_mocksrv/v1/sims", request{}).is(200)).Sims {
		seen[sim.Name] = sim.Environments
		for _, environment := range sim.Environments {
			body := `{"sim":"` + sim.Name + `","type":"` + sim.Events[0].Type + `","environment":"` + environment + `"}`
			a.call("POST "+sandboxPath+"/events", request{body: body}).is(202)
		}
		body := `{"sim":"` + sim.Name + `","type":"` + sim.Events[0].Type + `","environment":"nowhere"}`
		a.call("POST "+sandboxPath+"/events", request{body: body}).is(422)
	}
	require.Equal(t, map[string][]string{
		"bts": {"production", "test"}, "bitpay": {}, "bankly": {}, "signedsub": {}, "hsrcpay": {"test", "live"},
	}, seen)
}
