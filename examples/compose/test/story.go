package main

import (
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"
	"time"
)

// provider is one of the five: its name in mocksrv, the shop's word for it, and something that happens there.
type provider struct{ sim, shop, event string }

func providers() []provider {
	return []provider{
		{"bts", "bts", "status.200"},
		{"bitpay", "velafi", "ORDER_WEBHOOK"},
		{"bankly", "bankly", "TED_CASH_IN_WAS_CLEARED"},
		{"signedsub", "calypso", "PAYOUT_CHANGE_STATUS"},
		{"hsrcpay", "hsrcpay", "payment.succeeded"},
	}
}

// world is mocksrv and the shop.
type world struct {
	sandbox, shop string
	failed        int
}

// story is what happens. The shop is registered at all five when it begins.
func story() error {
	w := &world{sandbox: os.Getenv("MOCKSRV_URL") + "/_mocksrv/v1/sandboxes/default", shop: os.Getenv("SHOP_URL")}
	var first []delivery
	for _, p := range providers() {
		first = append(first, w.arrives(p))
	}
	w.maintenance()
	for i, p := range providers() {
		w.comesTwice(p, first[i])
		w.forged(p)
	}
	w.noRefusals()
	if w.failed > 0 {
		return fmt.Errorf("%d failed", w.failed)
	}
	log.Println("test: all passed")
	return nil
}

// check counts and prints a result.
func (w *world) check(what string, err error) {
	if err != nil {
		w.failed++
		log.Printf("FAIL  %s: %v", what, err)
		return
	}
	log.Println("ok   ", what)
}

// delivery is what the story looks at of one.
type delivery struct {
	ID       string `json:"id"`
	State    string `json:"state"`
	Attempts []struct {
		Status int    `json:"status"`
		Error  string `json:"error"`
	} `json:"attempts"`
}

// arrives: an event reaches the shop, which keeps it.
func (w *world) arrives(p provider) delivery {
	d, err := w.emit(p)
	if err == nil {
		d, err = w.wait(d, "delivered")
	}
	if err == nil {
		err = w.kept(p, 1)
	}
	w.check(p.shop+": an event arrives and is kept", err)
	return d
}

// maintenance: the shop is closed when something happens, and gets it later.
func (w *world) maintenance() {
	w.check("the shop closes", call(http.MethodPut, w.shop+"/maintenance", nil, nil))
	waiting := map[provider]delivery{}
	for _, p := range providers() {
		d, err := w.emit(p)
		waiting[p] = d
		w.check(p.shop+": something happens meanwhile", err)
	}
	w.check("two minutes pass", w.advance("2m"))
	for _, p := range providers() {
		w.check(p.shop+": nothing more is kept", w.kept(p, 1))
	}
	w.check("the shop opens", call(http.MethodDelete, w.shop+"/maintenance", nil, nil))
	w.check("a day passes", w.advance("24h"))
	for _, p := range providers() {
		d, err := w.wait(waiting[p], "delivered")
		if err == nil && len(d.Attempts) < 2 {
			err = fmt.Errorf("want more than one attempt, got %+v", d.Attempts)
		}
		if err == nil {
			err = w.kept(p, 2)
		}
		w.check(p.shop+": a retry brings it", err)
	}
}

// comesTwice: the provider sends the first event again, and the shop keeps it once.
func (w *world) comesTwice(p provider, d delivery) {
	err := call(http.MethodPost, w.sandbox+"/deliveries/"+d.ID+"/redeliver", nil, nil)
	if err == nil {
		_, err = w.attempted(d, len(d.Attempts)+1)
	}
	if err == nil {
		err = w.kept(p, 2)
	}
	w.check(p.shop+": what comes twice is kept once", err)
}

// forged: somebody else calls the shop.
func (w *world) forged(p provider) {
	err := call(http.MethodPost, w.shop+"/hooks/"+p.shop, map[string]string{"type": p.event}, nil)
	if status := statusOf(err); status != http.StatusUnauthorized {
		err = fmt.Errorf("want 401, got %d", status)
	} else {
		err = w.kept(p, 2)
	}
	w.check(p.shop+": a forgery is refused", err)
}

// noRefusals: the providers had nothing to object to.
func (w *world) noRefusals() {
	var journal struct {
		Exchanges []struct {
			Sim       string         `json:"sim"`
			Operation string         `json:"operation"`
			Status    int            `json:"status"`
			Refusal   map[string]any `json:"refusal"`
		} `json:"exchanges"`
	}
	err := call(http.MethodGet, w.sandbox+"/journal", nil, &journal)
	if err == nil && len(journal.Exchanges) < len(providers()) {
		err = fmt.Errorf("want a request to each provider, got %d", len(journal.Exchanges))
	}
	for _, e := range journal.Exchanges {
		if e.Status >= http.StatusBadRequest {
			err = errors.Join(err, fmt.Errorf("%s %s answered %d: %v", e.Sim, e.Operation, e.Status, e.Refusal))
		}
	}
	w.check("no provider refused a request of the shop", err)
}

// emit makes something happen at a provider.
func (w *world) emit(p provider) (delivery, error) {
	var emitted struct {
		Deliveries []delivery `json:"deliveries"`
	}
	event := map[string]string{"sim": p.sim, "type": p.event}
	if p.sim == "bts" {
		event["environment"] = "test" // where the shop is registered
	}
	if err := call(http.MethodPost, w.sandbox+"/events", event, &emitted); err != nil {
		return delivery{}, err
	}
	if len(emitted.Deliveries) != 1 {
		return delivery{}, fmt.Errorf("want one delivery, got %d", len(emitted.Deliveries))
	}
	return emitted.Deliveries[0], nil
}

// wait waits until a delivery is in a state.
func (w *world) wait(d delivery, state string) (delivery, error) {
	return w.until(d, func(now delivery) bool { return now.State == state })
}

// attempted waits until a delivery has had so many attempts.
func (w *world) attempted(d delivery, attempts int) (delivery, error) {
	return w.until(d, func(now delivery) bool { return len(now.Attempts) >= attempts })
}

func (w *world) advance(by string) error {
	return call(http.MethodPost, w.sandbox+"/clock/advance", map[string]string{"by": by}, nil)
}

// kept is an error unless the shop has kept so many messages of a provider.
func (w *world) kept(p provider, want int) error {
	var received map[string][]struct{ Event string }
	if err := call(http.MethodGet, w.shop+"/received", nil, &received); err != nil {
		return err
	}
	if got := received[p.shop]; len(got) != want || got[0].Event != p.event {
		return fmt.Errorf("want %d × %s kept, got %v", want, p.event, got)
	}
	return nil
}

// until asks for a delivery until it is as wanted, for at most ten seconds.
func (w *world) until(d delivery, reached func(delivery) bool) (delivery, error) {
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		var now delivery
		if err := call(http.MethodGet, w.sandbox+"/deliveries/"+d.ID, nil, &now); err != nil {
			return now, err
		}
		if reached(now) {
			return now, nil
		}
		if time.Now().After(deadline) {
			return now, fmt.Errorf("it stays %+v", now)
		}
	}
}
