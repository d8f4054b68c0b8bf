package store

import (
	"bytes"
	"encoding/json"
)

// EncodeProfile writes a user's profile as one JSON object, which is how
// engines keep it: a client chose its names, so they must not become names of
// columns or fields. Every byte of the values stays as it is.
func EncodeProfile(profile map[string]json.RawMessage) (string, error) {
	if profile == nil {
		return "{}", nil
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(profile); err != nil {
		return "", err
	}
	return text.String(), nil
}

// DecodeProfile reads what EncodeProfile wrote.
func DecodeProfile(text string) (map[string]json.RawMessage, error) {
	var profile map[string]json.RawMessage
	if err := json.Unmarshal([]byte(text), &profile); err != nil {
		return nil, err
	}
	return profile, nil
}
