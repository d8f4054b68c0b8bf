// Command nethttp answers POST /walker/echo as walkergate does, with net/http
// and encoding/json alone.
package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
)

type request struct {
	Value json.RawMessage `json:"value"`
}

type response struct {
	Status  int               `json:"status"`
	Reports []json.RawMessage `json:"reports"`
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: nethttp HOST:PORT")
		os.Exit(2)
	}
	http.HandleFunc("POST /walker/echo", func(w http.ResponseWriter, r *http.Request) {
		var in request
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			http.Error(w, err.Error(), http.StatusUnprocessableEntity)
			return
		}
		text, err := json.Marshal(response{Status: http.StatusOK, Reports: []json.RawMessage{in.Value}})
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(text) // a client that is gone
	})
	fmt.Fprintln(os.Stderr, "nethttp:", http.ListenAndServe(os.Args[1], nil)) //nolint:gosec // a peer on loopback
	os.Exit(1)
}
