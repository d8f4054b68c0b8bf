// Command fasthttp answers POST /walker/echo as walkergate does, with bare
// fasthttp and encoding/json.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/valyala/fasthttp"
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
		fmt.Fprintln(os.Stderr, "usage: fasthttp HOST:PORT")
		os.Exit(2)
	}
	fmt.Fprintln(os.Stderr, "fasthttp:", fasthttp.ListenAndServe(os.Args[1], echo))
	os.Exit(1)
}

func echo(c *fasthttp.RequestCtx) {
	if !c.IsPost() || string(c.Path()) != "/walker/echo" {
		c.Error("not found", fasthttp.StatusNotFound)
		return
	}
	var in request
	if err := json.Unmarshal(c.PostBody(), &in); err != nil {
		c.Error(err.Error(), fasthttp.StatusUnprocessableEntity)
		return
	}
	text, err := json.Marshal(response{Status: fasthttp.StatusOK, Reports: []json.RawMessage{in.Value}})
	if err != nil {
		c.Error(err.Error(), fasthttp.StatusInternalServerError)
		return
	}
	c.SetContentType("application/json")
	c.SetBody(text)
}
