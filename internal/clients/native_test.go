//go:build clients

package clients_test

import (
	"testing"

	"github.com/walkergate/walkergate/app"
	"github.com/walkergate/walkergate/auth"
	"github.com/walkergate/walkergate/gateway"
	"github.com/walkergate/walkergate/internal/testkit"
)

func TestBrowserConnectsWithoutUser(t *testing.T) {
	s := newStage(t)
	client := newPage(t, seed(t, "not_authenticated", fillHost, host(s.Gateway)))
	who := connection(t, client, 0)
	if who.RootID != auth.PublicRoot || who.ChannelID == "" {
		t.Errorf("connected as %+v, want the public user in a channel of their own", who)
	}
	s.observer.Say(testkit.Frame{"type": "client", "client_ids": []string{who.ClientID}, "data": testkit.Frame{"type": "hello"}})
	receives(t, client, 2, `{"type":"hello"}`)
}

func TestBrowserBecomesItsUser(t *testing.T) {
	s := newStage(t)
	user := s.NewUser(t)
	client := newPage(t, seed(t, "authenticated", fillHost, host(s.Gateway), fillToken, user.Token))
	before, after := connection(t, client, 0), connection(t, client, 1)
	if before.RootID != auth.PublicRoot || after.RootID != user.RootID {
		t.Errorf("the roots were %s and %s, want the public one and %s", before.RootID, after.RootID, user.RootID)
	}
	if before.ClientID != after.ClientID || before.ChannelID != after.ChannelID {
		t.Errorf("change_user changed the connection from %+v to %+v", before, after)
	}
	s.reach(t, after, 1)
	receives(t, client, 4, `{"type":"hello"}`, `{"type":"hello"}`)
}

func TestBrowserConsumesAndPublishesAsUser(t *testing.T) {
	s := newStage(t)
	user := s.NewUser(t)
	client := newPage(t,
		seed(t, "authenticated", fillHost, host(s.Gateway), fillToken, user.Token),
		seed(t, "consume"))
	who := connection(t, client, 1)
	if who.RootID != user.RootID {
		t.Fatalf("the root is %s, want %s", who.RootID, user.RootID)
	}
	publishes(t, s, client, who, chatInPage)
}

func TestBrowserPublishesWithoutUserWherePolicyIsOpen(t *testing.T) {
	s := newStage(t, testkit.Config(func(c *app.Config) { c.PublishPolicy = gateway.PublishOpen }))
	client := newPage(t,
		seed(t, "not_authenticated", fillHost, host(s.Gateway)),
		seed(t, "consume"))
	publishes(t, s, client, connection(t, client, 0), chatInPage)
}
