package app

import (
	"context"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/url"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/walkergate/walkergate/fault"
	"github.com/walkergate/walkergate/specs"
	"github.com/walkergate/walkergate/walkers"
)

// bodyPart is the part of a multipart body that holds the JSON object.
const bodyPart = "body"

// entry is one path by which HTTP enters walkers: of one walker, or of several
// that share the path by method. An entry without walkers is that of
// /walker/<name>, where the path itself names the walker.
type entry struct {
	node    bool
	walkers []specs.Described
}

// mountWalkers mounts the paths that specs chose, most literal first, and then
// the one that all others share.
func (a *App) mountWalkers(server *fiber.App) {
	var paths []string
	entries := make(map[string]*entry)
	for _, route := range a.runner.Routes() {
		described, _ := a.runner.Walker(route.Walker)
		if described.Path == "" {
			continue
		}
		at := entries[route.Path]
		if at == nil {
			at = &entry{node: route.Node}
			entries[route.Path] = at
			paths = append(paths, route.Path)
		}
		if !slices.ContainsFunc(at.walkers, func(d specs.Described) bool { return d.Name == described.Name }) {
			at.walkers = append(at.walkers, described)
		}
	}
	for _, path := range paths {
		server.All(fiberPath(path), a.walkerDoor(entries[path]))
	}
	server.All("/walker/:name", a.walkerDoor(&entry{}))
	server.All("/walker/:name/:node", a.walkerDoor(&entry{node: true}))
}

// fiberPath writes {name} as Fiber does.
func fiberPath(path string) string {
	return strings.NewReplacer("{", ":", "}", "").Replace(path)
}

// walkerDoor is the REST door: it makes an Invocation of a request and a
// response of the Answer. What the call means is not its business.
func (a *App) walkerDoor(at *entry) fiber.Handler {
	return func(c *fiber.Ctx) error {
		inv, err := a.invocation(c, at)
		if err != nil {
			return err
		}
		described, known := a.runner.Walker(inv.Walker)
		if known && len(at.walkers) == 0 && described.Path != "" {
			return fault.New(fault.NotFound, "there is nothing here")
		}
		allowed := allowedMethods(at, described)
		if c.Method() == fiber.MethodOptions && inv.Door == specs.Options && !described.Serves(specs.Options) && len(allowed) > 0 {
			c.Set(fiber.HeaderAllow, strings.Join(allowed, ", "))
			return c.SendStatus(fiber.StatusNoContent)
		}
		if !inv.Door.IsHTTP() && len(allowed) > 0 { // TRACE, CONNECT: no walker takes them
			c.Set(fiber.HeaderAllow, strings.Join(allowed, ", "))
			return fault.Newf(fault.MethodNotAllowed, "walker %s does not take %s", inv.Walker, c.Method())
		}
		if c.Method() == fiber.MethodHead && !described.Serves(specs.Head) {
			inv.Door = specs.Get // HEAD is GET without the body, which the server leaves out
		}
		cleanup, err := a.unpack(c, &inv)
		defer cleanup()
		if err != nil {
			return err
		}
		ctx, cancel := a.auth.While(a.base, inv.Principal)
		defer cancel()
		answer, err := a.runner.Run(ctx, inv)
		if ended := new(fault.Error); walkers.Gone(err) && errors.As(context.Cause(ctx), &ended) {
			err = ended // cut short because the user's tokens were revoked
		}
		if err != nil {
			if fault.Is(err, fault.MethodNotAllowed) {
				c.Set(fiber.HeaderAllow, strings.Join(allowed, ", "))
			}
			return err
		}
		return respond(c, answer)
	}
}

// invocation gathers what stands in the request's line and headers. All text
// is copied: a handler may outlive the request.
func (a *App) invocation(c *fiber.Ctx, at *entry) (walkers.Invocation, error) {
	principal, refused, err := a.caller(c)
	if err != nil {
		return walkers.Invocation{}, err
	}
	inv := walkers.Invocation{
		Door:      specs.Method(strings.ToLower(c.Method())),
		Context:   slices.Clone(c.Request().Body()),
		Principal: principal, TokenRefused: refused, RequestID: requestID(c),
		HasNode: at.node, Path: make(map[string]string),
	}
	for name, value := range c.AllParams() {
		plain, err := url.PathUnescape(value)
		if err != nil {
			return inv, fault.New(fault.NotFound, "the path is not valid").Because(err)
		}
		inv.Path[strings.Clone(name)] = strings.Clone(plain)
	}
	if at.node {
		inv.Node = inv.Path["node"]
	}
	inv.Walker = walkerAt(at, inv)
	return inv, nil
}

// walkerAt names the walker of an entry: of those that share the path the one
// that takes the method, or else the first, which then refuses it.
func walkerAt(at *entry, inv walkers.Invocation) string {
	if len(at.walkers) == 0 {
		return inv.Path["name"]
	}
	for _, described := range at.walkers {
		if described.Serves(inv.Door) || inv.Door == specs.Head && described.Serves(specs.Get) {
			return described.Name
		}
	}
	return at.walkers[0].Name
}

// allowedMethods are those of all walkers of an entry, as Allow lists them.
func allowedMethods(at *entry, described specs.Described) []string {
	sharing := at.walkers
	if len(sharing) == 0 && !described.Private {
		sharing = []specs.Described{described}
	}
	allowed := make(map[string]bool)
	for _, each := range sharing {
		for _, method := range each.HTTPMethods() {
			allowed[method.HTTP()] = true
		}
	}
	if len(allowed) == 0 {
		return nil
	}
	if allowed[fiber.MethodGet] {
		allowed[fiber.MethodHead] = true
	}
	allowed[fiber.MethodOptions] = true
	names := make([]string, 0, len(allowed))
	for name := range allowed {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// unpack takes apart what is work to take apart, the query and a multipart
// body, once it is known that the caller may call at all. What it opened is let
// go by cleanup.
func (a *App) unpack(c *fiber.Ctx, inv *walkers.Invocation) (cleanup func(), err error) {
	cleanup = func() {}
	query := string(c.Request().URI().QueryString())
	kind, _, _ := mime.ParseMediaType(c.Get(fiber.HeaderContentType)) // one that cannot be read is not multipart either
	if query == "" && kind != fiber.MIMEMultipartForm {
		return cleanup, nil
	}
	if err := a.runner.Admit(*inv); err != nil {
		return cleanup, err
	}
	if inv.Query, err = url.ParseQuery(query); err != nil {
		return cleanup, fault.New(fault.InvalidContext, "malformed query").Because(err)
	}
	if kind != fiber.MIMEMultipartForm {
		return cleanup, nil
	}
	return a.readParts(c, inv)
}

// readParts takes a multipart body apart.
func (a *App) readParts(c *fiber.Ctx, inv *walkers.Invocation) (cleanup func(), err error) {
	body := inv.Context
	inv.Context = nil
	boundary := string(c.Request().Header.MultipartFormBoundary())
	form, err := multipart.NewReader(strings.NewReader(string(body)), boundary).ReadForm(int64(len(body)) + 1)
	if err != nil {
		return func() {}, fault.New(fault.InvalidContext, "malformed multipart body").Because(err)
	}
	inv.Form = form.Value
	inv.Files = make(map[string][]walkers.File)
	for name, headers := range form.File {
		for _, header := range headers {
			inv.Files[name] = append(inv.Files[name], walkers.NewFile(header.Filename, header.Header.Get(fiber.HeaderContentType),
				header.Size, func() (io.ReadCloser, error) { return header.Open() }))
		}
	}
	inv.Context, err = jsonPart(inv)
	return func() {
		_ = form.RemoveAll() // all of it was kept in memory
	}, err
}

// jsonPart is the part named body, sent as text or as a file.
func jsonPart(inv *walkers.Invocation) ([]byte, error) {
	if texts := inv.Form[bodyPart]; len(texts) > 0 {
		delete(inv.Form, bodyPart)
		return []byte(texts[0]), nil
	}
	files := inv.Files[bodyPart]
	if len(files) == 0 {
		return nil, nil
	}
	delete(inv.Files, bodyPart)
	opened, err := files[0].Open()
	if err != nil {
		return nil, err
	}
	defer func() { _ = opened.Close() }() // it was only read
	return io.ReadAll(opened)
}

// respond writes an answer. Headers of the walker's come first, so that it
// cannot undo what the gateway itself has to say.
func respond(c *fiber.Ctx, answer walkers.Answer) error {
	for name, values := range answer.Header {
		for _, value := range values {
			c.Response().Header.Add(name, value)
		}
	}
	switch answer.Status {
	case fiber.StatusNoContent, fiber.StatusResetContent, fiber.StatusNotModified:
		c.Status(answer.Status)
		return nil
	}
	if answer.Custom {
		c.Set(fiber.HeaderContentType, answer.ContentType)
		return c.Status(answer.Status).Send(answer.Body)
	}
	return writeJSON(c, answer.Status, answer.JSON())
}
