package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/mocksrv/mocksrv/client"
	"github.com/mocksrv/mocksrv/internal/authority"
	"github.com/mocksrv/mocksrv/internal/delivery"
	"github.com/mocksrv/mocksrv/internal/doctor"
	"github.com/mocksrv/mocksrv/internal/strictjson"
)

// doctorCommand says whether a webhook URL can be reached from here.
type doctorCommand struct {
	URL                 string        `arg:"" help:"The webhook URL. A POST goes there, with the header Mocksrv-Doctor: 1 and a small JSON body."`
	JSON                bool          `help:"Print the report as JSON." name:"json"`
	Timeout             time.Duration `help:"How long each step may take." default:"5s"`
	NoRequest           bool          `help:"Send nothing: stop when the receiver is connected to, and TLS stands."`
	AllowPublicDelivery bool          `help:"Call public addresses, too, as serve does with the same flag."`
	TLSDir              string        `help:"Trust the development CA of this folder, too, as the serve does that keeps it there." name:"tls-dir" placeholder:"DIR"`
}

// Validate implements kong.Validatable.
func (d *doctorCommand) Validate() error {
	if d.Timeout < doctor.MinTimeout || d.Timeout > doctor.MaxTimeout {
		return fmt.Errorf("--timeout: want from %s to %s, got %s", doctor.MinTimeout, doctor.MaxTimeout, d.Timeout)
	}
	return nil
}

// Run examines the URL. An unreachable one is a failure.
func (d *doctorCommand) Run(p *program) error {
	options := delivery.Options{AllowPublic: d.AllowPublicDelivery, UserAgent: "mocksrv/" + version()}
	if d.TLSDir != "" {
		ca, err := authority.Find(d.TLSDir)
		if err != nil {
			return err
		}
		options.Trust = ca.Certificate
	}
	prober := delivery.NewProber(options)
	defer prober.Close()
	report, err := doctor.New(prober, doctor.Options{}).Examine(p.ctx, doctor.Check{URL: d.URL, Timeout: d.Timeout, NoRequest: d.NoRequest})
	if err != nil {
		return err
	}
	if err := d.print(p.stdout, report); err != nil {
		return err
	}
	if !report.Reachable {
		return errors.New("not reachable: " + report.Cause)
	}
	return nil
}

func (d *doctorCommand) print(w io.Writer, report client.DoctorReport) error {
	if !d.JSON {
		_, err := io.WriteString(w, doctorText(report))
		return err
	}
	data, err := strictjson.Encode(report)
	if err == nil {
		data, err = strictjson.Indent(data)
	}
	if err == nil {
		_, err = fmt.Fprintf(w, "%s\n", data)
	}
	return err
}

// doctorText is a report for people: the steps, then the cause and what to do.
func doctorText(report client.DoctorReport) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n", report.URL)
	var notes, do []string
	for _, s := range report.Steps {
		fmt.Fprintf(&b, "  %-8s %-8s %s\n", s.Step, s.Outcome, s.Detail)
		if s.Outcome == doctor.Failed {
			do = append(do, s.Advice...)
		} else {
			notes = append(notes, s.Advice...)
		}
	}
	b.WriteString("\n")
	for _, note := range notes {
		fmt.Fprintf(&b, "note:  %s\n", note)
	}
	if report.Reachable {
		b.WriteString("reachable\n")
		return b.String()
	}
	fmt.Fprintf(&b, "cause: %s\n", report.Cause)
	for _, advice := range do {
		fmt.Fprintf(&b, "do:    %s\n", advice)
	}
	return b.String()
}
