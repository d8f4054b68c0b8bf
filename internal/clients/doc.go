// Package clients holds the gateway to clients that are not ours: the browser's
// own WebSocket, the npm package ws and the React hook react-use-websocket. It
// is made of tests alone, built with the tag clients; they need Chromium, Node
// and, once, npm ci in this folder.
//
// In seed stands client code as people have it. It is run as it stands there:
// what differs from user to user is filled in, and not a letter is changed else.
package clients
