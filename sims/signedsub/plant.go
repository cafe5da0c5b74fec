package signedsub

import (
	"net/url"

	"github.com/mocksrv/mocksrv/sims"
)

// plant makes subscriptions.
func plant() *sims.Plant {
	return &sims.Plant{Operation: "createSubscription", Body: planted, Events: sims.AnyNumber}
}

func planted(s sims.PlantSource) (map[string]string, url.Values, map[string]any) {
	types := []any{}
	for _, t := range s.EventTypes() {
		types = append(types, t)
	}
	return nil, nil, map[string]any{
		"account": s.Account,
		"payload": map[string]any{"requestId": s.Fake.UUID(), "url": s.URL, "notificationEventTypes": types},
	}
}
