// Package console holds the page that walkergate serves of itself: a place to
// register, log in, see one's own connection, chat, and send frames by hand. It
// is plain HTML, CSS and ES modules, kept in the binary, with no build step.
package console

import (
	"embed"
	"io/fs"
)

//go:embed static
var static embed.FS

// Files is the page. index.html belongs at "/", and the whole tree below
// "/console/" as well: the page names its parts by that absolute path, and the
// modules import each other relative to it.
//
// The page needs nothing from another host and holds no inline script or style,
// so it runs under
//
//	default-src 'self'; connect-src 'self' ws: wss:
//
// It calls /websocket and /user/* of the host that served it, and links to
// /openapi.json. The file system is read-only and safe for concurrent use.
func Files() fs.FS {
	files, err := fs.Sub(static, "static")
	if err != nil {
		panic(err) // the name is a constant; only an invalid one is refused
	}
	return files
}
