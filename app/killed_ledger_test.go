package app_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"slices"
	"time"

	"github.com/walkergate/walkergate/internal/testkit"
)

// ledger is one address, and what was acknowledged of it. It belongs to one
// goroutine at a time.
type ledger struct {
	email    string
	exists   bool
	password string
	// rejected is a password that must not be the present one: the last that
	// was replaced, or that an unanswered change did not bring.
	rejected string
	// rootID is that of the user, empty where it was not told yet, formerRoot
	// that of the deleted one before.
	rootID, formerRoot string
	// good are tokens that were handed out and not ended, ended are those whose
	// end was acknowledged: the last of them, each of which is asked for again
	// after every kill.
	good, ended []string
	doubt       doubt
}

// endedRemembered bounds ledger.ended.
const endedRemembered = 32

// doubt is a call that got no answer. It may have been carried out or not, but
// whole or not at all.
type doubt struct {
	call     string
	token    string // of a logout
	password string // of a change
}

// The calls that can be in doubt.
const (
	callRegister  = "register"
	callLogin     = "login"
	callRefresh   = "refresh"
	callLogout    = "logout"
	callLogoutAll = "logout?all=true"
	callChange    = "change_password"
	callDelete    = "me"
)

func (l *ledger) end(token string) {
	l.good = slices.DeleteFunc(l.good, func(good string) bool { return good == token })
	l.ended = append(l.ended, token)
	l.ended = l.ended[max(0, len(l.ended)-endedRemembered):]
}

func (l *ledger) endAll() {
	for len(l.good) > 0 {
		l.end(l.good[0])
	}
}

func (l *ledger) changed(password string) {
	l.rejected, l.password = l.password, password
	l.endAll()
}

func (l *ledger) deleted() {
	l.exists, l.rejected = false, ""
	l.rootID, l.formerRoot = "", l.rootID
	l.endAll()
}

func (l *ledger) credentials() testkit.Frame {
	return testkit.Frame{"email": l.email, "password": l.password}
}

// audit holds the account against a gateway that was started again. First it
// finds out, by one question, what became of the call in doubt; from there on
// everything must be as it was acknowledged, so that what was carried out by
// half is seen. An address without a user must be free and gets its next one.
// carriedOut says of a call in doubt that it was.
func (l *ledger) audit(d *door) (carriedOut bool, err error) {
	if carriedOut, err = l.settle(d); err != nil {
		return carriedOut, fmt.Errorf("find out what became of a %s: %w", l.doubt.call, err)
	}
	l.doubt = doubt{}
	return carriedOut, l.check(d)
}

func (l *ledger) settle(d *door) (carriedOut bool, err error) {
	switch l.doubt.call {
	case callRegister:
		l.exists, err = d.logsIn(l.email, l.password)
		return l.exists, err
	case callDelete:
		stays, err := d.logsIn(l.email, l.password)
		if err == nil && !stays {
			l.deleted()
		}
		return !stays, err
	case callChange:
		changed, err := d.logsIn(l.email, l.doubt.password)
		if changed {
			l.changed(l.doubt.password)
		} else {
			l.rejected = l.doubt.password
		}
		return changed, err
	case callLogout:
		refused, err := d.refuses(l.doubt.token)
		if refused {
			l.end(l.doubt.token)
		}
		return refused, err
	case callLogoutAll:
		refused, err := d.refuses(l.good[0])
		if refused {
			l.endAll()
		}
		return refused, err
	}
	return false, nil // of a login or a refresh nothing is left but a token that nobody knows
}

func (l *ledger) check(d *door) error {
	var faults []error
	wrong := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if !l.exists {
		switch alive, err := d.logsIn(l.email, l.password); {
		case err != nil:
			return err
		case alive:
			wrong("the deleted user logs in")
		}
		if status, said, err := d.call(http.MethodPost, callRegister, "", l.credentials()); err != nil || status != http.StatusCreated {
			wrong("the address of a deleted user is not free: %d %s %v", status, said.Code, err)
		}
	}
	status, said, err := d.patiently(http.MethodPost, callLogin, "", l.credentials())
	rootID := said.User.RootID
	switch {
	case err != nil || status != http.StatusOK:
		wrong("the user is lost, or their password: %d %s %v", status, said.Code, err)
	case l.rootID != "" && rootID != l.rootID:
		wrong("came back as another user")
	case rootID == l.formerRoot:
		wrong("the root of a deleted user was given away")
	}
	l.exists, l.rootID = true, rootID
	faults = append(faults, l.checkRejected(d), l.checkTokens(d))
	if said.Token != "" {
		l.good = append(l.good, said.Token)
	}
	return errors.Join(faults...)
}

// checkRejected asks once: a password does not come back later.
func (l *ledger) checkRejected(d *door) error {
	if l.rejected == "" {
		return nil
	}
	fits, err := d.logsIn(l.email, l.rejected)
	l.rejected = ""
	if fits {
		return errors.New("a password logs in that was replaced, or never came to be")
	}
	return err
}

func (l *ledger) checkTokens(d *door) error {
	var faults []error
	for i, token := range l.good {
		status, said, err := d.patiently(http.MethodGet, "me", token, nil)
		if err != nil || status != http.StatusOK || said.RootID != l.rootID {
			faults = append(faults, fmt.Errorf("good token %d of %d is lost: %d %s %v", i+1, len(l.good), status, said.Code, err))
		}
	}
	for i, token := range l.ended {
		switch refused, err := d.refuses(token); {
		case err != nil:
			faults = append(faults, err)
		case !refused:
			faults = append(faults, fmt.Errorf("ended token %d of %d is taken", i+1, len(l.ended)))
		}
	}
	return errors.Join(faults...)
}

// door is the REST door of a gateway that may die at any moment.
type door struct {
	ctx  context.Context // of the test, for all its calls
	url  string
	http *http.Client
	// wrote is called when a request has gone out.
	wrote func()
}

func newDoor(ctx context.Context, g *testkit.Gateway) *door {
	return &door{ctx: ctx, url: g.URL, http: g.HTTP, wrote: func() {}}
}

// answer is what the tests read of any body.
type answer struct {
	Code   string `json:"code"`
	Token  string `json:"token"`
	RootID string `json:"root_id"`
	User   struct {
		RootID string `json:"root_id"`
	} `json:"user"`
}

// call calls a route of accounts, or with a path that begins with a slash any.
// An error means that there was no whole answer: nobody knows whether the call
// was carried out.
func (d *door) call(method, path, token string, body any) (status int, said answer, err error) {
	if path[0] != '/' {
		path = "/user/" + path
	}
	var text []byte
	if body != nil {
		if text, err = json.Marshal(body); err != nil {
			return 0, said, err
		}
	}
	trace := &httptrace.ClientTrace{WroteRequest: func(httptrace.WroteRequestInfo) { d.wrote() }}
	request, err := http.NewRequestWithContext(httptrace.WithClientTrace(d.ctx, trace), method, d.url+path, bytes.NewReader(text))
	if err != nil {
		return 0, said, err
	}
	request.Header.Set("Content-Type", "application/json")
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := d.http.Do(request)
	if err != nil {
		return 0, said, err
	}
	defer response.Body.Close()
	return response.StatusCode, said, json.NewDecoder(response.Body).Decode(&said)
}

// tooSlow says that a call was given up on, for want of a store or of time: it
// may have been carried out.
func tooSlow(status int) bool {
	return status == http.StatusServiceUnavailable || status == http.StatusGatewayTimeout
}

// patiently calls what may be called again, and does so while that is too slow.
func (d *door) patiently(method, path, token string, body any) (status int, said answer, err error) {
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for deadline := time.Now().Add(testkit.Patience); ; <-again.C {
		status, said, err = d.call(method, path, token, body)
		if err != nil || !tooSlow(status) || time.Now().After(deadline) {
			return status, said, err
		}
	}
}

func (d *door) logsIn(email, password string) (bool, error) {
	status, said, err := d.patiently(http.MethodPost, callLogin, "", testkit.Frame{"email": email, "password": password})
	if err == nil && status != http.StatusOK && said.Code != "bad_credentials" {
		err = fmt.Errorf("a login was answered %d %s", status, said.Code)
	}
	return err == nil && status == http.StatusOK, err
}

// refuses reports whether a token has ended, by what the node holds in memory:
// a walker asks no store whom it runs for. It asks the caller's authority before
// the context, which here is none.
func (d *door) refuses(token string) (bool, error) {
	status, said, err := d.patiently(http.MethodPost, "/walker/send_chat_to_user", token, testkit.Frame{})
	if err == nil && said.Code != "token_invalid" && said.Code != "invalid_context" {
		err = fmt.Errorf("a walker that needs a user was answered %d %s", status, said.Code)
	}
	return err == nil && said.Code == "token_invalid", err
}
