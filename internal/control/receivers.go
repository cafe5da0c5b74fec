package control

import (
	"fmt"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"github.com/mocksrv/mocksrv/client"
	"github.com/mocksrv/mocksrv/internal/receiver"
)

func (a *API) listReceivers(c *call) (int, any, error) {
	p, err := readPage(c.URL.Query())
	if err != nil {
		return 0, nil, err
	}
	part, next, err := paged(p, a.receivers.Set(c.sandbox).List(), (*receiver.Receiver).Name, everyOne)
	if err != nil {
		return 0, nil, err
	}
	list := client.Receivers{Receivers: []client.Receiver{}, Next: next}
	for _, r := range part {
		list.Receivers = append(list.Receivers, receiverOf(r))
	}
	return http.StatusOK, list, nil
}

func (a *API) openReceiver(c *call) (int, any, error) {
	var spec receiver.Spec
	if err := read(c, &spec); err != nil {
		return 0, nil, err
	}
	if at, err := netip.ParseAddrPort(spec.Address); err == nil && !at.Addr().IsLoopback() {
		return 0, nil, invalid("address", fmt.Sprintf("%s is not on the loopback interface; receivers open no port to others", spec.Address), "127.0.0.1:0")
	}
	r, err := a.receivers.Set(c.sandbox).Open(spec)
	if err != nil {
		return 0, nil, err
	}
	return http.StatusCreated, receiverOf(r), nil
}

// getReceiver answers a receiver with the requests that arrived; ?wait= waits until there are ?count= of them.
func (a *API) getReceiver(c *call) (int, any, error) {
	r, err := a.receivers.Set(c.sandbox).Get(c.PathValue("receiver"))
	if err != nil {
		return 0, nil, err
	}
	p, err := readPage(c.URL.Query())
	if err != nil {
		return 0, nil, err
	}
	p, after, err := p.number()
	if err != nil {
		return 0, nil, err
	}
	if err := awaitRequests(c, r); err != nil {
		return 0, nil, err
	}
	out := receiverOf(r)
	kept, _ := r.Requests(after)
	part, next, err := paged(p, kept, func(req receiver.Request) string { return strconv.FormatUint(req.Number, 10) }, everyOne)
	out.Next = next
	for _, req := range part {
		out.Received = append(out.Received, receivedOf(req))
	}
	return http.StatusOK, out, err
}

// awaitRequests waits as ?wait= and ?count= say, if they do.
func awaitRequests(c *call, r *receiver.Receiver) error {
	ctx, cancel, count, err := awaiting(c)
	if err != nil || ctx == nil {
		return err
	}
	defer cancel()
	if err := r.Wait(ctx, uint64(count)); err != nil {
		return fmt.Errorf("%d wanted requests have not arrived: %w", count, err)
	}
	return nil
}

func (a *API) scriptReceiver(c *call) (int, any, error) {
	r, err := a.receivers.Set(c.sandbox).Get(c.PathValue("receiver"))
	if err != nil {
		return 0, nil, err
	}
	var script receiver.Script
	if err := read(c, &script); err != nil {
		return 0, nil, err
	}
	if err := r.SetScript(script); err != nil {
		return 0, nil, err
	}
	return http.StatusOK, receiverOf(r), nil
}

func (a *API) closeReceiver(c *call) (int, any, error) {
	if err := a.receivers.Set(c.sandbox).Delete(c.PathValue("receiver")); err != nil {
		return 0, nil, err
	}
	return http.StatusNoContent, nil, nil
}

func receiverOf(r *receiver.Receiver) client.Receiver {
	info := r.Info()
	return client.Receiver{
		Name: r.Name(), URL: info.URL, TLS: string(info.Spec.TLS), Requests: info.Requests, Dropped: info.Dropped,
		Connections: info.Connections, Received: []client.ReceivedRequest{},
	}
}

func receivedOf(r receiver.Request) client.ReceivedRequest {
	m := messageOf(r.Header, r.Body)
	m.Method, m.URL, m.Truncated = r.Method, valid(r.Path), r.Truncated
	return client.ReceivedRequest{
		Number: r.Number, At: r.At.UTC().Truncate(time.Nanosecond), Request: m, Status: r.Status, Fault: string(r.Fault), Error: valid(r.Error),
	}
}
