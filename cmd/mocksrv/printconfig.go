package main

import (
	"fmt"
	"io"
	"reflect"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"
)

// secret stands for the value of a setting that must not be shown.
const secret = "[redacted]"

// print writes the effective settings as YAML, each with where its value comes from. But for the token it is a
// configuration file.
func (s *serveCommand) print(w io.Writer, origin func(flag string) string) error {
	var b strings.Builder
	for _, field := range settingFields() {
		name := settingName(field)
		value := reflect.ValueOf(s).Elem().FieldByIndex(field.Index).Interface()
		if token, ok := value.(string); ok && token != "" && name == "control-token" {
			value = secret
		}
		if d, ok := value.(time.Duration); ok {
			value = d.String()
		}
		if list, ok := value.([]string); ok {
			value = oneLine(list)
		}
		line, err := yaml.Marshal(map[string]any{name: value})
		if err != nil {
			return fmt.Errorf("print %s: %w", name, err)
		}
		fmt.Fprintf(&b, "%s # %s\n", strings.TrimSuffix(string(line), "\n"), origin(name))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// oneLine is a list as YAML writes it in one line.
func oneLine(list []string) *yaml.Node {
	node := &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
	for _, item := range list {
		node.Content = append(node.Content, &yaml.Node{Kind: yaml.ScalarNode, Style: yaml.DoubleQuotedStyle, Value: item})
	}
	return node
}
