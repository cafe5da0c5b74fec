// Command mocksrv is a webhook provider in a box: a simulator server for testing integrations with webhook providers.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
)

// Exit codes.
const (
	exitOK     = 0
	exitFailed = 1 // a check failed, or the server did
	exitUsage  = 2
)

func main() { os.Exit(start()) }

func start() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := checkEnvironment(os.Environ()); err != nil {
		fmt.Fprintln(os.Stderr, "mocksrv:", err)
		return exitUsage
	}
	return run(ctx, os.Args[1:], os.LookupEnv, os.Stdout, os.Stderr)
}

// commands is the command line.
type commands struct {
	Config string `help:"Read settings from this YAML file. Flags and environment win over it." type:"path" placeholder:"FILE"`

	Serve       serveCommand       `cmd:"" help:"Serve the providers and the control API."`
	Ledger      ledgerCommand      `cmd:"" help:"Print what each behaviour of each provider rests on."`
	Healthcheck healthcheckCommand `cmd:"" help:"Ask a running server whether it is ready. Exits 1 when it is not."`
	Version     versionCommand     `cmd:"" help:"Print the version."`
}

// program is what a command needs of the world.
type program struct {
	ctx    context.Context //nolint:containedctx // the lifetime of the process
	stdout io.Writer
	stderr io.Writer
	origin func(flag string) string // where a setting comes from
}

type exit int

// run parses the arguments, performs the command and returns the exit code.
func run(ctx context.Context, args []string, getenv func(string) (string, bool), stdout, stderr io.Writer) (code int) {
	defer func() {
		if e, ok := recover().(exit); ok { // kong ends --help this way
			code = int(e)
		}
	}()
	var cli commands
	from, err := readSources(args, getenv)
	if err != nil {
		fmt.Fprintln(stderr, "mocksrv:", err)
		return exitUsage
	}
	parser, err := newParser(&cli, from, stdout, stderr)
	if err != nil {
		fmt.Fprintln(stderr, "mocksrv:", err)
		return exitUsage
	}
	parsed, err := parser.Parse(args)
	if err != nil {
		fmt.Fprintln(stderr, "mocksrv:", err)
		if _, usage := errors.AsType[*kong.ParseError](err); usage {
			fmt.Fprintln(stderr, "Run \"mocksrv --help\" for the commands and flags.")
		}
		return exitUsage
	}
	origin := func(flag string) string { return from.origin(parsed, flag) }
	if err := parsed.Run(&program{ctx: ctx, stdout: stdout, stderr: stderr, origin: origin}); err != nil {
		fmt.Fprintln(stderr, "mocksrv:", err)
		return exitFailed
	}
	return exitOK
}

func newParser(cli *commands, from *sources, stdout, stderr io.Writer) (*kong.Kong, error) {
	return kong.New(cli,
		kong.Name("mocksrv"),
		kong.Description("A webhook provider in a box: simulates the webhook APIs of five providers, and acts as they do.\n\n"+
			"Every flag of a command can also be set by MOCKSRV_<FLAG> in the environment (--allow-host: MOCKSRV_ALLOW_HOST), or in the file given by --config. Flags win over the environment, the environment over the file."),
		kong.Writers(stdout, stderr),
		kong.Exit(func(code int) { panic(exit(code)) }),
		kong.Resolvers(from.resolvers()...),
		kong.UsageOnError(),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
	)
}
