package wire

import (
	"github.com/go-json-experiment/json/jsontext"

	"github.com/walkergate/walkergate/fault"
)

// Decode reads one frame. Text that is no valid frame comes back as *Bad.
// What the frame holds of raw JSON shares memory with text.
func Decode(text []byte) Frame {
	var fields fields
	if malformed := fields.scan(text); malformed != nil {
		return &Bad{Fault: malformed}
	}
	id, ok := frameID(fields.id)
	if !ok {
		return &Bad{Fault: fault.New(fault.BadFrame, "the id of the frame is not valid",
			fault.Detail{Field: "id", Reason: "expected string of 1 to 64 bytes"})}
	}
	var c checker
	kind := c.requiredString("type", fields.kind)
	if c.failed() {
		return &Bad{ID: id, Fault: c.fault()}
	}
	frame := build(kind, id, &fields, &c)
	switch {
	case frame == nil:
		return &Bad{ID: id, Fault: fault.New(fault.UnknownType, "no frame of this type exists")}
	case c.failed():
		return &Bad{ID: id, OfWalker: kind == "walker", Fault: c.fault()}
	}
	if _, publish := frame.(*Publish); publish && fields.reserved {
		return &Bad{ID: id, Fault: fault.New(fault.ReservedType, "the type of data is one of the gateway's own")}
	}
	return frame
}

func build(kind string, id ID, fields *fields, c *checker) Frame {
	switch kind {
	case "connection":
		return &Connection{ID: id}
	case "ping":
		return &Ping{ID: id}
	case "walker":
		return buildWalker(id, fields, c)
	case string(ToUsers):
		return buildPublish(ToUsers, "root_ids", &fields.rootIDs, id, fields, c)
	case string(ToChannels):
		return buildPublish(ToChannels, "channel_ids", &fields.channelIDs, id, fields, c)
	case string(ToClients):
		return buildPublish(ToClients, "client_ids", &fields.clientIDs, id, fields, c)
	case "change_user":
		token, _ := c.optionalString("token", fields.token)
		return &ChangeUser{ID: id, Token: token}
	}
	return nil
}

func buildWalker(id ID, fields *fields, c *checker) Frame {
	w := &Walker{ID: id}
	w.Name = c.requiredString("walker", fields.walker)
	w.Context = c.optionalObject("context", fields.context)
	w.Node, w.HasNode = c.optionalString("node", fields.node)
	w.Response = c.optionalBool("response", fields.response)
	return w
}

func buildPublish(kind TargetKind, name string, targets *list, id ID, fields *fields, c *checker) Frame {
	return &Publish{
		ID: id, Kind: kind,
		Targets: c.targets(name, targets),
		Data:    c.requiredObject("data", fields.data),
	}
}

// frameID reads the id; an absent one is valid and empty.
func frameID(raw jsontext.Value) (ID, bool) {
	if raw == nil {
		return "", true
	}
	if raw.Kind() != '"' {
		return "", false
	}
	id := unquote(raw)
	return ID(id), 1 <= len(id) && len(id) <= MaxID
}
