package intramtest_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/intramtest"
)

// fakeTB is a test that can fail without failing this one. Fatalf returns, which a real
// one does not.
type fakeTB struct {
	testing.TB
	mu       sync.Mutex
	failed   bool
	said     []string
	cleanups []func()
}

func (f *fakeTB) Helper()           {}
func (f *fakeTB) Failed() bool      { return f.failed }
func (f *fakeTB) Cleanup(fn func()) { f.cleanups = append(f.cleanups, fn) }

func (f *fakeTB) say(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.said = append(f.said, fmt.Sprintf(format, args...))
}

func (f *fakeTB) Logf(format string, args ...any)   { f.say(format, args...) }
func (f *fakeTB) Errorf(format string, args ...any) { f.failed = true; f.say(format, args...) }
func (f *fakeTB) Fatalf(format string, args ...any) { f.failed = true; f.say(format, args...) }

func (f *fakeTB) end() {
	for _, cleanup := range slices.Backward(f.cleanups) {
		cleanup()
	}
}

func payoutOf(amount int64, msisdn string) intram.PayoutParams {
	return intram.PayoutParams{
		Amount: intram.NewAmount(amount), Destination: intram.MobileMoney{ProviderCode: intram.MTNBenin, MSISDN: msisdn},
	}
}

func TestServerClosesWithItsTest(t *testing.T) {
	t.Parallel()
	tb := &fakeTB{}
	server := intramtest.NewServer(tb)
	client := server.Client()
	_, err := client.Balance.Get(t.Context())
	require.NoError(t, err)
	tb.end()
	assert.Empty(t, tb.said, "a test that passed says nothing")
	_, err = net.Dial("tcp", strings.TrimPrefix(server.URL, "http://"))
	require.Error(t, err)
}

func TestFailedTestPrintsTheSeed(t *testing.T) {
	t.Parallel()
	tb := &fakeTB{}
	server := intramtest.NewServer(tb, intramtest.WithSeed(42))
	require.EqualValues(t, 42, server.Seed())
	tb.failed = true
	tb.end()
	require.Len(t, tb.said, 1)
	assert.Contains(t, tb.said[0], "WithSeed(42)")
	again := newServer(t, intramtest.WithSeed(42))
	assert.Equal(t, server.PublicKey, again.PublicKey)
	assert.Equal(t, server.LiveSecretKey, again.LiveSecretKey)
	assert.NotEqual(t, server.PublicKey, newServer(t).PublicKey)
}

func TestWrongOptionsFailTheTest(t *testing.T) {
	t.Parallel()
	for wrong, opt := range map[string]intramtest.Option{
		"FeeBasisPoints":       intramtest.WithFeeBasisPoints(-5),
		"PaymentExpiry":        intramtest.WithPaymentExpiry(0),
		"PayoutFeeBasisPoints": intramtest.WithPayoutFeeBasisPoints(-1),
		"DeliveryAttempts":     intramtest.WithDeliveryAttempts(0),
		"MinAmount":            intramtest.WithInvoiceLimits(10, 5),
		"IPAllowlist":          intramtest.WithIPAllowlist("nowhere"),
		"TrustedProxies":       intramtest.WithTrustedProxies("nowhere"),
		"WorkAfter":            intramtest.WithWorker(intramtest.After(0)),
		"JournalSize":          intramtest.WithJournalSize(-1),
		"environment":          intramtest.WithBalance("staging", intram.MTNBenin, 1),
		"listening":            intramtest.WithAddress("nowhere:-1"),
	} {
		tb := &fakeTB{}
		assert.Nil(t, intramtest.NewServer(tb, opt))
		require.Len(t, tb.said, 1, wrong)
		assert.Contains(t, tb.said[0], wrong)
		tb.end()
		_, err := intramtest.Start(opt)
		require.ErrorContains(t, err, wrong)
	}
}

func TestWrongClientOptionsAreSeen(t *testing.T) {
	t.Parallel()
	tb := &fakeTB{}
	server := intramtest.NewServer(tb)
	defer tb.end()
	assert.Nil(t, server.Client(intram.WithTimeout(-1)))
	assert.Nil(t, server.LiveClient(intram.WithTimeout(-1)))
	assert.Len(t, tb.said, 2)
	assert.Contains(t, tb.said[0], "WithTimeout")
	require.Error(t, server.Fault(intramtest.Fault{Kind: "explosion"}))
	assert.Contains(t, tb.said[2], "explosion")

	program, err := intramtest.Start()
	require.NoError(t, err)
	defer program.Close()
	_, err = program.NewClient(intram.WithTimeout(-1))
	require.ErrorContains(t, err, "WithTimeout")
	assert.PanicsWithValue(t, "intramtest: Client: "+err.Error(), func() { program.Client(intram.WithTimeout(-1)) })
	require.Error(t, program.Fault(intramtest.Fault{}))
}

func TestStartIsForPrograms(t *testing.T) {
	t.Parallel()
	server, err := intramtest.Start(nil, intramtest.WithAddress("127.0.0.1:0"))
	require.NoError(t, err)
	defer server.Close()
	assert.InDelta(t, 0, time.Since(server.Now()).Seconds(), 60, "its clock runs")
	_, err = server.Client().Balance.Get(t.Context())
	require.NoError(t, err)
	server.Advance(time.Hour)
	assert.InDelta(t, 3600, time.Until(server.Now()).Seconds(), 60)
	server.Close()
	server.Close()
}

func TestWalletsAreConfigured(t *testing.T) {
	t.Parallel()
	server := newServer(t,
		intramtest.WithBalance(intram.Sandbox, intram.MTNBenin, 500),
		intramtest.WithoutWallets(intram.Live))
	balance, err := server.Client().Balance.Get(t.Context())
	require.NoError(t, err)
	require.Len(t, balance.PaymentMethods, 3)
	assert.Equal(t, "500", balance.PaymentMethods[0].Available.String())
	assert.Equal(t, "1000000", balance.PaymentMethods[1].Available.String())
	none, err := server.LiveClient().Balance.Get(t.Context())
	require.NoError(t, err)
	assert.Empty(t, none.PaymentMethods)
	assert.Contains(t, server.Ledger().Accounts(), server.WalletAccount(intram.Sandbox, intram.MTNBenin))
	assert.Empty(t, server.Ledger().For(""))
}

func TestAddressesAreConfigured(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	_, err := newServer(t, intramtest.WithIPAllowlist()).LiveClient().Balance.Get(ctx)
	require.ErrorIs(t, err, intram.CodeIPAllowlistEmpty)
	_, err = newServer(t, intramtest.WithPeerAddress("203.0.113.7")).LiveClient().Balance.Get(ctx)
	require.ErrorIs(t, err, intram.CodeIPNotAllowed)
	server := newServer(t, intramtest.WithPeerAddress("203.0.113.7"), intramtest.WithIPAllowlist("203.0.113.0/24"))
	_, err = server.LiveClient().Balance.Get(ctx)
	require.NoError(t, err)
	require.NoError(t, server.SetIPAllowlist(server.PublicKey, "198.51.100.1"))
	_, err = server.LiveClient().Balance.Get(ctx)
	require.ErrorIs(t, err, intram.CodeIPNotAllowed)
	behind := newServer(t, intramtest.WithIPAllowlist("203.0.113.7"), intramtest.WithTrustedProxies("127.0.0.1"))
	_, err = behind.LiveClient(intram.WithHTTPClient(&http.Client{Transport: realIP{behind.Transport()}})).Balance.Get(ctx)
	require.NoError(t, err)
}

// realIP is a proxy that says where a call came from.
type realIP struct{ next http.RoundTripper }

func (p realIP) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("X-Real-IP", "203.0.113.7")
	return p.next.RoundTrip(r)
}

func TestPaymentsAreConfigured(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	server := newServer(t, intramtest.WithFeeBasisPoints(0), intramtest.WithInvoiceLimits(1, 50), intramtest.WithMerchantName("Ada & fils"), intramtest.WithStrictWebhookURLs())
	client := server.Client()
	op, err := client.PaymentRequests.Create(ctx, payment(50))
	require.NoError(t, err)
	result, err := client.PaymentRequests.Wait(ctx, op.ID)
	require.NoError(t, err)
	look, err := http.NewRequestWithContext(t.Context(), http.MethodGet, result.GatewayURL, http.NoBody)
	require.NoError(t, err)
	page, err := server.HTTPClient().Do(look)
	require.NoError(t, err)
	body := new(strings.Builder)
	_, err = fmt.Fprint(body, readAll(t, page))
	require.NoError(t, err)
	assert.Contains(t, body.String(), "Ada &amp; fils")
	require.NoError(t, server.Pay(result.TransactionReference))
	tx, err := server.AwaitTransaction(ctx, result.TransactionReference)
	require.NoError(t, err)
	assert.EqualValues(t, 50, tx.NetAmount, "no fee")
	_, err = client.PaymentRequests.Create(ctx, payment(51))
	require.ErrorIs(t, err, intram.CodeAmountTooLarge)
	_, err = client.Webhooks.Create(ctx, intram.WebhookParams{URL: "http://127.0.0.1:1/", Event: intram.EventAll})
	require.Error(t, err)
	fee := newServer(t, intramtest.WithFeeBasisPoints(100))
	op, err = fee.Client().PaymentRequests.Create(ctx, payment(1000))
	require.NoError(t, err)
	state, err := fee.AwaitOperation(ctx, op.ID)
	require.NoError(t, err)
	require.NoError(t, fee.Pay(state.Reference))
	tx, err = fee.AwaitTransaction(ctx, state.Reference)
	require.NoError(t, err)
	assert.EqualValues(t, 10, tx.Fees)
}

func readAll(t *testing.T, resp *http.Response) string {
	t.Helper()
	defer func() { _ = resp.Body.Close() }()
	rec := httptest.NewRecorder()
	_, err := rec.Body.ReadFrom(resp.Body)
	require.NoError(t, err)
	return rec.Body.String()
}

func TestSettlingByHand(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	server := newServer(t, intramtest.WithWorker(intramtest.ByHand()))
	client := server.Client()
	op, err := client.Payouts.Create(ctx, payoutOf(100, "22961234567"))
	require.NoError(t, err)
	require.NoError(t, server.Process(op.ID))
	got, err := client.Operations.Get(ctx, op.ID)
	require.NoError(t, err)
	assert.Equal(t, intram.OperationProcessing, got.Status)
	require.NoError(t, server.Complete(op.ID))
	_, err = client.Payouts.Wait(ctx, op.ID)
	require.NoError(t, err)

	failing, err := client.Payouts.Create(ctx, payoutOf(100, "22961234567"))
	require.NoError(t, err)
	require.NoError(t, server.Fail(failing.ID, intram.CodeProviderError))
	_, err = client.Payouts.Wait(ctx, failing.ID)
	require.ErrorIs(t, err, intram.CodeProviderError)
	state, err := server.AwaitOperation(ctx, failing.ID)
	require.NoError(t, err)
	assert.Equal(t, intram.OperationFailed, state.Status)
	assert.Equal(t, intram.CodeProviderError, state.ErrorCode)

	require.NoError(t, server.SetWorker(intramtest.AfterPolls(2)))
	polled, err := client.Payouts.Create(ctx, payoutOf(100, "22961234567"))
	require.NoError(t, err)
	first, err := client.Operations.Get(ctx, polled.ID)
	require.NoError(t, err)
	assert.Equal(t, intram.OperationProcessing, first.Status)
	second, err := client.Operations.Get(ctx, polled.ID)
	require.NoError(t, err)
	assert.Equal(t, intram.OperationSucceeded, second.Status)

	require.NoError(t, server.SetWorker(intramtest.AtOnce()))
	require.NoError(t, server.SetProviderDown(intram.MTNBenin, true))
	down, err := client.Payouts.Create(ctx, payoutOf(100, "22961234567"))
	require.NoError(t, err)
	_, err = client.Payouts.Wait(ctx, down.ID)
	require.ErrorIs(t, err, intram.CodeProviderUnavailable)
}

func TestPaymentsByHand(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	server := newServer(t)
	client := server.Client()
	reference := func() string {
		op, err := client.PaymentRequests.Create(ctx, payment(1000))
		require.NoError(t, err)
		result, err := client.PaymentRequests.Wait(ctx, op.ID)
		require.NoError(t, err)
		return result.TransactionReference
	}
	status := func(reference string) intram.TransactionStatus {
		tx, err := client.Transactions.Get(ctx, reference)
		require.NoError(t, err)
		return tx.Status
	}
	declined := reference()
	require.NoError(t, server.Decline(declined))
	assert.Equal(t, intram.TransactionError, status(declined))
	card := reference()
	require.NoError(t, server.PayWith(card, intramtest.Card, ""))
	assert.Equal(t, intram.TransactionPending, status(card))
	require.NoError(t, server.SettlePayment(card))
	assert.Equal(t, intram.TransactionSuccess, status(card))
	bank := reference()
	require.NoError(t, server.PayWith(bank, intramtest.Bank, ""))
	require.NoError(t, server.FailPayment(bank, intram.CodeProviderError))
	assert.Equal(t, intram.TransactionError, status(bank))
	late := reference()
	require.NoError(t, server.PayWith(late, intram.MoovBenin, "22994000008"))
	tx, err := client.Transactions.Wait(ctx, late) // its waiting moves the clock
	require.NoError(t, err)
	assert.Equal(t, intram.TransactionSuccess, tx.Status)
}

func TestEventsByHand(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	server := newServer(t)
	client := server.Client()
	var mu sync.Mutex
	var kinds []string
	status := http.StatusOK
	url := server.Receive(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		kinds = append(kinds, r.Header.Get("X-Intram-Event"))
		w.WriteHeader(status)
	}))
	_, err := client.Webhooks.Create(ctx, intram.WebhookParams{URL: url, Event: intram.EventAll})
	require.NoError(t, err)
	op, err := client.Payouts.Create(ctx, payoutOf(100, "22961000010"))
	require.NoError(t, err)
	require.NoError(t, server.Trigger(intram.EventPayoutFailed, op.ID))
	require.NoError(t, server.TriggerRaw("dispute.opened", "op_9", []byte(`{"anything":1}`)))
	event, err := server.AwaitEvent(ctx, "dispute.opened", "op_9")
	require.NoError(t, err)
	require.NoError(t, server.Resend(event.Deliveries[0]))
	require.NoError(t, server.Idle(ctx))
	assert.Equal(t, []string{"payout.failed", "dispute.opened", "dispute.opened"}, kinds)
	events := server.Events()
	require.Len(t, events, 3)
	assert.True(t, events[0].Suppressed, "the number keeps the first from being sent")
	assert.Equal(t, intram.EventPayoutFailed, events[1].Type)

	mu.Lock()
	status = http.StatusInternalServerError
	mu.Unlock()
	second, err := client.Payouts.Create(ctx, payoutOf(100, "22961234567"))
	require.NoError(t, err)
	event, err = server.AwaitEvent(ctx, intram.EventPayoutCompleted, second.ID)
	require.NoError(t, err)
	server.Advance(24 * time.Hour)
	delivery, err := server.AwaitDelivery(ctx, event.Deliveries[0])
	require.NoError(t, err)
	assert.Equal(t, intramtest.DeliveryExhausted, delivery.Status)
	assert.Len(t, delivery.Attempts, 6)
	deliveries := server.Deliveries()
	assert.Equal(t, delivery, deliveries[len(deliveries)-1])
}

func TestJournalExplains(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	server := newServer(t, intramtest.WithJournalSize(8))
	forger, err := intram.NewClient(server.PublicKey, "sk_sandbox_wrong0000", intram.WithBaseURL(server.URL), intram.WithHTTPClient(server.HTTPClient()), intram.WithClock(server.Clock()))
	require.NoError(t, err)
	_, err = forger.Payouts.Create(ctx, payoutOf(100, "22961234567"))
	require.ErrorIs(t, err, intram.CodeSignatureInvalid)
	calls := server.Requests()
	last := calls[len(calls)-1]
	assert.Equal(t, "signature_mismatch", last.Reason)
	assert.Equal(t, intram.CodeSignatureInvalid, last.Code)
	assert.True(t, strings.HasPrefix(string(last.Canonical), last.Timestamp+"\nPOST\n/api/v1/merchant/payouts\n\n{"))
	assert.Equal(t, intram.Sandbox, last.Environment)
	printed := fmt.Sprintf("%v %+v %#v", last, last, last)
	assert.Contains(t, printed, "POST /v1/payouts -> 401 signature_invalid signature_mismatch")
	assert.NotContains(t, printed, "22961234567")
	for range 12 {
		_, err = server.Client().Balance.Get(ctx)
		require.NoError(t, err)
	}
	assert.Len(t, server.Requests(), 8)
}

func TestSnapshotAndRestore(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	at := time.Date(2026, 5, 20, 10, 30, 0, 0, time.UTC)
	server := newServer(t, intramtest.WithFrozenClock(at))
	client := server.Client()
	before := server.Snapshot()
	for range 2 {
		require.Equal(t, at, server.Now())
		_, err := client.Payouts.Create(ctx, payoutOf(100, "22961234567"), intram.WithIdempotencyKey("the-same-key"))
		require.NoError(t, err)
		assert.EqualValues(t, 999_900, server.Ledger().Balance(server.WalletAccount(intram.Sandbox, intram.MTNBenin)))
		server.Advance(time.Hour)
		require.NoError(t, server.Restore(before))
	}
	require.Error(t, server.Restore(nil))
	require.Error(t, newServer(t).Restore(before))
}

func TestSeveralMerchants(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	server := newServer(t)
	other, err := server.AddMerchant("Other")
	require.NoError(t, err)
	assert.Equal(t, "Other", other.Name)
	theirs, err := other.NewClient()
	require.NoError(t, err)
	live, err := other.NewLiveClient()
	require.NoError(t, err)
	op, err := theirs.Payouts.Create(ctx, payoutOf(100, "22961234567"))
	require.NoError(t, err)
	for _, client := range []*intram.Client{server.Client(), server.LiveClient(), live} {
		_, err = client.Operations.Get(ctx, op.ID)
		require.ErrorIs(t, err, intram.CodeOperationNotFound)
	}
	require.NoError(t, server.SetMerchantActive(other.PublicKey, false))
	_, err = live.Balance.Get(ctx)
	require.ErrorIs(t, err, intram.CodeMerchantInactive)
	_, err = theirs.Balance.Get(ctx)
	require.NoError(t, err, "the sandbox is open to accounts that are not validated yet")
	_, err = server.Client().Balance.Get(ctx)
	require.NoError(t, err)
}

func TestAwaitingSaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	server := newServer(t, intramtest.WithWorker(intramtest.After(time.Minute)))
	op, err := server.Client().Payouts.Create(t.Context(), payoutOf(100, "22961234567"))
	require.NoError(t, err)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = server.AwaitOperation(ended, op.ID)
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorContains(t, err, "is queued")
	require.ErrorContains(t, err, "Advance")
	_, err = server.AwaitTransaction(ended, "NOTHING000")
	require.ErrorContains(t, err, "NOTHING000")
}

func TestServerIsAHandler(t *testing.T) {
	t.Parallel()
	server := newServer(t, intramtest.WithoutListener())
	front := httptest.NewServer(server)
	defer front.Close()
	network := &http.Transport{}
	defer network.CloseIdleConnections()
	client := server.Client(intram.WithBaseURL(front.URL), intram.WithHTTPClient(&http.Client{Transport: network}))
	_, err := client.Balance.Get(t.Context())
	require.NoError(t, err)
}

// A server that is shared by many goroutines keeps its books.
func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	for _, c := range connections {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			server := newServer(t, c.opts...)
			client := server.Client()
			var wg sync.WaitGroup
			errs := make([]error, 16)
			for i := range errs {
				wg.Go(func() {
					for range 5 {
						op, err := client.Payouts.Create(t.Context(), payoutOf(10, "22961234567"))
						if err == nil {
							_, err = client.Payouts.Wait(t.Context(), op.ID)
						}
						errs[i] = errors.Join(errs[i], err)
						_, _, _ = server.Ledger(), server.Requests(), server.Snapshot()
					}
				})
			}
			wg.Wait()
			require.NoError(t, errors.Join(errs...))
			assert.EqualValues(t, 1_000_000-16*5*10, server.Ledger().Balance(server.WalletAccount(intram.Sandbox, intram.MTNBenin)))
		})
	}
}
