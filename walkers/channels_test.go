package walkers_test

import (
	"context"
	"strings"
	"testing"

	"github.com/walkergate/walkergate/specs"
	"github.com/walkergate/walkergate/walkers"
)

func TestChannelsAreDeclaredBesideWalkers(t *testing.T) {
	registry := walkers.NewRegistry()
	registry.Channel(specs.Channel{Pattern: "room:{id}", Store: specs.StoreAlways})
	registry.Channel(specs.Channel{Pattern: "lobby"})
	if _, err := registry.Runner(walkers.Options{}); err != nil {
		t.Fatal(err)
	}
	declared := registry.Channels()
	if len(declared) != 2 || declared[0].Pattern != "room:{id}" || declared[0].Store != specs.StoreAlways || declared[1].Pattern != "lobby" {
		t.Errorf("channels are %+v", declared)
	}
	declared[0].Pattern = "other"
	if again := registry.Channels(); again[0].Pattern != "room:{id}" {
		t.Error("what was declared can be changed from without")
	}
}

func TestFaultsOfChannelsAreToldWithThoseOfWalkers(t *testing.T) {
	registry := walkers.NewRegistry()
	walkers.Register(registry, specs.Walker{Name: "w w"}, func(context.Context, *walkers.Call, struct{}) error { return nil })
	registry.Channel(specs.Channel{Pattern: "room:{id}"})
	registry.Channel(specs.Channel{Pattern: "room:{name}", Messages: -1})
	_, err := registry.Runner(walkers.Options{})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{
		`walker "w w": name: `, `channel "room:{name}": pattern: `, `channel "room:{name}": messages: `,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in:\n%v", want, err)
		}
	}
}
