package intram_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
)

// dumpingTracer writes everything that it is told in every way that Go has.
type dumpingTracer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (d *dumpingTracer) dump(facts any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	fmt.Fprintf(&d.text, "%v\n%+v\n%#v\n%s\n%q\n", facts, facts, facts, facts, facts)
	written, err := json.Marshal(facts)
	fmt.Fprintln(&d.text, string(written), err)
	for _, handler := range []slog.Handler{slog.NewTextHandler(&d.text, nil), slog.NewJSONHandler(&d.text, nil)} {
		slog.New(handler).LogAttrs(context.Background(), slog.LevelInfo, "facts", slog.Any("intram", facts))
	}
}

func (d *dumpingTracer) start(ctx context.Context, facts any) context.Context {
	d.dump(facts)
	return ctx
}

func (d *dumpingTracer) TraceCallStart(ctx context.Context, f intram.TraceCall) context.Context {
	return d.start(ctx, f)
}
func (d *dumpingTracer) TraceCallEnd(_ context.Context, f intram.TraceCallEnd) { d.dump(f) }

func (d *dumpingTracer) TraceAttemptStart(ctx context.Context, f intram.TraceAttempt) context.Context {
	return d.start(ctx, f)
}
func (d *dumpingTracer) TraceAttemptEnd(_ context.Context, f intram.TraceAttemptEnd) { d.dump(f) }

func (d *dumpingTracer) TraceBudgetSpent(_ context.Context, f intram.TraceCall)  { d.dump(f) }
func (d *dumpingTracer) TraceDoubt(_ context.Context, f intram.TraceCall, _ int) { d.dump(f) }

func (d *dumpingTracer) TraceWaitStart(ctx context.Context, f intram.TraceWait) context.Context {
	return d.start(ctx, f)
}
func (d *dumpingTracer) TraceWaitEnd(_ context.Context, f intram.TraceWaitEnd) { d.dump(f) }

func (d *dumpingTracer) TraceDeliveryStart(ctx context.Context, f intram.TraceDelivery) context.Context {
	return d.start(ctx, f)
}
func (d *dumpingTracer) TraceDeliveryEnd(_ context.Context, f intram.TraceDeliveryEnd) { d.dump(f) }

func (d *dumpingTracer) TraceInboxStart(ctx context.Context, f intram.TraceInbox) context.Context {
	return d.start(ctx, f)
}
func (d *dumpingTracer) TraceInboxEnd(_ context.Context, f intram.TraceInboxEnd) { d.dump(f) }

// What a tracer is told shows no secret and no person, however it is printed.
func TestATracerIsToldNoSecretAndNothingOfPersons(t *testing.T) {
	t.Parallel()
	tracer := new(dumpingTracer)
	const key = "mine-000" // the text of an error shows a call's key, as it does to the caller
	failure := canaryJSON(`{"error":true,"code":"validation_error","message":"FIRST LAST MSISDN TEXT","details":[{"path":"destination.msisdn","msg":"MSISDN of FIRST"}]}`)
	s := &script{t: t, steps: []step{
		answer(202, canaryJSON(`{"error":false,"data":{"operation_id":"op_1","type":"payout","status":"queued","payload":{"msisdn":"MSISDN","account_name":"FIRST"}}}`)),
		answer(400, failure, "X-Request-Id", canaryEmail),
		answer(403, canaryJSON(`<html>FIRST LAST TEXT</html>`)),
		func(*http.Request) (*http.Response, error) {
			return nil, errors.New("dial " + canaryFirst + " at " + canaryEmail + " with " + canarySecret)
		},
		answer(400, canaryJSON(`{"error":true,"code":"FIRST LAST MSISDN"}`)),
		answer(404, canaryJSON(`{"error":true,"code":"operation_not_found","message":"TEXT MSISDN"}`)),
		answer(200, canaryJSON(`{"error":false,"data":{"operation_id":"op_1","type":"payout","status":"failed","payload":{"msisdn":"MSISDN"},`+
			`"error":{"code":"provider_rejected","message":"FIRST LAST MSISDN EMAIL","details":{"responsemsg":"TEXT"}}}}`)),
	}}
	client, err := intram.NewClient(canaryPublic, canarySecret, intram.WithHTTPClient(&http.Client{Transport: s}), intram.WithTracer(tracer),
		intram.WithMaxAttempts(1), intram.WithJitter(0))
	require.NoError(t, err)
	params := intram.PayoutParams{
		Amount: intram.NewAmount(1), Reference: canaryText, Note: canaryText, Metadata: map[string]any{canaryText: canaryFirst},
		Destination: intram.MobileMoney{ProviderCode: intram.MTNBenin, MSISDN: canaryMSISDN, AccountName: canaryFirst, AccountSurname: canaryLast},
	}
	for i := range 5 {
		_, err := client.Payouts.Create(t.Context(), params, intram.WithIdempotencyKey(fmt.Sprintf("%s%d", key, i)))
		assert.Equal(t, i == 0, err == nil, "%v", err)
	}
	_, err = client.Do(t.Context(), http.MethodGet, "/operations/"+canaryMSISDN, nil)
	require.ErrorIs(t, err, intram.CodeOperationNotFound)
	_, err = client.WaitForOperation(t.Context(), "op_1")
	require.Error(t, err)
	_, err = client.WaitForOperation(t.Context(), canaryFirst+" "+canaryMSISDN)
	require.Error(t, err)

	verifier, err := intram.NewWebhookVerifier(inboxSecret)
	require.NoError(t, err)
	handlers := []intram.EventHandler{
		func(context.Context, *intram.Event) error { return nil },
		func(context.Context, *intram.Event) error { return errors.New("no account of " + canaryFirst) },
		func(context.Context, *intram.Event) error { panic(canaryLast) },
	}
	stores := []intram.Inbox{
		new(intram.MemoryInbox),
		&faultyInbox{Inbox: new(intram.MemoryInbox), claim: func(int) error { return errors.New("postgres://" + canarySecret + "@db/" + canaryText) }},
	}
	m := newMailbox(t, nil)
	for _, handle := range handlers {
		for _, inbox := range stores {
			m.handler = intram.NewWebhookHandler(verifier, inbox, handle, intram.WithHandlerTracer(tracer))
			secrets := func(r *http.Request) {
				r.Header.Set("Cookie", canaryText)
				r.Header.Set("X-User", canaryFirst)
			}
			m.deliver(canaryJSON(`{"event":"payout.completed","operation_id":"op_1","data":{"destination":{"msisdn":"MSISDN"},"note":"TEXT"}}`), secrets)
			m.deliver(canaryJSON(`{"event":"FIRST LAST","operation_id":"MSISDN","data":{}}`), secrets)
			m.deliver("{}", secrets, withHeader("X-Intram-Signature", "sha256="+canaryText))
		}
	}
	tracer.mu.Lock()
	defer tracer.mu.Unlock()
	require.Greater(t, tracer.text.Len(), 10_000)
	for line := range strings.Lines(tracer.text.String()) {
		assertNoCanary(t, line, "told")
	}
}

// Each name of a fact is on the page, and each name on the page is one of a fact.
func TestNamesOfFactsAreDocumented(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("docs/observability.md")
	require.NoError(t, err)
	_, section, found := strings.Cut(string(page), "\n## Names\n")
	require.True(t, found)
	section, _, _ = strings.Cut(section, "\n**Cardinality.**")
	documented := map[string]bool{}
	for line := range strings.Lines(section) {
		cells := strings.Split(line, "|")
		if len(cells) < 3 || !strings.Contains(cells[1], "`") {
			continue
		}
		for _, name := range strings.FieldsFunc(cells[1], func(r rune) bool { return strings.ContainsRune("`, ", r) }) {
			documented[name] = true
		}
	}
	call := intram.TraceCall{API: "merchant", Method: "GET", Template: "/x", ServerAddress: "x", ServerPort: 1, Environment: intram.Live, IdempotencyKeyHash: "x"}
	failed := errors.New("x")
	written := map[string]bool{}
	for _, facts := range []slog.LogValuer{
		call, intram.TraceAttempt{TraceCall: call, Number: 1},
		intram.TraceCallEnd{
			TraceCall: call, Duration: 1, Attempts: 1, StatusCode: 1, Err: failed, Outcome: intram.OutcomeUnknown, Code: "x", Replayed: true, OperationID: "x",
		},
		intram.TraceAttemptEnd{
			TraceAttempt: intram.TraceAttempt{TraceCall: call, Number: 1}, Duration: 1, StatusCode: 1, Code: "x", RequestID: "x", Protocol: "x",
			Err: failed, RetryAfter: 1, Retry: true, Wait: 1,
		},
		intram.TraceWait{Kind: "operation"}, intram.TraceWaitEnd{Err: failed},
		intram.TraceDelivery{Source: "webhook"},
		intram.TraceDeliveryEnd{Duration: 1, Verdict: "failed", StatusCode: 1, Type: "x", OperationID: "x", Attempt: 1, Err: failed},
		intram.TraceInbox{Request: "claim"}, intram.TraceInboxEnd{State: intram.ClaimHeld, Err: failed},
	} {
		for _, attr := range facts.LogValue().Group() {
			written[attr.Key] = true
			assert.True(t, documented[attr.Key], "%T: %s is not on the page", facts, attr.Key)
		}
	}
	assert.Equal(t, documented, written)
}
