package intram

import (
	"cmp"
	"iter"
	"slices"
	"sort"
	"time"
)

// search goes down the list, page by page, for watches whose place in it is not known. However many they are, a page costs the same: they
// are gone through when it begins, and when it ends.
type search[T any] struct {
	watches []*watch[T]
	before  int64 // where it has come to: what it looks for was made then or before; 0 at the top
	left    int   // how many it has not found, at most
}

// newSearch begins a search for all that are due and have no known place; nil when there are too few.
func (p *poller[T, P]) newSearch(now int64) *search[T] {
	if p.likely < worthAPage {
		return nil
	}
	s := new(search[T])
	for _, w := range p.unseen {
		p.steps++
		if w.created == 0 && w.ready(now) && !w.flags.has(alone) {
			w.flags |= searched
			s.watches = append(s.watches, w)
		}
	}
	p.unseen, p.likely = nil, p.likely-len(s.watches)
	s.left = len(s.watches)
	if !s.goesOn() {
		return nil
	}
	return s
}

// goesOn drops what need not be looked for any more from the front, and reports whether anything is left.
func (s *search[T]) goesOn() bool {
	for len(s.watches) > 0 {
		if w := s.watches[0]; w.news != nil && w.flags.has(searched) {
			return true
		}
		s.watches = s.watches[1:]
	}
	return false
}

// page is the look-up of the next page. It is made on behalf of some of the watches.
func (s *search[T]) page() *flight[T] {
	const glance = 4 * maxPageLimit
	f := &flight[T]{search: s, page: &listQuery{limit: maxPageLimit}}
	if s.before != 0 {
		f.page.before = time.UnixMilli(s.before + 1).UTC()
	}
	for _, w := range s.watches[:min(len(s.watches), glance)] {
		if w.news != nil && w.flags.has(searched) && !w.flags.has(inFlight) && len(f.asked) < maxPageLimit {
			f.asked = append(f.asked, w)
		}
	}
	return f
}

// searchLanded goes on with a search while its pages bring enough.
func (p *poller[T, P]) searchLanded(s *search[T], full bool, oldest int64, located int, now, draw int64) {
	enough := located >= worthAPage
	if !enough && s.before != 0 {
		p.lore.hints++
	}
	s.left -= located
	moves := full && enough && (s.before == 0 || oldest < s.before)
	switch {
	case moves && s.left >= worthAPage:
		s.before = oldest
		p.agenda.searches = append(p.agenda.searches, s)
	case moves:
		p.release(s) // so few are looked up by their ids
	default:
		p.each(s, func(w *watch[T]) { p.notOnThePage(w, now, draw) })
	}
}

// each ends a search, for each watch that it has not found.
func (p *poller[T, P]) each(s *search[T], do func(*watch[T])) {
	for _, w := range s.watches {
		p.steps++
		if w.news != nil && w.flags.has(searched) {
			w.flags &^= searched
			do(w)
			p.soon(w)
		}
	}
	s.watches = nil
}

// release ends a search that has found out nothing.
func (p *poller[T, P]) release(s *search[T]) { p.each(s, func(*watch[T]) {}) }

// notOnThePage: a subject that was never seen is on none of the pages that it was looked for on.
func (p *poller[T, P]) notOnThePage(w *watch[T], now int64, draw int64) {
	if w.misses++; w.misses >= patience || w.flags.has(noticed) {
		w.flags |= alone
		return
	}
	p.missed(w, nil, now, draw)
}

// hint: something that was on no page was made then, and so perhaps were others that are looked for.
func (p *poller[T, P]) hint(created, now int64) {
	if p.list == nil || now < p.lore.noLists || p.lore.hints >= hintsAllowed || now < p.lore.nextHint {
		return
	}
	if len(p.watches) > scanAlways {
		p.lore.nextHint = now + int64(len(p.watches))*int64(scanTime)
	}
	s := &search[T]{before: created}
	for _, w := range p.watches {
		p.steps++
		if w.created == 0 && w.misses > 0 && w.news != nil && w.flags&(inFlight|searched) == 0 {
			s.watches = append(s.watches, w)
		}
	}
	if s.left = len(s.watches); s.left < worthAPage {
		return
	}
	for _, w := range s.watches {
		w.flags, w.misses = (w.flags|searched)&^alone, patience-1
	}
	p.agenda.searches = append(p.agenda.searches, s)
}

// places are the watches whose place in the list is known, newest first.
type places[T any] struct {
	sorted, fresh []place[T]
}

type place[T any] struct {
	created int64
	w       *watch[T]
}

// put takes in a watch whose place has been found.
func (s *places[T]) put(w *watch[T]) { s.fresh = append(s.fresh, place[T]{w.created, w}) }

// settle puts what is fresh in its place, and forgets what is not waited for any more.
func (s *places[T]) settle() {
	if len(s.fresh) == 0 {
		return
	}
	newest := func(a, b place[T]) int { return cmp.Compare(b.created, a.created) }
	slices.SortStableFunc(s.fresh, newest)
	all := make([]place[T], 0, len(s.sorted)+len(s.fresh))
	for _, one := range s.sorted {
		if one.w.news == nil {
			continue
		}
		for len(s.fresh) > 0 && newest(s.fresh[0], one) < 0 {
			all, s.fresh = append(all, s.fresh[0]), s.fresh[1:]
		}
		all = append(all, one)
	}
	all = append(all, s.fresh...)
	s.sorted, s.fresh = all, nil
}

// from goes through the watches that were made then or before.
func (s *places[T]) from(created int64) iter.Seq[*watch[T]] {
	return func(yield func(*watch[T]) bool) {
		at := sort.Search(len(s.sorted), func(i int) bool { return s.sorted[i].created <= created })
		for _, one := range s.sorted[at:] {
			if !yield(one.w) {
				return
			}
		}
	}
}
