package builtin

// chat is the message that the send_chat walkers deliver:
// {"type":"chat","data":{"message":"…"}}.
type chat struct {
	Type string   `json:"type"`
	Data chatText `json:"data"`
}

type chatText struct {
	Message string `json:"message"`
}

func newChat(message string) chat { return chat{Type: "chat", Data: chatText{Message: message}} }
