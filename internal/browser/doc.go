// Package browser drives a real Chromium for tests: the page that the gateway
// serves, and the clients that run in pages of others. What drives it is built
// with the tags of those suites alone, browser and clients; without them the
// package is empty.
package browser
