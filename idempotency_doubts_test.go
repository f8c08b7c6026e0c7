package intram_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/intramtest"
)

const ownKey = "payout-PO-2026-0001"

// A caller whose call is in doubt calls again with the same key. What the second call is
// told does not settle what the first may have done, unless it is a response to the key.
func TestADoubtOutlivesItsCall(t *testing.T) {
	t.Parallel()
	const page = "<html>not found</html>"
	replay := []string{"Idempotent-Replay", "true"}
	four := func(s step) []step { return []step{s, s, s, s} }
	refusal := func(code string) string { return fmt.Sprintf(`{"error":true,"code":%q,"message":"no"}`, code) }
	for name, tt := range map[string]struct {
		steps   []step
		outcome intram.Outcome // of the second call, empty for success
		third   intram.Outcome // of a third one whose connection is refused
	}{
		"never connected":             {four(refused), intram.OutcomeUnknown, intram.OutcomeUnknown},
		"a wrong key":                 {[]step{answer(401, refusal("invalid_api_key"))}, intram.OutcomeUnknown, intram.OutcomeUnknown},
		"an address not allowed":      {[]step{answer(403, refusal("ip_not_allowed"))}, intram.OutcomeUnknown, intram.OutcomeUnknown},
		"limited":                     {four(answer(429, "{}")), intram.OutcomeUnknown, intram.OutcomeUnknown},
		"a proxy's page":              {[]step{answer(404, page)}, intram.OutcomeUnknown, intram.OutcomeUnknown},
		"a proxy that wants a login":  {[]step{answer(407, page)}, intram.OutcomeUnknown, intram.OutcomeUnknown},
		"a refusal that is not kept":  {[]step{answer(400, refusal("validation_error"))}, intram.OutcomeUnknown, intram.OutcomeUnknown},
		"a conflict":                  {[]step{answer(409, refusal("idempotency_conflict"))}, intram.OutcomeUnknown, intram.OutcomeUnknown},
		"a redirect":                  {[]step{answer(302, "", "Location", "/x")}, intram.OutcomeUnknown, intram.OutcomeUnknown},
		"the kept 500":                {[]step{answer(500, refusal("internal_error"), replay...)}, intram.OutcomeUnknown, intram.OutcomeUnknown},
		"a success that says nothing": {[]step{answer(202, "{}")}, intram.OutcomeUnknown, intram.OutcomeUnknown},
		"asked to come back tomorrow": {[]step{answer(503, "{}", "Retry-After", "86400")}, intram.OutcomeUnknown, intram.OutcomeUnknown},
		"limited until tomorrow":      {[]step{answer(429, "{}", "Retry-After", "86400")}, intram.OutcomeUnknown, intram.OutcomeUnknown},
		"the kept refusal":            {[]step{answer(400, refusal("validation_error"), replay...)}, intram.OutcomeRejected, intram.OutcomeNotSent},
		"the kept acceptance":         {[]step{answer(202, accepted, replay...)}, "", intram.OutcomeNotSent},
		"accepted now":                {[]step{answer(202, accepted)}, "", intram.OutcomeNotSent},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, s := scripted(t, lost)
			create := func(ctx context.Context, opts ...intram.CallOption) intram.Outcome {
				_, err := client.Payouts.Create(ctx, mobilePayout(), append(opts, intram.WithIdempotencyKey(ownKey))...)
				return intram.OutcomeOf(err)
			}
			require.Equal(t, intram.OutcomeUnknown, create(t.Context(), intram.WithMaxAttempts(1)))

			s.steps = tt.steps
			assert.Equal(t, tt.outcome, create(t.Context()), "with the same key")
			assert.Empty(t, s.steps)

			s.steps = []step{refused}
			assert.Equal(t, tt.third, create(t.Context(), intram.WithMaxAttempts(1)), "once more")
			s.steps = []step{refused}
			_, err := client.Payouts.Create(t.Context(), mobilePayout(), intram.WithMaxAttempts(1))
			assert.Equal(t, intram.OutcomeNotSent, intram.OutcomeOf(err), "another key is another matter")
		})
	}
}

func TestADoubtOutlivesACallThatIsNotSent(t *testing.T) {
	t.Parallel()
	client, s := scripted(t, lost)
	_, err := client.Payouts.Create(t.Context(), mobilePayout(), intram.WithIdempotencyKey(ownKey), intram.WithMaxAttempts(1))
	require.Equal(t, intram.OutcomeUnknown, intram.OutcomeOf(err))

	_, err = client.Payouts.Create(t.Context(), intram.PayoutParams{}, intram.WithIdempotencyKey(ownKey))
	require.ErrorIs(t, err, intram.CodeValidationError)
	assert.Equal(t, intram.OutcomeUnknown, intram.OutcomeOf(err), "the parameters are wrong now; the first ones were not")
	assert.ErrorContains(t, err, "it may have been executed")

	ended, end := context.WithCancel(t.Context())
	end()
	_, err = client.Payouts.Create(ended, mobilePayout(), intram.WithIdempotencyKey(ownKey))
	require.ErrorIs(t, err, context.Canceled)
	assert.Equal(t, intram.OutcomeUnknown, intram.OutcomeOf(err))
	assert.Len(t, s.requests(), 1)
}

// The sequence that doubts are for: an outage goes on, and the caller tries again as
// documented.
func TestAnOutageThatGoesOnPaysOnce(t *testing.T) {
	t.Parallel()
	server := intramtest.NewServer(t, intramtest.WithoutListener())
	client := server.Client()
	fault := func(f intramtest.Fault) {
		f.On, f.Times = "POST /payouts", 4
		require.NoError(t, server.Fault(f))
	}
	payAgain := func(key string) (string, error) {
		op, err := client.Payouts.Create(t.Context(), intentParams(), intram.WithIdempotencyKey(key))
		// What a careful caller does: a new key only when nothing can have moved.
		if outcome := intram.OutcomeOf(err); outcome == intram.OutcomeRejected || outcome == intram.OutcomeNotSent {
			return key + "-new", err
		}
		if err != nil {
			return key, err
		}
		require.NotEmpty(t, op.ID)
		return key, nil
	}
	fault(intramtest.Fault{Kind: intramtest.DropResponse}) // it is executed
	key, err := payAgain(ownKey)
	require.Error(t, err)
	fault(intramtest.Fault{Kind: intramtest.Refuse}) // and then nothing is there
	key, err = payAgain(key)
	require.Error(t, err)
	fault(intramtest.Fault{Kind: intramtest.Unavailable, Status: http.StatusTooManyRequests}) // or too many are
	key, err = payAgain(key)
	require.Error(t, err)
	key, err = payAgain(key)
	require.NoError(t, err)
	assert.Equal(t, ownKey, key)
	server.Advance(time.Minute)
	wallet := server.WalletAccount(intram.Sandbox, intram.MTNBenin)
	assert.Equal(t, int64(975000), server.Ledger().Balance(wallet), "paid once")
}

func TestAKeyInDoubtIsNotSentOnceItMayBeForgotten(t *testing.T) {
	t.Parallel()
	server := intramtest.NewServer(t, intramtest.WithoutListener())
	client := server.Client()
	require.NoError(t, server.Fault(intramtest.Fault{Kind: intramtest.DropResponse, On: "POST /payouts", Times: 8}))
	create := func() error {
		_, err := client.Payouts.Create(t.Context(), intentParams(), intram.WithIdempotencyKey(ownKey))
		return err
	}
	first := server.Now()
	require.Equal(t, intram.OutcomeUnknown, intram.OutcomeOf(create()))
	server.Advance(20 * time.Hour)
	require.Equal(t, intram.OutcomeUnknown, intram.OutcomeOf(create()), "a later call does not make the key younger")

	// An intent that is made of it is as old as the key.
	intent, err := client.Payouts.Prepare(intentParams(), intram.WithIdempotencyKey(ownKey))
	require.NoError(t, err)
	assert.Equal(t, first, intent.FirstSentAt)
	server.Advance(3*time.Hour + time.Minute)
	sent := payoutPosts(server)
	for name, err := range map[string]error{
		"the key": create(),
		"the intent": func() error {
			_, err := server.Client().Payouts.Create(t.Context(), intentParams(), intram.WithIntent(intent))
			return err
		}(),
	} {
		require.ErrorIs(t, err, intram.ErrIntentExpired, name)
		assert.Equal(t, intram.OutcomeUnknown, intram.OutcomeOf(err), name)
	}
	assert.Equal(t, sent, payoutPosts(server), "nothing was sent")

	// A key that got its response is not held back: what it does is the API's to say.
	op, err := client.Payouts.Create(t.Context(), intentParams(), intram.WithIdempotencyKey("another-key"))
	require.NoError(t, err)
	server.Advance(23*time.Hour + time.Minute)
	again, err := client.Payouts.Create(t.Context(), intentParams(), intram.WithIdempotencyKey("another-key"))
	require.NoError(t, err)
	assert.Equal(t, op.ID, again.ID)
}

func TestAConflictSaysThatAnotherCallMayHaveBeenExecuted(t *testing.T) {
	t.Parallel()
	server := intramtest.NewServer(t, intramtest.WithoutListener())
	_, err := server.Client().Payouts.Create(t.Context(), intentParams(), intram.WithIdempotencyKey(ownKey))
	require.NoError(t, err)
	other := intentParams()
	other.Note = "written anew after a crash"
	_, err = server.Client().Payouts.Create(t.Context(), other, intram.WithIdempotencyKey(ownKey)) // another client: it remembers nothing
	require.ErrorIs(t, err, intram.CodeIdempotencyConflict)
	assert.Equal(t, intram.OutcomeUnknown, intram.OutcomeOf(err), "the other request was executed")
	assert.ErrorContains(t, err, "another request with this key was taken before, with other parameters, and may have been executed")
}

func TestTheLastTenThousandDoubtsAreKept(t *testing.T) {
	t.Parallel()
	clock := &tickingClock{now: time.Date(2026, 5, 20, 10, 30, 0, 0, time.UTC)}
	next := step(lost)
	client := newClient(t, roundTripFunc(func(req *http.Request) (*http.Response, error) { return next(req) }),
		intram.WithClock(clock), intram.WithMaxAttempts(1))
	create := func(n int) intram.Outcome {
		_, err := client.Payouts.Create(t.Context(), mobilePayout(), intram.WithIdempotencyKey(fmt.Sprintf("payout-%06d", n)))
		return intram.OutcomeOf(err)
	}
	for n := range intram.MaxDoubts + 2 {
		require.Equal(t, intram.OutcomeUnknown, create(n))
	}
	next = refused
	assert.Equal(t, intram.OutcomeNotSent, create(0), "the oldest are forgotten")
	assert.Equal(t, intram.OutcomeNotSent, create(1))
	for _, n := range []int{2, 3, intram.MaxDoubts, intram.MaxDoubts + 1} {
		assert.Equal(t, intram.OutcomeUnknown, create(n))
	}
}

// A call that began before the doubt arose knows nothing of it: a limit that it meets
// says nothing of the lost call.
func TestADoubtOutlivesACallThatOverlapsIt(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		ends    step
		outcome intram.Outcome // of the call that overlaps, and of one afterwards whose connection is refused
		after   intram.Outcome
	}{
		"limited":           {answer(429, "{}"), intram.OutcomeUnknown, intram.OutcomeUnknown},
		"refused":           {answer(400, `{"error":true,"code":"validation_error"}`), intram.OutcomeUnknown, intram.OutcomeUnknown},
		"never connected":   {refused, intram.OutcomeUnknown, intram.OutcomeUnknown},
		"a firewall's page": {answer(403, "<html>"), intram.OutcomeUnknown, intram.OutcomeUnknown},
		"the kept refusal": {
			answer(400, `{"error":true,"code":"validation_error"}`, "Idempotent-Replay", "true"), intram.OutcomeRejected, intram.OutcomeNotSent,
		},
		"accepted": {answer(202, accepted), "", intram.OutcomeNotSent},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			began, release := make(chan struct{}), make(chan struct{})
			held := func(req *http.Request) (*http.Response, error) {
				close(began)
				<-release
				return tt.ends(req)
			}
			client, _ := scripted(t, held, lost, refused)
			create := func() error {
				_, err := client.Payouts.Create(context.Background(), mobilePayout(), intram.WithIdempotencyKey(ownKey), intram.WithMaxAttempts(1))
				return err
			}
			overlapping := make(chan error, 1)
			go func() { overlapping <- create() }()
			<-began
			require.Equal(t, intram.OutcomeUnknown, intram.OutcomeOf(create()), "the lost call")
			close(release)
			assert.Equal(t, tt.outcome, intram.OutcomeOf(<-overlapping), "the call that overlaps it")
			assert.Equal(t, tt.after, intram.OutcomeOf(create()), "one that is not connected, afterwards")
		})
	}
}

// Whatever order they end in, the call that was sent first says how old a key is.
func TestADoubtIsAsOldAsItsFirstCall(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 5, 20, 10, 30, 0, 0, time.UTC)
	for _, order := range [][]time.Duration{{0, time.Hour}, {time.Hour, 0}} {
		doubts := intram.NewDoubts()
		for _, d := range order {
			doubts.Note("payout-0001", at.Add(d))
		}
		first, inDoubt := doubts.Since("payout-0001")
		assert.True(t, inDoubt)
		assert.Equal(t, at, first)
	}
}

// Forgetting the oldest key takes the same time however many there are: it is the front
// of a list. Before, 10,000 keys were searched for each.
func TestDoubtsAreForgottenInTheOrderTheyArose(t *testing.T) {
	t.Parallel()
	doubts := intram.NewDoubts()
	key := func(n int) string { return fmt.Sprintf("payout-%06d", n) }
	at := time.Date(2026, 5, 20, 10, 30, 0, 0, time.UTC)
	for n := range 3 * intram.MaxDoubts {
		doubts.Note(key(n), at)
		assert.LessOrEqual(t, doubts.Len(), intram.MaxDoubts)
	}
	doubts.Settle(key(2*intram.MaxDoubts + 5))
	doubts.Settle("never seen")
	for n := range 3 * intram.MaxDoubts {
		_, inDoubt := doubts.Since(key(n))
		if want := n >= 2*intram.MaxDoubts && n != 2*intram.MaxDoubts+5; want != inDoubt {
			t.Fatalf("key %d: in doubt %v, want %v", n, inDoubt, want)
		}
	}
	assert.Equal(t, intram.MaxDoubts-1, doubts.Len())
}

// BenchmarkDoubtBeyondTheBound is one doubt more than are kept.
func BenchmarkDoubtBeyondTheBound(b *testing.B) {
	doubts := intram.NewDoubts()
	at := time.Date(2026, 5, 20, 10, 30, 0, 0, time.UTC)
	keys := make([]string, 4*intram.MaxDoubts)
	for n := range keys {
		keys[n] = fmt.Sprintf("payout-%06d", n)
		doubts.Note(keys[n], at)
	}
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		doubts.Note(keys[n%len(keys)], at)
	}
}

// tickingClock moves on by a millisecond each time it is read, and never waits.
type tickingClock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *tickingClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(time.Millisecond)
	return c.now
}

func (c *tickingClock) Sleep(ctx context.Context, _ time.Duration) error { return ctx.Err() }

// Two records of one intent: one as Prepare returned it, one as it was read back.
func TestTwoRecordsOfAnIntentAreOneIntent(t *testing.T) {
	t.Parallel()
	client, s := scripted(t, lost, refused)
	intent, err := client.Payouts.Prepare(mobilePayout())
	require.NoError(t, err)
	_, err = client.Payouts.Create(t.Context(), mobilePayout(), intram.WithIntent(afterCrash(t, intent)), intram.WithMaxAttempts(1))
	require.Equal(t, intram.OutcomeUnknown, intram.OutcomeOf(err))
	_, err = client.Payouts.Create(t.Context(), mobilePayout(), intram.WithIntent(intent), intram.WithMaxAttempts(1))
	assert.Equal(t, intram.OutcomeUnknown, intram.OutcomeOf(err))
	assert.Len(t, s.requests(), 2)
}

// A variable that holds a fresh intent may be read into.
func TestIntentThatIsReadOverAFreshOneIsNotFresh(t *testing.T) {
	t.Parallel()
	client, s := scripted(t)
	old, err := client.Payouts.Prepare(mobilePayout())
	require.NoError(t, err)
	saved, err := json.Marshal(old)
	require.NoError(t, err)
	intent, err := client.Payouts.Prepare(mobilePayout())
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(saved, intent))
	assert.Equal(t, old.IdempotencyKey, intent.IdempotencyKey)
	s.steps = []step{refused}
	_, err = client.Payouts.Create(t.Context(), mobilePayout(), intram.WithIntent(intent), intram.WithMaxAttempts(1))
	assert.Equal(t, intram.OutcomeUnknown, intram.OutcomeOf(err))

	require.Error(t, json.Unmarshal([]byte(`{"first_sent_at":"yesterday"}`), intent))
	assert.Equal(t, old.IdempotencyKey, intent.IdempotencyKey, "what cannot be read changes nothing")
}

// A machine without a battery starts in 1970. By its clock, what it left in doubt lies in
// the future, and its age is unknown; its signature would be dated by the
// server's clock, and be good.
func TestIntentFromTheFutureIsNotSent(t *testing.T) {
	t.Parallel()
	made := time.Date(2026, 5, 20, 10, 30, 0, 0, time.UTC)
	at := func(now time.Time) *intram.Client { return newClient(t, sealed{t}, intram.WithClock(fixedClock{now})) }
	intent, err := at(made).Payouts.Prepare(mobilePayout())
	require.NoError(t, err)
	for name, now := range map[string]time.Time{
		"1970": time.Unix(0, 0), "a year too early": made.AddDate(-1, 0, 0), "31 minutes too early": made.Add(-31 * time.Minute),
	} {
		_, err = at(now).Payouts.Create(t.Context(), mobilePayout(), intram.WithIntent(afterCrash(t, intent)))
		require.ErrorIs(t, err, intram.ErrIntentExpired, name)
		assert.Equal(t, intram.OutcomeUnknown, intram.OutcomeOf(err), name)
		assert.ErrorContains(t, err, "clock is wrong", name)
	}
	// Two machines never agree to the second.
	s := &script{t: t, steps: []step{answer(202, accepted)}}
	_, err = newClient(t, s, intram.WithClock(fixedClock{made.Add(-29 * time.Minute)})).Payouts.Create(t.Context(), mobilePayout(), intram.WithIntent(intent))
	require.NoError(t, err)
}

// The monotonic clock of a suspended machine stands still, and its intents would stay
// young.
func TestIntentsAreDatedByTheWall(t *testing.T) {
	t.Parallel()
	client, err := intram.NewClient(publicKey, secretKey)
	require.NoError(t, err)
	intent, err := client.Payouts.Prepare(mobilePayout())
	require.NoError(t, err)
	assert.Equal(t, intent.FirstSentAt.Round(0), intent.FirstSentAt, "it carries no monotonic reading")
	assert.Equal(t, time.UTC, intent.FirstSentAt.Location())
	end, err := intram.NotAfter(t.Context(), client, mobilePayout())
	require.NoError(t, err)
	assert.Equal(t, end.Round(0), end, "nor does the time when a call without one must end")
}
