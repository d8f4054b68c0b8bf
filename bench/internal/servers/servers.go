// Package servers starts the servers that are compared, each as a process of
// its own on a free port, and says how each is spoken to.
package servers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"

	"github.com/walkergate/walkergate/bench/internal/load"
)

// Server is one that is measured.
type Server struct {
	Name  string
	About string // what it is, and what it does not do that walkergate does

	// Dialect is nil where it has no socket.
	Dialect load.Dialect
	// NoEcho is set where nothing answers an echo over the socket.
	NoEcho bool
	// REST is the path that answers an echo, empty where there is none.
	REST string

	prepare func(ctx context.Context, places Places) error
	command func(places Places, port, data string) command
}

// command is how a server is started; ready is a path that answers 200 when it
// can be used, empty where a connection is enough.
type command struct {
	program string
	args    []string
	env     []string
	ready   string
}

// ErrMissing is the error of Prepare for a server that this machine lacks.
var ErrMissing = errors.New("not on this machine")

// Places are the folders of a run.
type Places struct {
	Module   string // of the benchmark module
	Binaries string // where programs are built
}

// All are the servers in the order in which they are reported: walkergate, the
// floor, then the peers.
func All() []Server {
	return slices.Concat(own(), goPeers(), nodePeers(), []Server{centrifugoServer()})
}

func own() []Server {
	return []Server{{
		Name:    "walkergate",
		About:   "the real program with its defaults and everything it does: auth, origin check, limits, heartbeat, UTF-8 and JSON checks, records in SQLite, metrics; limits set above the load, PUBLISH_POLICY=open",
		Dialect: gate{}, REST: "/walker/echo",
		prepare: func(ctx context.Context, places Places) error {
			return build(ctx, filepath.Dir(places.Module), places, "walkergate", "./cmd/walkergate")
		},
		command: func(places Places, port, data string) command {
			return command{program: filepath.Join(places.Binaries, "walkergate"), env: settings(port, data), ready: "/readyz"}
		},
	}, {
		Name:    "floor",
		About:   "the yardstick: bare TCP, a frame built once, one write(2) a member in a loop; no JSON, no auth, no limits, no heartbeat, no queue (one stalled reader stalls it for ever), so not a usable server",
		Dialect: bare{},
		prepare: goBuild("floor", "./floor"),
		command: listening("floor", ""),
	}}
}

// settings are those of the gateway: limits above the offered load, all else as
// it comes.
func settings(port, data string) []string {
	return []string{
		"HOST=127.0.0.1", "PORT=" + port, "DATA_DIR=" + data, "PUBLISH_POLICY=open",
		"FRAME_RATE=10000000", "FRAME_BURST=10000000", "MAX_CONNECTIONS=15000", "MAX_CONNECTIONS_PER_ADDRESS=15000", "MAX_WALKERS=15000",
	}
}

func goPeers() []Server {
	peer := func(name, about string) Server {
		return Server{
			Name: name, About: about, Dialect: plain{},
			prepare: goBuild(name, "./peers/"+name), command: listening(name, ""),
		}
	}
	rest := func(name, about string) Server {
		s := peer(name, about)
		s.Dialect, s.REST = nil, "/walker/echo"
		return s
	}
	library := peer("centrifuge", "centrifugal/centrifuge, the library that Centrifugo is made of, with its defaults: sessions, a reply to each publish, its ping; memory broker without history; anybody let in; no echo of its own")
	library.Dialect, library.NoEcho = centrifugo{}, true
	return []Server{
		peer("gws", "lxzan/gws on net/http with its Broadcaster; encoding/json; no auth, limits, heartbeat, records, metrics, UTF-8 check"),
		peer("gorilla", "gorilla/websocket in the manner of its chat example: hub, channel and writer goroutine a client, queued messages joined into one; its ping; encoding/json; no auth, limits, records, metrics, UTF-8 check"),
		library,
		rest("nethttp", "net/http and encoding/json, same body in and out; no auth, validation, limits, metrics"),
		rest("fasthttp", "bare fasthttp and encoding/json, same body in and out; no auth, validation, limits, metrics"),
	}
}

func goBuild(name, pkg string) func(context.Context, Places) error {
	return func(ctx context.Context, places Places) error {
		return build(ctx, places.Module, places, name, pkg)
	}
}

// listening starts a program of this module, which takes its address as its
// argument.
func listening(name, ready string) func(Places, string, string) command {
	return func(places Places, port, _ string) command {
		return command{program: filepath.Join(places.Binaries, name), args: []string{"127.0.0.1:" + port}, ready: ready}
	}
}

func nodePeers() []Server {
	peer := func(name, about string, dialect load.Dialect) Server {
		return Server{
			Name: name, About: about, Dialect: dialect,
			prepare: installNode,
			command: func(places Places, port, _ string) command {
				return command{
					program: "node", args: []string{filepath.Join(places.Module, "peers", "node", name+".js"), port},
					env: []string{"NODE_ENV=production"},
				}
			},
		}
	}
	return []Server{
		peer("ws", "npm ws, one process, a Map of Sets for channels; JSON.parse; checks UTF-8; no auth, limits, heartbeat, records, metrics", plain{}),
		peer("socketio", "npm socket.io, one process, websocket transport alone, rooms for channels; its heartbeat; no auth, limits, records, metrics", socketio{}),
	}
}

// installNode installs the npm peers from their lock file, once.
func installNode(ctx context.Context, places Places) error {
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			return fmt.Errorf("%s is %w", program, ErrMissing)
		}
	}
	dir := filepath.Join(places.Module, "peers", "node")
	if _, err := os.Stat(filepath.Join(dir, "node_modules", ".package-lock.json")); err == nil {
		return nil
	}
	return run(ctx, dir, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
}

func centrifugoServer() Server {
	return Server{
		Name:    "centrifugo",
		About:   "the centrifugo on PATH: memory engine, JSON protocol, insecure client mode, defaults otherwise; no echo of its own",
		Dialect: centrifugo{}, NoEcho: true,
		prepare: func(context.Context, Places) error {
			if _, err := exec.LookPath("centrifugo"); err != nil {
				return fmt.Errorf("centrifugo is %w", ErrMissing)
			}
			return nil
		},
		command: func(_ Places, port, _ string) command {
			return command{program: "centrifugo", env: []string{
				"CENTRIFUGO_HTTP_SERVER_ADDRESS=127.0.0.1", "CENTRIFUGO_HTTP_SERVER_PORT=" + port,
				"CENTRIFUGO_CLIENT_INSECURE=true", "CENTRIFUGO_LOG_LEVEL=error",
			}}
		},
	}
}
