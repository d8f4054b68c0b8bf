package app_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/walkergate/walkergate/app"
	"github.com/walkergate/walkergate/internal/testkit"
	"github.com/walkergate/walkergate/specs"
	"github.com/walkergate/walkergate/walkers"
)

type routedContext struct {
	ID     int      `json:"id"`
	Sort   string   `json:"sort" default:"up"`
	Limits []int    `json:"limits,omitempty"`
	Deep   bool     `json:"deep,omitempty"`
	Secret string   `json:"secret" default:"kept"`
	Note   *string  `json:"note"`
	Ratio  *float64 `json:"ratio"`
}

// routed are walkers with paths and methods of their own.
func routed(r *walkers.Registry) {
	echo := func(_ context.Context, call *walkers.Call, in routedContext) error {
		call.Report(in)
		call.Report(call.Door())
		return nil
	}
	every := []specs.Method{specs.Get, specs.Post, specs.Put, specs.Patch, specs.Delete}
	walkers.Register(r, specs.Walker{
		Name: "every", Methods: every, Auth: specs.NoAuth, AsQuery: []string{"sort", "limits", "deep", "ratio"}, Excluded: []string{"secret"},
	}, echo)
	walkers.Register(r, specs.Walker{
		Name: "below", Path: "{id}/items", Methods: []specs.Method{specs.Get, specs.WebSocket}, Auth: specs.NoAuth,
		AsQuery: []string{specs.All}, Excluded: []string{"secret"},
	}, echo)
	walkers.Register(r, specs.Walker{
		Name: "absolute", Path: "/api/v1/things/{id}", Methods: []specs.Method{specs.Post}, Excluded: []string{"secret"},
		Enter: onlyOpenNodes,
	}, echo)
	walkers.Register(r, specs.Walker{
		Name: "absolute_gone", Path: "/api/v1/things/{id}", Methods: []specs.Method{specs.Delete}, Auth: specs.NoAuth,
	}, func(_ context.Context, call *walkers.Call, in struct {
		ID int `json:"id"`
	},
	) error {
		call.Status(http.StatusNoContent)
		return nil
	})
}

func TestRESTMethods(t *testing.T) {
	t.Parallel()
	g := testkit.Start(t, testkit.Walkers(routed))
	for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE"} {
		got := g.Request(t, method, "/walker/every", "", testkit.Frame{"id": 7})
		reports, _ := got.JSON(t)["reports"].([]any)
		if got.Status != 200 || len(reports) != 2 || reports[1] != strings.ToLower(method) {
			t.Errorf("%s: %d %s", method, got.Status, got.Body)
		}
	}
	t.Run("HEAD is GET without the body", func(t *testing.T) {
		get := g.Request(t, "GET", "/walker/below/7/items", "", nil)
		head := g.Request(t, "HEAD", "/walker/below/7/items", "", nil)
		if head.Status != 200 || len(head.Body) != 0 || head.Header.Get("Content-Length") != get.Header.Get("Content-Length") {
			t.Errorf("%d %v %q", head.Status, head.Header, head.Body)
		}
	})
	t.Run("another method", func(t *testing.T) {
		tests := []struct{ method, path, allow string }{
			{"GET", "/walker/echo", "OPTIONS, POST"},
			{"HEAD", "/walker/echo", "OPTIONS, POST"},
			{"POST", "/walker/below/7/items", "GET, HEAD, OPTIONS"},
			{"GET", "/api/v1/things/7", "DELETE, OPTIONS, POST"},
			{"TRACE", "/walker/every", "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"},
			{"GET", "/walker/echo/n:Room:open", "OPTIONS, POST"},
		}
		for _, test := range tests {
			got := g.Request(t, test.method, test.path, "", nil)
			if got.Status != http.StatusMethodNotAllowed || got.Header.Get("Allow") != test.allow {
				t.Errorf("%s %s: %d, Allow %q, want %q", test.method, test.path, got.Status, got.Header.Get("Allow"), test.allow)
			}
			if test.method != "HEAD" && got.JSON(t)["code"] != "method_not_allowed" {
				t.Errorf("%s %s: %s", test.method, test.path, got.Body)
			}
		}
		got := g.Request(t, "PUT", "/user/login", "", nil)
		if got.Status != http.StatusMethodNotAllowed || !strings.Contains(got.Header.Get("Allow"), "POST") {
			t.Errorf("PUT /user/login: %d, Allow %q", got.Status, got.Header.Get("Allow"))
		}
	})
	t.Run("OPTIONS", func(t *testing.T) {
		for path, allow := range map[string]string{
			"/walker/echo": "OPTIONS, POST", "/walker/below/7/items": "GET, HEAD, OPTIONS", "/api/v1/things/7": "DELETE, OPTIONS, POST",
		} {
			got := g.Request(t, "OPTIONS", path, "", nil)
			if got.Status != http.StatusNoContent || got.Header.Get("Allow") != allow {
				t.Errorf("%s: %d, Allow %q, want %q", path, got.Status, got.Header.Get("Allow"), allow)
			}
		}
	})
}

func TestRESTPaths(t *testing.T) {
	t.Parallel()
	g := testkit.Start(t, testkit.Walkers(routed))
	user := g.NewUser(t)
	tests := []struct {
		name, method, path string
		status             int
		code               string
	}{
		{"relative path", "GET", "/walker/below/7/items", 200, ""},
		{"its plain form is no way in", "GET", "/walker/below", 404, "not_found"},
		{"nor is its node form", "GET", "/walker/below/7", 404, "not_found"},
		{"absolute path", "POST", "/api/v1/things/7", 200, ""},
		{"absolute path with a node", "POST", "/api/v1/things/7/n:Room:open", 200, ""},
		{"absolute path with a node that is refused", "POST", "/api/v1/things/7/n:Room:shut", 403, "forbidden"},
		{"absolute path of another method's walker", "DELETE", "/api/v1/things/7", 204, ""},
		{"a variable of another type", "POST", "/api/v1/things/seven", 422, "invalid_context"},
		{"an unknown walker", "POST", "/walker/nobody", 404, "unknown_walker"},
		{"an unknown path", "GET", "/nothing/here", 404, "not_found"},
		{"another case", "POST", "/Walker/echo", 404, "not_found"},
		{"a path too deep", "POST", "/walker/echo/a/b", 404, "not_found"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := g.Request(t, test.method, test.path, user.Token, nil)
			if got.Status != test.status {
				t.Fatalf("%d %s, want %d", got.Status, got.Body, test.status)
			}
			if test.code != "" && (got.JSON(t)["code"] != test.code || got.JSON(t)["status"] != float64(test.status)) {
				t.Errorf("%s, want code %s", got.Body, test.code)
			}
		})
	}
}

func TestRESTFieldSources(t *testing.T) {
	t.Parallel()
	g := testkit.Start(t, testkit.Walkers(routed))
	plain := func(change testkit.Frame) testkit.Frame {
		want := testkit.Frame{"id": 7.0, "sort": "up", "secret": "kept", "note": nil, "ratio": nil}
		for name, value := range change {
			want[name] = value
		}
		return want
	}
	tests := []struct {
		name, method, path string
		body               any
		want               testkit.Frame // nil: refused
		details            []any
	}{
		{"body", "POST", "/walker/every", `{"id":7,"note":"n"}`, plain(testkit.Frame{"note": "n"}), nil},
		{"query", "POST", "/walker/every?sort=down&limits=1&limits=2&deep=true&ratio=0.5", `{"id":7}`,
			plain(testkit.Frame{"sort": "down", "limits": []any{1.0, 2.0}, "deep": true, "ratio": 0.5}), nil},
		{"a query field is not taken from the body", "POST", "/walker/every", `{"id":7,"sort":"down"}`, plain(nil), nil},
		{"a body field is not taken from the query", "POST", "/walker/every?id=8&note=n", `{"id":7}`, plain(nil), nil},
		{"an excluded field is taken from nowhere", "POST", "/walker/every?secret=x", `{"id":7,"secret":"y"}`, plain(nil), nil},
		{"path and query alone", "GET", "/walker/below/7/items?sort=a%20b&note=%C3%A9", nil, plain(testkit.Frame{"sort": "a b", "note": "é"}), nil},
		{"path before body", "GET", "/walker/below/7/items", `{"id":8}`, plain(nil), nil},
		{"query of the wrong type", "POST", "/walker/every?deep=yes&limits=x&ratio=big", `{"id":7}`, nil,
			[]any{detail("limits[0]", "expected integer"), detail("deep", "expected boolean"), detail("ratio", "expected number")}},
		{"query given twice", "POST", "/walker/every?sort=a&sort=b", `{"id":7}`, nil, []any{detail("sort", "expected one value")}},
		{"body of the wrong type", "POST", "/walker/every", `{"id":"7"}`, nil, []any{detail("id", "expected integer")}},
		{"no body", "POST", "/walker/every", nil, nil, []any{detail("id", "required")}},
		{"body that is no object", "POST", "/walker/every", `[]`, nil, nil},
		{"body that is no JSON", "POST", "/walker/every", `{`, nil, nil},
		{"a query that is none", "POST", "/walker/every?a=%zz", `{"id":7}`, nil, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := g.Request(t, test.method, test.path, "", test.body)
			body := got.JSON(t)
			if test.want == nil {
				if got.Status != 422 || body["code"] != "invalid_context" {
					t.Fatalf("%d %s", got.Status, got.Body)
				}
				if test.details != nil && !cmp.Equal(any(test.details), body["details"]) {
					t.Errorf("details %v, want %v", body["details"], test.details)
				}
				return
			}
			reports, _ := body["reports"].([]any)
			if got.Status != 200 || len(reports) == 0 {
				t.Fatalf("%d %s", got.Status, got.Body)
			}
			if diff := cmp.Diff(any(test.want), reports[0]); diff != "" {
				t.Errorf("context (-want +got):\n%s", diff)
			}
		})
	}
	t.Run("over the socket all but the excluded are of the context", func(t *testing.T) {
		s := g.Dial(t, "", "")
		got := s.Ask(call("below", testkit.Frame{"id": 7, "sort": "down", "secret": "x"}))
		if diff := cmp.Diff(any(plain(testkit.Frame{"sort": "down"})), got["reports"].([]any)[0]); diff != "" {
			t.Errorf("context (-want +got):\n%s", diff)
		}
	})
}

func TestWalkersShapeTheirAnswers(t *testing.T) {
	t.Parallel()
	g := testkit.Start(t, testkit.Walkers(fixtures))
	s := g.Dial(t, "", "")
	tests := []struct {
		name    string
		context testkit.Frame
		status  int
		body    string // over REST
		kind    string
		reply   string // over the socket, with an id
	}{
		{"plain", testkit.Frame{}, 200, `{"status":200,"reports":["shaped"]}`, "application/json", `"status":200,"reports":["shaped"]`},
		{"another status", testkit.Frame{"status": 418}, 418, `{"status":418,"reports":["shaped"]}`, "application/json", `"status":418,"reports":["shaped"]`},
		{"created", testkit.Frame{"status": 201}, 201, `{"status":201,"reports":["shaped"]}`, "application/json", `"status":201,"reports":["shaped"]`},
		{"no content", testkit.Frame{"status": 204}, 204, ``, "", `"status":204,"reports":["shaped"]`},
		{"reset content", testkit.Frame{"status": 205}, 205, ``, "", `"status":205,"reports":["shaped"]`},
		{"not modified", testkit.Frame{"status": 304}, 304, ``, "", `"status":304,"reports":["shaped"]`},
		{"own text", testkit.Frame{"body": "<p>"}, 200, `<p>`, "text/plain; charset=utf-8", `"status":200,"body":"\u003cp\u003e"`},
		{"own JSON", testkit.Frame{"json": true, "body": "b", "status": 202}, 202, `{"own":"b"}`, "application/json", `"status":202,"body":{"own":"b"}`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			test.context["header"] = "set"
			got := g.Post(t, "shape", "", test.context)
			if got.Status != test.status || string(got.Body) != test.body {
				t.Errorf("%d %s, want %d %s", got.Status, got.Body, test.status, test.body)
			}
			if got.Header.Get("X-Walker") != "set" {
				t.Errorf("the walker's header is gone: %v", got.Header)
			}
			if kind := got.Header.Get("Content-Type"); test.kind != "" && kind != test.kind {
				t.Errorf("Content-Type %q, want %q", kind, test.kind)
			}
			s.Say(testkit.Frame{"type": "walker", "id": "i", "walker": "shape", "context": test.context})
			if text, want := string(s.NextText()), `{"type":"reply","id":"i","ok":true,`+test.reply+`}`; text != want {
				t.Errorf("over the socket %s\nwant %s", text, want)
			}
		})
	}
	t.Run("a status that is none", func(t *testing.T) {
		got := g.Post(t, "shape", "", testkit.Frame{"status": 101})
		if got.Status != 500 || got.JSON(t)["code"] != "internal" || got.JSON(t)["ref"] == "" {
			t.Errorf("%d %s", got.Status, got.Body)
		}
	})
}

func TestRESTCredentials(t *testing.T) {
	t.Parallel()
	g := testkit.Start(t, testkit.Walkers(fixtures))
	user := g.NewUser(t)
	tests := []struct {
		name, walker, authorization string
		status                      int
		code, challenge             string
	}{
		{"none", "whoami", "", 401, "unauthenticated", "Bearer"},
		{"bad", "whoami", "Bearer nonsense", 401, "token_invalid", `Bearer error="invalid_token"`},
		{"of another scheme", "whoami", "Basic dTpw", 401, "token_invalid", `Bearer error="invalid_token"`},
		{"good", "whoami", "Bearer " + user.Token, 200, "", ""},
		{"good, in lower case", "whoami", "bearer " + user.Token, 200, "", ""},
		{"good, bare", "whoami", user.Token, 200, "", ""},
		{"none, at an open walker", "anybody", "", 200, "", ""},
		{"bad, at an open walker", "anybody", "Bearer nonsense", 200, "", ""},
		{"none, at an account", "../user/me", "", 401, "unauthenticated", "Bearer"},
		{"bad, at an account", "../user/me", "Bearer nonsense", 401, "token_invalid", `Bearer error="invalid_token"`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			method, path := http.MethodPost, "/walker/"+test.walker
			if rest, account := strings.CutPrefix(test.walker, ".."); account {
				method, path = http.MethodGet, rest
			}
			request, err := http.NewRequestWithContext(t.Context(), method, g.URL+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			if test.authorization != "" {
				request.Header.Set("Authorization", test.authorization)
			}
			got := g.Do(t, request)
			code, _ := got.JSON(t)["code"].(string)
			if got.Status != test.status || code != test.code || got.Header.Get("WWW-Authenticate") != test.challenge {
				t.Errorf("%d %s, challenge %q", got.Status, got.Body, got.Header.Get("WWW-Authenticate"))
			}
		})
	}
}

func TestBodiesAreBounded(t *testing.T) {
	t.Parallel()
	g := testkit.Start(t, testkit.Walkers(fixtures), testkit.Config(func(c *app.Config) { c.MaxBodyBytes = 1000 }))
	exact := `{"value":"` + strings.Repeat("x", 988) + `"}`
	if got := g.Post(t, "echo", "", exact); got.Status != 200 {
		t.Errorf("%d bytes: %d %s", len(exact), got.Status, got.Body)
	}
	if got := g.Post(t, "echo", "", exact+" "); got.Status != 413 || got.JSON(t)["code"] != "too_large" {
		t.Errorf("%d bytes: %d %s", len(exact)+1, got.Status, got.Body)
	}
	t.Run("also where the length is not told", func(t *testing.T) {
		body := io.MultiReader(strings.NewReader(exact), strings.NewReader(strings.Repeat(" ", 5000)))
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, g.URL+"/walker/echo", body)
		if err != nil {
			t.Fatal(err)
		}
		if got := g.Do(t, request); got.Status != 413 {
			t.Errorf("%d %s", got.Status, got.Body)
		}
	})
	t.Run("also in parts", func(t *testing.T) {
		got := g.Do(t, multipartRequest(t, g, "/walker/upload", part{name: "one", file: "f", content: strings.Repeat("x", 1000)}))
		if got.Status != 413 {
			t.Errorf("%d %s", got.Status, got.Body)
		}
	})
	t.Run("compressed ones are refused", func(t *testing.T) {
		for _, encoding := range []string{"gzip", "br", "deflate, gzip"} {
			got := g.Request(t, http.MethodPost, "/walker/echo", "", `{"value":1}`, "Content-Encoding", encoding)
			if got.Status != 422 || got.JSON(t)["code"] != "invalid_context" {
				t.Errorf("%s: %d %s", encoding, got.Status, got.Body)
			}
		}
		if got := g.Request(t, http.MethodPost, "/walker/echo", "", `{"value":1}`, "Content-Encoding", "identity"); got.Status != 200 {
			t.Errorf("identity: %d %s", got.Status, got.Body)
		}
	})
	t.Run("headers are bounded as well", func(t *testing.T) {
		got := g.Request(t, http.MethodGet, "/healthz", "", nil, "X-Long", strings.Repeat("x", 20_000))
		if got.Status != 431 && got.Status != 413 {
			t.Errorf("%d %s", got.Status, got.Body)
		}
	})
}

func TestWalkersBoundTheirContext(t *testing.T) {
	t.Parallel()
	g := testkit.Start(t, testkit.Walkers(func(r *walkers.Registry) {
		walkers.Register(r, specs.Walker{Name: "small", Methods: bothDoors, Auth: specs.NoAuth, Limits: specs.Limits{ContextBytes: 300}},
			func(context.Context, *walkers.Call, struct {
				One *walkers.File `json:"one"`
			},
			) error {
				return nil
			})
	}))
	s := g.Dial(t, "", "")
	fits, tooLarge := testkit.Frame{"pad": strings.Repeat("x", 200)}, testkit.Frame{"pad": strings.Repeat("x", 300)}
	s.Same(s.Ask(call("small", fits)), ok())
	s.Say(call("small", tooLarge))
	s.ExpectError("walker", "too_large")
	for body, status := range map[*testkit.Frame]int{&fits: 200, &tooLarge: 413} {
		if got := g.Post(t, "small", "", *body); got.Status != status {
			t.Errorf("%d %s, want %d", got.Status, got.Body, status)
		}
	}
	got := g.Do(t, multipartRequest(t, g, "/walker/small", part{name: "one", file: "f", content: strings.Repeat("x", 300)}))
	if got.Status != 413 || got.JSON(t)["code"] != "too_large" {
		t.Errorf("in parts: %d %s", got.Status, got.Body)
	}
}
