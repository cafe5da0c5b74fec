// Command papers does what a person does once who becomes a customer: it puts the CA and a client certificate where the shop
// finds them, in its working directory. It stays until it is ended.
//
//	papers         writes them
//	papers ready   tells whether they are there
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

func main() {
	log.SetFlags(0)
	run := papers
	if len(os.Args) > 1 && os.Args[1] == "ready" {
		run = ready
	}
	if err := run(); err != nil {
		log.Fatal("papers: ", err)
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
	if err := issue(&issued); err != nil {
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

// issue asks mocksrv for a client certificate.
func issue(issued any) error {
	client := http.Client{Timeout: time.Minute}
	resp, err := client.Post(os.Getenv("MOCKSRV_URL")+"/_mocksrv/v1/certificates/client", "application/json", strings.NewReader(`{"name":"shop"}`))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return err
	}
	if resp.StatusCode >= 300 {
		return fmt.Errorf("%s: %s", resp.Status, data)
	}
	return json.Unmarshal(data, issued)
}

func ready() error {
	_, err := os.Stat(lastPaper)
	return err
}
