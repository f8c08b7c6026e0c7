// Package poll waits for items of an API that finish in their own time, such as payouts:
// all waits of a client together, with few requests. It knows no client and no type of
// the API. A [Config] gives it a clock, randomness, a rate, a function that gets one
// item, one that lists a page, and tells which errors are transient.
//
// # How it works
//
// A target is one id, and a waiter one call of Wait or WaitMany. A target has the waiters
// that wait for it, what was last seen of it, and when its next lookup is due. So however
// many wait for an id, it is looked up once for all of them, as often as the most eager
// of them wants.
//
// One goroutine dispatches the lookups (run.go). It sleeps until a target needs
// attention, and ends when nothing is waited for. Each lookup is a goroutine of its own,
// at most 8 in flight. The [Rate] bounds them, and stops them while the server asks for a
// pause.
//
// A heap orders the targets by their alarms: when a lookup falls due, and when a wait
// ends. What is due is queued (queues.go). Where more is due than the rate allows, the
// lookup at the deadline of a wait goes first, then the first one of a single wait.
// Repeated lookups, each batch and each search take turns.
//
// A lookup of a page of 100 items costs as much as that of one item. So list.go plans a
// page where three targets or more are likely to be on it. Lists are ordered by creation,
// newest first: a target that was seen once has a place there, and its neighbors are on
// the same page. What was never seen is likely new, and search.go looks for it from the
// top of the list downwards, as long as pages show enough. What no page shows is looked
// up by its id; its date may say where others are. So a list that lags, fails or is
// refused makes waits slower, and never wrong: only a lookup ends a wait, a page can only
// do so with an item that is complete, and "not found" is believed after 15 s.
//
// An event (Notify) makes a lookup due at once, by id where the list lags behind it. The
// last 1024 events count for waits that have not begun.
//
// Each waiter takes its updates from a slice, when its channel says that there are any.
// The goroutine never waits for a waiter.
//
// A clock may be set back, leap, or stand still. Time inside the package is since the
// poller's epoch, never goes back, and passes at least as fast as it was slept for.
//
// # What it costs
//
// 10,000 waits that end over 60 s take 0.10 requests each, and 1000 that an earlier
// process left behind take 40 requests in all. After an event, a wait takes one lookup at
// most, 0.4 in a crowd of 5000. A wait takes 590 bytes besides its goroutine, of which
// the item that was last seen is 220, and one of a batch takes 380. A lookup takes about
// the same work however many wait. Tests keep these numbers: TestPendingWaitsAreSmall,
// TestOldItemsAreFoundByDates and TestWorkOfABatchIsLinear, and
// TestTenThousandWaitsShareTheirLookUps and
// TestEventsOfThousandsOfOperationsCostFewLookUps of the SDK.
package poll
