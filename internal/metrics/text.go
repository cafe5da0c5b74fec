package metrics

import (
	"bytes"
	"cmp"
	"slices"
	"strings"
)

// kind is the TYPE of a family.
type kind string

const (
	counter       kind = "counter"
	gauge         kind = "gauge"
	histogramKind kind = "histogram"
	summary       kind = "summary"
)

// family is a metric with all its series.
type family struct {
	name, help string
	kind       kind
	samples    []sample
}

// sample is one line: the family's name with a suffix, labels and a value.
type sample struct {
	suffix string
	labels []label
	value  float64
}

type label struct{ name, value string }

// series are the labels that the lines of one histogram share.
func (s sample) series() []label {
	return slices.DeleteFunc(slices.Clone(s.labels), func(l label) bool { return l.name == "le" })
}

func compareLabels(a, b []label) int {
	return slices.CompareFunc(a, b, func(x, y label) int { return cmp.Or(cmp.Compare(x.name, y.name), cmp.Compare(x.value, y.value)) })
}

// write is the text format 0.0.4: for each family a line of HELP, one of TYPE, and its samples.
func write(families []family) []byte {
	var out bytes.Buffer
	help := strings.NewReplacer(`\`, `\\`, "\n", `\n`)
	for _, f := range families {
		out.WriteString("# HELP " + f.name + " " + help.Replace(strings.ToValidUTF8(f.help, "\uFFFD")) + "\n# TYPE " + f.name + " " + string(f.kind) + "\n")
		for _, s := range f.samples {
			out.WriteString(f.name + s.suffix)
			writeLabels(&out, s.labels)
			out.WriteString(" " + number(s.value) + "\n")
		}
	}
	return out.Bytes()
}

func writeLabels(out *bytes.Buffer, labels []label) {
	if len(labels) == 0 {
		return
	}
	value := strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)
	separator := "{"
	for _, l := range labels {
		out.WriteString(separator + l.name + `="` + value.Replace(strings.ToValidUTF8(l.value, "\uFFFD")) + `"`)
		separator = ","
	}
	out.WriteString("}")
}
