// Package simulation proves what the SDK promises by living through it: merchants that
// crash and restart from their saved intents, the SDK, a network that fails in every way
// it can, the fake API, its webhooks with their schedule, the inbox and the reconciler,
// for virtual days that pass in milliseconds inside testing/synctest.
//
// One seed decides everything that matters. No decision is drawn in the order in which
// goroutines happen to run: each is a hash of the seed and of what it is about (this
// call's third attempt), so that a seed replays the same run.
//
// The package has tests only. TestSimulation takes -seeds and -from for a range, and
// -seed for one, which it traces; a run that fails prints the command that replays it.
// See docs/guarantees.md for what is proved.
package simulation
