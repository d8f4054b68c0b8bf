//####################################################//
// NOT AUTHENTICATED - JS LIBRARY //
//####################################################//
const client = new WebSocket("ws://localhost:8000/websocket");
