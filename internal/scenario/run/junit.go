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
}

type junitFailure struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr"`
	Text    string `xml:",chardata"`
}

// JUnit writes a report that CI systems understand: a suite for each file, a test for each case.
func JUnit(w io.Writer, s Summary) error {
	doc := junitSuites{Name: "mocksrv", Tests: len(s.Results) + len(s.Broken), Failures: s.Failed() - len(s.Broken), Errors: len(s.Broken), Time: seconds(s.Real)}
	index := map[string]int{}
	for _, r := range s.Results {
		at, known := index[r.File]
		if !known {
			at = len(doc.Suites)
			index[r.File] = at
			doc.Suites = append(doc.Suites, junitSuite{Name: r.File})
		}
		doc.Suites[at].add(r)
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
	c := junitCase{Name: r.Name, Classname: r.File, File: r.File, Time: seconds(r.Real)}
	if c.Name == "" {
		c.Name = r.Scenario.Title
	}
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

func seconds(d time.Duration) string { return fmt.Sprintf("%.3f", d.Seconds()) }
