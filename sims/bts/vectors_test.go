package bts_test

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"io"
	"mime"
	"mime/multipart"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/internal/engine"
	"github.com/mocksrv/mocksrv/sims"
	"github.com/mocksrv/mocksrv/sims/bts"
	"github.com/mocksrv/mocksrv/sims/simtest"
)

// field is a field of a form that arrived.
type field struct{ name, value string }

// formOf reads a multipart body as a receiver does.
func formOf(t testing.TB, r simtest.Received) (fields []field) {
	t.Helper()
	mediaType, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	require.NoError(t, err)
	require.Equal(t, "multipart/form-data", mediaType)
	for reader := multipart.NewReader(bytes.NewReader(r.Body), params["boundary"]); ; {
		part, err := reader.NextPart()
		if err == io.EOF { //nolint:errorlint // NextPart returns it as it is
			return fields
		}
		require.NoError(t, err)
		require.Empty(t, part.FileName())
		value, err := io.ReadAll(part)
		require.NoError(t, err)
		fields = append(fields, field{part.FormName(), string(value)})
	}
}

// textOf returns the field text, which has to be the only one.
func textOf(t testing.TB, r simtest.Received) string {
	t.Helper()
	fields := formOf(t, r)
	require.Len(t, fields, 1)
	require.Equal(t, "text", fields[0].name)
	return fields[0].value
}

// verifyRS256 checks a token as RFC 7515 says, with the public half of the test key.
func verifyRS256(t testing.TB, token string) {
	t.Helper()
	data, err := os.ReadFile("jwt_test_key.pem")
	require.NoError(t, err)
	block, _ := pem.Decode(data)
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	require.NoError(t, err)
	key, ok := parsed.(*rsa.PrivateKey)
	require.True(t, ok)
	signed, signature := splitToken(t, token)
	sum := sha256.Sum256([]byte(signed))
	require.NoError(t, rsa.VerifyPKCS1v15(&key.PublicKey, crypto.SHA256, sum[:], signature))
}

func splitToken(t testing.TB, token string) (signed string, signature []byte) {
	t.Helper()
	at := strings.LastIndex(token, ".")
	signature, err := base64.RawURLEncoding.DecodeString(token[at+1:])
	require.NoError(t, err)
	return token[:at], signature
}

func TestOpenSSLVerifiesTokens(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("no openssl")
	}
	w := simtest.New(t, bts.New())
	access, refresh := login(w)
	for _, token := range []string{w.Credentials["token"], access, refresh} {
		require.Equal(t, "Verified OK", openssl(t, token))
		at := strings.LastIndex(token, ".")
		require.NotEqual(t, "Verified OK", openssl(t, token[:at-1]+"A"+token[at:]))
	}
}

func openssl(t *testing.T, token string) string {
	t.Helper()
	dir := t.TempDir()
	signed, signature := splitToken(t, token)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "data"), []byte(signed), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "sig"), signature, 0o600))
	public := filepath.Join(dir, "public.pem")
	require.NoError(t, exec.Command("openssl", "pkey", "-in", "jwt_test_key.pem", "-pubout", "-out", public).Run())
	out, _ := exec.Command("openssl", "dgst", "-sha256", "-verify", public, "-signature", filepath.Join(dir, "sig"), filepath.Join(dir, "data")).CombinedOutput()
	return strings.TrimSpace(strings.Split(string(out), "\n")[0])
}

// TestPublishedBodies holds the replies against the JSON of docs.bts.uz/page/webhook, letter by letter.
func TestPublishedBodies(t *testing.T) {
	t.Parallel()
	w := simtest.New(t, bts.New())
	w.Call("configureWebhook", request{Body: `{"webhook_url":"https://test.uz","environment":"production","has_token": true,"itx-apiKey":""}`}).
		Is(200, `{"status":true,"message":"Muvaffaqiyatli yaratildi.","status_code":200,"data":{"webhook_url":"https://test.uz","method":"POST","date":"2026-01-08","has_token":true,"environment":"production","itx-apiKey":""}}`)
	w.Call("configureWebhook", request{Body: `{"webhook_url":"x","environment":"x"}`}).
		Is(422, `{"status":false,"message":"Tekshiruv xatosi.","status_code":422,"errors":{"webhook_url":["URL notog‘ri"],"environment":["Notog‘ri environment"]}}`)
	as(w, "none").
		Is(401, `{"name":"Unauthorized","message":"Your request was made with invalid credentials.","code":0,"status":401,"type":"yii\\web\\UnauthorizedHttpException"}`)
}

// TestTokenFindsItsSandbox: ready-made and issued tokens lead a request to their sandbox without path or header.
func TestTokenFindsItsSandbox(t *testing.T) {
	t.Parallel()
	w := simtest.New(t, bts.New())
	other, err := w.Engine.CreateSandbox(engine.SandboxConfig{Name: "other", Seed: 1, Clock: w.Sandbox.Clock.Setting()})
	require.NoError(t, err)
	inOther := *w
	inOther.Sandbox, inOther.Credentials = other, other.Credentials("bts")
	require.NotEqual(t, w.Credentials["token"], inOther.Credentials["token"])
	login := inOther.Call("login", request{Body: good(w, "login"), Header: map[string]string{engine.SandboxHeader: "other"}}).OK()
	access, _ := pair(login)
	for _, token := range []string{inOther.Credentials["token"], access} {
		inOther.Call("configureWebhook", request{Body: good(w, ""), Credentials: sims.Credentials{"token": token}}).OK()
	}
	require.Len(t, hooks(&inOther), 1)
	require.Empty(t, hooks(w))
	inOther.Call("configureWebhook", request{
		Body: good(w, ""), Credentials: sims.Credentials{"token": access}, Header: map[string]string{engine.SandboxHeader: "default"},
	})
	require.Empty(t, hooks(w))
}

// TestCurl: the line works when pasted, against the documented method.
func TestCurlLineWorksWhenPasted(t *testing.T) {
	t.Parallel()
	w := simtest.New(t, bts.New())
	line := w.Provider.Curl("http://127.0.0.1:8080/bts", w.Credentials)
	require.Contains(t, line, "curl -s -X GET http://127.0.0.1:8080/bts/v1/webhook/webhook-config -H 'Authorization: Bearer "+w.Credentials["token"]+"'")
	body := line[strings.Index(line, "-d '")+4 : len(line)-1]
	w.Call("configureWebhook", request{Body: body}).OK()
}
