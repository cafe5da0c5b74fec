// Command test plays the rest of the world for the shop of this example: what the providers notice (events), the time that
// passes, and a forger. It uses mocksrv's control API with the standard library alone.
//
//	test                goes through the story and exits with 1 when the shop got something wrong
//	test papers         puts the CA and a client certificate into the working directory, and stays until it is ended
//	test papers-ready   tells whether they are there
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	log.SetFlags(0)
	commands := map[string]func() error{"": story, "papers": papers, "papers-ready": papersReady}
	name := ""
	if len(os.Args) > 1 {
		name = os.Args[1]
	}
	run, ok := commands[name]
	if !ok {
		log.Fatalf("test: want no argument, papers or papers-ready, got %q", name)
	}
	if err := run(); err != nil {
		log.Fatal("test: ", err)
	}
}

const lastPaper = "client-key.pem"

// papers writes what the shop is given: the CA it trusts, and a client certificate with its key.
func papers() error {
	var issued struct {
		CA          string `json:"ca"`
		Certificate string `json:"certificate"`
		Key         string `json:"key"`
	}
	request := map[string]string{"name": "shop"}
	if err := call(http.MethodPost, os.Getenv("MOCKSRV_URL")+"/_mocksrv/v1/certificates/client", request, &issued); err != nil {
		return err
	}
	for _, file := range []struct{ name, content string }{
		{"ca.pem", issued.CA}, {"client.pem", issued.Certificate}, {lastPaper, issued.Key},
	} {
		if err := os.WriteFile(file.name, []byte(file.content), 0o600); err != nil {
			return err
		}
	}
	log.Println("papers: written")
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, os.Interrupt, syscall.SIGTERM)
	<-ended
	return nil
}

func papersReady() error {
	_, err := os.Stat(lastPaper)
	return err
}

// call makes one call with JSON both ways. A nil answer is not read.
func call(method, url string, body, answer any) error {
	var data []byte
	if body != nil {
		var err error
		if data, err = json.Marshal(body); err != nil {
			return err
		}
	}
	req, err := http.NewRequest(method, url, bytes.NewReader(data))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	client := http.Client{Timeout: time.Minute}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if data, err = io.ReadAll(resp.Body); err != nil {
		return fmt.Errorf("%s %s: %w", method, url, err)
	}
	if resp.StatusCode >= 300 {
		return fmt.Errorf("%s %s: %w", method, url, answered{resp.StatusCode, string(data)})
	}
	if answer == nil {
		return nil
	}
	if err := json.Unmarshal(data, answer); err != nil {
		return fmt.Errorf("%s %s: %w", method, url, err)
	}
	return nil
}

// answered is an answer that is an error.
type answered struct {
	status int
	body   string
}

func (a answered) Error() string { return fmt.Sprintf("%d %s", a.status, a.body) }

// statusOf is the status of a call: 200 when it went well, 0 when there was no answer.
func statusOf(err error) int {
	var a answered
	switch {
	case err == nil:
		return http.StatusOK
	case errors.As(err, &a):
		return a.status
	default:
		return 0
	}
}
