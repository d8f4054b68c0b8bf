package gateway

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/walkergate/walkergate/fault"
)

const (
	// maxChannelID is the longest channel id, in bytes.
	maxChannelID = 256
	// maxChannels is how many channels one connection may be in.
	maxChannels = 100
	// reservedPrefix begins the channel ids that are the gateway's own.
	reservedPrefix = "$"
)

// newID makes an id of the form "<unix seconds>:<32 hex>": of a connection, or
// of the channel of one that asked for none.
func newID(now time.Time) string {
	var random [16]byte
	_, _ = rand.Read(random[:]) // never fails: crypto/rand ends the process instead
	return strconv.FormatInt(now.Unix(), 10) + ":" + hex.EncodeToString(random[:])
}

// NewNodeID makes the id of a node for one life of its process.
func NewNodeID() string { return newID(time.Now()) }

// chooseChannels judges the channels that a URL asked for: those that may be
// joined, a random one where none is left, and what to tell of the others. An
// empty id counts as absent, a repeated one as said once.
func chooseChannels(asked []string) (chosen []string, refused *fault.Error) {
	var details []fault.Detail
	for i, id := range asked {
		var reason string
		switch {
		case id == "" || slices.Contains(chosen, id):
			continue
		case len(id) > maxChannelID:
			reason = fmt.Sprintf("at most %d bytes", maxChannelID)
		case !utf8.ValidString(id):
			reason = "expected UTF-8"
		case strings.HasPrefix(id, reservedPrefix):
			reason = "ids that begin with $ are reserved"
		case len(chosen) == maxChannels:
			reason = fmt.Sprintf("at most %d channels", maxChannels)
		default:
			chosen = append(chosen, id)
			continue
		}
		details = append(details, fault.Detail{Field: "channel_id[" + strconv.Itoa(i) + "]", Reason: reason})
	}
	if len(chosen) == 0 {
		chosen = []string{newID(time.Now())}
	}
	if len(details) > 0 {
		refused = fault.New(fault.BadFrame, "some channels of the URL were not joined", details...)
	}
	return chosen, refused
}
