// Package shop is a small app that is paid through HSRCPAY: it registers itself as a webhook and keeps the orders that
// were paid. Its test is the example; the app knows nothing of the simulator.
package shop

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json" //nolint:depguard // an app of somebody else's: the rule is for the simulator
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Shop receives the payments of an HSRCPAY account. It is an http.Handler.
type Shop struct {
	API  string                               // https://api.hsrcpay.com, or a simulator of it
	Key  string                               // the account's secret key
	Now  func() time.Time                     // time.Now outside of tests
	Save func(order string, amount int) error // such as into a database

	mu     sync.Mutex
	secret string
	paid   map[string]int  // amounts, by order
	seen   map[string]bool // events that are done, by id
}

// Paid is what was paid for an order.
func (s *Shop) Paid(order string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.paid[order]
}

// Register makes HSRCPAY call the shop at its public address.
func (s *Shop) Register(ctx context.Context, endpoint string) error {
	body, err := json.Marshal(map[string]any{"endpoint": endpoint, "enabled_events": []string{"payment.succeeded"}})
	if err != nil {
		return fmt.Errorf("register: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.API+"/v1/webhooks/", bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("register: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+s.Key)
	req.Header.Set("Content-Type", "application/json")
	client := http.Client{Timeout: 10 * time.Second}
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("register: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	var answer struct {
		Success bool
		Data    struct{ Secret string }
		Error   struct{ Message string }
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || !answer.Success {
		return fmt.Errorf("register: HSRCPAY answered %s %q", resp.Status, answer.Error.Message)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.secret, s.paid, s.seen = answer.Data.Secret, map[string]int{}, map[string]bool{}
	return nil
}

// event is what the shop reads of a payment.succeeded.
type event struct {
	ID   string
	Data struct {
		Object struct {
			Amount   int
			Metadata struct {
				OrderID string `json:"order_id"`
			}
		}
	}
}

// ServeHTTP takes a delivery.
func (s *Shop) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.genuine(r.Header.Get("HSRCPAY-Signature"), body) {
		w.WriteHeader(http.StatusUnauthorized) // "401 or 403 for a wrong signature": it is not sent again
		return
	}
	var e event
	if err := json.Unmarshal(body, &e); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	// The same event may come again; event.id tells. It is done when the order is safe, not before: after a 500
	// HSRCPAY tries again.
	if !s.seen[e.ID] {
		payment := e.Data.Object
		if err := s.Save(payment.Metadata.OrderID, payment.Amount); err != nil {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		s.paid[payment.Metadata.OrderID] += payment.Amount
		s.seen[e.ID] = true
	}
	w.WriteHeader(http.StatusOK)
}

// genuine checks "t=<unix seconds>,v1=<hex>", an HMAC-SHA256 over the time, a dot and the raw body. HSRCPAY's pages
// show one signature over the raw body; its form is the simulator's assumption (mocksrv ledger, delivery-signature).
func (s *Shop) genuine(signature string, body []byte) bool {
	parts := map[string]string{}
	for part := range strings.SplitSeq(signature, ",") {
		name, value, _ := strings.Cut(part, "=")
		parts[name] = value
	}
	seconds, err := strconv.ParseInt(parts["t"], 10, 64)
	if err != nil || s.Now().Sub(time.Unix(seconds, 0)).Abs() > 5*time.Minute {
		return false
	}
	mac := hmac.New(sha256.New, []byte(s.secret))
	mac.Write([]byte(parts["t"] + "."))
	mac.Write(body)
	got, err := hex.DecodeString(parts["v1"])
	return err == nil && hmac.Equal(got, mac.Sum(nil))
}
