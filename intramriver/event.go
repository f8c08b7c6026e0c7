package intramriver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivertype"

	intram "github.com/intram/intram-go"
)

const (
	// eventTimeout bounds one run of an event's job, the merchant's function included.
	eventTimeout = 10 * time.Minute
	// eventAttempts is how often River tries an event: with its own pauses, within three
	// weeks.
	eventAttempts = 25
	// storeTimeout bounds what a delivery waits for the database: Intram waits for 15 s.
	storeTimeout = 5 * time.Second
	// longestHeader and longestError bound what a row keeps, in bytes.
	longestHeader = 256
	longestError  = 2000
)

// eventHeaders are the headers of a delivery that are stored with it. None of them is
// secret: a signature is good for five minutes.
var eventHeaders = []string{"X-Intram-Delivery", "X-Intram-Attempt", "X-Intram-Event", "X-Intram-Timestamp", "X-Intram-Signature", "User-Agent"}

// eventArgs is the job of an event that is to take effect. It holds no personal data.
type eventArgs struct {
	Merchant    string `json:"merchant"`
	Environment string `json:"environment"`
	Event       int64  `json:"event"`
}

// Kind implements river.JobArgs.
func (eventArgs) Kind() string { return "intram_event" }

// eventQueue is the queue of the events. That of the calls may be paused, and a slow
// function must not hold calls up.
func (w *Work) eventQueue() string { return w.queue + "_events" }

// Scope names the merchant and the environment: give it to
// intram.WebhookVerifier.WithInboxScope when one URL serves several merchants.
func (w *Work) Scope() string { return w.merchant + "/" + w.environment }

// Handler receives Intram's deliveries. It verifies each one, stores the event and its
// job in one transaction, and responds: 200 once it is stored, also when it was stored
// before, and 503 when the database is away, so that Intram sends it again. Everything
// else is as with intram.NewWebhookHandler. [Config.OnEvent] is called by the job, later
// and on any machine, for as many days as River retries.
//
// The verifier's secrets are this merchant's. For several merchants see the function
// [Handler].
func (w *Work) Handler(verifier *intram.WebhookVerifier) http.Handler { return Handler(verifier, w) }

// Handler receives the deliveries of several merchants at one URL. The secret that a
// signature fits says whose event it is: give each merchant's verifier its
// [Work.Scope], and join them with intram.JoinVerifiers. An event of a merchant that is
// not among works is refused with 500.
func Handler(verifier *intram.WebhookVerifier, works ...*Work) http.Handler {
	logger := slog.Default()
	all, err := newDispatch(works)
	if err == nil {
		logger = works[0].logger
	}
	store := func(ctx context.Context, event *intram.Event) error {
		if err != nil {
			return fmt.Errorf("intramriver: handler: %w", err)
		}
		w, err := all.receiver(event)
		if err != nil {
			return err
		}
		return w.store(ctx, event, sourceDelivery)
	}
	handler := intram.NewWebhookHandler(verifier, passing{}, store,
		intram.WithHandlerTimeout(storeTimeout), intram.WithHandlerLogger(slog.New(warnings{logger.Handler()})))
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		handler.ServeHTTP(rw, r.WithContext(context.WithValue(r.Context(), headersKey{}, keptHeaders(r.Header))))
	})
}

// receiver returns whose event it is. An event without a scope is that of the only
// merchant.
func (d dispatch) receiver(event *intram.Event) (*Work, error) {
	for _, w := range d {
		if event.Scope == w.Scope() || event.Scope == "" && len(d) == 1 {
			return w, nil
		}
	}
	return nil, errors.New("intramriver: handler: the event is of no merchant that this handler serves: give each verifier the Scope of its Work")
}

type headersKey struct{}

// keptHeaders returns the headers that are stored.
func keptHeaders(header http.Header) map[string]string {
	kept := make(map[string]string)
	for _, name := range eventHeaders {
		if value := header.Get(name); value != "" {
			kept[name] = clean(value, longestHeader)
		}
	}
	return kept
}

// clean makes a text that PostgreSQL takes, of at most so many bytes.
func clean(text string, most int) string {
	text = strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "\uFFFD")
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "")
	}
	return text
}

// passing is the inbox of the handler: the table decides what is new.
type passing struct{}

func (passing) Claim(_ context.Context, key string, _ time.Duration) (intram.Claim, error) {
	return intram.Claim{Key: key, State: intram.ClaimHeld}, nil
}
func (passing) Complete(context.Context, intram.Claim) error { return nil }
func (passing) Release(context.Context, intram.Claim) error  { return nil }

// warnings leaves out what is not at least a warning: a delivery that was stored is no
// news.
type warnings struct{ slog.Handler }

func (h warnings) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && h.Handler.Enabled(ctx, level)
}
func (h warnings) WithAttrs(attrs []slog.Attr) slog.Handler {
	return warnings{h.Handler.WithAttrs(attrs)}
}
func (h warnings) WithGroup(name string) slog.Handler { return warnings{h.Handler.WithGroup(name)} }

// Where an event comes from.
const (
	sourceDelivery   = "delivery"
	sourceReconciler = "reconciler"
)

const storeEventSQL = `
INSERT INTO {events} (merchant, environment, key, type, operation_id, occurred_at, received_at, source, headers, body, look_at)
VALUES ($1, $2, $3, $4, $5, $6, {now}, $7, $8::jsonb, $9, {now} + $10::interval)
ON CONFLICT (merchant, environment, key) DO NOTHING
RETURNING id`

// store writes an event and its job, unless the event is there.
func (w *Work) store(ctx context.Context, event *intram.Event, source string) error {
	body := []byte(event.Raw)
	if source == sourceReconciler {
		text, err := json.Marshal(event)
		if err != nil {
			return err
		}
		body = text
	}
	key := eventKey(event)
	sealed, err := w.seal.Seal(body, w.boundEvent(key))
	if err != nil {
		return fmt.Errorf("intramriver: seal: %w: %w", intram.ErrTryLater, err)
	}
	headers, _ := ctx.Value(headersKey{}).(map[string]string)
	if headers == nil {
		headers = map[string]string{}
	}
	kept, err := json.Marshal(headers) // as text: with a pooler, pgx does not know that the column is jsonb
	if err != nil {
		return err
	}
	err = pgx.BeginFunc(ctx, w.pool, func(tx pgx.Tx) error {
		var id int64
		err := tx.QueryRow(ctx, w.sql(storeEventSQL), w.merchant, w.environment, key, clean(string(event.Type), longestHeader),
			clean(event.OperationID, longestHeader), orNull(event.OccurredAt), source, string(kept), sealed, orphanAge).Scan(&id)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil // it was delivered before
		}
		if err != nil {
			return err
		}
		_, err = w.river.InsertTx(ctx, tx, eventArgs{Merchant: w.merchant, Environment: w.environment, Event: id}, w.eventOptions())
		return err
	})
	if err != nil {
		return fmt.Errorf("intramriver: store the event: %w: %w", intram.ErrTryLater, err)
	}
	return nil
}

// eventKey is the event's key without a scope: the columns are its scope.
func eventKey(event *intram.Event) string {
	unscoped := *event
	unscoped.Scope = ""
	return unscoped.InboxKey()
}

func (w *Work) boundEvent(key string) []byte {
	return additional("intram_events", "body", w.merchant, w.environment, key)
}

func (w *Work) eventOptions() *river.InsertOpts {
	return &river.InsertOpts{Queue: w.eventQueue(), MaxAttempts: eventAttempts}
}

// insertEventJobs gives many events jobs, by COPY; one alone is faster by InsertTx.
func (w *Work) insertEventJobs(ctx context.Context, tx pgx.Tx, ids ...int64) error {
	jobs := make([]river.InsertManyParams, 0, len(ids))
	for _, id := range ids {
		jobs = append(jobs, river.InsertManyParams{
			Args:       eventArgs{Merchant: w.merchant, Environment: w.environment, Event: id},
			InsertOpts: w.eventOptions(),
		})
	}
	_, err := w.river.InsertManyFastTx(ctx, tx, jobs)
	return err
}

type eventWorker struct {
	river.WorkerDefaults[eventArgs]

	works dispatch
}

// Timeout implements river.Worker.
func (*eventWorker) Timeout(*river.Job[eventArgs]) time.Duration { return eventTimeout }

// Work implements river.Worker.
func (s *eventWorker) Work(ctx context.Context, job *river.Job[eventArgs]) error {
	w, err := s.works.of(ctx, job.Kind, job.Args.Merchant, job.Args.Environment)
	if err != nil {
		return err
	}
	return w.takeEvent(ctx, job)
}

// takeEvent lets an event take effect: the end of its record, what OnEvent writes, and
// the completion of the job are one transaction.
func (w *Work) takeEvent(ctx context.Context, job *river.Job[eventArgs]) error {
	err := w.takeEventTx(ctx, job, nil)
	if open, ok := errors.AsType[*openEndError](err); ok {
		var op *intram.Operation
		if op, err = w.client.Operations.Get(ctx, open.operationID); err == nil {
			err = w.takeEventTx(ctx, job, op)
		}
	}
	if err == nil {
		return nil
	}
	if _, snoozed := errors.AsType[*rivertype.JobSnoozeError](err); snoozed {
		return err
	}
	_, cancelled := errors.AsType[*rivertype.JobCancelError](err)
	return errors.Join(err, w.noteFailure(ctx, job.Args.Event, err, cancelled || job.Attempt >= job.MaxAttempts))
}

const lockEventSQL = `
SELECT key, source, headers, body, done_at IS NOT NULL FROM {events}
WHERE id = $1 AND merchant = $2 AND environment = $3 FOR UPDATE`

const eventDoneSQL = `UPDATE {events} SET done_at = {now}, dead_at = NULL WHERE id = $1`

func (w *Work) takeEventTx(ctx context.Context, job *river.Job[eventArgs], op *intram.Operation) error {
	return pgx.BeginFunc(ctx, w.pool, func(tx pgx.Tx) error {
		var stored storedEvent
		var done bool
		err := tx.QueryRow(ctx, w.sql(lockEventSQL), job.Args.Event, w.merchant, w.environment).
			Scan(&stored.key, &stored.source, &stored.headers, &stored.body, &done)
		switch {
		case errors.Is(err, pgx.ErrNoRows) || err == nil && done:
			// It has taken effect, perhaps so long ago that the row was pruned.
			return completeJob(ctx, tx, job)
		case err != nil:
			return fmt.Errorf("intramriver: event: %w", err)
		}
		event, err := w.openEvent(stored)
		if err != nil {
			return err
		}
		if err := w.endByEvent(ctx, tx, event, op); err != nil {
			return err
		}
		if err := w.callOnEvent(ctx, tx, event); err != nil {
			return err
		}
		if err := w.step(ctx, "event took effect"); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, w.sql(eventDoneSQL), job.Args.Event); err != nil {
			return fmt.Errorf("intramriver: event: %w", err)
		}
		return completeJob(ctx, tx, job)
	})
}

func completeJob(ctx context.Context, tx pgx.Tx, job *river.Job[eventArgs]) error {
	if _, err := river.JobCompleteTx[*riverpgxv5.Driver](ctx, tx, job); err != nil {
		return fmt.Errorf("intramriver: event: %w", err)
	}
	return nil
}

// storedEvent is what a row has of an event.
type storedEvent struct {
	key, source string
	headers     map[string]string
	body        []byte // sealed
}

// openEvent makes the event of its row.
func (w *Work) openEvent(stored storedEvent) (*intram.Event, error) {
	if stored.body == nil {
		return nil, ErrPruned
	}
	body, err := w.seal.Open(stored.body, w.boundEvent(stored.key))
	if err != nil {
		return nil, fmt.Errorf("intramriver: open: %w", err)
	}
	if stored.source == sourceDelivery {
		attempt := json.Number(stored.headers["X-Intram-Attempt"])
		if _, err := attempt.Int64(); err != nil {
			attempt = "0"
		}
		body, err = json.Marshal(map[string]any{"signed_body": body, "delivery_id": stored.headers["X-Intram-Delivery"], "attempt": attempt})
		if err != nil {
			return nil, err
		}
	}
	event := new(intram.Event)
	if err := json.Unmarshal(body, event); err != nil {
		return nil, errors.New("intramriver: the stored event cannot be read: is the Seal the one that it was stored with?") // a JSON error may quote it
	}
	event.Scope = w.Scope()
	return event, nil
}

// errOnEvent is behind the error of an event that was rolled back because OnEvent failed.
var errOnEvent = errors.New("intramriver: OnEvent failed")

// callOnEvent calls the merchant's function. Of a panic only its type is kept: the value
// may be anything.
func (w *Work) callOnEvent(ctx context.Context, tx pgx.Tx, event *intram.Event) (err error) {
	if w.onEvent == nil {
		return nil
	}
	defer func() {
		if v := recover(); v != nil {
			w.logger.LogAttrs(ctx, slog.LevelError, "intramriver: OnEvent panicked",
				slog.String("event", string(event.Type)), slog.String("operation", event.OperationID), slog.String("stack", string(debug.Stack())))
			err = fmt.Errorf("%w: it panicked with a %T", errOnEvent, v)
		}
	}()
	if err := w.onEvent(withTx(ctx, tx), event); err != nil {
		return fmt.Errorf("%w: %w", errOnEvent, err)
	}
	return nil
}

const eventFailedSQL = `
UPDATE {events} SET attempts = attempts + 1, error = $2, failed_at = {now}, dead_at = CASE WHEN $3 THEN {now} END
WHERE id = $1 AND done_at IS NULL`

// noteFailure keeps the last error with the event: River forgets a discarded job after
// some days.
func (w *Work) noteFailure(ctx context.Context, id int64, cause error, last bool) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
	defer cancel()
	if _, err := w.pool.Exec(ctx, w.sql(eventFailedSQL), id, clean(cause.Error(), longestError), last); err != nil {
		return fmt.Errorf("intramriver: event: %w", err)
	}
	return nil
}
