package run

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"time"
)

// The elements of a JUnit report, as CI systems read them.
type junitSuites struct {
	XMLName  xml.Name     `xml:"testsuites"`
	Name     string       `xml:"name,attr"`
	Tests    int          `xml:"tests,attr"`
	Failures int          `xml:"failures,attr"`
	Errors   int          `xml:"errors,attr"`
	Time     string       `xml:"time,attr"`
	Suites   []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Errors   int         `xml:"errors,attr"`
	Skipped  int         `xml:"skipped,attr"`
	Time     string      `xml:"time,attr"`
	Cases    []junitCase `xml:"testcase"`

	took time.Duration
}

type junitCase struct {
	Name      string        `xml:"name,attr"`
	Classname string        `xml:"classname,attr"`
	File      string        `xml:"file,attr"`
	Time      string        `xml:"time,attr"`
	Failure   *junitFailure `xml:"failure"`
	Error     *junitFailure `xml:"error"`
	Skipped   *junitSkipped `xml:"skipped"`
}

type junitSkipped struct {
	Message string `xml:"message,attr"`
}

type junitFailure struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr"`
	Text    string `xml:",chardata"`
}

// JUnit writes a report that CI systems understand: a suite for each file, a test for each case.
func JUnit(w io.Writer, s Summary) error {
	doc := junitSuites{Name: "mocksrv", Tests: len(s.Results) + len(s.Cut) + len(s.Broken), Failures: s.Failed() - len(s.Broken), Errors: len(s.Broken), Time: seconds(s.Real)}
	index := map[string]int{}
	of := func(file string) *junitSuite {
		at, known := index[file]
		if !known {
			at = len(doc.Suites)
			index[file] = at
			doc.Suites = append(doc.Suites, junitSuite{Name: file, Time: seconds(0)})
		}
		return &doc.Suites[at]
	}
	for _, r := range s.Results {
		of(r.File).add(r)
	}
	for _, c := range s.Cut {
		of(c.File).skip(c)
	}
	for _, b := range s.Broken {
		first, _, _ := strings.Cut(b.Error, "\n")
		doc.Suites = append(doc.Suites, junitSuite{Name: b.File, Tests: 1, Errors: 1, Time: seconds(0), Cases: []junitCase{{
			Name: "the file is read", Classname: b.File, File: b.File, Time: seconds(0), Error: &junitFailure{Message: first, Type: "problem", Text: b.Error},
		}}})
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	enc := xml.NewEncoder(w)
	enc.Indent("", "  ")
	if err := enc.Encode(doc); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func (s *junitSuite) add(r Result) {
	c := newJUnitCase(r.Case, r.Real)
	if r.Failure != nil {
		first, _, _ := strings.Cut(r.Failure.Text(), "\n")
		c.Failure = &junitFailure{Message: first, Type: "expectation", Text: r.Failure.Text()}
		s.Failures++
	}
	s.Tests++
	s.took += r.Real
	s.Time = seconds(s.took)
	s.Cases = append(s.Cases, c)
}

// skip adds a case that an interruption kept from being run.
func (s *junitSuite) skip(cut Case) {
	c := newJUnitCase(cut, 0)
	c.Skipped = &junitSkipped{Message: "interrupted before it was run"}
	s.Tests++
	s.Skipped++
	s.Cases = append(s.Cases, c)
}

func newJUnitCase(c Case, took time.Duration) junitCase {
	name := c.Name
	if name == "" {
		name = c.Scenario.Title
	}
	return junitCase{Name: name, Classname: c.File, File: c.File, Time: seconds(took)}
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.3f", d.Seconds()) }
