package specs_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/walkergate/walkergate/specs"
)

func TestPathsFollowTheRule(t *testing.T) {
	for path, want := range map[string][2]string{
		"":            {"/walker/w", "/walker/w/{node}"},
		"more":        {"/walker/w/more", "/walker/w/more/{node}"},
		"{id}/{q}":    {"/walker/w/{id}/{q}", "/walker/w/{id}/{q}/{node}"},
		"/shop/{id}":  {"/shop/{id}", "/shop/{id}/{node}"},
		"/walker/w/x": {"/walker/w/x", "/walker/w/x/{node}"},
	} {
		w := specs.Walker{Name: "w", Path: path}
		if got := [2]string{w.RootPath(), w.NodePath()}; got != want {
			t.Errorf("path %q gives %q, want %q", path, got, want)
		}
	}
}

func TestRoutes(t *testing.T) {
	routes := func(spec specs.Walker) (got []string) {
		d, err := specs.Describe(spec, searchShape())
		if err != nil {
			t.Fatal(err)
		}
		for _, route := range d.Routes() {
			got = append(got, route.Method.HTTP()+" "+route.Path)
		}
		return got
	}
	both := []specs.Method{specs.Get, specs.WebSocket, specs.Post}
	for name, test := range map[string]struct {
		spec specs.Walker
		want []string
	}{
		"both entries": {specs.Walker{Name: "w", Methods: both}, []string{
			"GET /walker/w", "GET /walker/w/{node}", "POST /walker/w", "POST /walker/w/{node}",
		}},
		"root only":   {specs.Walker{Name: "w", EntryType: specs.Root}, []string{"POST /walker/w"}},
		"node only":   {specs.Walker{Name: "w", EntryType: specs.Node}, []string{"POST /walker/w/{node}"}},
		"socket only": {specs.Walker{Name: "w", Methods: []specs.Method{specs.WebSocket}}, nil},
		"private":     {specs.Walker{Name: "w", Private: true}, nil},
	} {
		if diff := cmp.Diff(test.want, routes(test.spec)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestLiteralRoutesComeFirst(t *testing.T) {
	var described []specs.Described
	for _, spec := range []specs.Walker{
		{Name: "a", Path: "/x/{q}/c", EntryType: specs.Root},
		{Name: "b", Path: "/x", EntryType: specs.Both},
		{Name: "c", Path: "/x/b/{id}", EntryType: specs.Root},
		{Name: "d", Path: "/x/b", EntryType: specs.Root},
	} {
		d, err := specs.Describe(spec, searchShape())
		if err != nil {
			t.Fatal(err)
		}
		described = append(described, d)
	}
	var got []string
	for _, route := range specs.Routes(described) {
		got = append(got, route.Path)
	}
	want := []string{"/x", "/x/b", "/x/b/{id}", "/x/{node}", "/x/{q}/c"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
}
