package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

// bankly is Bankly: a client certificate and an OAuth token. Deliveries are signed with a key that the shop has chosen.
type bankly struct {
	http                            *http.Client
	clientID, privateKey, publicKey string

	mu  sync.Mutex
	uri string // as it was registered: it is part of what is signed
}

const (
	banklyAuth  = "https://auth-mtls.sandbox.bankly.com.br"
	banklyAPI   = "https://api-mtls.sandbox.bankly.com.br"
	banklyEvent = "TED_CASH_IN_WAS_CLEARED"
)

func (b *bankly) register(ctx context.Context, address string) error {
	b.mu.Lock()
	b.uri = address
	b.mu.Unlock()
	var session struct {
		Token string `json:"access_token"`
	}
	grant := form("grant_type", "client_credentials", "client_id", b.clientID, "scope", "webhook.read webhook.write")
	if err := call(ctx, b.http, http.MethodPost, banklyAuth+"/oauth2/token", grant, &session,
		"Content-Type", "application/x-www-form-urlencoded"); err != nil {
		return err
	}
	config := encode(map[string]string{
		"name": "shop", "eventName": banklyEvent, "context": "Ted", "uri": address, "privateKey": b.privateKey, "publicKey": b.publicKey,
	})
	var created struct {
		Data struct {
			ID string `json:"id"`
		} `json:"data"`
	}
	err := call(ctx, b.http, http.MethodPost, banklyAPI+"/webhooks/configurations", config, &created,
		"Authorization", "Bearer "+session.Token, "api-version", "1.0")
	if err == nil && created.Data.ID == "" {
		err = errors.New("the answer has no data.id")
	}
	return err
}

func (b *bankly) receive(header http.Header, body []byte) (message, error) {
	b.mu.Lock()
	uri := b.uri
	b.mu.Unlock()
	seconds, err := strconv.ParseInt(header.Get("requestTimestamp"), 10, 64)
	if err != nil || time.Since(time.Unix(seconds, 0)).Abs() > 5*time.Minute {
		return message{}, fmt.Errorf("requestTimestamp %q is not of now", header.Get("requestTimestamp"))
	}
	want := "hmac " + b.sign(uri, header.Get("requestTimestamp"), header.Get("nonce"), body)
	if !hmac.Equal([]byte(want), []byte(header.Get("authorization"))) {
		return message{}, errors.New("authorization is not the body's")
	}
	var events []struct {
		Key  string `json:"idempotencyKey"`
		Name string `json:"name"`
	}
	if err := json.Unmarshal(body, &events); err != nil || len(events) != 1 {
		return message{}, fmt.Errorf("want a list of one event: %w", err)
	}
	return message{ID: events[0].Key, Event: events[0].Name}, nil
}

// sign is the signature of a delivery.
func (b *bankly) sign(uri, timestamp, nonce string, body []byte) string {
	signed := []string{b.publicKey, strings.ToLower(url.QueryEscape(uri)), timestamp, nonce, base64.StdEncoding.EncodeToString(body)}
	mac := hmac.New(sha256.New, []byte(b.privateKey))
	mac.Write([]byte(strings.Join(signed, "&")))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}
