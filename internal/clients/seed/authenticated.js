//####################################################//
// AUTHENTICATED - JS LIBRARY //
//####################################################//
const client = new WebSocket("ws://localhost:8000/websocket");
client.onopen = (event) => {
client.send(JSON.stringify({
"type": "change_user",
"token": "Bearer {{user's token}}" // optional - default to public user
}));
};
