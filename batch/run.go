package batch

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	intram "github.com/intram/intram-go"
)

// Defaults of a run, and the highest concurrency.
const (
	DefaultConcurrency = 4
	MaxConcurrency     = 32
	DefaultMaxWait     = 5 * time.Minute
)

// Option is a setting of a run, given to [Open].
type Option func(*Run) error

// WithConcurrency sets how many payouts are requested at once, 1 to [MaxConcurrency]. The
// default is [DefaultConcurrency].
func WithConcurrency(n int) Option {
	return func(r *Run) error {
		if n < 1 || n > MaxConcurrency {
			return fmt.Errorf("batch: WithConcurrency: %d is not between 1 and %d", n, MaxConcurrency)
		}
		r.concurrency = n
		return nil
	}
}

// WithMaxWait sets how long [Run.Pay] waits for operations to end after the last line was
// sent; with 0 it does not wait. The default is [DefaultMaxWait].
func WithMaxWait(d time.Duration) Option {
	return func(r *Run) error {
		if d < 0 {
			return errors.New("batch: WithMaxWait: the duration is negative")
		}
		r.maxWait = d
		return nil
	}
}

// WithRules sets the rules by which [Open] checks the lines.
func WithRules(rules Rules) Option {
	return func(r *Run) error { r.rules = rules; return nil }
}

// WithProgress sets a function that is called after each change. Calls are serial, and
// must return soon: the run waits for them.
func WithProgress(report func(Progress)) Option {
	return func(r *Run) error { r.report = report; return nil }
}

// WithFileSHA256 lets a run continue a journal that intram 0.1.0 began for a file. sum is
// the SHA-256 of the file's bytes, in hex. Other journals do not need it.
func WithFileSHA256(sum string) Option {
	return func(r *Run) error { r.fileSHA256 = sum; return nil }
}

// Run is one run over a batch: the first, or one that resumes where an earlier one
// stopped. Its methods are safe for concurrent use, except that Pay is called once.
type Run struct {
	client      *intram.Client
	clock       intram.Clock
	held        Held
	lines       []Line
	rules       Rules
	concurrency int
	maxWait     time.Duration
	report      func(Progress)
	fileSHA256  string

	mu       sync.Mutex
	records  map[int]Record
	progress Progress
	doubts   []Problem
	unsure   int // how many lines in a row had no response
	stopped  error
	stop     context.CancelFunc
	sent     bool // no line is left to send
	deadline time.Time

	closing sync.Once

	// lookBack is what was read of the list of operations, shared by all resumed lines.
	lookBack intram.LookBack
	// began is when the first line was begun, by this run or an earlier one.
	began     time.Time
	elsewhere elsewhere
}

// Progress is how far a batch has come.
type Progress struct {
	// Lines is how many lines the batch has.
	Lines int
	// Ended counts the lines that have ended. Failed and Refused count those among them
	// that failed or were refused.
	Ended, Failed, Refused int
	// Accepted counts the lines that the API has accepted and that have not ended.
	Accepted int
	// InDoubt counts the lines without a response in this run.
	InDoubt int
}

// Remaining returns how many lines have not ended.
func (p Progress) Remaining() int { return p.Lines - p.Ended }

// count adds n lines of a state to a run's progress.
func (r *Run) count(s State, n int) {
	switch s {
	case Accepted:
		r.progress.Accepted += n
	case Failed:
		r.progress.Failed += n
	case Refused:
		r.progress.Refused += n
	default:
	}
	if s.Ended() {
		r.progress.Ended += n
	}
}

// Open checks the lines, acquires the batch from its journal, or begins it there, and
// reads its progress. It sends nothing. The journal belongs to these lines, in this order
// and with these numbers, and to the client's public key and environment.
//
// Errors: a [*ProblemsError] for lines that cannot be paid as they are, [ErrLocked],
// [ErrDamaged] and [ErrOtherBatch].
func Open(ctx context.Context, client *intram.Client, journal Journal, lines []Line, opts ...Option) (*Run, error) {
	if client == nil || journal == nil {
		return nil, errors.New("batch: Open needs a client and a journal")
	}
	r := &Run{
		client: client, clock: client.Clock(), lines: slices.Clone(lines), concurrency: DefaultConcurrency, maxWait: DefaultMaxWait,
		progress: Progress{Lines: len(lines)},
	}
	for _, opt := range opts {
		if err := opt(r); err != nil {
			return nil, err
		}
	}
	problems := Check(client, lines, r.rules)
	if len(lines) == 0 {
		problems = []Problem{{Message: "there are no lines"}}
	}
	if len(problems) > 0 {
		return nil, &ProblemsError{problems}
	}
	binding := bind(client, lines)
	held, err := journal.Acquire(ctx, binding)
	if err != nil {
		return nil, err
	}
	r.held = held
	if err := binding.match(held.Binding(), r.fileSHA256); err != nil {
		return nil, errors.Join(err, held.Release())
	}
	if err := r.read(ctx); err != nil {
		return nil, errors.Join(err, held.Release())
	}
	return r, nil
}

// read reads the journal.
func (r *Run) read(ctx context.Context) error {
	records, err := r.held.Records(ctx)
	if err != nil {
		return err
	}
	for _, line := range r.lines {
		if record, ok := records[line.Number]; ok {
			r.count(record.State, +1)
		}
	}
	for number, record := range records {
		if !record.usable() {
			return fmt.Errorf("%w: the record of line %d is incomplete", ErrDamaged, number)
		}
	}
	r.records, r.began = records, r.wallTime()
	for _, record := range records {
		if begun := record.begun(); begun.Before(r.began) {
			r.began = begun
		}
	}
	return nil
}

// Close releases the batch, once; later calls return nil. Pay must have returned.
func (r *Run) Close() (err error) {
	r.closing.Do(func() { err = r.held.Release() })
	return err
}

// Limits for lines without a response: how often one is sent again in one run, each time
// with all the attempts of the SDK, and how many in a row end the run. By then the API is
// unreachable, and going on would only leave more such lines.
const (
	lineAttempts = 3
	mostUnsure   = 8
)

// pauses holds how long to wait before a line is sent again.
var pauses = [lineAttempts]time.Duration{0, time.Second, 5 * time.Second}

// mostWaits is how many operations are waited for at once. The client looks up many of
// them together.
const mostWaits = 200

// awaitStep is how long to wait for one operation before the next one has its turn.
const awaitStep = 20 * time.Second

// Unsent returns the lines that were never sent, according to the journal.
func (r *Run) Unsent() []Line {
	r.mu.Lock()
	defer r.mu.Unlock()
	var lines []Line
	for _, line := range r.lines {
		if _, ok := r.records[line.Number]; !ok {
			lines = append(lines, line)
		}
	}
	return lines
}

// Begun reports whether the journal has a record of any line, so that something may have
// been sent.
func (r *Run) Begun() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.records) > 0
}

// Progress returns how far the batch has come.
func (r *Run) Progress() Progress {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.progress
}

// record returns the record of a line.
func (r *Run) record(line Line) (Record, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	record, ok := r.records[line.Number]
	return record, ok
}

// put writes a line's record to the journal, and then reports it. A record that cannot be
// written is still in this run's results, unless nothing was sent.
func (r *Run) put(ctx context.Context, line Line, record Record) error {
	err := r.held.Put(context.WithoutCancel(ctx), line.Number, record)
	if err != nil {
		err = fmt.Errorf("batch: the journal cannot be written: %w", err)
		if record.State == Intended {
			return err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if before, ok := r.records[line.Number]; ok {
		r.count(before.State, -1)
	}
	r.records[line.Number] = record
	r.count(record.State, +1)
	r.reportProgress()
	return err
}

// reportProgress reports the progress. The caller holds the lock.
func (r *Run) reportProgress() {
	if r.report != nil {
		r.report(r.progress)
	}
}

// Pay resumes what may have been sent, sends the remaining lines, and waits for the
// operations to end. The results are in [Run.Results], also after an error. Lines that
// failed or are in doubt are not an error.
//
// Lines that are sent more than 11 hours after the batch was begun are first looked up by
// their references: a run on another machine, with another journal, may have paid them,
// and the API forgets their keys. A payout of the same amount to the same account counts
// as the line's. One that differs keeps the line from being sent, and [Run.Doubts]
// reports it. If the list cannot be read, Pay stops.
//
// The error says why Pay stopped early: the context ended, the API refuses the client's
// keys or this machine, too many lines in a row had no response, or the journal cannot be
// written. Open the batch and call Pay again when the cause is fixed.
func (r *Run) Pay(ctx context.Context) error {
	ctx, r.stop = context.WithCancel(ctx)
	defer r.stop()
	accepted := make(chan Line, len(r.lines))
	var waiting sync.WaitGroup // accepted lines that have not ended
	var waiters, senders sync.WaitGroup
	hand := func(line Line) { waiting.Add(1); accepted <- line }

	for range min(mostWaits, len(r.lines)) {
		waiters.Go(func() { r.await(ctx, accepted, &waiting) })
	}
	var begun, fresh []Line
	for _, line := range r.lines {
		switch record, ok := r.record(line); {
		case !ok:
			fresh = append(fresh, line)
		case record.State == Intended:
			begun = append(begun, line)
		case record.State == Accepted:
			hand(line)
		}
	}
	// Resumed lines come first: their results are known sooner.
	queue := make(chan Line)
	for range r.concurrency {
		senders.Go(func() {
			for line := range queue {
				if r.send(ctx, line) {
					hand(line)
				}
			}
		})
	}
feed:
	for _, lines := range [][]Line{begun, fresh} {
		for _, line := range lines {
			select {
			case queue <- line:
			case <-ctx.Done():
				break feed
			}
		}
	}
	close(queue)
	senders.Wait()
	r.mu.Lock()
	r.sent, r.deadline = true, r.clock.Now().Add(r.maxWait)
	r.mu.Unlock()
	waiting.Wait()
	close(accepted)
	waiters.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopped != nil {
		return r.stopped
	}
	return ctx.Err()
}

// halt ends the run for a reason that is not about a line.
func (r *Run) halt(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopped == nil {
		r.stopped = err
	}
	r.stop()
}

// recovered turns a panic into an error, so that the other lines' results are not lost
// with the process.
func (r *Run) recovered(line Line) {
	if p := recover(); p != nil {
		err := errors.New("batch: internal error; please report it")
		if why, ok := p.(runtime.Error); ok {
			err = fmt.Errorf("%w: %w", err, why)
		}
		r.halt(fmt.Errorf("%w (%v)", err, line))
	}
}
