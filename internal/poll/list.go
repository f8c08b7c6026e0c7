package poll

import "time"

const (
	// worthAPage is how many targets must be likely on a page.
	worthAPage = 3
	// datesAllowed is how many dates in a row may lead to a page that shows too little.
	datesAllowed = 3
	// failuresAllowed is how many pages in a row may fail before there are none for
	// disabledFor.
	failuresAllowed = 3
	disabledFor     = time.Minute
)

// listStats is what the poller has learned about list responses while it runs.
type listStats struct {
	// span is how much time a full page covers; 0 is unknown. Too high a guess only costs
	// a larger response.
	span time.Duration
	// failures counts the pages in a row that failed.
	failures int
	// disabledUntil is until when no pages are asked for.
	disabledUntil time.Duration
	// uselessDates counts the dates in a row that led to no useful page.
	uselessDates int
	// nextDate is when a search may begin from a date again.
	nextDate time.Duration
}

func (l *listStats) enabled(now time.Duration) bool { return now >= l.disabledUntil }

// failed counts a page that failed: the list may have a problem of its own.
func (l *listStats) failed(now time.Duration) {
	if l.failures++; l.failures >= failuresAllowed {
		l.failures, l.disabledUntil = 0, now+disabledFor
	}
}

// plan chooses the lookup that serves a target: of a page where enough targets are likely
// to be on it, and by id otherwise.
func (p *Poller[T]) plan(first *target[T]) *lookup[T] {
	one := &lookup[T]{id: first.id, targets: []*target[T]{first}}
	switch {
	case p.cfg.List == nil, !p.lists.enabled(p.now), first.byID, first.searched:
		return one
	case first.created.IsZero():
		if s := p.newSearch(); s != nil {
			return s.page()
		}
		return one
	}
	l := &lookup[T]{targets: []*target[T]{first}, query: &Query{Kind: p.kind(first), Before: first.created.Add(time.Millisecond)}}
	likely := 1
	for _, t := range p.placed.from(first.created) {
		p.steps++
		if t == first || !t.wanted() || t.inFlight || t.byID {
			continue
		}
		if p.lists.span > 0 && first.created.Sub(t.created) > p.lists.span || likely == 2*PageSize {
			break
		}
		likely++
		if p.kind(t) != l.query.Kind {
			l.query.Kind = ""
		}
		if t.next() <= p.now && len(l.targets) < PageSize {
			l.targets = append(l.targets, t)
		}
	}
	if likely < worthAPage {
		return one
	}
	return l
}

// kind returns what the list can be filtered by to show t; empty while unknown.
func (p *Poller[T]) kind(t *target[T]) string {
	if t.seen.item == nil {
		return ""
	}
	return p.cfg.Describe(t.seen.item).Kind
}

// readPage reads the response of a lookup of a page.
func (p *Poller[T]) readPage(l *lookup[T], page *Page[T]) {
	p.lists.failures = 0
	oldest := p.learn(page)
	shown, placed := p.match(page)
	if placed >= worthAPage {
		p.lists.uselessDates = 0
	}
	if l.search != nil {
		p.continueSearch(l.search, page.Full, oldest, placed)
		return
	}
	for i, t := range l.targets {
		if shown[t] || page.Full && !t.created.After(oldest) && i > 0 {
			continue // the page did not reach so far: t is still due, and a page begins with it soon
		}
		t.byID = true // the list lags, or its millisecond has more items than a page
	}
}

// preferID makes a lookup of t by its id due now.
func (p *Poller[T]) preferID(t *target[T]) {
	t.byID, t.searched, t.due = true, false, p.now
	p.setAlarm(t)
}

// learn measures how far a page reaches, and returns when its last item was created.
func (p *Poller[T]) learn(page *Page[T]) (oldest time.Time) {
	if len(page.Items) == 0 {
		return time.Time{}
	}
	newest := p.cfg.Describe(&page.Items[0]).Created
	oldest = p.cfg.Describe(&page.Items[len(page.Items)-1]).Created
	if page.Full {
		p.lists.span = max(newest.Sub(oldest), p.lists.span*3/4, time.Millisecond)
	}
	return oldest.Truncate(time.Millisecond)
}

// match gives the items of a page to all targets that they are about, asked for or not.
// It returns those targets, and how many of them had no known place.
func (p *Poller[T]) match(page *Page[T]) (shown map[*target[T]]bool, placed int) {
	shown = map[*target[T]]bool{}
	for i := range page.Items {
		state := p.cfg.Describe(&page.Items[i])
		for _, id := range state.IDs {
			t := p.targets[id]
			if t == nil {
				continue
			}
			shown[t] = true
			if t.created.IsZero() {
				placed++
			}
			if state.Finished && !state.Complete || !state.Finished && t.notified {
				p.preferID(t) // the list leaves something out, or lags behind an event
				continue
			}
			item := page.Items[i] // a copy, or one item would keep the whole page
			p.saw(t, &item)
		}
	}
	for _, id := range page.Unreadable {
		if t := p.targets[id]; t != nil {
			shown[t] = true
			p.preferID(t) // its own response may say more
		}
	}
	return shown, placed
}
