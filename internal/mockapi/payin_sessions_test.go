package mockapi

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const payinNumber = "+2250702968786"

// fieldOrder lists the members of an object in the order they are written, nested ones
// included.
func fieldOrder(t *testing.T, body []byte) []string {
	t.Helper()
	var names []string
	d := json.NewDecoder(bytes.NewReader(body))
	var walk func(prefix string)
	walk = func(prefix string) {
		for d.More() {
			name, err := d.Token()
			require.NoError(t, err)
			names = append(names, prefix+name.(string))
			value, err := d.Token()
			require.NoError(t, err)
			if value == json.Delim('{') {
				walk(prefix + name.(string) + ".")
			}
		}
		_, err := d.Token()
		require.NoError(t, err)
	}
	_, err := d.Token()
	require.NoError(t, err)
	walk("")
	return names
}

func TestPayinAnswersHaveTheFieldsOfThePublishedOnesInTheirOrder(t *testing.T) {
	t.Parallel()
	first := newPayinFixture(t, Config{PayinRevision: PayinFirst})
	created := first.create("order-1", payinNumber)
	assert.Equal(t, fieldOrder(t, testdata(t, "examples", "payin.created.first.json")), fieldOrder(t, created.body))
	assert.Regexp(t, `^tr_[0-9a-f]{26}$`, created.text("reference"))
	assert.Equal(t, "order-1", created.text("customerReference"))
	assert.Equal(t, "none", created.text("confirmationStatus"))
	assert.Equal(t, "306", created.at("chargedAmount"), "300 and a fee of 2 %, as published")
	assert.Equal(t, fieldOrder(t, testdata(t, "examples", "payin.status.unconfirmed_empty.json")), fieldOrder(t, first.get("order-1").body))
	assert.Equal(t, map[string]any{}, first.get("order-1").at("transaction"))

	require.NoError(t, first.s.ConfirmPayin("order-1"))
	paid := first.get("order-1")
	assert.Equal(t, fieldOrder(t, testdata(t, "examples", "payin.status.paid.json")), fieldOrder(t, paid.body))
	assert.Equal(t, "none", paid.text("confirmationStatus"), "the published answers say none of a paid session too")
	assert.Equal(t, "300.00", paid.text("transaction.amount"))
	assert.Equal(t, "6.00", paid.text("transaction.fees"))
	assert.Equal(t, "306.00", paid.text("transaction.chargedAmount"))

	first.create("order-2", "+2250700000002")
	require.NoError(t, first.s.ConfirmPayin("order-2"))
	failed := first.get("order-2")
	assert.Equal(t, fieldOrder(t, testdata(t, "examples", "payin.status.failure.json")), fieldOrder(t, failed.body))
	assert.Nil(t, failed.at("transaction"))
	assert.Equal(t, "processing", failed.text("status"), "as published: the word failed is the newer pages'")

	newer := newPayinFixture(t, Config{})
	created = newer.create("order-1", payinNumber)
	assert.Equal(t, fieldOrder(t, testdata(t, "examples", "payin.created.newer.json")), fieldOrder(t, created.body))
	assert.Regexp(t, `^pr_[0-9a-f]{26}$`, created.text("id"))
	assert.Equal(t, "order-1", created.text("reference"))
	got := newer.get("order-1")
	for _, name := range append(fieldOrder(t, created.body), "customerName", "transaction") {
		assert.Contains(t, fieldOrder(t, got.body), name, "GET shows the same object and more")
	}
	assert.Nil(t, got.at("transaction"))
	require.NoError(t, newer.s.ConfirmPayin("order-1"))
	assert.Equal(t, "accepted", newer.get("order-1").text("confirmationStatus"))
}

func TestPayinIsFoundByBothReferencesAndOnlyByItsOwner(t *testing.T) {
	t.Parallel()
	for name, revision := range map[string]PayinRevision{"first": PayinFirst, "newer": PayinNewer} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newPayinFixture(t, Config{PayinRevision: revision})
			other, err := f.s.AddMerchant(MerchantConfig{Name: "Other"})
			require.NoError(t, err)
			created := f.create("order/1 é", payinNumber)
			id := created.at("reference")
			if revision == PayinNewer {
				id = created.at("id")
			}
			assert.Equal(t, f.get(id.(string)).body, f.get("order%2F1%20%C3%A9").body)
			for name, keys := range map[string]PayinKeys{
				"the live environment": f.s.Merchant().LivePayin, "another merchant": other.SandboxPayin, "another's live": other.LivePayin,
			} {
				for _, reference := range []string{id.(string), "order%2F1%20%C3%A9"} {
					a := f.send(payinCall{method: "GET", path: "/v1/payin/" + reference, keys: keys})
					a.refusedPayin(404, "transaction_does_not_exist")
					assert.NotContains(t, string(a.body), "Ada", name)
				}
			}
			f.send(payinCall{method: "GET", path: "/v1/payin/sessions"}).refusedPayin(404, "transaction_does_not_exist")
		})
	}
}

func TestPayinReferenceIsUniqueForOneMerchantInOneEnvironment(t *testing.T) {
	t.Parallel()
	f := newPayinFixture(t, Config{})
	first := f.create("order-1", payinNumber)
	again := payinCall{method: "POST", path: "/v1/payin/sessions", body: f.session("order-1", payinNumber)}
	f.send(again).refusedPayin(409, "transaction_is_already_processed")
	again.body = f.session(first.text("id"), payinNumber)
	f.send(again).refusedPayin(409, "transaction_is_already_processed")

	other, err := f.s.AddMerchant(MerchantConfig{Name: "Other"})
	require.NoError(t, err)
	again.body = f.session("order-1", payinNumber)
	for _, keys := range []PayinKeys{f.s.Merchant().LivePayin, other.SandboxPayin} {
		again.keys = keys
		assert.Equal(t, "order-1", f.send(again).ok(200).text("reference"))
	}
	_, err = f.s.Payin("order-1")
	require.ErrorContains(t, err, "several merchants")
	live, err := f.s.Payin(first.text("id"))
	require.NoError(t, err)
	assert.Equal(t, sandbox, live.Environment)
}

func TestPayinSandboxAndLiveShareNoIdempotencyKeys(t *testing.T) {
	t.Parallel()
	f := newPayinFixture(t, Config{})
	c := payinCall{method: "POST", path: "/v1/payin/sessions", body: f.session("order-1", payinNumber), key: "0d5ca80f-8d5e-4ed6-a8b3-6fb9a0a9e6a1"}
	sandbox := f.send(c).ok(200)
	other := c
	other.keys = f.s.Merchant().LivePayin
	live := f.send(other).ok(200)
	assert.NotEqual(t, sandbox.text("id"), live.text("id"), "executed, and not replayed")
	assert.Equal(t, string(sandbox.body), string(f.send(c).ok(200).body), "each environment has its own answer")
	assert.Equal(t, string(live.body), string(f.send(other).ok(200).body))
}

// payinOutcome is a row of the table of test numbers: what GET says once the customer has
// confirmed, and then at the end.
type payinOutcome struct {
	nn                                  string
	status, confirmation, tx, failure   string
	after                               time.Duration // 0: at once; -1: never
	endStatus, endConfirmation, endTx   string
	events                              []string
	paid                                bool
	notes                               int
	suppressed, lost, withoutConfirming bool
}

var payinOutcomes = []payinOutcome{
	{nn: "00", status: "processed", confirmation: "accepted", tx: "completed", events: []string{"payin.confirmed"}, paid: true, notes: 1},
	{nn: "01", status: "failed", confirmation: "accepted", failure: "transaction_error", events: []string{"payin.confirmed"}, notes: 1},
	{nn: "02", status: "failed", confirmation: "accepted", failure: "client_not_enough_cash", events: []string{"payin.confirmed"}, notes: 1},
	{nn: "03", status: "processing", confirmation: "declined", events: []string{"payin.declined"}, notes: 1},
	{nn: "04", status: "failed", confirmation: "accepted", failure: "client_not_found", events: []string{"payin.confirmed"}, notes: 1},
	{nn: "05", status: "processed", confirmation: "accepted", tx: "failed", events: []string{"payin.confirmed"}, notes: 1},
	{nn: "06", status: "processing", confirmation: "none", after: 6 * time.Minute, endStatus: "expired", endConfirmation: "expired"},
	{nn: "07", status: "processing", confirmation: "accepted", tx: "pending", after: -1},
	{nn: "08", status: "processed", confirmation: "accepted", tx: "pending", after: 30 * time.Second, endStatus: "processed", endConfirmation: "accepted", endTx: "completed", events: []string{"payin.confirmed"}, paid: true, notes: 1},
	{nn: "09", status: "processed", confirmation: "accepted", tx: "pending", after: 30 * time.Second, endStatus: "processed", endConfirmation: "accepted", endTx: "failed", events: []string{"payin.confirmed"}, notes: 1},
	{nn: "10", status: "processed", confirmation: "accepted", tx: "completed", events: nil, paid: true, suppressed: true},
	{nn: "11", status: "processed", confirmation: "accepted", tx: "completed", events: []string{"payin.confirmed"}, paid: true, notes: 2},
	{nn: "12", status: "processed", confirmation: "accepted", tx: "completed", events: []string{"payin.confirmed", "payin.confirmed"}, paid: true, notes: 2},
	{nn: "13", status: "processed", confirmation: "accepted", tx: "completed", events: []string{"payin.confirmed"}, paid: true, notes: 1, lost: true},
	{nn: "14", status: "processed", confirmation: "none", tx: "completed", events: []string{"payin.confirmed"}, paid: true, notes: 1, withoutConfirming: true},
	{
		nn: "15", status: "failed", confirmation: "accepted", failure: "transaction_error", after: 10 * time.Minute, endStatus: "success",
		endConfirmation: "accepted", endTx: "completed", events: []string{"payin.confirmed", "payin.confirmed"}, paid: true, notes: 2,
	},
}

func TestPayinTestNumbers(t *testing.T) {
	t.Parallel()
	require.Len(t, payinOutcomes, len(payinScripts))
	for _, o := range payinOutcomes {
		t.Run(o.nn, func(t *testing.T) {
			t.Parallel()
			f := newPayinFixture(t, Config{Start: start})
			r := &receiver{}
			f.listen(r)
			c := payinCall{method: "POST", path: "/v1/payin/sessions", body: f.session("order-1", "+225070000"+"00"+o.nn)}
			c.key = "0d5ca80f-8d5e-4ed6-a8b3-6fb9a0a9e6a1"
			created, err := f.trySend(c)
			if o.lost {
				require.Error(t, err, "the answer is lost")
				created = f.send(c)
			}
			created.ok(200)
			assert.Equal(t, "processing", created.text("status"))
			assert.Equal(t, "none", created.text("confirmationStatus"))
			assert.Equal(t, !o.withoutConfirming, created.at("confirmationRequired"))
			f.s.Clock().Advance(10 * time.Second)
			if o.withoutConfirming {
				require.ErrorContains(t, f.s.ConfirmPayin("order-1"), "not open")
			} else {
				require.NoError(t, f.s.ConfirmPayin("order-1"))
			}
			shown := func(status, confirmation, tx string) {
				t.Helper()
				got := f.get("order-1")
				assert.Equal(t, status, got.text("status"))
				assert.Equal(t, confirmation, got.text("confirmationStatus"))
				if tx == "" {
					assert.Nil(t, got.at("transaction"))
				} else {
					assert.Equal(t, tx, got.text("transaction.status"))
				}
				if o.failure == "" {
					assert.Nil(t, got.at("failure"))
				} else {
					assert.Equal(t, o.failure, got.text("failure.code"))
				}
			}
			shown(o.status, o.confirmation, o.tx)
			switch {
			case o.after > 0:
				wait := o.after
				if o.endStatus == "expired" {
					wait -= 10 * time.Second // the session was made so long ago
				}
				f.s.Clock().Advance(wait - time.Millisecond)
				shown(o.status, o.confirmation, o.tx)
				f.s.Clock().Advance(time.Millisecond)
				o.failure = "" // which does not stay when it is paid after all
				shown(o.endStatus, o.endConfirmation, o.endTx)
			default:
				f.s.Clock().Advance(48 * time.Hour)
				shown(o.status, o.confirmation, o.tx)
			}
			if o.paid {
				assert.EqualValues(t, 300, f.payinWallet())
				assert.EqualValues(t, 6, f.balance("fees:"+f.s.Merchant().ID+":sandbox"))
				assert.EqualValues(t, -306, f.balance("provider:sandbox:PAYIN"), "the customer pays amount and fee")
			} else {
				assert.Zero(t, f.payinWallet())
			}
			p, err := f.s.Payin("order-1")
			require.NoError(t, err)
			assert.Equal(t, o.events, f.events(p.ID))
			f.idle()
			assert.Len(t, r.got(), o.notes)
			if o.suppressed {
				events := f.s.Events()
				require.Len(t, events, 1)
				assert.True(t, events[0].Suppressed)
			}
		})
	}
}

func TestPayinNumbersMeanNothingInLiveNorBeyondTheTable(t *testing.T) {
	t.Parallel()
	for number, want := range map[string]payinScript{
		"+2250700000002": payinScripts[2], "+22961000002": payinScripts[2], "+2290161000002": payinScripts[2],
		"+2250700000016": {}, "+237650000002": payinScripts[2], "+22507000000AB": {}, "+2250700100002": {}, "00002": {},
	} {
		assert.Equal(t, want, payinScriptOf(sandbox, number), number)
		assert.Equal(t, payinScript{}, payinScriptOf(live, number), number)
	}
}

func TestPayinSessionExpiresOnTheServersClock(t *testing.T) {
	t.Parallel()
	for expiry, configured := range map[time.Duration]time.Duration{6 * time.Minute: 0, 15 * time.Minute: 15 * time.Minute} {
		f := newPayinFixture(t, Config{PayinExpiry: configured})
		r := &receiver{}
		f.listen(r)
		f.create("late", payinNumber)
		f.create("in-time", payinNumber)
		f.s.Clock().Advance(expiry - time.Millisecond)
		require.NoError(t, f.s.ConfirmPayin("in-time"))
		assert.Equal(t, "processing", f.get("late").text("status"))
		f.s.Clock().Advance(time.Millisecond)
		assert.Equal(t, expiry, f.s.Clock().Now().Sub(start))
		late := f.get("late")
		assert.Equal(t, "expired", late.text("status"), expiry)
		assert.Equal(t, "expired", late.text("confirmationStatus"))
		assert.Nil(t, late.at("transaction"))
		require.ErrorContains(t, f.s.ConfirmPayin("late"), "not open")
		f.s.Clock().Advance(72 * time.Hour)
		assert.Equal(t, "processed", f.get("in-time").text("status"))
		assert.EqualValues(t, 300, f.payinWallet(), "only the one in time")
		notes := r.got()
		require.Len(t, notes, 1)
		assert.Equal(t, "in-time", notes[0].at(t, "reference"), "nothing tells of the one that expired")
	}
}

func TestPayinIsSettledByHand(t *testing.T) {
	t.Parallel()
	f := newPayinFixture(t, Config{})
	for _, name := range []string{"declined", "expired", "failed"} {
		f.create(name, payinNumber)
	}
	require.NoError(t, f.s.DeclinePayin("declined"))
	require.NoError(t, f.s.ExpirePayin("expired"))
	require.NoError(t, f.s.FailPayin("failed", "client_not_enough_cash"))
	assert.Equal(t, "declined", f.get("declined").text("confirmationStatus"))
	assert.Equal(t, "expired", f.get("expired").text("status"))
	assert.Equal(t, "client_not_enough_cash", f.get("failed").text("failure.code"))

	f.create("stuck", "+2250700000007")
	require.NoError(t, f.s.ConfirmPayin("stuck"))
	f.create("slow", "+2250700000008")
	require.NoError(t, f.s.ConfirmPayin("slow"))
	f.create("unanswered", "+2250700000006")
	require.NoError(t, f.s.ConfirmPayin("unanswered"))
	require.NoError(t, f.s.ExpirePayin("unanswered"))
	require.NoError(t, f.s.SettlePayin("stuck"))
	require.NoError(t, f.s.FailPayin("slow", "wallet_not_enough_cash"))
	f.s.Clock().Advance(time.Hour)
	assert.Equal(t, "completed", f.get("stuck").text("transaction.status"))
	assert.Equal(t, "processed", f.get("stuck").text("status"))
	assert.Equal(t, "failed", f.get("slow").text("transaction.status"))
	assert.Equal(t, "wallet_not_enough_cash", f.get("slow").text("failure.message"), "a code without a message is its own")
	assert.EqualValues(t, 300, f.payinWallet())

	assert.Equal(t, []string{"failed", "failed"}, []string{f.get("failed").text("status"), f.get("slow").text("status")})
	f.s.Clock().Advance(48*time.Hour + time.Millisecond) // until then, what failed may be paid late
	for _, reference := range []string{"declined", "expired", "failed", "stuck", "slow", "unanswered"} {
		for name, do := range map[string]func(string) error{
			"confirm": f.s.ConfirmPayin, "decline": f.s.DeclinePayin, "expire": f.s.ExpirePayin, "settle": f.s.SettlePayin,
			"fail": func(r string) error { return f.s.FailPayin(r, "transaction_error") },
		} {
			assert.ErrorContains(t, do(reference), "intramtest: payin "+reference, "%s %s: it is over", name, reference)
		}
	}
	for name, do := range map[string]func(string) error{
		"confirm": f.s.ConfirmPayin, "decline": f.s.DeclinePayin, "expire": f.s.ExpirePayin, "settle": f.s.SettlePayin,
		"fail": func(r string) error { return f.s.FailPayin(r, "transaction_error") },
	} {
		assert.ErrorContains(t, do("nobody"), "there is no payin", name)
	}
	assert.ErrorContains(t, f.s.FailPayin("stuck", ""), "code is empty")
	assert.EqualValues(t, 300, f.payinWallet(), "nothing of this moved money")
}

// A payin that failed may still be paid within 48 hours, with a notification.
func TestPayinThatFailedIsPaidLate(t *testing.T) {
	t.Parallel()
	for name, revision := range map[string]PayinRevision{"first": PayinFirst, "newer": PayinNewer} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newPayinFixture(t, Config{PayinRevision: revision})
			r := &receiver{}
			f.listen(r)
			f.create("by-hand", payinNumber)
			require.NoError(t, f.s.FailPayin("by-hand", "transaction_error"))
			assert.Equal(t, map[PayinRevision]string{PayinFirst: "processing", PayinNewer: "failed"}[revision], f.get("by-hand").text("status"))
			f.create("at-once", payinNumber)
			require.NoError(t, f.s.ConfirmPayin("at-once"))
			f.create("confirmed", "+2250700000002")
			require.NoError(t, f.s.ConfirmPayin("confirmed"))
			f.create("refused", "+2250700000005")
			require.NoError(t, f.s.ConfirmPayin("refused"))
			f.s.Clock().Advance(48 * time.Hour)
			f.idle()
			before := len(r.got())
			assert.Equal(t, 3, before)
			atOnce := f.get("at-once")
			assert.Equal(t, []string{"processed", "completed"}, []string{atOnce.text("status"), atOnce.text("transaction.status")})
			for i, reference := range []string{"by-hand", "confirmed", "refused"} {
				session, err := f.s.Payin(reference)
				require.NoError(t, err)
				assert.True(t, session.Late && session.Ended, reference)
				require.NoError(t, f.s.SettlePayin(reference), reference)
				got := f.get(reference)
				assert.Equal(t, map[PayinRevision]string{PayinFirst: "processed", PayinNewer: "success"}[revision], got.text("status"), reference)
				assert.Equal(t, "completed", got.text("transaction.status"))
				assert.Nil(t, got.at("failure"))
				assert.EqualValues(t, 300*(i+2), f.payinWallet())
				require.Error(t, f.s.SettlePayin(reference), "once")
				f.idle()
				require.Len(t, r.got(), before+i+1)
				last := r.got()[before+i]
				verifyNote(t, last, payinSecret)
				assert.Equal(t, reference, last.at(t, "reference"))
				assert.Equal(t, got.text("status"), last.at(t, "status"))
				assert.Equal(t, "accepted", last.at(t, "confirmationStatus"))
				deliveries := f.s.Deliveries()
				assert.Equal(t, "payin.confirmed", deliveries[len(deliveries)-1].Event)
			}
			f.create("late-failure", payinNumber) // the 48 hours count from the failure
			f.s.Clock().Advance(5 * time.Minute)
			require.NoError(t, f.s.FailPayin("late-failure", "transaction_error"))
			f.s.Clock().Advance(48*time.Hour - time.Minute)
			require.NoError(t, f.s.SettlePayin("late-failure"))
			f.create("too-late", payinNumber)
			require.NoError(t, f.s.FailPayin("too-late", "transaction_error"))
			f.s.Clock().Advance(48*time.Hour + time.Millisecond)
			require.ErrorContains(t, f.s.SettlePayin("too-late"), "payin too-late")
		})
	}
}

func TestPayinOfCameroonIsInItsOwnCurrency(t *testing.T) {
	t.Parallel()
	f := newPayinFixture(t, Config{})
	r := &receiver{}
	f.listen(r)
	body := f.session("order-1", "+237650000000", func(m map[string]any) { m["country"], m["amount"] = "CM", 50 })
	created := f.send(payinCall{method: "POST", path: "/v1/payin/sessions", body: body}).ok(200)
	assert.Equal(t, "XAF", created.text("currency"))
	require.NoError(t, f.s.ConfirmPayin("order-1"))
	assert.Equal(t, "XAF", f.get("order-1").text("transaction.currency"))
	f.idle()
	assert.Equal(t, "XAF", r.got()[0].at(t, "currency"))
	assert.Zero(t, f.payinWallet(), "no XOF")
	m := f.s.Merchant()
	assert.EqualValues(t, 50, f.wallet(PayinXAFMethod))
	assert.EqualValues(t, -51, f.balance("provider:sandbox:PAYIN_XAF"))
	assert.EqualValues(t, 1, f.balance("fees:"+m.ID+":sandbox:XAF"))
	assert.Zero(t, f.balance("fees:"+m.ID+":sandbox"))
	f.restarted(Config{})
	assert.EqualValues(t, 50, f.wallet(PayinXAFMethod))

	first := newPayinFixture(t, Config{PayinRevision: PayinFirst})
	body = first.session("order-1", "+237650000000", func(m map[string]any) { m["country"] = "CM" })
	first.send(payinCall{method: "POST", path: "/v1/payin/sessions", body: body}).refusedPayin(404, "country_not_found")
}

func TestAwaitPayinWaitsByIdentity(t *testing.T) {
	t.Parallel()
	f := newPayinFixture(t, Config{})
	f.create("order-1", payinNumber)
	f.create("order-2", payinNumber)
	ended := make(chan Payin, 1)
	go func() {
		p, err := f.s.AwaitPayin(context.WithoutCancel(t.Context()), "order-1")
		if assert.NoError(t, err) {
			ended <- p
		}
	}()
	require.NoError(t, f.s.DeclinePayin("order-2"))
	require.NoError(t, f.s.ConfirmPayin("order-1"))
	p := <-ended
	assert.Equal(t, "completed", p.Transaction)
	assert.Equal(t, "order-1", p.Reference)

	f.create("order-3", payinNumber)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := f.s.AwaitPayin(gone, "order-3")
	require.ErrorContains(t, err, "payin order-3 is processing, confirmation none")
	require.ErrorContains(t, err, "due in 6m0s", "it says what would happen by itself")
	_, err = f.s.AwaitPayin(gone, "nobody")
	require.ErrorContains(t, err, "there is no payin nobody")
}

func TestPayinSnapshotBringsSessionsBack(t *testing.T) {
	t.Parallel()
	f := newPayinFixture(t, Config{})
	f.create("order-1", payinNumber)
	f.create("slow", "+2250700000008")
	require.NoError(t, f.s.ConfirmPayin("slow"))
	snap := f.s.Snapshot()
	for range 2 {
		assert.Equal(t, "pending", f.get("slow").text("transaction.status"))
		r := &receiver{}
		f.listen(r)
		require.NoError(t, f.s.ConfirmPayin("order-1"))
		f.create("order-2", payinNumber)
		f.s.Clock().Advance(30 * time.Second)
		assert.Equal(t, "completed", f.get("slow").text("transaction.status"))
		assert.EqualValues(t, 600, f.payinWallet())
		f.idle()
		assert.Len(t, r.got(), 1)

		require.NoError(t, f.s.Restore(snap))
		assert.Equal(t, "none", f.get("order-1").text("confirmationStatus"))
		f.send(payinCall{method: "GET", path: "/v1/payin/order-2"}).refusedPayin(404, "transaction_does_not_exist")
		assert.Zero(t, f.payinWallet())
	}
	f.s.Clock().Advance(6 * time.Minute)
	assert.Equal(t, "expired", f.get("order-1").text("status"), "what was scheduled is scheduled again")
	assert.EqualValues(t, 300, f.payinWallet())
	require.NoError(t, f.s.Restore(snap))
	require.NoError(t, f.s.ConfirmPayin("order-1"))
	f.idle()
	assert.Empty(t, f.s.Deliveries(), "the webhook came after the snapshot")
}

func TestPayinMoneyStaysOutOfTheMerchantAPI(t *testing.T) {
	t.Parallel()
	f := newPayinFixture(t, Config{})
	before := f.fixture.get("/balance").ok(200).body
	f.create("order-1", payinNumber)
	require.NoError(t, f.s.ConfirmPayin("order-1"))
	assert.Equal(t, string(before), string(f.fixture.get("/balance").ok(200).body))
	assert.Empty(t, f.fixture.get("/transactions").ok(200).at("data"))
	assert.EqualValues(t, 300, f.payinWallet())
	for _, e := range f.s.Ledger() {
		if strings.Contains(e.Memo, "payin") {
			assert.Regexp(t, "^pr_", e.OperationID)
			assert.Regexp(t, "^tr_", e.Reference)
		}
	}
}

func TestPayinFeeIsAddedOnTopAndMayBeNone(t *testing.T) {
	t.Parallel()
	free := newPayinFixture(t, Config{FeeBasisPoints: -1})
	created := free.create("order-1", payinNumber)
	assert.Equal(t, "0", created.at("fee"))
	assert.Equal(t, "300", created.at("chargedAmount"))
	require.NoError(t, free.s.ConfirmPayin("order-1"))
	assert.EqualValues(t, 300, free.payinWallet())

	usual := newPayinFixture(t, Config{}).create("order-1", payinNumber)
	assert.Equal(t, []any{"300", "6", "306"}, []any{usual.at("amount"), usual.at("fee"), usual.at("chargedAmount")}, "2 %")

	dear := newPayinFixture(t, Config{FeeBasisPoints: 350})
	body := dear.session("order-1", payinNumber, func(m map[string]any) { m["amount"] = 200 })
	created = dear.send(payinCall{method: "POST", path: "/v1/payin/sessions", body: body}).ok(200)
	assert.Equal(t, "7", created.at("fee"), "200 at 3.5 %, as in the newer revision's published answer")
	assert.Equal(t, "207", created.at("chargedAmount"))
	require.NoError(t, dear.s.ConfirmPayin("order-1"))
	assert.EqualValues(t, 200, dear.payinWallet(), "the fee is the customer's, on top of the amount")
}

func TestPayinConfigurationsThatMakeNoSenseAreRefused(t *testing.T) {
	t.Parallel()
	for want, c := range map[string]Config{
		"PayinRevision":       {PayinRevision: 3},
		"PayinExpiry":         {PayinExpiry: -1},
		"unknown environment": {Merchant: MerchantConfig{Payin: map[string]PayinKeys{"test": {}}}},
		"no colon":            {Merchant: MerchantConfig{Payin: map[string]PayinKeys{"live": {APIKey: "a:b"}}}},
		"no spaces":           {Merchant: MerchantConfig{Payin: map[string]PayinKeys{"live": {APIKey: "a", APIClient: "b c"}}}},
		"one merchant": {Merchant: MerchantConfig{Payin: map[string]PayinKeys{
			"live": {APIKey: "same"}, "sandbox": {APIKey: "same"},
		}}},
	} {
		_, err := New(c)
		assert.ErrorContains(t, err, strings.TrimPrefix(want, "no spaces"), want)
	}
	f := newPayinFixture(t, Config{Merchant: MerchantConfig{Payin: map[string]PayinKeys{
		"sandbox": {APIKey: "key", APIClient: "cli:ent", AccountID: "merchant_9923lkdz"},
	}}})
	assert.Equal(t, PayinKeys{APIKey: "key", APIClient: "cli:ent", AccountID: "merchant_9923lkdz"}, f.payin)
	assert.NotEmpty(t, f.s.Merchant().LivePayin.APIKey, "the live ones are generated")
	f.create("order-1", payinNumber)
}

func TestPayinIsAnsweredOnceWhileTheMoneyIsUnderWay(t *testing.T) {
	t.Parallel()
	f := newPayinFixture(t, Config{})
	for _, number := range []string{"+2250700000006", "+2250700000007", "+2250700000008", "+2250700000009"} {
		f.create(number[1:], number)
		require.NoError(t, f.s.ConfirmPayin(number[1:]))
		before := f.get(number[1:]).body
		f.s.Clock().Advance(10 * time.Second)
		require.ErrorContains(t, f.s.ConfirmPayin(number[1:]), "not open", number)
		require.ErrorContains(t, f.s.DeclinePayin(number[1:]), "not open", number)
		assert.Equal(t, string(before), string(f.get(number[1:]).body), number)
	}
	f.s.Clock().Advance(time.Hour)
	assert.EqualValues(t, 300, f.payinWallet(), "08 alone, once")
}

func TestPayinSnapshotKeepsTheWebhook(t *testing.T) {
	t.Parallel()
	f := newPayinFixture(t, Config{})
	r := &receiver{}
	f.listen(r)
	snap := f.s.Snapshot()
	require.NoError(t, f.s.SetPayinWebhook(f.payin.APIKey, "", ""))
	require.NoError(t, f.s.Restore(snap))
	f.create("order-1", payinNumber)
	require.NoError(t, f.s.ConfirmPayin("order-1"))
	f.idle()
	assert.Len(t, r.got(), 1)
}
