package walkers_test

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/walkergate/walkergate/notify"
	"github.com/walkergate/walkergate/specs"
	"github.com/walkergate/walkergate/walkers"
)

var _ walkers.Notifier = (*notify.Manager)(nil)

// sent is one notify that a post took.
type sent struct {
	Kind string
	IDs  []string
	Data string
}

// post is a Notifier that keeps what it is given.
type post struct {
	mu   sync.Mutex
	sent []sent
}

func (p *post) keep(kind string, ids []string, data json.RawMessage) (notify.Outcome, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sent = append(p.sent, sent{kind, ids, string(data)})
	return notify.Outcome{Reached: len(ids)}, nil
}

func (p *post) all() []sent {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sent
}

func (p *post) Users(_ context.Context, ids []string, message notify.Message) (notify.Outcome, error) {
	return p.keep("users", ids, message.Data)
}

func (p *post) Channels(_ context.Context, ids []string, message notify.Message) (notify.Outcome, error) {
	return p.keep("channels", ids, message.Data)
}

func (p *post) Clients(_ context.Context, ids []string, message notify.Message) (notify.Outcome, error) {
	return p.keep("clients", ids, message.Data)
}

// notifying runs a handler that notifies.
func notifying(t *testing.T, notifier walkers.Notifier, clientID string, handle func(context.Context, walkers.Notify) error) {
	t.Helper()
	r := runner(t, walkers.Options{Notifier: notifier}, func(registry *walkers.Registry) {
		walkers.Register(registry, specs.Walker{Name: "take", Methods: []specs.Method{specs.WebSocket}},
			func(ctx context.Context, call *walkers.Call, _ struct{}) error { return handle(ctx, call.Notify) })
	})
	inv := overSocket("")
	inv.ClientID = clientID
	if _, err := r.Run(context.Background(), inv); err != nil {
		t.Error(err)
	}
}

func TestNotify(t *testing.T) {
	var p post
	var late walkers.Notify
	notifying(t, &p, "c1", func(ctx context.Context, n walkers.Notify) error {
		late = n
		_, err1 := n.Self(ctx, map[string]string{"to": "self <&>"})
		_, err2 := n.Users(ctx, []string{"u1", "u2"}, struct{ N int }{1})
		_, err3 := n.Channels(ctx, []string{"room"}, json.RawMessage(` {"a": 1.0}`))
		outcome, err4 := n.Clients(ctx, []string{"c2", "c3"}, map[string]any{})
		if outcome.Reached != 2 {
			t.Errorf("outcome is %+v", outcome)
		}
		return errors.Join(err1, err2, err3, err4)
	})
	if _, err := late.Users(context.Background(), []string{"u3"}, map[string]any{}); err != nil {
		t.Errorf("after the walker returned: %v", err)
	}
	want := []sent{
		{"clients", []string{"c1"}, `{"to":"self <&>"}`},
		{"users", []string{"u1", "u2"}, `{"N":1}`},
		{"channels", []string{"room"}, `{"a":1.0}`},
		{"clients", []string{"c2", "c3"}, `{}`},
		{"users", []string{"u3"}, `{}`},
	}
	if diff := cmp.Diff(want, p.all()); diff != "" {
		t.Errorf("sent (-want +got):\n%s", diff)
	}
}

func TestSelfWithoutAConnectionDoesNothing(t *testing.T) {
	var p post
	notifying(t, &p, "", func(ctx context.Context, n walkers.Notify) error {
		outcome, err := n.Self(ctx, map[string]any{})
		if outcome.Reached != 0 || outcome.Offline != nil {
			t.Errorf("outcome is %+v", outcome)
		}
		return err
	})
	if len(p.all()) != 0 {
		t.Errorf("sent %v", p.all())
	}
}

func TestOnlyObjectsAreSent(t *testing.T) {
	var p post
	notifying(t, &p, "c1", func(ctx context.Context, n walkers.Notify) error {
		for _, data := range []any{nil, 1, "x", []int{1}, []byte(`{}`), json.RawMessage(`[{}]`), json.RawMessage(`{`), make(chan int)} {
			if _, err := n.Self(ctx, data); err == nil {
				t.Errorf("%v was sent", data)
			}
		}
		return nil
	})
	if len(p.all()) != 0 {
		t.Errorf("sent %v", p.all())
	}
}

func TestWithoutANotifierEverybodyIsOffline(t *testing.T) {
	notifying(t, nil, "c1", func(ctx context.Context, n walkers.Notify) error {
		self, err1 := n.Self(ctx, map[string]any{})
		users, err2 := n.Users(ctx, []string{"u"}, map[string]any{})
		channels, err3 := n.Channels(ctx, []string{"r"}, map[string]any{})
		if !cmp.Equal(self.Offline, []string{"c1"}) || !cmp.Equal(users.Offline, []string{"u"}) || !cmp.Equal(channels.Offline, []string{"r"}) {
			t.Errorf("outcomes are %+v, %+v, %+v", self, users, channels)
		}
		return errors.Join(err1, err2, err3)
	})
}
