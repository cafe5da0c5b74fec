package bts

import (
	"net/url"

	"github.com/mocksrv/mocksrv/sims"
)

// plant obeys upsert: an account has one webhook for each environment.
func plant() *sims.Plant {
	return &sims.Plant{Operation: "configureWebhookByPost", Body: planted, Webhooks: 2}
}

// planted takes production first, and then what is free.
func planted(s sims.PlantSource) (map[string]string, url.Values, map[string]any) {
	environment := "production"
	if _, taken := configs(s.Tx).Get(configID(s.Account, environment)); taken {
		environment = "test"
	}
	return nil, nil, map[string]any{
		"webhook_url": s.URL, "environment": environment, "has_token": true, "itx-apiKey": s.Fake.LetterN(24),
	}
}
