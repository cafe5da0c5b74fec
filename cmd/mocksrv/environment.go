package main

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// checkEnvironment refuses variables that look like settings and are none: a typing error would otherwise be a setting
// that silently does nothing. environ has entries such as NAME=value. The names that the error lists are those of the command
// in the arguments, or of "serve".
func checkEnvironment(environ, args []string) error {
	known, err := variables("")
	if err != nil {
		return err
	}
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(name, envPrefix) || slices.Contains(known, name) || ofOthers(name, value) {
			continue
		}
		command := commandIn(args)
		own, err := variables(command)
		if err != nil {
			return err
		}
		return fmt.Errorf("environment: unknown variable %s, did you mean %s? Those of mocksrv %s are %s", name, nearest(name, known), command, strings.Join(own, ", "))
	}
	return nil
}

// commandIn is the command that the arguments ask for; "serve" when they ask for none.
func commandIn(args []string) string {
	var known []string
	for _, field := range reflect.VisibleFields(reflect.TypeFor[commands]()) {
		if _, ok := field.Tag.Lookup("cmd"); ok {
			known = append(known, settingName(field))
		}
	}
	at := slices.IndexFunc(args, func(arg string) bool { return slices.Contains(known, arg) })
	if at < 0 {
		return "serve"
	}
	return args[at]
}

// variables are the names of the settings of a command in the environment, or of all: every flag of every command has one.
func variables(of string) ([]string, error) {
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
		if of == "" || slices.Contains(strings.Fields(command.FullPath()), of) {
			add(command.Flags)
		}
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
