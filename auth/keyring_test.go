package auth_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/walkergate/walkergate/auth"
	"github.com/walkergate/walkergate/fault"
)

// network answers in place of one, in a bubble of fake time.
type network struct {
	fetches atomic.Int64

	mu     sync.Mutex
	answer func(*http.Request) ([]byte, error)
}

func (n *network) RoundTrip(request *http.Request) (*http.Response, error) {
	n.fetches.Add(1)
	n.mu.Lock()
	answer := n.answer
	n.mu.Unlock()
	text, err := answer(request)
	if err != nil {
		return nil, err
	}
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(text)), Request: request,
	}, nil
}

func (n *network) answerBy(answer func(*http.Request) ([]byte, error)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.answer = answer
}

func (n *network) publish(keys ...signer) {
	text := jwks(keys...)
	n.answerBy(func(*http.Request) ([]byte, error) { return text, nil })
}

func (n *network) fail() {
	n.answerBy(func(*http.Request) ([]byte, error) { return nil, errors.New("out of reach") })
}

// hang answers nothing until the request is given up.
func (n *network) hang() {
	n.answerBy(func(request *http.Request) ([]byte, error) {
		<-request.Context().Done()
		return nil, request.Context().Err()
	})
}

// afar runs a test in a bubble of fake time, with a service that runs and gets
// its keys from a network.
func afar(t *testing.T, test func(t *testing.T, w *world, n *network, log *journal)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		n, log := &network{}, &journal{}
		n.fail()
		w := newWorld(t, func(o *auth.Options) {
			o.Now, o.Transport, o.Log = time.Now, n, slog.New(slog.NewTextHandler(log, nil))
		}, trusting("https://id.example.com/keys?code=secretive"))
		w.clock.now = time.Now()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go w.Run(ctx)
		test(t, w, n, log)
	})
}

// journal keeps what is logged.
type journal struct {
	mu   sync.Mutex
	text strings.Builder
}

func (j *journal) Write(text []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(text)
}

func (j *journal) count(text string) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Count(j.text.String(), text)
}

// now is a good token, issued at this moment of the bubble.
func now(s signer, changes ...any) string { return mint(s, said(time.Now(), changes...), nil) }

func wantBusy(t *testing.T, s *auth.Service, token string) {
	t.Helper()
	p, err := s.Authenticate(t.Context(), token)
	if !fault.Is(err, fault.Busy) || p != (auth.Principal{}) {
		t.Errorf("got %+v and %v, want busy", p, err)
	}
}

func edSigner(kid string) signer { return signer{kid, jwt.SigningMethodEdDSA, edKey()} }

func TestKeysAreRotated(t *testing.T) {
	first, second := edSigner("first"), edSigner("second")
	server := serveKeys(t, first)
	w := newWorld(t, trusting(server.URL))
	run(t, w.Service)
	fetched(t, w.Service)
	old := w.token(first)
	wantRefused(t, w.Service, old, "")
	server.publish(second)
	wantRefused(t, w.Service, old, "") // which nobody has told here yet
	wantJudged(t, w.Service, w.token(second), "")
	wantRefused(t, w.Service, old, "invalid") // though it was verified before
	wantRefused(t, w.Service, w.token(first), "invalid")
	wantRefused(t, w.Service, w.token(second, "jti", "next"), "")
}

func TestKeysThatVanishAreRefusedWithinTheHour(t *testing.T) {
	afar(t, func(t *testing.T, w *world, n *network, _ *journal) {
		first, second := edSigner("first"), edSigner("second")
		n.publish(first, second)
		pass(time.Minute)
		wantRefused(t, w.Service, now(first), "")
		n.publish(second)
		pass(58 * time.Minute)
		wantRefused(t, w.Service, now(first), "")
		pass(2 * time.Minute)
		wantRefused(t, w.Service, now(first), "invalid")
		wantRefused(t, w.Service, now(second), "")
		n.publish() // all are withdrawn
		pass(time.Hour)
		wantRefused(t, w.Service, now(second), "invalid")
	})
}

// A set that is the same as before leaves what was verified by it.
func TestTheSameKeysVerifyNothingAnew(t *testing.T) {
	afar(t, func(t *testing.T, w *world, n *network, _ *journal) {
		key := edSigner("key")
		n.publish(key)
		pass(time.Minute)
		n.fetches.Store(0)
		token := mint(key, said(time.Now(), "exp", time.Now().Add(3*time.Hour).Unix()), nil)
		wantRefused(t, w.Service, token, "")
		pass(2*time.Hour + time.Minute)
		if n.fetches.Load() != 2 || w.MayWait(token) {
			t.Errorf("after %d fetches the token has to be verified again: %v", n.fetches.Load(), w.MayWait(token))
		}
	})
}

func TestAFileOfKeysIsReadAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, second := edSigner("first"), edSigner("second")
		path := fileOf(t, jwks(first))
		w := newWorld(t, func(o *auth.Options) { o.Now = time.Now }, trusting(path))
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go w.Run(ctx)
		wantRefused(t, w.Service, now(first), "")
		rewrite(t, path, jwks(second))
		wantRefused(t, w.Service, now(second), "")
		wantRefused(t, w.Service, now(first), "invalid")
		rewrite(t, path, []byte("half a fi")) // what cannot be read changes nothing
		pass(2 * time.Hour)
		wantRefused(t, w.Service, now(second), "")
		rewrite(t, path, jwks(first))
		pass(time.Minute)
		wantRefused(t, w.Service, now(first), "")
	})
}

// strangers are tokens that name keys nobody has. They look good but for their
// signature.
func strangers(n int, at time.Time) []string {
	tokens := make([]string, n)
	good := mint(edSigner("x"), said(at), nil)
	for i := range tokens {
		_, rest, _ := strings.Cut(good, ".")
		tokens[i] = segment(fmt.Sprintf(`{"alg":"EdDSA","kid":"%d"}`, i)) + "." + rest
	}
	return tokens
}

func TestFetchesForUnknownKeysAreBounded(t *testing.T) {
	server := serveKeys(t, edSigner("known"))
	w := newWorld(t, trusting(server.URL))
	run(t, w.Service)
	fetched(t, w.Service)
	begun := time.Now()
	var storm sync.WaitGroup
	for _, token := range strangers(1000, w.clock.Now()) {
		storm.Go(func() {
			if _, err := w.Authenticate(t.Context(), token); !fault.Is(err, fault.TokenInvalid) && !fault.Is(err, fault.Busy) {
				t.Errorf("a stranger's token ended with %v", err)
			}
		})
	}
	storm.Wait()
	// One at the start, one for all of them; more only of a machine so slow that
	// one was given up.
	allowed := 2 + int64(time.Since(begun)/(5*time.Second))
	if fetches := server.fetches.Load(); fetches < 2 || fetches > allowed {
		t.Errorf("the keys were fetched %d times, want 2 to %d", fetches, allowed)
	}
}

func TestUnknownKeysAreLookedForOnceInAWhile(t *testing.T) {
	afar(t, func(t *testing.T, w *world, n *network, _ *journal) {
		known, late := edSigner("known"), edSigner("late")
		n.publish(known)
		pass(time.Minute)
		wantRefused(t, w.Service, now(known), "")
		n.fetches.Store(0)
		for range 3 {
			for _, token := range strangers(10, time.Now()) {
				wantRefused(t, w.Service, token, "invalid")
			}
			if fetches := n.fetches.Swap(0); fetches != 1 {
				t.Errorf("%d fetches for ten strangers in a row", fetches)
			}
			pass(29 * time.Second)
			wantRefused(t, w.Service, strangers(1, time.Now())[0], "invalid")
			if fetches := n.fetches.Load(); fetches != 0 {
				t.Errorf("%d fetches half a minute later", fetches)
			}
			pass(2 * time.Second)
		}
		n.publish(known, late)
		wantRefused(t, w.Service, now(late), "")
		// What no key could save is not looked for.
		pass(time.Minute)
		n.fetches.Store(0)
		unknown := edSigner("unknown")
		for _, changes := range [][]any{
			{"aud", "x"}, {"iss", "https://elsewhere.example.com"}, {"exp", time.Now().Unix()}, {"iat", nil}, {"sub", nil},
			{"nbf", time.Now().Add(time.Hour).Unix()},
		} {
			if _, err := w.Authenticate(t.Context(), now(unknown, changes...)); !fault.Is(err, fault.TokenInvalid) {
				t.Errorf("with %v it ended with %v", changes, err)
			}
		}
		if fetches := n.fetches.Load(); fetches != 0 {
			t.Errorf("%d fetches for tokens that nothing could save", fetches)
		}
	})
}

func TestWaitingForKeysIsBounded(t *testing.T) {
	afar(t, func(t *testing.T, w *world, n *network, _ *journal) {
		known := edSigner("known")
		n.publish(known)
		pass(time.Minute)
		wantRefused(t, w.Service, now(known), "")
		n.fetches.Store(0)
		n.hang()
		begun := time.Now()
		var waited atomic.Int64
		var waiting sync.WaitGroup
		for _, token := range strangers(64, begun) {
			waiting.Go(func() {
				wantBusy(t, w.Service, token)
				waited.Add(int64(time.Since(begun)))
			})
		}
		synctest.Wait()
		wantBusy(t, w.Service, strangers(65, begun)[64])
		if took := time.Since(begun); took != 0 {
			t.Errorf("one too many waited for %s", took)
		}
		wantRefused(t, w.Service, now(known), "") // who has a key waits for nobody
		waiting.Wait()
		if each := time.Duration(waited.Load()) / 64; each != 2*time.Second || n.fetches.Load() != 1 {
			t.Errorf("each of 64 waited for %s, and there were %d fetches", each, n.fetches.Load())
		}
	})
}

func TestAnIssuerOutOfReachIsBusyAlone(t *testing.T) {
	afar(t, func(t *testing.T, w *world, n *network, log *journal) {
		key := edSigner("key")
		own, _ := w.login()
		for range 20 {
			wantBusy(t, w.Service, now(key))
			wantRefused(t, w.Service, now(key, "aud", "x"), "invalid") // which no key could save
			wantRefused(t, w.Service, own, "")
			if err := w.Ready(); err != nil {
				t.Fatalf("not ready: %v", err)
			}
			pass(10 * time.Second)
		}
		if keys := w.IssuerKeys(); len(keys) != 1 || keys[0] != (auth.IssuerKeys{Issuer: abroadName}) {
			t.Errorf("the keys are %+v", keys)
		}
		if told := log.count("cannot be read"); told != 1 {
			t.Errorf("it was told %d times", told)
		}
		if fetches := n.fetches.Load(); fetches < 7 || fetches > 20 {
			t.Errorf("%d fetches in 200 s", fetches)
		}
		n.publish(key)
		pass(31 * time.Second)
		wantRefused(t, w.Service, now(key), "")
		if keys := w.IssuerKeys(); keys[0].Count != 1 || keys[0].ReadAt.IsZero() {
			t.Errorf("the keys are %+v", keys)
		}
		n.fail()
		pass(24 * time.Hour)
		wantRefused(t, w.Service, now(key), "") // with the keys of before
		wantBusy(t, w.Service, now(edSigner("new")))
		n.publish(key)
		pass(time.Minute)
		wantRefused(t, w.Service, now(edSigner("new")), "invalid")
		if log.count("stay in use") != 1 || log.count("can be read again") != 1 || log.count("keys=1") != 1 {
			t.Errorf("the log holds\n%s", log.text.String())
		}
		if log.count("secretive") != 0 {
			t.Error("the log tells the URL")
		}
	})
}

// Without Run nobody fetches, and nobody waits for ever.
func TestKeysOfAServiceThatDoesNotRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network{}
		key := edSigner("key")
		n.publish(key)
		w := newWorld(t, func(o *auth.Options) { o.Now, o.Transport = time.Now, n }, trusting("https://id.example.com/keys"))
		begun := time.Now()
		wantBusy(t, w.Service, now(key))
		if took := time.Since(begun); took != 2*time.Second || n.fetches.Load() != 0 {
			t.Errorf("it took %s and %d fetches", took, n.fetches.Load())
		}
	})
}

func TestCallersThatGoAwayWaitForNothing(t *testing.T) {
	afar(t, func(t *testing.T, w *world, n *network, _ *journal) {
		n.hang()
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() {
			_, err := w.Authenticate(ctx, now(edSigner("key")))
			ended <- err
		}()
		synctest.Wait()
		cancel()
		if err := <-ended; !fault.Is(err, fault.Busy) || !errors.Is(err, context.Canceled) {
			t.Errorf("it ended with %v", err)
		}
	})
}
