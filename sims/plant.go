package sims

import (
	"errors"
	"fmt"
	"net/url"

	"github.com/brianvoe/gofakeit/v6"
)

// Plant says how a webhook comes to be that exists already when a test begins: by the provider's own request to create
// one, with generated data.
type Plant struct {
	// Operation creates a webhook.
	Operation string
	// Body is the request of a client that wants one. Where no event types are asked for and the provider allows one
	// webhook for each only, it takes one that is free.
	Body func(PlantSource) (params map[string]string, query url.Values, body map[string]any)
	// Webhooks is how many webhooks an account can have. 0: any number.
	Webhooks int
	// Events is how many event types a webhook can be asked for. 0: none, it gets all; AnyNumber.
	Events int
	// Disable puts a webhook into the provider's disabled state. Nil: the provider has none.
	Disable func(e *Env, webhookID string) error
}

// AnyNumber is no limit.
const AnyNumber = -1

// PlantSource is what the request for a webhook is made from.
type PlantSource struct {
	*Env
	N       int      // how many webhooks the account has already
	URL     string   // where it is to point
	Events  []string // event types; none: the provider's first, or one that is free
	Account string   // whose it will be, in the neutral word of Webhook.Account
	Fake    *gofakeit.Faker
}

// EventTypes are the event types that were asked for, or else the first of the catalogue.
func (s PlantSource) EventTypes() []string {
	if len(s.Events) > 0 || len(s.Catalogue) == 0 {
		return s.Events
	}
	return []string{s.Catalogue[0].Type}
}

// maxGiven is the length of the longest credential that can be given.
const maxGiven = 512

// HeaderSafe refuses a given credential that could not be sent in a header.
func HeaderSafe(_ *Env, value string) error {
	if value == "" {
		return errors.New("it is empty; want visible ASCII characters")
	}
	if len(value) > maxGiven {
		return fmt.Errorf("it has %d bytes; want at most %d", len(value), maxGiven)
	}
	for _, r := range value {
		if r <= ' ' || r > '~' {
			return fmt.Errorf("it has %q; want visible ASCII characters without spaces", r)
		}
	}
	return nil
}
