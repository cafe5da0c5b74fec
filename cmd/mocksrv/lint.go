package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/mocksrv/mocksrv"
	"github.com/mocksrv/mocksrv/internal/scenario"
	runner "github.com/mocksrv/mocksrv/internal/scenario/run"
	"github.com/mocksrv/mocksrv/internal/strictjson"
)

// lintCommand checks scenario files without running them.
type lintCommand struct {
	Paths []string `arg:"" help:"Scenario files, folders of them (*.yaml, *.yml), or names of built-in scenarios."`
	JSON  bool     `help:"Print the problems as JSON." name:"json"`

	files []string
}

// lintReport is the output of lint --json.
type lintReport struct {
	Files    int               `json:"files"`
	Problems scenario.Problems `json:"problems"`
}

// Validate implements kong.Validatable: it finds the files.
func (l *lintCommand) Validate() error {
	for _, path := range l.Paths {
		found, err := runner.Files(path)
		if err != nil {
			return err
		}
		l.files = append(l.files, found...)
	}
	return nil
}

// Run checks the files. Problems are a failure.
func (l *lintCommand) Run(p *program) error {
	providers, err := mocksrv.Providers()
	if err != nil {
		return err
	}
	names := scenario.NamesOf(providers)
	report := lintReport{Files: len(l.files), Problems: scenario.Problems{}}
	for _, file := range l.files {
		_, err := scenario.Load(file, runner.Read, names)
		if found, ok := errors.AsType[scenario.Problems](err); ok {
			report.Problems = append(report.Problems, found...)
		} else if err != nil {
			report.Problems = append(report.Problems, scenario.Problem{File: file, Line: 1, Column: 1, Message: err.Error()})
		}
	}
	if err := l.print(p.stdout, report); err != nil {
		return err
	}
	if n := len(report.Problems); n > 0 {
		return fmt.Errorf("%s in %s", counted(n, "problem"), counted(len(l.files), "file"))
	}
	return nil
}

func (l *lintCommand) print(w io.Writer, report lintReport) error {
	if l.JSON {
		return printJSON(w, report)
	}
	var b strings.Builder
	for _, problem := range report.Problems {
		b.WriteString(problem.Show() + "\n")
	}
	if len(report.Problems) == 0 {
		fmt.Fprintf(&b, "%s, no problems\n", counted(report.Files, "file"))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func printJSON(w io.Writer, value any) error {
	data, err := strictjson.Encode(value)
	if err == nil {
		data, err = strictjson.Indent(data)
	}
	if err == nil {
		_, err = fmt.Fprintf(w, "%s\n", data)
	}
	return err
}

func counted(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}
