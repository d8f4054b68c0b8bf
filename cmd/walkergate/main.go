// Command walkergate runs the gateway.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/walkergate/walkergate/app"
)

// program is the command line. Every setting is also an environment variable.
type program struct {
	app.Config `embed:""`

	Version kong.VersionFlag `help:"Print the version and end."`
	Serve   serve            `cmd:"" default:"withargs" help:"Run the gateway (the default)."`
}

func main() { os.Exit(run(os.Args[1:])) }

// run is the program; what it returns is the exit code: 0 after an orderly
// stop, 2 where the settings cannot be read, 1 for all else.
func run(arguments []string) int {
	var line program
	parser := kong.Must(&line, description()...)
	if err := loadEnvironment(parser.Model); err != nil {
		fmt.Fprintln(os.Stderr, "walkergate:", err)
		return 2
	}
	command, err := parser.Parse(arguments)
	if err != nil {
		fmt.Fprintln(os.Stderr, "walkergate:", err)
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	command.BindTo(ctx, (*context.Context)(nil))
	command.Bind(line.Config)
	if err := command.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "walkergate:", err)
		return 1
	}
	return 0
}

func description() []kong.Option {
	return []kong.Option{
		kong.Name("walkergate"),
		kong.Description("A real-time gateway: walkers written once, reached by REST and by socket, and notified to users, channels and clients. Settings come from flags, the environment and the file .env, in that order."),
		kong.Vars{"version": version()},
		kong.ConfigureHelp(kong.HelpOptions{NoExpandSubcommands: true}),
	}
}

// version is that of the module the program was built from.
func version() string {
	build, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	return build.Main.Version + " " + build.GoVersion
}
