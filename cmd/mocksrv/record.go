package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/mocksrv/mocksrv"
	"github.com/mocksrv/mocksrv/client"
	"github.com/mocksrv/mocksrv/internal/scenario/record"
)

// recordCommand makes a scenario of what happened in a sandbox of a running server.
type recordCommand struct {
	URL          string `help:"The server." name:"url" default:"http://127.0.0.1:8080" placeholder:"URL"`
	Sandbox      string `help:"The sandbox." default:"default" placeholder:"NAME"`
	Out          string `help:"Write the scenario to this file instead of the standard output." placeholder:"FILE"`
	ControlToken string `help:"Send this bearer token to the server." placeholder:"TOKEN"`
}

// Help implements kong.HelpProvider.
func (*recordCommand) Help() string {
	return `The steps of the scenario repeat what the app called and what was asked of the control API (events, time, policies, rules). ` +
		`They expect the answers and deliveries that were recorded: ids, secrets and instants by their kind, everything else literally. ` +
		`In the place of the app's endpoints there are receivers that answer as it did. mocksrv test runs the file.` + "\n\n" +
		`What is recorded is what the journal still holds: record runs that are short, from their start or a reset.`
}

// Validate implements kong.Validatable.
func (c *recordCommand) Validate() error {
	return errors.Join(validURL("--url", c.URL), writable("--out", c.Out))
}

// writable says whether a file of a flag can be written in the end, before anything is done for it. "" is none.
func writable(flag, path string) error {
	if path == "" {
		return nil
	}
	if info, err := os.Stat(path); err == nil {
		if info.IsDir() {
			return fmt.Errorf("%s: %s is a folder; want a file", flag, path)
		}
		return writableFile(flag, path)
	}
	trial, err := os.CreateTemp(filepath.Dir(path), ".mocksrv-*")
	if err != nil {
		return fmt.Errorf("%s: no file can be written there: %w", flag, err)
	}
	return errors.Join(trial.Close(), os.Remove(trial.Name()))
}

// writableFile is writable for a file that is there. It stays as it is.
func writableFile(flag, path string) error {
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("%s: %w", flag, err)
	}
	return file.Close()
}

// Run records.
func (c *recordCommand) Run(p *program) error {
	providers, err := mocksrv.Providers()
	if err != nil {
		return err
	}
	recorded, err := record.Of(p.ctx, newClient(c.URL, c.ControlToken, client.WithStartupWait(0)), c.Sandbox, providers)
	if err != nil {
		return err
	}
	text, err := record.YAML(recorded)
	if err != nil {
		return err
	}
	if c.Out != "" {
		return replaceFile(c.Out, text)
	}
	_, err = p.stdout.Write(text)
	return err
}

// replaceFile writes a file whole or not at all.
func replaceFile(path string, data []byte) error {
	temporary, err := os.CreateTemp(filepath.Dir(path), ".mocksrv-*")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer func() { _ = os.Remove(temporary.Name()) }() // it is not there any more when all went well
	_, err = temporary.Write(data)
	if err = errors.Join(err, temporary.Chmod(0o644), temporary.Close()); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return os.Rename(temporary.Name(), path)
}
