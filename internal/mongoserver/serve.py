"""Serves until the standard input ends. The first line on the standard output
is the URI, the second says what serves."""

import sys

from secantus import SecantusDBServer, __version__

server = SecantusDBServer(host="127.0.0.1", port=0, storage_path=":memory:", cache_size="256M")
server.start()
print(server.uri)
print(f"SecantusDB {__version__}, Python {sys.version.split()[0]}", flush=True)
try:
    sys.stdin.buffer.read()
except KeyboardInterrupt:
    pass
server.stop()
