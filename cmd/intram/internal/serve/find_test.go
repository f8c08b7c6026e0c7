package serve

import (
	"context"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/cmd/intram/internal/serve/servetest"
)

// page is a page of the dashboard as a person reads it, without the tags.
func (s *inProcess) page(path string) string {
	s.t.Helper()
	status, body := servetest.NewFormBrowser(s.t, s.url).Get("/_intram/sandbox/" + path)
	require.Equal(s.t, http.StatusOK, status, body)
	_, body, _ = strings.Cut(body, "<main")
	body = regexp.MustCompile(`(?s)<(title|style|script|datalist).*?</(title|style|script|datalist)>|<[^>]*>`).ReplaceAllString(body, " ")
	return strings.Join(strings.Fields(strings.ReplaceAll(html.UnescapeString(body), "\u00a0", " ")), " ")
}

func (s *inProcess) pay(number string, amount int64, reference string, options ...intram.CallOption) *intram.Operation {
	s.t.Helper()
	params := servetest.Payout(number, amount)
	params.Reference = reference
	op, err := s.client(intram.WithClock(s.core.Clock())).Payouts.Create(s.t.Context(), params, options...)
	require.NoError(s.t, err)
	return op
}

func frozen(o *options) { o.clock = clockFrozen }

func TestTheOverviewBeginsWithWhatNeedsAttention(t *testing.T) {
	t.Parallel()
	s := startInProcess(t, frozen)
	assert.NotContains(t, s.page(""), "Needs attention")
	handler := servetest.NewReceiver(t)
	_, err := s.client(intram.WithClock(s.core.Clock())).Webhooks.Create(t.Context(), intram.WebhookParams{URL: handler.URL, Event: "payout.completed"})
	require.NoError(t, err)
	handler.Fail(true)
	for i, number := range []string{"22961000003", "22961000004", "22961000001", "22961234567", "22961234568"} {
		s.pay(number, int64(1000+i), fmt.Sprintf("SAL-%d", i))
	}
	s.pay("22961000007", 7, "SAL-stuck")
	servetest.SignedBy(t, s.url, s.core.Merchant().Sandbox.Public, "sk_wrong", "/api/v1/merchant/payouts", `{"amount":1000}`)
	require.NoError(t, s.core.Idle(t.Context()))
	overview := s.page("")
	order := []string{
		"Needs attention", "3 operations failed", "1 002 XOF SAL-2 •••• 0001 · The operator responded with an error.",
		"1 000 XOF SAL-0 •••• 0003 · The operator refused (Declined by the payer).", "1 request refused", "POST /v1/payouts",
		"2 deliveries wait for their next attempt", "Latest operations", "SAL-stuck", "Latest requests",
	}
	for i, text := range order {
		require.Contains(t, overview, text)
		if i > 0 {
			assert.Less(t, strings.Index(overview, order[i-1]), strings.Index(overview, text), text)
		}
	}
	assert.NotContains(t, overview, "22961234567", "a number is shown by its end")
	// A day later the failures are history, and the deliveries have been given up or
	// tried again.
	handler.Fail(false)
	s.core.Clock().Advance(25 * time.Hour)
	assert.NotContains(t, s.page(""), "operations failed")
	assert.NotContains(t, s.page(""), "deliveries wait")
}

func TestAnEmptyOverviewHelpsToBegin(t *testing.T) {
	t.Parallel()
	s := startInProcess(t)
	empty := s.page("")
	for _, text := range []string{"Nothing has happened yet", "export INTRAM_SECRET_KEY=", "Make a payout now", "Ask for a payment now", "2290161000003 is declined by the customer"} {
		assert.Contains(t, empty, text)
	}
	_, live := servetest.NewFormBrowser(t, s.url).Get("/_intram/live/")
	assert.NotContains(t, live, "2290161000003", "live has no test numbers")
	s.pay("22961234567", 1000, "")
	assert.NotContains(t, s.page(""), "Nothing has happened yet")
}

func TestTheFormsCallTheAPI(t *testing.T) {
	t.Parallel()
	s := startInProcess(t)
	b := servetest.NewFormBrowser(t, s.url)
	page := b.Act("payout", "environment", "sandbox", "amount", "25 000 FCFA", "number", "01 61 23 45 67", "method", "MTN_BENIN_229", "reference", "SAL-1")
	assert.Contains(t, page, "The payout was asked for.")
	op := s.core.Operations("sandbox", 1)[0]
	assert.Contains(t, page, `href="/_intram/sandbox/operations/`+op.ID+`"`)
	assert.EqualValues(t, 25000, op.Amount)
	assert.Equal(t, "2290161234567", op.Number)
	assert.Equal(t, "SAL-1", op.OwnReference)
	b.Act("payment", "environment", "live", "amount", "12000", "description", "Commande 7", "number", "")
	asked := s.core.Operations("live", 1)[0]
	assert.Equal(t, "Commande 7", asked.Description)
	var calls []string
	for _, r := range s.core.Requests() {
		calls = append(calls, fmt.Sprint(r.Method, " ", r.Path, " ", r.Status))
	}
	assert.Equal(t, []string{"POST /v1/payouts 202", "POST /v1/payment-requests 202"}, calls)

	b.Act("top_up", "environment", "sandbox", "amount", "500 000", "method", "MTN_BENIN_229")
	assert.EqualValues(t, 1_475_000, s.core.Wallets("sandbox")[0].Available)
	b.Act("top_up", "environment", "sandbox", "amount", "3", "method", "CARD")
	assert.EqualValues(t, 3, s.core.Wallets("sandbox")[3].Available, "the wallet opens")
	b.Act("top_up", "environment", "live", "amount", "4", "method", "PAYIN")
	wallets := s.core.Wallets("live")
	assert.EqualValues(t, 4, wallets[len(wallets)-1].Available)
	for name, fields := range map[string][]string{
		"25.000: 25 or 25000":         {"payout", "amount", "25.000", "number", "01 61 23 45 67"},
		"number: missing":             {"payout", "amount", "25000"},
		"number: ":                    {"payment", "amount", "25000", "number", "12"},
		"the amount must be 1 to":     {"top_up", "amount", "0", "method", "MTN_BENIN_229"},
		"amount: XOF has no fraction": {"top_up", "amount", "2.5", "method", "MTN_BENIN_229"},
		"unknown payment method":      {"top_up", "amount", "5", "method", "MOON"},
	} {
		_, page := b.Post(fields[0], nil, append(fields[1:], "environment", "sandbox")...)
		assert.Contains(t, page, `role="alert"`)
		assert.Contains(t, html.UnescapeString(page), name)
	}
}

func TestOneSearchBoxFindsWhatAPersonHas(t *testing.T) {
	t.Parallel()
	s := startInProcess(t)
	client := s.client()
	wanted := s.pay("2290161234501", 25000, "SAL-2026-0042", intram.WithIdempotencyKey("the-key-of-0042"))
	s.pay("2290161239999", 31000, "SAL-2026-0043")
	request := servetest.PaymentRequest(12000, "Chaussures")
	request.WebhookData = map[string]any{"order_id": "CMD-77", "colour": "red"}
	asked, err := client.PaymentRequests.Create(t.Context(), request)
	require.NoError(t, err)
	op, _ := s.core.Operation(wanted.ID)
	for name, tt := range map[string]struct{ q, finds string }{
		"own reference":          {"sal-2026-0042", wanted.ID},
		"operation id":           {wanted.ID, wanted.ID},
		"transaction":            {op.Reference, wanted.ID},
		"number's end":           {"4501", wanted.ID},
		"number as it is shown":  {"•••• 4501", wanted.ID},
		"number as one has it":   {"01 61 23 45 01", wanted.ID},
		"old number":             {"+229 61 23 45 01", wanted.ID},
		"idempotency key":        {"the-key-of-0042", wanted.ID},
		"amount":                 {"25 000 FCFA", wanted.ID},
		"reference of a payment": {"CMD-77", asked.ID},
		"description":            {"chaussures", asked.ID},
	} {
		found := s.page("search?q=" + url.QueryEscape(tt.q))
		assert.Contains(t, found, tt.finds, name)
		for _, other := range []string{wanted.ID, asked.ID, "SAL-2026-0043"} {
			if other != tt.finds {
				assert.NotContains(t, found, other, name)
			}
		}
	}
	assert.Contains(t, s.page("search?q=0042"), "POST /v1/payouts", "the call too")
	assert.Contains(t, s.page("search?q=nowhere"), "Nothing was found.")
	assert.Contains(t, s.page("transactions"), "CMD-77")
	assert.Contains(t, s.page("wallets"), "SAL-2026-0042")
}

func TestAListShowsAllOfItPageByPage(t *testing.T) {
	t.Parallel()
	s := startInProcess(t, frozen)
	for i := range 120 {
		if i == 60 {
			s.core.Clock().Advance(3 * time.Hour)
		}
		number := "22961234567"
		if i%40 == 0 {
			number = "22961000003"
		}
		s.pay(number, 100, fmt.Sprintf("SAL-%03d", i))
	}
	first := s.page("operations")
	assert.Contains(t, first, "1–50 of 120")
	assert.Contains(t, first, "SAL-119")
	assert.NotContains(t, first, "SAL-069")
	last := s.page("operations?page=3")
	assert.Contains(t, last, "101–120 of 120")
	assert.Contains(t, last, "SAL-000")
	assert.Contains(t, s.page("operations?page=99"), "101–120 of 120")
	assert.Contains(t, s.page("operations?status=failed"), "1–3 of 3")
	assert.Contains(t, s.page("operations?code=provider_rejected&type=payout"), "1–3 of 3")
	assert.Contains(t, s.page("operations?type=refund"), "Nothing was found.")
	border := s.core.Clock().Now().Add(-time.Hour).UTC().Format("2006-01-02T15:04")
	assert.Contains(t, s.page("operations?to="+border), "1–50 of 60")
	assert.Contains(t, s.page("operations?status=failed&from="+border), "1–1 of 1")
	assert.Contains(t, s.page("transactions?page=2"), "51–100 of 120")
	_, body := servetest.NewFormBrowser(t, s.url).Get("/_intram/sandbox/operations?page=2&status=succeeded")
	assert.Contains(t, body, `<a rel="next" href="?page=3&amp;status=succeeded">`, "the filter goes on")
	assert.Contains(t, s.page("wallets"), "of 4")
}

func TestRepeatedPollsAreOneRow(t *testing.T) {
	t.Parallel()
	s := startInProcess(t)
	op := s.pay("22961000007", 1000, "SAL-1")
	for range 12 {
		_, err := s.client().Operations.Get(t.Context(), op.ID)
		require.NoError(t, err)
	}
	assert.Contains(t, s.page(""), "GET /v1/operations/"+op.ID+" 12 times SAL-1 1 000 XOF 200")
	assert.Contains(t, s.page("requests"), "12 times")
	assert.Contains(t, s.page("requests?polls=each"), "1–13 of 13")
}

// A bank that returns a payout makes no failed operation of it, and a failure all the
// same.
func TestAPayoutThatItsBankReturnedHasFailed(t *testing.T) {
	t.Parallel()
	s := startInProcess(t)
	op, err := s.client().Payouts.Create(t.Context(), intram.PayoutParams{Amount: intram.NewAmount(150000), Reference: "SAL-BANK", Destination: intram.BankAccount{
		SWIFT: "ECOCBJBJ", AccountNumber: "BJ0610100100144390000769", AccountName: "Ada", AccountSurname: "Lovelace"}})
	require.NoError(t, err)
	assert.Contains(t, s.page(""), "1 bank payout waits for the back office")
	assert.Contains(t, s.page("operations?status=queued_for_settlement"), "SAL-BANK")
	require.NoError(t, s.core.Fail(op.ID, "provider_rejected"))
	assert.Contains(t, s.page(""), "1 operation failed 150 000 XOF SAL-BANK •••• 0769 · The bank returned the transfer, and the money is back in the wallet.")
	assert.NotContains(t, s.page(""), "waits for the back office")
	assert.Contains(t, s.page("operations?status=failed"), "150 000 XOF failed The bank returned the transfer")
	assert.Contains(t, s.page("operations/"+op.ID), "What to do: Check the account number")
}

// Payins of Cameroon are in XAF, and in a wallet of their own.
func TestAmountsAreInTheirCurrency(t *testing.T) {
	t.Parallel()
	s := startInProcess(t)
	keys := s.core.Merchant().SandboxPayin
	payins, err := intram.NewPayinClient(keys.APIKey, keys.APIClient, intram.WithPayinBaseURL(s.url))
	require.NoError(t, err)
	session, err := payins.CreateSession(t.Context(), intram.PayinSessionParams{
		Reference: "7d0c2c1e-6f0e-4b51-9d57-1c9d3c1b7a10", Amount: intram.NewAmount(3000), MSISDN: "+237650000000", CustomerName: "Ada",
		Country: "CM", SuccessURL: "https://shop.example.com/merci", FailureURL: "https://shop.example.com/panier",
	})
	require.NoError(t, err)
	assert.NotContains(t, s.page("wallets"), "Payin Cameroon")
	one, err := s.core.Payin(session.Reference)
	require.NoError(t, err)
	require.NoError(t, s.core.ConfirmPayin(one.ID))
	assert.Contains(t, s.page("payins"), "3 000 XAF")
	assert.Contains(t, s.page("payins/"+one.ID), "Amount 3 000 XAF")
	assert.Contains(t, s.page("requests"), "3 000 XAF")
	assert.Contains(t, s.page("wallets"), "Payin Cameroon 3 000 XAF")
	assert.Contains(t, s.page("wallets"), "Your Payin Cameroon wallet 7d0c2c1e-6f0e-4b51-9d57-1c9d3c1b7a10 3 000 XAF")
	assert.Contains(t, s.page(""), "Payin Cameroon 3 000 XAF")
}

func TestAFailureSaysWhyAndWhatToDo(t *testing.T) {
	t.Parallel()
	s := startInProcess(t)
	failed := s.page("operations/" + s.pay("22961000002", 1000, "").ID)
	assert.Contains(t, failed, "Why: The merchant's wallet of this operator holds too little.")
	assert.Contains(t, failed, "What to do: Top the wallet up")
	assert.NotContains(t, failed, "Result Nothing yet")
	assert.Contains(t, s.page("operations/"+s.pay("22961000007", 1000, "").ID), "None yet: the operation has not ended.")
}

func TestTheOpeningBalancesAreTheFlags(t *testing.T) {
	t.Parallel()
	s := startInProcess(t, func(o *options) { o.balances = []string{"20 000", "mtn=0", "CARD=7"} })
	for _, environment := range []string{"sandbox", "live"} {
		held := map[string]int64{}
		for _, w := range s.core.Wallets(environment) {
			held[w.Method] = w.Available
		}
		assert.Equal(t, map[string]int64{"MTN_BENIN_229": 0, "MOOV_AFRICA_BENIN_229": 20_000, "SBIN_BENIN_229": 20_000, "CARD": 7, "PAYIN": 0}, held)
	}
}

// A number is typed in the form that its customer knows; what is stored is what the API
// would have been sent.
func TestTheCheckoutTakesANumberAsTheCustomerKnowsIt(t *testing.T) {
	t.Parallel()
	s := startInProcess(t)
	for typed, stored := range map[string]string{
		"01 61 23 45 67": "2290161234567", "61 23 45 67": "2290161234567", "+229 01-61-23-45-67": "2290161234567", "0022961234567": "2290161234567",
		"22961000000": "22961000000", "0161234567": "2290161234567",
	} {
		op, err := s.client().PaymentRequests.Create(t.Context(), servetest.PaymentRequest(500, "Commande"))
		require.NoError(t, err)
		reference := servetest.ReferenceOf(t, s.client(), op)
		send := func(number string) (int, string) {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/gateway/"+reference+"/pay",
				strings.NewReader(url.Values{"method": {"MOOV_AFRICA_BENIN_229"}, "msisdn": {number}}.Encode()))
			require.NoError(t, err)
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Header.Set("Accept-Language", "fr")
			return servetest.NewFormBrowser(t, s.url).Send(r)
		}
		for _, wrong := range []string{"12", "+33 6 12 34 56 78", "not a number"} {
			status, page := send(wrong)
			assert.Equal(t, http.StatusBadRequest, status, wrong)
			assert.Contains(t, html.UnescapeString(page), "Ce n'est pas un numéro mobile money de cet opérateur")
			assert.Contains(t, html.UnescapeString(page), `value="`+wrong+`"`, "what was typed is still there")
			assert.Contains(t, page, `<option value="MOOV_AFRICA_BENIN_229" selected>`)
		}
		status, page := send(typed)
		require.Equal(t, http.StatusOK, status)
		assert.Contains(t, page, "500\u00a0FCFA")
		tx, _ := s.core.Transaction(reference)
		assert.Equal(t, stored, tx.Number, typed)
	}
}

func TestTheStopwatchShowsWhatTheClockWasMovedBy(t *testing.T) {
	t.Parallel()
	s := startInProcess(t, frozen)
	b := servetest.NewFormBrowser(t, s.url)
	b.Act("advance", "by", "2h")
	b.Act("advance", "by", "6m")
	assert.Contains(t, s.page(""), "Stopwatch 2 h 06 min 00 s since")
	b.Act("stopwatch")
	assert.Contains(t, s.page(""), "Stopwatch 00 s since")
}

// A moment is readable without a script, and says exactly when to a mouse that rests on
// it.
func TestMomentsAreInUTCUntilTheScriptKnowsBetter(t *testing.T) {
	t.Parallel()
	s := startInProcess(t, frozen)
	s.pay("22961234567", 1000, "")
	at := s.core.Operations("sandbox", 1)[0].Created.UTC()
	_, body := servetest.NewFormBrowser(t, s.url).Get("/_intram/sandbox/operations")
	assert.Contains(t, body, `<time datetime="`+at.Format(time.RFC3339Nano)+`" title="`+at.Format("2006-01-02 15:04:05.000")+` UTC" data-at="short">`+at.Format("2 Jan 15:04:05")+` UTC</time>`)
}

func TestAMistypedAddressIsAnsweredHelpfullyAndIsNoCall(t *testing.T) {
	t.Parallel()
	s := startInProcess(t)
	get := func(path, accept string) (int, string) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+path, nil)
		require.NoError(t, err)
		r.Header.Set("Accept", accept)
		return servetest.NewFormBrowser(t, s.url).Send(r)
	}
	const browser = "text/html,application/xhtml+xml,*/*;q=0.8"
	for _, path := range []string{"/dashboard", "/operations/op_1", "/_intram/sandbox/nowhere", "/_intram/nowhere/", "/_intram/live/operation/op_1", "/%3Cscript%3E"} {
		status, page := get(path, browser)
		assert.Equal(t, http.StatusNotFound, status, path)
		assert.Contains(t, page, "There is no such page", path)
		assert.Contains(t, page, `href="/_intram/`, path)
		assert.NotContains(t, page, "<script>/", path)
	}
	for _, icon := range []string{"/favicon.ico", "/apple-touch-icon.png"} {
		status, picture := get(icon, "image/avif,*/*;q=0.8")
		assert.Equal(t, http.StatusOK, status)
		assert.Contains(t, picture, "<svg")
	}
	assert.Empty(t, s.core.Requests(), "none of it is a call")
	// A program that forgets the prefix, and a browser under it, are.
	get("/balance", "application/json")
	get("/v1/balances", browser)
	assert.Len(t, s.core.Requests(), 2)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/balance", nil)
	require.NoError(t, err)
	r.Header.Set("Accept", browser) // as some languages' libraries have it by default
	r.Header.Set("X-Api-Key", s.core.Merchant().Sandbox.Public)
	servetest.NewFormBrowser(t, s.url).Send(r)
	assert.Len(t, s.core.Requests(), 3)
}

func TestTheNumbersOnThePageDoWhatItSays(t *testing.T) {
	t.Parallel()
	s := startInProcess(t, frozen)
	_, page := servetest.NewFormBrowser(t, s.url).Get("/_intram/sandbox/numbers")
	_, table, _ := strings.Cut(page, "<table>")
	rows := regexp.MustCompile(`<code>(\d+)</code></td><td>([^<]+)`).FindAllStringSubmatch(strings.Split(table, "</table>")[0], -1)
	require.Len(t, rows, 16)
	for _, row := range rows {
		number, does := row[1], row[2]
		ctx, cancel := context.WithCancel(t.Context())
		op, err := s.client(intram.WithClock(s.core.Clock())).Payouts.Create(ctx, servetest.Payout(number, 10))
		cancel()
		if strings.Contains(does, "response is lost") {
			require.Error(t, err, does)
			continue
		}
		require.NoError(t, err)
		status := func() string {
			now, _ := s.core.Operation(op.ID)
			return now.Status
		}
		if strings.Contains(does, "after") || strings.Contains(does, "never ends") {
			assert.Equal(t, "processing", status(), does)
			s.core.Clock().Advance(6 * time.Minute)
		}
		want := map[bool]string{true: "succeeded"}[strings.HasPrefix(does, "succeeds")]
		for word, ends := range map[string]string{"fails": "failed", "is declined": "failed", "expires": "expired", "never ends": "processing"} {
			if strings.HasPrefix(does, word) {
				want = ends
			}
		}
		assert.Equal(t, want, status(), does)
	}
}
