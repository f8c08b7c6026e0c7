package intram

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"sync"
)

// payinNames are the two names of a session, of which a lookup takes one or the other: reports differ.
type payinNames struct{ reference, id string }

// other is the other name, empty if there is none.
func (n payinNames) other(name string) string {
	switch {
	case n.reference == n.id:
		return ""
	case name == n.reference:
		return n.id
	case name == n.id:
		return n.reference
	}
	return ""
}

// contradictedBy reports whether a session shows two names, and ours is not among them.
func (n payinNames) contradictedBy(p *Payin) bool {
	return n.reference != "" && p.Reference != "" && p.ID != "" && !isNamed(p.Reference, n.reference)
}

// rememberedPayins is of how many sessions a client keeps the names.
const rememberedPayins = 1000

// payinMemory keeps the names of the sessions that a client has seen last. It is safe for concurrent use.
type payinMemory struct {
	mu     sync.Mutex
	byName map[string]*rememberedPayin
	oldest []*rememberedPayin // a ring, full of sessions once it has them all
	next   int
}

type rememberedPayin struct {
	names   payinNames
	refused string // the name that the API did not know the session by, though it knew it by the other one
}

// of are the names of the session that has this one, and the one that the API does not know it by.
func (m *payinMemory) of(name string) (names payinNames, refused string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if seen := m.byName[name]; seen != nil {
		return seen.names, seen.refused
	}
	return payinNames{}, ""
}

// keep remembers the names of a session, and which of them the API did not know, if that is known.
func (m *payinMemory) keep(names payinNames, refused string) {
	if names.reference == "" || names.id == "" {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if seen := m.byName[names.reference]; seen != nil && seen.names == names {
		if refused != "" {
			seen.refused = refused
		}
		return
	}
	if m.byName == nil {
		m.byName = map[string]*rememberedPayin{}
	}
	seen := &rememberedPayin{names, refused}
	if len(m.oldest) < rememberedPayins {
		m.oldest = append(m.oldest, seen)
	} else {
		for _, name := range [...]string{m.oldest[m.next].names.reference, m.oldest[m.next].names.id} {
			if m.byName[name] == m.oldest[m.next] {
				delete(m.byName, name)
			}
		}
		m.oldest[m.next] = seen
		m.next = (m.next + 1) % rememberedPayins
	}
	m.byName[names.reference], m.byName[names.id] = seen, seen
}

// Get looks a session up, by your reference or the system's ([Payin].ID).
//
// Reports differ on which of the two the API takes. When it does not know the one that you give, and this client has seen the session
// before (it keeps the names of the last 1 000 that it created or looked up), the other one is tried, and asked for first from
// then on. A program that has just started has seen none: [PayinService.Refresh] takes both names.
//
// Endpoint: GET /v1/payin/{reference}. Errors: [*Error] with [CodeTransactionDoesNotExist] for an unknown reference, which proves
// little while the other one was not tried, and around [ErrResponseMismatch] when the response is about another session.
// Docs: Payin, Status.
func (s *PayinService) Get(ctx context.Context, reference string, opts ...CallOption) (*Payin, error) {
	names, refused := s.seen.of(reference)
	return s.lookUp(ctx, reference, names, refused, opts)
}

// Refresh looks a session up again, by its Reference and, if the API does not know that one, by its ID. It takes what a notification
// brought, or the two names that you have saved:
//
//	payin, err := client.Payin.Refresh(ctx, &intram.Payin{Reference: order.Reference, ID: order.PayinID})
//
// Endpoint: GET /v1/payin/{reference}. Errors: as [PayinService.Get]'s, with [CodeTransactionDoesNotExist] when the API knows neither.
// Docs: Payin, Status.
func (s *PayinService) Refresh(ctx context.Context, p *Payin, opts ...CallOption) (*Payin, error) {
	if p == nil {
		p = new(Payin) // which has no reference, as the error says
	}
	names := payinNames{p.Reference, p.ID}
	asked := firstWord(names.reference, names.id)
	known, refused := s.seen.of(asked)
	if known != names {
		refused = ""
	}
	return s.lookUp(ctx, asked, names, refused, opts)
}

// lookUp asks for a session by one name, and by its other one when the API does not know the first.
func (s *PayinService) lookUp(ctx context.Context, asked string, names payinNames, refused string, opts []CallOption) (*Payin, error) {
	first, second := asked, names.other(asked)
	if second != "" && refused == first {
		first, second = second, first
	}
	p, err := s.look(ctx, first, names, opts)
	if second == "" || !errors.Is(err, CodeTransactionDoesNotExist) {
		return p, err
	}
	p, again := s.look(ctx, second, names, opts)
	switch {
	case again == nil:
		s.seen.keep(names, first) // and not what the session shows now: by these it was found
	case errors.Is(again, CodeTransactionDoesNotExist):
		return nil, err
	}
	return p, again
}

func (s *PayinService) look(ctx context.Context, name string, names payinNames, opts []CallOption) (*Payin, error) {
	r := request{
		method: http.MethodGet, template: "/v1/payin/{reference}", path: "/v1/payin/" + url.PathEscape(name), reference: name,
	}
	r.invalid.pathID("reference", name)
	return s.do(ctx, r, names, opts)
}
