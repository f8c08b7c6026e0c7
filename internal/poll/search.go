package poll

import "time"

const (
	// patience is how many pages in a row may leave out a target that was never seen
	// before it is looked up by its id: lists may lag.
	patience = 2
	// dateTime is the time, for each target, from one search from a date to the next.
	dateTime = 5 * time.Microsecond
)

// search goes down the list, page by page, for targets whose place is unknown. However
// many they are, a page costs the same: they are visited when the search begins, and when
// it ends.
type search[T any] struct {
	targets []*target[T]
	before  time.Time // where it has come to: what it looks for was created then or before; zero at the top
	left    int       // how many it has not found, at most
}

// newSearch begins a search for all targets that are due and have no known place; nil if
// they are too few.
func (p *Poller[T]) newSearch() *search[T] {
	candidates := 0
	var due []*target[T]
	for t := range p.unplaced {
		p.steps++
		if t.byID || t.searched {
			continue
		}
		candidates++
		if t.ready(p.now) {
			due = append(due, t)
		}
	}
	if candidates < worthAPage || len(due) == 0 {
		return nil
	}
	return p.search(due, time.Time{})
}

// search begins a search at a date.
func (p *Poller[T]) search(targets []*target[T], before time.Time) *search[T] {
	for _, t := range targets {
		t.searched, t.queue = true, nil
		p.setAlarm(t)
	}
	return &search[T]{targets: targets, before: before, left: len(targets)}
}

// open drops the targets that need not be searched any more from the front, and reports
// whether any are left.
func (s *search[T]) open() bool {
	for len(s.targets) > 0 && !s.targets[0].searchedFor() {
		s.targets = s.targets[1:]
	}
	return len(s.targets) > 0
}

func (t *target[T]) searchedFor() bool { return t.searched && t.wanted() }

// page returns the lookup of the next page, which is made for some of the targets; nil if
// no target is left, or each has a lookup of its own in flight.
func (s *search[T]) page() *lookup[T] {
	if !s.open() {
		return nil
	}
	l := &lookup[T]{search: s, query: new(Query)}
	if !s.before.IsZero() {
		l.query.Before = s.before.Add(time.Millisecond)
	}
	for _, t := range s.targets[:min(len(s.targets), 4*PageSize)] {
		if t.searchedFor() && !t.inFlight && len(l.targets) < PageSize {
			l.targets = append(l.targets, t)
		}
	}
	if len(l.targets) == 0 {
		return nil
	}
	return l
}

// continueSearch goes on with a search while its pages show enough.
func (p *Poller[T]) continueSearch(s *search[T], full bool, oldest time.Time, found int) {
	enough := found >= worthAPage
	if !enough && !s.before.IsZero() {
		p.lists.uselessDates++
	}
	s.left -= found
	moves := full && enough && (s.before.IsZero() || oldest.Before(s.before))
	switch {
	case moves && s.left >= worthAPage:
		s.before = oldest
		p.queues.addSearch(s)
	case moves:
		p.stopSearch(s) // so few are looked up by their ids
	default:
		p.endSearch(s, p.missed)
	}
}

// endSearch ends a search, and calls do for each target that it has not found.
func (p *Poller[T]) endSearch(s *search[T], do func(*target[T])) {
	for _, t := range s.targets {
		p.steps++
		if t.searchedFor() {
			t.searched = false
			do(t)
			p.setAlarm(t)
		}
	}
	s.targets = nil
}

// stopSearch ends a search that says nothing about what it has not found.
func (p *Poller[T]) stopSearch(s *search[T]) { p.endSearch(s, func(*target[T]) {}) }

// missed handles a target that no page of a search has shown.
func (p *Poller[T]) missed(t *target[T]) {
	if t.misses++; t.misses >= patience || t.notified {
		t.byID = true
		return
	}
	p.pace(t)
}

// searchFrom begins a search from the date of an item that was on no page: others that
// are looked for may be beside it.
func (p *Poller[T]) searchFrom(created time.Time) {
	if p.cfg.List == nil || !p.lists.enabled(p.now) || p.lists.uselessDates >= datesAllowed || p.now < p.lists.nextDate {
		return
	}
	var missed []*target[T]
	for t := range p.unplaced {
		p.steps++
		if t.misses > 0 && !t.inFlight && !t.searched {
			missed = append(missed, t)
		}
	}
	p.lists.nextDate = p.now + time.Duration(len(p.unplaced))*dateTime
	if len(missed) < worthAPage {
		return
	}
	for _, t := range missed {
		t.byID, t.misses = false, patience-1
	}
	p.queues.addSearch(p.search(missed, created))
}
