package mockapi

import (
	"bytes"
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// savedLog is a server's state as a log, with one line more after each step.
type savedLog struct {
	recorder *Recorder
	data     []byte
}

func (l *savedLog) begin(t *testing.T, s *Server) {
	t.Helper()
	l.recorder = s.Record()
	whole, _, err := l.recorder.Whole()
	require.NoError(t, err)
	require.NotContains(t, string(whole), "\n")
	l.data = append(bytes.Clone(whole), '\n')
}

func (l *savedLog) add(t *testing.T) {
	t.Helper()
	changes, _, err := l.recorder.Changes()
	require.NoError(t, err)
	require.NotContains(t, string(changes), "\n")
	l.data = append(append(l.data, changes...), '\n')
}

// assertIsStateOf compares what the log leads to with what the server saves itself. The
// number of its changes is not compared: loading is one.
func (l *savedLog) assertIsStateOf(t *testing.T, s *Server, at string) {
	t.Helper()
	want, _, err := s.Save()
	require.NoError(t, err)
	kept, err := readSaved(l.data)
	require.NoError(t, err, at)
	got, err := json.Marshal(kept)
	require.NoError(t, err)
	is, was := decodedState(t, got), decodedState(t, want)
	for part := range was {
		if part == "subscriptions" || part == "events" { // the log's tables have more in them, and in another order
			assert.Subset(t, is[part], was[part], "%s, %s", at, part)
			continue
		}
		assert.Equal(t, withoutIndices(was[part]), withoutIndices(is[part]), "%s, %s", at, part)
	}
	assert.Len(t, is, len(was), at)
}

// Every step of the story is in the log, wherever in the story the log begins.
func TestALogOfChangesIsTheState(t *testing.T) {
	t.Parallel()
	for begin := 0; begin < len(storySteps); begin += 6 {
		t.Run(storySteps[begin].name, func(t *testing.T) {
			t.Parallel()
			h := &savedStory{f: newFixture(t, Config{Seed: 11, Start: start})}
			h.receiver = h.f.s.Receive(http.HandlerFunc(h.receive))
			var log savedLog
			for i, step := range storySteps {
				if i == begin {
					log.begin(t, h.f.s)
				}
				step.do(h)
				h.f.idle()
				if i >= begin {
					log.add(t)
					log.assertIsStateOf(t, h.f.s, step.name)
				}
			}
		})
	}
}

// Each way in which something changes by itself, in a record of its own: a delivery that
// is recorded while its receiver has the floor, and one that waits in its lane meanwhile.
func TestEachChangeAloneIsInTheLog(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{Seed: 11, Start: start})
	p := &payinFixture{fixture: f, payin: f.s.Merchant().SandboxPayin}
	var log savedLog
	var during func()
	step := func(name string, do func()) {
		t.Helper()
		do()
		f.idle()
		log.add(t)
		log.assertIsStateOf(t, f.s, name)
	}
	subscription, _ := f.subscribe("*", func(http.ResponseWriter, *http.Request) {
		if during != nil {
			do := during
			during = nil
			do()
		}
	})
	log.begin(t, f.s)

	var id, stuck, open, declined, failing, rejected string
	step("a worker by hand", func() { require.NoError(t, f.s.SetWorker(WorkByHand())) })
	step("queued", func() { id = f.payout(10, "22961234567") })
	step("a poll", func() { f.get("/operations/" + id).ok(200) })
	step("processed", func() { require.NoError(t, f.s.Process(id)) })
	step("completed", func() { require.NoError(t, f.s.Complete(id)) })
	step("a worker in its time", func() { require.NoError(t, f.s.SetWorker(WorkAfter(10*time.Second))) })
	step("queued for its time", func() { f.payout(11, "22961234567") })
	step("its time to start", func() { f.s.Clock().Advance(5 * time.Second) })
	step("its time to end", func() { f.s.Clock().Advance(5 * time.Second) })
	step("a worker of polls", func() { require.NoError(t, f.s.SetWorker(WorkAfterPolls(2))) })
	step("queued for its polls", func() { id = f.payout(12, "22961234567") })
	step("the first poll", func() { f.get("/operations/" + id).ok(200) })
	step("the second poll", func() { f.get("/operations/" + id).ok(200) })
	step("a worker at once", func() { require.NoError(t, f.s.SetWorker(WorkAtOnce())) })
	step("a bank payout", func() { rejected = f.post("/payouts", bankBody(50)).ok(202).text("data.operation_id") })
	step("rejected", func() { require.NoError(t, f.s.Fail(rejected, "provider_rejected")) })

	step("payments", func() {
		_, stuck = f.requestPayment(1000, mtnBenin, "22961000007")
		_, open = f.requestPayment(1000, mtnBenin, "22961234567")
		_, declined = f.requestPayment(1000, mtnBenin, "22961234567")
		_, failing = f.requestPayment(1000, cardCode, "")
	})
	step("one is stuck", func() { require.NoError(t, f.s.Pay(stuck)) })
	step("it is settled by hand", func() { require.NoError(t, f.s.SettlePayment(stuck)) })
	step("one is declined", func() { require.NoError(t, f.s.Decline(declined)) })
	step("one is paid otherwise", func() { require.NoError(t, f.s.PayWith(open, moovBenin, "22994000000")) })
	step("one is announced", func() { require.NoError(t, f.s.Pay(failing)) })
	step("and fails", func() { require.NoError(t, f.s.FailPayment(failing, "provider_error")) })
	var waits string
	step("a payment whose refund waits", func() {
		_, waits = f.requestPayment(900, mtnBenin, "22961000014")
		require.NoError(t, f.s.Pay(waits))
	})
	step("its refund", func() { f.refund(waits, 100) })
	step("ends", func() { f.s.Clock().Advance(lateAnswer) })
	step("a refund that cannot be", func() { f.refund(declined, 0) })
	step("a refund in its time", func() { require.NoError(t, f.s.SetWorker(WorkByHand())); id = f.refund(stuck, 100) })
	step("begins", func() { require.NoError(t, f.s.Process(id)) })
	step("fails", func() { require.NoError(t, f.s.Fail(id, "provider_error")) })
	step("at once again", func() { require.NoError(t, f.s.SetWorker(WorkAtOnce())) })

	sessions := map[string]string{}
	step("payins", func() {
		for reference, number := range map[string]string{
			"declined": "+2250700000000", "expires": "+2250700000000", "by-hand": "+2250700000000", "unanswered": "+2250700000006", "stuck": "+2250700000007",
			"refused": "+2250700000005", "fails": "+2250700000000", "pending": "+2250700000007", "late": "+2250700000008", "late-refused": "+2250700000009",
		} {
			sessions[reference] = p.create(reference, number).ok(200).text("id")
		}
	})
	for _, of := range []string{"unanswered", "stuck", "refused", "pending", "late", "late-refused"} {
		step(of+" is confirmed", func() { require.NoError(t, f.s.ConfirmPayin(sessions[of])) })
	}
	step("declined", func() { require.NoError(t, f.s.DeclinePayin(sessions["declined"])) })
	step("expired", func() { require.NoError(t, f.s.ExpirePayin(sessions["expires"])) })
	step("settled", func() { require.NoError(t, f.s.SettlePayin(sessions["stuck"])) })
	step("failed", func() { require.NoError(t, f.s.FailPayin(sessions["fails"], "transaction_error")) })
	step("failed while pending", func() { require.NoError(t, f.s.FailPayin(sessions["pending"], "transaction_error")) })
	step("time goes by", func() { f.s.Clock().Advance(time.Hour) })
	step("a webhook of payins", func() {
		require.NoError(t, f.s.SetPayinWebhook(p.payin.APIKey, f.s.Receive(http.NotFoundHandler()), "a secret"))
	})
	step("another wallet", func() { require.NoError(t, f.s.TopUp(sandbox, bankCode, 5)) })
	step("a test of the webhook", func() { require.NoError(t, f.s.Ping(subscription)) })

	// While the receiver has the floor, another delivery is queued behind it.
	first, second := f.s.Deliveries()[0].ID, f.s.Deliveries()[1].ID
	step("a delivery under way", func() {
		during = func() {
			log.add(t)
			log.assertIsStateOf(t, f.s, "while it is under way")
			assert.NoError(t, f.s.Resend(second))
			log.add(t)
			log.assertIsStateOf(t, f.s, "while another waits for it")
		}
		require.NoError(t, f.s.Resend(first))
	})
	step("faults", func() {
		require.NoError(t, f.s.AddFault(Fault{Kind: FaultWebhookLate, Delay: time.Minute}))
		require.NoError(t, f.s.SeededFaults(3, FaultRate{Fault{Kind: FaultProxyError, On: "/operations", Times: 2}, 500}))
	})
	step("one delays an event", func() { f.payout(13, "22961234567") })
	step("late, but there", func() { f.s.Clock().Advance(time.Minute) })
	for range 5 {
		step("faults are drawn", func() { f.get("/operations") })
	}
	step("other faults", func() {
		require.NoError(t, f.s.SeededFaults(4, FaultRate{Fault{Kind: FaultProxyError, On: "/operations", Times: 2}, 400}))
	})
	step("the same ones of another seed", func() {
		require.NoError(t, f.s.SeededFaults(5, FaultRate{Fault{Kind: FaultProxyError, On: "/operations", Times: 2}, 400}))
	})
	step("no faults", func() { f.s.ClearFaults() })
}

// A delivery that ended and was forgotten between two records is in neither of them.
func TestALogForgetsTheDeliveriesThatTheServerForgets(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{Seed: 11, JournalSize: 16})
	refuse := true
	subscription, _ := f.subscribe("*", func(w http.ResponseWriter, _ *http.Request) {
		if refuse {
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	require.NoError(t, f.s.Ping(subscription)) // it waits for its next attempt
	f.idle()
	var log savedLog
	log.begin(t, f.s)
	refuse = false
	f.s.Clock().Advance(time.Hour)
	f.idle()
	for range 40 {
		require.NoError(t, f.s.Ping(subscription))
		f.idle()
	}
	log.add(t)
	log.assertIsStateOf(t, f.s, "forgotten")
}

// A story goes on from a log as from a saved state: with a restart before each step.
func TestAStoryGoesOnFromALog(t *testing.T) {
	t.Parallel()
	straight, want := playSaved(t, -1)
	config := Config{Seed: 11, Start: start}
	h := &savedStory{f: newFixture(t, config)}
	h.receiver = h.f.s.Receive(http.HandlerFunc(h.receive))
	for _, step := range storySteps {
		var log savedLog
		log.begin(t, h.f.s)
		step.do(h)
		h.f.idle()
		log.add(t)
		h.f.s.Close()
		s, err := New(config)
		require.NoError(t, err)
		t.Cleanup(s.Close)
		s.Receive(http.HandlerFunc(h.receive))
		require.NoError(t, s.Load(log.data))
		h.f.s, h.f.keys = s, s.Merchant().Sandbox
	}
	assert.Equal(t, straight.draws, h.draws)
	assert.Equal(t, straight.received.Load(), h.received.Load())
	data, _, err := h.f.s.Save()
	require.NoError(t, err)
	for part, was := range want {
		if part != "subscriptions" && part != "events" {
			assert.Equal(t, withoutIndices(was), withoutIndices(decodedState(t, data)[part]), part)
		}
	}
}

// What a call adds to the log does not depend on how much is in it.
func TestAChangeIsAsLongAsTheCallAndNotAsTheHistory(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{Merchant: MerchantConfig{Balances: map[string]map[string]int64{"sandbox": {mtnBenin: 1_000_000_000}}}})
	f.subscribe("*", func(http.ResponseWriter, *http.Request) {})
	recorder := f.s.Record()
	_, _, err := recorder.Whole()
	require.NoError(t, err)
	var early, late int
	for i := range 3000 {
		f.payout(1000, "22961234567")
		f.idle()
		data, _, err := recorder.Changes()
		require.NoError(t, err)
		switch i {
		case 10:
			early = len(data)
		case 2999:
			late = len(data)
		}
		if i > 0 {
			require.Less(t, len(data), 8<<10, "payout %d", i)
		}
	}
	assert.InDelta(t, early, late, 200)
}

func TestATornLineIsLeftOutAndADamagedOneIsNot(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{Seed: 11})
	var log savedLog
	log.begin(t, f.s)
	first := f.payout(1000, "22961234567")
	log.add(t)
	whole := len(log.data)
	second := f.payout(2000, "22961234567")
	log.add(t)
	load := func(data []byte) (*Server, error) {
		s, err := New(Config{Seed: 11})
		require.NoError(t, err)
		t.Cleanup(s.Close)
		return s, s.Load(data)
	}
	for _, cut := range []int{whole, whole + 1, (whole + len(log.data)) / 2, len(log.data) - 2, len(log.data) - 1} {
		s, err := load(log.data[:cut])
		require.NoError(t, err, cut)
		_, known := s.Operation(first)
		assert.True(t, known, cut)
		_, known = s.Operation(second)
		assert.False(t, known, "it was not answered: its line has no end")
	}
	zeros := bytes.Clone(log.data) // as a file system may leave a file that had grown when the power went
	clear(zeros[whole+40 : len(zeros)-1])
	_, err := load(zeros)
	require.NoError(t, err)
	s, err := load(log.data)
	require.NoError(t, err)
	_, known := s.Operation(second)
	assert.True(t, known)

	damaged := bytes.Clone(log.data)
	damaged[bytes.IndexByte(damaged, '\n')+1] = '['
	_, err = load(damaged)
	require.ErrorContains(t, err, "damaged")
}

func TestAChangeThatDoesNotFitIsDamage(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{Seed: 11})
	whole, _, err := f.s.Save()
	require.NoError(t, err)
	for _, line := range []string{
		`{"tasks":{"gone":[7]}}`, `{"keys":{"gone":[-1]}}`, `{"accounts":{"99":{}}}`, `{"events":{"5":{}}}`, `{"books":{"moon":{}}}`,
		`{"books":{"sandbox":{"operations":{"gone":[3]}}}}`, `{"seeded":{"attempts":{"a":1}}}`, `{"books":{"live":{"transactions":{"gone":[3]}}}}`,
	} {
		s, err := New(Config{Seed: 11})
		require.NoError(t, err)
		t.Cleanup(s.Close)
		require.ErrorContains(t, s.Load([]byte(string(whole)+"\n"+line+"\n")), "damaged", line)
	}
}

func TestARecorderBeginsWithTheWhole(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	recorder := f.s.Record()
	_, _, err := recorder.Changes()
	require.ErrorContains(t, err, "call Whole first")
	_, _, err = recorder.Whole()
	require.NoError(t, err)
	snapshot := f.s.Snapshot()
	require.NoError(t, f.s.Restore(snapshot))
	_, _, err = recorder.Changes()
	require.ErrorContains(t, err, "after each Restore")
	_, _, err = recorder.Whole()
	require.NoError(t, err)
	_, _, err = recorder.Changes()
	require.NoError(t, err)
}
