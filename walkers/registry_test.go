package walkers_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/walkergate/walkergate/specs"
	"github.com/walkergate/walkergate/walkers"
)

// fieldsAtFault lists the fields that the faults of one registration name.
func fieldsAtFault[In any](t *testing.T) []string {
	t.Helper()
	registry := walkers.NewRegistry()
	walkers.Register(registry, specs.Walker{Name: "w"}, func(context.Context, *walkers.Call, In) error { return nil })
	r, err := registry.Runner(walkers.Options{})
	if err == nil {
		return nil
	}
	if r != nil {
		t.Error("a runner was made in spite of faults")
	}
	return faultyFields(t, err)
}

func faultyFields(t *testing.T, err error) []string {
	t.Helper()
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var fields []string
		for _, each := range joined.Unwrap() {
			fields = append(fields, faultyFields(t, each)...)
		}
		return fields
	}
	var f *specs.Fault
	if !errors.As(err, &f) {
		t.Fatalf("%v is no *specs.Fault", err)
	}
	if f.Problem == "" {
		t.Errorf("%v tells no problem", f)
	}
	return []string{f.Field}
}

type selfMade struct{ time.Time }

type recursive struct {
	Name  string      `json:"name"`
	Below []recursive `json:"below,omitempty"`
}

func TestFaultsOfAContext(t *testing.T) {
	type left struct{ X int }
	type right struct{ X int }
	type nested struct {
		Photo walkers.File `json:"photo"`
	}
	tests := map[string]struct{ got, want []string }{
		"nothing wrong":     {fieldsAtFault[recursive](t), nil},
		"no struct":         {fieldsAtFault[int](t), []string{"context"}},
		"pointer":           {fieldsAtFault[*recursive](t), []string{"context"}},
		"decodes itself":    {fieldsAtFault[selfMade](t), []string{"context"}},
		"what JSON has not": {fieldsAtFault[struct{ C chan int }](t), []string{"C"}},
		"functions":         {fieldsAtFault[struct{ F func() }](t), []string{"F"}},
		"interface":         {fieldsAtFault[struct{ E error }](t), []string{"E"}},
		"keys of a map":     {fieldsAtFault[struct{ M map[int]string }](t), []string{"M"}},
		"nested":            {fieldsAtFault[struct{ L []struct{ C chan int } }](t), []string{"L[].C"}},
		"two of one name": {fieldsAtFault[struct {
			left
			right
		}](t), []string{"X"}},
		"option": {fieldsAtFault[struct {
			N int `json:"n,string"`
		}](t), []string{"n"}},
		"nested file": {fieldsAtFault[struct {
			N nested `json:"n"`
		}](t), []string{"n.photo"}},
		"file in a list": {fieldsAtFault[struct {
			N [][]walkers.File `json:"n"`
		}](t), []string{"n[][]"}},
		"file embedded": {fieldsAtFault[struct{ walkers.File }](t), []string{"File"}},
		"file with default": {fieldsAtFault[struct {
			F walkers.File `json:"f" default:"x"`
		}](t), []string{"f"}},
		"default of a kind": {fieldsAtFault[struct {
			N int `json:"n" default:"x"`
		}](t), []string{"n"}},
		"default too large": {fieldsAtFault[struct {
			N int8 `json:"n" default:"300"`
		}](t), []string{"n"}},
		"default misses": {fieldsAtFault[struct {
			N recursive `json:"n" default:"{}"`
		}](t), []string{"n"}},
		"default nested": {fieldsAtFault[struct {
			N struct {
				B bool `default:"1"`
			}
		}](t), []string{"N.B"}},
		"unknown rule": {fieldsAtFault[struct {
			N int    `validate:"nope"`
			S string `json:"s" validate:"min=1,neither"`
			F int8   `json:"f" default:"300"`
		}](t), []string{"f", "N", "s"}},
		"unknown rule below": {fieldsAtFault[struct {
			N struct {
				M int `validate:"nope"`
			}
		}](t), []string{"N.M"}},
		"rule that does not fit": {fieldsAtFault[struct {
			B bool `validate:"required,min=3"`
		}](t), []string{"context"}},
	}
	for name, test := range tests {
		if diff := cmp.Diff(test.want, test.got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestAllFaultsOfAllWalkersAreToldAtOnce(t *testing.T) {
	type in struct {
		N int `json:"n" default:"x"`
		F func()
	}
	registry := walkers.NewRegistry()
	walkers.Register(registry, specs.Walker{Name: "a", Path: "{q}", AsQuery: []string{"r"}, StatusCode: 99}, func(context.Context, *walkers.Call, in) error { return nil })
	walkers.Register(registry, specs.Walker{Name: "b"}, func(context.Context, *walkers.Call, struct{}) error { return nil })
	walkers.Register[struct{}](registry, specs.Walker{Name: "b"}, nil)
	_, err := registry.Runner(walkers.Options{})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{
		`walker "a": F: `, `walker "a": path: `, `walker "a": as_query: `, `walker "a": status_code: `,
		`walker "b": handler: is nil`, `walker "b": name: is registered twice`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in:\n%v", want, err)
		}
	}
}

func TestTheRunnerTellsItsWalkers(t *testing.T) {
	type in struct {
		ID    int           `json:"id"`
		Photo *walkers.File `json:"photo"`
	}
	r := runner(t, walkers.Options{}, func(registry *walkers.Registry) {
		walkers.Register(registry, specs.Walker{Name: "b", Path: "{id}"}, func(context.Context, *walkers.Call, in) error { return nil })
		walkers.Register(registry, specs.Walker{Name: "a", Private: true}, func(context.Context, *walkers.Call, struct{}) error { return nil })
	})
	described, known := r.Walker("b")
	want := []specs.Field{
		{Name: "id", Kind: specs.Integer, Required: true, Source: specs.FromPath},
		{Name: "photo", Kind: specs.File, Source: specs.FromFile},
	}
	if diff := cmp.Diff(want, described.Fields); !known || diff != "" {
		t.Errorf("fields (-want +got):\n%s", diff)
	}
	if _, known := r.Walker("c"); known {
		t.Error("an unknown walker is told")
	}
	if all := r.Walkers(); len(all) != 2 || all[0].Name != "a" {
		t.Errorf("walkers are %v", all)
	}
	wantRoutes := []specs.Route{
		{Walker: "b", Method: specs.Post, Path: "/walker/b/{id}"},
		{Walker: "b", Method: specs.Post, Path: "/walker/b/{id}/{node}", Node: true},
	}
	if diff := cmp.Diff(wantRoutes, r.Routes()); diff != "" {
		t.Errorf("routes (-want +got):\n%s", diff)
	}
}
