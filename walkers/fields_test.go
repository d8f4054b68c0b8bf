package walkers_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/walkergate/walkergate/fault"
	"github.com/walkergate/walkergate/specs"
	"github.com/walkergate/walkergate/walkers"
)

func TestExcludedFieldsKeepTheirDefault(t *testing.T) {
	type in struct {
		Price int    `json:"price" default:"5"`
		Note  string `json:"note" default:"none"`
	}
	r, taken := taker[in](t, specs.Walker{Excluded: []string{"price"}})
	for _, inv := range []walkers.Invocation{overSocket(`{"price":"1","note":"n"}`), overREST(`{"price":1,"note":"n"}`)} {
		if _, err := r.Run(context.Background(), inv); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(in{Price: 5, Note: "n"}, taken()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", inv.Door, diff)
		}
	}
}

func TestNoTwoRunsShareADefault(t *testing.T) {
	type in struct {
		List []int          `json:"list" default:"[1,2]"`
		Map  map[string]int `json:"map" default:"{\"a\":1}"`
		Text string         `json:"text" default:"5"`
		JSON string         `json:"json" default:"\"q\""`
		At   *time.Time     `json:"at" default:"2026-01-02T03:04:05Z"`
	}
	r, taken := taker[in](t, specs.Walker{})
	for range 2 {
		if _, err := r.Run(context.Background(), overSocket(`{}`)); err != nil {
			t.Fatal(err)
		}
		at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
		want := in{List: []int{1, 2}, Map: map[string]int{"a": 1}, Text: "5", JSON: "q", At: &at}
		if diff := cmp.Diff(want, taken()); diff != "" {
			t.Fatalf("context (-want +got):\n%s", diff)
		}
		got := taken()
		got.List[0], got.Map["a"], *got.At = 9, 9, time.Time{}
	}
}

type Shared struct {
	ID   string `json:"id" default:"-"`
	Name string `json:"name"`
}

func TestEmbeddingFollowsEncodingJSON(t *testing.T) {
	type named struct {
		X int `json:"x"`
	}
	type in struct {
		*Shared
		named `json:"sub"`
		ID    string `json:"id"` // lies less deep than Shared.ID
	}
	type loose struct {
		*Shared
		Other string `json:"other" default:""`
	}
	r, taken := taker[in](t, specs.Walker{})
	if _, err := r.Run(context.Background(), overSocket(`{"id":"i","name":"n"}`)); err != nil {
		t.Fatalf("%v", told(t, err).Details)
	}
	if got := taken(); got.ID != "i" || got.Shared == nil || got.Name != "n" || got.Shared.ID != "" {
		t.Errorf("got %+v, %+v", got, got.Shared)
	}
	r2, _ := taker[loose](t, specs.Walker{})
	_, err := r2.Run(context.Background(), overSocket(`{"other":"o"}`))
	if diff := cmp.Diff([]fault.Detail{{Field: "name", Reason: "required"}}, told(t, err).Details); diff != "" {
		t.Errorf("details (-want +got):\n%s", diff)
	}
}

func TestRulesAreCheckedAfterDecoding(t *testing.T) {
	type item struct {
		SKU string `json:"sku" validate:"len=4"`
	}
	type In struct {
		base
		Shared
		Mail  string         `json:"mail" validate:"email"`
		Pass  string         `json:"pass" validate:"min=8"`
		Items []item         `json:"items,omitempty" validate:"max=2,dive"`
		Map   map[string]int `json:"map,omitempty" validate:"dive,gt=0"`
		Inner struct {
			Kind string `json:"kind" validate:"oneof=a b"`
		} `json:"inner"`
	}
	r, _ := taker[In](t, specs.Walker{})
	_, err := r.Run(context.Background(), overSocket(`{"name":"n","mail":"secret","pass":"short","items":[{"sku":"abcd"},{"sku":"x"}],"map":{"k":0},"inner":{"kind":"c"}}`))
	f := expect(t, err, fault.InvalidContext, "the context does not fit the walker")
	want := []fault.Detail{
		{Field: "mail", Reason: "email"},
		{Field: "pass", Reason: "min 8"},
		{Field: "items[1].sku", Reason: "len 4"},
		{Field: "map[k]", Reason: "gt 0"},
		{Field: "inner.kind", Reason: "oneof a b"},
	}
	if diff := cmp.Diff(want, f.Details); diff != "" {
		t.Errorf("details (-want +got):\n%s", diff)
	}
	if strings.Contains(f.Error(), "secret") {
		t.Errorf("%q tells the value", f.Error())
	}
	if _, err := r.Run(context.Background(), overSocket(`{"name":"n","mail":"a@b.example","pass":"longenough","inner":{"kind":"a"}}`)); err != nil {
		t.Errorf("%v", told(t, err).Details)
	}
}

func TestRulesOfAnEmbeddedStructHaveNoPrefix(t *testing.T) {
	type Paged struct {
		Limit int `json:"limit" validate:"max=100"`
	}
	type Outer struct{ Paged }
	type in struct {
		Outer
		Q string `json:"q"`
	}
	r, _ := taker[in](t, specs.Walker{})
	_, err := r.Run(context.Background(), overSocket(`{"limit":101,"q":""}`))
	if diff := cmp.Diff([]fault.Detail{{Field: "limit", Reason: "max 100"}}, told(t, err).Details); diff != "" {
		t.Errorf("details (-want +got):\n%s", diff)
	}
}
