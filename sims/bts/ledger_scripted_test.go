package bts_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/sims/bts"
	"github.com/mocksrv/mocksrv/sims/simtest"
)

func scriptedErrors() func(*simtest.World) {
	return simtest.Scripted("configureWebhookByPost", map[string]string{
		"conflict":     `409 {"name":"Conflict","message":"Conflict","code":0,"status":409,"type":"yii\\web\\ConflictHttpException"}`,
		"forbidden":    `403 {"name":"Forbidden","message":"Sizga ushbu amalni bajarishga ruhsat berilmagan.","code":0,"status":403,"type":"yii\\web\\ForbiddenHttpException"}`,
		"internal":     `500 {"name":"Internal Server Error","message":"Serverning ichki xatoligi yuz berdi.","code":0,"status":500,"type":"yii\\web\\ServerErrorHttpException"}`,
		"invalid":      `422 {"status":false,"message":"Tekshiruv xatosi.","status_code":422,"errors":{}}`,
		"malformed":    `400 {"name":"Bad Request","message":"Invalid JSON data in request body: Syntax error.","code":0,"status":400,"type":"yii\\web\\BadRequestHttpException"}`,
		"not_found":    `404 {"name":"Not Found","message":"Sahifa topilmadi.","code":0,"status":404,"type":"yii\\web\\NotFoundHttpException"}`,
		"rate_limited": `429 {"name":"Too Many Requests","message":"Rate limit exceeded.","code":0,"status":429,"type":"yii\\web\\TooManyRequestsHttpException"}`,
		"unauthorized": `401 {"name":"Unauthorized","message":"Your request was made with invalid credentials.","code":0,"status":401,"type":"yii\\web\\UnauthorizedHttpException"}`,
	})
}

// TestIssuedTokensExpireAtOnce: both tokens of a login, and not the ready-made one.
func TestIssuedTokensExpireAtOnce(t *testing.T) {
	t.Parallel()
	w := simtest.New(t, bts.New())
	access, refresh := login(w)
	as(w, access).OK()
	require.Equal(t, 2, w.ExpireTokens())
	as(w, access).Refused(401, "credentials").Explained("an access token that expired at 2026-01-08T10:30:00.25Z; the world clock says 2026-01-08T10:30:00.25Z",
		"Authorization: Bearer with the ready-made token (GET /_mocksrv/v1/sandboxes/<name>) or an access_token issued by login or refresh that has not expired")
	refreshed(w, refresh).Refused(422, "refresh-invalid")
	as(w, w.Credentials["token"]).OK()
	require.Zero(t, w.ExpireTokens())
}
