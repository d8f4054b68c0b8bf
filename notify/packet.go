package notify

import (
	"encoding/binary"
	"errors"
	"time"

	"github.com/walkergate/walkergate/channels"
)

// A packet begins with a byte that says its form, so that nodes of two versions
// can tell each other's apart. Numbers are varints, texts and data are bytes
// behind their length.
const (
	formStored = 1
	formNote   = 2
)

type packetID [16]byte

// storedPacket holds messages of one log, in their order.
type storedPacket struct {
	channelID string
	epoch     string
	messages  []channels.Message
}

// notePacket is a message that is not stored, with all of its targets.
type notePacket struct {
	id      packetID
	to      kind
	targets []packetTarget
	from    *channels.Sender
	at      time.Time
	data    []byte
}

// packetTarget is a target, and how much of its log the note was sent behind.
type packetTarget struct {
	id     string
	behind logPlace
}

func (p storedPacket) encode() []byte {
	size := 64
	for i := range p.messages {
		size += 128 + len(p.messages[i].Data)
	}
	b := append(make([]byte, 0, size), formStored)
	b = appendText(b, p.channelID)
	b = appendText(b, p.epoch)
	b = binary.AppendUvarint(b, uint64(len(p.messages)))
	for i := range p.messages {
		message := &p.messages[i]
		b = binary.AppendVarint(b, message.Seq)
		b = appendOrigin(b, message.From, message.At)
		b = appendText(b, message.Data)
	}
	return b
}

func (p notePacket) encode() []byte {
	size := 64 + len(p.data)
	for _, target := range p.targets {
		size += 32 + len(target.id)
	}
	b := append(make([]byte, 0, size), formNote, byte(p.to))
	b = append(b, p.id[:]...)
	b = binary.AppendUvarint(b, uint64(len(p.targets)))
	for _, target := range p.targets {
		b = appendText(b, target.id)
		b = appendText(b, target.behind.epoch)
		b = binary.AppendVarint(b, target.behind.seq)
	}
	b = appendOrigin(b, p.from, p.at)
	return appendText(b, p.data)
}

func appendText[T ~string | ~[]byte](b []byte, text T) []byte {
	b = binary.AppendUvarint(b, uint64(len(text)))
	return append(b, text...)
}

func appendOrigin(b []byte, from *channels.Sender, at time.Time) []byte {
	if from == nil {
		b = append(b, 0)
	} else {
		b = append(b, 1)
		b = appendText(b, from.ClientID)
		b = appendText(b, from.RootID)
	}
	return binary.AppendVarint(b, at.UnixMilli())
}

var errPacket = errors.New("it is not of a form that is known here")

// decodePacket reads a packet: one of the two, or an error. What it gives shares
// the packet's memory.
func decodePacket(packet []byte) (*storedPacket, *notePacket, error) {
	d := unpacker{left: packet}
	var stored *storedPacket
	var noted *notePacket
	switch d.byte() {
	case formStored:
		stored = d.stored()
	case formNote:
		noted = d.note()
	default:
		d.failed = true
	}
	if d.failed || len(d.left) > 0 {
		return nil, nil, errPacket
	}
	return stored, noted, nil
}

// unpacker takes a packet apart. Where that fails it gives zeros from then on.
type unpacker struct {
	left   []byte
	failed bool
}

func (d *unpacker) take(n int) []byte {
	if d.failed || n > len(d.left) {
		d.failed = true
		return nil
	}
	taken := d.left[:n:n]
	d.left = d.left[n:]
	return taken
}

func (d *unpacker) byte() byte {
	if taken := d.take(1); taken != nil {
		return taken[0]
	}
	return 0
}

func (d *unpacker) varint() int64 {
	value, n := binary.Varint(d.left)
	if n <= 0 {
		d.failed = true
		return 0
	}
	d.left = d.left[n:]
	return value
}

// size is a count or a length: at most what is left, so that nothing is made
// larger than its packet.
func (d *unpacker) size() int {
	value, n := binary.Uvarint(d.left)
	if n <= 0 || value > uint64(len(d.left)-n) {
		d.failed = true
		return 0
	}
	d.left = d.left[n:]
	return int(value)
}

func (d *unpacker) bytes() []byte { return d.take(d.size()) }
func (d *unpacker) text() string  { return string(d.bytes()) }

func (d *unpacker) origin() (from *channels.Sender, at time.Time) {
	switch d.byte() {
	case 0:
	case 1:
		from = &channels.Sender{ClientID: d.text(), RootID: d.text()}
	default:
		d.failed = true
	}
	return from, time.UnixMilli(d.varint()).UTC()
}

func (d *unpacker) stored() *storedPacket {
	p := &storedPacket{channelID: d.text(), epoch: d.text()}
	before := int64(0)
	for range d.size() {
		var message channels.Message
		message.Seq = d.varint()
		message.From, message.At = d.origin()
		message.Data = d.bytes()
		if d.failed = d.failed || message.Seq <= before; d.failed {
			return nil
		}
		before = message.Seq
		p.messages = append(p.messages, message)
	}
	d.failed = d.failed || len(p.messages) == 0 || p.epoch == ""
	return p
}

func (d *unpacker) note() *notePacket {
	p := &notePacket{to: kind(d.byte())}
	copy(p.id[:], d.take(len(p.id)))
	for range d.size() {
		target := packetTarget{id: d.text(), behind: logPlace{d.text(), d.varint()}}
		if d.failed = d.failed || target.behind.seq < 0; d.failed {
			return nil
		}
		p.targets = append(p.targets, target)
	}
	p.from, p.at = d.origin()
	p.data = d.bytes()
	d.failed = d.failed || p.to > toChannels || len(p.targets) == 0
	return p
}
