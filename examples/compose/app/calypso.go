package main

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// calypso is Calypso: every body is signed, in both directions. Deliveries have keys of the subscription.
type calypso struct {
	http                 *http.Client
	key, secret, account string

	mu      sync.Mutex
	channel struct {
		PublicKey string `json:"publicKey"`
		SecretKey string `json:"secretKey"`
	}
}

const calypsoAPI = "https://api.calypso.money"

func (c *calypso) register(ctx context.Context, address string) error {
	id := make([]byte, 16)
	_, _ = rand.Read(id)
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80 // a random UUID
	body := encode(map[string]any{
		"account": c.account, "timestamp": time.Now().UnixMilli(),
		"payload": map[string]any{
			"requestId":              fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:]),
			"notificationEventTypes": []string{"PAYOUT_CHANGE_STATUS"}, "notificationServiceTypes": []string{}, "url": address,
		},
	})
	c.mu.Lock() // a delivery that comes first waits for the keys
	defer c.mu.Unlock()
	return call(ctx, c.http, http.MethodPost, calypsoAPI+"/api/v1/subscription/webhook/create", body, &c.channel,
		"Key", c.key, "Sign", calypsoSign(c.secret, body))
}

func (c *calypso) receive(header http.Header, body []byte) (message, error) {
	c.mu.Lock()
	channel := c.channel
	c.mu.Unlock()
	if channel.SecretKey == "" {
		return message{}, errors.New("not registered yet")
	}
	if header.Get("Key") != channel.PublicKey || !hmac.Equal([]byte(calypsoSign(channel.SecretKey, body)), []byte(header.Get("Sign"))) {
		return message{}, errors.New("Key or Sign is not the subscription's")
	}
	var event struct {
		Type string `json:"type"`
	}
	err := json.Unmarshal(body, &event)
	digest := sha256.Sum256(body) // the payload has no id of its own, and a retry has the same body
	return message{ID: hex.EncodeToString(digest[:]), Event: event.Type}, err
}

func calypsoSign(secret string, body []byte) string {
	mac := hmac.New(sha512.New, []byte(secret))
	mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
}
