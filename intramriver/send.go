package intramriver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	intram "github.com/intram/intram-go"
)

const (
	// firstBackoff and longestBackoff bound the wait of a job that failed. In 23 hours
	// there are about a hundred tries.
	firstBackoff   = 5 * time.Second
	longestBackoff = 15 * time.Minute
	// longestRetryAfter is the longest wait that a Retry-After gets: the intent grows
	// old.
	longestRetryAfter = time.Hour
	// pausedSnooze is how long a job waits whose call was refused for its keys. The queue
	// is paused meanwhile.
	pausedSnooze = 30 * time.Second
	// recordTimeout bounds what is written after a call, also when the job's own context
	// has ended: what the API said must not be lost to a shutdown.
	recordTimeout = 15 * time.Second
	// lookBackAge is when Resume may read the list of operations before it sends. A call
	// until then is tried once a job.
	lookBackAge = 10 * time.Hour
	// restoredAge is how long ago a record was planned whose first call looks back before
	// it sends: it may come from a backup, and have been paid since. Resume looks back
	// for intents of 11 hours and more. The API forgets a key after 24.
	restoredAge = 12 * time.Hour
)

// backoff returns the wait after an attempt, 1 the first.
func backoff(attempt int) time.Duration {
	d := longestBackoff
	if shift := attempt - 1; shift < 8 {
		d = min(d, firstBackoff<<max(shift, 0))
	}
	return spread(d)
}

// againError is a job that runs again: after a time, and with snooze without counting as
// a failure.
type againError struct {
	after  time.Duration
	snooze bool
	err    error
}

func (e *againError) Error() string { return e.err.Error() }
func (e *againError) Unwrap() error { return e.err }

// claimed is a row that this job sends.
type claimed struct {
	*Record

	tries          int
	firstSentAt    time.Time
	params, intent []byte // sealed
	refusal        string
	// restored says that the record has waited for its first call for so long that it may
	// come from a backup.
	restored bool
	attempt  int // River's
}

// claimSQL saves that a call may have been made from now on. It is a transaction of its
// own, and committed before the first byte leaves. The age of the intent begins with the
// clock that is behind, and that of a record from a backup when it was planned.
const claimSQL = `
UPDATE {records} SET state = CASE state WHEN 'planned' THEN 'sending' ELSE state END,
	first_sent_at = coalesce(first_sent_at, least({now}, $4::timestamptz, CASE WHEN changed_at < {now} - $6::interval THEN changed_at END)), tries = tries + 1, changed_at = {now}, look_at = NULL
WHERE id = $1 AND merchant = $2 AND environment = $3 AND state = ANY($5)
RETURNING ` + recordColumns + `, tries, first_sent_at, params, intent, refusal, tries = 1 AND first_sent_at < {now} - $6::interval`

// send makes the call of a record, until it is accepted, refused or in doubt. A record
// that is further is left alone.
func (w *Work) send(ctx context.Context, id int64, attempt int) error {
	for anew := false; ; anew = true {
		c := &claimed{attempt: attempt}
		var err error
		c.Record, err = scanRecord(w.pool.QueryRow(ctx, w.sql(claimSQL), id, w.merchant, w.environment, w.client.Clock().Now(), unsent, restoredAge),
			&c.tries, &c.firstSentAt, &c.params, &c.intent, &c.refusal, &c.restored)
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			return nil
		case err != nil:
			return fmt.Errorf("intramriver: claim: %w", err)
		}
		if err := w.step(ctx, "claimed"); err != nil {
			return err
		}
		again, err := w.sendOnce(ctx, c)
		switch {
		case err != nil || !again:
			return err
		case anew:
			return &againError{after: longestBackoff, err: fmt.Errorf("intramriver: the intent of record %d was too old as soon as it was made, "+
				"and was not sent: compare the clock of the database with this machine's", id)}
		}
	}
}

// sendOnce makes one call. again says that the record was planned anew.
func (w *Work) sendOnce(ctx context.Context, c *claimed) (again bool, err error) {
	if c.refusal != "" { // OnEnd failed the last time
		return false, w.refuse(ctx, c, intram.ErrorCode(c.refusal))
	}
	made, intent, err := w.ready(ctx, c)
	if err != nil {
		if d := judge(err); c.tries == 1 && !c.restored && d.do == refusal { // by a later version of the SDK than planned it
			return false, w.refuse(ctx, c, d.code)
		}
		return false, err
	}
	var opts []intram.CallOption
	old := c.restored || c.tries > 1 && w.client.Clock().Now().Sub(c.firstSentAt) > lookBackAge
	if old {
		shared, release := w.lookBacks.share(w.client.Clock().Now())
		defer release()
		opts = append(opts, intram.WithLookBack(shared))
	} else {
		opts = append(opts, intram.WithMaxAttempts(1)) // River tries again
	}
	op, err := made.resume(ctx, intent, opts...)
	if stop := w.step(ctx, "called"); stop != nil {
		return false, stop
	}
	saving, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
	defer cancel()
	if err == nil {
		return false, w.accept(saving, c.ID, op)
	}
	d := judge(err)
	switch d.do {
	case tryAgain:
		return false, w.tryAgain(saving, c, d, err)
	case doubt:
		return false, w.doubt(saving, c, d, err)
	case refusal:
		return false, w.refuse(saving, c, d.code)
	case pause:
		return false, w.pausedBy(saving, c, d, err)
	case planAnew:
		return true, w.planAnew(saving, c.Record, made, Sending, InDoubt)
	case person:
		return false, w.needsPerson(saving, c, d, err)
	}
	return false, err
}

// ready opens what was sealed, and makes the intent to send with. The first call of an
// intent knows that nothing was sent before.
func (w *Work) ready(ctx context.Context, c *claimed) (*call, *intram.Intent, error) {
	if c.params == nil || c.intent == nil {
		return nil, nil, fmt.Errorf("intramriver: record %d has no parameters: it was changed by hand", c.ID)
	}
	text, err := w.openRow(c.Kind, c.Reference, columnParams, c.params)
	if err != nil {
		return nil, nil, err
	}
	saved, err := w.openIntent(c.Kind, c.Reference, c.intent)
	if err != nil {
		return nil, nil, err
	}
	made, err := w.read(c.Kind, c.Reference, text)
	if err != nil {
		return nil, nil, fmt.Errorf("intramriver: the parameters of record %d cannot be read", c.ID) // a JSON error may quote them
	}
	fresh, err := made.prepare()
	switch {
	case err != nil && c.tries == 1 && !c.restored:
		return nil, nil, err
	case err == nil && c.tries > 1 && fresh.AccountSHA256 != saved.AccountSHA256:
		return nil, nil, &againError{after: longestBackoff, err: fmt.Errorf("intramriver: record %d was sent with other keys than this client's, "+
			"and is in doubt: give its Work the client that it was sent with", c.ID)}
	case err == nil && c.tries == 1:
		changed := fresh.CallSHA256 != saved.CallSHA256 || fresh.AccountSHA256 != saved.AccountSHA256
		fresh.IdempotencyKey, fresh.FirstSentAt = saved.IdempotencyKey, c.firstSentAt.UTC()
		if changed { // another version of the SDK, or other keys, and nothing was sent yet
			if err := w.saveIntent(ctx, c, fresh); err != nil {
				return nil, nil, err
			}
		}
		if !c.restored {
			return made, fresh, nil
		}
		saved.CallSHA256, saved.AccountSHA256 = fresh.CallSHA256, fresh.AccountSHA256 // unlike fresh, it may have been sent
	}
	saved.FirstSentAt = c.firstSentAt.UTC()
	return made, saved, nil
}

const saveIntentSQL = `UPDATE {records} SET intent = $4 WHERE id = $1 AND generation = $2 AND tries = $3 AND state = 'sending'`

func (w *Work) saveIntent(ctx context.Context, c *claimed, intent *intram.Intent) error {
	sealed, err := w.sealIntent(c.Kind, c.Reference, intent)
	if err != nil {
		return err
	}
	saved, err := w.pool.Exec(ctx, w.sql(saveIntentSQL), c.ID, c.Generation, c.tries, sealed)
	switch {
	case err != nil:
		return fmt.Errorf("intramriver: save: %w", err)
	case saved.RowsAffected() == 0:
		return &againError{after: firstBackoff, snooze: true, err: errors.New("intramriver: another job has the record")}
	}
	return nil
}

// action is what becomes of a record after a call that failed.
type action int

const (
	tryAgain action = iota // nothing was executed: the same call again
	doubt                  // it may have been executed: again with the same intent
	refusal                // the API said no
	pause                  // the API refuses all calls of these keys
	planAnew               // it is proved that nothing was executed: a new intent
	person                 // it cannot be told
)

// decision is what judge decides.
type decision struct {
	do   action
	code intram.ErrorCode
	// after is the wait that the API asked for, 0 if it did not. until is when the list
	// of operations can prove something.
	after      time.Duration
	until      time.Time
	candidates []string
	// untouched says that no call of the intent has been executed.
	untouched bool
}

// refusesAll are the codes of refusals that have nothing to do with the call: each call
// of these keys is refused.
var refusesAll = map[intram.ErrorCode]bool{
	intram.CodeMissingAPIKey: true, intram.CodeInvalidAPIKey: true, intram.CodeSignatureInvalid: true,
	intram.CodeMerchantInactive: true, intram.CodeIPAllowlistEmpty: true, intram.CodeIPNotAllowed: true,
}

// refusesAllCalls reports whether a refusal has nothing to do with the call.
func refusesAllCalls(e *intram.Error) bool {
	return refusesAll[e.Code] && (e.StatusCode == http.StatusUnauthorized || e.StatusCode == http.StatusForbidden) && !wrongClock(e)
}

// wrongClock reports whether a call was refused because this machine's clock is wrong,
// beyond what the client corrects. Other machines' are right.
func wrongClock(e *intram.Error) bool {
	return e.Code == intram.CodeSignatureInvalid && strings.HasSuffix(e.Message, "timestamp_out_of_window")
}

// judge decides what becomes of a record whose Resume failed.
func judge(err error) decision {
	if cannot, ok := errors.AsType[*intram.CannotTellError](err); ok {
		return judgeList(cannot)
	}
	e, _ := errors.AsType[*intram.Error](err)
	switch {
	case errors.Is(err, intram.ErrNeverSent):
		return decision{do: planAnew}
	case e == nil:
		return decision{do: doubt}
	case errors.Is(err, intram.ErrIntentMismatch):
		return decision{do: person, code: CodeIntentMismatch}
	}
	d := decision{do: doubt, code: e.Code, after: min(e.RetryAfter, longestRetryAfter), untouched: e.Outcome == intram.OutcomeNotSent || e.Outcome == intram.OutcomeRejected}
	switch {
	case e.Code == intram.CodeValidationError && e.StatusCode == 0 && e.Outcome == intram.OutcomeUnknown && !errors.Is(err, intram.ErrIntentExpired):
		d.do = person // it may have been sent, and this version of the SDK does not send it again
	case wrongClock(e):
		if d.untouched {
			d.do = tryAgain
		}
		d.after = pausedSnooze
	case refusesAllCalls(e):
		d.do = pause
	case e.Outcome == intram.OutcomeNotSent && e.Code == intram.CodeValidationError && !errors.Is(err, intram.ErrIntentExpired):
		d.do = refusal // by the SDK
	case e.Outcome == intram.OutcomeRejected && e.Code != "" && e.StatusCode != http.StatusTooManyRequests && e.StatusCode < http.StatusInternalServerError:
		d.do = refusal
	case d.untouched:
		d.do = tryAgain
	}
	return d
}

// judgeList decides what becomes of a record that the list of operations says nothing
// certain of.
func judgeList(e *intram.CannotTellError) decision {
	d := decision{do: doubt, code: CodeCannotTell, until: e.RetryAt}
	for _, op := range e.Candidates {
		d.candidates = append(d.candidates, op.ID)
	}
	var item *intram.ItemError
	switch {
	case errors.As(e.Err, &item):
		d.do = person
		d.candidates = append(d.candidates, item.ID)
	case len(d.candidates) > 0 && e.Err == nil:
		d.do = person
	}
	return d
}

const againSQL = `UPDATE {records} SET tries = 0, first_sent_at = NULL, code = $4, changed_at = {now}
WHERE id = $1 AND generation = $2 AND tries = $3 AND state = 'sending'`

// tryAgain waits. If no other job has called meanwhile, the next call is the first.
func (w *Work) tryAgain(ctx context.Context, c *claimed, d decision, cause error) error {
	if d.untouched {
		if _, err := w.pool.Exec(ctx, w.sql(againSQL), c.ID, c.Generation, c.tries, string(d.code)); err != nil {
			return errors.Join(cause, err)
		}
	}
	return w.wait(c, d, cause)
}

func (w *Work) wait(c *claimed, d decision, cause error) error {
	switch {
	case !d.until.IsZero():
		// No later than in an hour: this machine's clock may be wrong, and another's
		// right.
		until := d.until.Sub(w.client.Clock().Now())
		return &againError{after: min(max(firstBackoff, until), longestRetryAfter), snooze: true, err: cause}
	case d.after > 0:
		return &againError{after: d.after, err: cause}
	}
	return &againError{after: backoff(c.attempt), err: cause}
}

const doubtSQL = `UPDATE {records} SET state = 'in_doubt', code = $3, changed_at = {now}
WHERE id = $1 AND generation = $2 AND state IN ('sending', 'in_doubt')`

func (w *Work) doubt(ctx context.Context, c *claimed, d decision, cause error) error {
	if _, err := w.pool.Exec(ctx, w.sql(doubtSQL), c.ID, c.Generation, string(d.code)); err != nil {
		return errors.Join(cause, err)
	}
	return w.wait(c, d, cause)
}

const planAnewSQL = `
UPDATE {records} SET state = 'planned', generation = generation + 1, intent = $3, tries = 0, first_sent_at = NULL, code = '', candidates = $5, changed_at = {now}
WHERE id = $1 AND generation = $2 AND state = ANY($4)`

// planAnew gives a record a new intent, after the proof that the old one did nothing. If
// another job was first, that is as well.
func (w *Work) planAnew(ctx context.Context, r *Record, made *call, from ...State) error {
	intent, err := made.prepare()
	if err != nil {
		return err
	}
	sealed, err := w.sealIntent(r.Kind, r.Reference, intent)
	if err != nil {
		return err
	}
	states := make([]string, 0, len(from))
	for _, s := range from {
		states = append(states, string(s))
	}
	if _, err = w.pool.Exec(ctx, w.sql(planAnewSQL), r.ID, r.Generation, sealed, states, []string{}); err != nil {
		return fmt.Errorf("intramriver: plan anew: %w", err)
	}
	return nil
}

const personSQL = `UPDATE {records} SET state = 'needs_person', code = $3, candidates = $4, changed_at = {now}
WHERE id = $1 AND generation = $2 AND state IN ('sending', 'in_doubt')`

func (w *Work) needsPerson(ctx context.Context, c *claimed, d decision, cause error) error {
	changed, err := w.pool.Exec(ctx, w.sql(personSQL), c.ID, c.Generation, string(d.code), d.candidates)
	if err != nil {
		return errors.Join(cause, err)
	}
	if changed.RowsAffected() > 0 {
		w.logger.LogAttrs(ctx, slog.LevelError, "intramriver: a record needs a person: compare its candidates with your books, then Adopt, SendAnew or Abandon",
			slog.Int64("record", c.ID), slog.String("kind", string(c.Kind)), slog.String("code", string(d.code)), slog.Any("candidates", d.candidates))
	}
	return nil
}

// acceptSQL tells too whether an event came before the response. One that comes between
// this statement and its commit is left to the sweep.
const acceptSQL = `
UPDATE {records} AS r SET state = 'accepted', operation_id = $2, operation_at = coalesce($3::timestamptz, {now}), code = '', candidates = $5,
	look_at = {now} + interval '5 seconds', changed_at = {now}
WHERE id = $1 AND state = ANY($4)
RETURNING ` + recordColumns + `,
	EXISTS (SELECT FROM {events} e WHERE e.merchant = r.merchant AND e.environment = r.environment AND e.operation_id = $2)`

// accept writes the operation of a record, and its end if it has come already. The
// generation does not matter: what was found by the reference is the record's, whichever
// intent it came of.
func (w *Work) accept(ctx context.Context, id int64, op *intram.Operation) error {
	var early bool
	write := func(on interface {
		QueryRow(context.Context, string, ...any) pgx.Row
	}) error {
		_, err := scanRecord(on.QueryRow(ctx, w.sql(acceptSQL), id, op.ID, orNull(op.CreatedAt), before(Accepted), []string{}), &early)
		return err
	}
	var err error
	if verdictOf(op) == notEnded {
		err = write(w.pool)
	} else {
		err = pgx.BeginFunc(ctx, w.pool, func(tx pgx.Tx) error {
			if err := write(tx); err != nil {
				return err
			}
			_, err := w.endTx(ctx, tx, endingOf(op))
			return err
		})
	}
	if failure, ok := errors.AsType[*pgconn.PgError](err); ok && failure.ConstraintName == "intram_records_operation" {
		return w.collide(ctx, id, op.ID, "the operation is another record's")
	}
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return w.checkAccepted(ctx, id, op.ID)
	case err != nil:
		return fmt.Errorf("intramriver: accept: %w", err)
	}
	if early {
		w.endByStored(ctx, op.ID)
	}
	return w.step(ctx, "accepted")
}

// checkAccepted looks why a record was not there to be accepted: another job was first,
// with the same operation.
func (w *Work) checkAccepted(ctx context.Context, id int64, operationID string) error {
	var known *string
	err := w.pool.QueryRow(ctx, w.sql(`SELECT operation_id FROM {records} WHERE id = $1`), id).Scan(&known)
	switch {
	case err != nil:
		return fmt.Errorf("intramriver: accept: %w", err)
	case known != nil && *known == operationID:
		return nil
	}
	return w.collide(ctx, id, operationID, "the record has another operation already: the API may have executed both")
}

const collideSQL = `
UPDATE {records} SET state = CASE WHEN state IN ('sending', 'in_doubt') THEN 'needs_person' ELSE state END,
	code = CASE WHEN state IN ('sending', 'in_doubt') THEN 'collision' ELSE code END, candidates = array_append(candidates, $2), changed_at = {now}
WHERE id = $1 AND NOT ($2 = ANY(candidates))`

// collide records an operation that should not be there. Nothing more is sent for the
// record until a person has looked.
func (w *Work) collide(ctx context.Context, id int64, operationID, why string) error {
	w.logger.LogAttrs(ctx, slog.LevelError, "intramriver: an operation does not fit its record: look both up", slog.Int64("record", id),
		slog.String("operation", operationID), slog.String("why", why))
	if _, err := w.pool.Exec(ctx, w.sql(collideSQL), id, operationID); err != nil {
		return fmt.Errorf("intramriver: accept: %w", err)
	}
	return nil
}

const refuseSQL = `
UPDATE {records} SET state = 'refused', code = $3, ended_at = {now}, changed_at = {now}
WHERE id = $1 AND generation = $2 AND state = ANY($4)
RETURNING ` + recordColumns

// refuse ends a record that the API refused. If OnEnd fails, the refusal is kept: the
// same call would be in doubt.
func (w *Work) refuse(ctx context.Context, c *claimed, code intram.ErrorCode) error {
	err := pgx.BeginFunc(ctx, w.pool, func(tx pgx.Tx) error {
		r, err := scanRecord(tx.QueryRow(ctx, w.sql(refuseSQL), c.ID, c.Generation, string(code), before(Refused)))
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			return nil
		case err != nil:
			return err
		}
		return w.callOnEnd(ctx, tx, End{Record: r})
	})
	if err == nil {
		return w.step(ctx, "refused")
	}
	_, kept := w.pool.Exec(ctx, w.sql(`UPDATE {records} SET refusal = $3, changed_at = {now} WHERE id = $1 AND generation = $2 AND state IN ('sending', 'in_doubt')`),
		c.ID, c.Generation, string(code))
	return &againError{after: backoff(c.attempt), err: errors.Join(fmt.Errorf("intramriver: end: %w", err), kept)}
}

// lookBacks shares what jobs read of the list of operations. It is kept while jobs use
// it, and not for long: it holds the operations of several days.
type lookBacks struct {
	mu      sync.Mutex
	current *intram.LookBack
	began   time.Time
	users   int
}

const lookBackServes = 10 * time.Minute

func (l *lookBacks) share(now time.Time) (*intram.LookBack, func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if age := now.Sub(l.began); l.current == nil || age < 0 || age > lookBackServes {
		l.current, l.began, l.users = new(intram.LookBack), now, 0
	}
	shared := l.current
	l.users++
	return shared, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.current != shared {
			return
		}
		if l.users--; l.users == 0 {
			l.current = nil
		}
	}
}
