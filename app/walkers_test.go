package app_test

import (
	"context"
	"errors"
	"io"
	"testing"

	"github.com/walkergate/walkergate/app"
	"github.com/walkergate/walkergate/auth"
	"github.com/walkergate/walkergate/fault"
	"github.com/walkergate/walkergate/internal/testkit"
	"github.com/walkergate/walkergate/specs"
	"github.com/walkergate/walkergate/walkers"
)

var (
	bothDoors  = []specs.Method{specs.WebSocket, specs.Post}
	socketDoor = []specs.Method{specs.WebSocket}
	restDoor   = []specs.Method{specs.Post}
)

// open lets anybody send to anybody.
func open(c *app.Config) { c.PublishPolicy = "open" }

// call makes the frame of a walker that answers.
func call(walker string, context testkit.Frame) testkit.Frame {
	return testkit.Frame{"type": "walker", "walker": walker, "response": true, "context": context}
}

// ok is what a walker replies with those reports.
func ok(reports ...any) testkit.Frame {
	if reports == nil {
		reports = []any{}
	}
	return testkit.Frame{"status": 200, "reports": reports}
}

// hold is a walker that runs until the test lets it go, once for each release.
type hold struct {
	started chan string // what each run was told to say
	release chan struct{}
	ended   chan error // why the context of a run ended, where it did
}

func newHold() *hold {
	return &hold{started: make(chan string, 128), release: make(chan struct{}, 128), ended: make(chan error, 128)}
}

func (h *hold) register(r *walkers.Registry) {
	walkers.Register(r, specs.Walker{Name: "hold", Methods: bothDoors, Auth: specs.NoAuth},
		func(ctx context.Context, call *walkers.Call, in struct {
			Say string `json:"say,omitempty"`
		},
		) error {
			h.started <- in.Say
			select {
			case <-h.release:
				call.Report(in.Say)
				return nil
			case <-ctx.Done():
				h.ended <- ctx.Err()
				return ctx.Err()
			}
		})
}

// running waits until a run has begun.
func (h *hold) running(t *testing.T) string {
	t.Helper()
	return testkit.Soon(t, "the walker to start", h.started)
}

type sumContext struct {
	A     int      `json:"a"`
	B     int      `json:"b" default:"1"`
	Label string   `json:"label" default:"sum" validate:"max=8"`
	Tags  []string `json:"tags,omitempty"`
}

type uploadContext struct {
	One  walkers.File   `json:"one"`
	Many []walkers.File `json:"many,omitempty"`
	Else *walkers.File  `json:"else"`
	Note string         `json:"note" default:"none"`
}

// fixtures are walkers of every kind that the doors know.
func fixtures(r *walkers.Registry) {
	walkers.Register(r, specs.Walker{Name: "sum", Methods: bothDoors, Auth: specs.NoAuth}, sum)
	walkers.Register(r, specs.Walker{Name: "private_sum", Methods: bothDoors, Private: true}, sum)
	walkers.Register(r, specs.Walker{Name: "rest_only", Methods: restDoor, Auth: specs.NoAuth}, sum)
	walkers.Register(r, specs.Walker{Name: "socket_only", Methods: socketDoor, Auth: specs.NoAuth}, sum)
	walkers.Register(r, specs.Walker{Name: "whoami", Methods: bothDoors}, whoami)
	walkers.Register(r, specs.Walker{Name: "anybody", Methods: bothDoors, Auth: specs.NoAuth}, whoami)
	walkers.Register(r, specs.Walker{Name: "upload", Methods: bothDoors, Auth: specs.NoAuth}, upload)
	walkers.Register(r, specs.Walker{Name: "enter", Methods: bothDoors, Enter: onlyOpenNodes}, enter)
	walkers.Register(r, specs.Walker{Name: "at_root", Methods: bothDoors, EntryType: specs.Root}, enter)
	walkers.Register(r, specs.Walker{Name: "at_node", Methods: bothDoors, EntryType: specs.Node, Enter: onlyOpenNodes}, enter)
	walkers.Register(r, specs.Walker{Name: "shape", Methods: bothDoors, Auth: specs.NoAuth}, shape)
	walkers.Register(r, specs.Walker{Name: "fail", Methods: bothDoors, Auth: specs.NoAuth}, fail)
	walkers.Register(r, specs.Walker{Name: "tell", Methods: bothDoors, Auth: specs.NoAuth}, tell)
}

func sum(_ context.Context, call *walkers.Call, in sumContext) error {
	call.Report(map[string]any{"label": in.Label, "sum": in.A + in.B, "tags": in.Tags})
	call.Report(nil)
	return nil
}

func whoami(_ context.Context, call *walkers.Call, _ struct{}) error {
	call.Report(call.RootID())
	return nil
}

func upload(_ context.Context, call *walkers.Call, in uploadContext) error {
	files := append([]walkers.File{in.One}, in.Many...)
	if in.Else != nil {
		files = append(files, *in.Else)
	}
	for _, file := range files {
		opened, err := file.Open()
		if err != nil {
			return err
		}
		content, err := io.ReadAll(opened)
		if err := errors.Join(err, opened.Close()); err != nil {
			return err
		}
		call.Report([]any{file.Name, file.ContentType, file.Size, string(content)})
	}
	call.Report(in.Note)
	return nil
}

func onlyOpenNodes(_ context.Context, _ auth.Principal, node string) error {
	switch node {
	case "n:Room:open":
		return nil
	case "n:Room:none":
		return fault.New(fault.NotFound, "there is no such room")
	}
	return errors.New("not yours")
}

func enter(_ context.Context, call *walkers.Call, _ struct{}) error {
	call.Report([]any{call.Node(), call.AtRoot()})
	return nil
}

// shape answers as it is told to.
func shape(_ context.Context, call *walkers.Call, in struct {
	Status int    `json:"status,omitempty"`
	Body   string `json:"body,omitempty"`
	JSON   bool   `json:"json,omitempty"`
	Header string `json:"header,omitempty"`
},
) error {
	if in.Status != 0 {
		call.Status(in.Status)
	}
	if in.Header != "" {
		call.Header("X-Walker", in.Header)
	}
	switch {
	case in.JSON:
		call.JSON(map[string]string{"own": in.Body})
	case in.Body != "":
		call.Body("text/plain; charset=utf-8", []byte(in.Body))
	default:
		call.Report("shaped")
	}
	return nil
}

func fail(_ context.Context, _ *walkers.Call, in struct {
	How string `json:"how"`
},
) error {
	switch in.How {
	case "panic":
		panic("a secret of the walker")
	case "fault":
		return fault.New(fault.Conflict, "somebody was faster")
	}
	return errors.New("a secret of the walker")
}

// tell notifies whomever it is told to, in each of the ways that there are.
func tell(ctx context.Context, call *walkers.Call, in struct {
	Self     bool     `json:"self,omitempty"`
	Users    []string `json:"users,omitempty"`
	Channels []string `json:"channels,omitempty"`
	Clients  []string `json:"clients,omitempty"`
	Data     struct {
		Note string `json:"note"`
	} `json:"data"`
},
) error {
	if in.Self {
		outcome, err := call.Notify.Self(ctx, in.Data)
		call.Report(outcome.Reached)
		if err != nil {
			return err
		}
	}
	users, err := call.Notify.Users(ctx, in.Users, in.Data)
	if err != nil {
		return err
	}
	channels, err := call.Notify.Channels(ctx, in.Channels, in.Data)
	if err != nil {
		return err
	}
	clients, err := call.Notify.Clients(ctx, in.Clients, in.Data)
	if err != nil {
		return err
	}
	call.Report(users.Reached + channels.Reached + clients.Reached)
	return nil
}
