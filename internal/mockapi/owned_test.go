package mockapi

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestWhatAMerchantOwnsIsListedByEnvironment(t *testing.T) {
	t.Parallel()
	f := newPayinFixture(t, Config{})
	first := f.payout(1000, "22961000000")
	bank := f.post("/payouts", bankBody(5000)).ok(202).text("data.operation_id")
	request, reference := f.requestPayment(12000, cardCode, "")
	require.NoError(t, f.s.Pay(reference))
	refund := f.refund(f.paid(8000), 500)
	session := f.send(payinCall{method: "POST", path: "/v1/payin/sessions", body: f.session("order-1", "+2250700000000")}).ok(200).text("id")
	second := f.send(payinCall{method: "POST", path: "/v1/payin/sessions", body: f.session("order-2", "+2250700000000")}).ok(200).text("id")
	_, err := f.s.AddMerchant(MerchantConfig{Name: "Somebody else"})
	require.NoError(t, err)

	operations := f.s.Operations(sandbox, 100)
	require.Len(t, operations, 5)
	assert.Equal(t, refund, operations[0].ID, "the newest is first")
	assert.Equal(t, int64(500), operations[0].Amount)
	assert.Equal(t, []string{request, bank, first}, []string{operations[2].ID, operations[3].ID, operations[4].ID})
	assert.Equal(t, []int64{12000, 5000, 1000}, []int64{operations[2].Amount, operations[3].Amount, operations[4].Amount})
	assert.True(t, operations[3].AwaitsSettlement)
	assert.False(t, operations[4].AwaitsSettlement)
	assert.Len(t, f.s.Operations(sandbox, 2), 2)

	transactions := f.s.Transactions(sandbox, 100)
	require.Len(t, transactions, 5)
	assert.Equal(t, typeRefund, transactions[0].Type)
	card, ok := f.s.Transaction(reference)
	require.True(t, ok)
	assert.True(t, card.Confirming)
	assert.False(t, card.Open)
	assert.Equal(t, []string{"Carte Visa", sandbox}, []string{card.Method, card.Environment})

	payins := f.s.Payins(sandbox, 100)
	require.Len(t, payins, 2)
	assert.ElementsMatch(t, []string{session, second}, []string{payins[0].ID, payins[1].ID})
	assert.True(t, payins[0].Open)
	assert.False(t, payins[0].Ended)
	require.NoError(t, f.s.ConfirmPayin(session))
	paid, err := f.s.Payin(session)
	require.NoError(t, err)
	assert.True(t, paid.Ended)

	wallets := map[string]int64{}
	for _, w := range f.s.Wallets(sandbox) {
		wallets[w.Method] = w.Available
	}
	assert.Equal(t, f.wallet(mtnBenin), wallets[mtnBenin])
	assert.Equal(t, int64(300), wallets[PayinMethod])

	assert.Empty(t, f.s.Operations(live, 100))
	assert.Empty(t, f.s.Transactions(live, 100))
	assert.Empty(t, f.s.Payins(live, 100))
	assert.NotEmpty(t, f.s.Wallets(live))
	assert.Empty(t, f.s.Wallets("nowhere"))
	_, _, err = f.s.Save()
	assert.ErrorContains(t, err, "several merchants")
}

func TestASubscriptionMadeByHandIsLikeOneOfTheAPI(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	arrived := make(chan string, 8)
	target := f.s.Receive(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { arrived <- r.Header.Get("X-Intram-Event") }))
	sub, err := f.s.Subscribe(f.keys.Public, target, "payout.*")
	require.NoError(t, err)
	assert.Regexp(t, "^whsec_", sub.Secret)
	assert.NotContains(t, fmt.Sprintf("%v %+v %#v", sub, sub, sub), sub.Secret)
	assert.Equal(t, sub.ID, f.get("/webhooks").ok(200).text("data.0.subscription_id"))
	require.NoError(t, f.s.SetPayinWebhook(f.s.Merchant().SandboxPayin.APIKey, target, "a secret of ours"))
	subscriptions := f.s.Subscriptions(sandbox)
	require.Len(t, subscriptions, 2)
	assert.Equal(t, sub, subscriptions[0])
	assert.True(t, subscriptions[1].Payin)
	assert.Empty(t, f.s.Subscriptions(live))

	f.payout(1000, "22961000000")
	require.NoError(t, f.s.Ping(sub.ID))
	f.idle()
	assert.Equal(t, "payout.completed", <-arrived)
	assert.Equal(t, "test.ping", <-arrived)
	require.NoError(t, f.s.Unsubscribe(sub.ID))
	f.payout(1000, "22961000000")
	f.idle()
	assert.Empty(t, arrived)

	for name, err := range map[string]error{
		"Unsubscribe": f.s.Unsubscribe(sub.ID), "Ping": f.s.Ping("whs_none"),
		"key":   second(f.s.Subscribe("pk_nobody", target, "*")),
		"https": second(f.s.Subscribe(f.keys.Public, "http://example.com", "*")),
		"event": second(f.s.Subscribe(f.keys.Public, target, "payout.nothing")),
	} {
		assert.ErrorContains(t, err, name)
	}
	assert.Contains(t, EventTypes(), "payin.confirmed")
}

func second[T any](_ T, err error) error { return err }

// TestWhoWatchesIsToldOfCallsAndOfChanges is what a page that is kept fresh, and a state
// that is saved, rely on.
func TestWhoWatchesIsToldOfCallsAndOfChanges(t *testing.T) {
	t.Parallel()
	saves := 0
	var f *fixture
	var versions []uint64
	f = newFixture(t, Config{BeforeAnswer: func() { saves++; versions = append(versions, f.s.Version()) }})
	changed := f.s.Changed()
	before := f.s.Version()
	f.get("/balance").ok(200)
	<-changed
	assert.Equal(t, before, f.s.Version(), "a GET changes nothing")
	changed = f.s.Changed()
	f.payout(1000, "22961000000")
	<-changed
	assert.Greater(t, f.s.Version(), before)
	before = f.s.Version()
	f.s.Clock().Advance(time.Second)
	assert.Greater(t, f.s.Version(), before, "the time is a part of the state")
	before = f.s.Version()
	require.NoError(t, f.s.AddFault(Fault{Kind: FaultServerError, On: "GET"}))
	assert.Greater(t, f.s.Version(), before)
	before = f.s.Version()
	f.get("/balance").refused(500, "internal_error")
	assert.Greater(t, f.s.Version(), before, "a fault is used up")
	_, reference := f.requestPayment(1000, mtnBenin, "22961000000")
	resp, err := f.s.Transport().RoundTrip(f.request(call{method: "GET", endpoint: "/balance", edit: func(r *http.Request) {
		r.Method, r.URL.Path = http.MethodPost, "/gateway/"+reference+"/pay"
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}}))
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	assert.Equal(t, http.StatusSeeOther, resp.StatusCode)
	assert.Equal(t, f.s.Version(), versions[len(versions)-1], "the page is answered when the payment is saved")
	assert.Equal(t, 6, saves, "each answer, the checkout page's too, waits")
}
