// Command chat is a program of one's own: walkers written once, reached by
// REST and by socket. Run it and open the address it prints.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
	"github.com/joho/godotenv"

	"github.com/walkergate/walkergate/app"
	"github.com/walkergate/walkergate/specs"
	"github.com/walkergate/walkergate/walkers"
)

// Say is what a caller sends to the walker say.
type Say struct {
	Room string `json:"room" validate:"max=64"`
	Text string `json:"text" validate:"min=1,max=2000"`
}

func say(ctx context.Context, call *walkers.Call, in Say) error {
	sent, err := call.Notify.Channels(ctx, []string{in.Room}, map[string]any{
		"type": "chat", "data": map[string]string{"from": call.RootID(), "message": in.Text},
	})
	if err != nil {
		return err
	}
	call.Report(sent.Reached)
	return nil
}

func main() {
	_ = godotenv.Load() // a file .env is read where there is one
	var config app.Config
	kong.Parse(&config)
	registry := walkers.NewRegistry()
	walkers.Register(registry, specs.Walker{Name: "say", Methods: []specs.Method{specs.WebSocket, specs.Post}}, say)
	gate, err := app.New(config, registry, app.NewLog(os.Stderr, config))
	if err != nil {
		log.Fatal(err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	fmt.Println("open", gate.URL())
	if err := gate.Run(ctx); err != nil {
		log.Print(err)
	}
}
