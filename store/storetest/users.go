package storetest

import (
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/walkergate/walkergate/auth"
	"github.com/walkergate/walkergate/fault"
	"github.com/walkergate/walkergate/store"
)

var userTests = map[string]func(t *testing.T, s store.Store){
	"keeps a user whole": func(t *testing.T, s store.Store) {
		user := someUser(1)
		user.Profile = map[string]json.RawMessage{
			"name":         json.RawMessage(`"Zoë <\"&\u0000 🦊>"`),
			"n":            json.RawMessage(`[1,2.50,{"deep":null}]`),
			"a.b$c \u2028": json.RawMessage(`"\u2028"`),
		}
		must(t, s.CreateUser(t.Context(), user))
		for _, key := range []auth.UserKey{byID(user.ID), {EmailKey: user.EmailKey}, {RootID: user.RootID}} {
			found, err := s.FindUser(t.Context(), key)
			must(t, err)
			same(t, "the user", found, user)
		}
	},
	"does not find a stranger": func(t *testing.T, s store.Store) {
		user := someUser(1)
		must(t, s.CreateUser(t.Context(), user))
		for _, key := range []auth.UserKey{
			byID(someUser(2).ID), {EmailKey: someUser(2).EmailKey}, {RootID: someUser(2).RootID},
			byID(user.RootID), {EmailKey: user.ID}, {RootID: user.ID}, {EmailKey: user.EmailKey + " "},
		} {
			_, err := s.FindUser(t.Context(), key)
			wantFault(t, err, fault.NotFound)
		}
	},
	"refuses what is taken": func(t *testing.T, s store.Store) {
		first := someUser(1)
		must(t, s.CreateUser(t.Context(), first))
		for _, take := range []func(*auth.User){
			func(u *auth.User) { u.ID = first.ID },
			func(u *auth.User) { u.EmailKey = first.EmailKey },
			func(u *auth.User) { u.RootID = first.RootID },
		} {
			second := someUser(2)
			take(&second)
			wantFault(t, s.CreateUser(t.Context(), second), fault.Conflict)
		}
		must(t, s.CreateUser(t.Context(), someUser(2)))
		found, err := s.FindUser(t.Context(), byID(first.ID))
		must(t, err)
		same(t, "the first user", found, first)
	},
	"lets one of racing registrations win": raceForAnAddress,
	"tells names apart byte by byte": func(t *testing.T, s store.Store) {
		for n, key := range lookalikes {
			user := someUser(n)
			user.EmailKey = key
			must(t, s.CreateUser(t.Context(), user))
		}
		for n, key := range lookalikes {
			found, err := s.FindUser(t.Context(), auth.UserKey{EmailKey: key})
			must(t, err)
			same(t, fmt.Sprintf("the id of %q", key), found.ID, someUser(n).ID)
		}
	},
	"replaces a hash that is still the same": replaceHash,
	"ends the tokens of a user":              endTokens,
	"lets one of racing changes win": func(t *testing.T, s store.Store) {
		user := someUser(1)
		must(t, s.CreateUser(t.Context(), user))
		var won atomic.Int32
		together(16, func(i int) {
			_, err := s.ChangeUser(t.Context(), auth.UserChange{
				UserID: user.ID, WasHash: user.PasswordHash, NewHash: fmt.Sprint("hash of ", i), End: endAt(i),
			})
			if err == nil {
				won.Add(1)
			} else {
				wantFault(t, err, fault.Conflict)
			}
		})
		found, err := s.FindUser(t.Context(), byID(user.ID))
		must(t, err)
		same(t, "the number of winners", won.Load(), int32(1))
		same(t, "the generation", found.Generation, int64(1))
	},
	"counts every end": func(t *testing.T, s store.Store) {
		user := someUser(1)
		must(t, s.CreateUser(t.Context(), user))
		var given sync.Map
		together(16, func(i int) {
			changed, err := s.ChangeUser(t.Context(), auth.UserChange{UserID: user.ID, End: endAt(i)})
			check(t, err)
			if _, twice := given.LoadOrStore(changed.Generation, i); twice {
				t.Errorf("two were given the generation %d", changed.Generation)
			}
		})
		found, err := s.FindUser(t.Context(), byID(user.ID))
		must(t, err)
		same(t, "the generation", found.Generation, int64(16))
		// Of all the ends the last one counts, in whichever order they came.
		same(t, "the revocations", allRevocations(t, s), []auth.Revocation{
			{UserID: user.ID, Generation: 16, At: someEnd(15).At, Ends: someEnd(15).Ends},
		})
	},
	"forgets a user": deleteUser,
	"lets nobody be a user again whose tokens may be alive": func(t *testing.T, s store.Store) {
		user := someUser(1)
		must(t, s.CreateUser(t.Context(), user))
		must(t, s.DeleteUser(t.Context(), user.ID, someEnd(1)))
		wantFault(t, s.CreateUser(t.Context(), user), fault.Conflict)
		wantNoUser(t, s, user.ID)
		user.CreatedAt = someEnd(1).Ends.Add(-time.Millisecond)
		wantFault(t, s.CreateUser(t.Context(), user), fault.Conflict)
		wantNoUser(t, s, user.ID)
		other := someUser(2)
		other.RootID, other.EmailKey = user.RootID, user.EmailKey
		must(t, s.CreateUser(t.Context(), other))
	},
	"forgets a user once": func(t *testing.T, s store.Store) {
		user := someUser(1)
		must(t, s.CreateUser(t.Context(), user))
		var won atomic.Int32
		together(16, func(i int) {
			if err := s.DeleteUser(t.Context(), user.ID, someEnd(i)); err == nil {
				won.Add(1)
			} else {
				wantFault(t, err, fault.NotFound)
			}
		})
		same(t, "the number of winners", won.Load(), int32(1))
	},
	"changes nobody who is gone": func(t *testing.T, s store.Store) {
		user := someUser(1)
		must(t, s.CreateUser(t.Context(), user))
		must(t, s.DeleteUser(t.Context(), user.ID, someEnd(1)))
		for _, change := range []auth.UserChange{
			{UserID: user.ID, End: endAt(2)},
			{UserID: user.ID, WasHash: user.PasswordHash, NewHash: "new"},
			{UserID: user.ID, NewHash: "new"},
			{UserID: user.ID},
		} {
			_, err := s.ChangeUser(t.Context(), change)
			wantFault(t, err, fault.NotFound)
		}
	},
	"forgets many users": func(t *testing.T, s store.Store) {
		for n := range 3 {
			must(t, s.CreateUser(t.Context(), someUser(n)))
			must(t, s.DeleteUser(t.Context(), someUser(n).ID, someEnd(n)))
			wantNoUser(t, s, someUser(n).ID)
		}
		same(t, "the number of revocations", len(allRevocations(t, s)), 3)
	},
	"takes a change of nothing": func(t *testing.T, s store.Store) {
		user := someUser(1)
		must(t, s.CreateUser(t.Context(), user))
		for _, hash := range []string{"", user.PasswordHash} {
			unchanged, err := s.ChangeUser(t.Context(), auth.UserChange{UserID: user.ID, WasHash: hash})
			must(t, err)
			same(t, "the user", unchanged, user)
		}
		_, err := s.ChangeUser(t.Context(), auth.UserChange{UserID: user.ID, WasHash: "another"})
		wantFault(t, err, fault.Conflict)
	},
}

// lookalikes are names that a careless store takes for one another, or cuts.
var lookalikes = []string{
	"room", "Room", "ROOM", "room ", " room", "room\x00", "room\x00a", "room\x00b", "röom", "ro\u0308om",
	"rom", `"room"`, "'room'", "room%", "ro_m", `ro\om`, "$room", "a.room", "🦊", "\uff5e", "\u2028", "\n", "\x00",
}

func raceForAnAddress(t *testing.T, s store.Store) {
	const racers = 32
	var won atomic.Int32
	var winner atomic.Value
	together(racers, func(i int) {
		user := someUser(i)
		user.EmailKey = "wanted@example.com"
		err := s.CreateUser(t.Context(), user)
		if err == nil {
			won.Add(1)
			winner.Store(user)
		} else {
			wantFault(t, err, fault.Conflict)
		}
	})
	same(t, "the number of winners", won.Load(), int32(1))
	found, err := s.FindUser(t.Context(), auth.UserKey{EmailKey: "wanted@example.com"})
	must(t, err)
	same(t, "the user", found, winner.Load())
	for i := range racers {
		if someUser(i).ID != found.ID {
			wantNoUser(t, s, someUser(i).ID)
		}
	}
}

func replaceHash(t *testing.T, s store.Store) {
	user := someUser(1)
	must(t, s.CreateUser(t.Context(), user))
	changed, err := s.ChangeUser(t.Context(), auth.UserChange{UserID: user.ID, WasHash: user.PasswordHash, NewHash: "new"})
	must(t, err)
	user.PasswordHash = "new"
	same(t, "the changed user", changed, user)
	found, err := s.FindUser(t.Context(), byID(user.ID))
	must(t, err)
	same(t, "the user found", found, user)

	_, err = s.ChangeUser(t.Context(), auth.UserChange{UserID: user.ID, WasHash: "old", NewHash: "newer", End: endAt(1)})
	wantFault(t, err, fault.Conflict)
	_, err = s.ChangeUser(t.Context(), auth.UserChange{UserID: someUser(2).ID, NewHash: "newer", End: endAt(1)})
	wantFault(t, err, fault.NotFound)
	found, err = s.FindUser(t.Context(), byID(user.ID))
	must(t, err)
	same(t, "the user after refusals", found, user)
	same(t, "the revocations after refusals", allRevocations(t, s), []auth.Revocation(nil))
}

func endTokens(t *testing.T, s store.Store) {
	user, other := someUser(1), someUser(2)
	must(t, s.CreateUser(t.Context(), user))
	must(t, s.CreateUser(t.Context(), other))
	for n := range 3 {
		changed, err := s.ChangeUser(t.Context(), auth.UserChange{UserID: user.ID, End: endAt(n)})
		must(t, err)
		user.Generation++
		same(t, "the changed user", changed, user)
	}
	same(t, "the revocations", allRevocations(t, s), []auth.Revocation{
		{UserID: user.ID, Generation: 3, At: someEnd(2).At, Ends: someEnd(2).Ends},
	})
	found, err := s.FindUser(t.Context(), byID(other.ID))
	must(t, err)
	same(t, "the other user", found, other)
}

func deleteUser(t *testing.T, s store.Store) {
	user := someUser(1)
	must(t, s.CreateUser(t.Context(), user))
	must(t, s.DeleteUser(t.Context(), user.ID, someEnd(1)))
	for _, key := range []auth.UserKey{byID(user.ID), {EmailKey: user.EmailKey}, {RootID: user.RootID}} {
		_, err := s.FindUser(t.Context(), key)
		wantFault(t, err, fault.NotFound)
	}
	wantFault(t, s.DeleteUser(t.Context(), user.ID, someEnd(2)), fault.NotFound)
	same(t, "the revocations", allRevocations(t, s), []auth.Revocation{
		{UserID: user.ID, Generation: auth.EveryGeneration, At: someEnd(1).At, Ends: someEnd(1).Ends},
	})
	again := someUser(2)
	again.EmailKey = user.EmailKey
	must(t, s.CreateUser(t.Context(), again))
}

func someUser(n int) auth.User {
	return auth.User{
		ID: someHex(n), RootID: "n::" + someHex(n+1<<20),
		Email: fmt.Sprintf("User.%d@example.com", n), EmailKey: fmt.Sprintf("user.%d@example.com", n),
		PasswordHash: fmt.Sprintf("$hash$of$%d", n), CreatedAt: someTime(n),
	}
}

func someEnd(n int) auth.EndTokens {
	return auth.EndTokens{At: someTime(n), Ends: someTime(n + 1<<16)}
}

func endAt(n int) *auth.EndTokens {
	end := someEnd(n)
	return &end
}

func byID(id string) auth.UserKey { return auth.UserKey{ID: id} }

func wantNoUser(t *testing.T, s store.Store, id string) {
	t.Helper()
	_, err := s.FindUser(t.Context(), byID(id))
	wantFault(t, err, fault.NotFound)
}
