// npm ws as a server that speaks the frames of walkergate: channels by
// ?channel_id=, publish by a channel frame, echo by an echo frame.
'use strict';

const { WebSocketServer } = require('ws');

const channels = new Map(); // id -> Set of sockets

function members(id) {
  let set = channels.get(id);
  if (!set) channels.set(id, (set = new Set()));
  return set;
}

const server = new WebSocketServer({ host: '127.0.0.1', port: Number(process.argv[2]), backlog: 4096 });

server.on('connection', (socket, request) => {
  const id = new URL(request.url, 'http://localhost').searchParams.get('channel_id');
  if (id) {
    members(id).add(socket);
    socket.on('close', () => members(id).delete(socket));
  }
  socket.on('error', () => socket.terminate());
  socket.on('message', (text) => {
    const frame = JSON.parse(text);
    if (frame.type === 'channel') {
      const data = Buffer.from(JSON.stringify(frame.data)); // once, not once a member
      for (const id of frame.channel_ids) {
        for (const member of members(id)) member.send(data, { binary: false });
      }
    } else if (frame.type === 'echo') {
      socket.send(JSON.stringify({ type: 'reply', id: frame.id, ok: true, data: frame.data }));
    }
  });
});

process.on('SIGTERM', () => process.exit(0));
