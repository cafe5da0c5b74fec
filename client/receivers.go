package client

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"time"
)

// OpenReceiver opens a customer endpoint that answers by a script.
func (s *SandboxClient) OpenReceiver(ctx context.Context, spec ReceiverSpec) (out Receiver, err error) {
	return out, s.client.call(ctx, http.MethodPost, s.path+"/receivers", spec, &out)
}

// Receivers lists the receivers by name, without their requests: all of them, or a page.
func (s *SandboxClient) Receivers(ctx context.Context, page ...Page) (out Receivers, err error) {
	return out, s.client.call(ctx, http.MethodGet, s.path+"/receivers"+query(pageOf(page).pairs()...), nil, &out)
}

// AllReceivers goes through the receivers, page by page.
func (s *SandboxClient) AllReceivers(ctx context.Context) iter.Seq2[Receiver, error] {
	return pages(Page{}, func(p Page) ([]Receiver, string, error) {
		out, err := s.Receivers(ctx, p)
		return out.Receivers, out.Next, err
	})
}

// ReceivedFilter selects requests that arrived at a receiver. The zero value selects all.
type ReceivedFilter struct {
	// Wait waits, at most five minutes, until Count (default 1) requests have arrived in all.
	Wait  time.Duration
	Count int
	Page
}

// Receiver returns a receiver with the requests that arrived.
func (s *SandboxClient) Receiver(ctx context.Context, name string, f ReceivedFilter) (out Receiver, err error) {
	q := append(f.pairs(), waitPairs(f.Wait, f.Count)...)
	return out, s.client.call(ctx, http.MethodGet, s.receiver(name)+query(q...), nil, &out)
}

// AllReceived goes through the requests that arrived at a receiver, page by page. It waits for the first page only.
func (s *SandboxClient) AllReceived(ctx context.Context, name string, f ReceivedFilter) iter.Seq2[ReceivedRequest, error] {
	return pages(f.Page, func(p Page) ([]ReceivedRequest, string, error) {
		f.Page = p
		out, err := s.Receiver(ctx, name, f)
		f.Wait = 0
		return out.Received, out.Next, err
	})
}

// ScriptReceiver replaces the script of a receiver.
func (s *SandboxClient) ScriptReceiver(ctx context.Context, name string, script ReceiverScript) (out Receiver, err error) {
	return out, s.client.call(ctx, http.MethodPut, s.receiver(name)+"/script", script, &out)
}

// CloseReceiver closes a receiver.
func (s *SandboxClient) CloseReceiver(ctx context.Context, name string) error {
	return s.client.call(ctx, http.MethodDelete, s.receiver(name), nil, nil)
}

func (s *SandboxClient) receiver(name string) string {
	return s.path + "/receivers/" + url.PathEscape(name)
}
