package bts_test

import (
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/sims"
	"github.com/mocksrv/mocksrv/sims/simtest"
)

const (
	refreshRefused = "\"refresh_token\":[\"«Refresh Token» qiymati noto`g`ri.\"]"
	day            = 24 * time.Hour
)

// authTests has credentials, login and refresh.
func authTests() ledgerTests {
	return ledgerTests{
		"credentials":         credentialsTest,
		"permission":          permissionTest,
		"login":               loginTest,
		"login-refused":       loginRefusedTest,
		"login-account":       loginAccountTest,
		"login-without-token": loginWithoutTokenTest,
		"auth-fields":         authFieldsTest,
		"token-lifetime":      tokenLifetimeTest,
		"token-format":        tokenFormatTest,
		"refresh":             refreshTest,
		"refresh-invalid":     refreshInvalidTest,
		"refresh-reuse":       refreshReuseTest,
	}
}

func refreshed(w *world, token string) *simtest.Reply {
	w.T.Helper()
	return w.Call("refresh", request{Body: object{"refresh_token": token}})
}

func distinct(tokens ...string) map[string]bool {
	set := map[string]bool{}
	for _, token := range tokens {
		set[token] = true
	}
	return set
}

func credentialsTest(w *world) {
	access, refresh := login(w)
	for _, op := range configOperations() {
		for _, header := range []string{
			"", access, "Bearer", "Bearer ", "bearer " + access, "Token " + access, "Basic eDp5", "Bearer x", "Bearer a.b.c",
			"Bearer " + refresh, "Bearer " + access + "x", "Bearer " + access[:len(access)-1], "Bearer x" + access,
		} {
			reply := withHeader(w, op, "Authorization", header).Refused(401, "credentials").Is(401, unauthorized)
			require.Equal(w.T, `Bearer realm="api"`, reply.Header.Get("WWW-Authenticate"), header)
		}
		withHeader(w, op, "Authorization", "Bearer "+access).OK()
	}
	w.SetNow(simtest.Start().Add(day))
	reply := as(w, access).Refused(401, "credentials").Is(401, unauthorized)
	require.Equal(w.T, `Bearer realm="api"`, reply.Header.Get("WWW-Authenticate"))
}

func authFieldsTest(w *world) {
	for _, f := range []struct {
		operation, name, label, tooLong string
		limit                           int
	}{
		{"login", "login", "«Login»", "255", 255},
		{"login", "password", "«Password»", "255", 255},
		{"refresh", "refresh_token", "«Refresh Token»", "4096", 4096},
	} {
		check := func(value any, text string) {
			body := good(w, f.operation)
			body[f.name] = value
			w.Call(f.operation, request{Body: body}).Refused(422, "auth-fields").Is(422, invalid(`"`+f.name+`":["`+f.label+text+`"]`))
		}
		for _, blank := range []any{nil, ""} {
			check(blank, " to`ldirish shart.")
		}
		for _, typed := range []any{1, true, []any{}, object{"a": 1}} {
			check(typed, " qiymati satr bo`lishi kerak.")
		}
		check(strings.Repeat("ы", f.limit+1), " qiymati maksimum "+f.tooLong+" belgidan oshmasligi kerak.")
		body := good(w, f.operation)
		body[f.name] = strings.Repeat("ы", f.limit)
		require.NotEqual(w.T, "auth-fields", w.Call(f.operation, request{Body: body}).Refusal.Rule)
		delete(body, f.name)
		w.Call(f.operation, request{Body: body}).Refused(422, "auth-fields").Is(422, invalid(`"`+f.name+`":["`+f.label+" to`ldirish shart.\"]"))
	}
}

func permissionTest(w *world) {
	access, refresh := login(w)
	as(w, access).OK()
	renewed, _ := pair(refreshed(w, refresh).OK())
	as(w, renewed).OK()
	reply, body := rendered(w, sims.Forbidden)
	require.Equal(w.T, 403, reply.Status)
	require.Equal(w.T, `{"name":"Forbidden","message":"Sizga ushbu amalni bajarishga ruhsat berilmagan.","code":0,"status":403,"type":"yii\\web\\ForbiddenHttpException"}`, body)
}

func loginTest(w *world) {
	first := w.Call("login", request{Body: good(w, "login")}).OK()
	access, refresh := pair(first)
	first.Is(200, `{"status":true,"message":"Kirish muvaffaqiyatli amalga oshdi.","status_code":200,"data":{"access_token":"`+access+`","refresh_token":"`+refresh+`"}}`)
	second, secondRefresh := login(w)
	require.Len(w.T, distinct(access, refresh, second, secondRefresh, w.Credentials["token"]), 5)
	for _, token := range []string{access, second, w.Credentials["token"]} {
		as(w, token).OK()
	}
}

func loginRefusedTest(w *world) {
	for _, body := range []object{
		{"login": "username", "password": "Password"},
		{"login": "Username", "password": "password"},
		{"login": "nobody", "password": "password"},
		{"login": "nobody", "password": "x"},
		{"login": " username", "password": "password"},
	} {
		reply := w.Call("login", request{Body: body}).Refused(401, "login-refused").Is(401, loginRefused)
		require.Empty(w.T, reply.Header.Get("WWW-Authenticate"))
	}
}

func loginAccountTest(w *world) {
	require.Equal(w.T, "username", w.Credentials["login"])
	require.Equal(w.T, "password", w.Credentials["password"])
	login(w)
	as(w, w.Credentials["token"]).OK()
	w.SetNow(simtest.Start().AddDate(50, 0, 0))
	as(w, w.Credentials["token"]).OK()
	require.NotContains(w.T, claimsOf(w.T, w.Credentials["token"]), "exp")
}

func loginWithoutTokenTest(w *world) {
	for _, op := range []string{"login", "refresh"} {
		for _, header := range []string{"", "Bearer x", "Basic eDp5", "Bearer " + w.Credentials["token"]} {
			withHeader(w, op, "Authorization", header).OK()
		}
	}
}

func tokenLifetimeTest(w *world) {
	access, refresh := login(w)
	w.SetNow(simtest.Start().Add(day - 1))
	as(w, access).OK()
	w.SetNow(simtest.Start().Add(day))
	as(w, access).Refused(401, "credentials")
	w.SetNow(simtest.Start().Add(30*day - 1))
	refreshed(w, refresh).OK()
	w.SetNow(simtest.Start().Add(30 * day))
	refreshed(w, refresh).Refused(422, "refresh-invalid")
	tokensForgotten(simtest.New(w.T, w.Provider.Sim))
}

// tokensForgotten: tokens that have expired do not stay for ever.
func tokensForgotten(w *world) {
	for _, days := range []int{31, 32, 33, 34} {
		w.SetNow(simtest.Start().AddDate(0, 0, days))
		login(w)
		login(w)
	}
	state, err := w.Sandbox.Export()
	require.NoError(w.T, err)
	require.Len(w.T, state.Tables["bts/tokens"], 2+8, "access tokens of the last day, refresh tokens of the last 30")
}

func tokenFormatTest(w *world) {
	access, refresh := login(w)
	uid, _ := claimsOf(w.T, access)["uid"].(string)
	jti, _ := claimsOf(w.T, access)["jti"].(string)
	require.Equal(w.T, object{"uid": uid, "use": "access", "jti": jti, "iat": 1767868200.0, "exp": 1767954600.0}, claimsOf(w.T, access))
	require.Equal(w.T, 1770460200.0, claimsOf(w.T, refresh)["exp"])
	require.Equal(w.T, object{"uid": uid, "use": "access", "iat": 1767830400.0}, claimsOf(w.T, w.Credentials["token"]))
	for _, token := range []string{access, refresh, w.Credentials["token"]} {
		require.True(w.T, strings.HasPrefix(token, "eyJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiJ9."))
		verifyRS256(w.T, token)
	}
}

func refreshTest(w *world) {
	access, refresh := login(w)
	reply := refreshed(w, refresh).OK()
	newAccess, newRefresh := pair(reply)
	reply.Is(200, `{"status":true,"message":"Kirish muvaffaqiyatli amalga oshdi.","status_code":200,"data":{"access_token":"`+newAccess+`","refresh_token":"`+newRefresh+`"}}`)
	require.Len(w.T, distinct(access, refresh, newAccess, newRefresh), 4)
	as(w, newAccess).OK()
	as(w, access).OK()
	refreshed(w, newRefresh).OK()
}

func refreshInvalidTest(w *world) {
	access, refresh := login(w)
	for _, token := range []string{"x", access, w.Credentials["token"], refresh + "x", refresh[:len(refresh)-1], " " + refresh} {
		refreshed(w, token).Refused(422, "refresh-invalid").Is(422, invalid(refreshRefused))
	}
	w.SetNow(simtest.Start().Add(31 * day))
	refreshed(w, refresh).Refused(422, "refresh-invalid").Is(422, invalid(refreshRefused))
}

func refreshReuseTest(w *world) {
	_, refresh := login(w)
	refreshed(w, refresh).OK()
	w.SetNow(simtest.Start().Add(29 * day))
	refreshed(w, refresh).OK()
}
