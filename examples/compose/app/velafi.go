package main

import (
	"context"
	"crypto"
	"crypto/hmac"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// velafi is VelaFi: a signed timestamp gives a token. Deliveries are signed with the provider's RSA key.
type velafi struct {
	http        *http.Client
	key, secret string

	mu        sync.Mutex
	publicKey *rsa.PublicKey
}

const velafiAPI = "https://api-test.velafi.com"

func (v *velafi) register(ctx context.Context, address string) error {
	stamp := fmt.Sprintf("timestamp=%d", time.Now().UnixMilli())
	mac := hmac.New(sha256.New, []byte(v.secret))
	mac.Write([]byte(stamp))
	var session struct {
		Data struct {
			Token string `json:"token"`
		} `json:"data"`
	}
	generate := velafiAPI + "/v2/token/generate?" + stamp + "&signature=" + hex.EncodeToString(mac.Sum(nil))
	if err := call(ctx, v.http, http.MethodGet, generate, nil, &session, "X-BH-APIKEY", v.key); err != nil {
		return err
	}
	var hook struct {
		Data struct {
			PublicKey []byte `json:"publicKey"`
		} `json:"data"`
	}
	config := encode(map[string]string{"eventType": "ORDER_WEBHOOK", "url": address})
	v.mu.Lock() // a delivery that comes first waits for the key
	defer v.mu.Unlock()
	if err := call(ctx, v.http, http.MethodPost, velafiAPI+"/v2/webhook", config, &hook, "X-BH-TOKEN", session.Data.Token); err != nil {
		return err
	}
	parsed, err := x509.ParsePKIXPublicKey(hook.Data.PublicKey)
	key, ok := parsed.(*rsa.PublicKey)
	if err != nil || !ok {
		return fmt.Errorf("publicKey %s is no RSA key: %w", base64.StdEncoding.EncodeToString(hook.Data.PublicKey), err)
	}
	v.publicKey = key
	return nil
}

func (v *velafi) receive(header http.Header, body []byte) (message, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.publicKey == nil {
		return message{}, errors.New("not registered yet")
	}
	signature, err := hex.DecodeString(header.Get("signature"))
	if err != nil {
		return message{}, fmt.Errorf("signature: %w", err)
	}
	digest := sha256.Sum256(body)
	if err := rsa.VerifyPKCS1v15(v.publicKey, crypto.SHA256, digest[:], signature); err != nil {
		return message{}, err
	}
	var order struct {
		Event  string `json:"eventType"`
		Order  string `json:"orderId"`
		Status string `json:"orderStatus"`
	}
	err = json.Unmarshal(body, &order)
	return message{ID: order.Order + "/" + order.Status, Event: order.Event}, err
}
