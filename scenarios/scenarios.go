// Package scenarios has the built-in scenario files, and their JSON Schema. Each can be served, tested and included by its name.
package scenarios

import (
	"embed"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

//go:embed *.yaml scenario.schema.json
var files embed.FS

// Schema is the JSON Schema of scenario files, for editors.
func Schema() []byte {
	data, err := files.ReadFile("scenario.schema.json")
	if err != nil {
		panic(err) // it is embedded
	}
	return data
}

// Names returns the names of the built-in scenarios, sorted.
func Names() []string {
	found, err := fs.Glob(files, "*.yaml")
	if err != nil {
		panic(err) // the pattern is right
	}
	names := make([]string, len(found))
	for i, file := range found {
		names[i] = strings.TrimSuffix(file, ".yaml")
	}
	return names
}

// Read returns the file of a built-in scenario.
func Read(name string) ([]byte, error) {
	if !slices.Contains(Names(), name) {
		return nil, fmt.Errorf("there is no built-in scenario %q; there are %s", name, strings.Join(Names(), ", "))
	}
	return files.ReadFile(name + ".yaml")
}
