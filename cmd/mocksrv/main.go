// Command mocksrv is a webhook provider in a box: a simulator server for testing integrations with webhook providers.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
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
	if err := checkEnvironment(os.Environ(), os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "mocksrv:", err)
		return exitUsage
	}
	return run(ctx, os.Args[1:], os.LookupEnv, os.Stdout, os.Stderr)
}

// commands is the command line.
type commands struct {
	ShowVersion kong.VersionFlag `name:"version" help:"Print the version."`

	Config string `help:"Read settings from this YAML file. Flags and environment win over it." type:"path" placeholder:"FILE"`

	Serve       serveCommand       `cmd:"" help:"Serve the providers and the control API."`
	Test        testCommand        `cmd:"" help:"Run scenarios and report what is not as they expect."`
	Record      recordCommand      `cmd:"" help:"Make a scenario of what happened in a sandbox of a running server."`
	Lint        lintCommand        `cmd:"" help:"Check scenario files without running them. Exits 1 when there are problems."`
	Scenarios   scenariosCommand   `cmd:"" help:"List the built-in scenarios, or print one."`
	Ledger      ledgerCommand      `cmd:"" help:"Print what each behaviour of each provider rests on."`
	Doctor      doctorCommand      `cmd:"" help:"Say whether a webhook URL can be reached from here, and if not, why and what to do. Exits 1 when it cannot."`
	CA          caCommand          `cmd:"" name:"ca" help:"Print the certificate of the development CA, for a client's roots."`
	Cert        certCommand        `cmd:"" help:"Issue certificates that the development CA signs."`
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
	args = helped(args)
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

// helped makes "help serve" of "serve --help": what people type who look for help.
func helped(args []string) []string {
	if len(args) == 0 || args[0] != "help" {
		return args
	}
	return append(slices.Clone(args[1:]), "--help")
}

func newParser(cli *commands, from *sources, stdout, stderr io.Writer) (*kong.Kong, error) {
	return kong.New(cli,
		kong.Name("mocksrv"),
		kong.Description("A webhook provider in a box: simulates the webhook APIs of five providers, and acts as they do.\n\n"+
			"Every flag of a command can also be set by MOCKSRV_<FLAG> in the environment (--allow-host: MOCKSRV_ALLOW_HOST), or in the file given by --config. Flags win over the environment, the environment over the file."),
		kong.Writers(stdout, stderr),
		kong.Exit(func(code int) { panic(exit(code)) }),
		kong.Resolvers(from.resolvers()...),
		kong.Vars{"version": "mocksrv " + version()},
		kong.UsageOnError(),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
	)
}
