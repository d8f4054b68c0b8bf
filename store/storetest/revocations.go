package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/walkergate/walkergate/auth"
	"github.com/walkergate/walkergate/store"
)

var revocationTests = map[string]func(t *testing.T, s store.Store){
	"starts with none": func(t *testing.T, s store.Store) {
		same(t, "the revocations", allRevocations(t, s), []auth.Revocation(nil))
	},
	"gives those since a time": func(t *testing.T, s store.Store) {
		for _, n := range []int{3, 1, 2} {
			must(t, s.RevokeToken(t.Context(), someRevocation(n)))
		}
		same(t, "all", allRevocations(t, s), []auth.Revocation{someRevocation(1), someRevocation(2), someRevocation(3)})
		since, err := s.RevocationsSince(t.Context(), someTime(2))
		must(t, err)
		same(t, "those since the second", since, []auth.Revocation{someRevocation(2), someRevocation(3)})
		since, err = s.RevocationsSince(t.Context(), someTime(3).Add(time.Millisecond))
		must(t, err)
		same(t, "those behind the last", since, []auth.Revocation(nil))
	},
	"takes a repetition for the same": func(t *testing.T, s store.Store) {
		must(t, s.RevokeToken(t.Context(), someRevocation(1)))
		must(t, s.RevokeToken(t.Context(), someRevocation(1)))
		same(t, "all", allRevocations(t, s), []auth.Revocation{someRevocation(1)})
	},
	"keeps what has not ended": func(t *testing.T, s store.Store) {
		must(t, s.RevokeToken(t.Context(), someRevocation(1)))
		later := someRevocation(2)
		later.At = someRevocation(1).Ends.Add(-time.Millisecond)
		later.Ends = later.At.Add(time.Hour)
		must(t, s.RevokeToken(t.Context(), later))
		same(t, "all", allRevocations(t, s), []auth.Revocation{someRevocation(1), later})
	},
	"gives the ends of tokens and of users as one list": func(t *testing.T, s store.Store) {
		user := someUser(2) // another than those of the tokens, which an end may forget
		must(t, s.CreateUser(t.Context(), user))
		must(t, s.RevokeToken(t.Context(), someRevocation(3)))
		_, err := s.ChangeUser(t.Context(), auth.UserChange{UserID: user.ID, End: endAt(2)})
		must(t, err)
		must(t, s.RevokeToken(t.Context(), someRevocation(1)))
		whole := auth.Revocation{UserID: user.ID, Generation: 1, At: someEnd(2).At, Ends: someEnd(2).Ends}
		same(t, "all", allRevocations(t, s), []auth.Revocation{someRevocation(1), whole, someRevocation(3)})
		since, err := s.RevocationsSince(t.Context(), someTime(2))
		must(t, err)
		same(t, "those since the second", since, []auth.Revocation{whole, someRevocation(3)})
	},
	"takes every token id": func(t *testing.T, s store.Store) {
		for n, tokenID := range lookalikes {
			revocation := someRevocation(n)
			revocation.UserID, revocation.TokenID = "one user", tokenID
			must(t, s.RevokeToken(t.Context(), revocation))
		}
		all := allRevocations(t, s)
		if len(all) != len(lookalikes) {
			t.Fatalf("%d revocations came of %d", len(all), len(lookalikes))
		}
		for n, tokenID := range lookalikes {
			same(t, "a token id", all[n].TokenID, tokenID)
		}
	},
}

func someRevocation(n int) auth.Revocation {
	return auth.Revocation{
		UserID: someHex(n % 2), TokenID: fmt.Sprint("token ", n), At: someTime(n), Ends: someTime(n + 1<<16),
	}
}

func allRevocations(t *testing.T, s store.Store) []auth.Revocation {
	t.Helper()
	all, err := s.RevocationsSince(t.Context(), time.Time{})
	must(t, err)
	return all
}
