package main

import (
	"bytes"
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"mime/multipart"
	"net/http"
)

// bts is BTS Express: a login gives a token. Deliveries are not signed, but they carry a key that the shop has chosen.
type bts struct {
	http                    *http.Client
	login, password, itxKey string
}

const btsAPI = "https://apitest.bts.uz:28345"

func (b *bts) register(ctx context.Context, address string) error {
	var session struct {
		Data struct {
			Token string `json:"access_token"`
		} `json:"data"`
	}
	login := encode(map[string]string{"login": b.login, "password": b.password})
	if err := call(ctx, b.http, http.MethodPost, btsAPI+"/auth/login", login, &session); err != nil {
		return err
	}
	// A GET with a body: so it is documented.
	config := encode(map[string]any{"webhook_url": address, "environment": "test", "has_token": true, "itx-apiKey": b.itxKey})
	var answer struct {
		Status bool `json:"status"`
	}
	err := call(ctx, b.http, http.MethodGet, btsAPI+"/v1/webhook/webhook-config", config, &answer, "Authorization", "Bearer "+session.Data.Token)
	if err == nil && !answer.Status {
		err = errors.New("the answer has no status true")
	}
	return err
}

func (b *bts) receive(header http.Header, body []byte) (message, error) {
	if subtle.ConstantTimeCompare([]byte(header.Get("itx-apiKey")), []byte(b.itxKey)) != 1 {
		return message{}, errors.New("itx-apiKey is not ours")
	}
	_, parameters, err := mime.ParseMediaType(header.Get("Content-Type"))
	if err != nil {
		return message{}, err
	}
	fields, err := multipart.NewReader(bytes.NewReader(body), parameters["boundary"]).ReadForm(1 << 20)
	if err != nil {
		return message{}, err
	}
	if len(fields.Value["text"]) != 1 {
		return message{}, errors.New("want one field text")
	}
	var shipment struct {
		Order  int `json:"orderId"`
		Status struct {
			ID int `json:"id"`
		} `json:"status"`
	}
	if err := json.Unmarshal([]byte(fields.Value["text"][0]), &shipment); err != nil {
		return message{}, err
	}
	return message{ID: fmt.Sprintf("%d/%d", shipment.Order, shipment.Status.ID), Event: fmt.Sprintf("status.%d", shipment.Status.ID)}, nil
}
