package intramriver_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivertype"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/intramriver"
	"github.com/intram/intram-go/intramtest"
)

const webhookSecret = "whsec_0123456789abcdef0123456789abcdef"

// receiver is a merchant whose deliveries a test makes itself.
type receiver struct {
	*shop

	now     time.Time // of the deliveries and of the verifier
	handler http.Handler
	events  *river.Client[pgx.Tx] // works the events only

	mu      sync.Mutex
	onEvent intram.EventHandler
}

func newReceiver(t *testing.T, opts ...intramtest.Option) *receiver {
	t.Helper()
	// What is accepted ends when the test lets time go by.
	opts = append([]intramtest.Option{intramtest.WithWorker(intramtest.After(time.Second))}, opts...)
	r := &receiver{shop: newShop(t, opts...)}
	_, err := r.pool.Exec(t.Context(), `CREATE TABLE effects (operation_id text, type text); CREATE TABLE payouts (operation_id text PRIMARY KEY, progress jsonb NOT NULL DEFAULT '{}')`)
	require.NoError(t, err)
	r.onEvent = noteEffect
	r.work = r.machine(r.withEvents)
	r.now = r.server.Now()
	r.handler = r.work.Handler(r.verifier(webhookSecret))
	return r
}

func (r *receiver) withEvents(c *intramriver.Config) {
	c.OnEvent = func(ctx context.Context, e *intram.Event) error {
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.onEvent(ctx, e)
	}
}

// fixedClock is a verifier's.
type fixedClock struct {
	intram.Clock
	r *receiver
}

func (c fixedClock) Now() time.Time { return c.r.now }

func (r *receiver) verifier(secret string) *intram.WebhookVerifier {
	r.t.Helper()
	v, err := intram.NewWebhookVerifier(secret)
	require.NoError(r.t, err)
	return v.WithClock(fixedClock{r.server.Clock(), r})
}

// noteEffect writes what took effect, in the transaction of the event.
func noteEffect(ctx context.Context, e *intram.Event) error {
	_, err := intramriver.Tx(ctx).Exec(ctx, "INSERT INTO effects VALUES ($1, $2)", e.OperationID, string(e.Type))
	return err
}

// deliverTo posts a signed body, and returns the response.
func (r *receiver) deliverTo(handler http.Handler, secret, body string) *httptest.ResponseRecorder {
	req := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
	req.Header = intram.SignWebhook(secret, r.now, []byte(body))
	req.Header.Set("X-Intram-Delivery", "whd_1")
	req.Header.Set("X-Intram-Attempt", "3")
	req.Header.Set("Authorization", "Basic c2VjcmV0")
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, req)
	return w
}

func (r *receiver) deliver(body string) int { return r.deliverTo(r.handler, webhookSecret, body).Code }

// told is the body of an event.
func told(typ intram.EventType, operationID, data string) string {
	return fmt.Sprintf(`{"event":%q,"operation_id":%q,"occurred_at":"2026-05-20T10:31:00.000Z","data":%s}`, typ, operationID, data)
}

const mobileData = `{"reference":"PO-1","amount":25000,"currency":"XOF","status":"completed","destination":{"type":"mobile_money","provider_code":"MTN_BENIN_229","msisdn":"2290161000000","account_name":"Awa"}}`

// works starts River clients that work the events of some works, and nothing else.
func (r *receiver) works(works ...*intramriver.Work) *river.Client[pgx.Tx] {
	r.t.Helper()
	workers := river.NewWorkers()
	require.NoError(r.t, intramriver.Register(workers, works...))
	queues := works[0].Queues(4)
	delete(queues, intramriver.DefaultQueue)
	client, err := river.NewClient(riverpgxv5.New(r.pool), &river.Config{
		Workers: workers, Queues: queues, Logger: slog.New(slog.DiscardHandler),
		FetchCooldown: 10 * time.Millisecond, FetchPollInterval: 50 * time.Millisecond, TestOnly: true,
	})
	require.NoError(r.t, err)
	require.NoError(r.t, client.Start(context.WithoutCancel(r.t.Context())))
	r.t.Cleanup(func() { assert.NoError(r.t, client.StopAndCancel(context.WithoutCancel(r.t.Context()))) })
	return client
}

const liveEventJobs = `SELECT count(*) FROM river_job WHERE kind = 'intram_event' AND state IN ('available', 'pending', 'retryable', 'running', 'scheduled')`

// settle works the events until no job of theirs is left. What failed runs again at once,
// as if its time had come, and three times in all.
func (r *receiver) settle() {
	r.t.Helper()
	_, err := r.pool.Exec(r.t.Context(), "UPDATE river_job SET max_attempts = 3 WHERE kind = 'intram_event'")
	require.NoError(r.t, err)
	if r.events == nil {
		r.events = r.works(r.work)
	}
	ended, unsubscribe := r.events.SubscribeConfig(&river.SubscribeConfig{
		Kinds: []river.EventKind{river.EventKindJobCompleted, river.EventKindJobFailed, river.EventKindJobCancelled, river.EventKindJobSnoozed}, ChanSize: 10_000,
	})
	defer unsubscribe()
	retry := func() {
		waiting, err := r.events.JobList(r.t.Context(), river.NewJobListParams().Kinds("intram_event").States(rivertype.JobStateRetryable, rivertype.JobStateScheduled).First(1000))
		require.NoError(r.t, err)
		for _, job := range waiting.Jobs {
			_, err := r.events.JobRetry(r.t.Context(), job.ID)
			require.NoError(r.t, err)
		}
	}
	for retry(); r.count(liveEventJobs) > 0; retry() {
		select {
		case <-ended:
		case <-r.t.Context().Done():
			r.t.Fatal("the jobs do not come to an end")
		}
	}
}

func (r *receiver) effects() []string {
	r.t.Helper()
	rows, err := r.pool.Query(r.t.Context(), "SELECT type || ' ' || operation_id FROM effects ORDER BY 1")
	require.NoError(r.t, err)
	all, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(r.t, err)
	return all
}

func TestADeliveryIsOneRowAndOneJob(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	body := told(intram.EventPayoutCompleted, "op_1", mobileData)
	for range 3 {
		assert.Equal(t, 200, r.deliver(body))
	}
	// Written anew: an operation reaches a state once.
	assert.Equal(t, 200, r.deliver(strings.Replace(body, "10:31:00", "10:31:07", 1)))
	assert.Equal(t, 1, r.count("SELECT count(*) FROM intram_events"))
	assert.Equal(t, 1, r.count("SELECT count(*) FROM river_job WHERE kind = 'intram_event' AND queue = 'intram_events'"))
	assert.Empty(t, r.effects(), "the function runs later")

	events, err := r.work.Events(t.Context(), intramriver.EventFilter{})
	require.NoError(t, err)
	require.Len(t, events, 1)
	e := events[0]
	assert.Equal(t, intramriver.EventWaiting, e.State)
	assert.Equal(t, intram.EventPayoutCompleted, e.Type)
	assert.Equal(t, "op_1", e.OperationID)
	assert.Equal(t, "delivery", e.Source)
	assert.False(t, e.ReceivedAt.IsZero())
	assert.Equal(t, "whd_1", e.Headers["X-Intram-Delivery"])
	assert.Contains(t, e.Headers["X-Intram-Signature"], "sha256=")
	assert.NotContains(t, e.Headers, "Authorization")

	// The bytes are there, and sealed.
	_, event, err := r.work.Event(t.Context(), e.ID)
	require.NoError(t, err)
	assert.Equal(t, body, string(event.Raw))
	assert.Equal(t, "whd_1", event.DeliveryID)
	assert.Equal(t, 3, event.Attempt)
	assert.Equal(t, "default/sandbox", event.Scope)
	var row, jobs string
	var stored []byte
	require.NoError(t, r.pool.QueryRow(t.Context(), "SELECT e::text, body, (SELECT string_agg(j::text, ' ') FROM river_job j) FROM intram_events e").Scan(&row, &stored, &jobs))
	for _, text := range []string{row, string(stored), jobs} {
		assert.NotContains(t, text, "2290161000000")
		assert.NotContains(t, text, "Awa")
	}
	other := r.machine(func(c *intramriver.Config) { c.Merchant = "another" })
	_, _, err = other.Event(t.Context(), e.ID)
	require.ErrorIs(t, err, intramriver.ErrNoEvent)
}

func TestADatabaseThatIsAwayAnswers503(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	pool := newPool(t, r.pool.Config().ConnString())
	away := r.machine(func(c *intramriver.Config) { c.Pool = pool })
	pool.Close()
	w := r.deliverTo(away.Handler(r.verifier(webhookSecret)), webhookSecret, told(intram.EventPayoutCompleted, "op_1", mobileData))
	assert.Equal(t, 503, w.Code)
	assert.NotEmpty(t, w.Header().Get("Retry-After"))
	assert.NotContains(t, w.Body.String(), "pool")
}

func TestWhatIsNotSignedIsNotStored(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	body := told(intram.EventPayoutCompleted, "op_1", mobileData)
	assert.Equal(t, 401, r.deliverTo(r.handler, "whsec_anothers", body).Code)
	assert.Equal(t, 400, r.deliver("[]"))
	assert.Equal(t, 500, r.deliverTo(intramriver.Handler(r.verifier(webhookSecret)), webhookSecret, body).Code)
	assert.Equal(t, 500, r.deliverTo(intramriver.Handler(r.verifier(webhookSecret), r.work, r.work), webhookSecret, body).Code)
	assert.Equal(t, 500, r.deliverTo(r.work.Handler(nil), webhookSecret, body).Code)
	assert.Zero(t, r.count("SELECT count(*) FROM intram_events"))
	// Signed and odd: stored, and handed over.
	assert.Equal(t, 200, r.deliver(`{"event":"a\u0000b","operation_id":7,"data":"\ud800"}`))
	var got *intram.Event
	r.onEvent = func(_ context.Context, e *intram.Event) error { got = e; return nil }
	r.settle()
	assert.Equal(t, "a\x00b", string(got.Type))
	assert.Equal(t, "7", got.OperationID)
}

// The function's writes and the completion of the job are one transaction, and routers
// and typed handlers work in it.
func TestAnEventTakesEffectOnceWhateverFails(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	failures := []error{errors.New("no such customer"), nil}
	router := new(intram.EventRouter)
	intram.OnData(router, "payout.*", func(ctx context.Context, e *intram.Event, payout *intram.PayoutEventData) error {
		assert.Equal(t, "25000", payout.Amount.String())
		if err := noteEffect(ctx, e); err != nil {
			return err
		}
		failure := failures[0]
		if failures = failures[1:]; failure == nil && len(failures) == 0 {
			failures = append(failures, nil)
			panic("2290161000000")
		}
		return failure
	})
	require.NoError(t, router.Err())
	r.onEvent = router.Handle
	stopped := false
	r.work.StopAt(func(_ context.Context, step string) error {
		if step == "event took effect" && !stopped {
			stopped = true
			return errors.New("killed")
		}
		return nil
	})
	failures = []error{errors.New("no such customer"), nil, nil}
	require.Equal(t, 200, r.deliver(told(intram.EventPayoutCompleted, "op_1", mobileData)))
	r.settle()
	// no such customer, killed, panicked: three attempts, and River gives it up.
	events, err := r.work.Events(t.Context(), intramriver.EventFilter{States: []intramriver.EventState{intramriver.EventDead}})
	require.NoError(t, err)
	require.Len(t, events, 1)
	assert.Equal(t, 3, events[0].Attempts)
	assert.Contains(t, events[0].Error, "panicked with a string")
	assert.NotContains(t, r.log.String(), "2290161000000")
	assert.False(t, events[0].FailedAt.IsZero())
	assert.Empty(t, r.effects(), "rolled back each time")
	assert.True(t, stopped)

	failures = []error{nil, nil}
	n, err := r.work.Replay(t.Context(), intramriver.EventFilter{})
	require.NoError(t, err)
	assert.Equal(t, 1, n)
	r.settle()
	assert.Equal(t, []string{"payout.completed op_1"}, r.effects())
	assert.Equal(t, 200, r.deliver(told(intram.EventPayoutCompleted, "op_1", mobileData)))
	r.settle()
	assert.Len(t, r.effects(), 1)
	assert.Equal(t, 1, r.count("SELECT count(*) FROM river_job WHERE kind = 'intram_event' AND state = 'completed'"))
}

// A job that runs once more after its event has taken effect does nothing: a person has
// retried it, or the completion was not seen.
func TestAJobThatRunsAgainDoesNothing(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	require.Equal(t, 200, r.deliver(told(intram.EventPayoutCompleted, "op_1", mobileData)))
	r.settle()
	jobs, err := r.events.JobList(t.Context(), river.NewJobListParams().Kinds("intram_event"))
	require.NoError(t, err)
	require.Len(t, jobs.Jobs, 1)
	_, err = r.events.JobRetry(t.Context(), jobs.Jobs[0].ID)
	require.NoError(t, err)
	r.settle()
	assert.Len(t, r.effects(), 1)
}

// acceptedPayout makes a payout that the API has accepted and not ended.
func (r *receiver) acceptedPayout(reference string, params intram.PayoutParams) string {
	r.t.Helper()
	params.Reference = reference
	record, err := r.work.Payout(r.t.Context(), params)
	require.NoError(r.t, err)
	require.NoError(r.t, r.work.Send(r.t.Context(), record.ID))
	return r.record(reference).OperationID
}

func bankPayout() intram.PayoutParams {
	return intram.PayoutParams{
		Amount: intram.NewAmount(500), Currency: intram.XOF,
		Destination: intram.BankAccount{AccountNumber: "BJ0610100100144390000769", SWIFT: "ECOCBJBJ"},
	}
}

// receiveAll lets the fake deliver to the merchant's handler.
func (r *receiver) receiveAll() {
	r.t.Helper()
	r.server.Subscribe("/intram/webhook", r.work.Handler)
}

// arrive lets time go by until everything was delivered, and works it.
func (r *receiver) arrive() {
	r.t.Helper()
	r.pass(10 * time.Second)
	require.NoError(r.t, r.server.Idle(r.t.Context()))
	r.settle()
}

func TestAnEventEndsItsRecord(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	r.receiveAll()
	r.acceptedPayout("PO-good", payout("", "000000"))
	r.acceptedPayout("PO-bad", payout("", "000004")) // no such account
	settled := r.acceptedPayout("PO-settled", bankPayout())
	returned := r.acceptedPayout("PO-returned", bankPayout())
	r.arrive()
	assert.Equal(t, intramriver.Completed, r.state("PO-good"))
	assert.Equal(t, intramriver.Failed, r.state("PO-bad"))
	assert.Equal(t, intram.CodeProviderRejected, r.record("PO-bad").Code)
	assert.Equal(t, intramriver.QueuedForSettlement, r.state("PO-settled"))
	require.NoError(t, r.server.Complete(settled))
	require.NoError(t, r.server.Fail(returned, intram.CodeProviderRejected))
	r.arrive()
	assert.Equal(t, []string{"queued_for_settlement", "settled"}, r.books("PO-settled"))
	assert.Equal(t, []string{"queued_for_settlement", "returned"}, r.books("PO-returned"))
	assert.Equal(t, []string{"completed"}, r.books("PO-good"))

	// All of it without a request of the sweep's, but for the one that the event left
	// open.
	gets := 0
	for _, req := range r.server.Requests() {
		if req.Method == http.MethodGet {
			gets++
		}
	}
	assert.Equal(t, 1, gets)
	assert.Len(t, r.effects(), 6, "and the function has had each")
}

// A bank payout's payout.queued comes after its payout.completed, and its payout.failed
// before both.
func TestInWhateverOrderEventsComeARecordGoesForward(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	data := strings.Replace(mobileData, `"destination":{"type":"mobile_money","provider_code":"MTN_BENIN_229","msisdn":"2290161000000","account_name":"Awa"}`,
		`"destination":{"type":"bank_account","account_number":"BJ06","swift":"ECOCBJBJ"}`, 1)
	done := r.acceptedPayout("PO-1", bankPayout())
	for _, typ := range []intram.EventType{intram.EventPayoutCompleted, intram.EventPayoutQueued, intram.EventPayoutCompleted} {
		require.Equal(t, 200, r.deliver(told(typ, done, data)))
		r.settle()
	}
	assert.Equal(t, []string{"completed"}, r.books("PO-1"))
	assert.Len(t, r.effects(), 2)

	back := r.acceptedPayout("PO-2", bankPayout())
	r.pass(time.Minute)
	require.NoError(t, r.server.Fail(back, intram.CodeProviderRejected))
	for _, typ := range []intram.EventType{intram.EventPayoutFailed, intram.EventPayoutCompleted, intram.EventPayoutQueued} {
		require.Equal(t, 200, r.deliver(told(typ, back, data)))
		r.settle()
	}
	assert.Equal(t, []string{"returned"}, r.books("PO-2"))
}

// early delivers an event before the response to its call.
type early struct {
	http.RoundTripper
	deliver func(operationID string)
}

func (e early) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := e.RoundTripper.RoundTrip(req)
	if err != nil || req.Method != http.MethodPost {
		return resp, err
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	var envelope struct {
		Data struct {
			ID string `json:"operation_id"`
		} `json:"data"`
	}
	if err := json.Unmarshal(body, &envelope); err != nil {
		return nil, err
	}
	e.deliver(envelope.Data.ID)
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}

func TestAnEventThatComesBeforeTheResponseEndsItsRecord(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	record := r.plan("PO-1", "000000")
	quick := r.machine(r.withEvents, intram.WithHTTPClient(&http.Client{Transport: early{r.server.Transport(), func(id string) {
		assert.Equal(t, 200, r.deliver(told(intram.EventPayoutCompleted, id, mobileData)))
		r.settle()
	}}}))
	require.NoError(t, quick.Send(t.Context(), record.ID))
	assert.Equal(t, []string{"completed"}, r.books("PO-1"))
	assert.Len(t, r.effects(), 1)
}

// OnEnd and OnEvent are one transaction: if one fails, neither has happened.
func TestAnEndAndItsEventAreOne(t *testing.T) {
	t.Parallel()
	for _, onEnd := range []bool{true, false} {
		r := newReceiver(t)
		id := r.acceptedPayout("PO-1", payout("", "000000"))
		errNot := errors.New("not now")
		if onEnd {
			r.onEnd = func(context.Context, pgx.Tx, intramriver.End) error { return errNot }
		} else {
			r.onEvent = func(ctx context.Context, e *intram.Event) error { return errors.Join(noteEffect(ctx, e), errNot) }
		}
		require.Equal(t, 200, r.deliver(told(intram.EventPayoutCompleted, id, mobileData)))
		r.settle()
		assert.Equal(t, intramriver.Accepted, r.state("PO-1"))
		assert.Empty(t, r.books("PO-1"))
		assert.Empty(t, r.effects())
		r.onEnd, r.onEvent = nil, noteEffect
		n, err := r.work.Replay(t.Context(), intramriver.EventFilter{OperationID: id})
		require.NoError(t, err)
		assert.Equal(t, 1, n)
		r.settle()
		assert.Equal(t, []string{"completed"}, r.books("PO-1"))
		assert.Len(t, r.effects(), 1)
	}
}

// recordPayout is the documented sample: the furthest state of a payout, whatever the
// order of its events.
func recordPayout(ctx context.Context, tx pgx.Tx, e *intram.Event) error {
	if _, err := tx.Exec(ctx, "INSERT INTO payouts (operation_id) VALUES ($1) ON CONFLICT DO NOTHING", e.OperationID); err != nil {
		return err
	}
	var progress intram.EventOrder
	err := tx.QueryRow(ctx, "SELECT progress FROM payouts WHERE operation_id = $1 FOR UPDATE", e.OperationID).Scan(&progress)
	if err != nil {
		return err
	}
	next, moved := progress.Apply(e)
	if !moved {
		return nil // older news than what is known
	}
	_, err = tx.Exec(ctx, "UPDATE payouts SET progress = $1 WHERE operation_id = $2", next, e.OperationID)
	return err
}

func TestALateEventDoesNotOverwriteInTheSample(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	router := new(intram.EventRouter)
	intram.OnData(router, "payout.*", func(ctx context.Context, e *intram.Event, _ *intram.PayoutEventData) error {
		return recordPayout(ctx, intramriver.Tx(ctx), e)
	})
	r.onEvent = router.Handle
	for _, typ := range []intram.EventType{intram.EventPayoutCompleted, intram.EventPayoutQueued} {
		require.Equal(t, 200, r.deliver(told(typ, "op_1", mobileData)))
		r.settle()
	}
	assert.Equal(t, 1, r.count("SELECT count(*) FROM payouts WHERE progress->>'event' = 'payout.completed'"))
}

func TestWithoutATransactionEachUseFails(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	tx := intramriver.Tx(ctx)
	_, err := tx.Exec(ctx, "SELECT 1")
	require.ErrorIs(t, err, intramriver.ErrNoTransaction)
	_, err = tx.Query(ctx, "SELECT 1") //nolint:sqlclosecheck // there are no rows
	require.ErrorIs(t, err, intramriver.ErrNoTransaction)
	require.ErrorIs(t, tx.QueryRow(ctx, "SELECT 1").Scan(), intramriver.ErrNoTransaction)
	require.ErrorIs(t, tx.SendBatch(ctx, new(pgx.Batch)).Close(), intramriver.ErrNoTransaction)
	_, err = tx.CopyFrom(ctx, nil, nil, nil)
	require.ErrorIs(t, err, intramriver.ErrNoTransaction)
	_, err = tx.Begin(ctx)
	require.ErrorIs(t, err, intramriver.ErrNoTransaction)
	_, err = tx.Prepare(ctx, "", "")
	require.ErrorIs(t, err, intramriver.ErrNoTransaction)
	require.ErrorIs(t, tx.Commit(ctx), intramriver.ErrNoTransaction)
	require.ErrorIs(t, tx.Rollback(ctx), intramriver.ErrNoTransaction)
	assert.Nil(t, tx.Conn())
}

// One merchant's secret neither makes another's event known nor ends another's record.
func TestOneMerchantsSecretCanNeitherClaimNorForgeAnothersEvents(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	id := r.acceptedPayout("PO-1", payout("", "000000"))
	took := map[string]int{}
	other := r.machine(func(c *intramriver.Config) {
		r.withEvents(c)
		c.Merchant = "another"
	})
	r.onEvent = func(_ context.Context, e *intram.Event) error { took[e.Scope]++; return nil }
	r.events = r.works(r.work, other)
	body := told(intram.EventPayoutCompleted, id, mobileData)

	// At a URL of its own, and at one for both.
	joined, err := intram.JoinVerifiers(r.verifier(webhookSecret).WithInboxScope(r.work.Scope()), r.verifier("whsec_anothers").WithInboxScope(other.Scope()))
	require.NoError(t, err)
	both := intramriver.Handler(joined, r.work, other)
	assert.Equal(t, 200, r.deliverTo(other.Handler(r.verifier("whsec_anothers")), "whsec_anothers", body).Code)
	assert.Equal(t, 200, r.deliverTo(both, "whsec_anothers", body).Code, "the same row")
	assert.Equal(t, 401, r.deliverTo(r.handler, "whsec_anothers", body).Code)
	r.settle()
	assert.Equal(t, map[string]int{"another/sandbox": 1}, took)
	assert.Equal(t, intramriver.Accepted, r.state("PO-1"), "not its record")
	assert.Empty(t, r.books("PO-1"))

	assert.Equal(t, 200, r.deliverTo(both, webhookSecret, body).Code)
	assert.Equal(t, 200, r.deliver(body), "the same row, by the other URL")
	r.settle()
	assert.Equal(t, map[string]int{"another/sandbox": 1, "default/sandbox": 1}, took)
	assert.Equal(t, []string{"completed"}, r.books("PO-1"))

	// A handler that does not serve the merchant that signed lets Intram send it again.
	assert.Equal(t, 500, r.deliverTo(intramriver.Handler(joined, r.work), "whsec_anothers", told(intram.EventPayoutFailed, id, mobileData)).Code)
	// Without scopes, two merchants cannot be told apart.
	assert.Equal(t, 500, r.deliverTo(intramriver.Handler(r.verifier(webhookSecret), r.work, other), webhookSecret, body).Code)
	// A body that was sealed for one merchant opens for no other.
	_, err = r.pool.Exec(t.Context(), "UPDATE intram_events SET body = (SELECT body FROM intram_events WHERE merchant = 'another'), done_at = NULL WHERE merchant = 'default'")
	require.NoError(t, err)
	events, err := r.work.Events(t.Context(), intramriver.EventFilter{})
	require.NoError(t, err)
	_, _, err = r.work.Event(t.Context(), events[0].ID)
	require.ErrorIs(t, err, intramriver.ErrSealed)
	n, err := other.Replay(t.Context(), intramriver.EventFilter{IDs: []int64{events[0].ID}, States: []intramriver.EventState{intramriver.EventDead, intramriver.EventDone}})
	require.NoError(t, err)
	assert.Zero(t, n)
}

func TestDeadEventsAreListedAndReplayed(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	r.onEvent = func(_ context.Context, e *intram.Event) error { return fmt.Errorf("no row for %s", e.OperationID) }
	for i := range 4 {
		require.Equal(t, 200, r.deliver(told(intram.EventPayoutCompleted, fmt.Sprint("op_", i), mobileData)))
		if i == 1 {
			r.pass(time.Hour)
		}
	}
	require.Equal(t, 200, r.deliver(told(intram.EventRefundCompleted, "op_9", `{"amount":1}`)))
	since := time.Now().Add(30 * time.Minute) // by the database's clock
	r.settle()
	health, err := r.work.Health(t.Context())
	require.NoError(t, err)
	assert.Equal(t, 5, health.DeadEvents)
	assert.Zero(t, health.OldestEvent)

	dead := []intramriver.EventState{intramriver.EventDead}
	ids := func(filter intramriver.EventFilter) (ids []string) {
		events, err := r.work.Events(t.Context(), filter)
		require.NoError(t, err)
		for _, e := range events {
			ids = append(ids, e.OperationID)
		}
		return ids
	}
	assert.Equal(t, []string{"op_0", "op_1", "op_2", "op_3", "op_9"}, ids(intramriver.EventFilter{States: dead}))
	assert.Equal(t, []string{"op_2", "op_3", "op_9"}, ids(intramriver.EventFilter{Since: since}))
	assert.Equal(t, []string{"op_0", "op_1"}, ids(intramriver.EventFilter{Until: since}))
	assert.Equal(t, []string{"op_9"}, ids(intramriver.EventFilter{Types: []intram.EventType{intram.EventRefundCompleted}}))
	first, err := r.work.Events(t.Context(), intramriver.EventFilter{Limit: 1})
	require.NoError(t, err)
	assert.Equal(t, "intramriver: OnEvent failed: no row for op_0", first[0].Error)
	assert.Equal(t, []string{"op_1"}, ids(intramriver.EventFilter{After: first[0].ID, Limit: 1}))
	_, err = r.work.Events(t.Context(), intramriver.EventFilter{Limit: 1001})
	require.ErrorContains(t, err, "EventFilter.Limit")
	_, err = r.work.Replay(t.Context(), intramriver.EventFilter{States: []intramriver.EventState{"gone"}})
	require.ErrorContains(t, err, "EventFilter.States")

	r.onEvent = noteEffect
	replay := func(want int, filter intramriver.EventFilter) {
		n, err := r.work.Replay(t.Context(), filter)
		require.NoError(t, err)
		assert.Equal(t, want, n)
		r.settle()
	}
	replay(1, intramriver.EventFilter{IDs: []int64{first[0].ID}})
	assert.Equal(t, []string{"payout.completed op_0"}, r.effects())
	replay(1, intramriver.EventFilter{Types: []intram.EventType{intram.EventRefundCompleted}})
	replay(2, intramriver.EventFilter{Since: since})
	replay(0, intramriver.EventFilter{States: []intramriver.EventState{intramriver.EventWaiting}})
	replay(1, intramriver.EventFilter{})
	assert.Len(t, r.effects(), 5)
	replay(0, intramriver.EventFilter{})
	// What took effect takes effect again only if that is asked for.
	replay(1, intramriver.EventFilter{OperationID: "op_0", States: []intramriver.EventState{intramriver.EventDone}})
	assert.Len(t, r.effects(), 6)
}

// More dead events than one transaction replays.
func TestManyEventsAreReplayed(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	r.work = r.machine(func(c *intramriver.Config) { c.Seal = nil })
	_, err := r.pool.Exec(t.Context(), `INSERT INTO intram_events (merchant, environment, key, type, operation_id, received_at, source, body, look_at, dead_at)
		SELECT 'default', 'sandbox', 'k' || i, 'payout.completed', 'op_' || i, now(), 'reconciler', '{"event":"payout.completed"}', now(), now() FROM generate_series(1, 2500) i`)
	require.NoError(t, err)
	n, err := r.work.Replay(t.Context(), intramriver.EventFilter{})
	require.NoError(t, err)
	assert.Equal(t, 2500, n)
	assert.Equal(t, 2500, r.count("SELECT count(*) FROM river_job WHERE kind = 'intram_event'"))
	assert.Zero(t, r.count("SELECT count(*) FROM intram_events WHERE dead_at IS NOT NULL"))
}

// A job that a person cancels or deletes leaves a dead event, not one that is forgotten.
func TestAnEventWhoseJobIsGoneIsDead(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	for i := range 3 {
		require.Equal(t, 200, r.deliver(told(intram.EventPayoutCompleted, fmt.Sprint("op_", i), mobileData)))
	}
	_, err := r.pool.Exec(t.Context(), "DELETE FROM river_job WHERE args->>'event' = (SELECT id::text FROM intram_events WHERE operation_id = 'op_1')")
	require.NoError(t, err)
	_, err = r.work.Reconcile(t.Context())
	require.NoError(t, err)
	health, err := r.work.Health(t.Context())
	require.NoError(t, err)
	assert.Zero(t, health.DeadEvents, "it is asked after an hour")
	r.pass(2 * time.Hour)
	_, err = r.work.Reconcile(t.Context())
	require.NoError(t, err)
	health, err = r.work.Health(t.Context())
	require.NoError(t, err)
	assert.Equal(t, 1, health.DeadEvents)
	assert.GreaterOrEqual(t, health.OldestEvent, 2*time.Hour)
	n, err := r.work.Replay(t.Context(), intramriver.EventFilter{})
	require.NoError(t, err)
	assert.Equal(t, 1, n)
	r.settle()
	assert.Len(t, r.effects(), 3)
}

func TestBodiesAreForgottenAndDeadOnesKept(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	r.onEvent = func(ctx context.Context, e *intram.Event) error {
		if e.OperationID == "op_dead" {
			return errors.New("no")
		}
		return noteEffect(ctx, e)
	}
	for _, id := range []string{"op_dead", "op_done"} {
		require.Equal(t, 200, r.deliver(told(intram.EventPayoutCompleted, id, mobileData)))
	}
	r.settle()
	n, err := r.work.Prune(t.Context(), 24*time.Hour)
	require.NoError(t, err)
	assert.Zero(t, n)
	r.pass(25 * time.Hour)
	n, err = r.work.Prune(t.Context(), 24*time.Hour)
	require.NoError(t, err)
	assert.Equal(t, int64(1), n)
	events, err := r.work.Events(t.Context(), intramriver.EventFilter{OperationID: "op_done"})
	require.NoError(t, err)
	require.Len(t, events, 1)
	_, _, err = r.work.Event(t.Context(), events[0].ID)
	require.ErrorIs(t, err, intramriver.ErrPruned)
	replayed, err := r.work.Replay(t.Context(), intramriver.EventFilter{States: []intramriver.EventState{intramriver.EventDone}})
	require.NoError(t, err)
	assert.Zero(t, replayed, "there is nothing to replay")
	assert.Equal(t, 200, r.deliver(told(intram.EventPayoutCompleted, "op_done", mobileData)))
	r.settle()
	assert.Len(t, r.effects(), 1, "it is still known")
	r.pass(31 * 24 * time.Hour)
	_, err = r.work.Prune(t.Context(), 24*time.Hour)
	require.NoError(t, err)
	assert.Equal(t, 1, r.count("SELECT count(*) FROM intram_events"), "the dead one")
}

// Of a payment request all events tell that its page is there; of a refund, and of a
// payment request that failed, the API is asked.
func TestEventsOfPaymentsAndRefundsEndTheirRecords(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	r.receiveAll()
	record, err := r.work.PaymentRequest(t.Context(), "ORDER-1", intram.PaymentRequestParams{Invoice: intram.Invoice{Amount: intram.NewAmount(5000), Currency: intram.XOF}})
	require.NoError(t, err)
	require.NoError(t, r.work.Send(t.Context(), record.ID))
	r.arrive()
	record, err = r.work.Record(t.Context(), intramriver.PaymentRequest, "ORDER-1")
	require.NoError(t, err)
	assert.Equal(t, intramriver.Completed, record.State)
	require.NotEmpty(t, record.TransactionReference)
	require.NoError(t, r.server.PayWith(record.TransactionReference, intram.MTNBenin, "22961000015")) // whose refund waits, and fails
	r.arrive()
	refund, err := r.work.Refund(t.Context(), "BACK-1", intram.RefundParams{TransactionReference: record.TransactionReference})
	require.NoError(t, err)
	require.NoError(t, r.work.Send(t.Context(), refund.ID))
	r.arrive()
	r.pass(time.Minute)
	r.arrive()
	assert.Equal(t, []string{"queued_for_settlement", "returned"}, r.books("BACK-1"))
	assert.Equal(t, []string{"completed"}, r.books("ORDER-1"))

	failed, err := r.work.PaymentRequest(t.Context(), "ORDER-2", intram.PaymentRequestParams{
		Invoice:       intram.Invoice{Amount: intram.NewAmount(5000), Currency: intram.XOF},
		PaymentMethod: intram.PaymentMethod{Code: "NOBODY_BENIN_229"},
	})
	require.NoError(t, err)
	require.NoError(t, r.work.Send(t.Context(), failed.ID))
	r.arrive()
	assert.Equal(t, []string{"failed"}, r.books("ORDER-2"))
}

// The reconciler stores what no delivery has brought, once, and the job does the rest.
func TestWhatNoDeliveryBroughtIsReconciled(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	before := r.acceptedPayout("PO-before", payout("", "000000"))
	r.pass(time.Minute)
	_, err := r.work.Reconcile(t.Context())
	require.NoError(t, err)
	assert.Zero(t, r.count("SELECT count(*) FROM intram_events"), "what was before the first run was another receiver's")
	r.pass(time.Minute)
	var ids []string
	for i := range 3 {
		ids = append(ids, r.acceptedPayout(fmt.Sprint("PO-", i), payout("", "000000")))
	}
	r.pass(time.Minute)
	require.Equal(t, 200, r.deliver(told(intram.EventPayoutCompleted, ids[0], mobileData)))
	result, err := r.work.Reconcile(t.Context())
	require.NoError(t, err)
	assert.Equal(t, 2, result.Missing)
	assert.Equal(t, 1, result.Known)
	r.settle()
	want := []string{"payout.completed " + ids[0], "payout.completed " + ids[1], "payout.completed " + ids[2]}
	slices.Sort(want)
	assert.Equal(t, want, r.effects())
	assert.Equal(t, []string{"completed"}, r.books("PO-2"), "its record has ended with it")
	assert.NotContains(t, r.effects(), "payout.completed "+before)
	assert.Equal(t, 200, r.deliver(told(intram.EventPayoutCompleted, ids[1], mobileData)), "it arrives after all")
	again, err := r.machine(r.withEvents).Reconcile(t.Context())
	require.NoError(t, err)
	assert.Zero(t, again.Missing)
	r.settle()
	assert.Len(t, r.effects(), 3)
	_, event, err := r.work.Event(t.Context(), int64(r.count("SELECT id FROM intram_events WHERE source = 'reconciler' LIMIT 1")))
	require.NoError(t, err)
	assert.Empty(t, event.Raw)
	assert.NotNil(t, event.Data)
}

// countdown kills its machine at the third page of operations.
type countdown struct {
	http.RoundTripper
	pages *atomic.Int64
	kill  func()
}

func (c countdown) RoundTrip(req *http.Request) (*http.Response, error) {
	if strings.HasSuffix(req.URL.Path, "/operations") && c.pages.Add(1) == 3 {
		c.kill()
	}
	return c.RoundTripper.RoundTrip(req)
}

// A reconciler that is killed is continued by another machine.
func TestAReconcilerThatWasKilledIsContinued(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	_, err := r.work.Reconcile(t.Context())
	require.NoError(t, err)
	client := r.server.Client()
	for i := range 350 {
		_, err := client.Payouts.Create(t.Context(), intram.PayoutParams{
			Amount: intram.NewAmount(100), Reference: fmt.Sprint("P-", i), Destination: intram.MobileMoney{ProviderCode: intram.MTNBenin, MSISDN: "2290161000000"},
		})
		require.NoError(t, err)
		r.server.Advance(100 * time.Millisecond)
	}
	r.pass(time.Minute)
	ctx, kill := context.WithCancel(t.Context())
	dying := r.machine(r.withEvents, intram.WithHTTPClient(&http.Client{Transport: countdown{r.server.Transport(), new(atomic.Int64), kill}}))
	_, err = dying.Reconcile(ctx)
	require.ErrorIs(t, err, context.Canceled)
	stored := r.count("SELECT count(*) FROM intram_events")
	assert.Positive(t, stored)
	assert.Less(t, stored, 350)
	assert.Equal(t, 1, r.count("SELECT count(*) FROM intram_reconciliations WHERE cursor IS NOT NULL"))
	result, err := r.machine(r.withEvents).Reconcile(t.Context())
	require.NoError(t, err)
	assert.True(t, result.Resumed)
	assert.Equal(t, 350, r.count("SELECT count(*) FROM intram_events"))
	assert.Zero(t, r.count("SELECT count(*) FROM intram_reconciliations WHERE cursor IS NOT NULL"))
}

// What has not ended is kept in view, by merchant.
func TestWhatHasNotEndedIsKeptInView(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, intramtest.WithWorker(intramtest.ByHand()))
	_, err := r.work.Reconcile(t.Context())
	require.NoError(t, err)
	r.pass(time.Second)
	id := r.acceptedPayout("PO-1", payout("", "000000"))
	result, err := r.work.Reconcile(t.Context())
	require.NoError(t, err)
	assert.Equal(t, 1, result.Pending)
	r.pass(72 * time.Hour)
	_, err = r.work.Reconcile(t.Context())
	require.NoError(t, err)
	require.NoError(t, r.server.Process(id))
	require.NoError(t, r.server.Complete(id))
	result, err = r.machine(r.withEvents).Reconcile(t.Context())
	require.NoError(t, err)
	assert.Equal(t, 1, result.Missing)
	assert.Zero(t, result.Pending)
	r.settle()
	assert.Equal(t, []string{"payout.completed " + id}, r.effects())
}

// What the reconciler cannot read may hide an event: it is logged, without personal data,
// also when the run fails later.
func TestWhatCannotBeReconciledIsLogged(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	_, err := r.work.Reconcile(t.Context())
	require.NoError(t, err)
	r.pass(time.Second)
	id := r.acceptedPayout("PO-1", payout("", "000000"))
	r.pass(time.Minute)
	odd := r.machine(r.withEvents, intram.WithHTTPClient(&http.Client{Transport: oddStatus{r.server.Transport()}}))
	result, err := odd.Reconcile(t.Context())
	require.NoError(t, err)
	assert.Len(t, result.Failures, 1)
	assert.Contains(t, r.log.String(), "could not store what may be an event")
	assert.Contains(t, r.log.String(), id)
	assert.NotContains(t, r.log.String(), "2290161000000")
	assert.Zero(t, r.count("SELECT count(*) FROM intram_events"))
}

// oddStatus shows a status that the SDK does not know.
type oddStatus struct{ http.RoundTripper }

func (o oddStatus) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := o.RoundTripper.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body = io.NopCloser(bytes.NewReader(bytes.ReplaceAll(body, []byte(`"succeeded"`), []byte(`"reversed"`))))
	resp.ContentLength = -1
	return resp, err
}

func TestTheReconcilerIsOnePeriodicJobForAllMachines(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	inserter, err := river.NewClient(riverpgxv5.New(r.pool), &river.Config{})
	require.NoError(t, err)
	args, opts := r.work.ReconcileJob()
	for range 3 {
		_, err := inserter.Insert(t.Context(), args, opts)
		require.NoError(t, err)
	}
	assert.Equal(t, 1, r.count("SELECT count(*) FROM river_job WHERE kind = 'intram_reconcile'"))
	assert.Len(t, r.work.PeriodicJobs(), 2)
	client := r.works(r.work)
	ended, unsubscribe := client.Subscribe(river.EventKindJobCompleted)
	defer unsubscribe()
	for r.count("SELECT count(*) FROM intram_reconciliations WHERE finished_at IS NOT NULL") == 0 {
		select {
		case <-ended:
		case <-t.Context().Done():
			t.Fatal("it does not run")
		}
	}
}

func TestEventsGoThroughASchemaOfTheirOwn(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	schema := "own_" + strings.ReplaceAll(fmt.Sprint(r.count("SELECT pg_backend_pid()")), "-", "_")
	require.NoError(t, intramriver.Migrate(t.Context(), r.pool, schema))
	t.Cleanup(func() { _, _ = r.pool.Exec(context.WithoutCancel(t.Context()), "DROP SCHEMA "+schema+" CASCADE") })
	r.work = r.machine(func(c *intramriver.Config) {
		r.withEvents(c)
		c.Schema = schema
	})
	r.work.SetNow("clock_timestamp()", schema)
	assert.Equal(t, 200, r.deliverTo(r.work.Handler(r.verifier(webhookSecret)), webhookSecret, told(intram.EventPayoutCompleted, "op_1", mobileData)).Code)
	r.settle()
	assert.Len(t, r.effects(), 1)
	_, err := r.work.Reconcile(t.Context())
	require.NoError(t, err)
	assert.Zero(t, r.count("SELECT count(*) FROM intram_events"))
	assert.Equal(t, 1, r.count("SELECT count(*) FROM "+schema+".intram_events"))
}

func TestTheTablesOfEventsComeAndGo(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	require.Equal(t, 200, r.deliver(told(intram.EventPayoutCompleted, "op_1", mobileData)))
	require.NoError(t, intramriver.MigrateTo(t.Context(), r.pool, "", 1))
	assert.Zero(t, r.count("SELECT count(*) FROM pg_tables WHERE schemaname = current_schema() AND tablename IN ('intram_events', 'intram_pending', 'intram_reconciliations')"))
	r.plan("PO-1", "000000") // records go on without them
	assert.Equal(t, 503, r.deliver(told(intram.EventPayoutCompleted, "op_2", mobileData)))
	require.NoError(t, intramriver.Migrate(t.Context(), r.pool, ""))
	assert.Equal(t, 200, r.deliver(told(intram.EventPayoutCompleted, "op_2", mobileData)))
}

// Calls whose job is gone are listed with the last error, and worked on again.
func TestDeadCallsAreListedAndRetried(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	plain := r.plan("PO-1", "000000")
	cancelled := r.plan("PO-2", "000000")
	_, err := r.pool.Exec(t.Context(), `UPDATE river_job SET state = 'discarded', finalized_at = now(), attempt = 7,
		errors = ARRAY[jsonb_build_object('at', now(), 'attempt', 7, 'error', 'the operator is away', 'trace', '')] WHERE args->>'record' = $1`, fmt.Sprint(cancelled.ID))
	require.NoError(t, err)
	_, err = r.pool.Exec(t.Context(), "DELETE FROM river_job WHERE args->>'record' = $1", fmt.Sprint(plain.ID))
	require.NoError(t, err)
	r.pass(2 * time.Hour)
	_, _, _, _, err = r.work.Sweep(t.Context())
	require.NoError(t, err)

	dead, err := r.work.Dead(t.Context(), intramriver.DeadFilter{})
	require.NoError(t, err)
	require.Len(t, dead, 2)
	assert.Equal(t, "PO-2", dead[0].Record.Reference)
	assert.Equal(t, "the operator is away", dead[0].Error)
	assert.Equal(t, 7, dead[0].Attempts)
	assert.NotZero(t, dead[0].JobID)
	assert.Equal(t, "PO-1", dead[1].Record.Reference)
	assert.NotEmpty(t, dead[1].Error)
	none, err := r.work.Dead(t.Context(), intramriver.DeadFilter{Since: time.Now().Add(24 * time.Hour)})
	require.NoError(t, err)
	assert.Empty(t, none)
	other := r.machine(func(c *intramriver.Config) { c.Merchant = "another" })
	theirs, err := other.Dead(t.Context(), intramriver.DeadFilter{})
	require.NoError(t, err)
	assert.Empty(t, theirs)

	n, err := r.work.Retry(t.Context(), intramriver.DeadFilter{Records: []int64{cancelled.ID}})
	require.NoError(t, err)
	assert.Equal(t, 1, n)
	n, err = r.work.Retry(t.Context(), intramriver.DeadFilter{})
	require.NoError(t, err)
	assert.Equal(t, 1, n)
	assert.Equal(t, 2, r.count("SELECT count(*) FROM river_job WHERE kind = 'intram_send' AND state = 'available'"))
	dead, err = r.work.Dead(t.Context(), intramriver.DeadFilter{})
	require.NoError(t, err)
	assert.Empty(t, dead)
}

// An end whose OnEnd failed each time is a dead job, and is tried again.
func TestADeadEndIsRetried(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	r.onEnd = func(context.Context, pgx.Tx, intramriver.End) error { return errors.New("no table") }
	r.acceptedPayout("PO-1", payout("", "000000"))
	r.pass(time.Minute)
	_, _, failed, _, err := r.work.Sweep(t.Context())
	require.NoError(t, err)
	require.Equal(t, 1, failed)
	_, err = r.pool.Exec(t.Context(), "UPDATE river_job SET state = 'discarded', finalized_at = now() WHERE kind = 'intram_end'")
	require.NoError(t, err)
	dead, err := r.work.Dead(t.Context(), intramriver.DeadFilter{})
	require.NoError(t, err)
	require.Len(t, dead, 1)
	assert.Equal(t, "PO-1", dead[0].Record.Reference)
	n, err := r.work.Retry(t.Context(), intramriver.DeadFilter{})
	require.NoError(t, err)
	assert.Equal(t, 1, n)
	assert.Equal(t, 1, r.count("SELECT count(*) FROM river_job WHERE kind = 'intram_end' AND state = 'available'"))
	// Of a record that ended otherwise, there is nothing dead.
	r.onEnd = nil
	_, err = r.pool.Exec(t.Context(), "UPDATE river_job SET state = 'discarded', finalized_at = now() WHERE kind = 'intram_end'")
	require.NoError(t, err)
	op, err := r.server.Client().Operations.Get(t.Context(), r.record("PO-1").OperationID)
	require.NoError(t, err)
	_, err = r.work.EndOperation(t.Context(), op)
	require.NoError(t, err)
	dead, err = r.work.Dead(t.Context(), intramriver.DeadFilter{})
	require.NoError(t, err)
	assert.Empty(t, dead)
}
