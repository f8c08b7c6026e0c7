package otelintram

import (
	"sync"

	"go.opentelemetry.io/otel/trace"
)

// links remembers which span created which operation, for a bounded number of
// operations.
type links struct {
	most int

	mu     sync.Mutex
	spans  map[string]trace.SpanContext // by operation id
	ids    []string                     // a ring, in the order in which they came
	oldest int                          // the place in ids of what is forgotten next, once the ring is full
}

func newLinks(most int) *links {
	return &links{most: most, spans: map[string]trace.SpanContext{}}
}

// add remembers the span that created an operation. The first one is kept: a later call
// with the same operation is a replay.
func (l *links) add(id string, span trace.SpanContext) {
	if l.most == 0 || id == "" || !span.IsValid() {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, known := l.spans[id]; known {
		return
	}
	if len(l.ids) < l.most {
		l.ids = append(l.ids, id)
	} else {
		delete(l.spans, l.ids[l.oldest])
		l.ids[l.oldest] = id
		l.oldest = (l.oldest + 1) % l.most
	}
	l.spans[id] = span
}

// of returns the span that created an operation.
func (l *links) of(id string) (span trace.SpanContext, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	span, ok = l.spans[id]
	return span, ok
}
