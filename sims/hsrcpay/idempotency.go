package hsrcpay

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"time"

	"github.com/mocksrv/mocksrv/internal/strictjson"
	"github.com/mocksrv/mocksrv/sims"
)

// keptReply is the answer to the first request with an idempotency key.
type keptReply struct {
	Content string    `json:"content"` // hash of the request's JSON content
	Status  int       `json:"status"`
	Body    string    `json:"body"`
	At      time.Time `json:"at"`
}

// keptReplies holds them by data set, account and key.
func keptReplies(tx sims.Tx) sims.Table[keptReply] {
	return sims.TableOf[keptReply](tx, keptTable, nil)
}

const keptTable = "kept replies"

// replyID is "" for a request without a key. The key is quoted: a header need not be UTF-8, a row's id must.
func replyID(c *sims.Call) string {
	key := c.Header.Get("Idempotency-Key")
	if key == "" {
		return ""
	}
	return hookKey(caller(c).Mode, caller(c).Account) + "/" + strconv.QuoteToASCII(key)
}

// findReply obeys idempotency and idempotency-conflict. Nil without an error: the request is the first of its key.
func findReply(c *sims.Call) (*keptReply, error) {
	id := replyID(c)
	if id == "" {
		return nil, nil
	}
	kept, ok := keptReplies(c.Tx).Get(id)
	if !ok || expired(c, kept) {
		return nil, nil
	}
	content, err := contentHash(c)
	if err != nil {
		return nil, err
	}
	if kept.Content != content {
		return nil, keyReused(c.Header.Get("Idempotency-Key"), date(kept.At))
	}
	return &kept, nil
}

func replay(kept *keptReply) sims.Reply {
	if kept == nil {
		return sims.Reply{}
	}
	return sims.Reply{Status: kept.Status, Raw: []byte(kept.Body), ContentType: "application/json"}
}

// keepReply stores the answer under the request's key, if it has one, and answers with exactly what it stored.
func keepReply(c *sims.Call, reply sims.Reply) (sims.Reply, error) {
	id := replyID(c)
	if id == "" {
		return reply, nil
	}
	content, err := contentHash(c)
	if err != nil {
		return sims.Reply{}, err
	}
	body, err := strictjson.Encode(reply.Body)
	if err != nil {
		return sims.Reply{}, err
	}
	keptReplies(c.Tx).Delete(id) // a key that is used anew moves to the end
	sims.DropOver(c.Tx, keptTable, "", func(id string) bool {
		oldest, _ := keptReplies(c.Tx).Get(id)
		return expired(c, oldest)
	})
	kept := keptReply{Content: content, Status: reply.Status, Body: string(body), At: c.Now}
	keptReplies(c.Tx).Put(id, kept)
	return replay(&kept), nil
}

// contentHash is the same for bodies that are equal as JSON values (idempotency).
func contentHash(c *sims.Call) (string, error) {
	canonical, err := strictjson.Encode(c.Body)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(canonical)
	return hex.EncodeToString(sum[:]), nil
}

func expired(c *sims.Call, kept keptReply) bool {
	return c.Now.Sub(kept.At) >= c.Policies.Duration("idempotency_expiry")
}
