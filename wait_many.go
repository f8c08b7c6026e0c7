package intram

import (
	"context"
	"iter"
	"maps"
	"slices"
)

// WaitMany waits for any number of operations and yields each as it ends: those of a batch, or those that an earlier process has left
// behind. The ids are all it needs. It goes on until all have ended or ctx does. [WithMaxWait] bounds the wait for each operation, and
// [WithProgress] is told of those that have not ended each time they were looked up.
//
// An operation that succeeded is yielded with a nil error. For any other the operation is nil, and the error an
// [*OperationError] when it failed or expired, and a [*WaitError] when nothing more will be heard of it: the context ended, or the API
// refused to tell, as it does of an id that it does not know after 15 s. Both name the operation. The waiting ends when the range does. An id
// that is given twice is yielded once. If an id cannot be one, an [*Error] is all that is yielded, and nothing is waited for. Without
// [WithMaxWait] and a deadline of ctx the wait has no limit.
//
// Endpoints: GET /operations and GET /operations/{id}. Docs: Merchant API, Operations.
func (c *Client) WaitMany(ctx context.Context, operationIDs []string, opts ...WaitOption) iter.Seq2[*Operation, error] {
	return func(yield func(*Operation, error) bool) {
		cfg, err := manyWait.with(ctx, opts, "operation_id", operationIDs...)
		if err != nil {
			yield(nil, err)
			return
		}
		c.operationWaits.awaitMany(ctx, operationIDs, cfg, func(id string, op *Operation, err error) bool {
			if err != nil {
				return yield(nil, waitFailure(err, &WaitError{Operation: op, ID: id}))
			}
			return yield(succeeded(op))
		})
	}
}

// awaitMany waits for all ids and hands over each as it ends, until hand says that it is enough.
func (p *poller[T, P]) awaitMany(ctx context.Context, ids []string, cfg *waitConfig, hand func(id string, item *T, err error) bool) {
	news := make(chan struct{}, 1)
	waiting := p.joinAll(ctx, ids, cfg, news)
	defer func() { p.leaveAll(waiting, news) }()
	for len(waiting) > 0 {
		var ended error
		select {
		case <-news:
		case <-ctx.Done():
			ended = whyEnded(ctx)
		}
		done, seen := p.collect(news)
		for _, item := range seen {
			cfg.show(item)
		}
		if ended != nil {
			done = slices.Collect(maps.Keys(waiting))
		}
		for _, w := range done {
			id, mine := waiting[w]
			if !mine {
				continue
			}
			item, _, err := p.look(id, w, news, cfg, ended)
			delete(waiting, w)
			if !hand(id, item, err) {
				return
			}
		}
	}
}

// joinAll begins to wait for all of the ids.
func (p *poller[T, P]) joinAll(ctx context.Context, ids []string, cfg *waitConfig, news chan struct{}) map[*watch[T]]string {
	p.mu.Lock()
	p.joined++
	p.batches[news] = &batch[T]{order: p.joined}
	p.mu.Unlock()
	waiting := make(map[*watch[T]]string, len(ids))
	known := make(map[string]struct{}, len(ids))
	for _, id := range ids {
		if _, twice := known[id]; twice {
			continue
		}
		known[id] = struct{}{}
		waiting[p.join(ctx, id, cfg, news)] = id
	}
	return waiting
}

// leaveAll ends what is left of a batch.
func (p *poller[T, P]) leaveAll(waiting map[*watch[T]]string, news chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for w := range waiting {
		p.leave(w, news)
	}
	delete(p.batches, news)
}

// collect takes what a batch has to look at.
func (p *poller[T, P]) collect(news chan struct{}) (done []*watch[T], seen []*T) {
	p.mu.Lock()
	defer p.mu.Unlock()
	b := p.batches[news]
	done, seen = b.done, b.seen
	b.done, b.seen = nil, nil
	return done, seen
}

// show calls the function that was given for operations.
func (cfg *waitConfig) show(item any) {
	if op, ok := item.(*Operation); ok && cfg.progress != nil {
		cfg.progress(op)
	}
}
