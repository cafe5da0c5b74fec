package client

import (
	"context"
	"net/http"
)

// DoctorCheck asks whether a webhook URL can be reached from where the server runs.
type DoctorCheck struct {
	URL       string `json:"url"`
	Timeout   string `json:"timeout,omitzero"`    // of each step; default 5s
	NoRequest bool   `json:"no_request,omitzero"` // nothing is sent to the receiver once it is connected to
}

// DoctorReport says whether a webhook URL can be reached, and if not, why and what to do.
type DoctorReport struct {
	URL       string       `json:"url"`
	Reachable bool         `json:"reachable"`
	Cause     string       `json:"cause,omitzero"` // a word for what is wrong; absent when nothing is
	Steps     []DoctorStep `json:"steps"`
}

// DoctorStep is one step on the way to the receiver.
type DoctorStep struct {
	Step    string   `json:"step"`    // url, dns, address, connect, tls, request, answer
	Outcome string   `json:"outcome"` // ok, failed, skipped
	Detail  string   `json:"detail"`
	Advice  []string `json:"advice,omitempty"` // what to do; of a step that is ok: what to know
}

// Doctor says whether a webhook URL can be reached from where the server runs. It sends one POST there.
func (c *Client) Doctor(ctx context.Context, url string) (DoctorReport, error) {
	return c.DoctorWith(ctx, DoctorCheck{URL: url})
}

// DoctorWith is Doctor with a timeout, or without the POST.
func (c *Client) DoctorWith(ctx context.Context, check DoctorCheck) (out DoctorReport, err error) {
	return out, c.call(ctx, http.MethodPost, "v1/doctor", check, &out)
}
