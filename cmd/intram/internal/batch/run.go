package batch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"slices"
	"sync"
	"time"

	intram "github.com/intram/intram-go"
)

// Run is one run over a file: the first, or one that goes on from where an earlier one was stopped.
type Run struct {
	Client  *intram.Client
	Clock   intram.Clock
	Journal *Journal
	Lines   []Line
	// Concurrency is how many calls are made at once.
	Concurrency int
	// MaxWait is how long operations are waited for after the last line was sent; 0 does not wait.
	MaxWait time.Duration
	// Progress is told of every change. It is called by one goroutine at a time.
	Progress func(Progress)

	mu       sync.Mutex
	records  map[int]Record
	progress Progress
	reasons  []Problem
	unsure   int // how many lines in a row got no answer
	stopped  error
	stop     context.CancelFunc
	sent     bool // no line is left to send
	// lookBack is what was read of the list of operations, for all lines that are resumed.
	lookBack intram.LookBack
	deadline time.Time
}

// Progress is how far a run is.
type Progress struct {
	Lines int // of the file
	// Ended, Failed and Refused count lines; the failed and refused ones are among those that ended.
	Ended, Failed, Refused int
	// Accepted is how many the API has taken that have not ended.
	Accepted int
	// InDoubt is how many got no answer.
	InDoubt int
}

// Remaining is how many lines have not ended.
func (p *Progress) Remaining() int { return p.Lines - p.Ended }

// How often a line that got no answer is sent again in one run, each time with all the attempts of the SDK, and how many such lines in a row end
// the run: the API is away, and going on would only leave more of them.
const (
	lineAttempts = 3
	mostUnsure   = 8
)

// pauses are waited before a line is sent again.
var pauses = [lineAttempts]time.Duration{0, time.Second, 5 * time.Second}

// mostWaits is how many operations are waited for at once: the client looks many of them up together.
const mostWaits = 200

// awaitStep is how long one operation is waited for before the next one has its turn.
const awaitStep = 20 * time.Second

// Start reads the journal. It comes before the other methods.
func (r *Run) Start() error {
	records, err := r.Journal.Records()
	if err != nil {
		return err
	}
	r.records = records
	r.progress = Progress{Lines: len(r.Lines)}
	for _, line := range r.Lines {
		if record, ok := records[line.Number]; ok {
			r.progress.count(record.State, +1)
		}
	}
	return nil
}

func (p *Progress) count(s State, n int) {
	switch s {
	case Accepted:
		p.Accepted += n
	case Failed:
		p.Failed += n
	case Refused:
		p.Refused += n
	default:
	}
	if s.Ended() {
		p.Ended += n
	}
}

// Unsent are the lines that were never sent, as far as the journal tells.
func (r *Run) Unsent() []Line {
	var lines []Line
	for _, line := range r.Lines {
		if _, ok := r.records[line.Number]; !ok {
			lines = append(lines, line)
		}
	}
	return lines
}

// Touched reports whether an earlier run has written anything down.
func (r *Run) Touched() bool { return len(r.records) > 0 }

// Snapshot is how far the run is.
func (r *Run) Snapshot() Progress {
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

// put writes a line's record to the disk, and then tells of it. What cannot be written is told in this run's results all the same,
// unless nothing was sent.
func (r *Run) put(line Line, record Record) error {
	err := r.Journal.Put(line.Number, record)
	if err != nil && record.State == Intended {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if before, ok := r.records[line.Number]; ok {
		r.progress.count(before.State, -1)
	}
	r.records[line.Number] = record
	r.progress.count(record.State, +1)
	r.tell()
	return err
}

// tell calls Progress. The caller holds the lock.
func (r *Run) tell() {
	if r.Progress != nil {
		r.Progress(r.progress)
	}
}

// Do sends what was not sent, settles what is in doubt, and waits for the ends. The error says why it stopped early; the lines
// themselves have no part in it.
func (r *Run) Do(ctx context.Context) error {
	ctx, r.stop = context.WithCancel(ctx)
	defer r.stop()
	accepted := make(chan Line, len(r.Lines))
	var waiting sync.WaitGroup // lines that were accepted and have not ended
	var waiters, senders sync.WaitGroup
	hand := func(line Line) { waiting.Add(1); accepted <- line }

	for range min(mostWaits, len(r.Lines)) {
		waiters.Go(func() { r.await(ctx, accepted, &waiting) })
	}
	var begun, fresh []Line
	for _, line := range r.Lines {
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
	for range r.Concurrency {
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
	r.sent, r.deadline = true, r.Clock.Now().Add(r.MaxWait)
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

// recovered makes an error of a panic: the other lines are told as what they are, and not lost with the process.
func (r *Run) recovered(line Line) {
	if p := recover(); p != nil {
		err := errors.New("a mistake of this program; please report it")
		if why, ok := p.(runtime.Error); ok {
			err = fmt.Errorf("%w: %w", err, why)
		}
		r.halt(fmt.Errorf("%v: %w", line, err))
	}
}

// send asks for one payout, and reports whether the API has it.
func (r *Run) send(ctx context.Context, line Line) (has bool) {
	defer r.recovered(line)
	if ctx.Err() != nil {
		return false
	}
	record, begun := r.record(line)
	if !begun {
		intent, err := r.prepare(line, 0)
		if err != nil {
			r.halt(fmt.Errorf("%v: %w", line, err))
			return false
		}
		record = Record{State: Intended, Intent: intent}
		// From here on the line may have been sent, whatever happens.
		if err := r.put(line, record); err != nil {
			r.halt(err)
			return false
		}
	}
	op, err := r.create(ctx, line, record.Intent, begun)
	if errors.Is(err, intram.ErrNeverSent) {
		// No operation came of the intent, and none can: its key has expired. A new one is safe.
		generation := record.Generation + 1
		intent, err := r.prepare(line, generation)
		if err == nil {
			record = Record{State: Intended, Intent: intent, Generation: generation}
			err = r.put(line, record)
		}
		if err != nil {
			r.halt(fmt.Errorf("%v: %w", line, err))
			return false
		}
		op, err = r.create(ctx, line, record.Intent, false)
		return r.settle(ctx, line, record, op, err)
	}
	return r.settle(ctx, line, record, op, err)
}

// settle writes down what a call came to, and reports whether the API has the line.
func (r *Run) settle(ctx context.Context, line Line, record Record, op *intram.Operation, err error) bool {
	switch {
	case err == nil:
		if err := r.put(line, Record{State: Accepted, Intent: record.Intent, Generation: record.Generation, OperationID: op.ID}); err != nil {
			r.halt(fmt.Errorf("%v was accepted as operation %s: %w", line, op.ID, err))
			return false
		}
		r.answered()
		return true
	case ctx.Err() != nil:
		r.doubt(false)
	case stopsAll(err):
		r.halt(fmt.Errorf("the batch has stopped: %w", err))
	case refusal(err):
		r.answered()
		if err := r.put(line, Record{State: Refused, Intent: record.Intent, Code: codeOf(err)}); err != nil {
			r.halt(err)
		}
	case taken(err):
		// The API has a request with this key that is not this one, or that is under way: it may have paid the line.
		r.answered()
		record.Code = codeOf(err)
		r.inDoubt(line, record, err)
	case errors.As(err, new(*intram.CannotTellError)):
		record.Code = codeCannotTell
		r.inDoubt(line, record, err)
	default:
		r.doubt(true)
	}
	return false
}

// prepare makes the intent of a line. See [Journal.Key] for its key.
func (r *Run) prepare(line Line, generation int) (*intram.Intent, error) {
	key, err := r.Journal.Key(line.Params.Reference, generation)
	if err != nil {
		return nil, err
	}
	return r.Client.Payouts.Prepare(line.Params, intram.WithIdempotencyKey(key))
}

// codeCannotTell is how a result tells a line in doubt that only a person can settle.
const codeCannotTell = "cannot_tell"

// inDoubt writes down why a line stays in doubt, and goes on with the others.
func (r *Run) inDoubt(line Line, record Record, why error) {
	r.doubt(false)
	r.mu.Lock()
	r.reasons = append(r.reasons, Problem{Line: line.Number, Message: why.Error()})
	r.mu.Unlock()
	if err := r.put(line, record); err != nil {
		r.halt(err)
	}
}

// Reasons are what is known of the lines that only a person can settle.
func (r *Run) Reasons() []Problem {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.SortedFunc(slices.Values(r.reasons), func(a, b Problem) int { return a.Line - b.Line })
}

// create makes the call, again when it got no answer: with the same key, and so at most one payout. A line that an earlier run has begun is
// resumed: when its key is too old to be sent, it is looked for among the operations.
func (r *Run) create(ctx context.Context, line Line, intent *intram.Intent, begun bool) (op *intram.Operation, err error) {
	for _, pause := range pauses {
		if pause > 0 {
			if r.Clock.Sleep(ctx, pause) != nil {
				return nil, err
			}
		}
		if begun {
			op, err = r.Client.Payouts.Resume(ctx, line.Params, intent, intram.WithLookBack(&r.lookBack))
		} else {
			op, err = r.Client.Payouts.Create(ctx, line.Params, intram.WithIntent(intent))
		}
		cannot := new(intram.CannotTellError)
		if err == nil || stopsAll(err) || refusal(err) || errors.Is(err, intram.ErrNeverSent) || errors.As(err, &cannot) && cannot.Err == nil {
			break
		}
	}
	return op, err
}

// doubt counts a line without an answer. Many in a row end the run.
func (r *Run) doubt(counts bool) {
	r.mu.Lock()
	r.progress.InDoubt++
	if counts {
		r.unsure++
	}
	tooMany := r.unsure >= mostUnsure
	r.tell()
	r.mu.Unlock()
	if tooMany {
		r.halt(fmt.Errorf("%d lines in a row got no answer of the API: run the same command again later", mostUnsure))
	}
}

func (r *Run) answered() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.unsure = 0
}

// stopsAll reports a refusal that every other line would meet too: it is about the merchant or this machine, and the API looks at
// it before the idempotency key, so the line's key is still good.
func stopsAll(err error) bool {
	if errors.Is(err, intram.ErrIntentMismatch) || errors.Is(err, intram.ErrIntentExpired) {
		return true
	}
	for _, code := range []intram.ErrorCode{
		intram.CodeMissingAPIKey, intram.CodeInvalidAPIKey, intram.CodeSignatureInvalid, intram.CodeMerchantInactive,
		intram.CodeIPAllowlistEmpty, intram.CodeIPNotAllowed,
	} {
		if errors.Is(err, code) {
			return true
		}
	}
	// A 4xx without a code is a proxy's, a firewall's or a wrong address': what became of the line is not known, and no line
	// after it would fare better.
	call := new(intram.Error)
	return errors.As(err, &call) && call.Code == "" && call.StatusCode >= 400 && call.StatusCode < 500 && !passing(call.StatusCode)
}

// passing reports a status that a later attempt need not meet.
func passing(status int) bool {
	return status == http.StatusRequestTimeout || status == http.StatusTooEarly || status == http.StatusTooManyRequests
}

// refusal reports that the API itself has refused the line: with a code, and not because it has too much to do, or because another
// request has the line's key. What anything else says of the money is not known.
func refusal(err error) bool {
	call := new(intram.Error)
	return errors.As(err, &call) && call.Code != "" && intram.OutcomeOf(err) == intram.OutcomeRejected &&
		!passing(call.StatusCode) && call.StatusCode != http.StatusConflict
}

// taken reports that another request has the line's key.
func taken(err error) bool {
	call := new(intram.Error)
	return errors.As(err, &call) && call.Code != "" && call.StatusCode == http.StatusConflict
}

// codeOf is the code of a refusal.
func codeOf(err error) intram.ErrorCode {
	call := new(intram.Error)
	_ = errors.As(err, &call) // see refusal and taken
	return call.Code
}

// await waits for the operations that were accepted, one after the other, a while for each.
func (r *Run) await(ctx context.Context, accepted chan Line, waiting *sync.WaitGroup) {
	for line := range accepted {
		again, err := r.awaitOne(ctx, line)
		if err != nil {
			r.halt(err)
		}
		if again {
			accepted <- line // never full: it has room for every line
			continue
		}
		waiting.Done()
	}
}

// awaitOne waits for one operation for a while, and reports whether to come back to it.
func (r *Run) awaitOne(ctx context.Context, line Line) (again bool, err error) {
	defer r.recovered(line)
	r.mu.Lock()
	left, record := awaitStep, r.records[line.Number]
	if r.sent {
		left = min(left, r.deadline.Sub(r.Clock.Now()))
	}
	r.mu.Unlock()
	if r.MaxWait <= 0 || left <= 0 {
		return false, nil
	}
	op, err := r.Client.WaitForOperation(ctx, record.OperationID, intram.WithMaxWait(left))
	var failed *intram.OperationError
	switch {
	case err == nil:
		return false, r.put(line, ended(record, op))
	case errors.Is(err, intram.ErrUnexpectedResult):
		record.Code = codeUnknownResult
		return false, r.put(line, record)
	case errors.As(err, &failed):
		record.State, record.Code = Failed, failed.Code
		return false, r.put(line, record)
	case errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil:
		return true, nil
	case ctx.Err() == nil && stopsAll(err):
		return false, fmt.Errorf("the batch has stopped: %w", err)
	}
	return false, nil // the API did not say: the line stays accepted, and the next run asks again
}

// codeUnknownResult is how a result tells a line whose operation has ended with a word that this version does not know. It is not
// paid and not failed: the next run asks again.
const codeUnknownResult = "unknown_result"

// ended is the record of a payout whose operation succeeded. Only the words that mean it make it paid or queued.
func ended(record Record, op *intram.Operation) Record {
	result, ok := op.Result.(*intram.PayoutResult)
	if !ok {
		record.Code = codeUnknownResult
		return record
	}
	switch result.Status {
	case intram.PayoutCompleted:
		record.State, record.Code = Paid, ""
	case intram.PayoutQueuedForSettlement:
		record.State, record.Code = Queued, ""
	case intram.PayoutFailed: // a bank that sent it back
		record.State, record.Code = Failed, intram.CodeResultFailed
		if op.Error != nil && op.Error.Code != "" {
			record.Code = op.Error.Code
		}
	default:
		record.Code = codeUnknownResult
		return record
	}
	// The documentation names neither for a payout; an API that tells them is believed.
	var more struct {
		TransactionReference string        `json:"transaction_reference"`
		Fees                 intram.Amount `json:"fees"`
	}
	if json.Unmarshal(result.Raw, &more) == nil {
		record.TransactionReference = more.TransactionReference
		if !more.Fees.IsZero() {
			record.Fees = more.Fees.String()
		}
	}
	return record
}
