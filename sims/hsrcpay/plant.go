package hsrcpay

import (
	"net/url"

	"github.com/mocksrv/mocksrv/sims"
)

// plant makes webhooks of the test data set.
func plant() *sims.Plant {
	return &sims.Plant{Operation: "createWebhook", Body: planted, Events: sims.AnyNumber}
}

func planted(s sims.PlantSource) (map[string]string, url.Values, map[string]any) {
	events := []any{}
	for _, t := range s.EventTypes() {
		events = append(events, t)
	}
	return nil, nil, map[string]any{"endpoint": s.URL, "enabled_events": events}
}
