package bankly_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/sims/bankly"
	"github.com/mocksrv/mocksrv/sims/simtest"
)

func scriptedErrors() func(*simtest.World) {
	return simtest.Scripted("createConfiguration", map[string]string{
		"conflict":     `409 {"code":"CONFLICT","message":"A sintaxe da requisição é válida, mas o recurso acessado está em um estado que não pode ser alterado ou já houve um processamento semelhante em andamento."}`,
		"forbidden":    `403 {"code":"FORBIDDEN","message":"O acesso ao recurso foi negado pelo servidor."}`,
		"internal":     `500 {"code":"INTERNAL_SERVER_ERROR","message":"Ocorreu um erro interno no servidor."}`,
		"invalid":      `400 {"code":"INVALID_PARAMETER","message":"O conteúdo da requisição não está de acordo com o esperado."}`,
		"malformed":    `400 {"errors":[{"code":"INVALID_PARAMETER","propertyName":"$","messages":["O corpo da requisição não é um JSON válido."]}],"code":"INVALID_PARAMETER","message":"O conteúdo da requisição não está de acordo com o esperado."}`,
		"not_found":    `404 {"code":"NOT_FOUND","message":"Recurso não encontrado."}`,
		"rate_limited": `429 {"code":"TOO_MANY_REQUESTS","message":"A operação foi recusada, pois muitas solicitações foram feitas dentro de um determinado período."}`,
		"unauthorized": `401 {"code":"UNAUTHORIZED","message":"Solicitação não autorizada."}`,
	})
}

// TestIssuedTokensExpireAtOnce: those of issueToken, and not the ready-made ones.
func TestIssuedTokensExpireAtOnce(t *testing.T) {
	t.Parallel()
	w := simtest.New(t, bankly.New())
	token := issued(w, "webhook.read")
	w.Call(list, simtest.Request{Credentials: as(token)}).OK()
	require.Equal(t, 1, w.ExpireTokens())
	reply := w.Call(list, simtest.Request{Credentials: as(token)}).Refused(401, "credentials")
	require.Contains(t, reply.Refusal.Saw, "a token that expired at 2026-01-08T10:30:00.25Z")
	w.Call(list, simtest.Request{}).OK()
	require.Zero(t, w.ExpireTokens())
}
