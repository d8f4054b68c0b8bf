package gateway

import (
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"unicode/utf8"

	"github.com/walkergate/walkergate/auth"
	"github.com/walkergate/walkergate/fault"
	"github.com/walkergate/walkergate/notify"
	"github.com/walkergate/walkergate/specs"
	"github.com/walkergate/walkergate/walkers"
	"github.com/walkergate/walkergate/wire"
)

// run carries one frame out and answers it. Frames of a client run one at a
// time.
func (c *Client) run(frame wire.Frame) {
	if err := c.expired(); err != nil {
		c.endIdentity(err)
	}
	switch f := frame.(type) {
	case *wire.Walker:
		c.callWalker(f)
	case *wire.Publish:
		c.publish(f)
	case *wire.ChangeUser:
		c.changeUser(f)
	case *wire.Connection:
		c.session.Send(wire.ConnectionEvent(f.FrameID(), c.info()), nil)
	case *wire.Ping:
		c.session.Send(wire.Pong(f.FrameID()), nil)
	case *wire.Bad:
		c.gateway.Stats.BadFrames.Add(1)
		c.session.Send(wire.Failure(f.FrameID(), f.OfWalker, f.Fault), nil)
	}
}

func (c *Client) callWalker(f *wire.Walker) {
	answer, err := c.gateway.runner.Run(c.callContext(), walkers.Invocation{
		Walker: f.Name, Door: specs.WebSocket,
		Node: f.Node, HasNode: f.HasNode, Context: f.Context,
		Principal: c.principal, TokenRefused: c.refused, ClientID: c.id,
	})
	if err != nil {
		if ended := c.expired(); ended != nil && walkers.Gone(err) {
			err = ended // cut short because the user's tokens were revoked
		}
		c.fail(f, err)
		return
	}
	id := f.FrameID()
	switch {
	case id == "" && !f.Response:
	case id == "" && answer.Custom:
		c.session.Send(wire.Text(bodyJSON(answer)), nil)
	case id == "":
		c.session.Send(wire.Text(answer.JSON()), nil)
	case answer.Custom:
		c.session.Send(wire.WalkerBody(id, answer.Status, bodyJSON(answer)), nil)
	default:
		c.session.Send(wire.WalkerReply(id, answer.Status, answer.Reports), nil)
	}
}

// bodyJSON gives a walker's own body as JSON: as it is where it is JSON, else
// as a string. json.Valid passes over bytes that are no UTF-8, which would end
// the connection.
func bodyJSON(answer walkers.Answer) json.RawMessage {
	if strings.HasPrefix(answer.ContentType, "application/json") && utf8.Valid(answer.Body) && json.Valid(answer.Body) {
		return answer.Body
	}
	text, err := json.Marshal(string(answer.Body))
	if err != nil {
		return json.RawMessage(`""`)
	}
	return text
}

// publish is the untrusted edge of notify: here it is judged who may send to
// whom. All targets are judged before any is sent to.
func (c *Client) publish(f *wire.Publish) {
	if err := c.mayPublish(f); err != nil {
		c.refuse(f, err)
		return
	}
	ctx := context.Background() // delivery neither blocks nor outlives the call
	var outcome notify.Outcome
	var err error
	switch f.Kind {
	case wire.ToUsers:
		outcome, err = c.gateway.notify.Users(ctx, f.Targets, notify.Message{Data: f.Data})
	case wire.ToChannels:
		outcome, err = c.gateway.notify.Channels(ctx, f.Targets, notify.Message{Data: f.Data})
	case wire.ToClients:
		outcome, err = c.gateway.notify.Clients(ctx, f.Targets, notify.Message{Data: f.Data})
	}
	if err != nil {
		c.fail(f, err)
		return
	}
	if id := f.FrameID(); id != "" {
		c.session.Send(wire.Reached(id, outcome.Reached), nil)
	}
}

func (c *Client) mayPublish(f *wire.Publish) *fault.Error {
	switch c.gateway.publish {
	case PublishOpen:
		return nil
	case PublishNone:
		return fault.New(fault.Forbidden, "only walkers may send here")
	}
	for _, target := range f.Targets {
		switch {
		case f.Kind == wire.ToUsers && target == auth.PublicRoot:
			return fault.New(fault.Forbidden, "nobody may send to the public user")
		case c.principal.IsPublic() && (f.Kind != wire.ToChannels || !c.isIn(target)):
			return fault.New(fault.Forbidden, "without a user, only channels that the connection is in may be sent to")
		}
	}
	return nil
}

func (c *Client) isIn(channelID string) bool {
	for _, id := range c.member.Record().ChannelIDs {
		if id == channelID {
			return true
		}
	}
	return false
}

// changeUser ends with a connection event, for every change of who the client
// is: a bad token is told first, and leaves the client public. Where the user
// has no room, or the token cannot be judged now, nothing changes, and that is
// all that is told.
func (c *Client) changeUser(f *wire.ChangeUser) {
	if f.Token == "" {
		c.become(auth.Public())
		c.session.Send(wire.ConnectionEvent(f.FrameID(), c.info()), nil)
		return
	}
	principal, err := c.gateway.auth.Authenticate(c.callContext(), f.Token)
	switch {
	case fault.Is(err, fault.TokenInvalid):
		c.becomePublic(err, f.FrameID())
	case fault.Is(err, fault.Busy):
		c.refuse(f, fault.From(err))
	case err != nil:
		c.fail(f, err)
	case !c.become(principal):
		c.refuse(f, errCrowdedUser)
	default:
		c.session.Send(wire.ConnectionEvent(f.FrameID(), c.info()), nil)
	}
}

// refuse answers a frame that is not carried out.
func (c *Client) refuse(frame wire.Frame, err *fault.Error) {
	c.gateway.Stats.Refused.Add(1)
	c.session.Send(wire.Failure(frame.FrameID(), ofWalker(frame), err), nil)
}

// fail answers a frame whose work failed. What the runner reports it has
// logged; anything else is logged here.
func (c *Client) fail(frame wire.Frame, err error) {
	failure := fault.From(err)
	if failure.Code == fault.Internal && !ofWalker(frame) {
		c.gateway.log.Error("frame failed",
			slog.String("client_id", c.id), slog.String("ref", failure.Ref), slog.Any("error", err))
	}
	c.session.Send(wire.Failure(frame.FrameID(), ofWalker(frame), failure), nil)
}

func ofWalker(frame wire.Frame) bool {
	switch f := frame.(type) {
	case *wire.Walker:
		return true
	case *wire.Bad:
		return f.OfWalker
	}
	return false
}
