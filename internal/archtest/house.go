package archtest

import "slices"

const (
	module      = "github.com/walkergate/walkergate"
	longestFile = 400
	longestFunc = 60
)

// House is the import table of this project; docs/ARCHITECTURE.md gives the
// reasons. Imports point up the list only.
func House() Table {
	return Table{
		Module:   module,
		Rows:     rows(),
		TestOnly: []string{"internal/testkit", "internal/mongoserver", "internal/mongoserver/run", "store/storetest"},
		Parts:    parts(),
	}
}

func rows() map[string]Row {
	var (
		below  = []string{"notify", "specs", "auth", "fault"} // what walkers stand on
		stores = []string{"auth", "channels", "notify", "walkers", "fault"}
		client = []string{"walkers", "notify", "channels", "socket", "wire", "auth", "specs", "fault"}
	)
	return map[string]Row{
		"fault":    {},
		"wire":     {Code: []string{"fault"}},
		"auth":     {Code: []string{"fault"}},
		"specs":    {Code: []string{"auth", "fault"}},
		"socket":   {Code: []string{"wire", "fault"}},
		"channels": {Code: []string{"specs", "auth", "fault"}, Tests: []string{"store/sqlite"}},
		"notify":   {Code: []string{"channels", "wire", "fault"}, Tests: []string{"notify/membus", "socket"}},

		"notify/membus": {},

		"walkers":         {Code: below},
		"walkers/builtin": {Code: plus(below, "walkers")},

		"store":           {Code: stores},
		"store/sqlite":    {Code: plus(stores, "store")},
		"store/mongo":     {Code: plus(stores, "store"), Tests: []string{"notify/membus", "wire", "internal/mongoserver"}},
		"store/storetest": {Code: plus(stores, "store")},

		"gateway":     {Code: client},
		"app/console": {},
		"app": {
			Code:  plus(client, "gateway", "walkers/builtin", "store", "store/sqlite", "store/mongo", "app/console"),
			Tests: []string{"internal/client", "internal/mongoserver", "notify/membus"},
		},

		"internal/client": {Code: []string{"wire", "fault"}, Tests: []string{"app"}},
		"cmd/walkergate":  {Code: []string{"app", "walkers", "walkers/builtin", "internal/client"}},
		"examples/chat":   {Code: []string{"app", "specs", "walkers", "walkers/builtin", "auth", "fault"}, Tests: []string{"internal/client"}},

		"internal/testkit":         {Any: true},
		"internal/archtest":        {},
		"internal/ci":              {},
		"internal/ci/report":       {Code: []string{"internal/ci"}},
		"internal/ci/readme":       {Code: []string{"internal/ci"}},
		"internal/mongoserver":     {},
		"internal/mongoserver/run": {Code: []string{"internal/mongoserver"}},
		"internal/mutants":         {Code: []string{"internal/ci"}, Tests: []string{"internal/archtest"}},
		"internal/browser":         {Any: true},
		"internal/clients":         {Any: true},
	}
}

// parts keeps each third-party part where its noun lives. MongoDB and NATS are
// named before they are used, so that they come in at the right door.
func parts() map[string]Part {
	everywhere := []string{"*"}
	sockets := []string{"socket", "wire", "internal/client", "internal/testkit"}
	return map[string]Part{
		"github.com/gofiber":          {Code: []string{"app"}},
		"github.com/valyala/fasthttp": {Code: []string{"app"}},
		"github.com/fasthttp":         {Code: []string{"app"}},

		"modernc.org/sqlite":    {Code: []string{"store/sqlite"}},
		"go.mongodb.org":        {Code: []string{"store/mongo", "internal/mongoserver"}},
		"github.com/nats-io":    {Code: []string{"notify/natsbus"}},
		"github.com/gobwas/ws":  {Code: sockets, Tests: []string{"app", "gateway", "notify", "internal/browser", "internal/clients"}},
		"github.com/golang-jwt": {Code: []string{"auth"}, Tests: []string{"app"}},
		"github.com/MicahParks": {Code: []string{"auth"}},

		"golang.org/x/crypto":            {Code: []string{"auth"}},
		"golang.org/x/text/unicode/norm": {Code: []string{"auth"}},
		"golang.org/x/time/rate":         {Code: []string{"gateway", "app"}},
		"golang.org/x/sys":               {Code: []string{"socket", "store/sqlite", "app"}},
		"golang.org/x/sync":              {Code: everywhere},
		"github.com/go-json-experiment":  {Code: everywhere},
		"github.com/go-playground":       {Code: []string{"walkers"}},
		"github.com/invopop/jsonschema":  {Code: []string{"specs"}},
		"github.com/getkin/kin-openapi":  {Tests: []string{"specs", "app"}},
		"github.com/prometheus":          {Code: []string{"app"}},
		"github.com/alecthomas/kong":     {Code: []string{"cmd/...", "examples/..."}, Tests: []string{"app"}},
		"github.com/joho/godotenv":       {Code: []string{"cmd/...", "examples/..."}, Tests: []string{"app"}},
		"github.com/chromedp":            {Code: []string{"internal/browser"}},
		"github.com/google/go-cmp":       {Code: []string{"store/storetest", "internal/testkit"}, Tests: everywhere},
		"go.uber.org/goleak":             {Code: []string{"internal/testkit"}, Tests: everywhere},
		"pgregory.net/rapid":             {Code: []string{"store/storetest", "internal/testkit"}, Tests: everywhere},
	}
}

func plus(some []string, more ...string) []string {
	return slices.Concat(some, more)
}
