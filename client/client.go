package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Client calls the control API of one server.
type Client struct {
	base  string
	http  *http.Client
	token string
	wait  time.Duration
}

// Option changes a client.
type Option func(*Client)

// WithHTTPClient sets the HTTP client to use.
func WithHTTPClient(c *http.Client) Option { return func(cl *Client) { cl.http = c } }

// WithToken sets the control token the server was started with.
func WithToken(token string) Option { return func(cl *Client) { cl.token = token } }

// WithStartupWait sets how long calls are repeated while nobody listens yet; the default is 10 s.
func WithStartupWait(d time.Duration) Option { return func(cl *Client) { cl.wait = d } }

// New returns a client for a server such as http://127.0.0.1:8080.
func New(server string, options ...Option) *Client {
	direct := &http.Client{Transport: &http.Transport{IdleConnTimeout: time.Minute}} // no proxy from the environment
	c := &Client{base: strings.TrimSuffix(server, "/") + "/_mocksrv/", http: direct, wait: 10 * time.Second}
	for _, option := range options {
		option(c)
	}
	return c
}

// Health returns nil once the server is ready.
func (c *Client) Health(ctx context.Context) error {
	return c.call(ctx, http.MethodGet, "health", nil, nil)
}

// Sims lists the simulated providers.
func (c *Client) Sims(ctx context.Context) (out Sims, err error) {
	return out, c.call(ctx, http.MethodGet, "v1/sims", nil, &out)
}

// OpenAPI returns the OpenAPI document of the control API, in YAML.
func (c *Client) OpenAPI(ctx context.Context) (document []byte, err error) {
	return document, c.call(ctx, http.MethodGet, "openapi.yaml", nil, &document)
}

// CA returns the certificate of the server's development CA in PEM, for a client's roots. It is public: no token is asked for.
func (c *Client) CA(ctx context.Context) (certificate []byte, err error) {
	return certificate, c.call(ctx, http.MethodGet, "ca.pem", nil, &certificate)
}

// ClientCertificate makes a certificate that the development CA signs, for a client of a provider that asks for one.
func (c *Client) ClientCertificate(ctx context.Context, n NewCertificate) (out Certificate, err error) {
	return out, c.call(ctx, http.MethodPost, "v1/certificates/client", n, &out)
}

// Metrics returns the metrics in the text format of Prometheus.
func (c *Client) Metrics(ctx context.Context) (string, error) {
	var text []byte
	err := c.call(ctx, http.MethodGet, "metrics", nil, &text)
	return string(text), err
}

// Sandboxes lists the sandboxes by name: all of them, or a page.
func (c *Client) Sandboxes(ctx context.Context, page ...Page) (out Sandboxes, err error) {
	return out, c.call(ctx, http.MethodGet, "v1/sandboxes"+query(pageOf(page).pairs()...), nil, &out)
}

// AllSandboxes goes through the sandboxes, page by page.
func (c *Client) AllSandboxes(ctx context.Context) iter.Seq2[Sandbox, error] {
	return pages(Page{}, func(p Page) ([]Sandbox, string, error) {
		out, err := c.Sandboxes(ctx, p)
		return out.Sandboxes, out.Next, err
	})
}

// CreateSandbox makes a sandbox.
func (c *Client) CreateSandbox(ctx context.Context, s NewSandbox) (out Sandbox, err error) {
	return out, c.call(ctx, http.MethodPost, "v1/sandboxes", s, &out)
}

// In gives access to one sandbox.
func (c *Client) In(sandbox string) *SandboxClient {
	return &SandboxClient{client: c, path: "v1/sandboxes/" + url.PathEscape(sandbox)}
}

// SandboxClient calls the control API for one sandbox.
type SandboxClient struct {
	client *Client
	path   string
}

// Get returns the sandbox.
func (s *SandboxClient) Get(ctx context.Context) (out Sandbox, err error) {
	return out, s.client.call(ctx, http.MethodGet, s.path, nil, &out)
}

// SetPolicies sets policies by <sim>.<policy>; nil returns one to its default.
func (s *SandboxClient) SetPolicies(ctx context.Context, policies map[string]any) (out Sandbox, err error) {
	return out, s.client.call(ctx, http.MethodPatch, s.path, SandboxChange{Policies: policies}, &out)
}

// Delete frees the sandbox.
func (s *SandboxClient) Delete(ctx context.Context) error {
	return s.client.call(ctx, http.MethodDelete, s.path, nil, nil)
}

// Reset returns the sandbox to its seed state.
func (s *SandboxClient) Reset(ctx context.Context) (out Sandbox, err error) {
	return out, s.client.call(ctx, http.MethodPost, s.path+"/reset", nil, &out)
}

// Clock returns the clock.
func (s *SandboxClient) Clock(ctx context.Context) (out Clock, err error) {
	return out, s.client.call(ctx, http.MethodGet, s.path+"/clock", nil, &out)
}

// SetClock changes the clock.
func (s *SandboxClient) SetClock(ctx context.Context, change ClockChange) (out Clock, err error) {
	return out, s.client.call(ctx, http.MethodPut, s.path+"/clock", change, &out)
}

// Advance moves the clock and performs what is due on the way.
func (s *SandboxClient) Advance(ctx context.Context, a Advance) (out Advanced, err error) {
	return out, s.client.call(ctx, http.MethodPost, s.path+"/clock/advance", a, &out)
}

// Webhooks lists the stored webhooks of a sim, or of all when it is "": all of them, or a page.
func (s *SandboxClient) Webhooks(ctx context.Context, sim string, page ...Page) (out Webhooks, err error) {
	q := append(pageOf(page).pairs(), "sim", sim)
	return out, s.client.call(ctx, http.MethodGet, s.path+"/webhooks"+query(q...), nil, &out)
}

// AllWebhooks goes through the stored webhooks, page by page.
func (s *SandboxClient) AllWebhooks(ctx context.Context, sim string) iter.Seq2[Webhook, error] {
	return pages(Page{}, func(p Page) ([]Webhook, string, error) {
		out, err := s.Webhooks(ctx, sim, p)
		return out.Webhooks, out.Next, err
	})
}

// Unblock lifts the block of a webhook, as the provider's web cabinet does.
func (s *SandboxClient) Unblock(ctx context.Context, webhookID string) (out Unblocked, err error) {
	return out, s.client.call(ctx, http.MethodPost, s.path+"/webhooks/"+url.PathEscape(webhookID)+"/unblock", nil, &out)
}

// Emit makes an event happen.
func (s *SandboxClient) Emit(ctx context.Context, event Event) (out Emitted, err error) {
	return out, s.client.call(ctx, http.MethodPost, s.path+"/events", event, &out)
}

// DeliveryFilter selects deliveries. Empty fields select all.
type DeliveryFilter struct {
	Sim, State, Webhook, Event, Type string
	// Wait waits, at most five minutes, until Count (default 1) deliveries pass the filter.
	Wait  time.Duration
	Count int
	Page
}

// Deliveries lists deliveries in the order of their events.
func (s *SandboxClient) Deliveries(ctx context.Context, f DeliveryFilter) (out Deliveries, err error) {
	q := append(f.pairs(), "sim", f.Sim, "state", f.State, "webhook", f.Webhook, "event", f.Event, "type", f.Type)
	q = append(q, waitPairs(f.Wait, f.Count)...)
	return out, s.client.call(ctx, http.MethodGet, s.path+"/deliveries"+query(q...), nil, &out)
}

// AllDeliveries goes through the deliveries that pass a filter, page by page. It waits for the first page only.
func (s *SandboxClient) AllDeliveries(ctx context.Context, f DeliveryFilter) iter.Seq2[Delivery, error] {
	return pages(f.Page, func(p Page) ([]Delivery, string, error) {
		f.Page = p
		out, err := s.Deliveries(ctx, f)
		f.Wait = 0
		return out.Deliveries, out.Next, err
	})
}

// waitRound is how long one call waits. Waits that are longer take several.
const waitRound = time.Minute

// WaitForDeliveries waits until so many deliveries pass a filter, or ctx ends.
func (s *SandboxClient) WaitForDeliveries(ctx context.Context, count int, f DeliveryFilter) (Deliveries, error) {
	f.Wait, f.Count = waitRound, count
	for {
		out, err := s.Deliveries(ctx, f)
		var p Problem
		if !errors.As(err, &p) || p.Status != http.StatusRequestTimeout {
			return out, err
		}
	}
}

// Delivery returns one delivery with its attempts.
func (s *SandboxClient) Delivery(ctx context.Context, deliveryID string) (out Delivery, err error) {
	return out, s.client.call(ctx, http.MethodGet, s.path+"/deliveries/"+url.PathEscape(deliveryID), nil, &out)
}

// Redeliver sends a delivery once more.
func (s *SandboxClient) Redeliver(ctx context.Context, deliveryID string) (out Delivery, err error) {
	return out, s.client.call(ctx, http.MethodPost, s.path+"/deliveries/"+url.PathEscape(deliveryID)+"/redeliver", nil, &out)
}

// Compare says why a receiver's signature differs from the one that was sent.
func (s *SandboxClient) Compare(ctx context.Context, deliveryID string, claim SignatureClaim) (out Comparison, err error) {
	return out, s.client.call(ctx, http.MethodPost, s.path+"/deliveries/"+url.PathEscape(deliveryID)+"/compare", claim, &out)
}

// JournalFilter selects exchanges. Empty fields select all; Direction defaults to "in".
type JournalFilter struct {
	Sim, Operation, Direction, Rule, Since string
	Status                                 int
	Page
}

// Journal lists exchanges, oldest first.
func (s *SandboxClient) Journal(ctx context.Context, f JournalFilter) (out Journal, err error) {
	q := append(f.pairs(), "sim", f.Sim, "operation", f.Operation, "direction", f.Direction, "rule", f.Rule, "since", f.Since)
	q = append(q, "status", positive(f.Status))
	return out, s.client.call(ctx, http.MethodGet, s.path+"/journal"+query(q...), nil, &out)
}

// AllExchanges goes through the exchanges that pass a filter, page by page, oldest first.
func (s *SandboxClient) AllExchanges(ctx context.Context, f JournalFilter) iter.Seq2[Exchange, error] {
	return pages(f.Page, func(p Page) ([]Exchange, string, error) {
		f.Page = p
		out, err := s.Journal(ctx, f)
		return out.Exchanges, out.Next, err
	})
}

// ClearJournal forgets every exchange.
func (s *SandboxClient) ClearJournal(ctx context.Context) error {
	return s.client.call(ctx, http.MethodDelete, s.path+"/journal", nil, nil)
}

// Verify asks whether the journal holds what must have happened, waiting for what is still in flight.
func (s *SandboxClient) Verify(ctx context.Context, v Verification) (out Verified, err error) {
	return out, s.client.call(ctx, http.MethodPost, s.path+"/journal/verify", v, &out)
}

// VerifyDeliveries asks the same of the deliveries.
func (s *SandboxClient) VerifyDeliveries(ctx context.Context, v Verification) (out Verified, err error) {
	return out, s.client.call(ctx, http.MethodPost, s.path+"/deliveries/verify", v, &out)
}

// Snapshot returns the sandbox as readable, versioned JSON.
func (s *SandboxClient) Snapshot(ctx context.Context) (out jsontext.Value, err error) {
	return out, s.client.call(ctx, http.MethodGet, s.path+"/snapshot", nil, &out)
}

// Restore makes the sandbox what a snapshot says.
func (s *SandboxClient) Restore(ctx context.Context, snapshot jsontext.Value) (out Sandbox, err error) {
	return out, s.client.call(ctx, http.MethodPut, s.path+"/snapshot", snapshot, &out)
}

// Diff returns what has changed since a snapshot.
func (s *SandboxClient) Diff(ctx context.Context, before jsontext.Value) (out SnapshotDiff, err error) {
	return out, s.client.call(ctx, http.MethodPost, s.path+"/snapshot/diff", before, &out)
}

// positive is a number as a query has it; "" when it is not given.
func positive(n int) string {
	if n <= 0 {
		return ""
	}
	return strconv.Itoa(n)
}

// waitPairs are the parameters of a wait, if there is one.
func waitPairs(wait time.Duration, count int) []string {
	if wait <= 0 {
		return nil
	}
	return []string{"wait", wait.String(), "count", positive(count)}
}

// query builds a query string of the pairs that have a value.
func query(pairs ...string) string {
	q := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	if len(q) == 0 {
		return ""
	}
	return "?" + q.Encode()
}

// call makes one call. While nobody listens yet it is repeated.
func (c *Client) call(ctx context.Context, method, path string, in, out any) error {
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return fmt.Errorf("client: encode %T: %w", in, err)
		}
	}
	return c.repeat(ctx, refused, func() error { return c.try(ctx, method, path, body, out) })
}

// refused: nobody listens.
func refused(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) }

// repeat tries until it works, or an error is not one to try again after, or the time for the server to start is over.
func (c *Client) repeat(ctx context.Context, again func(error) bool, try func() error) error {
	giveUp, cancel := context.WithTimeout(ctx, c.wait)
	defer cancel()
	for {
		err := try()
		if err == nil || !again(err) {
			return err
		}
		switch pause(giveUp); {
		case ctx.Err() != nil:
			return fmt.Errorf("client: the server has not started: %w: %w", ctx.Err(), err)
		case giveUp.Err() != nil:
			return err
		}
	}
}

// pause is the time between two tries, or until ctx ends.
func pause(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(20 * time.Millisecond): //nolint:forbidigo // real time: another process is starting
	}
}

func (c *Client) try(ctx context.Context, method, path string, body []byte, out any) error {
	req, err := c.request(ctx, method, path, body)
	if err != nil {
		return err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("client: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		return fmt.Errorf("client: read the answer of %s %s: %w", method, path, err)
	}
	if resp.StatusCode >= http.StatusBadRequest {
		return problem(resp.StatusCode, data)
	}
	if out == nil || len(data) == 0 {
		return nil
	}
	if raw, ok := out.(*[]byte); ok {
		*raw = data
		return nil
	}
	if err := json.Unmarshal(data, out); err != nil {
		return fmt.Errorf("client: decode the answer of %s %s: %w", method, path, err)
	}
	return nil
}

func (c *Client) request(ctx context.Context, method, path string, body []byte) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	return req, nil
}

// problem turns an error answer into a Problem.
func problem(status int, data []byte) error {
	var p Problem
	if err := json.Unmarshal(data, &p); err != nil || p.Status == 0 {
		return Problem{Title: http.StatusText(status), Status: status, Detail: strings.TrimSpace(string(data))}
	}
	return p
}
