package hsrcpay_test

import (
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/sims/hsrcpay"
	"github.com/mocksrv/mocksrv/sims/simtest"
)

func TestConformance(t *testing.T) { simtest.Run(t, hsrcpay.New()) }

func TestCurlLineWorksWhenPasted(t *testing.T) {
	for _, program := range []string{"sh", "curl"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("no %s on this machine", program)
		}
	}
	w := simtest.New(t, hsrcpay.New())
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { _ = w.Engine.Serve(rw, r) }))
	defer server.Close()
	line := w.Provider.Curl(server.URL+"/hsrcpay", w.Credentials)
	out, err := exec.CommandContext(t.Context(), "sh", "-c", line).Output()
	require.NoError(t, err)
	require.Equal(t, `{"message":"success","success":true,"data":`+first(w)+`}`, string(out))
}

// first is the first webhook of the list, as it is answered.
func first(w *simtest.World) string {
	w.T.Helper()
	body := string(w.Call(list, simtest.Request{}).OK().Body)
	return strings.TrimSuffix(strings.TrimPrefix(body, `{"message":"success","success":true,"data":[`), `]}`)
}
