package app_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/walkergate/walkergate/internal/client"
	"github.com/walkergate/walkergate/internal/testkit"
)

// victim is a gateway that is killed at a moment which its own load decides:
// the moments are those at which a request has gone out or was acknowledged,
// and one of them is drawn before.
type victim struct {
	*process
	fatal   int64         // the number of the moment
	late    time.Duration // how long after it, so that it falls upon calls at any of their steps
	moments atomic.Int64
	killed  atomic.Bool
}

// moment kills from within whichever client's turn it is, while the others are
// wherever they are.
func (v *victim) moment() {
	if v.moments.Add(1) == v.fatal {
		<-time.After(v.late)
		v.killed.Store(true)
		_ = v.command.Process.Kill() // it is waited for by who started it
	}
}

// rioter is one client of the load, with an account of its own.
type rioter struct {
	victim   *victim
	door     *door
	draw     *rand.Rand
	ledger   *ledger
	sockets  []*client.Conn
	answered map[string]int // by call
}

// maxSockets is how many a rioter holds: another takes the place of the first.
const maxSockets = 4

// errOver says that the gateway was killed.
var errOver = errors.New("killed")

// riot calls whatever its account allows until the gateway is killed, or was
// too slow to say what became of a call: then the account rests until the
// audit.
func (r *rioter) riot() error {
	for r.ledger.doubt == (doubt{}) {
		switch err := r.act(r.ledger); {
		case errors.Is(err, errOver):
			return nil
		case err != nil:
			return err
		}
	}
	return nil
}

// act does one thing that the account can do.
func (r *rioter) act(l *ledger) error {
	if !l.exists {
		return r.register(l)
	}
	if len(l.good) == 0 {
		return r.login(l)
	}
	token := l.good[r.draw.IntN(len(l.good))]
	switch n := r.draw.IntN(100); {
	case n < 22:
		return r.connect(l, token)
	case n < 60:
		return r.refresh(l, token)
	case n < 64:
		return r.login(l)
	case n < 88:
		return r.logout(l, token)
	case n < 93:
		return r.logoutAll(l, token)
	case n < 97:
		return r.change(l, token)
	}
	return r.deleteUser(l, token)
}

// try makes a call that may be cut short. Before its answer came the account is
// in doubt; acknowledged writes down what the answer says.
func (r *rioter) try(l *ledger, method, token string, body any, want int, in doubt, acknowledged func(answer)) error {
	l.doubt = in
	status, said, err := r.door.call(method, in.call, token, body)
	switch {
	case err != nil && r.victim.killed.Load():
		return errOver
	case err != nil:
		return fmt.Errorf("a %s was cut off before the gateway was killed: %w", in.call, err)
	case tooSlow(status):
		return nil // in doubt
	case status != want:
		return fmt.Errorf("a %s was answered %d %s", in.call, status, said.Code)
	}
	l.doubt = doubt{}
	acknowledged(said)
	r.answered[in.call]++
	r.victim.moment()
	return nil
}

func (r *rioter) register(l *ledger) error {
	return r.try(l, http.MethodPost, "", l.credentials(), http.StatusCreated, doubt{call: callRegister},
		func(answer) { l.exists = true })
}

func (r *rioter) login(l *ledger) error {
	return r.try(l, http.MethodPost, "", l.credentials(), http.StatusOK, doubt{call: callLogin}, l.granted)
}

func (r *rioter) refresh(l *ledger, token string) error {
	return r.try(l, http.MethodPost, token, nil, http.StatusOK, doubt{call: callRefresh}, l.granted)
}

func (r *rioter) logout(l *ledger, token string) error {
	return r.try(l, http.MethodPost, token, nil, http.StatusOK, doubt{call: callLogout, token: token},
		func(answer) { l.end(token) })
}

func (r *rioter) logoutAll(l *ledger, token string) error {
	return r.try(l, http.MethodPost, token, nil, http.StatusOK, doubt{call: callLogoutAll},
		func(answer) { l.endAll() })
}

func (r *rioter) change(l *ledger, token string) error {
	replacement := fmt.Sprintf("password %d", r.draw.Uint64())
	return r.try(l, http.MethodPost, token, testkit.Frame{"old_password": l.password, "new_password": replacement},
		http.StatusOK, doubt{call: callChange, password: replacement}, func(answer) { l.changed(replacement) })
}

func (r *rioter) deleteUser(l *ledger, token string) error {
	return r.try(l, http.MethodDelete, token, nil, http.StatusOK, doubt{call: callDelete},
		func(answer) { l.deleted() })
}

func (l *ledger) granted(said answer) {
	l.good = append(l.good, said.Token)
	if l.rootID == "" { // else it is held against the tokens by connects and audits
		l.rootID = said.User.RootID
	}
}

// connect opens a socket of the user in two channels, and reads its event.
func (r *rioter) connect(l *ledger, token string) error {
	if len(r.sockets) == maxSockets {
		_ = r.sockets[0].Close() // the gateway may be gone
		r.sockets = r.sockets[1:]
	}
	query := fmt.Sprintf("channel_id=hall&channel_id=room:%d", r.draw.IntN(10))
	err := r.dial(l, token, query)
	switch {
	case err != nil && r.victim.killed.Load():
		return errOver
	case err != nil:
		return fmt.Errorf("connect: %w", err)
	}
	r.answered["connect"]++
	r.victim.moment()
	return nil
}

func (r *rioter) dial(l *ledger, token, query string) error {
	header := http.Header{"Authorization": {"Bearer " + token}}
	conn, err := client.Dial(r.door.ctx, r.victim.SocketURL(query), header)
	if err != nil {
		return err
	}
	r.sockets = append(r.sockets, conn)
	text, err := conn.Read(time.Now().Add(testkit.Patience))
	if err != nil {
		return err
	}
	var event struct {
		Data struct {
			RootID string `json:"root_id"`
		} `json:"data"`
	}
	if err := json.Unmarshal(text, &event); err != nil {
		return err
	}
	if l.rootID != "" && event.Data.RootID != l.rootID {
		return fmt.Errorf("a good token connected as %s", text)
	}
	return nil
}

// hangUp lets go of what is left of the sockets.
func (r *rioter) hangUp() {
	for _, conn := range r.sockets {
		_ = conn.Raw().Close() // the other side is gone
	}
	r.sockets = nil
}
