package intram

import "time"

// A look-up costs a request, whether it is of one operation or of a page of a hundred. So a page is asked for wherever enough of what is
// waited for is likely to be on it, and an id where it is not.
//
// Lists are ordered by when things were made, newest first. What has been seen once has a place there; its neighbours are on the
// same page. What has never been seen is most likely new, and looked for from the top of the list downwards as long as the pages
// bring enough. What no page brings is looked up by its id, and its date shows where to go on.

const (
	// worthAPage is how many must be likely on a page.
	worthAPage = 3
	// patience is on how many pages in a row a new subject may be missing before it is looked up by its id: lists may lag.
	patience = 2
	// hintsAllowed is how many hints in a row may lead nowhere.
	hintsAllowed = 3
	// failuresAllowed is how many pages in a row may fail before ids are asked for, for as long as listPause.
	failuresAllowed = 3
	listPause       = time.Minute
)

// lore is what a poller has learned of the lists while it runs.
type lore struct {
	// span is how much time a full page may go through; 0 is not known yet. To guess too much costs nothing but a larger answer.
	span time.Duration
	// hints counts the dates that led to no page in a row.
	hints int
	// noLists is until when pages are not asked for, because they were refused or have failed so many times in a row.
	noLists  int64
	failures int
	// nextHint is when a date may be made use of again.
	nextHint int64
}

// plan chooses the look-up that serves first.
func (p *poller[T, P]) plan(e entry[T], now int64) *flight[T] {
	first := e.w
	one := &flight[T]{id: e.id, asked: []*watch[T]{first}}
	switch {
	case p.list == nil, now < p.lore.noLists, first.flags.has(alone), first.flags.has(searched):
		return one
	case first.created == 0:
		if s := p.newSearch(now); s != nil {
			return s.page()
		}
		return one
	}
	asked, likely := []*watch[T]{first}, 1
	kind, mixed := p.kindOf(first), false
	for w := range p.places.from(first.created) {
		p.steps++
		if w == first || w.news == nil || w.flags.has(inFlight) || w.flags.has(alone) {
			continue
		}
		if !p.together(first, w) || likely == 2*maxPageLimit {
			break
		}
		likely++
		mixed = mixed || p.kindOf(w) != kind
		if w.next() <= now && len(asked) < maxPageLimit {
			asked = append(asked, w)
		}
	}
	if likely < worthAPage {
		return one
	}
	q := listQuery{limit: maxPageLimit, before: time.UnixMilli(first.created + 1).UTC()}
	if !mixed {
		q.typ = kind
	}
	return &flight[T]{asked: asked, page: &q}
}

// kindOf is a subject's type, empty while it is not known.
func (p *poller[T, P]) kindOf(w *watch[T]) string {
	if w.seen == nil || w.seen.item == nil {
		return ""
	}
	return P(w.seen.item).kind()
}

// together reports whether w, which is no newer than first, is likely on the page that begins with first.
func (p *poller[T, P]) together(first, w *watch[T]) bool {
	apart := time.Duration(first.created-w.created) * time.Millisecond
	return p.lore.span == 0 || apart <= p.lore.span
}

// landPage takes in a page.
func (p *poller[T, P]) landPage(f *flight[T], page *Page[T], now int64, draw int64) {
	p.lore.failures = 0
	full := page.full(maxPageLimit)
	oldest := p.learn(page, full)
	matched, located := p.match(page, now, draw)
	if located >= worthAPage {
		p.lore.hints = 0
	}
	if f.search != nil {
		p.searchLanded(f.search, full, oldest, located, now, draw)
		return
	}
	for i, w := range f.asked {
		if matched[w] || w.news == nil || w.flags.has(over) {
			continue
		}
		if full && w.created <= oldest && i > 0 {
			continue // The page did not reach so far. It is still due, and a page begins with it soon.
		}
		w.flags |= alone // the list lags, or its millisecond has more than a page
	}
}

// pageFailed: the list may have a trouble of its own.
func (p *poller[T, P]) pageFailed(now int64) {
	if p.lore.failures++; p.lore.failures >= failuresAllowed {
		p.lore.failures, p.lore.noLists = 0, now+int64(listPause)
	}
}

// learn remembers how far a page reaches, and returns when its last item was made.
func (p *poller[T, P]) learn(page *Page[T], full bool) (oldest int64) {
	if len(page.Items) == 0 {
		return 0
	}
	newest, last := P(&page.Items[0]).created(), P(&page.Items[len(page.Items)-1]).created()
	if full {
		p.lore.span = max(newest.Sub(last), p.lore.span*3/4, time.Millisecond)
	}
	return last.UnixMilli()
}

// match brings what is on a page to those who wait for it, whoever it was asked for, and counts those whose place was not known.
func (p *poller[T, P]) match(page *Page[T], now int64, draw int64) (matched map[*watch[T]]bool, located int) {
	matched = map[*watch[T]]bool{}
	for i := range page.Items {
		item := &page.Items[i]
		for _, name := range P(item).names() {
			w := p.watches[name]
			if name == "" || w == nil || w.news == nil {
				continue
			}
			matched[w] = true
			if w.created == 0 {
				located++
			}
			ended, whole := P(item).ended()
			if ended && !whole || !ended && w.flags.has(noticed) {
				w.flags, w.due = w.flags|alone, now // the list says too little, or lags behind an event
				continue
			}
			own := *item // or the whole page would stay with one of its items
			p.saw(w, &own, now, draw)
		}
	}
	for _, item := range page.Unreadable {
		if w := p.watches[item.ID]; item.ID != "" && w != nil && w.news != nil {
			matched[w] = true
			w.flags, w.due = w.flags|alone, now // its own lookup may say more
		}
	}
	return matched, located
}
