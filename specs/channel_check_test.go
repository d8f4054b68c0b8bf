package specs_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/walkergate/walkergate/specs"
)

// channelFaults tells the faults of policies as "pattern field".
func channelFaults(t *testing.T, err error) (told []string) {
	t.Helper()
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		t.Fatalf("%v joins nothing", err)
	}
	for _, each := range joined.Unwrap() {
		var f *specs.ChannelFault
		if !errors.As(each, &f) || f.Problem == "" {
			t.Fatalf("%v is no *specs.ChannelFault that tells a problem", each)
		}
		told = append(told, f.Pattern+" "+f.Field)
	}
	return told
}

func TestCheckChannelsTellsEachFault(t *testing.T) {
	for name, test := range map[string]struct {
		declared []specs.Channel
		want     []string
	}{
		"nothing declared": {nil, nil},
		"nothing wrong": {[]specs.Channel{
			{Pattern: "room:{id}", Auth: specs.NoAuth, Store: specs.StoreAlways, Messages: 1, Age: time.Second},
			{Pattern: "room:{id...}", Messages: 1_000_000, Age: 10 * 365 * 24 * time.Hour},
			{Pattern: "room:1", Store: specs.StoreNever}, {Pattern: "room:{id}:{part}"}, {Pattern: "{id}:room"},
		}, nil},
		"no pattern":         {[]specs.Channel{{}}, []string{" pattern"}},
		"the gateway's own":  {[]specs.Channel{{Pattern: "$me"}}, []string{"$me pattern"}},
		"twice":              {[]specs.Channel{{Pattern: "a"}, {Pattern: "b"}, {Pattern: "a"}}, []string{"a pattern"}},
		"one shape":          {[]specs.Channel{{Pattern: "a{x}b{y...}"}, {Pattern: "a{y}b{z...}"}}, []string{"a{y}b{z...} pattern"}},
		"all of one pattern": {[]specs.Channel{{Pattern: "{a}{b}}"}}, []string{"{a}{b}} pattern", "{a}{b}} pattern"}},
		"unknown modes":      {[]specs.Channel{{Pattern: "a", Auth: 7, Store: 7}}, []string{"a auth", "a store"}},
		"negative bounds":    {[]specs.Channel{{Pattern: "a", Messages: -1, Age: -1}}, []string{"a messages", "a age"}},
		"bounds too small":   {[]specs.Channel{{Pattern: "a", Age: 7}}, []string{"a age"}},
		"bounds too large":   {[]specs.Channel{{Pattern: "a", Messages: 1_000_001, Age: 11 * 365 * 24 * time.Hour}}, []string{"a messages", "a age"}},
		"nothing to keep":    {[]specs.Channel{{Pattern: "a", Store: specs.StoreNever, Messages: 5}}, []string{"a store"}},
		"everything at once": {
			[]specs.Channel{{Pattern: "{", Auth: 7, Store: 7, Messages: -1, Age: 1}, {Pattern: "b", Auth: 7}},
			[]string{"{ pattern", "{ auth", "{ store", "{ messages", "{ age", "b auth"},
		},
	} {
		got := channelFaults(t, specs.CheckChannels(test.declared))
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestTwoPatternsOfOneShapeAreNamed(t *testing.T) {
	err := specs.CheckChannels([]specs.Channel{{Pattern: "room:{id}"}, {Pattern: "room:{name}"}})
	if want := `channel "room:{name}": pattern: matches the same channels as "room:{id}"`; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
}
