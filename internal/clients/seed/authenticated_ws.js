//####################################################//
// AUTHENTICATED - NPM WS LIBRARY //
//####################################################//
import WebSocket from 'ws';
const client = new WebSocket('ws://localhost:8000/websocket', {
headers: {
"Authorization": "Bearer {{user's token}}"
}
});
