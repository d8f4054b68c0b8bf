package walkers_test

import (
	"context"
	"errors"
	"testing"

	"go.uber.org/goleak"

	"github.com/walkergate/walkergate/auth"
	"github.com/walkergate/walkergate/fault"
	"github.com/walkergate/walkergate/specs"
	"github.com/walkergate/walkergate/walkers"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var alice = auth.Principal{UserID: "672b35cec309e5ef8469c372", RootID: "n::672b35cec309e5ef8469c372"}

// runner makes a runner of what register adds.
func runner(t testing.TB, options walkers.Options, register func(*walkers.Registry)) *walkers.Runner {
	t.Helper()
	registry := walkers.NewRegistry()
	register(registry)
	r, err := registry.Runner(options)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// taker makes a runner of one walker, "take", that hands over what it got.
func taker[In any](t testing.TB, spec specs.Walker) (r *walkers.Runner, taken func() In) {
	t.Helper()
	var got In
	spec.Name = "take"
	if spec.Methods == nil {
		spec.Methods = []specs.Method{specs.WebSocket, specs.Post}
	}
	r = runner(t, walkers.Options{}, func(registry *walkers.Registry) {
		walkers.Register(registry, spec, func(_ context.Context, _ *walkers.Call, in In) error {
			got = in
			return nil
		})
	})
	return r, func() In { return got }
}

// over calls walker "take" with a context over the socket, as alice.
func overSocket(context string) walkers.Invocation {
	return walkers.Invocation{Walker: "take", Door: specs.WebSocket, Context: []byte(context), Principal: alice}
}

func overREST(body string) walkers.Invocation {
	inv := overSocket(body)
	inv.Door = specs.Post
	return inv
}

// told gives the fault of an error, and fails where it is none.
func told(t testing.TB, err error) *fault.Error {
	t.Helper()
	var f *fault.Error
	if !errors.As(err, &f) {
		t.Fatalf("error is %v, want a fault", err)
	}
	return f
}

// expect fails unless the error bears that code and that message, where one is
// given.
func expect(t testing.TB, err error, code fault.Code, message string) *fault.Error {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want %s", code)
	}
	f := told(t, err)
	if f.Code != code || message != "" && f.Message != message {
		t.Fatalf("error is %s %q, want %s %q", f.Code, f.Message, code, message)
	}
	return f
}
