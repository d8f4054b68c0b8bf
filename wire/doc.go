// Package wire is the protocol: the sealed set of frames a client may send, the
// messages the gateway sends, their JSON, and the close codes. It holds no
// behaviour and no state; docs/PROTOCOL.md is its prose twin and
// testdata/frames its proof.
//
// Names of fields are matched exactly, a name that stands twice is refused, and
// text that is not valid UTF-8 is refused: what one reader of a frame
// understands, every other reader understands too.
package wire
