// Package channels knows what a channel is: who may use it and how, by the
// policies that a program declares beside its walkers, and what was said in it,
// by a log that is dense, ordered and kept. It sends nothing; package notify
// does, in the order of the log.
package channels
