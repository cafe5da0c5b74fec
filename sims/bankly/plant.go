package bankly

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/mocksrv/mocksrv/sims"
)

// plant makes configurations of one event each.
func plant() *sims.Plant {
	return &sims.Plant{Operation: "createConfiguration", Body: planted, Events: 1, Disable: disable}
}

// planted takes the next event that the company has no configuration for (duplicate-key).
func planted(s sims.PlantSource) (map[string]string, url.Values, map[string]any) {
	event := eventFor(s)
	return nil, nil, map[string]any{
		"name": strings.ToUpper(s.Fake.HackerNoun()) + "_" + event.Type, "eventName": event.Type, "context": event.Group,
		"uri": s.URL, "privateKey": s.Fake.DigitN(24), "publicKey": s.Fake.DigitN(24),
	}
}

// eventFor is the event that was asked for, in its context; or the first that is free.
func eventFor(s sims.PlantSource) sims.EventType {
	for _, t := range s.Catalogue {
		_, taken := configurations(s.Tx).First(eventKey(s.Account, t.Group, t.Type))
		if len(s.Events) > 0 && s.Events[0] == t.Type || len(s.Events) == 0 && !taken {
			return t
		}
	}
	wanted := s.EventTypes()[0] // open-event-names
	return sims.EventType{Type: wanted, Group: s.Catalogue[0].Group}
}

// disable does what disableConfiguration does (toggle).
func disable(e *sims.Env, webhookID string) error {
	w, ok := configurations(e.Tx).Get(webhookID)
	if !ok {
		return fmt.Errorf("no configuration %s", webhookID)
	}
	w.Status, w.UpdatedAt = disabled, e.Now
	configurations(e.Tx).Put(w.ID, w)
	return nil
}
