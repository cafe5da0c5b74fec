package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
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

// Sandboxes lists the sandboxes.
func (c *Client) Sandboxes(ctx context.Context) (out Sandboxes, err error) {
	return out, c.call(ctx, http.MethodGet, "v1/sandboxes", nil, &out)
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

// Webhooks lists the stored webhooks; sim "" means all.
func (s *SandboxClient) Webhooks(ctx context.Context, sim string) (out Webhooks, err error) {
	return out, s.client.call(ctx, http.MethodGet, s.path+"/webhooks"+query("sim", sim), nil, &out)
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
	// Wait waits until Count (default 1) deliveries pass the filter.
	Wait  time.Duration
	Count int
}

// Deliveries lists deliveries.
func (s *SandboxClient) Deliveries(ctx context.Context, f DeliveryFilter) (out Deliveries, err error) {
	q := []string{"sim", f.Sim, "state", f.State, "webhook", f.Webhook, "event", f.Event, "type", f.Type}
	if f.Wait > 0 {
		q = append(q, "wait", f.Wait.String())
	}
	if f.Count > 0 {
		q = append(q, "count", fmt.Sprint(f.Count))
	}
	return out, s.client.call(ctx, http.MethodGet, s.path+"/deliveries"+query(q...), nil, &out)
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
	Limit                                  int // the newest so many; 0 means 1000
}

// Journal lists exchanges, oldest first.
func (s *SandboxClient) Journal(ctx context.Context, f JournalFilter) (out Journal, err error) {
	q := []string{"sim", f.Sim, "operation", f.Operation, "direction", f.Direction, "rule", f.Rule, "since", f.Since}
	if f.Status > 0 {
		q = append(q, "status", fmt.Sprint(f.Status))
	}
	if f.Limit > 0 {
		q = append(q, "limit", fmt.Sprint(f.Limit))
	}
	return out, s.client.call(ctx, http.MethodGet, s.path+"/journal"+query(q...), nil, &out)
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
	giveUp, cancel := context.WithTimeout(ctx, c.wait)
	defer cancel()
	for {
		err := c.try(ctx, method, path, body, out)
		if !errors.Is(err, syscall.ECONNREFUSED) {
			return err
		}
		select {
		case <-giveUp.Done():
			if ctx.Err() != nil {
				return fmt.Errorf("client: the server has not started: %w: %w", ctx.Err(), err)
			}
			return err
		case <-time.After(20 * time.Millisecond): //nolint:forbidigo // real time: another process is starting
		}
	}
}

func (c *Client) try(ctx context.Context, method, path string, body []byte, out any) error {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("client: %w", err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
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
	if err := json.Unmarshal(data, out); err != nil {
		return fmt.Errorf("client: decode the answer of %s %s: %w", method, path, err)
	}
	return nil
}

// problem turns an error answer into a Problem.
func problem(status int, data []byte) error {
	var p Problem
	if err := json.Unmarshal(data, &p); err != nil || p.Status == 0 {
		return Problem{Title: http.StatusText(status), Status: status, Detail: strings.TrimSpace(string(data))}
	}
	return p
}
