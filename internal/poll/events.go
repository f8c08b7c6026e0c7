package poll

// eventsKept is how many events are kept for waits that have not begun: an event can
// overtake the response to the call that caused it.
const eventsKept = 1024

// pendingEvents are the ids of the latest events.
type pendingEvents struct {
	at   map[string]int // where in ring
	ring []string
	next int // the oldest, once the ring is full
}

// add keeps an id, as the latest.
func (e *pendingEvents) add(id string) {
	if e.at == nil {
		e.at = map[string]int{}
	}
	if len(e.ring) < eventsKept {
		e.ring = append(e.ring, id)
		e.next = len(e.ring) - 1
	}
	if oldest := e.ring[e.next]; e.at[oldest] == e.next {
		delete(e.at, oldest)
	}
	e.ring[e.next], e.at[id] = id, e.next
	e.next = (e.next + 1) % eventsKept
}

func (e *pendingEvents) has(id string) bool {
	_, ok := e.at[id]
	return ok
}
