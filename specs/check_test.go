package specs_test

import (
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/walkergate/walkergate/specs"
)

type search struct {
	ID    int       `json:"id"`
	Q     string    `json:"q"`
	Limit int       `json:"limit"`
	Tags  []string  `json:"tags"`
	Where where     `json:"where"`
	Photo photoStub `json:"photo"`
	Node  string    `json:"node"`
}

type where struct {
	City string `json:"city"`
}

type photoStub struct{}

func searchShape() specs.Shape {
	return specs.Shape{
		Type: reflect.TypeFor[search](),
		Fields: []specs.Field{
			{Name: "id", Kind: specs.Integer, Required: true},
			{Name: "q", Kind: specs.String, Required: true},
			{Name: "limit", Kind: specs.Integer, Default: []byte("10")},
			{Name: "tags", Kind: specs.List, Item: specs.String},
			{Name: "where", Kind: specs.Object, Required: true},
			{Name: "photo", Kind: specs.File, Required: true},
			{Name: "node", Kind: specs.String},
		},
		Structs: map[reflect.Type][]specs.Field{
			reflect.TypeFor[where](): {{Name: "city", Kind: specs.String}},
		},
	}
}

// faults flattens a joined error into its faults.
func faults(t *testing.T, err error) []specs.Fault {
	t.Helper()
	if err == nil {
		return nil
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []specs.Fault
		for _, each := range joined.Unwrap() {
			all = append(all, faults(t, each)...)
		}
		return all
	}
	var fault *specs.Fault
	if !errors.As(err, &fault) {
		t.Fatalf("%v is no *specs.Fault", err)
	}
	return []specs.Fault{*fault}
}

func TestDescribeTellsEachFault(t *testing.T) {
	tests := map[string]struct {
		spec specs.Walker
		want []string // the fields at fault, in order
	}{
		"nothing wrong":             {specs.Walker{Name: "a.b-c_9"}, nil},
		"no name":                   {specs.Walker{}, []string{"name"}},
		"name with a slash":         {specs.Walker{Name: "a/b"}, []string{"name"}},
		"name of letters elsewhere": {specs.Walker{Name: "é"}, []string{"name"}},
		"name of dots":              {specs.Walker{Name: ".."}, []string{"name"}},
		"long name":                 {specs.Walker{Name: string(make([]byte, 129))}, []string{"name"}},
		"unknown methods":           {specs.Walker{Name: "w", Methods: []specs.Method{"trace", "get", "gett"}}, []string{"methods", "methods"}},
		"variable without field":    {specs.Walker{Name: "w", Path: "{nope}", EntryType: specs.Root}, []string{"path"}},
		"variable of a list":        {specs.Walker{Name: "w", Path: "{tags}"}, []string{"path"}},
		"variable of a struct":      {specs.Walker{Name: "w", Path: "{where}"}, []string{"path"}},
		"variable of a file":        {specs.Walker{Name: "w", Path: "{photo}"}, []string{"path"}},
		"variable twice":            {specs.Walker{Name: "w", Path: "{id}/x/{id}"}, []string{"path"}},
		"variable unclosed":         {specs.Walker{Name: "w", Path: "{id"}, []string{"path"}},
		"variable empty":            {specs.Walker{Name: "w", Path: "{}"}, []string{"path"}},
		"variable within a segment": {specs.Walker{Name: "w", Path: "x{id}"}, []string{"path"}},
		"variable of odd letters":   {specs.Walker{Name: "w", Path: "{a-b}"}, []string{"path"}},
		"empty segment":             {specs.Walker{Name: "w", Path: "a//b"}, []string{"path"}},
		"slash at the end":          {specs.Walker{Name: "w", Path: "a/"}, []string{"path"}},
		"segment that goes up":      {specs.Walker{Name: "w", Path: "../b"}, []string{"path"}},
		"segment with a wildcard":   {specs.Walker{Name: "w", Path: "a*"}, []string{"path"}},
		"node variable":             {specs.Walker{Name: "w", Path: "{node}"}, []string{"path"}},
		"node variable at the root": {specs.Walker{Name: "w", Path: "{node}", EntryType: specs.Root}, nil},
		"unknown as_query":          {specs.Walker{Name: "w", AsQuery: []string{"nope", "q", "ID"}}, []string{"as_query", "as_query"}},
		"unknown excluded":          {specs.Walker{Name: "w", Excluded: []string{"nope"}}, []string{"excluded"}},
		"excluded without default":  {specs.Walker{Name: "w", Excluded: []string{"id", "limit"}}, []string{"id"}},
		"all excluded":              {specs.Walker{Name: "w", Excluded: []string{"*"}}, []string{"id", "q", "where", "photo"}},
		"excluded variable":         {specs.Walker{Name: "w", Path: "{limit}", Excluded: []string{"limit"}}, []string{"limit"}},
		"status below":              {specs.Walker{Name: "w", StatusCode: 199}, []string{"status_code"}},
		"status above":              {specs.Walker{Name: "w", StatusCode: 300}, []string{"status_code"}},
		"negative bounds": {
			specs.Walker{Name: "w", Timeout: -time.Second, Limits: specs.Limits{Concurrent: -1, ContextBytes: -1}},
			[]string{"timeout", "limits.concurrent", "limits.context_bytes"},
		},
		"unknown modes":          {specs.Walker{Name: "w", Auth: 7, EntryType: 7}, []string{"auth", "entry_type"}},
		"report that is no JSON": {specs.Walker{Name: "w", Report: make(chan int)}, []string{"report"}},
		"path of the gateway":    {specs.Walker{Name: "w", Path: "/healthz"}, []string{"path"}},
		"path below the gateway": {specs.Walker{Name: "w", Path: "/User/more"}, []string{"path"}},
		"path over everything":   {specs.Walker{Name: "w", Path: "/{q}"}, []string{"path"}},
		"path of the page":       {specs.Walker{Name: "w", Path: "/"}, []string{"path"}},
		"path of one's own":      {specs.Walker{Name: "w", Path: "/shop/{id}/item.json"}, nil},
		"everything at the same time": {
			specs.Walker{Name: "w w", Methods: []specs.Method{"x"}, AsQuery: []string{"y"}, Path: "{z}", StatusCode: 1},
			[]string{"name", "methods", "as_query", "path", "status_code"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := specs.Describe(test.spec, searchShape())
			var got []string
			for _, fault := range faults(t, err) {
				if fault.Walker != test.spec.Name || fault.Problem == "" {
					t.Errorf("fault %+v does not tell its walker and problem", fault)
				}
				got = append(got, fault.Field)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("fields at fault (-want +got):\n%s\n%v", diff, err)
			}
		})
	}
}

func TestEveryOwnRouteIsKept(t *testing.T) {
	for _, own := range []string{
		"user", "websocket", "healthz", "readyz", "metrics", "openapi.json", "ticket", "connect", "events", "poll",
		"notify", "disconnect", "connections", "channels",
	} {
		for _, path := range []string{"/" + own, "/" + own + "/{id}"} {
			if _, err := specs.Describe(specs.Walker{Name: "w", Path: path}, searchShape()); err == nil {
				t.Errorf("path %s was taken", path)
			}
		}
		if _, err := specs.Describe(specs.Walker{Name: "w", Path: own}, searchShape()); err != nil {
			t.Errorf("path %s below the walker's own was refused: %v", own, err)
		}
	}
}

func TestDescribeFillsIn(t *testing.T) {
	got, err := specs.Describe(specs.Walker{
		Name: "w", Methods: []specs.Method{"POST", "post", "WebSocket"}, Path: "by/{id}",
		AsQuery: []string{"*"}, Excluded: []string{"limit"},
	}, searchShape())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]specs.Method{specs.Post, specs.WebSocket}, got.Methods); diff != "" {
		t.Errorf("methods (-want +got):\n%s", diff)
	}
	if got.StatusCode != 200 || got.Auth != specs.AuthRequired || got.EntryType != specs.Both {
		t.Errorf("defaults are %d, %d, %d", got.StatusCode, got.Auth, got.EntryType)
	}
	sources := map[string]specs.Source{}
	for _, field := range got.Fields {
		sources[field.Name] = field.Source
	}
	want := map[string]specs.Source{
		"id": specs.FromPath, "q": specs.FromQuery, "limit": specs.FromNowhere, "tags": specs.FromQuery,
		"where": specs.FromQuery, "photo": specs.FromFile, "node": specs.FromQuery,
	}
	if diff := cmp.Diff(want, sources); diff != "" {
		t.Errorf("sources (-want +got):\n%s", diff)
	}
	if plain, _ := specs.Describe(specs.Walker{Name: "w"}, searchShape()); !cmp.Equal(plain.Methods, []specs.Method{specs.Post}) {
		t.Errorf("methods of a plain spec are %v, want post", plain.Methods)
	}
}

func TestCollisions(t *testing.T) {
	describe := func(spec specs.Walker) specs.Described {
		t.Helper()
		d, err := specs.Describe(spec, searchShape())
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	tests := map[string]struct {
		specs []specs.Walker
		want  int
	}{
		"none":               {[]specs.Walker{{Name: "a"}, {Name: "b"}}, 0},
		"name twice":         {[]specs.Walker{{Name: "a"}, {Name: "a", Path: "/other"}}, 1},
		"same path":          {[]specs.Walker{{Name: "a", Path: "/x"}, {Name: "b", Path: "/x"}}, 2}, // root and node entry
		"same pattern":       {[]specs.Walker{{Name: "a", Path: "/x/{id}", EntryType: specs.Root}, {Name: "b", Path: "/x/{q}", EntryType: specs.Root}}, 1},
		"node over variable": {[]specs.Walker{{Name: "a", Path: "/x", EntryType: specs.Node}, {Name: "b", Path: "/x/{q}", EntryType: specs.Root}}, 1},
		"another's own path": {[]specs.Walker{{Name: "a", EntryType: specs.Root}, {Name: "b", Path: "/walker/a", EntryType: specs.Root}}, 1},
		"other methods":      {[]specs.Walker{{Name: "a", Path: "/x"}, {Name: "b", Path: "/x", Methods: []specs.Method{specs.Get}}}, 0},
		"private":            {[]specs.Walker{{Name: "a", Path: "/x"}, {Name: "b", Path: "/x", Private: true}}, 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var described []specs.Described
			for _, spec := range test.specs {
				described = append(described, describe(spec))
			}
			if got := faults(t, specs.Collisions(described)); len(got) != test.want {
				t.Errorf("%d faults, want %d: %v", len(got), test.want, got)
			}
		})
	}
}
