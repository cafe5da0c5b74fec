package bankly_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/mocksrv/mocksrv/sims/bankly"
	"github.com/mocksrv/mocksrv/sims/simtest"
)

// FuzzRequest sends anything through the whole request path, with good credentials: nothing panics, nothing is a
// server error, and what is refused changes nothing. Of the header, name and value of one field are free.
func FuzzRequest(f *testing.F) {
	for _, s := range fuzzSeeds() {
		f.Add(s[0], s[1], s[2], s[3], s[4], []byte(s[5]))
	}
	f.Fuzz(func(t *testing.T, method, path, query, name, value string, body []byte) {
		w := simtest.New(t, bankly.New())
		id := made(w, "uri", "http://127.0.0.1:1/hook")
		w.Emit(simtest.Event{Type: tedIn})
		fill := strings.NewReplacer("{id}", id, "{key}", keyOf(found(w)), "{client}", w.Credentials["client_id"]).Replace
		req := w.Request(http.MethodGet, "/", "application/json", []byte(fill(string(body))))
		req.Method = method
		path = "/bankly/" + strings.TrimPrefix(fill(path), "/")
		req.URL = &url.URL{Path: unescaped(path), RawPath: path, RawQuery: query}
		req.Header.Set("Authorization", "Bearer "+w.Credentials["token"])
		req.Header.Set("api-version", "1.0")
		if name != "" && !strings.EqualFold(name, "Mocksrv-Sandbox") {
			req.Header.Set(name, value)
		}
		before := w.Dump()
		reply := w.Send(req)
		if reply.Status >= 500 {
			t.Fatalf("status %d: %s, refusal %+v", reply.Status, reply.Body, reply.Refusal)
		}
		if reply.Status >= 400 && (before != w.Dump() || reply.Refusal == nil) {
			t.Fatalf("status %d changed the state or is not explained: %+v", reply.Status, reply.Refusal)
		}
		if reply.Header.Get("x-bkly-correlation-id") == "" {
			t.Fatal("no correlation id")
		}
		if reply.Status >= 400 && method != http.MethodHead && reply.Get("code") == nil && reply.Get("error") == nil {
			t.Fatalf("not in the envelope: %s", reply.Body)
		}
	})
}

func unescaped(path string) string {
	if plain, err := url.PathUnescape(path); err == nil {
		return plain
	}
	return path
}

// fuzzSeeds are the examples of the document and hostile cases: method, path, query, header name, header value, body.
func fuzzSeeds() [][6]string {
	const (
		one       = configurationsPath + "/{id}"
		form      = "application/x-www-form-urlencoded"
		dates     = "startDate=2026-01-01&endDate=2026-01-31"
		batchBody = `{"startDate":"2026-01-01","endDate":"2026-01-31","context":"Ted","eventNames":["TED_CASH_IN_WAS_CLEARED"],"eventState":"Failed"}`
	)
	return [][6]string{
		{"POST", tokenPath, "", "Content-Type", form, "grant_type=client_credentials&client_id={client}&scope=webhook.read+webhook.write"},
		{"POST", tokenPath, "", "Content-Type", form, "grant_type=client_credentials&client_id=%00&scope=%zz;"},
		{"POST", tokenPath, "", "Authorization", "", strings.Repeat("client_id=a&", 1000)},
		{"GET", configurationsPath, "status=Enabled&page=1&pageSize=50", "", "", ""},
		{"GET", configurationsPath + "/", "page=2147483647&pageSize=100", "", "", ""},
		{"GET", configurationsPath, "page=-9223372036854775808&pageSize=1e400", "Accept", "text/html", "{"},
		{"GET", configurationsPath, "page=%2B1&page=2;status=%", "", "", ""},
		{"POST", configurationsPath, "", "", "", `{"name":"WEBHOOK_PIX_DELIVERY","eventName":"PIX_CASH_IN_WAS_CLEARED","context":"Pix","uri":"http://webhook.site/42e35ca3","privateKey":"V2ViaG9vayBBY2Vzc29CYW5rbHk=","publicKey":"WEBHOOK_PIX_DELIVERY"}`},
		{"POST", configurationsPath, "", "", "", `{"name":"a","eventName":"\u0000\"","context":"\ud800","uri":"http://[::1]:1/%zz","privateKey":"\n","publicKey":"d"}`},
		{"POST", configurationsPath, "", "api-version", "1", `{"name":1,"name":2}`},
		{"POST", configurationsPath, "", "Content-Type", "application/json;=;", "{\"name\":\"\xff\"}"},
		{"GET", one, "", "", "", ""},
		{"PATCH", one, "", "", "", `{"privateKey":"a","publicKey":"b","uri":"https://webhook.site/3635f9f2"}`},
		{"PATCH", one, "", "", "", `{"uri":null}`},
		{"PATCH", one, "", "", "", `{"name":"only"}`},
		{"PATCH", one + "/enable", "", "", "", ""},
		{"PATCH", one + "/disable", "", "", "", "not read"},
		{"DELETE", one, "", "", "", ""},
		{"DELETE", configurationsPath + "/%2e%2e", "", "", "", "[[[["},
		{"GET", messagesPath, dates + "&state=Failed&eventName=TED_CASH_IN_WAS_CLEARED&context=Ted&page=1&pageSize=50", "", "", ""},
		{"GET", messagesPath, "startDate=12/31/9999&endDate=9999-12-31", "", "", ""},
		{"GET", messagesPath, "startDate=0000-01-01&endDate=0001-01-01", "", "", ""},
		{"GET", messagesPath, "startDate=2026-02-29&endDate=%00", "", "", ""},
		{"POST", messagesPath + "/{key}", "", "", "", ""},
		{"POST", messagesPath + "/%00", "", "", "", "{}"},
		{"GET", batchPath, dates, "", "", ""},
		{"POST", batchPath, "", "", "", batchBody},
		{"POST", batchPath, "", "", "", `{"startDate":"01/01/2099","endDate":"01/07/2099"}`},
		{"POST", batchPath, "", "", "", `{"startDate":"2026-01-01","endDate":"2099-01-31","eventNames":[null,{}]}`},
		{"HEAD", one, "", "", "", ""},
		{"TRACE", "//webhooks//configurations", "", "", "", ""},
		{"", "", "", "", "", ""},
	}
}
