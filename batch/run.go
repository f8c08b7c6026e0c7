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

// Defaults of a run, and the most payouts that one asks for at once.
const (
	DefaultConcurrency = 4
	MaxConcurrency     = 32
	DefaultMaxWait     = 5 * time.Minute
)

// Option is a setting of a run, given to [Open].
type Option func(*Run) error

// WithConcurrency sets how many payouts are asked for at once, 1 to [MaxConcurrency]. The
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
// sent; 0 does not wait. The default is [DefaultMaxWait].
func WithMaxWait(d time.Duration) Option {
	return func(r *Run) error {
		if d < 0 {
			return errors.New("batch: WithMaxWait: the duration is negative")
		}
		r.maxWait = d
		return nil
	}
}

// WithRules sets what [Open] checks the lines by.
func WithRules(rules Rules) Option {
	return func(r *Run) error { r.rules = rules; return nil }
}

// WithProgress sets a function that is called after each change. The calls come one at a
// time and must return soon: the run waits for them.
func WithProgress(report func(Progress)) Option {
	return func(r *Run) error { r.report = report; return nil }
}

// WithFileSHA256 lets a run go on with a journal that intram 0.1.0 began for a file: sum
// is the SHA-256 of the file's bytes, in hex. Other journals do not need it.
func WithFileSHA256(sum string) Option {
	return func(r *Run) error { r.fileSHA256 = sum; return nil }
}

// Run is one run over a batch: the first, or one that goes on from where an earlier one
// was stopped. Its methods are safe for concurrent use, except that Pay is called once.
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

	// lookBack is what was read of the list of operations, for all lines that are
	// resumed.
	lookBack intram.LookBack
	// began is when the first line was begun, by this run or an earlier one.
	began     time.Time
	elsewhere elsewhere
}

// Progress is how far a batch is.
type Progress struct {
	// Lines is how many lines the batch has.
	Lines int
	// Ended, Failed and Refused count lines; the failed and refused ones are among those
	// that ended.
	Ended, Failed, Refused int
	// Accepted is how many the API has taken that have not ended.
	Accepted int
	// InDoubt is how many had no response in this run.
	InDoubt int
}

// Remaining is how many lines have not ended.
func (p Progress) Remaining() int { return p.Lines - p.Ended }

// count adds lines of a state to a run's progress.
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

// Open checks the lines, takes the batch from its journal, or begins it there, and reads
// how far it is. It sends nothing. The journal belongs to these lines, in this order and
// with these numbers, to the client's public key and to its environment.
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
			return fmt.Errorf("%w: the record of line %d does not say what a run needs", ErrDamaged, number)
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

// How often a line that got no answer is sent again in one run, each time with all the
// attempts of the SDK, and how many such lines in a row end the run: the API is away, and
// going on would only leave more of them.
const (
	lineAttempts = 3
	mostUnsure   = 8
)

// pauses are waited before a line is sent again.
var pauses = [lineAttempts]time.Duration{0, time.Second, 5 * time.Second}

// mostWaits is how many operations are waited for at once: the client looks many of them
// up together.
const mostWaits = 200

// awaitStep is how long one operation is waited for before the next one has its turn.
const awaitStep = 20 * time.Second

// Unsent returns the lines that were never sent, as far as the journal tells.
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

// Begun reports whether the journal has a record of any line: whether anything may have
// been sent.
func (r *Run) Begun() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.records) > 0
}

// Progress returns how far the batch is.
func (r *Run) Progress() Progress {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.progress
}

// record returns what is known of a line.
func (r *Run) record(line Line) (Record, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	record, ok := r.records[line.Number]
	return record, ok
}

// put writes a line's record to the journal, and then reports it. What cannot be written
// is in this run's results all the same, unless nothing was sent.
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
	r.tell()
	return err
}

// tell reports the progress. The caller holds the lock.
func (r *Run) tell() {
	if r.report != nil {
		r.report(r.progress)
	}
}

// Pay resumes what may have been sent, sends what was not, and waits for the operations
// to end. What became of the lines is in [Run.Results], whatever Pay returns: lines that
// failed or are in doubt are no error.
//
// Lines that are sent more than 11 hours after the batch was begun are looked up first by
// their references, since a run on another machine, with a journal of its own, may have
// paid them, and the API forgets their keys. A payout of the same amount to the same
// account is taken for the line's; one that differs keeps the line from being sent, and
// [Run.Doubts] says so. If the list cannot be read, Pay stops.
//
// The error says why it stopped early: the context ended, the API refuses the client's
// keys or this machine, too many lines in a row had no response, or the journal cannot be
// written. Open the batch and call Pay again when the reason is gone.
func (r *Run) Pay(ctx context.Context) error {
	ctx, r.stop = context.WithCancel(ctx)
	defer r.stop()
	accepted := make(chan Line, len(r.lines))
	var waiting sync.WaitGroup // lines that were accepted and have not ended
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
	// What may have been sent comes first: it is known sooner what became of it.
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

// halt ends the run for a reason that is not a line's.
func (r *Run) halt(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopped == nil {
		r.stopped = err
	}
	r.stop()
}

// recovered turns a panic into an error, so that what is known of the other lines is not
// lost with the process.
func (r *Run) recovered(line Line) {
	if p := recover(); p != nil {
		err := errors.New("batch: a mistake of this program; please report it")
		if why, ok := p.(runtime.Error); ok {
			err = fmt.Errorf("%w: %w", err, why)
		}
		r.halt(fmt.Errorf("%w (%v)", err, line))
	}
}
