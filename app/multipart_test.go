package app_test

import (
	"bytes"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/walkergate/walkergate/internal/testkit"
)

// part is one part of a multipart body: a file where it has a file name.
type part struct{ name, file, kind, content string }

func multipartRequest(t *testing.T, g *testkit.Gateway, path string, parts ...part) *http.Request {
	t.Helper()
	var body bytes.Buffer
	writer := multipart.NewWriter(&body)
	for _, each := range parts {
		header := textproto.MIMEHeader{}
		disposition := `form-data; name="` + each.name + `"`
		if each.file != "" {
			disposition += `; filename="` + each.file + `"`
		}
		header.Set("Content-Disposition", disposition)
		if each.kind != "" {
			header.Set("Content-Type", each.kind)
		}
		into, err := writer.CreatePart(header)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := into.Write([]byte(each.content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, g.URL+path, &body)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", writer.FormDataContentType())
	return request
}

func TestMultipart(t *testing.T) {
	t.Parallel()
	g := testkit.Start(t, testkit.Walkers(fixtures))
	one := part{name: "one", file: "a.txt", kind: "text/plain", content: "hello"}
	tests := []struct {
		name    string
		parts   []part
		status  int
		reports []any
		details []any
	}{
		{"one file", []part{one}, 200, []any{[]any{"a.txt", "text/plain", 5.0, "hello"}, "none"}, nil},
		{"a list", []part{one, {name: "many", file: "b", content: "1"}, {name: "many", file: "c", content: ""}}, 200, []any{
			[]any{"a.txt", "text/plain", 5.0, "hello"}, []any{"b", "", 1.0, "1"}, []any{"c", "", 0.0, ""}, "none",
		}, nil},
		{"an optional one", []part{one, {name: "else", file: "d", content: "2"}}, 200, []any{
			[]any{"a.txt", "text/plain", 5.0, "hello"}, []any{"d", "", 1.0, "2"}, "none",
		}, nil},
		{"a text part", []part{one, {name: "note", content: "n"}}, 200, []any{[]any{"a.txt", "text/plain", 5.0, "hello"}, "n"}, nil},
		{"the JSON as a part", []part{one, {name: "body", content: `{"note":"j"}`}}, 200, []any{[]any{"a.txt", "text/plain", 5.0, "hello"}, "j"}, nil},
		{"the JSON as a file", []part{one, {name: "body", file: "body", kind: "application/json", content: `{"note":"j"}`}}, 200, []any{
			[]any{"a.txt", "text/plain", 5.0, "hello"}, "j",
		}, nil},
		{"a file is missing", []part{{name: "note", content: "n"}}, 422, nil, []any{detail("one", "required")}},
		{"two for one", []part{one, one}, 422, nil, []any{detail("one", "expected one file")}},
		{"the JSON is wrong", []part{one, {name: "body", content: `{"note":1}`}}, 422, nil, []any{detail("note", "expected string")}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := g.Do(t, multipartRequest(t, g, "/walker/upload", test.parts...))
			body := got.JSON(t)
			if got.Status != test.status {
				t.Fatalf("%d %s, want %d", got.Status, got.Body, test.status)
			}
			if test.status == http.StatusOK {
				if diff := cmp.Diff(test.reports, body["reports"]); diff != "" {
					t.Errorf("reports (-want +got):\n%s", diff)
				}
				return
			}
			if diff := cmp.Diff(test.details, body["details"]); diff != "" || body["code"] != "invalid_context" {
				t.Errorf("got %s", got.Body)
			}
		})
	}
	t.Run("a file as JSON", func(t *testing.T) {
		got := g.Post(t, "upload", "", testkit.Frame{"one": "text"})
		if got.Status != 422 || !cmp.Equal(got.JSON(t)["details"], any([]any{detail("one", "expected file")})) {
			t.Errorf("%d %s", got.Status, got.Body)
		}
	})
	t.Run("a body that is none", func(t *testing.T) {
		got := g.Request(t, http.MethodPost, "/walker/upload", "", "nonsense", "Content-Type", "multipart/form-data; boundary=x")
		if got.Status != 422 || got.JSON(t)["code"] != "invalid_context" {
			t.Errorf("%d %s", got.Status, got.Body)
		}
	})
	t.Run("who may not call is told before the parts are read", func(t *testing.T) {
		request := multipartRequest(t, g, "/walker/whoami", one)
		if got := g.Do(t, request); got.Status != http.StatusUnauthorized {
			t.Errorf("%d %s", got.Status, got.Body)
		}
	})
}
