package walkers_test

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/walkergate/walkergate/specs"
	"github.com/walkergate/walkergate/walkers"
)

type say struct {
	Room   string  `json:"room"`
	Text   string  `json:"text"`
	Urgent bool    `json:"urgent" default:"false"`
	Retry  int     `json:"retry" default:"3"`
	Weight float64 `json:"weight" default:"1"`
}

const saying = `{"room":"room-7","text":"hello, everybody","urgent":true,"retry":2}`

// BenchmarkRun is a whole run, the goroutine of the handler included.
func BenchmarkRun(b *testing.B) {
	for name, report := range map[string]bool{"silent": false, "reporting": true} {
		b.Run(name, func(b *testing.B) {
			r := runner(b, walkers.Options{}, func(registry *walkers.Registry) {
				walkers.Register(registry, specs.Walker{Name: "take", Methods: []specs.Method{specs.WebSocket}},
					func(_ context.Context, call *walkers.Call, in say) error {
						if report {
							call.Report(in.Text)
						}
						return nil
					})
			})
			inv := overSocket(saying)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := r.Run(context.Background(), inv); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkDecode sets a run apart from its decoding: the context of one is
// empty, that of the other is a flat struct. encoding/json is there to compare.
func BenchmarkDecode(b *testing.B) {
	empty, _ := taker[struct{}](b, specs.Walker{})
	flat, _ := taker[say](b, specs.Walker{})
	nested, _ := taker[everything](b, specs.Walker{})
	for _, bench := range []struct {
		name    string
		runner  *walkers.Runner
		context string
	}{{"empty", empty, `{}`}, {"flat", flat, saying}, {"nested", nested, whole}} {
		b.Run(bench.name, func(b *testing.B) {
			inv := overSocket(bench.context)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := bench.runner.Run(context.Background(), inv); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("flat, encoding/json, no run", func(b *testing.B) {
		text := []byte(saying)
		b.ReportAllocs()
		for b.Loop() {
			var in say
			if err := json.Unmarshal(text, &in); err != nil {
				b.Fatal(err)
			}
		}
	})
}
