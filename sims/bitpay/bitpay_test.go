package bitpay_test

import (
	"fmt"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/internal/engine"
	"github.com/mocksrv/mocksrv/sims/bitpay"
	"github.com/mocksrv/mocksrv/sims/simtest"
)

func TestConformance(t *testing.T) { simtest.Run(t, bitpay.New()) }

func TestCredentialsLeadToTheirSandbox(t *testing.T) {
	w := simtest.New(t, bitpay.New())
	sandbox, err := w.Engine.CreateSandbox(engine.SandboxConfig{Name: "other", Seed: 1, Clock: w.Sandbox.Clock.Setting()})
	require.NoError(t, err)
	other := w.With(t)
	other.Sandbox, other.Credentials = sandbox, sandbox.Credentials("bitpay")
	require.NotEqual(t, w.Credentials, other.Credentials)
	id := create(other, "ORDER_WEBHOOK", "http://a.test")
	require.Equal(t, []string{id}, ids(other, ""))
	require.Empty(t, ids(w, ""))
	token := fmt.Sprint(other.Call("generateToken", simtest.Request{}).OK().Get("data.token"))
	require.Equal(t, id, listWith(w, token).Get("data.0.webhookId"), "a token that was issued later leads there, too")
}

func TestCurlLineWorksWhenPasted(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("no curl here")
	}
	t.Setenv("no_proxy", "*")
	w := simtest.New(t, bitpay.New())
	server := httptest.NewServer(handler{w.Engine})
	t.Cleanup(server.Close)
	line := w.Provider.Curl(server.URL+"/bitpay", w.Credentials)
	require.NotContains(t, line, "\n")
	cmd := exec.Command("sh", "-c", line)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.True(t, strings.HasPrefix(string(out), `{"code":200,"msg":"SUCCESS","data":{"webhookId":"`), "%s", out)
}
