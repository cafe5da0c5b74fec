package record

import (
	"bytes"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"
	"go.yaml.in/yaml/v4"

	"github.com/mocksrv/mocksrv/internal/strictjson"
	"github.com/mocksrv/mocksrv/script"
)

// YAML writes a scenario as a file, its members in the order of the language.
func YAML(s script.Scenario) ([]byte, error) {
	data, err := strictjson.Encode(s)
	if err != nil {
		return nil, err
	}
	node, err := readNode(jsontext.NewDecoder(bytes.NewReader(data)))
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	out.WriteString("# yaml-language-server: $schema=scenario.schema.json\n")
	enc := yaml.NewEncoder(&out)
	enc.SetIndent(2)
	if err := enc.Encode(node); err != nil {
		return nil, fmt.Errorf("write the scenario: %w", err)
	}
	return out.Bytes(), enc.Close()
}

// readNode reads one JSON value in its order.
func readNode(dec *jsontext.Decoder) (*yaml.Node, error) {
	switch dec.PeekKind() {
	case '{':
		return readAll(dec, &yaml.Node{Kind: yaml.MappingNode}, '}')
	case '[':
		return readAll(dec, &yaml.Node{Kind: yaml.SequenceNode}, ']')
	}
	token, err := dec.ReadToken()
	if err != nil {
		return nil, err
	}
	node := &yaml.Node{Kind: yaml.ScalarNode, Value: token.String()}
	switch token.Kind() {
	case '"':
		err = node.Encode(token.String())
	case 'n':
		node.Tag = "!!null"
	case 't', 'f':
		node.Tag = "!!bool"
	}
	return node, err
}

// readAll reads members or items until the end of their object or list.
func readAll(dec *jsontext.Decoder, node *yaml.Node, end jsontext.Kind) (*yaml.Node, error) {
	if _, err := dec.ReadToken(); err != nil {
		return nil, err
	}
	for dec.PeekKind() != end {
		part, err := readNode(dec)
		if err != nil {
			return nil, err
		}
		node.Content = append(node.Content, part)
	}
	if len(node.Content) == 0 {
		node.Style = yaml.FlowStyle
	}
	_, err := dec.ReadToken()
	return node, err
}
