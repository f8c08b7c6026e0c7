package mockapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// restarted saves a server, closes it, and goes on with another that has loaded what was
// saved.
func (f *fixture) restarted(c Config, receivers ...http.HandlerFunc) {
	f.t.Helper()
	data, _, err := f.s.Save()
	require.NoError(f.t, err)
	f.s.Close()
	c.Seed, err = SavedSeed(data)
	require.NoError(f.t, err)
	s, err := New(c)
	require.NoError(f.t, err)
	f.t.Cleanup(s.Close)
	for _, h := range receivers {
		s.Receive(h)
	}
	require.NoError(f.t, s.Load(data))
	f.s, f.keys = s, s.Merchant().Sandbox
}

// A state of a version in which payments never ended: they end in this one.
func TestOpenPaymentsOfAnEarlierVersionEnd(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	_, open := f.requestPayment(1000, mtnBenin, "")
	data, _, err := f.s.Save()
	require.NoError(t, err)
	var kept map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(data, &kept))
	require.Contains(t, string(kept["tasks"]), open)
	kept["tasks"] = json.RawMessage("[]")
	earlier, err := json.Marshal(kept)
	require.NoError(t, err)
	for _, saved := range [][]byte{data, earlier} {
		s, err := New(Config{Seed: f.s.Seed()})
		require.NoError(t, err)
		t.Cleanup(s.Close)
		require.NoError(t, s.Load(saved))
		s.Clock().Advance(6*time.Minute - time.Second)
		tx, _ := s.Transaction(open)
		assert.True(t, tx.Open)
		s.Clock().Advance(time.Second)
		tx, _ = s.Transaction(open)
		assert.Equal(t, "ERROR", tx.Status)
		failed := 0
		for _, e := range s.Events() {
			if e.Type == "payment_request.failed" {
				failed++
			}
		}
		assert.Equal(t, 1, failed)
	}
}

// What is confirmed, or being cancelled, is not open: a restart gives it no end.
func TestPaymentsThatAreNotOpenGetNoEndFromARestart(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	_, stuck := f.requestPayment(1000, mtnBenin, "22961000007")
	require.NoError(t, f.s.Pay(stuck))
	_, cancelled := f.requestPayment(1000, cardCode, "")
	require.NoError(t, f.s.SetWorker(WorkByHand()))
	require.NoError(t, f.s.Process(f.refund(cancelled, 0)))
	data, _, err := f.s.Save()
	require.NoError(t, err)
	s, err := New(Config{Seed: f.s.Seed()})
	require.NoError(t, err)
	t.Cleanup(s.Close)
	require.NoError(t, s.Load(data))
	s.Clock().Advance(48 * time.Hour)
	for _, reference := range []string{stuck, cancelled} {
		tx, _ := s.Transaction(reference)
		assert.Equal(t, "PENDING", tx.Status, reference)
	}
}

// storySteps touch everything that is saved: each kind of operation in each state, an
// idempotency key that is used again, a delivery in retry, one that is held back, faults
// scripted and drawn, payins, subscriptions deleted and rotated.
var storySteps = []struct {
	name string
	do   func(*savedStory)
}{
	{"subscribe", func(h *savedStory) { h.subscription, _ = h.f.subscribeURL("*", h.receiver) }},
	{"a payout of 30 seconds, under a key", func(h *savedStory) {
		h.first = h.f.do(call{method: "POST", endpoint: "/payouts", body: payoutBody(1000, "22961000008"), key: "the-key-used-twice"})
	}},
	{"the same key again", func(h *savedStory) {
		again := h.f.do(call{method: "POST", endpoint: "/payouts", body: payoutBody(1000, "22961000008"), key: "the-key-used-twice"})
		assert.Equal(h.f.t, "true", again.header.Get("Idempotent-Replay"))
		assert.Equal(h.f.t, string(h.first.body), string(again.body))
	}},
	{"the key with another body", func(h *savedStory) {
		h.f.do(call{method: "POST", endpoint: "/payouts", body: payoutBody(1001, "22961000008"), key: "the-key-used-twice"}).refused(409, "idempotency_conflict")
	}},
	{"a receiver that is down", func(h *savedStory) { h.down.Store(true) }},
	{"the payout completes, its event is retried", func(h *savedStory) { h.f.s.Clock().Advance(31 * time.Second) }},
	{"a bank payout", func(h *savedStory) { h.bank = h.f.post("/payouts", bankBody(5000)).ok(202).text("data.operation_id") }},
	{"a payout that fails in 30 seconds", func(h *savedStory) { h.f.payout(700, "22961000009") }},
	{"a payout that is stuck", func(h *savedStory) { h.stuck = h.f.payout(800, "22961000007") }},
	{"a payment", func(h *savedStory) { _, h.reference = h.f.requestPayment(12000, mtnBenin, "22961000012") }},
	{"a card payment", func(h *savedStory) {
		_, h.card = h.f.requestPayment(9000, cardCode, "")
		require.NoError(h.f.t, h.f.s.Pay(h.card))
	}},
	{"the payment is paid, its events swapped", func(h *savedStory) { require.NoError(h.f.t, h.f.s.Pay(h.reference)) }},
	{"part of it is refunded", func(h *savedStory) { h.f.refund(h.reference, 2000) }},
	{"the receiver is up", func(h *savedStory) { h.down.Store(false) }},
	{"faults are scripted and drawn", func(h *savedStory) {
		require.NoError(h.f.t, h.f.s.AddFault(Fault{Kind: FaultWebhookReordered, Delay: 40 * time.Second}))
		require.NoError(h.f.t, h.f.s.AddFault(Fault{Kind: FaultServerError, On: "GET /balance", Times: 2, For: time.Hour}))
		require.NoError(h.f.t, h.f.s.SeededFaults(3, FaultRate{Fault{Kind: FaultProxyError, On: "/operations", Times: 2}, 500}))
	}},
	{"an event is held back", func(h *savedStory) { h.f.payout(300, "22961000000") }},
	{"the first fault hits", func(h *savedStory) { h.f.get("/balance").refused(500, "internal_error") }},
	{"operations are listed, as luck would have it", func(h *savedStory) { h.draws = append(h.draws, h.f.get("/operations").status) }},
	{"and again", func(h *savedStory) { h.draws = append(h.draws, h.f.get("/operations").status) }},
	{"the second fault hits", func(h *savedStory) { h.f.get("/balance").refused(500, "internal_error") }},
	{"the faults are over", func(h *savedStory) { h.f.get("/balance").ok(200) }},
	{"a payin is created", func(h *savedStory) { h.payin = h.session("2250700000000") }},
	{"another waits for its answer", func(h *savedStory) { h.session("2250700000001") }},
	{"the payin is confirmed", func(h *savedStory) { require.NoError(h.f.t, h.f.s.ConfirmPayin(h.payin)) }},
	{"the secret is rotated", func(h *savedStory) {
		_, err := h.f.s.RotateWebhookSecret(h.subscription)
		require.NoError(h.f.t, err)
	}},
	{"the bank payout is settled", func(h *savedStory) { require.NoError(h.f.t, h.f.s.Complete(h.bank)) }},
	{"a provider is down", func(h *savedStory) { require.NoError(h.f.t, h.f.s.SetProviderDown(moovBenin, true)) }},
	{"an operation waits for a hand", func(h *savedStory) {
		require.NoError(h.f.t, h.f.s.SetWorker(WorkByHand()))
		h.queued = h.f.payout(450, "22961000000")
		require.NoError(h.f.t, h.f.s.SetWorker(WorkAtOnce()))
	}},
	{"the subscription is deleted", func(h *savedStory) {
		h.f.do(call{method: "DELETE", endpoint: "/webhooks/" + h.subscription}).ok(200)
	}},
	{"what waited is completed", func(h *savedStory) { require.NoError(h.f.t, h.f.s.Complete(h.queued)) }},
	{"what was stuck fails", func(h *savedStory) { require.NoError(h.f.t, h.f.s.Fail(h.stuck, "provider_error")) }},
	{"a day goes by", func(h *savedStory) { h.f.s.Clock().Advance(25 * time.Hour) }},
	{"the key is free again", func(h *savedStory) {
		h.f.do(call{method: "POST", endpoint: "/payouts", body: payoutBody(1001, "22961000000"), key: "the-key-used-twice"}).ok(202)
	}},
}

type savedStory struct {
	f        *fixture
	received atomic.Int64
	down     atomic.Bool
	receiver string

	first                                                     answer
	subscription, bank, stuck, reference, card, payin, queued string
	draws                                                     []int
}

func (h *savedStory) receive(w http.ResponseWriter, _ *http.Request) {
	if h.down.Load() {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	h.received.Add(1)
}

func (h *savedStory) session(number string) string {
	f := &payinFixture{fixture: h.f, payin: h.f.s.Merchant().SandboxPayin}
	a := f.send(payinCall{method: "POST", path: "/v1/payin/sessions", body: f.session("order-"+number, "+"+number)}).ok(200)
	return a.text("id")
}

// playSaved plays the story, with a restart before one of its steps; -1 for none, and
// len(storySteps) for one before each.
func playSaved(t *testing.T, restart int) (h *savedStory, end map[string]any) {
	t.Helper()
	config := Config{Seed: 11, Start: start}
	h = &savedStory{f: newFixture(t, config)}
	h.receiver = h.f.s.Receive(http.HandlerFunc(h.receive))
	for i, step := range storySteps {
		if i == restart || restart == len(storySteps) {
			h.f.restarted(config, h.receive)
		}
		step.do(h)
		h.f.idle()
	}
	checkLedger(t, h.f.s)
	data, _, err := h.f.s.Save()
	require.NoError(t, err)
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	require.NoError(t, d.Decode(&end))
	return h, end
}

func TestAStoryWithARestartInItEndsAsOneWithout(t *testing.T) {
	t.Parallel()
	straight, want := playSaved(t, -1)
	require.Contains(t, straight.draws, 502, "the drawn fault has hit, or nothing is tested of it")
	for i := range len(storySteps) + 1 {
		name := "before each step"
		if i < len(storySteps) {
			name = "before: " + storySteps[i].name
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, got := playSaved(t, i)
			assert.Equal(t, straight.draws, h.draws)
			assert.Equal(t, straight.received.Load(), h.received.Load(), "deliveries that were acknowledged")
			assert.ElementsMatch(t, slices.Collect(maps.Keys(want)), slices.Collect(maps.Keys(got)), "the parts of the state")
			for part := range want {
				if part == "subscriptions" || part == "events" { // tables, in the order of their first mention
					assert.ElementsMatch(t, want[part], got[part], part)
					continue
				}
				assert.Equal(t, withoutIndices(want[part]), withoutIndices(got[part]), part)
			}
		})
	}
}

// withoutIndices leaves out what points into a table.
func withoutIndices(v any) any {
	switch v := v.(type) {
	case map[string]any:
		kept := map[string]any{}
		for name, member := range v {
			switch name {
			case "subscription", "subscriptions", "event", "held_event", "payin_webhook":
			default:
				kept[name] = withoutIndices(member)
			}
		}
		return kept
	case []any:
		kept := make([]any, len(v))
		for i, item := range v {
			if _, index := item.(json.Number); !index {
				kept[i] = withoutIndices(item)
			}
		}
		return kept
	}
	return v
}

func TestEveryFieldOfWhatIsRememberedIsSaved(t *testing.T) {
	t.Parallel()
	s, err := New(Config{Seed: 1, Start: start})
	require.NoError(t, err)
	t.Cleanup(s.Close)
	a := s.accountOf(s.Merchant().Sandbox.Public)
	k := &saver{subscriptions: map[*subscription]int{}, events: map[*event]int{}}
	l := &loader{saved: &k.saved, accounts: map[string]*account{sandbox: a}}

	op := operation{account: a, kind: kindPayout, prepared: &transaction{reference: "ABCDEFGHIJ", status: txPending, account: a, operation: "a"}}
	full(t, reflect.ValueOf(&op).Elem(), "account", "kind", "prepared", "firstEvent")
	op.id = "a"
	assert.Equal(t, &op, l.operation(keepOperation(&op)))

	k.Operations = map[string]*savedOperation{"a": {}}
	tx := transaction{account: a, method: methods[0]}
	full(t, reflect.ValueOf(&tx).Elem(), "account", "method", "heldEvent")
	tx.operation = "a"
	assert.Equal(t, &tx, l.transaction(k.transaction(&tx)))

	p := payin{account: a}
	full(t, reflect.ValueOf(&p).Elem(), "account")
	k.Payins = []savedPayin{keepPayin(&p)}
	k.Books = map[string]savedBook{sandbox: {PayinWebhook: -1}}
	k.Operations = nil
	st, err := l.state()
	require.NoError(t, err)
	assert.Equal(t, &p, st.payins.byID[p.id])

	sub := subscription{key: newSigningKey("now"), previous: newSigningKey("before")}
	full(t, reflect.ValueOf(&sub).Elem(), "key", "previous")
	loaded := loadSubscription(k.Subscriptions[k.subscription(&sub)])
	assert.Equal(t, []string{"now", "before"}, []string{loaded.key.secret, loaded.previous.secret})
	loaded.key, loaded.previous = sub.key, sub.previous
	assert.Equal(t, &sub, loaded)

	// What these hold besides is looked at one by one where it is saved; a new field must
	// be.
	for _, known := range []struct {
		of     any
		fields int
	}{{state{}, 11}, {book{}, 5}, {delivery{}, 11}, {event{}, 12}, {execution{}, 6}, {reply{}, 8}, {posting{}, 5}, {Fault{}, 11}, {Attempt{}, 9}, {wallet{}, 3}} {
		assert.Equal(t, known.fields, reflect.TypeOf(known.of).NumField(), "%T has fields that Save does not know", known.of)
	}
}

// full gives every field of a struct a value of its own, so that one which is not saved
// is missed.
func full(t *testing.T, v reflect.Value, except ...string) {
	t.Helper()
	for i := range v.NumField() {
		name := v.Type().Field(i).Name
		if strings.Contains(" "+strings.Join(except, " ")+" ", " "+name+" ") {
			continue
		}
		fill(t, reflect.NewAt(v.Field(i).Type(), v.Field(i).Addr().UnsafePointer()).Elem(), i+1)
	}
}

func fill(t *testing.T, v reflect.Value, n int) {
	t.Helper()
	switch v.Kind() {
	case reflect.String:
		v.SetString(fmt.Sprint("value ", n))
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(n))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		full(t, v.Elem())
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(start.Add(time.Duration(n) * time.Second)))
			return
		}
		full(t, v)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		if v.Index(0).Kind() == reflect.Uint8 {
			v.SetBytes([]byte(fmt.Sprint("bytes ", n)))
			return
		}
		full(t, v.Index(0))
	default:
		require.Failf(t, "a field of an unexpected kind", "%s", v.Kind())
	}
}

func TestAnAttemptThatWasUnderWayIsMadeAgain(t *testing.T) {
	t.Parallel()
	config := Config{Seed: 5, Start: start}
	f := newFixture(t, config)
	arrived, release := make(chan struct{}), make(chan struct{})
	f.subscribe("*", func(http.ResponseWriter, *http.Request) { close(arrived); <-release })
	f.payout(1000, "22961000000")
	<-arrived
	data, _, err := f.s.Save() // waits for no receiver
	require.NoError(t, err)
	close(release)
	f.idle()

	next, err := New(config)
	require.NoError(t, err)
	t.Cleanup(next.Close)
	attempts := make(chan string, 4)
	next.Receive(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { attempts <- r.Header.Get("X-Intram-Attempt") }))
	require.NoError(t, next.Load(data))
	require.NoError(t, next.Idle(t.Context()))
	close(attempts)
	assert.Equal(t, "1", <-attempts)
	assert.Empty(t, <-attempts, "it is made once")
	require.Len(t, next.Deliveries(), 1)
	assert.Equal(t, DeliveryDelivered, next.Deliveries()[0].Status)
}

func TestARetryThatIsScheduledOutlivesAResendUnderWay(t *testing.T) {
	t.Parallel()
	config := Config{Seed: 5, Start: start}
	f := newFixture(t, config)
	resent, release := make(chan struct{}), make(chan struct{})
	f.subscribe("*", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Intram-Attempt") == "2" {
			close(resent)
			<-release
		}
		w.WriteHeader(http.StatusServiceUnavailable)
	})
	f.payout(1000, "22961000000")
	f.idle()
	scheduled := f.s.Deliveries()[0]
	require.False(t, scheduled.NextAttempt.IsZero())
	require.NoError(t, f.s.Resend(scheduled.ID))
	<-resent
	data, _, err := f.s.Save()
	require.NoError(t, err)
	close(release)

	next, err := New(config)
	require.NoError(t, err)
	t.Cleanup(next.Close)
	next.Receive(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }))
	require.NoError(t, next.Load(data))
	require.NoError(t, next.Idle(t.Context()))
	got := next.Deliveries()[0]
	assert.Len(t, got.Attempts, 2)
	assert.Equal(t, scheduled.NextAttempt, got.NextAttempt, "the schedule goes on as it was")
}

func TestASavedStateThatIsNotItsOwnIsRefused(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{Seed: 1})
	f.payout(1000, "22961000000")
	data, _, err := f.s.Save()
	require.NoError(t, err)
	for name, tt := range map[string]struct {
		seed uint64
		data []byte
		want string
	}{
		"another seed":       {2, data, "another seed"},
		"half of it":         {1, data[:len(data)/2], "damaged"},
		"a later format":     {1, bytes.Replace(data, []byte(`{"format":1`), []byte(`{"format":2`), 1), "format 2"},
		"a balance too many": {1, bytes.Replace(data, []byte(`"balance":1000000`), []byte(`"balance":1000001`), 1), "ledger"},
		"a lost operation":   {1, bytes.Replace(data, []byte(`"operations":["op_`), []byte(`"operations":["xx_`), 1), "operation"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := New(Config{Seed: tt.seed})
			require.NoError(t, err)
			t.Cleanup(s.Close)
			assert.ErrorContains(t, s.Load(tt.data), tt.want)
		})
	}
}

// TestAStateIsNotSavedBetweenAnEffectAndItsKey stops a call after its money has moved and
// before its idempotency key has a response.
func TestAStateIsNotSavedBetweenAnEffectAndItsKey(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{Seed: 3})
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/payouts", nil)
	r.Header.Set("Content-Type", "application/json")
	x := &exchange{
		server: f.s, request: r, endpoint: "/payouts", account: f.s.accountOf(f.keys.Public), now: f.s.clock.Now(),
		body: []byte(payoutBody(1000, "22961000000")), entry: &Request{IdempotencyKey: "between-the-two"},
	}
	moved, goOn, answered := make(chan struct{}), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(answered)
		x.once(&route{handle: func(x *exchange) reply {
			rep := x.createPayout()
			close(moved)
			<-goOn
			return rep
		}})
	}()
	<-moved
	if !assert.False(t, f.s.executing.TryLock(), "the call does not keep the state from being saved") {
		f.s.executing.Unlock()
	}
	kept := make(chan *saved, 1)
	go func() {
		k, _, err := f.s.keepAll(nil)
		assert.NoError(t, err)
		kept <- k
	}()
	// Until saving waits for the call, or is over.
	for len(kept) == 0 && f.s.executing.TryRLock() {
		f.s.executing.RUnlock()
		runtime.Gosched()
	}
	close(goOn)
	k := <-kept
	<-answered
	assert.Len(t, k.Keys, len(k.Operations), "an operation without its key")
}

// TestNoPayoutIsSavedWithoutItsIdempotencyKey saves again and again while payouts are
// made: a state that had the money moved and not the key would let a retry after a crash
// pay twice.
func TestNoPayoutIsSavedWithoutItsIdempotencyKey(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{Seed: 9})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range 200 {
			r := f.request(call{method: "POST", endpoint: "/payouts", body: payoutBody(100, "22961000000"), key: fmt.Sprintf("saved-key-%d", i)})
			if resp, err := f.s.Transport().RoundTrip(r); assert.NoError(t, err) {
				assert.NoError(t, resp.Body.Close())
			}
		}
	}()
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		kept, _, err := f.s.keepAll(nil)
		require.NoError(t, err)
		keys := map[string]bool{}
		for _, k := range kept.Keys {
			keys[k.Key] = true
		}
		for _, op := range kept.Operations {
			assert.True(t, keys[op.Key], "an operation without its key")
		}
		assert.Len(t, kept.Operations, len(kept.Keys))
	}
}
