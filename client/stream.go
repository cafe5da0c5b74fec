package client

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// StreamEvent is one event of the live stream. Which of the values it has, its kind says.
type StreamEvent struct {
	ID   uint64
	Kind string         // exchange, delivery, clock, webhooks, missed
	Data jsontext.Value // as it was sent

	Exchange *Exchange
	Delivery *Delivery
	Clock    *Clock
	Webhooks *StreamWebhooks
	Missed   uint64 // events that came too early for this reader
	Gone     bool   // an exchange or a delivery that is not kept any more
}

// Stream returns what happens in the sandbox from now on, as it happens. Nothing after the return is missed: after a
// broken connection it goes on where it broke off, as long as WithStartupWait says. The events end when ctx does, without
// an error; any other end has one, such as the Problem that there is no such sandbox any more.
//
// The connection is there until the loop over the events ends, or ctx does.
func (s *SandboxClient) Stream(ctx context.Context) (iter.Seq2[StreamEvent, error], error) {
	return s.stream(ctx, "")
}

// StreamAfter is Stream from after the event of an id on; 0 is from the first that is kept.
func (s *SandboxClient) StreamAfter(ctx context.Context, id uint64) (iter.Seq2[StreamEvent, error], error) {
	return s.stream(ctx, strconv.FormatUint(id, 10))
}

func (s *SandboxClient) stream(ctx context.Context, last string) (iter.Seq2[StreamEvent, error], error) {
	f := &feed{last: last}
	if err := s.client.repeat(ctx, refused, func() error { return s.connect(ctx, f) }); err != nil {
		return nil, err
	}
	return func(yield func(StreamEvent, error) bool) {
		defer f.close()
		for {
			event, err := s.next(ctx, f)
			if ctx.Err() != nil || !yield(event, err) || err != nil {
				return
			}
		}
	}, nil
}

// next returns the next event, over a new connection when the one it has is broken.
func (s *SandboxClient) next(ctx context.Context, f *feed) (StreamEvent, error) {
	for {
		event, err := f.next()
		if err == nil || !errors.Is(err, errBroken) {
			return event, err
		}
		pause(ctx) // a server that ends every stream at once is not to be stormed
		if err := s.client.repeat(ctx, passing, func() error { return s.connect(ctx, f) }); err != nil {
			return event, err
		}
	}
}

// passing: it is the network's error, not the server's.
func passing(err error) bool {
	var p Problem
	return !errors.As(err, &p)
}

// connect opens the stream after the last event that was read, and returns when the server is ready to send.
func (s *SandboxClient) connect(ctx context.Context, f *feed) error {
	f.close()
	req, err := s.client.request(ctx, http.MethodGet, s.path+"/stream", nil)
	if err != nil {
		return err
	}
	if f.last != "" {
		req.Header.Set("Last-Event-ID", f.last)
	}
	resp, err := s.client.http.Do(req)
	if err != nil {
		return fmt.Errorf("client: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		defer func() { _ = resp.Body.Close() }()
		data, _ := io.ReadAll(resp.Body) // the status is the news
		return problem(resp.StatusCode, data)
	}
	f.body, f.lines = resp.Body, bufio.NewReader(resp.Body)
	_, err = f.block()
	return err
}

// feed reads server-sent events.
type feed struct {
	last  string // the id of the last event
	body  io.Closer
	lines *bufio.Reader
}

func (f *feed) close() {
	if f.body != nil {
		_ = f.body.Close()
	}
}

// errBroken: the connection has ended, and another may go on.
var errBroken = errors.New("client: the stream broke off")

// next returns the next event that has data.
func (f *feed) next() (StreamEvent, error) {
	for {
		fields, err := f.block()
		if err != nil {
			return StreamEvent{}, err
		}
		if fields["data"] != "" {
			return decodeEvent(fields)
		}
	}
}

// block reads up to an empty line, and remembers the id. What is not whole does not count.
func (f *feed) block() (map[string]string, error) {
	fields := map[string]string{}
	for {
		line, err := f.lines.ReadString('\n')
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errBroken, err)
		}
		line = strings.TrimRight(line, "\r\n")
		if line == "" {
			if id, ok := fields["id"]; ok {
				f.last = id
			}
			return fields, nil
		}
		name, value, _ := strings.Cut(line, ":") // the name of a comment is empty
		fields[name] = strings.TrimPrefix(value, " ")
	}
}

func decodeEvent(fields map[string]string) (StreamEvent, error) {
	data := []byte(fields["data"])
	e := StreamEvent{Kind: fields["event"], Data: data}
	id, err := strconv.ParseUint(fields["id"], 10, 64)
	if err != nil {
		return e, fmt.Errorf("client: an event of the stream has the id %q", fields["id"])
	}
	e.ID = id
	var gone StreamGone
	if err := json.Unmarshal(data, &gone); err != nil {
		return e, fmt.Errorf("client: decode an event of the stream: %w", err)
	}
	if e.Gone = gone.Gone; e.Gone {
		return e, nil
	}
	if err := e.decode(); err != nil {
		return e, fmt.Errorf("client: decode an event %q of the stream: %w", e.Kind, err)
	}
	return e, nil
}

// decode fills in the value of the kind. Kinds of a later server have their data only.
func (e *StreamEvent) decode() error {
	switch e.Kind {
	case "exchange":
		e.Exchange = &Exchange{}
		return json.Unmarshal(e.Data, e.Exchange)
	case "delivery":
		e.Delivery = &Delivery{}
		return json.Unmarshal(e.Data, e.Delivery)
	case "clock":
		e.Clock = &Clock{}
		return json.Unmarshal(e.Data, e.Clock)
	case "webhooks":
		e.Webhooks = &StreamWebhooks{}
		return json.Unmarshal(e.Data, e.Webhooks)
	case "missed":
		var missed StreamMissed
		err := json.Unmarshal(e.Data, &missed)
		e.Missed = missed.Missed
		return err
	}
	return nil
}
