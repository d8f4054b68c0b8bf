package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"

	"github.com/walkergate/walkergate/app"
	"github.com/walkergate/walkergate/walkers"
)

// serve runs the gateway until it is told to stop.
type serve struct{}

// Run is called by the command line.
func (serve) Run(ctx context.Context, config app.Config) error {
	log := app.NewLog(os.Stderr, config)
	gate, err := app.New(config, walkers.NewRegistry(), log)
	if err != nil {
		return err
	}
	fmt.Printf("walkergate: open %s\n", gate.URL())
	if err := gate.Run(ctx); err != nil {
		return err
	}
	log.Info("stopped", slog.String("data_dir", config.DataDir))
	return nil
}
