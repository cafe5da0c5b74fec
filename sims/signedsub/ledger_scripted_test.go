package signedsub_test

import "github.com/mocksrv/mocksrv/sims/simtest"

func scriptedErrors() func(*simtest.World) {
	return simtest.Scripted("createSubscription", map[string]string{
		"conflict":     `400 {"errorCode":"016","message":"IdempotencyKey already exists"}`,
		"forbidden":    `403 {"errorCode":"001","message":"Bad request"}`,
		"internal":     `500 {"errorCode":"000","message":"Internal server error"}`,
		"invalid":      `400 {"errorCode":"001","message":"Bad request"}`,
		"malformed":    `400 {"errorCode":"001","message":"Bad request"}`,
		"not_found":    `400 {"errorCode":"004","message":"Requested object is not found"}`,
		"rate_limited": `429 {"errorCode":"001","message":"Bad request"}`,
		"unauthorized": `401 {"errorCode":"002","message":"Invalid api key"}`,
	})
}
