package walkers_test

import (
	"context"
	"encoding/json"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/walkergate/walkergate/specs"
	"github.com/walkergate/walkergate/walkers"
)

// answer runs a handler as walker "take" and gives its answer.
func answer(t *testing.T, spec specs.Walker, handle func(*walkers.Call)) walkers.Answer {
	t.Helper()
	spec.Name = "take"
	r := runner(t, walkers.Options{}, func(registry *walkers.Registry) {
		walkers.Register(registry, spec, func(_ context.Context, call *walkers.Call, _ struct{}) error {
			handle(call)
			return nil
		})
	})
	got, err := r.Run(context.Background(), overREST(""))
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestTheEnvelope(t *testing.T) {
	if got := answer(t, specs.Walker{}, func(*walkers.Call) {}); string(got.JSON()) != `{"status":200,"reports":[]}` || got.Custom || got.Header != nil {
		t.Errorf("answer is %s, %+v", got.JSON(), got)
	}
	got := answer(t, specs.Walker{StatusCode: 201}, func(call *walkers.Call) {
		list := []int{1}
		call.Report(list)
		list[0] = 2
		call.Report("<a & b>")
		call.Report(json.RawMessage(`{ "x": 12345678901234567890 }`))
		call.Report(nil)
	})
	if want := `{"status":201,"reports":[[1],"<a & b>",{"x":12345678901234567890},null]}`; string(got.JSON()) != want {
		t.Errorf("answer is %s, want %s", got.JSON(), want)
	}
	if got := answer(t, specs.Walker{StatusCode: 201}, func(call *walkers.Call) { call.Status(418) }); got.Status != 418 {
		t.Errorf("status is %d", got.Status)
	}
}

func TestACustomAnswer(t *testing.T) {
	got := answer(t, specs.Walker{}, func(call *walkers.Call) {
		call.Report(1)
		call.JSON(map[string]int{"a": 1})
	})
	if !got.Custom || got.ContentType != "application/json" || string(got.Body) != `{"a":1}` {
		t.Errorf("answer is %+v", got)
	}
	got = answer(t, specs.Walker{}, func(call *walkers.Call) { call.Body("text/html; charset=utf-8", []byte("<p>")) })
	if !got.Custom || got.ContentType != "text/html; charset=utf-8" || string(got.Body) != "<p>" {
		t.Errorf("answer is %+v", got)
	}
}

func TestHeaders(t *testing.T) {
	got := answer(t, specs.Walker{}, func(call *walkers.Call) {
		call.Header("x-one", "1")
		call.Header("X-One", "2", "3")
		call.Header("X-Two", "2")
		call.Header("X-Two")
	})
	if diff := cmp.Diff(http.Header{"X-One": {"2", "3"}}, got.Header); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
}

func TestACallTellsWhatItIs(t *testing.T) {
	var got *walkers.Call
	r := runner(t, walkers.Options{}, func(registry *walkers.Registry) {
		walkers.Register(registry, specs.Walker{Name: "take", Methods: []specs.Method{specs.WebSocket, specs.Post}},
			func(_ context.Context, call *walkers.Call, _ struct{}) error {
				got = call
				return nil
			})
	})
	inv := overSocket("")
	inv.ClientID, inv.RequestID = "1730887348:f46d", "r1"
	if _, err := r.Run(context.Background(), inv); err != nil {
		t.Fatal(err)
	}
	id, ok := got.ClientID()
	if got.Principal() != alice || got.RootID() != alice.RootID || got.Door() != specs.WebSocket || id != inv.ClientID || !ok ||
		got.RequestID() != "r1" || got.Node() != alice.RootID || !got.AtRoot() {
		t.Errorf("call is %+v", got)
	}
	if _, err := r.Run(context.Background(), overREST("")); err != nil {
		t.Fatal(err)
	}
	if id, ok := got.ClientID(); ok || got.Door() != specs.Post {
		t.Errorf("over REST: client id %q, door %s", id, got.Door())
	}
}

func TestAnAnswerIsLeftAloneOnceItIsGiven(t *testing.T) {
	var late *walkers.Call
	got := answer(t, specs.Walker{}, func(call *walkers.Call) {
		call.Report(1)
		call.Header("X", "early")
		late = call
	})
	late.Report(2)
	late.Report(make(chan int))
	late.Status(500)
	late.Status(7)
	late.Header("X", "late")
	late.Header("Y", "late")
	late.JSON(3)
	if string(got.JSON()) != `{"status":200,"reports":[1]}` || got.Custom || !cmp.Equal(got.Header, http.Header{"X": {"early"}}) {
		t.Errorf("answer is %s, %+v", got.JSON(), got)
	}
}

// What a walker reports without encoding it may be no UTF-8; what leaves must
// be, or the receiver's browser closes the connection.
func TestReportIsAlwaysUTF8(t *testing.T) {
	got := answer(t, specs.Walker{}, func(call *walkers.Call) { call.Report(json.RawMessage("\"a\xffb\"")) })
	if string(got.Reports) != "[\"a\ufffdb\"]" {
		t.Errorf("reports are %q", got.Reports)
	}
}
