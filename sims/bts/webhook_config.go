package bts

import (
	"net/http"
	"time"

	"github.com/mocksrv/mocksrv/sims"
)

// config is a stored webhook: one per account and environment (upsert).
type config struct {
	Account     string    `json:"account"` // login
	Environment string    `json:"environment"`
	URL         string    `json:"url"`
	HasToken    bool      `json:"has_token"`
	ITXAPIKey   string    `json:"itx_api_key"`
	CreatedAt   time.Time `json:"created_at"`
	UpdatedAt   time.Time `json:"updated_at"`
}

// configs holds them by account and environment.
func configs(tx sims.Tx) sims.Table[config] { return sims.TableOf[config](tx, "configs", nil) }

func configID(account, environment string) string { return account + "." + environment }

func (w config) id() string { return configID(w.Account, w.Environment) }

// configReply and configWire are a stored webhook as the provider answers it (configured-reply).
type configReply struct {
	Status     bool       `json:"status"`
	Message    string     `json:"message"`
	StatusCode int        `json:"status_code"`
	Data       configWire `json:"data"`
}

type configWire struct {
	WebhookURL  string `json:"webhook_url"`
	Method      string `json:"method"`
	Date        string `json:"date"`
	HasToken    bool   `json:"has_token"`
	Environment string `json:"environment"`
	ITXAPIKey   string `json:"itx-apiKey"`
}

func wire(e *sims.Env, w config) configWire {
	return configWire{
		WebhookURL: w.URL, Method: http.MethodPost, Date: date(e.Policies, w.UpdatedAt), HasToken: w.HasToken,
		Environment: w.Environment, ITXAPIKey: w.ITXAPIKey,
	}
}

// configureWebhook serves both methods (methods). What the body leaves out takes its default (optional-fields, upsert).
func configureWebhook(c *sims.Call) (sims.Reply, error) {
	w := config{Account: caller(c), CreatedAt: c.Now, UpdatedAt: c.Now}
	w.Environment, _ = c.Object()["environment"].(string)
	w.URL, _ = c.Object()["webhook_url"].(string)
	w.HasToken, _ = c.Object()["has_token"].(bool)
	w.ITXAPIKey, _ = c.Object()["itx-apiKey"].(string)
	if old, ok := configs(c.Tx).Get(w.id()); ok {
		w.CreatedAt = old.CreatedAt
	}
	configs(c.Tx).Put(w.id(), w)
	return sims.Reply{Status: http.StatusOK, Body: configReply{
		Status: true, Message: textConfigured, StatusCode: http.StatusOK, Data: wire(c.Env, w),
	}}, nil
}

// webhooks are always active (delivery-disabled), unless a team has switched blocking on.
func webhooks(e *sims.Env) []sims.Webhook {
	var all []sims.Webhook
	for _, w := range configs(e.Tx).All("") {
		health, _ := sims.HealthTable(e.Tx).Get(w.id())
		neutral := sims.Webhook{
			ID: w.id(), Account: w.Account, URL: w.URL, State: sims.Active, Events: eventTypes(e),
			ErrorCount: health.ErrorCount, CreatedAt: w.CreatedAt, UpdatedAt: w.UpdatedAt, Provider: wire(e, w),
		}
		if health.Blocked {
			neutral.State = sims.Blocked
		}
		all = append(all, neutral)
	}
	return all
}

func eventTypes(e *sims.Env) []string {
	types := make([]string, len(e.Catalogue))
	for i, t := range e.Catalogue {
		types[i] = t.Type
	}
	return types
}
