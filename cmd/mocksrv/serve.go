package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/mocksrv/mocksrv"
	"github.com/mocksrv/mocksrv/internal/authority"
	"github.com/mocksrv/mocksrv/internal/clock"
	"github.com/mocksrv/mocksrv/internal/control"
)

// serveCommand has the flags of "serve". Their names are also the keys of the configuration file.
type serveCommand struct {
	Listen              []string      `help:"Address and port to listen on, with https:// in front: over TLS. Port 0 picks a free one. Repeatable." default:"127.0.0.1:8080" placeholder:"ADDRESS"`
	ControlListen       string        `help:"Address and port of the control API alone. By default it is where the providers are, under /_mocksrv/." placeholder:"ADDRESS"`
	TLSDir              string        `name:"tls-dir" help:"Keep the development CA in this folder (ca.pem, ca-key.pem), and use the one that is there. Without it a new one is made at each start." placeholder:"DIR"`
	TLSCert             string        `name:"tls-cert" help:"Show this certificate (PEM, with its chain) for the names in it. For others the development CA signs one." placeholder:"FILE"`
	TLSKey              string        `name:"tls-key" help:"The key of --tls-cert (PEM)." placeholder:"FILE"`
	Scenario            []string      `help:"Serve this scenario: a file, or a built-in one by its name. Its seed and clock count where the flags say nothing. Repeatable." placeholder:"FILE"`
	Watch               bool          `help:"Read the scenarios again when their files change, or files that they include. The default sandbox starts anew; a file that is wrong is logged and changes nothing."`
	Record              string        `help:"When the server stops, write what happened in the default sandbox to this file, as a scenario that mocksrv test runs." placeholder:"FILE"`
	Seed                int64         `help:"Every id, secret and payload derives from it." default:"1"`
	Clock               string        `help:"World clock of the default sandbox: real, or an RFC 3339 instant at which it is frozen." default:"real"`
	Edge                string        `help:"Clock that request timestamps are compared with: wall (this machine's) or world." enum:"wall,world" default:"wall"`
	AllowPublicDelivery bool          `help:"Deliver to public addresses, too. Loopback and private networks are always allowed, link-local and metadata addresses never."`
	ControlToken        string        `help:"Ask for this bearer token on the control API." placeholder:"TOKEN"`
	AllowHost           []string      `help:"Further Host names under which the control API answers." placeholder:"NAME"`
	MaxSandboxes        int           `help:"How many sandboxes there may be." default:"20000"`
	MaxSandboxRows      int           `help:"How many rows (webhooks, tokens, deliveries, …) a sandbox may hold. More are refused with 507, events with 429." default:"500000"`
	MaxSandboxBytes     int           `help:"How many bytes of memory a sandbox may hold, its journal not counted. More are refused as above." default:"536870912"`
	SandboxIdle         time.Duration `help:"Delete sandboxes that are unused for so long, in real time; 0s: never. The default sandbox stays." default:"0s"`
	MaxConnections      int           `help:"How many connections may be open at once, on each address. More are refused with 503, or over TLS closed." default:"16384"`
	Grace               time.Duration `help:"How long requests and attempts under way may take when the server is told to stop." default:"5s"`
	LogFormat           string        `help:"Format of the log on standard error: text or json." enum:"text,json" default:"text"`
	LogLevel            string        `help:"Least level that is logged: debug, info, warn, error." enum:"debug,info,warn,error" default:"info"`
	Quiet               bool          `help:"Print only where it listens."`
	PrintConfig         bool          `help:"Print the effective settings and where each comes from, as YAML, and end."`
}

// Validate implements kong.Validatable: what a flag's type does not say.
func (s *serveCommand) Validate() error {
	if _, err := control.ParseClock(s.Clock); err != nil {
		return fmt.Errorf("--clock: %w", err)
	}
	if err := errors.Join(s.validateListeners(), s.validateWatch(), writable("--record", s.Record)); err != nil {
		return err
	}
	for _, number := range []struct {
		flag   string
		ok     bool
		want   string
		actual any
	}{
		{"max-sandboxes", s.MaxSandboxes >= 1, "at least 1", s.MaxSandboxes},
		{"max-sandbox-rows", s.MaxSandboxRows >= 100, "at least 100", s.MaxSandboxRows},
		{"max-sandbox-bytes", s.MaxSandboxBytes >= 1<<20, "at least 1048576 (1 MiB)", s.MaxSandboxBytes},
		{"max-connections", s.MaxConnections >= 1, "at least 1", s.MaxConnections},
		{"sandbox-idle", s.SandboxIdle == 0 || s.SandboxIdle >= time.Second, "0s (never) or at least 1s", s.SandboxIdle},
		{"grace", s.Grace >= 0, "no negative duration", s.Grace},
	} {
		if !number.ok {
			return fmt.Errorf("--%s: want %s, got %v", number.flag, number.want, number.actual)
		}
	}
	return nil
}

// validateListeners looks at where to listen, and at the certificate for it.
func (s *serveCommand) validateListeners() error {
	if len(s.Listen) == 0 {
		return fmt.Errorf("--listen: want at least one address, got none")
	}
	anySecure := false
	for _, where := range s.listeners() {
		secure, _, err := mocksrv.ParseListen(where)
		if err != nil {
			return err
		}
		anySecure = anySecure || secure
	}
	switch {
	case (s.TLSCert == "") != (s.TLSKey == ""):
		return fmt.Errorf("--tls-cert and --tls-key: want both or none, got --tls-cert %q and --tls-key %q", s.TLSCert, s.TLSKey)
	case s.TLSCert != "" && !anySecure:
		return fmt.Errorf("--tls-cert: want an address to show it at, such as --listen https://127.0.0.1:8443, got %s", strings.Join(s.Listen, ", "))
	}
	return nil
}

// listeners are all addresses.
func (s *serveCommand) listeners() []string {
	if s.ControlListen == "" {
		return s.Listen
	}
	return slices.Concat(s.Listen, []string{s.ControlListen})
}

// certificates loads the certificate from elsewhere, if there is one.
func (s *serveCommand) certificates() ([]tls.Certificate, error) {
	if s.TLSCert == "" {
		return nil, nil
	}
	own, err := loadPair(s.TLSCert, s.TLSKey)
	if errors.Is(err, fs.ErrPermission) {
		err = fmt.Errorf("%w; the user of this process (uid %d) must be able to read it", err, os.Getuid())
	}
	if err != nil {
		return nil, fmt.Errorf("--tls-cert %s, --tls-key %s: %w", s.TLSCert, s.TLSKey, err)
	}
	return []tls.Certificate{own}, nil
}

// loadPair reads a certificate and its key.
func loadPair(certPath, keyPath string) (pair tls.Certificate, err error) {
	certificate, err := os.ReadFile(certPath)
	if err != nil {
		return pair, err
	}
	key, err := os.ReadFile(keyPath)
	if err != nil {
		return pair, err
	}
	if err := authority.CheckKey(keyPath, key); err != nil {
		return pair, err
	}
	return tls.X509KeyPair(certificate, key)
}

// Run serves until the process is told to stop.
func (s *serveCommand) Run(p *program) error {
	if s.PrintConfig {
		return s.print(p.stdout, p.origin)
	}
	setting, err := control.ParseClock(s.Clock)
	if err != nil {
		return fmt.Errorf("--clock: %w", err)
	}
	own, err := s.certificates()
	if err != nil {
		return err
	}
	log := s.logger(p.stderr)
	options := mocksrv.Options{
		Seed: s.Seed, Address: s.Listen[0], Listen: s.Listen[1:], TLSDir: s.TLSDir, Certificates: own, EdgeWorld: s.Edge == string(clock.WorldEdge), AllowPublicDelivery: s.AllowPublicDelivery,
		ControlAddress: s.ControlListen, ControlToken: s.ControlToken, ControlHosts: s.AllowHost, MaxSandboxes: s.MaxSandboxes,
		MaxSandboxRows: s.MaxSandboxRows, MaxSandboxBytes: s.MaxSandboxBytes, SandboxIdle: s.SandboxIdle, MaxConnections: s.MaxConnections, Version: version(), Log: log,
	}
	options.Scenarios = s.Scenario
	options.KeepSeed, options.KeepClock = p.origin("seed") != "default", p.origin("clock") != "default" || p.origin("edge") != "default"
	if setting.Mode == clock.Frozen {
		options.FrozenAt = setting.Now
	}
	before := stamps(s.watched()) // before they are read: what is saved from here on is noticed
	server, err := mocksrv.New(options)
	if err != nil {
		return err
	}
	if err := server.Start(); err != nil {
		return err
	}
	s.warn(log)
	if err := s.announce(p.stdout, server); err != nil {
		return err
	}
	if s.Watch {
		defer s.watch(server, log, before)()
	}
	debug.FreeOSMemory() // what reading the documents needed once goes back
	<-p.ctx.Done()
	log.Info("stopping", "grace", s.Grace)
	return errors.Join(s.record(server), s.stop(server, log))
}

// record writes the recording, if there is to be one.
func (s *serveCommand) record(server *mocksrv.Server) error {
	if s.Record == "" {
		return nil
	}
	recorded, err := server.Record()
	if err != nil {
		return fmt.Errorf("--record: %w", err)
	}
	return replaceFile(s.Record, recorded)
}

func (s *serveCommand) logger(w io.Writer) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(s.LogLevel)) // kong lets only valid levels through
	options := &slog.HandlerOptions{Level: level}
	if s.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}

// warn says what follows from letting others than this machine reach the control API.
func (s *serveCommand) warn(log *slog.Logger) {
	where := s.Listen
	if s.ControlListen != "" {
		where = []string{s.ControlListen}
	}
	at := slices.IndexFunc(where, beyondThisMachine)
	if at >= 0 && s.ControlToken == "" {
		log.Warn("listening beyond this machine: whoever reaches the port controls the simulator; consider --control-token", "listen", where[at])
	}
}

func beyondThisMachine(where string) bool {
	_, address, err := mocksrv.ParseListen(where)
	if err != nil {
		return false
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil || host == "localhost" {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return err != nil || !ip.IsLoopback()
}

// announce prints where everything is, with the credentials and a first request for each provider.
func (s *serveCommand) announce(w io.Writer, server *mocksrv.Server) error {
	var b strings.Builder
	fmt.Fprintf(&b, "mocksrv ready at %s\n", server.URL())
	for _, url := range server.URLs() {
		if url != server.URL() {
			fmt.Fprintf(&b, "and at           %s\n", url)
		}
	}
	if s.Quiet {
		_, err := io.WriteString(w, b.String())
		return err
	}
	providers, err := mocksrv.Providers()
	if err != nil {
		return err
	}
	fmt.Fprintf(&b, "control API    %s%sv1/sandboxes/default  (described at %[1]s%[2]sopenapi.yaml)\n", server.ControlURL(), control.Prefix)
	fmt.Fprintf(&b, "make an event  curl -s %s%sv1/sandboxes/default/events -d '{\"sim\":\"hsrcpay\",\"type\":\"payment.succeeded\"}'\n", server.ControlURL(), control.Prefix)
	fmt.Fprintf(&b, "why refused?   curl -s %s%sv1/sandboxes/default/journal | jq '.exchanges[-1].refusal'\n", server.ControlURL(), control.Prefix)
	if files := s.watched(); len(files) > 0 {
		fmt.Fprintf(&b, "watching       %s: when one is saved, the default sandbox starts anew\n", strings.Join(files, ", "))
	}
	if s.Edge == string(clock.WorldEdge) {
		b.WriteString("edge clock     world: requests that carry a time must carry the world clock's; the lines below use this machine's\n")
	}
	for _, p := range providers {
		credentials := server.Credentials(p.Name)
		fmt.Fprintf(&b, "\n%s — %s\n  base URL  %s\n", p.Name, p.Title, server.BaseURL(p.Name))
		for _, name := range sortedKeys(credentials) {
			fmt.Fprintf(&b, "  %-17s %s\n", name, credentials[name])
		}
		fmt.Fprintf(&b, "  try: %s\n", p.Curl(server.BaseURL(p.Name), credentials))
	}
	_, err = io.WriteString(w, b.String())
	return err
}

func (s *serveCommand) stop(server *mocksrv.Server, log *slog.Logger) error {
	ctx, cancel := context.WithTimeout(context.Background(), s.Grace)
	defer cancel()
	left, err := server.Stop(ctx)
	log.Info("stopped", "requests_cut", left.Requests, "attempts_cut", left.Cut, "deliveries_waiting", left.Waiting)
	return err
}

func sortedKeys(m map[string]string) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
