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
}

// plan chooses the look-up that serves first.
func (p *poller[T, P]) plan(id string, first *watch[T], now int64) *flight[T] {
	one := &flight[T]{id: id, asked: []*watch[T]{first}}
	if p.list == nil || now < p.lore.noLists || first.flags.has(alone) {
		return one
	}
	asked, likely := []*watch[T]{first}, 1
	kind, mixed := p.kindOf(first), false
	for _, w := range p.watches {
		if w == first || w.news == nil || w.flags.has(inFlight|alone) || !p.together(first, w) {
			continue
		}
		likely++
		mixed = mixed || p.kindOf(w) != kind
		if w.next() <= now {
			asked = append(asked, w)
		}
	}
	if likely < worthAPage {
		return one
	}
	q := listQuery{limit: maxPageLimit}
	if first.created != 0 {
		q.before = time.UnixMilli(first.created + 1).UTC()
	}
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

// together reports whether w is likely on the page that begins with first.
func (p *poller[T, P]) together(first, w *watch[T]) bool {
	if first.created == 0 || w.created == 0 {
		return first.created == w.created
	}
	apart := time.Duration(first.created-w.created) * time.Millisecond
	return apart >= 0 && (p.lore.span == 0 || apart <= p.lore.span)
}

// landPage takes in a page.
func (p *poller[T, P]) landPage(f *flight[T], page *Page[T], now int64, draw int64) {
	p.lore.failures = 0
	full := page.full(maxPageLimit)
	oldest := p.learn(page, full)
	searching := f.asked[0].flags.has(atMost)
	matched, located := p.match(page, now, draw)
	for i, w := range f.asked {
		if matched[w] || w.news == nil || w.flags.has(over) {
			continue
		}
		place := w.created != 0 && !w.flags.has(atMost)
		switch {
		case place && full && w.created <= oldest && i > 0:
			// The page did not reach so far. It is still due, and a page begins with it soon.
		case place:
			w.flags |= alone // the list lags, or its millisecond has more than a page
		case full && located >= worthAPage && (w.created == 0 || oldest < w.created):
			w.created, w.flags = oldest, w.flags|atMost // on the next page, then
		default:
			p.notOnThePage(w, now, draw)
		}
	}
	switch {
	case located >= worthAPage:
		p.lore.hints = 0
	case searching:
		p.lore.hints++
	}
}

// pageFailed: the list may have a trouble of its own.
func (p *poller[T, P]) pageFailed(now int64) {
	if p.lore.failures++; p.lore.failures >= failuresAllowed {
		p.lore.failures, p.lore.noLists = 0, now+int64(listPause)
	}
}

// notOnThePage: a subject that was never seen is on none of the pages that it was looked for on.
func (p *poller[T, P]) notOnThePage(w *watch[T], now int64, draw int64) {
	w.created, w.flags = 0, w.flags&^atMost
	if w.misses++; w.misses >= patience || w.flags.has(noticed) {
		w.flags |= alone
		return
	}
	p.missed(w, nil, now, draw)
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
			if w.created == 0 || w.flags.has(atMost) {
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

// hint: something that was on no page was made then, and so perhaps were others that are looked for.
func (p *poller[T, P]) hint(created int64) {
	if p.list == nil || p.latest < p.lore.noLists || p.lore.hints >= hintsAllowed {
		return
	}
	for _, w := range p.watches {
		if (w.created == 0 || w.flags.has(atMost)) && w.misses > 0 && !w.flags.has(inFlight) {
			w.created, w.flags, w.misses = created, (w.flags|atMost)&^alone, patience-1
		}
	}
}
