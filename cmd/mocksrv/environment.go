package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// checkEnvironment refuses variables that look like settings and are none: a typing error would otherwise be a setting
// that silently does nothing. environ has entries such as NAME=value.
func checkEnvironment(environ []string) error {
	known, err := variables()
	if err != nil {
		return err
	}
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(name, envPrefix) || slices.Contains(known, name) || ofOthers(name, value) {
			continue
		}
		return fmt.Errorf("environment: unknown variable %s, did you mean %s? The variables are %s", name, nearest(name, known), strings.Join(known, ", "))
	}
	return nil
}

// variables are the names of all settings in the environment: every flag of every command has one.
func variables() ([]string, error) {
	parser, err := kong.New(&commands{})
	if err != nil {
		return nil, fmt.Errorf("command line: %w", err)
	}
	var names []string
	add := func(flags []*kong.Flag) {
		for _, flag := range flags {
			if flag.Name != "help" && flag.Name != printConfig {
				names = append(names, envName(flag.Name))
			}
		}
	}
	add(parser.Model.Flags)
	for _, command := range parser.Model.Leaves(false) {
		add(command.Flags)
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// What Kubernetes and container links put into the environment beside a service that is called mocksrv.
var (
	serviceName = regexp.MustCompile(`^MOCKSRV_SERVICE_(HOST|PORT(_[A-Z0-9_]+)?)$`)
	linkName    = regexp.MustCompile(`^MOCKSRV_PORT_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?$`)
)

// ofOthers knows variables that carry the prefix and are not for the server.
func ofOthers(name, value string) bool {
	switch name {
	case "MOCKSRV_URL", "MOCKSRV_BIN": // for programs that call the server, or start it
		return true
	case "MOCKSRV_PORT":
		return strings.Contains(value, "://")
	}
	return serviceName.MatchString(name) || linkName.MatchString(name)
}
