package app_test

import (
	"testing"

	"github.com/walkergate/walkergate/app"
	"github.com/walkergate/walkergate/specs"
	"github.com/walkergate/walkergate/walkers"
)

// A policy that nobody asks would guard nothing.
func TestAPolicyThatNobodyAsksIsRefused(t *testing.T) {
	registry := walkers.NewRegistry()
	registry.Channel(specs.Channel{Pattern: "room:{id}"})
	if _, err := app.New(app.Config{DataDir: t.TempDir()}, registry, nil); err == nil {
		t.Error("the gateway would start, and let everybody in")
	}
}
