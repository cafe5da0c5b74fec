package record

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/mocksrv/mocksrv/client"
	"github.com/mocksrv/mocksrv/internal/strictjson"
	"github.com/mocksrv/mocksrv/script"
)

// listen puts the receivers into the world: those of the control API as they were scripted, and for each server of the
// app one that answers as that did.
func (r *recorder) listen() error {
	if r.out.Receivers == nil {
		r.out.Receivers = map[string]script.Receiver{}
	}
	for _, o := range r.log.Operations {
		if o.Does != "open_receiver" {
			continue
		}
		var spec client.ReceiverSpec
		if err := strictjson.Unmarshal(o.Body, &spec); err != nil {
			return err
		}
		answers, err := plainScript(spec.Script)
		if err != nil {
			return err
		}
		r.out.Receivers[spec.Name] = script.Receiver{TLS: spec.TLS, Script: answers}
	}
	for _, open := range r.receivers {
		r.values.know(open.URL, "receivers"+member(open.Name)+".url")
	}
	for _, server := range r.servers() {
		if err := r.play(server); err != nil {
			return err
		}
	}
	if len(r.out.Receivers) == 0 {
		r.out.Receivers = nil
	}
	return nil
}

// server is an endpoint of the app, with what it answered.
type server struct {
	url      string // scheme, host and port
	attempts []client.Exchange
}

// servers are the endpoints that were called and are no receivers, in the order in which they were called first.
func (r *recorder) servers() []*server {
	var all []*server
	byURL := map[string]*server{}
	for _, x := range r.journal {
		if x.Direction != "out" || r.known(x.Path) {
			continue
		}
		at, err := url.Parse(x.Path)
		if err != nil {
			continue
		}
		base := at.Scheme + "://" + at.Host
		if byURL[base] == nil {
			byURL[base] = &server{url: base}
			all = append(all, byURL[base])
		}
		byURL[base].attempts = append(byURL[base].attempts, x)
	}
	return all
}

func (r *recorder) known(target string) bool {
	for _, open := range r.receivers {
		if strings.HasPrefix(target, open.URL) {
			return true
		}
	}
	return false
}

// play adds a receiver in the place of a server of the app.
func (r *recorder) play(s *server) error {
	name := "app"
	for n := 2; ; n++ {
		if _, taken := r.out.Receivers[name]; !taken {
			break
		}
		name = fmt.Sprintf("app-%d", n)
	}
	receiver := script.Receiver{}
	if strings.HasPrefix(s.url, "https:") {
		receiver.TLS = "trusted"
	}
	answers, err := plainScript(scriptOf(s.attempts))
	if err != nil {
		return err
	}
	receiver.Script = answers
	r.out.Receivers[name] = receiver
	r.values.know(s.url, "receivers"+member(name)+".url")
	return nil
}

// maxBody is how much of an answer's body a recording has: some providers look into it.
const maxBody = 2000

// scriptOf answers as it was answered. Where no answer came the connection is reset, whatever the reason was.
func scriptOf(attempts []client.Exchange) client.ReceiverScript {
	out := client.ReceiverScript{}
	answered := false
	for _, x := range attempts {
		reply := client.ReceiverReply{Times: 1, Status: x.Status}
		if x.Status == 0 {
			reply = client.ReceiverReply{Times: 1, Fault: "reset_before"}
		} else if len(x.Response.Body) <= maxBody {
			reply.Body = x.Response.Body
		}
		answered = answered || x.Status != 0
		if last := len(out.Replies) - 1; last >= 0 && sameReply(out.Replies[last], reply) {
			out.Replies[last].Times++
			continue
		}
		out.Replies = append(out.Replies, reply)
	}
	if !answered {
		return client.ReceiverScript{Down: true}
	}
	return out
}

func sameReply(a, b client.ReceiverReply) bool {
	return a.Status == b.Status && a.Body == b.Body && a.Fault == b.Fault
}

// plainScript is a script as a scenario has it.
func plainScript(s client.ReceiverScript) (any, error) {
	data, err := strictjson.Encode(s)
	if err != nil {
		return nil, err
	}
	v, err := strictjson.Decode(data)
	if object, ok := v.(map[string]any); ok && len(object) == 0 {
		return nil, err
	}
	return v, err
}
