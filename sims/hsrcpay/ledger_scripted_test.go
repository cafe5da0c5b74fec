package hsrcpay_test

import "github.com/mocksrv/mocksrv/sims/simtest"

func scriptedErrors() func(*simtest.World) {
	return simtest.Scripted("createWebhook", map[string]string{
		"conflict":     `409 {"message":"Conflict","success":false,"error":{"code":409,"message":"Idempotency key was used with a different request","details":{}}}`,
		"forbidden":    `403 {"message":"Forbidden","success":false,"error":{"code":403,"message":"No access to this account","details":{}}}`,
		"internal":     `500 {"message":"Internal server error","success":false,"error":{"code":500,"message":"Internal server error","details":{}}}`,
		"invalid":      `422 {"message":"Validation failed","success":false,"error":{"code":422,"message":"Request validation failed","details":{}}}`,
		"malformed":    `400 {"message":"Bad request","success":false,"error":{"code":400,"message":"Request body is not valid JSON","details":{}}}`,
		"not_found":    `404 {"message":"Not found","success":false,"error":{"code":404,"message":"Account not found","details":{}}}`,
		"rate_limited": `429 {"message":"Too many requests","success":false,"error":{"code":429,"message":"Rate limit exceeded","details":{}}}`,
		"unauthorized": `401 {"message":"Unauthorized","success":false,"error":{"code":401,"message":"Invalid token","details":{}}}`,
	})
}
