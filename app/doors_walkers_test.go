package app_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"

	"github.com/walkergate/walkergate/auth"
	"github.com/walkergate/walkergate/fault"
	"github.com/walkergate/walkergate/specs"
	"github.com/walkergate/walkergate/walkers"
)

// doorRow is a walker of TestDoorsAgree.
type doorRow struct {
	name     string
	spec     specs.Walker
	fields   []doorField
	register func(*walkers.Registry)
}

// compared are the two doors that are compared.
var compared = []specs.Method{specs.WebSocket, specs.Post}

// doorOf makes a walker; one that names no methods has both doors.
func doorOf[In any](spec specs.Walker, fields []doorField, handle func(context.Context, *walkers.Call, In) error) doorRow {
	if spec.Methods == nil {
		spec.Methods = compared
	}
	return doorRow{
		name: spec.Name, spec: spec, fields: fields,
		register: func(registry *walkers.Registry) { walkers.Register(registry, spec, handle) },
	}
}

func (r doorRow) socket() bool { return slices.Contains(r.spec.Methods, specs.WebSocket) }

func (r doorRow) rest() bool {
	return slices.ContainsFunc(r.spec.Methods, func(method specs.Method) bool { return method.IsHTTP() })
}

// verb is the method of HTTP by which the walker is called.
func (r doorRow) verb() string {
	for _, method := range r.spec.Methods {
		if method.IsHTTP() {
			return method.HTTP()
		}
	}
	return specs.Post.HTTP()
}

// entered is in how many of four calls the walker is called at a node.
func (r doorRow) entered() int {
	if r.spec.EntryType == specs.Node || r.spec.Enter != nil {
		return 3
	}
	return 1
}

// doorWordIn is the context of walkers that are about something else.
type doorWordIn struct {
	Word  string `json:"word"`
	Times int    `json:"times" default:"1"`
}

var doorWord = []doorField{{"word", textsJSON}, {"times", smallIntegers}}

// tellCall reports all that a walker sees of its call but for the door itself.
func tellCall(_ context.Context, call *walkers.Call, in doorWordIn) error {
	call.Report(map[string]any{"in": in, "root": call.RootID(), "node": call.Node(), "at_root": call.AtRoot(), "public": call.Principal().IsPublic()})
	return nil
}

// doorQuick is the time of walkers that use all of it.
const doorQuick = 30 * time.Millisecond

func doorRows() [][]doorRow {
	return [][]doorRow{admissionRows(), contextRows(), answerRows(), failingRows()}
}

// admissionRows are about who may call, where, and by which door.
func admissionRows() []doorRow {
	public := specs.NoAuth
	return []doorRow{
		doorOf(specs.Walker{Name: "open", Auth: public}, doorWord, tellCall),
		doorOf(specs.Walker{Name: "mine"}, doorWord, tellCall),
		doorOf(specs.Walker{Name: "mine.at-a_node", Enter: enterByName}, doorWord, tellCall),
		doorOf(specs.Walker{Name: "open_enter", Auth: public, Enter: enterByName}, doorWord, tellCall),
		doorOf(specs.Walker{Name: "slow_enter", Auth: public, Enter: enterSlowly, Timeout: doorQuick}, doorWord, endWithTime),
		doorOf(specs.Walker{Name: "root_only", Auth: public, EntryType: specs.Root}, doorWord, tellCall),
		doorOf(specs.Walker{Name: "node_only", EntryType: specs.Node, Enter: enterByName}, doorWord, tellCall),
		doorOf(specs.Walker{Name: "socket_only", Auth: public, Methods: []specs.Method{specs.WebSocket}}, doorWord, tellCall),
		doorOf(specs.Walker{Name: "post_only", Auth: public, Methods: []specs.Method{specs.Post}}, doorWord, tellCall),
		doorOf(specs.Walker{Name: "get_too", Auth: public, Methods: []specs.Method{specs.WebSocket, specs.Get}}, doorWord, tellCall),
		doorOf(specs.Walker{Name: "private", Auth: public, Private: true}, doorWord, tellCall),
		doorOf(specs.Walker{Name: "accepted", Auth: public, StatusCode: 202}, doorWord, tellCall),
		doorOf(specs.Walker{Name: "limited", Limits: specs.Limits{ContextBytes: 48, Concurrent: 1}}, doorWord, tellCall),
		doorOf(specs.Walker{Name: "nothing", Auth: public}, nil, func(context.Context, *walkers.Call, struct{}) error { return nil }),
	}
}

// enterByName decides by what stands before the colon.
func enterByName(_ context.Context, principal auth.Principal, node string) error {
	switch kind, _, _ := strings.Cut(node, ":"); kind {
	case "allow", "n", "a b", "ünï":
		return nil
	case "fault":
		return fault.New(fault.NotFound, "no such node for "+principal.RootID, fault.Detail{Field: "node", Reason: "gone"})
	case "internal":
		return fault.New(fault.Internal, "the password is 1234")
	case "panic":
		panic("enter")
	}
	return errors.New("no")
}

func enterSlowly(ctx context.Context, _ auth.Principal, _ string) error {
	<-ctx.Done()
	return ctx.Err()
}

// endWithTime always runs out of time: a walker that might do otherwise would
// be answered by how busy the machine is.
func endWithTime(ctx context.Context, call *walkers.Call, in doorWordIn) error {
	call.Report(in)
	<-ctx.Done()
	return ctx.Err()
}

// contextRows are about what a context holds.
func contextRows() []doorRow {
	type inner struct {
		X int    `json:"x"`
		Y string `json:"y" default:"why"`
		Z *inner `json:"z"`
	}
	type sizes struct {
		I8  int8        `json:"i8" default:"-8"`
		I16 int16       `json:"i16,omitempty"`
		I64 int64       `json:"i64"`
		U8  uint8       `json:"u8"`
		U64 uint64      `json:"u64,omitzero"`
		F32 float32     `json:"f32" default:"0.5"`
		F64 float64     `json:"f64"`
		N   json.Number `json:"n" default:"1"`
		B   bool        `json:"b" default:"true"`
	}
	type parts struct {
		Inner   inner             `json:"inner"`
		Pointer *inner            `json:"pointer"`
		List    []inner           `json:"list" default:"[{\"x\":1}]"`
		Lists   [][]int           `json:"lists,omitempty"`
		Map     map[string]string `json:"map" default:"{\"a\":\"b\"}"`
		Pair    [2]int            `json:"pair" default:"[1,2]"`
		Any     any               `json:"any" default:"null"`
		Raw     json.RawMessage   `json:"raw" default:"{}"`
		Time    time.Time         `json:"time,omitzero"`
		Bytes   []byte            `json:"bytes" default:"AQI="`
	}
	type checked struct {
		Colour string   `json:"colour" validate:"oneof=red green blue"`
		Size   int      `json:"size" validate:"min=1,max=5"`
		Tags   []string `json:"tags" validate:"max=2,dive,min=2" default:"[]"`
		Inner  struct {
			Mail string `json:"mail" validate:"email"`
		} `json:"inner"`
	}
	type hidden struct {
		Word   string `json:"word"`
		Secret string `json:"secret" default:"unset"`
		Level  int    `json:"level" default:"7"`
	}
	innermost := objectOf(doorField{"x", smallIntegers}, doorField{"y", textsJSON})
	object := objectOf(doorField{"x", smallIntegers}, doorField{"y", textsJSON}, doorField{"z", orNull(innermost)})
	hiddenFields := []doorField{{"word", textsJSON}, {"secret", textsJSON}, {"level", integersJSON}}
	return []doorRow{
		doorOf(specs.Walker{Name: "sizes", Auth: specs.NoAuth}, []doorField{
			{"i8", smallIntegers}, {"i16", integersJSON}, {"i64", integersJSON}, {"u8", smallIntegers}, {"u64", integersJSON},
			{"f32", numbersJSON}, {"f64", numbersJSON}, {"n", numbersJSON}, {"b", booleansJSON},
		}, reportIn[sizes]),
		doorOf(specs.Walker{Name: "small_sizes", Auth: specs.NoAuth}, []doorField{
			{"i8", smallIntegers}, {"i64", smallIntegers}, {"u8", smallIntegers}, {"f64", smallIntegers}, {"b", booleansJSON},
		}, reportIn[sizes]),
		doorOf(specs.Walker{Name: "parts", Auth: specs.NoAuth}, []doorField{
			{"inner", object}, {"pointer", orNull(object)}, {"list", listOf(object, 3)}, {"lists", listOf(listOf(smallIntegers, 2), 3)},
			{"map", mapOf(textsJSON)}, {"pair", listOf(smallIntegers, 2)}, {"any", anyJSON}, {"raw", anyJSON},
			{"time", rapid.SampledFrom([]string{`"2026-01-02T03:04:05Z"`, `"2026-01-02T03:04:05.123456789+01:00"`, `"today"`})},
			{"bytes", rapid.SampledFrom([]string{`""`, `"AQID"`, `"AQ"`, `"!"`})},
		}, reportIn[parts]),
		doorOf(specs.Walker{Name: "some_parts"}, []doorField{{"inner", object}, {"any", anyJSON}, {"raw", anyJSON}}, reportIn[parts]),
		doorOf(specs.Walker{Name: "checked", Auth: specs.NoAuth}, []doorField{
			{"colour", rapid.SampledFrom([]string{`"red"`, `"green"`, `"Red"`, `""`})},
			{"size", smallIntegers}, {"tags", listOf(textsJSON, 3)},
			{"inner", objectOf(doorField{"mail", rapid.SampledFrom([]string{`"a@example.com"`, `"a"`})})},
		}, reportIn[checked]),
		doorOf(specs.Walker{Name: "hidden", Auth: specs.NoAuth, Excluded: []string{"secret", "level"}}, hiddenFields, reportIn[hidden]),
		doorOf(specs.Walker{Name: "all_hidden", Excluded: []string{specs.All}}, []doorField{{"a", integersJSON}, {"b", textsJSON}},
			reportIn[struct {
				A int    `json:"a" default:"3"`
				B string `json:"b" default:"b"`
			}]),
	}
}

func reportIn[In any](_ context.Context, call *walkers.Call, in In) error {
	call.Report(in)
	return nil
}

// answerRows are about what a walker answers.
func answerRows() []doorRow {
	type answer struct {
		Status int    `json:"status" default:"200"`
		Values []any  `json:"values" default:"[1,\"two\",null]"`
		Body   any    `json:"body" default:"null"`
		Text   string `json:"text" default:"text"`
		Kind   string `json:"kind" default:"text/plain"`
	}
	statuses := rapid.OneOf(
		rapid.Map(rapid.IntRange(200, 599), func(n int) string { return fmt.Sprint(n) }),
		rapid.SampledFrom([]string{"200", "204", "205", "304", "199", "600", "0", "-1", "422", "500"}))
	kinds := rapid.SampledFrom([]string{`"text/plain"`, `"text/html; charset=utf-8"`, `"application/json"`, `"application/json; charset=utf-8"`, `"application/xml"`, `"broken\n"`})
	bodies := rapid.OneOf(textsJSON, rapid.SampledFrom([]string{`"{\"a\":1}"`, `" [1, 2]\n"`, `"{"`, `"null"`}))
	fields := []doorField{{"status", statuses}, {"values", listOf(anyJSON, 4)}, {"body", anyJSON}, {"text", bodies}, {"kind", kinds}}
	public := func(name string) specs.Walker { return specs.Walker{Name: name, Auth: specs.NoAuth} }
	return []doorRow{
		doorOf(public("several"), fields, func(_ context.Context, call *walkers.Call, in answer) error {
			call.Status(in.Status)
			for _, value := range in.Values {
				call.Report(value)
			}
			return nil
		}),
		doorOf(public("json_body"), fields, func(_ context.Context, call *walkers.Call, in answer) error {
			call.Status(in.Status)
			call.Report("not sent")
			call.JSON(in.Body)
			return nil
		}),
		doorOf(public("own_body"), fields, func(_ context.Context, call *walkers.Call, in answer) error {
			call.Body(in.Kind, []byte(in.Text))
			call.Status(in.Status)
			return nil
		}),
		doorOf(public("bytes_body"), doorWord, func(_ context.Context, call *walkers.Call, in doorWordIn) error {
			call.Body([]string{"application/json", "application/octet-stream"}[in.Times%2], []byte("\"\xff"+in.Word+"\""))
			return nil
		}),
		doorOf(public("raw_report"), doorWord, func(_ context.Context, call *walkers.Call, in doorWordIn) error {
			call.Report(json.RawMessage([]string{" {\"a\" : [1e400,\"<\"] }", "{", "", "null", "\"\\ud800\"", "\"\xff\""}[in.Times%6]))
			return nil
		}),
		doorOf(public("headers"), doorWord, func(_ context.Context, call *walkers.Call, in doorWordIn) error {
			call.Header("X-Word", fmt.Sprint(in.Times))
			if in.Times > 5 {
				call.Header("Content-Length", "1")
			}
			call.Report(in.Word)
			return nil
		}),
		doorOf(public("notifies"), doorWord, func(ctx context.Context, call *walkers.Call, in doorWordIn) error {
			// What becomes of it is the one thing that must differ by door.
			if _, err := call.Notify.Self(ctx, map[string]any{noteField: in.Word}); err != nil {
				return err
			}
			outcome, err := call.Notify.Channels(ctx, []string{"nobody is here"}, map[string]any{noteField: in.Word})
			call.Report(outcome)
			return err
		}),
	}
}

// failingRows are about how a walker can fail.
func failingRows() []doorRow {
	type failure struct {
		Code    string `json:"code" default:"conflict"`
		Message string `json:"message" default:"no"`
		Fields  []string
	}
	codes := rapid.Map(rapid.SampledFrom([]fault.Code{
		fault.BadFrame, fault.BadCredentials, fault.UnknownType, fault.Unauthenticated, fault.TokenInvalid, fault.Forbidden, fault.UnknownWalker, fault.NotFound,
		fault.MethodNotAllowed, fault.Conflict, fault.TooLarge, fault.InvalidContext, fault.RateLimited, fault.Internal, fault.Busy, fault.Timeout, "own_code",
	}), func(code fault.Code) string { return asJSON(string(code)) })
	failing := func(name string, fail func(ctx context.Context, call *walkers.Call) error) doorRow {
		return doorOf(specs.Walker{Name: name, Auth: specs.NoAuth}, doorWord, func(ctx context.Context, call *walkers.Call, in doorWordIn) error {
			call.Status(201)
			call.Report(in)
			return fail(ctx, call)
		})
	}
	return []doorRow{
		doorOf(specs.Walker{Name: "faults", Auth: specs.NoAuth}, []doorField{{"code", codes}, {"message", textsJSON}, {"Fields", listOf(textsJSON, 3)}},
			func(_ context.Context, _ *walkers.Call, in failure) error {
				var details []fault.Detail
				for _, field := range in.Fields {
					details = append(details, fault.Detail{Field: field, Reason: "because"})
				}
				return fmt.Errorf("wrapped: %w", fault.New(fault.Code(in.Code), in.Message, details...))
			}),
		failing("errs", func(context.Context, *walkers.Call) error { return errors.New("the password is 1234") }),
		failing("panics", func(context.Context, *walkers.Call) error { panic("the password is 1234") }),
		failing("exits", func(context.Context, *walkers.Call) error { runtime.Goexit(); return nil }),
		failing("unencodable", func(_ context.Context, call *walkers.Call) error { call.Report(make(chan int)); return nil }),
		failing("unencodable_body", func(_ context.Context, call *walkers.Call) error { call.JSON(func() {}); return nil }),
		doorOf(specs.Walker{Name: "slow", Auth: specs.NoAuth, Timeout: doorQuick}, doorWord, endWithTime),
		doorOf(specs.Walker{Name: "slow_elsewhere"}, doorWord, func(context.Context, *walkers.Call, doorWordIn) error {
			return fmt.Errorf("ask another: %w", context.DeadlineExceeded)
		}),
	}
}
