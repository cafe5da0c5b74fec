package main

import (
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
	"go.yaml.in/yaml/v4"
)

// envPrefix starts the name of every environment variable.
const envPrefix = "MOCKSRV_"

// settings returns what flags fall back to: the file first, then the environment, which wins over it.
func settings(args []string, getenv func(string) (string, bool)) ([]kong.Resolver, error) {
	fromEnv := kong.ResolverFunc(func(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
		if value, ok := getenv(envName(flag.Name)); ok {
			return value, nil
		}
		return nil, nil
	})
	path := configPath(args, getenv)
	if path == "" {
		return []kong.Resolver{fromEnv}, nil
	}
	values, err := readConfig(path)
	if err != nil {
		return nil, err
	}
	fromFile := kong.ResolverFunc(func(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
		if value, ok := values[flag.Name]; ok {
			return value, nil
		}
		return nil, nil
	})
	return []kong.Resolver{fromFile, fromEnv}, nil
}

func envName(flag string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// configPath is needed before the flags are parsed.
func configPath(args []string, getenv func(string) (string, bool)) string {
	for i, arg := range args {
		if value, ok := strings.CutPrefix(arg, "--config="); ok {
			return value
		}
		if arg == "--config" && i+1 < len(args) {
			return args[i+1]
		}
	}
	path, _ := getenv(envName("config"))
	return path
}

// readConfig reads a flat YAML file whose keys are the names of the flags of "serve".
func readConfig(path string) (map[string]any, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	values := map[string]any{}
	if err := yaml.Unmarshal(data, &values); err != nil {
		return nil, fmt.Errorf("config %s: %w", path, err)
	}
	known := flagNames()
	for key := range values {
		if !slices.Contains(known, key) {
			return nil, fmt.Errorf("config %s: unknown key %q, did you mean %q? The keys are %s", path, key, nearest(key, known), strings.Join(known, ", "))
		}
	}
	return values, nil
}

// flagNames are the flags of "serve", which are the keys of the file.
func flagNames() []string {
	var names []string
	fields := reflect.TypeFor[serveCommand]()
	for i := range fields.NumField() {
		name := fields.Field(i).Tag.Get("name")
		if name == "" {
			name = hyphenated(fields.Field(i).Name)
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func hyphenated(name string) string {
	var b strings.Builder
	for i, r := range name {
		if i > 0 && r >= 'A' && r <= 'Z' {
			b.WriteByte('-')
		}
		b.WriteRune(r)
	}
	return strings.ToLower(b.String())
}

// nearest is the known name with the smallest edit distance.
func nearest(wrong string, known []string) string {
	return slices.MinFunc(known, func(a, b string) int { return distance(a, wrong) - distance(b, wrong) })
}

func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range a {
		diagonal := row[0]
		row[0] = i + 1
		for j := range b {
			cost := diagonal
			if a[i] != b[j] {
				cost = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}
