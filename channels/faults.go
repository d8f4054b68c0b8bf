package channels

import "github.com/walkergate/walkergate/fault"

// ErrQuota is the answer to a message that its owner has no room for.
var ErrQuota = fault.New(fault.TooLarge, "the stored bytes of this user are used up")

// ErrKeyTaken is the answer to a message under a key that another message was
// stored with.
var ErrKeyTaken = fault.New(fault.InvalidContext, "another message under this key",
	fault.Detail{Field: "idempotency_key", Reason: "another message was stored with it"})

// ErrUnknown is the answer where the store did not say whether it has written a
// message. Who gave a key may come again with it.
var ErrUnknown = fault.New(fault.Conflict, "it is not known whether the message was stored")

var (
	errID = fault.New(fault.BadFrame, "a channel id has 1 to 256 bytes of UTF-8 and does not begin with $",
		fault.Detail{Field: "channel_id", Reason: "not a channel id"})
	errUndeclared = fault.New(fault.Forbidden, "there is no such channel")
	errNoUser     = fault.New(fault.Unauthenticated, "this channel needs a user")
	errNotOwn     = fault.New(fault.Forbidden, "only the user may read their own stream")
	errOwnSend    = fault.New(fault.Forbidden, "to a user's own stream only user frames are sent")
	errNoStore    = fault.New(fault.Forbidden, "this channel stores nothing")
	errPublicKept = fault.New(fault.Forbidden, "without a user nothing is stored")
	errReplaced   = fault.New(fault.TooLarge, "what became of the message is too large")

	errRefused   = fault.New(fault.Forbidden, "the channel refused")
	errUndecided = fault.New(fault.Timeout, "the channel did not decide in time")
	errCrowded   = fault.New(fault.Busy, "the channel decides on as much as it can")
	errClogged   = fault.New(fault.Busy, "the channel has too many decisions that do not end")
	errLeaving   = fault.New(fault.Busy, "too many ends of joins wait to be told")

	errNotWaited = fault.New(fault.Timeout, "the message was not stored in time; it may be yet")
	errFull      = fault.New(fault.Busy, "too many messages wait to be stored")
	errBehind    = fault.New(fault.Busy, "the log of this channel does not answer")
	errClosed    = fault.New(fault.Busy, "the log is closing")
	errMessage   = fault.New(fault.TooLarge, "the message is too large to be stored")
)
