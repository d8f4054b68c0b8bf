package auth

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/walkergate/walkergate/fault"
)

// Bounds of the fields that a user is registered with beside their
// credentials.
const (
	maxProfileFields = 16
	maxProfileBytes  = 4 << 10
)

// reserved are the names, in lower case, that stand in a user object for
// something else, here or in what clients of jac-cloud know. They are refused
// in any case of their letters: some clients read names that way.
var reserved = map[string]bool{
	"id": true, "email": true, "password": true, "root_id": true,
	"is_admin": true, "is_activated": true, "expiration": true, "state": true,
	"token": true, "expires_in": true, "created_at": true, "sso": true, "roles": true,
	"password_hash": true, "generation": true,
}

// Registration is what somebody registers with.
type Registration struct {
	Email    string
	Password string
	// Profile holds the further fields, JSON values by name: at most 16, and
	// 4 KiB with their names.
	Profile map[string]json.RawMessage
}

// check gives the user to be, without ids and password hash, or an
// invalid_context fault that names every field at fault.
func (r Registration) check() (User, error) {
	var wrong []fault.Detail
	shown, key, ok := parseEmail(r.Email)
	switch {
	case r.Email == "":
		wrong = append(wrong, fault.Detail{Field: "email", Reason: "required"})
	case !ok:
		wrong = append(wrong, fault.Detail{Field: "email", Reason: "not a valid e-mail address"})
	}
	wrong = append(wrong, checkPassword("password", r.Password)...)
	profile, wrongFields := checkProfile(r.Profile)
	wrong = append(wrong, wrongFields...)
	if len(wrong) > 0 {
		return User{}, invalid(wrong)
	}
	return User{Email: shown, EmailKey: key, Profile: profile}, nil
}

func invalid(wrong []fault.Detail) error {
	return fault.New(fault.InvalidContext, "some fields are not valid", wrong...)
}

// checkProfile copies the fields, each value without needless space.
func checkProfile(fields map[string]json.RawMessage) (map[string]json.RawMessage, []fault.Detail) {
	if len(fields) > maxProfileFields {
		return nil, []fault.Detail{{Field: "", Reason: "more than 16 further fields"}}
	}
	var wrong []fault.Detail
	profile := make(map[string]json.RawMessage, len(fields))
	size := 0
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		// Measured before anything is told about the name: details echo it.
		if size += len(name) + len(fields[name]); size > maxProfileBytes {
			return nil, append(wrong, fault.Detail{Field: "", Reason: "further fields of more than 4 KiB"})
		}
		var value bytes.Buffer
		switch {
		case name == "" || !utf8.ValidString(name):
			wrong = append(wrong, fault.Detail{Field: "", Reason: "a field without a name"})
		case reserved[strings.ToLower(name)]:
			wrong = append(wrong, fault.Detail{Field: name, Reason: "reserved"})
		case !utf8.Valid(fields[name]) || json.Compact(&value, fields[name]) != nil:
			wrong = append(wrong, fault.Detail{Field: name, Reason: "not valid JSON"})
		default:
			profile[name] = value.Bytes()
		}
	}
	return profile, wrong
}
