// Command run installs the server of internal/mongoserver where it is missing
// and runs it until the standard input ends. Its standard output is one line,
// the URI; what runs is told on the standard error.
package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/walkergate/walkergate/internal/mongoserver"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "mongoserver:", err)
		os.Exit(1)
	}
}

func run() error {
	if err := mongoserver.Install(context.Background(), os.Stderr); err != nil {
		return err
	}
	server, err := mongoserver.Start()
	if err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, "mongoserver: serving by", server.Name)
	fmt.Println(server.URI)
	_, err = io.Copy(io.Discard, os.Stdin)
	if stopErr := server.Stop(); err == nil {
		err = stopErr
	}
	return err
}
