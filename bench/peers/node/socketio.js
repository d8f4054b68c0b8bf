// npm socket.io with rooms for channels: the event publish to a room, the event
// echo with an acknowledgement. WebSocket alone, no polling first.
'use strict';

const { createServer } = require('node:http');
const { Server } = require('socket.io');

const http = createServer();
const io = new Server(http, { transports: ['websocket'], serveClient: false });

io.on('connection', (socket) => {
  const id = socket.handshake.query.channel_id;
  if (id) socket.join(id);
  socket.on('publish', (channel, data) => io.to(channel).emit('m', data));
  socket.on('echo', (data, answer) => answer(data));
});

http.listen({ host: '127.0.0.1', port: Number(process.argv[2]), backlog: 4096 });

process.on('SIGTERM', () => process.exit(0));
