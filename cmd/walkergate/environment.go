package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sort"

	"github.com/alecthomas/kong"
	"github.com/joho/godotenv"
)

// loadEnvironment adds what the file .env says to the environment, which comes
// first, and takes empty values for none, as compose files write them. Names
// in the file that are no setting are told: most are slips of the pen.
func loadEnvironment(model *kong.Application) error {
	file, err := godotenv.Read()
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf(".env: %w", err)
	}
	known := make(map[string]bool)
	for _, flag := range model.Flags {
		for _, name := range flag.Envs {
			known[name] = true
		}
	}
	names := make([]string, 0, len(file))
	for name := range file {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		if !known[name] {
			fmt.Fprintf(os.Stderr, "walkergate: .env: %s is no setting\n", name)
		}
		if os.Getenv(name) != "" {
			continue
		}
		if err := os.Setenv(name, file[name]); err != nil {
			return fmt.Errorf(".env: %s: %w", name, err)
		}
	}
	for name := range known {
		if value, set := os.LookupEnv(name); set && value == "" {
			if err := os.Unsetenv(name); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	return nil
}
