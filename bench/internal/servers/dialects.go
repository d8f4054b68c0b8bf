package servers

import (
	"bytes"
	"fmt"
	"net/url"
	"strconv"
)

// bare is the floor: a message is handed on as it is, the path says how.
type bare struct{}

func (bare) Path(channel string) string {
	if channel == "" {
		return "/echo"
	}
	return "/channel/" + channel
}

func (bare) Greet(string, int, []byte) ([]byte, bool, error) { return nil, true, nil }

func (bare) Publish(dst []byte, _ string, data []byte) []byte { return append(dst, data...) }

func (bare) Echo(dst []byte, _ uint32, data []byte) []byte { return append(dst, data...) }

func (bare) Control(text []byte) ([]byte, error) { return nil, unexpected(text) }

// plain is what the peers speak that have no protocol of their own: the frames
// of walkergate, without a greeting.
type plain struct{ bare }

func (plain) Path(channel string) string { return "/websocket" + query(channel) }

func (plain) Publish(dst []byte, channel string, data []byte) []byte {
	dst = append(dst, `{"type":"channel","channel_ids":["`...)
	dst = append(dst, channel...)
	dst = append(dst, `"],"data":`...)
	dst = append(dst, data...)
	return append(dst, '}')
}

func (plain) Echo(dst []byte, id uint32, data []byte) []byte {
	dst = append(dst, `{"type":"echo","id":"`...)
	dst = strconv.AppendUint(dst, uint64(id), 10)
	dst = append(dst, `","data":`...)
	dst = append(dst, data...)
	return append(dst, '}')
}

// gate is walkergate.
type gate struct{ plain }

// Greet waits for the connection event, which says that the channel is joined.
func (gate) Greet(_ string, heard int, text []byte) ([]byte, bool, error) {
	if heard == 0 {
		return nil, false, nil
	}
	if !bytes.HasPrefix(text, []byte(`{"type":"connection"`)) {
		return nil, false, unexpected(text)
	}
	return nil, true, nil
}

func (gate) Echo(dst []byte, id uint32, data []byte) []byte {
	dst = append(dst, `{"type":"walker","walker":"echo","id":"`...)
	dst = strconv.AppendUint(dst, uint64(id), 10)
	dst = append(dst, `","context":{"value":`...)
	dst = append(dst, data...)
	return append(dst, `}}`...)
}

// socketio is Engine.IO 4 and Socket.IO 5 over its websocket transport.
type socketio struct{}

func (socketio) Path(channel string) string {
	path := "/socket.io/?EIO=4&transport=websocket"
	if channel != "" {
		path += "&channel_id=" + url.QueryEscape(channel)
	}
	return path
}

// Greet is: open packet, our connect packet, its answer.
func (socketio) Greet(_ string, heard int, text []byte) ([]byte, bool, error) {
	switch {
	case heard == 0:
		return nil, false, nil
	case heard == 1 && bytes.HasPrefix(text, []byte("0{")):
		return []byte("40"), false, nil
	case heard == 2 && bytes.HasPrefix(text, []byte("40")):
		return nil, true, nil
	}
	return nil, false, unexpected(text)
}

func (socketio) Publish(dst []byte, channel string, data []byte) []byte {
	dst = append(dst, `42["publish","`...)
	dst = append(dst, channel...)
	dst = append(dst, `",`...)
	dst = append(dst, data...)
	return append(dst, ']')
}

func (socketio) Echo(dst []byte, id uint32, data []byte) []byte {
	dst = append(dst, '4', '2')
	dst = strconv.AppendUint(dst, uint64(id), 10)
	dst = append(dst, `["echo",`...)
	dst = append(dst, data...)
	return append(dst, ']')
}

func (socketio) Control(text []byte) ([]byte, error) {
	if string(text) == "2" { // its ping
		return []byte("3"), nil
	}
	return nil, unexpected(text)
}

// centrifugo is the JSON protocol of Centrifugo.
type centrifugo struct{}

func (centrifugo) Path(string) string { return "/connection/websocket" }

// Greet is: connect command, its reply, subscribe command, its reply.
func (centrifugo) Greet(channel string, heard int, text []byte) ([]byte, bool, error) {
	switch {
	case heard == 0:
		return []byte(`{"id":1,"connect":{}}`), false, nil
	case bytes.Contains(text, []byte(`"error"`)):
		return nil, false, unexpected(text)
	case heard == 1 && channel != "":
		return []byte(`{"id":2,"subscribe":{"channel":"` + channel + `"}}`), false, nil
	}
	return nil, true, nil
}

func (centrifugo) Publish(dst []byte, channel string, data []byte) []byte {
	dst = append(dst, `{"id":3,"publish":{"channel":"`...)
	dst = append(dst, channel...)
	dst = append(dst, `","data":`...)
	dst = append(dst, data...)
	return append(dst, `}}`...)
}

// Echo has no counterpart that Centrifugo answers by itself; no scenario asks
// for it.
func (centrifugo) Echo(dst []byte, _ uint32, _ []byte) []byte { return dst }

func (centrifugo) Control(text []byte) ([]byte, error) {
	switch {
	case string(text) == "{}": // its ping
		return []byte("{}"), nil
	case bytes.Contains(text, []byte(`"publish":{}`)): // the reply to a publish
		return nil, nil
	}
	return nil, unexpected(text)
}

func query(channel string) string {
	if channel == "" {
		return ""
	}
	return "?channel_id=" + url.QueryEscape(channel)
}

func unexpected(text []byte) error {
	return fmt.Errorf("the server said %.200q", text)
}
