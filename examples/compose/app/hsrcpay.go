package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// hsrcpay is HSRCPAY: a secret key is the token. Deliveries are signed with a secret of the webhook.
type hsrcpay struct {
	http *http.Client
	key  string

	mu     sync.Mutex
	secret string
}

const hsrcpayAPI = "https://api.hsrcpay.com"

func (h *hsrcpay) register(ctx context.Context, address string) error {
	var hook struct {
		Data struct {
			Secret string `json:"secret"`
		} `json:"data"`
	}
	config := encode(map[string]any{"endpoint": address, "enabled_events": []string{"payment.succeeded"}})
	h.mu.Lock() // a delivery that comes first waits for the secret
	defer h.mu.Unlock()
	err := call(ctx, h.http, http.MethodPost, hsrcpayAPI+"/v1/webhooks/", config, &hook, "Authorization", "Bearer "+h.key)
	h.secret = hook.Data.Secret
	return err
}

// receive checks "t=<unix seconds>,v1=<hex>".
func (h *hsrcpay) receive(header http.Header, body []byte) (message, error) {
	h.mu.Lock()
	secret := h.secret
	h.mu.Unlock()
	if secret == "" {
		return message{}, errors.New("not registered yet")
	}
	stamp, signature, _ := strings.Cut(strings.TrimPrefix(header.Get("HSRCPAY-Signature"), "t="), ",v1=")
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil || time.Since(time.Unix(seconds, 0)).Abs() > 5*time.Minute {
		return message{}, errors.New("HSRCPAY-Signature is not of now")
	}
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(stamp + "."))
	mac.Write(body)
	if !hmac.Equal([]byte(hex.EncodeToString(mac.Sum(nil))), []byte(signature)) {
		return message{}, errors.New("HSRCPAY-Signature is not the body's")
	}
	var event struct {
		ID   string `json:"id"`
		Type string `json:"type"`
	}
	err = json.Unmarshal(body, &event)
	return message{ID: event.ID, Event: event.Type}, err
}
