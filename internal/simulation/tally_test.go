package simulation_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
)

// tally counts what happened in all runs. A kind of trouble that never came about proves
// nothing: see missing.
type tally struct {
	mu     sync.Mutex
	counts map[string]int
}

func newTally() *tally {
	t := &tally{counts: map[string]int{}}
	for _, f := range networkFaults {
		t.counts["network: "+f.name] = 0
	}
	for _, name := range slices.Concat(webhookFaults, listFaults, storeFaults, handlerFates, crashPoints, landmarks) {
		t.counts[name] = 0
	}
	return t
}

// saw counts one of the kinds.
func (t *tally) saw(kind string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, known := t.counts[kind]; !known {
		panic("simulation: " + kind + " is not on the list of what must happen")
	}
	t.counts[kind]++
}

// missing names the kinds that never happened.
func (t *tally) missing() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var missing []string
	for kind, n := range t.counts {
		if n == 0 {
			missing = append(missing, kind)
		}
	}
	slices.Sort(missing)
	return missing
}

func (t *tally) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var lines []string
	for kind, n := range t.counts {
		lines = append(lines, fmt.Sprintf("  %-44s %9d", kind, n))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// flooded is the part of its fault that streams until the SDK gives up.
const flooded = "network: streamed without an end"

// Places that are not faults of something else.
const (
	clockHoursOff    = "clock: off by hours, all the time"
	rebuilt          = "call: the same amount in another scale"
	secondProcess    = "call: by two processes with one intent"
	foreignEvent     = "event: of another merchant, signed by its neighbour"
	foreignIgnored   = "event: of another merchant, and ignored"
	withoutData      = "event: without its data"
	settledDaysLater = "settlement: days later"
)

// landmarks are places a run must have come to, besides the faults.
var landmarks = []string{
	"order: paid", "order: payout failed", "order: refused by the API", "order: new intent after a refusal",
	"call: rejected", "call: not sent", "call: in doubt", "call: in doubt, then answered", "call: replayed answer",
	"call: deadline ended it", "call: Retry-After waited for", "call: Retry-After beyond the cap", "call: clock corrected",
	"call: clock unlearned", "call: budget spent",
	"call: resumed", "call: looked back before it was sent", "intent: what the list says of it is not clear",
	"intent: expired", "intent: found in the list after it expired", "intent: not found in the list after it expired",
	"intent: read back after a crash",
	"wait: succeeded", "wait: failed", "wait: ended first", "wait: Retry-After waited for",
	"wait: served by a page",
	"event: refused as stale", "event: forgery refused", "event: known already", "event: claimed elsewhere",
	"event: delivery exhausted", "event: found by the reconciler", "event: out of order", "event: lease lost",
	flooded, clockHoursOff, rebuilt, secondProcess, foreignEvent, foreignIgnored, withoutData, settledDaysLater,
	"settlement: completed", "settlement: returned by the bank",
}
