package bts_test

import (
	"fmt"
	"maps"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/internal/strictjson"
	"github.com/mocksrv/mocksrv/sims"
	"github.com/mocksrv/mocksrv/sims/simtest"
)

// known are values for everything the simulator would make up.
func known() object {
	return object{"clientId": "abc123mn12", "orderId": 4293644, "barcode": "019912312243"}
}

const knownJSON = `{"clientId":"abc123mn12","orderId":4293644,"barcode":"019912312243","status":{"id":100,"name":"У отправителя"},"date":"2026-01-08"}`

// receive stores a webhook that points to a new receiver.
func receive(w *world, changes object, answer func(n int) (int, string)) *simtest.Receiver {
	w.T.Helper()
	receiver := w.Receive(answer)
	body := object{"webhook_url": receiver.URL}
	maps.Copy(body, changes)
	configure(w, body).OK()
	return receiver
}

// only returns the one request that arrived.
func only(w *world, r *simtest.Receiver) simtest.Received {
	w.T.Helper()
	require.Len(w.T, r.Requests(), 1)
	return r.Requests()[0]
}

// sent emits an event and returns the JSON that arrived.
func sent(w *world, e simtest.Event) string {
	w.T.Helper()
	receiver := receive(w, nil, nil)
	w.Emit(e)
	return textOf(w.T, only(w, receiver))
}

// catalogue is the table of statuses, written down from the provider's pages.
func catalogue() map[int]string {
	return map[int]string{
		100: "У отправителя", 200: "Курьер принял", 300: "В офисе отправления", 400: "Во внутренней перевозке", 500: "В РЦ", 600: "В мешке",
		700: "В перевозке", 800: "В офисе доставки", 1100: "Курьер доставляет", 1200: "Доставлен", 1300: "Удален", 1400: "Просрочен",
	}
}

// eventTests has what is sent, and to whom.
func eventTests() ledgerTests {
	return ledgerTests{
		"event-catalogue":      eventCatalogueTest,
		"status-names":         statusNamesTest,
		"event-body":           eventBodyTest,
		"event-date":           eventDateTest,
		"delivery-matching":    deliveryMatchingTest,
		"delivery-format":      formatTest,
		"delivery-token":       tokenTest,
		"delivery-token-value": tokenValueTest,
		"delivery-itx-api-key": deliveryItxAPIKeyTest,
		"delivery-signature":   deliverySignatureTest,
	}
}

func formatTest(w *world) {
	send := func(shape string) simtest.Received {
		w.SetPolicy("body_shape", shape)
		receiver := receive(w, nil, nil)
		data := known()
		data["clientId"], data["extra"] = nil, object{"list": []any{1, "b\"c", true}, "none": object{}}
		w.Emit(simtest.Event{Type: "status.100", Data: data})
		return only(w, receiver)
	}
	const json = `{"clientId":null,"orderId":4293644,"barcode":"019912312243","status":{"id":100,"name":"У отправителя"},"date":"2026-01-08",` +
		`"extra":{"list":[1,"b\"c",true],"none":{}}}`
	request := send("text_field")
	require.Equal(w.T, "POST", request.Method)
	require.Equal(w.T, []field{{"text", json}}, formOf(w.T, request))
	require.Equal(w.T, []field{
		{"clientId", ""},
		{"orderId", "4293644"},
		{"barcode", "019912312243"},
		{"status[id]", "100"},
		{"status[name]", "У отправителя"},
		{"date", "2026-01-08"},
		{"extra[list][0]", "1"},
		{"extra[list][1]", `b"c`},
		{"extra[list][2]", "true"},
	}, formOf(w.T, send("form_fields")))
	request = send("json")
	require.Equal(w.T, "application/json", request.Header.Get("Content-Type"))
	require.Equal(w.T, json, string(request.Body))
	_, err := strictjson.Decode(request.Body)
	require.NoError(w.T, err)
}

func tokenTest(w *world) {
	headers := []string{"Authorization", "x-bts-token", "x-api-key"}
	for policy, header := range map[string]string{"bearer": "Authorization", "x-bts-token": "x-bts-token", "x-api-key": "x-api-key"} {
		w.SetPolicy("token_header", policy)
		with := receive(w, object{"has_token": true}, nil)
		w.Emit(simtest.Event{Type: "status.100"})
		without := receive(w, object{"has_token": false, "itx-apiKey": "k"}, nil)
		w.Emit(simtest.Event{Type: "status.100"})
		for _, name := range headers {
			require.Equal(w.T, name == header, only(w, with).RawHeader[name] != "", "%s under %s", name, policy)
			require.Empty(w.T, only(w, without).RawHeader[name])
		}
		want := `^[0-9a-f]{64}$`
		if policy == "bearer" {
			want = `^Bearer [0-9a-f]{64}$`
		}
		require.Regexp(w.T, want, only(w, with).RawHeader[header])
	}
}

func tokenValueTest(w *world) {
	seen := map[string]bool{}
	for _, environment := range []string{"production", "test"} {
		receiver := receive(w, object{"has_token": true, "environment": environment}, nil)
		for _, eventType := range []string{"status.100", "status.200"} {
			w.Emit(simtest.Event{Type: eventType, Environment: environment})
		}
		for _, request := range receiver.Requests() {
			seen[request.Header.Get("Authorization")] = true
		}
		require.Len(w.T, receiver.Requests(), 2)
		require.NotContains(w.T, string(configure(w, object{"has_token": true, "webhook_url": receiver.URL}).Body), "token\":\"")
	}
	require.Len(w.T, seen, 1)
	other := simtest.New(w.T, w.Provider.Sim)
	receiver := receive(other, object{"has_token": true}, nil)
	other.Emit(simtest.Event{Type: "status.100"})
	require.True(w.T, seen[only(other, receiver).Header.Get("Authorization")], "the same seed gives the same token")
}

func eventCatalogueTest(w *world) {
	receiver := receive(w, nil, nil)
	require.Len(w.T, w.Provider.Contract.Catalogue, 12)
	for _, code := range []int{1400, 100, 1200, 100, 800, 200, 300, 400, 500, 600, 700, 1100, 1300} { // in any order
		w.Emit(simtest.Event{Type: fmt.Sprint("status.", code)})
	}
	require.Len(w.T, receiver.Requests(), 13)
	require.Contains(w.T, textOf(w.T, receiver.Requests()[0]), `"status":{"id":1400,"name":"Просрочен"}`)
}

func statusNamesTest(w *world) {
	for code, name := range catalogue() {
		eventType := fmt.Sprint("status.", code)
		require.Contains(w.T, sent(w, simtest.Event{Type: eventType}), fmt.Sprintf(`"status":{"id":%d,"name":%q}`, code, name))
		require.Contains(w.T, sent(w, simtest.Event{Type: eventType, Data: object{"status": object{"name": "x"}}}), fmt.Sprintf(`"status":{"id":%d,"name":"x"}`, code))
	}
}

func eventBodyTest(w *world) {
	require.Equal(w.T, knownJSON, sent(w, simtest.Event{Type: "status.100", Data: known()}))
	data := known()
	data["clientId"] = nil
	require.Contains(w.T, sent(w, simtest.Event{Type: "status.100", Data: data}), `{"clientId":null,"orderId":4293644,`)
	made := sent(w, simtest.Event{Type: "status.200"})
	require.Regexp(w.T, `^\{"clientId":"[a-z]{3}[0-9]{3}[a-z]{2}[0-9]{2}","orderId":[1-9][0-9]{6},"barcode":"[0-9]{12}",`+
		`"status":\{"id":200,"name":"Курьер принял"\},"date":"2026-01-08"\}$`, made)
	require.NotEqual(w.T, made, sent(w, simtest.Event{Type: "status.200"}))
	other := simtest.New(w.T, w.Provider.Sim)
	for range 2 { // the third event of the same seed is the same
		sent(other, simtest.Event{Type: "status.100"})
	}
	require.Equal(w.T, made, sent(other, simtest.Event{Type: "status.200"}))
	w.SetPolicy("status_shape", "code_name")
	require.Contains(w.T, sent(w, simtest.Event{Type: "status.100"}), `"status":{"code":100,"name":"У отправителя"}`)
}

func eventDateTest(w *world) {
	w.SetNow(time.Date(2026, 1, 8, 19, 5, 6, 7, time.UTC))
	event := simtest.Event{Type: "status.100"}
	require.Contains(w.T, sent(w, event), `"date":"2026-01-09"}`)
	w.SetPolicy("event_date", "datetime")
	require.Contains(w.T, sent(w, event), `"date":"2026-01-09 00:05:06"}`)
	w.SetPolicy("timezone", "UTC")
	require.Contains(w.T, sent(w, event), `"date":"2026-01-08 19:05:06"}`)
	w.SetPolicy("event_date", "date")
	require.Contains(w.T, sent(w, event), `"date":"2026-01-08"}`)
}

func deliveryMatchingTest(w *world) {
	require.Empty(w.T, w.Emit(simtest.Event{Type: "status.100"}))
	production := receive(w, nil, nil)
	require.Empty(w.T, w.Emit(simtest.Event{Type: "status.100", Environment: "test"}))
	test := receive(w, object{"environment": "test"}, nil)
	w.Emit(simtest.Event{Type: "status.100", Data: known()})
	w.Emit(simtest.Event{Type: "status.1400", Environment: "production", Account: "username"})
	w.Emit(simtest.Event{Type: "status.100", Data: known(), Environment: "test"})
	require.Empty(w.T, w.Emit(simtest.Event{Type: "status.100", Account: "nobody"}))
	require.Len(w.T, production.Requests(), 2)
	require.Equal(w.T, knownJSON, textOf(w.T, only(w, test)))
	require.Len(w.T, w.Deliveries(), 3)
}

func deliveryItxAPIKeyTest(w *world) {
	for _, hasToken := range []bool{true, false} {
		receiver := receive(w, object{"itx-apiKey": "itx key-1", "has_token": hasToken}, nil)
		w.Emit(simtest.Event{Type: "status.100"})
		require.Equal(w.T, "itx key-1", only(w, receiver).RawHeader["itx-apiKey"])
		require.Equal(w.T, hasToken, only(w, receiver).Header.Get("Authorization") != "")
		receiver = receive(w, object{"itx-apiKey": "", "has_token": hasToken}, nil)
		w.Emit(simtest.Event{Type: "status.100"})
		require.NotContains(w.T, only(w, receiver).Header, "Itx-Apikey")
	}
}

func deliverySignatureTest(w *world) {
	receiver := receive(w, nil, nil)
	deliveries := w.Emit(simtest.Event{Type: "status.100"})
	require.Equal(w.T, sims.Signature{Scheme: "none"}, deliveries[0].Attempts[0].Signature)
	for name := range only(w, receiver).Header {
		require.Contains(w.T, []string{"Content-Type", "Content-Length", "User-Agent", "Accept-Encoding"}, name)
	}
}
