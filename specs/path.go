package specs

import (
	"fmt"
	"slices"
	"strings"
)

// nodeVariable ends the path of a node entry.
const nodeVariable = "node"

// ownSegments are the first segments of the gateway's own routes. A walker's
// absolute path stays out of all that lies below them.
var ownSegments = []string{
	"user", "websocket", "healthz", "readyz", "metrics", "openapi.json", "ticket", "connect", "events", "poll",
	"notify", "disconnect", "connections", "channels",
}

// Route is one HTTP entry of a walker.
type Route struct {
	Walker string
	Method Method
	// Path holds variables as {name}, each a whole segment.
	Path string
	// Node says that Path ends in {node}, the node to enter.
	Node bool
}

// RootPath is where HTTP enters the walker at the caller's root.
func (w Walker) RootPath() string {
	switch {
	case w.Path == "":
		return "/walker/" + w.Name
	case strings.HasPrefix(w.Path, "/"):
		return w.Path
	default:
		return "/walker/" + w.Name + "/" + w.Path
	}
}

// NodePath is where HTTP enters the walker at a node.
func (w Walker) NodePath() string { return w.RootPath() + "/{" + nodeVariable + "}" }

// Routes are the HTTP entries of the walker, none where it is private.
func (w Walker) Routes() []Route {
	if w.Private {
		return nil
	}
	var routes []Route
	for _, method := range w.HTTPMethods() {
		if w.EntryType != Node {
			routes = append(routes, Route{Walker: w.Name, Method: method, Path: w.RootPath()})
		}
		if w.EntryType != Root {
			routes = append(routes, Route{Walker: w.Name, Method: method, Path: w.NodePath(), Node: true})
		}
	}
	return routes
}

// Routes are the HTTP entries of all walkers, ordered so that a router which
// takes the first match takes the most literal one: of two paths that fit the
// same request, the one with a literal segment where the other has a variable
// comes first.
func Routes(described []Described) []Route {
	var routes []Route
	for _, d := range described {
		routes = append(routes, d.Routes()...)
	}
	slices.SortStableFunc(routes, func(a, b Route) int {
		return slices.CompareFunc(segments(a.Path), segments(b.Path), compareSegments)
	})
	return routes
}

func compareSegments(a, b string) int {
	aVariable, bVariable := isVariable(a), isVariable(b)
	switch {
	case aVariable && bVariable:
		return 0
	case aVariable:
		return 1
	case bVariable:
		return -1
	}
	return strings.Compare(a, b)
}

func segments(path string) []string {
	return strings.Split(strings.TrimPrefix(path, "/"), "/")
}

func isVariable(segment string) bool { return strings.HasPrefix(segment, "{") }

// pattern is the path with its variables made alike: two paths of one pattern
// fit the same requests.
func pattern(path string) string {
	parts := segments(path)
	for i, part := range parts {
		if isVariable(part) {
			parts[i] = "{}"
		}
	}
	return "/" + strings.Join(parts, "/")
}

// variables gives the names of a path's variables, or the first thing that is
// wrong with its form.
func variables(path string) ([]string, error) {
	var names []string
	for _, segment := range segments(path) {
		switch {
		case segment == "" || segment == "." || segment == "..":
			return nil, fmt.Errorf("segment %q is not allowed", segment)
		case strings.ContainsAny(segment, "{}"):
			name, ok := variableName(segment)
			if !ok {
				return nil, fmt.Errorf("segment %q is malformed: a variable is a whole segment, {name}, of letters, digits and _", segment)
			}
			if slices.Contains(names, name) {
				return nil, fmt.Errorf("variable {%s} stands twice", name)
			}
			names = append(names, name)
		case strings.ContainsFunc(segment, notInSegment):
			return nil, fmt.Errorf("segment %q may hold letters, digits and -._~ only", segment)
		}
	}
	return names, nil
}

func variableName(segment string) (string, bool) {
	if len(segment) < 3 || segment[0] != '{' || segment[len(segment)-1] != '}' {
		return "", false
	}
	name := segment[1 : len(segment)-1]
	if name[0] >= '0' && name[0] <= '9' || strings.ContainsFunc(name, func(r rune) bool { return !isAlphanumeric(r) && r != '_' }) {
		return "", false
	}
	return name, true
}

func notInSegment(r rune) bool { return !isAlphanumeric(r) && !strings.ContainsRune("-._~", r) }

func isAlphanumeric(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
}

// collides reports whether an absolute path lies among the gateway's own
// routes. Case is set aside: a router may do the same.
func collides(path string) bool {
	first := segments(path)[0]
	return first == "" || isVariable(first) ||
		slices.ContainsFunc(ownSegments, func(own string) bool { return strings.EqualFold(own, first) })
}
