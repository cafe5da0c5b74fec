package mocksrv

import (
	"context"
	"net/http"

	"github.com/mocksrv/mocksrv/client"
	"github.com/mocksrv/mocksrv/script"
)

// The control API knows more than RunT's own methods say in short. What follows calls it in this process: no network, no
// listener, no token to send, the same checks and the same words.

// direct is the control API of the default sandbox without a network.
func (s *Server) direct() *client.SandboxClient {
	here := &http.Client{Transport: inProcess{handler: s.control}}
	return client.New("http://mocksrv", client.WithHTTPClient(here), client.WithToken(s.options.ControlToken)).In(DefaultSandbox)
}

// Reset returns the default sandbox to its start: credentials, clock and policies as they were then, and nothing else.
func (s *Server) Reset() error {
	_, err := s.direct().Reset(context.Background())
	return err
}

// Unblock does what the provider does when somebody lifts the block of a webhook, and returns how many deliveries are sent
// again because of it.
func (s *Server) Unblock(webhookID string) (int, error) {
	out, err := s.direct().Unblock(context.Background(), webhookID)
	return out.Redelivered, err
}

// Redeliver sends a delivery once more, with its whole schedule before it. Advance(0) waits for the first attempt.
func (s *Server) Redeliver(deliveryID string) (client.Delivery, error) {
	return s.direct().Redeliver(context.Background(), deliveryID)
}

// Compare says why a receiver's signature differs from the one that was sent.
func (s *Server) Compare(deliveryID string, claim client.SignatureClaim) (client.Comparison, error) {
	return s.direct().Compare(context.Background(), deliveryID, claim)
}

// VerifyJournal says whether the provider was called as expected, and what came closest. It waits as long as within says.
func (s *Server) VerifyJournal(v client.Verification) (client.Verified, error) {
	return s.direct().Verify(context.Background(), v)
}

// VerifyDeliveries says the same of deliveries.
func (s *Server) VerifyDeliveries(v client.Verification) (client.Verified, error) {
	return s.direct().VerifyDeliveries(context.Background(), v)
}

// OpenReceiver plays a customer's endpoint: scripted, recorded, on a port of its own, also where the server has none.
func (s *Server) OpenReceiver(spec client.ReceiverSpec) (client.Receiver, error) {
	return s.direct().OpenReceiver(context.Background(), spec)
}

// Receiver returns a receiver with the requests that have arrived; the filter can wait for some.
func (s *Server) Receiver(name string, filter client.ReceivedFilter) (client.Receiver, error) {
	return s.direct().Receiver(context.Background(), name, filter)
}

// ScriptReceiver gives a receiver another script.
func (s *Server) ScriptReceiver(name string, wanted client.ReceiverScript) (client.Receiver, error) {
	return s.direct().ScriptReceiver(context.Background(), name, wanted)
}

// CloseReceiver closes a receiver.
func (s *Server) CloseReceiver(name string) error {
	return s.direct().CloseReceiver(context.Background(), name)
}

// AddRules adds scripted rules to the default sandbox, behind those there are. All are added or none.
func (s *Server) AddRules(rules ...script.Rule) (client.Rules, error) {
	return s.direct().AddRules(context.Background(), rules...)
}

// Rules returns the scripted rules in the order in which they are asked, and how often each matched and fired.
func (s *Server) Rules() (client.Rules, error) { return s.direct().Rules(context.Background()) }

// DeleteRules takes away the rule of a name; every rule when it is "".
func (s *Server) DeleteRules(name string) error {
	return s.direct().DeleteRules(context.Background(), name)
}

// Do carries out actions now, in their order: those that need no call, delivery or attempt at hand.
func (s *Server) Do(actions ...script.Action) error {
	return s.direct().Do(context.Background(), actions...)
}

// State returns the named states of scripts.
func (s *Server) State() (client.States, error) { return s.direct().State(context.Background()) }
