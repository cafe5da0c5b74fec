package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// accounts are the shop's, from its environment.
func accounts(getenv func(string) string) (map[string]provider, error) {
	certificate, err := tls.LoadX509KeyPair(getenv("BANKLY_CERTIFICATE"), getenv("BANKLY_KEY"))
	if err != nil {
		return nil, fmt.Errorf("the client certificate for Bankly: %w", err)
	}
	plain := &http.Client{Timeout: 10 * time.Second}
	mutual := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		TLSClientConfig:   &tls.Config{Certificates: []tls.Certificate{certificate}},
		ForceAttemptHTTP2: true,
	}}
	return map[string]provider{
		"bts":     &bts{http: plain, login: getenv("BTS_LOGIN"), password: getenv("BTS_PASSWORD"), itxKey: getenv("BTS_ITX_KEY")},
		"velafi":  &velafi{http: plain, key: getenv("VELAFI_API_KEY"), secret: getenv("VELAFI_API_SECRET")},
		"bankly":  &bankly{http: mutual, clientID: getenv("BANKLY_CLIENT_ID"), privateKey: getenv("BANKLY_HOOK_KEY"), publicKey: getenv("BANKLY_HOOK_NAME")},
		"calypso": &calypso{http: plain, key: getenv("CALYPSO_KEY"), secret: getenv("CALYPSO_SECRET"), account: getenv("CALYPSO_ACCOUNT")},
		"hsrcpay": &hsrcpay{http: plain, key: getenv("HSRCPAY_SECRET_KEY")},
	}, nil
}

// call sends a body, if there is one, and decodes the answer. Headers are name, value, name, value, …
func call(ctx context.Context, client *http.Client, method, address string, body []byte, answer any, headers ...string) error {
	req, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, address, err)
	}
	if resp.StatusCode >= 300 {
		return fmt.Errorf("%s %s: %s: %s", method, address, resp.Status, strings.TrimSpace(string(data)))
	}
	if err := json.Unmarshal(data, answer); err != nil {
		return fmt.Errorf("%s %s: %w in %.200s", method, address, err, data)
	}
	return nil
}

// encode makes a body of JSON of what always has one.
func encode(v any) []byte {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return data
}

// form makes a body of name, value, name, value, …
func form(pairs ...string) []byte {
	values := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		values.Set(pairs[i], pairs[i+1])
	}
	return []byte(values.Encode())
}
