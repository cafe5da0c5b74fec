package main

import (
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
	"go.yaml.in/yaml/v4"

	"github.com/mocksrv/mocksrv/internal/near"
)

// envPrefix starts the name of every environment variable.
const envPrefix = "MOCKSRV_"

// sources are where settings come from beside the command line.
type sources struct {
	getenv func(string) (string, bool)
	path   string         // of the file; "": none
	file   map[string]any // its values, by flag name
}

func readSources(args []string, getenv func(string) (string, bool)) (*sources, error) {
	s := &sources{getenv: getenv, path: configPath(args, getenv)}
	if s.path == "" {
		return s, nil
	}
	var err error
	s.file, err = readConfig(s.path)
	return s, err
}

// resolvers are what flags fall back to: the file first, then the environment, which wins over it.
func (s *sources) resolvers() []kong.Resolver {
	return []kong.Resolver{
		kong.ResolverFunc(func(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) { return s.file[flag.Name], nil }),
		kong.ResolverFunc(func(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
			if value, ok := s.getenv(envName(flag.Name)); ok && flag.Name != printConfig {
				return value, nil
			}
			return nil, nil
		}),
	}
}

// origin says where the value of a flag comes from.
func (s *sources) origin(parsed *kong.Context, flag string) string {
	for _, path := range parsed.Path {
		if path.Flag != nil && path.Flag.Name == flag && !path.Resolved {
			return "flag --" + flag
		}
	}
	if _, ok := s.getenv(envName(flag)); ok {
		return "environment " + envName(flag)
	}
	if _, ok := s.file[flag]; ok {
		return "file " + s.path
	}
	return "default"
}

// printConfig is the flag that shows the settings, and is none itself.
const printConfig = "print-config"

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

// flagNames are the settings of "serve", which are the keys of the file.
func flagNames() []string {
	var names []string
	for _, f := range settingFields() {
		names = append(names, settingName(f))
	}
	slices.Sort(names)
	return names
}

// settingFields are the fields of "serve" that are settings.
func settingFields() []reflect.StructField {
	return slices.DeleteFunc(reflect.VisibleFields(reflect.TypeFor[serveCommand]()), func(f reflect.StructField) bool {
		return settingName(f) == printConfig
	})
}

func settingName(f reflect.StructField) string {
	if name := f.Tag.Get("name"); name != "" {
		return name
	}
	return hyphenated(f.Name)
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
	return slices.MinFunc(known, func(a, b string) int { return near.Distance(a, wrong) - near.Distance(b, wrong) })
}
