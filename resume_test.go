package intram_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/intramtest"
)

// offClock is the clock of a machine that is off by so much.
type offClock struct {
	intram.Clock
	off time.Duration
}

func (c *offClock) Now() time.Time { return c.Clock.Now().Add(c.off) }

// lists is a server whose lists come through rewrite, as a proxy or an older server would
// write them.
func lists(server *intramtest.Server, rewrite func(header http.Header, list map[string]any)) intram.ClientOption {
	return intram.WithHTTPClient(&http.Client{Transport: roundTripFunc(func(req *http.Request) (*http.Response, error) {
		resp, err := server.Transport().RoundTrip(req)
		if err != nil || req.Method != http.MethodGet {
			return resp, err
		}
		body, err := io.ReadAll(resp.Body)
		if err = errors.Join(err, resp.Body.Close()); err != nil {
			return nil, err
		}
		var list map[string]any
		if err := json.Unmarshal(body, &list); err != nil {
			return nil, err
		}
		rewrite(resp.Header, list)
		if body, err = json.Marshal(list); err != nil {
			return nil, err
		}
		resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		return resp, nil
	})})
}

// eachItem rewrites the items of a list.
func eachItem(rewrite func(item map[string]any)) func(http.Header, map[string]any) {
	return func(_ http.Header, list map[string]any) {
		items, _ := list["data"].([]any)
		for _, item := range items {
			if fields, ok := item.(map[string]any); ok {
				rewrite(fields)
			}
		}
	}
}

// eachPayload rewrites the payloads of a list's items.
func eachPayload(rewrite func(payload map[string]any)) func(http.Header, map[string]any) {
	return eachItem(func(item map[string]any) {
		if payload, ok := item["payload"].(map[string]any); ok {
			rewrite(payload)
		}
	})
}

// oldIntent is an intent that was executed or not, and has grown too old to be sent.
func oldIntent(t *testing.T, server *intramtest.Server, params intram.PayoutParams, executed bool) *intram.Intent {
	t.Helper()
	client := server.Client(intram.WithMaxAttempts(1))
	intent, err := client.Payouts.Prepare(params)
	require.NoError(t, err)
	if executed {
		require.NoError(t, server.Fault(intramtest.Fault{Kind: intramtest.DropResponse, On: "POST /payouts", Times: 1}))
		_, err = client.Payouts.Create(t.Context(), params, intram.WithIntent(intent))
		require.Equal(t, intram.OutcomeUnknown, intram.OutcomeOf(err))
	}
	server.Advance(25 * time.Hour)
	return afterCrash(t, intent)
}

func TestResumeSendsWhileTheKeyIsGoodAndLooksBackAfterwards(t *testing.T) {
	t.Parallel()
	server := intramtest.NewServer(t, intramtest.WithoutListener())
	client := server.Client(intram.WithMaxAttempts(1))
	intent, err := client.Payouts.Prepare(intentParams())
	require.NoError(t, err)
	require.NoError(t, server.Fault(intramtest.Fault{Kind: intramtest.DropResponse, On: "POST /payouts", Times: 1}))
	_, err = client.Payouts.Resume(t.Context(), intentParams(), intent)
	require.Equal(t, intram.OutcomeUnknown, intram.OutcomeOf(err))

	sent, err := client.Payouts.Resume(t.Context(), intentParams(), afterCrash(t, intent))
	require.NoError(t, err)
	posts := payoutPosts(server)
	server.Advance(25 * time.Hour)
	found, err := client.Payouts.Resume(t.Context(), intentParams(), afterCrash(t, intent))
	require.NoError(t, err)
	assert.Equal(t, sent.ID, found.ID)
	assert.Equal(t, "PO-1", found.Reference())
	assert.Equal(t, posts, payoutPosts(server), "nothing is sent after a day")

	other := intentParams()
	other.Amount = intram.NewAmount(1)
	_, err = client.Payouts.Resume(t.Context(), other, afterCrash(t, intent))
	require.ErrorIs(t, err, intram.ErrIntentMismatch)
	_, err = client.Payouts.Resume(t.Context(), intentParams(), nil)
	require.ErrorContains(t, err, "intent is nil")
}

func TestResumeProvesThatNothingWasSent(t *testing.T) {
	t.Parallel()
	server := intramtest.NewServer(t, intramtest.WithoutListener())
	client := server.Client()
	for i := range 250 { // others of the same day, and of the next
		params := intentParams()
		params.Reference = fmt.Sprint("OTHER-", i)
		_, err := client.Payouts.Create(t.Context(), params)
		require.NoError(t, err)
		server.Advance(20 * time.Millisecond)
	}
	intent := oldIntent(t, server, intentParams(), false)
	_, err := client.Payouts.Resume(t.Context(), intentParams(), intent)
	require.ErrorIs(t, err, intram.ErrNeverSent)
	assert.Equal(t, intram.OutcomeNotSent, intram.OutcomeOf(err))
	assert.ErrorContains(t, err, intent.IdempotencyKey)
	assert.NotContains(t, err.Error(), "no response")

	// A new intent is safe, under the same derived key too.
	again, err := client.Payouts.Prepare(intentParams(), intram.WithIdempotencyKey(intent.IdempotencyKey))
	require.NoError(t, err)
	_, err = client.Payouts.Create(t.Context(), intentParams(), intram.WithIntent(again))
	require.NoError(t, err)
}

// TestResumeFindsWhatTheOldLookBackPaidTwice has the faults under which programs that
// looked through the list themselves concluded "not found", and paid a second time.
func TestResumeFindsWhatTheOldLookBackPaidTwice(t *testing.T) {
	t.Parallel()
	// The look-back as it used to be written: back to an hour before the intent, by the
	// machine's clock.
	missed := func(ctx context.Context, client *intram.Client, intent *intram.Intent) bool {
		for op, err := range client.Operations.All(ctx, intram.OperationListParams{Type: intram.OperationPayout}) {
			if err != nil || op.CreatedAt.Before(intent.FirstSentAt.Add(-time.Hour)) {
				break
			}
			var sent struct {
				Reference string `json:"reference"`
			}
			if json.Unmarshal(op.Payload, &sent) == nil && sent.Reference == "PO-1" {
				return false
			}
		}
		return true
	}
	for name, off := range map[string]time.Duration{"ahead": 3 * time.Hour, "half a day ahead": 11 * time.Hour, "behind": -3 * time.Hour, "right": 0} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := intramtest.NewServer(t, intramtest.WithoutListener())
			clock := &offClock{server.Clock(), off}
			client := server.Client(intram.WithClock(clock), intram.WithMaxAttempts(2))
			intent, err := client.Payouts.Prepare(intentParams())
			require.NoError(t, err)
			_, err = client.Payouts.Create(t.Context(), intentParams(), intram.WithIntent(intent))
			require.NoError(t, err)
			server.Advance(25 * time.Hour)
			assert.Equal(t, off > time.Hour, missed(t.Context(), client, intent), "what the old look-back concluded")
			op, err := client.Payouts.Resume(t.Context(), intentParams(), afterCrash(t, intent))
			require.NoError(t, err)
			assert.Equal(t, "PO-1", op.Reference())

			// The clock was set right in the meantime.
			clock.off = 0
			op, err = client.Payouts.Resume(t.Context(), intentParams(), afterCrash(t, intent))
			if off <= 0 {
				require.NoError(t, err)
				assert.Equal(t, "PO-1", op.Reference())
			}
		})
	}
}

func TestResumeIsNotMisledByTheList(t *testing.T) {
	t.Parallel()
	without := func(field string) func(http.Header, map[string]any) {
		return eachItem(func(item map[string]any) {
			delete(item["payload"].(map[string]any), field)
			delete(item["result"].(map[string]any), field)
		})
	}
	set := func(field string, value any) func(http.Header, map[string]any) {
		return eachPayload(func(p map[string]any) { p[field] = value })
	}
	number := func(msisdn string) func(http.Header, map[string]any) {
		return eachPayload(func(p map[string]any) { p["destination"].(map[string]any)["msisdn"] = msisdn })
	}
	dated := func(at string) func(http.Header, map[string]any) {
		return eachItem(func(i map[string]any) { i["date"] = at })
	}
	tests := map[string]struct {
		rewrite     func(header http.Header, list map[string]any)
		found       bool // otherwise it cannot be told, with the operation as a candidate unless noCandidate
		noCandidate bool
	}{
		"as it is":                    {rewrite: func(http.Header, map[string]any) {}, found: true},
		"amount with decimals":        {rewrite: set("amount", json.RawMessage("25000.0")), found: true},
		"amount in a string":          {rewrite: set("amount", "25000"), found: true},
		"amount in words":             {rewrite: set("amount", "many")},
		"no amount":                   {rewrite: without("amount")},
		"amount with fees":            {rewrite: set("amount", 25250)},
		"amount in centimes":          {rewrite: set("amount", 2500000)},
		"another operator's form":     {rewrite: number("0700000000")},
		"no reference":                {rewrite: without("reference")},
		"reference in capitals":       {rewrite: set("reference", "po-1")},
		"reference of another form":   {rewrite: set("reference", "PO‑1")},
		"number with a plus":          {rewrite: number("+229 61 23 45 67"), found: true},
		"number without country":      {rewrite: number("61234567"), found: true},
		"number with the new prefix":  {rewrite: number("2290161234567"), found: true},
		"number hidden":               {rewrite: number("229*****567"), found: true},
		"number hidden by letters":    {rewrite: number("229xxxxx567"), found: true},
		"no payload":                  {rewrite: eachItem(func(i map[string]any) { delete(i, "payload"); delete(i, "result") })},
		"no payload, but a result":    {rewrite: eachItem(func(i map[string]any) { delete(i, "payload") }), found: true},
		"payload is a text":           {rewrite: eachItem(func(i map[string]any) { i["payload"] = "{}"; delete(i, "result") })},
		"no type":                     {rewrite: eachItem(func(i map[string]any) { delete(i, "type") }), found: true},
		"another environment":         {rewrite: eachItem(func(i map[string]any) { i["env"] = "live" })},
		"no date":                     {rewrite: eachItem(func(i map[string]any) { delete(i, "date") }), noCandidate: false},
		"dated by a clock of 1970":    {rewrite: dated("1970-01-01T00:00:07Z"), found: true},
		"dated next century":          {rewrite: dated("2126-01-01T00:00:00Z"), found: true},
		"from a cache":                {rewrite: func(h http.Header, _ map[string]any) { h.Set("Age", "60") }, noCandidate: true},
		"without a date header":       {rewrite: func(h http.Header, _ map[string]any) { h.Del("Date") }, noCandidate: true},
		"an item that cannot be read": {rewrite: func(_ http.Header, l map[string]any) { l["data"] = append(l["data"].([]any), "?") }, found: true},
		"it cannot be read itself":    {rewrite: eachItem(func(i map[string]any) { i["status"] = 7 }), noCandidate: true},
		"empty, of a server in the past": {rewrite: func(h http.Header, l map[string]any) {
			h.Set("Date", "Wed, 20 May 2020 10:30:00 GMT")
			l["data"] = []any{}
		}, noCandidate: true},
		"refused": {rewrite: func(_ http.Header, l map[string]any) { clear(l); l["error"] = true }, noCandidate: true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := intramtest.NewServer(t, intramtest.WithoutListener())
			intent := oldIntent(t, server, intentParams(), true)
			client := server.Client(lists(server, tt.rewrite), intram.WithMaxAttempts(1))
			op, err := client.Payouts.Resume(t.Context(), intentParams(), intent)
			if tt.found {
				require.NoError(t, err)
				assert.NotEmpty(t, op.ID)
				return
			}
			assert.Nil(t, op)
			require.ErrorIs(t, err, intram.ErrCannotTell)
			require.NotErrorIs(t, err, intram.ErrNeverSent)
			assert.Equal(t, intram.OutcomeUnknown, intram.OutcomeOf(err))
			var e *intram.CannotTellError
			require.ErrorAs(t, err, &e)
			assert.Equal(t, intent.IdempotencyKey, e.IdempotencyKey)
			assert.Len(t, e.Candidates, map[bool]int{true: 0, false: 1}[tt.noCandidate], "%v", err)
			for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
				text := fmt.Sprintf(verb, err)
				assert.NotContains(t, text, "61234567")
				assert.NotContains(t, text, "\n")
			}
		})
	}
}

func TestResumeDoesNotGuessBetweenEqualPayouts(t *testing.T) {
	t.Parallel()
	server := intramtest.NewServer(t, intramtest.WithoutListener())
	client := server.Client()
	nameless := intentParams()
	nameless.Reference = ""
	nameless.Metadata = map[string]any{"order": "17"}

	// Two equal payouts to one person: one was made, the other never.
	never, err := client.Payouts.Prepare(nameless)
	require.NoError(t, err)
	made := oldIntent(t, server, nameless, true)
	for name, intent := range map[string]*intram.Intent{"made": made, "never": never} {
		_, err = client.Payouts.Resume(t.Context(), nameless, intent)
		var e *intram.CannotTellError
		require.ErrorAs(t, err, &e, name)
		require.Len(t, e.Candidates, 1, name)
		assert.Equal(t, "17", e.Candidates[0].Metadata()["order"])
		assert.ErrorContains(t, err, e.Candidates[0].ID)
	}
	// Other data, another number or another amount is another payout.
	for name, change := range map[string]func(*intram.PayoutParams){
		"metadata": func(p *intram.PayoutParams) { p.Metadata = map[string]any{"order": "18"} },
		"number": func(p *intram.PayoutParams) {
			p.Destination = intram.MobileMoney{ProviderCode: intram.MTNBenin, MSISDN: "22961234568"}
		},
		"amount": func(p *intram.PayoutParams) { p.Amount = intram.NewAmount(25001) },
		"kind":   func(p *intram.PayoutParams) { p.Destination = intram.BankAccount{AccountNumber: "22961234567"} },
	} {
		params := nameless
		change(&params)
		intent := oldIntent(t, server, params, false)
		_, err = client.Payouts.Resume(t.Context(), params, intent)
		require.ErrorIs(t, err, intram.ErrNeverSent, name)
	}
	// A reference that was used twice names neither.
	_, err = client.Payouts.Create(t.Context(), intentParams())
	require.NoError(t, err)
	intent := oldIntent(t, server, intentParams(), true)
	_, err = client.Payouts.Resume(t.Context(), intentParams(), intent)
	var e *intram.CannotTellError
	require.ErrorAs(t, err, &e)
	assert.Len(t, e.Candidates, 2)
}

func TestResumeConcludesNothingBeforeTheLastCallIsADayOld(t *testing.T) {
	t.Parallel()
	server := intramtest.NewServer(t, intramtest.WithoutListener())
	client := server.Client()
	intent, err := client.Payouts.Prepare(intentParams())
	require.NoError(t, err)
	server.Advance(intram.IntentHorizon + time.Minute)
	_, err = client.Payouts.Resume(t.Context(), intentParams(), intent)
	var e *intram.CannotTellError
	require.ErrorAs(t, err, &e)
	assert.WithinDuration(t, intent.FirstSentAt.Add(24*time.Hour), e.RetryAt, time.Second)
	assert.Empty(t, e.Candidates)
	server.Advance(e.RetryAt.Sub(server.Now()))
	_, err = client.Payouts.Resume(t.Context(), intentParams(), intent)
	require.ErrorIs(t, err, intram.ErrNeverSent)

	// An intent that a clock ahead of the server's dated is not older than that, whatever
	// this machine says.
	ahead := server.Client(intram.WithClock(&offClock{server.Clock(), 10 * time.Hour}))
	intent, err = client.Payouts.Prepare(intentParams())
	require.NoError(t, err)
	server.Advance(15 * time.Hour)
	_, err = ahead.Payouts.Resume(t.Context(), intentParams(), intent)
	require.ErrorIs(t, err, intram.ErrCannotTell)
}

// A list may end early, or never.
func TestResumeReadsTheListToItsEnd(t *testing.T) {
	t.Parallel()
	server := intramtest.NewServer(t, intramtest.WithoutListener())
	first, err := server.Client().Payouts.Prepare(intentParams())
	require.NoError(t, err)
	_, err = server.Client().Payouts.Create(t.Context(), intentParams(), intram.WithIntent(first))
	require.NoError(t, err)
	intent := afterCrash(t, first)
	for i := range 130 { // later ones come first
		server.Advance(time.Second)
		params := intentParams()
		params.Reference = fmt.Sprint("LATER-", i)
		_, err := server.Client().Payouts.Create(t.Context(), params)
		require.NoError(t, err)
	}
	server.Advance(25 * time.Hour)

	early := server.Client(lists(server, func(_ http.Header, l map[string]any) { l["paging"] = nil }))
	op, err := early.Payouts.Resume(t.Context(), intentParams(), intent)
	require.NoError(t, err, "a list without cursors has a second page all the same")
	assert.Equal(t, "PO-1", op.Reference())

	still := server.Client(lists(server, func(_ http.Header, l map[string]any) {
		l["data"] = []any{}
		l["paging"] = map[string]any{"next_before": server.Now().Add(-time.Hour).Format("2006-01-02T15:04:05.000Z")}
	}))
	_, err = still.Payouts.Resume(t.Context(), intentParams(), intent)
	require.ErrorIs(t, err, intram.ErrCannotTell)

	require.NoError(t, server.Fault(intramtest.Fault{Kind: intramtest.NotJSON, On: "GET /operations", Times: 1}))
	_, err = server.Client(intram.WithMaxAttempts(1)).Payouts.Resume(t.Context(), intentParams(), intent)
	require.ErrorIs(t, err, intram.ErrCannotTell)
	assert.Equal(t, intram.OutcomeUnknown, intram.OutcomeOf(err))
}

func TestRefundsAndPaymentRequestsAreResumed(t *testing.T) {
	t.Parallel()
	server := intramtest.NewServer(t, intramtest.WithoutListener())
	client := server.Client()
	request := intram.PaymentRequestParams{
		Invoice:     intram.Invoice{Amount: intram.NewAmount(1000), Currency: intram.XOF},
		WebhookData: map[string]any{"order": int64(9007199254740993)},
	}
	asked, err := client.PaymentRequests.Prepare(request)
	require.NoError(t, err)
	made, err := client.PaymentRequests.Resume(t.Context(), request, asked)
	require.NoError(t, err)
	page, err := client.PaymentRequests.Wait(t.Context(), made.ID)
	require.NoError(t, err)
	require.NoError(t, server.Pay(page.TransactionReference))

	full := intram.RefundParams{TransactionReference: page.TransactionReference, Metadata: map[string]any{"case": "R-1"}}
	returned, err := client.Refunds.Prepare(full)
	require.NoError(t, err)
	refund, err := client.Refunds.Resume(t.Context(), full, returned)
	require.NoError(t, err)

	server.Advance(25 * time.Hour)
	op, err := client.PaymentRequests.Resume(t.Context(), request, afterCrash(t, asked))
	require.NoError(t, err)
	assert.Equal(t, made.ID, op.ID)
	assert.Equal(t, json.Number("9007199254740993"), op.Metadata()["order"])
	op, err = client.Refunds.Resume(t.Context(), full, afterCrash(t, returned))
	require.NoError(t, err)
	assert.Equal(t, refund.ID, op.ID)
	assert.Equal(t, "R-1", op.Metadata()["case"])

	// Without data of its own, an equal one is a candidate, and one of another payment is
	// not.
	for _, reference := range []string{page.TransactionReference, strings.Repeat("A", 10)} {
		params := intram.RefundParams{TransactionReference: reference}
		intent, err := client.Refunds.Prepare(params)
		require.NoError(t, err)
		intent.FirstSentAt = intent.FirstSentAt.Add(-25 * time.Hour)
		_, err = client.Refunds.Resume(t.Context(), params, intent)
		if reference == page.TransactionReference {
			require.ErrorIs(t, err, intram.ErrCannotTell)
		} else {
			require.ErrorIs(t, err, intram.ErrNeverSent)
		}
	}
}

// A derived key is as old as its first use. An intent that was prepared again with it
// does not know that.
func TestResumeDatesAKeyByItsFirstUse(t *testing.T) {
	t.Parallel()
	server := intramtest.NewServer(t, intramtest.WithoutListener())
	key, err := intram.DeriveIdempotencyKey("payout", "PO-1")
	require.NoError(t, err)
	// The first process pays, and dies before it saved anything.
	first, err := server.Client().Payouts.Create(t.Context(), intentParams(), intram.WithIdempotencyKey(key))
	require.NoError(t, err)

	// The second prepares the same payout half a day later, and dies with it in doubt.
	server.Advance(12 * time.Hour)
	client := server.Client(intram.WithMaxAttempts(1))
	intent, err := client.Payouts.Prepare(intentParams(), intram.WithIdempotencyKey(key))
	require.NoError(t, err)
	require.NoError(t, server.Fault(intramtest.Fault{Kind: intramtest.Reset, On: "POST /payouts", Times: 1}))
	_, err = client.Payouts.Create(t.Context(), intentParams(), intram.WithIntent(intent))
	require.Equal(t, intram.OutcomeUnknown, intram.OutcomeOf(err))

	// The third has an intent that is good by its date, and a key that the API has
	// forgotten.
	server.Advance(13 * time.Hour)
	posts := payoutPosts(server)
	op, err := server.Client().Payouts.Resume(t.Context(), intentParams(), afterCrash(t, intent))
	require.NoError(t, err)
	assert.Equal(t, first.ID, op.ID)
	assert.Equal(t, posts, payoutPosts(server))

	// Without a reference it cannot be told, and is not sent either.
	nameless := intentParams()
	nameless.Reference = ""
	intent, err = client.Payouts.Prepare(nameless, intram.WithIdempotencyKey("another-key"))
	require.NoError(t, err)
	_, err = client.Payouts.Resume(t.Context(), nameless, afterCrash(t, intent))
	require.ErrorIs(t, err, intram.ErrCannotTell)
	assert.Equal(t, posts, payoutPosts(server))
}

// What is younger than the horizon is no danger: if it is the intent's, the API still
// knows its key.
func TestResumeSendsPastCandidatesWhoseKeysAreKnown(t *testing.T) {
	t.Parallel()
	server := intramtest.NewServer(t, intramtest.WithoutListener())
	client := server.Client()
	nameless := intentParams()
	nameless.Reference = ""
	intent, err := client.Payouts.Prepare(nameless, intram.WithIdempotencyKey("first-key"))
	require.NoError(t, err)
	first, err := client.Payouts.Create(t.Context(), nameless, intram.WithIntent(intent))
	require.NoError(t, err)
	server.Advance(20 * time.Hour)
	again, err := client.Payouts.Resume(t.Context(), nameless, afterCrash(t, intent))
	require.NoError(t, err)
	assert.Equal(t, first.ID, again.ID)
}

// The clock was three hours ahead when the intent was made, and was set right: the intent
// looks three hours younger than its key is.
func TestResumeLooksBeforeItSendsAnOldIntent(t *testing.T) {
	t.Parallel()
	server := intramtest.NewServer(t, intramtest.WithoutListener())
	clock := &offClock{server.Clock(), 3 * time.Hour}
	client := server.Client(intram.WithClock(clock))
	intent, err := client.Payouts.Prepare(intentParams())
	require.NoError(t, err)
	first, err := client.Payouts.Create(t.Context(), intentParams(), intram.WithIntent(intent))
	require.NoError(t, err)
	server.Advance(25 * time.Hour)
	op, err := server.Client().Payouts.Resume(t.Context(), intentParams(), afterCrash(t, intent))
	require.NoError(t, err)
	assert.Equal(t, first.ID, op.ID)
	assert.Equal(t, int64(975000), server.Ledger().Balance(server.WalletAccount(intram.Sandbox, intram.MTNBenin)), "paid once")
	// One of which nothing came is sent.
	params := intentParams()
	params.Reference = "PO-2"
	intent, err = client.Payouts.Prepare(params)
	require.NoError(t, err)
	intent.FirstSentAt = server.Now().Add(-12 * time.Hour)
	_, err = server.Client().Payouts.Resume(t.Context(), params, afterCrash(t, intent))
	require.NoError(t, err)
}

func TestManyIntentsShareOneLookBack(t *testing.T) {
	t.Parallel()
	server := intramtest.NewServer(t, intramtest.WithoutListener())
	client := server.Client()
	const many = 40
	params, intents := make([]intram.PayoutParams, many), make([]*intram.Intent, many)
	for i := range many {
		params[i] = intentParams()
		params[i].Reference = fmt.Sprint("PO-", i)
		intent, err := client.Payouts.Prepare(params[i])
		require.NoError(t, err)
		if i%2 == 0 {
			_, err = client.Payouts.Create(t.Context(), params[i], intram.WithIntent(intent))
			require.NoError(t, err)
		}
		intents[i] = afterCrash(t, intent)
		server.Advance(time.Minute)
	}
	server.Advance(25 * time.Hour)
	before := len(server.Requests())
	var look intram.LookBack
	var wg sync.WaitGroup
	for i := range many {
		wg.Go(func() {
			op, err := client.Payouts.Resume(t.Context(), params[i], intents[i], intram.WithLookBack(&look))
			if i%2 == 0 {
				if assert.NoError(t, err) {
					assert.Equal(t, params[i].Reference, op.Reference())
				}
				return
			}
			assert.ErrorIs(t, err, intram.ErrNeverSent)
		})
	}
	wg.Wait()
	assert.LessOrEqual(t, len(server.Requests())-before, 4)

	// What was read before an intent was a day old proves nothing for it.
	late, err := client.Payouts.Prepare(intentParams())
	require.NoError(t, err)
	_, err = client.Payouts.Create(t.Context(), intentParams(), intram.WithIntent(late))
	require.NoError(t, err)
	server.Advance(25 * time.Hour)
	op, err := client.Payouts.Resume(t.Context(), intentParams(), afterCrash(t, late), intram.WithLookBack(&look))
	require.NoError(t, err)
	assert.Equal(t, "PO-1", op.Reference())

	// Those that wait for a read that another makes keep their own deadline.
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = client.Payouts.Resume(cancelled, params[0], intents[0], intram.WithLookBack(new(intram.LookBack)))
	require.ErrorIs(t, err, intram.ErrCannotTell)
	_, err = client.Payouts.Resume(t.Context(), params[0], intents[0], intram.WithLookBack(nil))
	require.ErrorContains(t, err, "WithLookBack is nil")
}

// A later intent is resumed first, and what was read for it does not go back to the
// earlier one.
func TestAnEarlierIntentIsLookedForBeyondWhatWasRead(t *testing.T) {
	t.Parallel()
	server := intramtest.NewServer(t, intramtest.WithoutListener())
	client := server.Client()
	early := oldIntent(t, server, intentParams(), true)
	others(t, server, 101) // so that the page that ends the search does not happen to show it
	server.Advance(72 * time.Hour)
	later := intentParams()
	later.Reference = "PO-2"
	late := oldIntent(t, server, later, false)

	var look intram.LookBack
	_, err := client.Payouts.Resume(t.Context(), later, late, intram.WithLookBack(&look))
	require.ErrorIs(t, err, intram.ErrNeverSent)
	op, err := client.Payouts.Resume(t.Context(), intentParams(), early, intram.WithLookBack(&look))
	require.NoError(t, err)
	assert.Equal(t, "PO-1", op.Reference())
}

// What was read of a list before it broke off is not shared with those that come after.
func TestALookBackKeepsNoListThatBrokeOff(t *testing.T) {
	t.Parallel()
	server := intramtest.NewServer(t, intramtest.WithoutListener())
	intent := oldIntent(t, server, intentParams(), true)
	others(t, server, 130)
	pages := 0
	client := server.Client(lists(server, func(_ http.Header, list map[string]any) {
		if pages++; pages == 2 {
			clear(list)
		}
	}), intram.WithMaxAttempts(1))

	var look intram.LookBack
	_, err := client.Payouts.Resume(t.Context(), intentParams(), intent, intram.WithLookBack(&look))
	require.ErrorIs(t, err, intram.ErrCannotTell)
	op, err := client.Payouts.Resume(t.Context(), intentParams(), intent, intram.WithLookBack(&look))
	require.NoError(t, err)
	assert.Equal(t, "PO-1", op.Reference())
}

// others makes payouts that are not the intent's, one a second, and lets them grow old.
func others(t *testing.T, server *intramtest.Server, n int) {
	t.Helper()
	for i := range n {
		params := intentParams()
		params.Reference = fmt.Sprint("LATER-", i)
		_, err := server.Client().Payouts.Create(t.Context(), params)
		require.NoError(t, err)
		server.Advance(time.Second)
	}
	server.Advance(25 * time.Hour)
}

// A page may end between two operations of one millisecond, and an item may be dated
// wrongly: neither ends the search.
func TestResumeReadsPastOddPages(t *testing.T) {
	t.Parallel()
	for name, rewrite := range map[string]func(map[string]any){
		"one millisecond on two pages": nil,
		"one item of another year":     func(item map[string]any) { item["date"] = "2020-05-20T10:30:00.000Z" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := intramtest.NewServer(t, intramtest.WithoutListener())
			client := server.Client()
			first, err := client.Payouts.Prepare(intentParams())
			require.NoError(t, err)
			_, err = client.Payouts.Create(t.Context(), intentParams(), intram.WithIntent(first))
			require.NoError(t, err)
			others(t, server, 100) // the first of them in the same millisecond
			client = server.Client(lists(server, func(_ http.Header, list map[string]any) {
				if items, _ := list["data"].([]any); len(items) == 100 && rewrite != nil {
					rewrite(items[1].(map[string]any))
				}
			}))
			op, err := client.Payouts.Resume(t.Context(), intentParams(), afterCrash(t, first))
			require.NoError(t, err)
			assert.Equal(t, "PO-1", op.Reference())
		})
	}
}

// A clock that was set back makes an intent younger than the server says: it is a day old
// by both, or nothing is proved.
func TestResumeWaitsForTheSlowerOfBothClocks(t *testing.T) {
	t.Parallel()
	server := intramtest.NewServer(t, intramtest.WithoutListener())
	intent := oldIntent(t, server, intentParams(), false)
	client := server.Client(intram.WithClock(&offClock{server.Clock(), -90 * time.Minute}))
	_, err := client.Payouts.Resume(t.Context(), intentParams(), intent)
	var cannot *intram.CannotTellError
	require.ErrorAs(t, err, &cannot)
	assert.False(t, cannot.RetryAt.IsZero())
}

// An intent that was saved without its date says nothing of when it may have been
// executed. A list of another time is no proof that it was not.
func TestAnIntentThatLostAFieldIsRefused(t *testing.T) {
	t.Parallel()
	server := intramtest.NewServer(t, intramtest.WithoutListener())
	client := server.Client()
	prepared, err := client.Payouts.Prepare(intentParams())
	require.NoError(t, err)
	_, err = client.Payouts.Create(t.Context(), intentParams(), intram.WithIntent(prepared))
	require.NoError(t, err)
	requests := len(server.Requests())
	saved, err := json.Marshal(prepared)
	require.NoError(t, err)
	for name, tt := range map[string]struct {
		field  string
		change func(fields map[string]any)
	}{
		"no date":        {"first_sent_at", func(f map[string]any) { delete(f, "first_sent_at") }},
		"a null date":    {"first_sent_at", func(f map[string]any) { f["first_sent_at"] = nil }},
		"a zero date":    {"first_sent_at", func(f map[string]any) { f["first_sent_at"] = time.Time{} }},
		"the Unix epoch": {"first_sent_at", func(f map[string]any) { f["first_sent_at"] = time.Unix(0, 0) }},
		"no key":         {"idempotency_key", func(f map[string]any) { delete(f, "idempotency_key") }},
		"no hash":        {"call_sha256", func(f map[string]any) { delete(f, "call_sha256") }},
	} {
		var fields map[string]any
		require.NoError(t, json.Unmarshal(saved, &fields))
		tt.change(fields)
		data, err := json.Marshal(fields)
		require.NoError(t, err)
		intent := new(intram.Intent)
		require.NoError(t, json.Unmarshal(data, intent))
		_, resumed := client.Payouts.Resume(t.Context(), intentParams(), intent)
		_, created := client.Payouts.Create(t.Context(), intentParams(), intram.WithIntent(intent))
		for _, err := range []error{resumed, created} {
			require.ErrorIs(t, err, intram.CodeValidationError, name)
			require.NotErrorIs(t, err, intram.ErrNeverSent, name)
			require.ErrorContains(t, err, "intent."+tt.field+" is missing", name)
			assert.Equal(t, intram.OutcomeUnknown, intram.OutcomeOf(err), name)
		}
	}
	literal := &intram.Intent{IdempotencyKey: prepared.IdempotencyKey, CallSHA256: prepared.CallSHA256}
	_, err = client.Payouts.Resume(t.Context(), intentParams(), literal)
	require.ErrorContains(t, err, "intent.first_sent_at is missing")
	assert.Equal(t, intram.OutcomeUnknown, intram.OutcomeOf(err))
	assert.Len(t, server.Requests(), requests, "nothing is sent, and nothing is looked for")
}

// A given key is as old as its first use, which an intent that was made for it days later
// does not know.
func TestResumeFindsTheFirstUseOfAGivenKey(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for name, tt := range map[string]struct {
		ago   time.Duration
		found bool
	}{
		"30 hours": {30 * time.Hour, true}, "3 days": {3 * day, true}, "6 days": {6 * day, true},
		"more than 6 days": {6*day + time.Minute, false}, // the bound that is documented
	} {
		for _, fresh := range []bool{true, false} {
			server := intramtest.NewServer(t, intramtest.WithoutListener())
			client := server.Client()
			first, err := client.Payouts.Create(t.Context(), intentParams(), intram.WithIdempotencyKey("payout-PO-1"))
			require.NoError(t, err)
			server.Advance(tt.ago)
			intent, err := server.Client().Payouts.Prepare(intentParams(), intram.WithIdempotencyKey("payout-PO-1"))
			require.NoError(t, err)
			if !fresh {
				intent = afterCrash(t, intent)
			}
			op, err := server.Client().Payouts.Resume(t.Context(), intentParams(), intent)
			require.NoError(t, err)
			assert.Equal(t, tt.found, op.ID == first.ID, "%s, fresh: %v", name, fresh)
			assert.Equal(t, map[bool]int{true: 1, false: 2}[tt.found], payoutPosts(server), "%s, fresh: %v", name, fresh)
		}
	}

	// A look is no use of the intent: what a refusal of a fresh one says stays
	// definitive.
	server := intramtest.NewServer(t, intramtest.WithoutListener())
	unknown := intram.RefundParams{TransactionReference: "AB12CD34EF"}
	intent, err := server.Client().Refunds.Prepare(unknown, intram.WithIdempotencyKey("refund-1"))
	require.NoError(t, err)
	require.NoError(t, server.Fault(intramtest.Fault{Kind: intramtest.Refuse, On: "POST /refunds", Times: 1}))
	_, err = server.Client(intram.WithMaxAttempts(1)).Refunds.Resume(t.Context(), unknown, intent)
	require.Error(t, err)
	assert.Equal(t, intram.OutcomeNotSent, intram.OutcomeOf(err))
}

// Without the list it is not known how old the key is.
func TestResumeDoesNotSendPastAListThatCannotBeRead(t *testing.T) {
	t.Parallel()
	for _, kind := range []intramtest.FaultKind{intramtest.ProxyRefusal, intramtest.ServerError, intramtest.ProxyError, intramtest.Reset} {
		for _, given := range []bool{true, false} {
			server := intramtest.NewServer(t, intramtest.WithoutListener())
			client := server.Client(intram.WithMaxAttempts(1))
			var opts []intram.CallOption
			if given {
				opts = append(opts, intram.WithIdempotencyKey("payout-PO-1"))
			}
			intent, err := client.Payouts.Prepare(intentParams(), opts...)
			require.NoError(t, err)
			if !given {
				server.Advance(12 * time.Hour)
				intent = afterCrash(t, intent)
			}
			require.NoError(t, server.Fault(intramtest.Fault{Kind: kind, On: "GET /operations", Times: 1}))
			op, err := client.Payouts.Resume(t.Context(), intentParams(), intent)
			assert.Nil(t, op)
			var e *intram.CannotTellError
			require.ErrorAs(t, err, &e, "%s, given: %v", kind, given)
			require.Error(t, e.Err)
			assert.Equal(t, intram.OutcomeUnknown, intram.OutcomeOf(err))
			assert.Zero(t, payoutPosts(server), "%s, given: %v", kind, given)

			_, err = client.Payouts.Resume(t.Context(), intentParams(), intent)
			require.NoError(t, err, "the list can be read again")
		}
	}
}

// A refund without an amount returns all that is left. One that said how much is another,
// whatever data it carries.
func TestARefundOfAllIsNotAnEarlierRefundOfAPart(t *testing.T) {
	t.Parallel()
	server := intramtest.NewServer(t, intramtest.WithoutListener())
	client := server.Client()
	request, err := client.PaymentRequests.Create(t.Context(), intram.PaymentRequestParams{
		Invoice: intram.Invoice{Amount: intram.NewAmount(1000), Currency: intram.XOF},
	})
	require.NoError(t, err)
	page, err := client.PaymentRequests.Wait(t.Context(), request.ID)
	require.NoError(t, err)
	require.NoError(t, server.Pay(page.TransactionReference))
	rest := intram.RefundParams{TransactionReference: page.TransactionReference, Metadata: map[string]any{"case": "R-1"}}
	part := rest
	part.Amount = intram.NewAmount(100)
	partly, err := client.Refunds.Create(t.Context(), part)
	require.NoError(t, err)
	intent, err := client.Refunds.Prepare(rest)
	require.NoError(t, err)
	server.Advance(25 * time.Hour)
	op, err := client.Refunds.Resume(t.Context(), rest, afterCrash(t, intent))
	assert.Nil(t, op)
	var e *intram.CannotTellError
	require.ErrorAs(t, err, &e)
	require.Len(t, e.Candidates, 1)
	assert.Equal(t, partly.ID, e.Candidates[0].ID)
}

// A clock that was two years ahead dated the intent: the age of its key is unknown, and
// no list shows that time.
func TestAnIntentFromTheFarFutureIsNeverSentAndSaysSo(t *testing.T) {
	t.Parallel()
	for name, given := range map[string][]intram.CallOption{"generated": nil, "given": {intram.WithIdempotencyKey(ownKey)}} {
		server := intramtest.NewServer(t, intramtest.WithoutListener())
		client := server.Client()
		intent, err := client.Payouts.Prepare(intentParams(), given...)
		require.NoError(t, err)
		op, err := client.Payouts.Resume(t.Context(), intentParams(), intent)
		require.NoError(t, err)
		wrong := afterCrash(t, intent)
		wrong.FirstSentAt = server.Now().AddDate(2, 0, 0)

		for _, later := range []time.Duration{0, 48 * time.Hour, 300 * 24 * time.Hour} {
			server.Advance(later)
			sent := payoutPosts(server)
			_, err = client.Payouts.Create(t.Context(), intentParams(), intram.WithIntent(wrong))
			require.ErrorIs(t, err, intram.ErrIntentExpired, name)
			assert.ErrorContains(t, err, "this machine's clock is wrong, or was", name)
			_, err = client.Payouts.Resume(t.Context(), intentParams(), wrong)
			var told *intram.CannotTellError
			require.ErrorAs(t, err, &told, name)
			assert.ErrorContains(t, err, "the clock was wrong that dated it", name)
			assert.Equal(t, intram.OutcomeUnknown, intram.OutcomeOf(err), name)
			assert.Zero(t, told.RetryAt, "no time makes it certain")
			assert.Equal(t, sent, payoutPosts(server), name)
		}

		// With its own date, it is found.
		found, err := client.Payouts.Resume(t.Context(), intentParams(), afterCrash(t, intent))
		require.NoError(t, err)
		assert.Equal(t, op.ID, found.ID)
	}
}

// A page whose cursor and items contradict each other does not end the list where the
// payout may still follow.
func TestResumeReadsPastAPageThatContradictsItsCursor(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ item, cursor time.Duration }{
		"an older item comes first":          {item: -300 * time.Hour, cursor: time.Hour},
		"the cursor leaves a time out of it": {item: time.Hour, cursor: -300 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := intramtest.NewServer(t, intramtest.WithoutListener())
			intent := oldIntent(t, server, intentParams(), true)
			first := true
			client := server.Client(intram.WithMaxAttempts(1), lists(server, func(_ http.Header, list map[string]any) {
				if !first {
					return
				}
				first = false
				list["data"] = []any{map[string]any{
					"operation_id": "op_other", "type": "payout", "status": "succeeded", "env": "sandbox",
					"date":    intent.FirstSentAt.Add(tt.item),
					"payload": map[string]any{"amount": 1, "reference": "another", "destination": map[string]any{"msisdn": "22961000000"}},
				}}
				list["paging"] = map[string]any{"limit": 100, "next_before": intent.FirstSentAt.Add(tt.cursor)}
			}))
			op, err := client.Payouts.Resume(t.Context(), intentParams(), intent)
			require.NoError(t, err, "the payout is on the next page")
			assert.NotEqual(t, "op_other", op.ID)
		})
	}
}

func TestOneCandidateIsOneOperation(t *testing.T) {
	t.Parallel()
	one := &intram.CannotTellError{IdempotencyKey: "idem_1", Candidates: []*intram.Operation{{ID: "op_1"}}}
	assert.ErrorContains(t, one, "1 operation may have come of it (op_1)")
	two := &intram.CannotTellError{IdempotencyKey: "idem_1", Candidates: []*intram.Operation{{ID: "op_1"}, {ID: "op_2"}}}
	assert.ErrorContains(t, two, "2 operations may have come of it (op_1, op_2)")
}

// A refund or a payment request that is nearly the intent's is a candidate, and one that
// is another is not.
func TestResumeComparesRefundsAndPaymentRequests(t *testing.T) {
	t.Parallel()
	invoice := func(field string, value any) func(http.Header, map[string]any) {
		return eachPayload(func(p map[string]any) {
			of, _ := p["invoice"].(map[string]any)
			if of[field] = value; value == nil {
				delete(of, field)
			}
		})
	}
	const (
		found = iota
		candidate
		other
	)
	bare := eachItem(func(i map[string]any) { delete(i, "result") })
	for name, c := range map[string]struct {
		rewrite func(http.Header, map[string]any)
		want    int
	}{
		"request: as it is":           {func(http.Header, map[string]any) {}, found},
		"request: amount in a string": {invoice("amount", "1000.0"), found},
		"request: no amount":          {func(h http.Header, l map[string]any) { bare(h, l); invoice("amount", nil)(h, l) }, candidate},
		"request: another amount":     {invoice("amount", 1001), other},
		"request: another currency":   {invoice("currency", "EUR"), other},
		"request: currency in lower":  {invoice("currency", "xof"), found},
		"request: no data":            {eachPayload(func(p map[string]any) { delete(p, "webhook_data") }), candidate},
		"request: other data":         {eachPayload(func(p map[string]any) { p["webhook_data"] = map[string]any{"order": "2"} }), other},
		"request: more data":          {eachPayload(func(p map[string]any) { p["webhook_data"] = map[string]any{"order": "1", "via": "api"} }), found},
		"refund: as it is":            {func(http.Header, map[string]any) {}, found},
		"refund: no amount": {func(h http.Header, l map[string]any) {
			bare(h, l)
			eachPayload(func(p map[string]any) { delete(p, "amount") })(h, l)
		}, candidate},
		"refund: another amount":   {eachPayload(func(p map[string]any) { p["amount"] = 301 }), other},
		"refund: other data":       {eachPayload(func(p map[string]any) { p["metadata"] = map[string]any{"case": "R-2"} }), other},
		"refund: no data":          {eachPayload(func(p map[string]any) { delete(p, "metadata") }), candidate},
		"refund: of another":       {eachPayload(func(p map[string]any) { p["transaction_reference"] = "ZZZZZZZZZZ" }), other},
		"refund: by its other id":  {eachPayload(func(p map[string]any) { p["transaction_reference"] = strings.Repeat("a", 24) }), candidate},
		"payout: other metadata":   {eachPayload(func(p map[string]any) { p["metadata"] = map[string]any{"n": "2"} }), candidate},
		"payout: another currency": {eachPayload(func(p map[string]any) { p["currency"] = "EUR" }), candidate},
		"payout: no metadata":      {eachPayload(func(p map[string]any) { delete(p, "metadata") }), found},
		"payout: as it is":         {func(http.Header, map[string]any) {}, found},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := intramtest.NewServer(t, intramtest.WithoutListener())
			client := server.Client()
			request := intram.PaymentRequestParams{
				Invoice:     intram.Invoice{Amount: intram.NewAmount(1000), Currency: intram.XOF},
				WebhookData: map[string]any{"order": "1"},
			}
			payout := payoutWithMetadata()
			asked, err := client.PaymentRequests.Prepare(request)
			require.NoError(t, err)
			op, err := client.PaymentRequests.Create(t.Context(), request, intram.WithIntent(asked))
			require.NoError(t, err)
			page, err := client.PaymentRequests.Wait(t.Context(), op.ID)
			require.NoError(t, err)
			require.NoError(t, server.Pay(page.TransactionReference))
			part := intram.RefundParams{
				TransactionReference: page.TransactionReference, Amount: intram.NewAmount(300), Metadata: map[string]any{"case": "R-1"},
			}
			returned, err := client.Refunds.Prepare(part)
			require.NoError(t, err)
			_, err = client.Refunds.Create(t.Context(), part, intram.WithIntent(returned))
			require.NoError(t, err)
			paid, err := client.Payouts.Prepare(payout)
			require.NoError(t, err)
			_, err = client.Payouts.Create(t.Context(), payout, intram.WithIntent(paid))
			require.NoError(t, err)
			server.Advance(26 * time.Hour)

			reader := server.Client(lists(server, c.rewrite), intram.WithMaxAttempts(1))
			switch kind, _, _ := strings.Cut(name, ":"); kind {
			case "request":
				_, err = reader.PaymentRequests.Resume(t.Context(), request, afterCrash(t, asked))
			case "refund":
				_, err = reader.Refunds.Resume(t.Context(), part, afterCrash(t, returned))
			default:
				_, err = reader.Payouts.Resume(t.Context(), payout, afterCrash(t, paid))
			}
			switch c.want {
			case found:
				require.NoError(t, err)
			case candidate:
				e := new(intram.CannotTellError)
				require.ErrorAs(t, err, &e)
				assert.Len(t, e.Candidates, 1)
			default:
				require.ErrorIs(t, err, intram.ErrNeverSent)
			}
		})
	}
}

func payoutWithMetadata() intram.PayoutParams {
	p := intentParams()
	p.Metadata, p.Currency = map[string]any{"n": "1"}, intram.XOF
	return p
}
