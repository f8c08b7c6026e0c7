package intramriver_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
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

// start starts a River client of the merchant's, as a machine has one.
func (s *shop) start(works ...*intramriver.Work) *river.Client[pgx.Tx] {
	s.t.Helper()
	workers := river.NewWorkers()
	require.NoError(s.t, intramriver.Register(workers, works...))
	config := &river.Config{
		Workers: workers, Queues: works[0].Queues(4), Logger: slog.New(slog.DiscardHandler),
		FetchCooldown: 10 * time.Millisecond, FetchPollInterval: 50 * time.Millisecond, TestOnly: true,
	}
	for _, w := range works {
		config.PeriodicJobs = append(config.PeriodicJobs, w.PeriodicJobs()...)
	}
	client, err := river.NewClient(riverpgxv5.New(s.pool), config)
	require.NoError(s.t, err)
	require.NoError(s.t, client.Start(context.WithoutCancel(s.t.Context())))
	s.t.Cleanup(func() { assert.NoError(s.t, client.StopAndCancel(context.WithoutCancel(s.t.Context()))) })
	return client
}

// jobsUntil runs the jobs of River clients until so many of a kind are completed. One
// that failed or was snoozed runs again at once, as if its time had come.
func (s *shop) jobsUntil(kind string, n int, clients ...*river.Client[pgx.Tx]) {
	s.t.Helper()
	all := make(chan *river.Event)
	ctx, cancel := context.WithCancel(s.t.Context())
	defer cancel()
	for _, client := range clients {
		some, unsubscribe := client.SubscribeConfig(&river.SubscribeConfig{
			Kinds: []river.EventKind{river.EventKindJobCompleted, river.EventKindJobFailed, river.EventKindJobSnoozed}, ChanSize: 1000,
		})
		defer unsubscribe() //nolint:revive // all of them, at the end
		go func() {
			for {
				select {
				case e := <-some:
					select {
					case all <- e:
					case <-ctx.Done():
						return
					}
				case <-ctx.Done():
					return
				}
			}
		}()
	}
	// What happened before the subscription.
	waiting, err := clients[0].JobList(ctx, river.NewJobListParams().Kinds(kind).States(rivertype.JobStateRetryable, rivertype.JobStateScheduled).First(1000))
	require.NoError(s.t, err)
	for _, job := range waiting.Jobs {
		_, err := clients[0].JobRetry(ctx, job.ID)
		require.NoError(s.t, err)
	}
	for s.count("SELECT count(*) FROM river_job WHERE state = 'completed' AND kind = '"+kind+"'") < n {
		e := <-all
		if e != nil && e.Job != nil && e.Job.State != rivertype.JobStateCompleted {
			_, err := clients[0].JobRetry(ctx, e.Job.ID)
			require.NoError(s.t, err)
		}
	}
}

func TestTwoMachinesWithRiverPayEachOnce(t *testing.T) {
	t.Parallel()
	s := newShop(t, rich)
	first, second := s.start(s.work), s.start(s.machine(nil))
	require.NoError(t, s.server.SeededFaults(7,
		intramtest.FaultRate{Fault: intramtest.Fault{Kind: intramtest.ServerError, On: "POST", Executed: true, Times: 2}, PerThousand: 200},
		intramtest.FaultRate{Fault: intramtest.Fault{Kind: intramtest.Truncate, On: "POST", Times: 2}, PerThousand: 200},
		intramtest.FaultRate{Fault: intramtest.Fault{Kind: intramtest.Unavailable, On: "POST", Times: 2}, PerThousand: 100},
	))
	const n = 30
	for i := range n {
		s.plan(fmt.Sprintf("PO-%d", i), "000000")
	}
	s.jobsUntil(intramriver.SendKind, n, first, second)
	assert.NotEmpty(t, s.server.Fired())
	for i := range n {
		assert.Equal(t, intramriver.Accepted, s.state(fmt.Sprintf("PO-%d", i)))
		assert.Equal(t, 1, s.moved(fmt.Sprintf("PO-%d", i)))
	}
	// One sweep for both machines, which River starts.
	s.pass(time.Minute)
	_, err := first.Insert(t.Context(), intramriver.SweepArgs(s.work), nil)
	require.NoError(t, err)
	for s.count("SELECT count(*) FROM intram_records WHERE state = 'accepted'") > 0 {
		s.jobsUntil(intramriver.SweepKind, 1+s.count("SELECT count(*) FROM river_job WHERE state = 'completed' AND kind = 'intram_sweep'"), first, second)
	}
	assert.Equal(t, n, s.count("SELECT count(DISTINCT reference) FROM books WHERE state = 'completed'"))
	assert.Equal(t, n, s.count("SELECT count(*) FROM books"))
}

// refusing is a transport that takes the key away while it refuses.
type refusing struct {
	http.RoundTripper

	refuse atomic.Bool
}

func (r *refusing) RoundTrip(req *http.Request) (*http.Response, error) {
	if r.refuse.Load() {
		req = req.Clone(req.Context())
		req.Header.Set("X-Api-Key", "pk_sandbox_nobody")
	}
	return r.RoundTripper.RoundTrip(req)
}

func TestRefusedKeysPauseTheQueueOnce(t *testing.T) {
	t.Parallel()
	s := newShop(t, rich)
	door := &refusing{RoundTripper: s.server.HTTPClient().Transport}
	if door.RoundTripper == nil {
		door.RoundTripper = http.DefaultTransport
	}
	door.refuse.Store(true)
	machines := []*intramriver.Work{
		s.machine(nil, intram.WithHTTPClient(&http.Client{Transport: door})), s.machine(nil, intram.WithHTTPClient(&http.Client{Transport: door})),
	}
	const n = 60
	first, second := s.start(machines[0]), s.start(machines[1])
	var paused []<-chan *river.Event
	for _, client := range []*river.Client[pgx.Tx]{first, second} {
		c, unsubscribe := client.Subscribe(river.EventKindQueuePaused)
		defer unsubscribe() //nolint:revive // at the end of the test
		paused = append(paused, c)
	}
	for i := range n {
		s.plan(fmt.Sprintf("PO-%d", i), "000000")
	}
	for i, client := range []*river.Client[pgx.Tx]{first, second} {
		<-paused[i]
		require.NoError(t, client.Stop(t.Context())) // what runs ends
	}
	h, err := s.work.Health(t.Context())
	require.NoError(t, err)
	require.NotNil(t, h.Paused)
	assert.Equal(t, intram.CodeInvalidAPIKey, h.Paused.Code)
	assert.Equal(t, "intram", h.Paused.Queue)
	assert.Equal(t, 1, strings.Count(s.log.String(), "the queue is paused"), "said once")
	assert.Zero(t, s.count("SELECT count(*) FROM intram_records WHERE state NOT IN ('planned', 'sending')"))
	assert.Zero(t, s.count("SELECT count(*) FROM river_job WHERE kind = 'intram_send' AND cardinality(errors) > 0"), "no job has failed")

	door.refuse.Store(false)
	require.NoError(t, s.work.ResumeQueue(t.Context()))
	s.jobsUntil(intramriver.SendKind, n, s.start(machines[0]))
	h, err = s.work.Health(t.Context())
	require.NoError(t, err)
	assert.Nil(t, h.Paused)
	assert.Equal(t, n, s.count("SELECT count(*) FROM intram_records WHERE state = 'accepted'"))
}

// A new machine has the wrong keys: that is no reason to stop the others.
func TestOneMachinesKeysStopNoOther(t *testing.T) {
	t.Parallel()
	s := newShop(t, intramtest.WithWorker(intramtest.ByHand()))
	door := &refusing{RoundTripper: http.DefaultTransport}
	door.refuse.Store(true)
	wrong := s.machine(nil, intram.WithHTTPClient(&http.Client{Transport: door}))
	require.NoError(t, s.work.Send(t.Context(), s.plan("PO-1", "000000").ID))
	r := s.plan("PO-2", "000000")
	err := wrong.Send(t.Context(), r.ID)
	_, snooze, ok := intramriver.WaitOf(err)
	require.True(t, ok, "%v", err)
	assert.True(t, snooze)
	assert.Zero(t, s.count("SELECT count(*) FROM intram_pauses"))
	assert.Contains(t, s.log.String(), "refuses this process's calls")
	require.NoError(t, s.work.Send(t.Context(), r.ID))
	assert.Equal(t, intramriver.Accepted, s.state("PO-2"))
}

func TestSeveralMerchantsShareOneRiverClient(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	merchant, err := s.server.AddMerchant("another")
	require.NoError(t, err)
	theirs, err := merchant.NewClient()
	require.NoError(t, err)
	another, err := intramriver.New(theirs, intramriver.Config{Pool: s.pool, Merchant: "another"})
	require.NoError(t, err)
	a := s.plan("PO-1", "000000")
	b, err := another.Payout(t.Context(), payout("PO-1", "000000"))
	require.NoError(t, err)
	stranger := s.machine(func(c *intramriver.Config) { c.Merchant = "not registered" })
	waits, err := stranger.Payout(t.Context(), payout("PO-1", "000000"))
	require.NoError(t, err)
	workers := river.NewWorkers()
	require.NoError(t, s.work.Register(workers))
	require.ErrorContains(t, another.Register(workers), "register all merchants")
	require.ErrorContains(t, intramriver.Register(river.NewWorkers(), s.work, s.work), "two works")
	require.ErrorContains(t, intramriver.Register(river.NewWorkers()), "no work")
	require.ErrorContains(t, intramriver.Register(nil, s.work), "workers are nil")
	require.ErrorContains(t, intramriver.Register(river.NewWorkers(), nil), "a work is nil")

	s.jobsUntil(intramriver.SendKind, 2, s.start(s.work, another))
	assert.Equal(t, 2, s.count(fmt.Sprintf("SELECT count(*) FROM intram_records WHERE state IN ('accepted', 'completed') AND id IN (%d, %d)", a.ID, b.ID)))
	assert.Equal(t, 2, s.count("SELECT count(DISTINCT operation_id) FROM intram_records"))
	got, err := stranger.Record(t.Context(), intramriver.Payout, "PO-1")
	require.NoError(t, err)
	assert.Equal(t, intramriver.Planned, got.State)
	assert.Equal(t, waits.ID, got.ID)
	assert.Zero(t, s.count("SELECT count(*) FROM river_job WHERE state = 'discarded'"))
}

func TestNewNamesWhatIsWrong(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	client := s.server.Client()
	for says, config := range map[string]intramriver.Config{
		"Config.Pool":        {},
		"Config.Merchant":    {Pool: s.pool, Merchant: strings.Repeat("m", 101)},
		"Config.Schema":      {Pool: s.pool, Schema: "a b"},
		"Config.RiverSchema": {Pool: s.pool, RiverSchema: "a b"},
		"Config.Queue":       {Pool: s.pool, Queue: "Not a queue"},
	} {
		_, err := intramriver.New(client, config)
		require.ErrorContains(t, err, says)
	}
	_, err := intramriver.New(nil, intramriver.Config{Pool: s.pool})
	require.ErrorContains(t, err, "client is nil")
}
