package main

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/mocksrv/mocksrv/client"
)

// healthcheckCommand asks a running server.
type healthcheckCommand struct {
	URL     string        `arg:"" optional:"" help:"The server." default:"http://127.0.0.1:8080"`
	Timeout time.Duration `help:"How long to wait for the answer." default:"2s"`
}

// Run asks.
func (h *healthcheckCommand) Run(p *program) error {
	ctx, cancel := context.WithTimeout(p.ctx, h.Timeout)
	defer cancel()
	if err := client.New(h.URL, client.WithStartupWait(0)).Health(ctx); err != nil {
		return fmt.Errorf("not healthy: %w", err)
	}
	_, err := fmt.Fprintln(p.stdout, "healthy")
	return err
}

// versionCommand prints the version.
type versionCommand struct{}

// Run prints.
func (versionCommand) Run(p *program) error {
	_, err := fmt.Fprintln(p.stdout, "mocksrv", version())
	return err
}

// version is what the build knows: a module version, or the revision it was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value
		}
	}
	return "devel"
}
