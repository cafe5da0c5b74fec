package bitpay

import (
	"fmt"
	"net/url"

	"github.com/mocksrv/mocksrv/sims"
)

// plant makes webhooks for one event type each.
func plant() *sims.Plant {
	return &sims.Plant{Operation: "createWebhook", Body: planted, Events: 1, Disable: disable}
}

// planted takes the event types that are offered in turn (event-type-stable-coin).
func planted(s sims.PlantSource) (map[string]string, url.Values, map[string]any) {
	var free []string
	for _, t := range s.Catalogue {
		if offered(s.Env, t.Type) {
			free = append(free, t.Type)
		}
	}
	eventType := free[s.N%len(free)]
	if len(s.Events) > 0 {
		eventType = s.Events[0]
	}
	return nil, nil, map[string]any{"eventType": eventType, "url": s.URL}
}

// disable does what updateWebhook does with status 20 (status-values).
func disable(e *sims.Env, webhookID string) error {
	w, ok := hooks(e.Tx).Get(webhookID)
	if !ok {
		return fmt.Errorf("no webhook %s", webhookID)
	}
	w.Status, w.UpdatedAt = statusDisabled, e.Now
	hooks(e.Tx).Put(w.ID, w)
	return nil
}
