package wire

// CloseCode is the number a WebSocket ends with. The codes are part of the API:
// they tell a client whether to come back.
type CloseCode uint16

// The codes that the gateway closes with.
const (
	CloseNormal       CloseCode = 1000 // bye
	CloseGoingAway    CloseCode = 1001 // come back; the reason may hold "retry=<ms>"
	CloseProtocol     CloseCode = 1002 // the framing was broken
	CloseUnsupported  CloseCode = 1003 // a binary message
	CloseNoStatus     CloseCode = 1005 // never sent: the peer gave no code
	CloseAbnormal     CloseCode = 1006 // never sent: the connection ended without a close
	CloseInvalidText  CloseCode = 1007 // text that is not UTF-8
	ClosePolicy       CloseCode = 1008 // refused by policy
	CloseTooBig       CloseCode = 1009 // a message over the limit
	CloseInternal     CloseCode = 1011 // our fault
	CloseTooSlow      CloseCode = 1013 // the bounded queue was full; come back and resume
	CloseAuthEnded    CloseCode = 4401 // the authentication ended
	CloseDisconnected CloseCode = 4403 // disconnected by the server; stay away
	CloseNoSignOfLife CloseCode = 4408 // nothing was heard within the heartbeat limit
	CloseOverLimits   CloseCode = 4429 // over the limits for long; back off
)
