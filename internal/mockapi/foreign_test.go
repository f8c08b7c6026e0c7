package mockapi_test

import (
	"bytes"
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/internal/mockapi"
)

// The clients of testdata/clients were written from the API's documentation alone, in other languages and without
// a line of the SDK. Each lives through the same story against a fake of its own, and so does the SDK: every
// answer must be the same, field by field. Then the SDK reads the very objects that the foreign client made,
// and must see in them what the foreign client saw, ids and dates included.
//
// So one misreading of the documentation cannot hide in both the SDK and the fake.
func TestForeignClients(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		script string
		needs  []string // the first runs the script
	}{
		{"client.py", []string{"python3"}},
		{"client.sh", []string{"bash", "curl", "jq", "openssl", "python3"}},
	} {
		t.Run(tt.script, func(t *testing.T) {
			t.Parallel()
			needPrograms(t, tt.needs...)
			server := newForeignServer(t)
			got := runForeignClient(t, server, tt.needs[0], "testdata/clients/"+tt.script)
			want := sdkStory(t)

			assert.Equal(t, steps(want), steps(got), "the steps of the story")
			gotNames, wantNames := newRenamer(), newRenamer()
			for i := range min(len(got), len(want)) {
				assert.Equal(t, wantNames.rename(want[i].fields), gotNames.rename(got[i].fields), "step %s", got[i].step)
			}
			readBack(t, server, got)
		})
	}
}

// needPrograms skips the test where a program is missing, but not in CI, which installs all of them.
func needPrograms(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		if _, err := exec.LookPath(name); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatalf("%s is missing, and CI must run every foreign client", name)
			}
			t.Skipf("%s is missing", name) //nolint:forbidigo // a laptop may lack the programs; CI may not
		}
	}
}

// newForeignServer starts a fake at a date long past, so that a client must read the server's time off its answers,
// as one with a wrong clock has to.
func newForeignServer(t *testing.T) *mockapi.Server {
	t.Helper()
	server, err := mockapi.New(mockapi.Config{Seed: 1, Start: time.Date(2026, 5, 20, 10, 30, 0, 0, time.UTC)})
	require.NoError(t, err)
	t.Cleanup(server.Close)
	require.NoError(t, server.Listen("127.0.0.1:0"))
	return server
}

// answer is what one step of the story brought, as text by the path of its field. What is null, empty or not there
// has no field: the SDK's types do not tell these apart.
type answer struct {
	step   string
	fields fields
}

type fields map[string]string

func steps(answers []answer) (names []string) {
	for _, a := range answers {
		names = append(names, a.step)
	}
	return names
}

func (f fields) set(path, value string) {
	if value != "" {
		f[path] = value
	}
}

func (f fields) date(path string, at time.Time) {
	if !at.IsZero() {
		f[path] = at.UTC().Format("2006-01-02T15:04:05.000Z")
	}
}

// flatten adds what JSON says, by path.
func (f fields) flatten(path string, value any) {
	join := func(name string) string { return strings.TrimPrefix(path+"."+name, ".") }
	switch value := value.(type) {
	case map[string]any:
		for name, member := range value {
			f.flatten(join(name), member)
		}
	case []any:
		for i, item := range value {
			f.flatten(join(strconv.Itoa(i)), item)
		}
	case nil:
	default:
		f.set(path, fmt.Sprint(value))
	}
}

func (f fields) raw(t *testing.T, path string, raw []byte) {
	t.Helper()
	if len(raw) > 0 {
		f.flatten(path, decode[any](t, raw))
	}
}

func decode[T any](t *testing.T, data []byte) (value T) {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber() // digit for digit, as the foreign clients print them
	require.NoError(t, decoder.Decode(&value), "%s", data)
	return value
}

// untyped are the fields that the API sends and the SDK gives no name of their own; they are in Raw.
var untyped = regexp.MustCompile(`(^|\.)(_links\.self|payment_url)$` +
	`|^message$` + // of a success
	`|^data\.(fees|net_amount|payment_method)$`) // of a payment's events: the transaction has them

func (f fields) typed() fields {
	maps.DeleteFunc(f, func(path, _ string) bool { return untyped.MatchString(path) })
	return f
}

// runForeignClient runs a script with the server's address and keys and nothing else of ours, and reads its lines.
func runForeignClient(t *testing.T, server *mockapi.Server, interpreter, script string) []answer {
	t.Helper()
	keys := server.Merchant().Sandbox
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, interpreter, script)
	command.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1", "NO_PROXY=*", "no_proxy=*", "INTRAM_POLL_SECONDS=0.02",
		"INTRAM_URL="+server.BaseURL(), "INTRAM_PUBLIC_KEY="+keys.Public, "INTRAM_SECRET_KEY="+keys.Secret)
	var stderr bytes.Buffer
	command.Stderr = &stderr
	output, err := command.Output()
	require.NoError(t, err, "%s\nafter: %s", stderr.String(), lastLine(output))

	type line struct {
		Step    string         `json:"step"`
		Body    map[string]any `json:"body"`
		Page    string         `json:"page"`
		Allowed bool           `json:"accepted"`
	}
	var answers []answer
	for text := range bytes.Lines(output) {
		l, f := decode[line](t, text), fields{}
		switch {
		case l.Page != "":
			// The page is for people: what it did shows in the transaction.
			assert.Equal(t, "200", l.Page, l.Step)
			assert.True(t, l.Allowed, l.Step)
			continue
		case l.Body["error"] == true:
			f.flatten("", l.Body)
			f.set("status", f["http_status"])
			delete(f, "error")
			delete(f, "http_status")
		case l.Body != nil && l.Step != "delivery":
			assert.Equal(t, false, l.Body["error"], l.Step)
			f.flatten("", l.Body["data"])
		}
		all := decode[map[string]any](t, text)
		switch l.Step {
		case "delivery":
			f.flatten("", l.Body)
			for _, name := range []string{"verified", "forged", "attempt", "delivery", "user_agent"} {
				f.flatten("delivery."+name, all[name])
			}
			assert.Equal(t, l.Body["event"], all["event"], "the X-Intram-Event header")
		default:
			f.flatten("", all["items"])
			for _, name := range []string{"same_bytes", "replayed", "several_pages"} {
				f.flatten("answer."+name, all[name])
			}
			f.flatten("answer.status", all["status"])
			if l.Body["error"] == true {
				assert.Equal(t, all["status"], f["status"], "http_status is the status")
				delete(f, "status")
			} else {
				f.typed()
			}
		}
		if l.Step == "delivery" {
			f.typed()
		}
		answers = append(answers, answer{l.Step, forComparison(l.Step, f)})
	}
	return sortDeliveries(answers)
}

func lastLine(output []byte) string {
	lines := strings.Split(strings.TrimSpace(string(output)), "\n")
	return lines[len(lines)-1]
}

// forComparison leaves out of a validation error what each side says in its own words: the SDK refuses before it
// sends anything. That it is the same fields that are wrong is what counts.
func forComparison(step string, f fields) fields {
	if step != "payout.invalid" {
		return f
	}
	var paths []string
	for path, value := range f {
		if strings.HasPrefix(path, "details.") && strings.HasSuffix(path, ".path") {
			paths = append(paths, value)
		}
	}
	slices.Sort(paths)
	return fields{"code": f["code"], "paths": strings.Join(paths, " ")}
}

// sortDeliveries puts the deliveries, which may come in any order, into one.
func sortDeliveries(answers []answer) []answer {
	key := func(a answer) string { return a.fields["event"] + " " + a.fields["data.amount"] }
	first := slices.IndexFunc(answers, func(a answer) bool { return a.step == "delivery" })
	if first < 0 {
		return answers
	}
	end := first
	for end < len(answers) && answers[end].step == "delivery" {
		end++
	}
	slices.SortStableFunc(answers[first:end], func(a, b answer) int { return cmp.Compare(key(a), key(b)) })
	return answers
}

// renamer gives what a server made up the same names in every run of the story: ids and references by their order of
// appearance, so that two answers about one object stay about one object; dates, hosts and pictures by their kind.
type renamer struct{ names map[string]string }

func newRenamer() *renamer { return &renamer{names: make(map[string]string)} }

var madeUp = regexp.MustCompile(`\b(?:op|whs|whd|whsec|mer)_[0-9a-f]{6,}` + // ids
	`|\b[A-Z0-9]{10}\b` + // transaction references
	`|\b\d{4}-\d\d-\d\dT[\d:.]+Z` +
	`|\b127\.0\.0\.1:\d+` +
	`|\bdata:image/png;base64,[A-Za-z0-9+/=]+`)

func (r *renamer) rename(f fields) fields {
	renamed := make(fields, len(f))
	for _, path := range slices.Sorted(maps.Keys(f)) {
		renamed[path] = madeUp.ReplaceAllStringFunc(f[path], func(s string) string {
			switch {
			case strings.HasPrefix(s, "data:"):
				return "<a picture>"
			case strings.HasPrefix(s, "127."):
				return "<a host>"
			case strings.HasSuffix(s, "Z") && strings.Contains(s, "T") && strings.Contains(s, ":"):
				return "<a date>"
			}
			kind, _, isID := strings.Cut(s, "_")
			if !isID {
				kind = "reference"
			}
			if r.names[s] == "" {
				r.names[s] = fmt.Sprintf("<%s %d>", kind, len(r.names)+1)
			}
			return r.names[s]
		})
	}
	return renamed
}

// story is the SDK's side of it, step by step as in the scripts.
type story struct {
	t       *testing.T
	server  *mockapi.Server
	client  *intram.Client
	answers []answer
}

func (s *story) add(step string, f fields) {
	s.answers = append(s.answers, answer{step, forComparison(step, f)})
}

// called adds the answer to a call: its fields when it succeeded, its error when it was refused.
func (s *story) called(step string, response intram.Response, f fields, err error) {
	s.t.Helper()
	if err != nil {
		var refused *intram.Error
		require.ErrorAs(s.t, err, &refused, step)
		f = errorFields(refused)
	} else {
		f["answer.status"] = strconv.Itoa(response.StatusCode)
		f["answer.replayed"] = strconv.FormatBool(response.Replayed)
	}
	s.add(step, f)
}

func newStoryClient(t *testing.T, server *mockapi.Server, spoil func(*http.Request)) *intram.Client {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	keys := server.Merchant().Sandbox
	client, err := intram.NewClient(keys.Public, keys.Secret, intram.WithBaseURL(server.BaseURL()),
		intram.WithClock(server.Clock()), intram.WithMaxAttempts(1),
		intram.WithHTTPClient(&http.Client{Transport: spoiler{transport, spoil}}))
	require.NoError(t, err)
	return client
}

// spoiler changes a request after the SDK has signed it.
type spoiler struct {
	next  http.RoundTripper
	spoil func(*http.Request)
}

func (s spoiler) RoundTrip(r *http.Request) (*http.Response, error) {
	if s.spoil != nil {
		r = r.Clone(r.Context())
		s.spoil(r)
	}
	return s.next.RoundTrip(r)
}

func sdkStory(t *testing.T) []answer {
	t.Helper()
	server := newForeignServer(t)
	s := &story{t: t, server: server, client: newStoryClient(t, server, nil)}
	s.refusals()
	receiver, hook := newReceiver(t)
	s.balance("balance.before")
	var response intram.Response
	subscription, err := s.client.Webhooks.Create(t.Context(),
		intram.WebhookParams{URL: hook, Event: intram.EventAll}, intram.WithResponseInto(&response))
	require.NoError(t, err)
	s.called("webhook.created", response, subscriptionFields(subscription), nil)

	s.payouts()
	paid := s.payments()
	s.refunds(paid)
	s.lists()

	s.subscriptions("webhooks.listed")
	err = s.client.Webhooks.SendTest(t.Context(), subscription.ID, intram.WithResponseInto(&response))
	s.called("webhook.tested", response, fields{}, err)
	require.NoError(t, server.Idle(t.Context()))
	s.deliveries(receiver, subscription.Secret)
	err = s.client.Webhooks.Delete(t.Context(), subscription.ID, intram.WithResponseInto(&response))
	s.called("webhook.deleted", response, fields{}, err)
	s.subscriptions("webhooks.left")
	s.balance("balance.after")
	return sortDeliveries(s.answers)
}

func (s *story) refusals() {
	t := s.t
	now := s.server.Clock().Now()
	with := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	without := func(name string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Del(name) }
	}
	stamp := func(by time.Duration) func(*http.Request) {
		return with("X-Timestamp", now.Add(by).UTC().Format("2006-01-02T15:04:05.000Z"))
	}
	for _, tt := range []struct {
		reason string
		spoil  func(*http.Request)
	}{
		{"missing_api_key", without("X-Api-Key")},
		{"invalid_api_key", with("X-Api-Key", "pk_sandbox_nobody")},
		{"missing_signature", without("X-Signature")},
		{"missing_timestamp", without("X-Timestamp")},
		{"invalid_timestamp_format", with("X-Timestamp", "yesterday")},
		{"timestamp_out_of_window.late", stamp(-6 * time.Minute)},
		{"timestamp_out_of_window.early", stamp(6 * time.Minute)},
		{"signature_mismatch", with("X-Signature", "sha256="+strings.Repeat("0", 64))},
	} {
		_, err := newStoryClient(t, s.server, tt.spoil).Balance.Get(t.Context())
		require.Error(t, err, tt.reason)
		s.called("refused."+tt.reason, intram.Response{}, nil, err)
	}
	for _, tt := range []struct {
		reason string
		spoil  func(*http.Request)
	}{
		{"missing_idempotency_key", without("Idempotency-Key")},
		{"invalid_idempotency_key", with("Idempotency-Key", "short")},
		{"invalid_body", func(r *http.Request) {
			// Signed as it should be: it is the body that is refused.
			body := `{"amount":`
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
			mac := hmac.New(sha256.New, []byte(s.server.Merchant().Sandbox.Secret))
			fmt.Fprintf(mac, "%s\nPOST\n/api/v1/merchant/payouts\n\n%s", r.Header.Get("X-Timestamp"), body)
			r.Header.Set("X-Signature", "sha256="+hex.EncodeToString(mac.Sum(nil)))
		}},
	} {
		_, err := newStoryClient(t, s.server, tt.spoil).Payouts.Create(t.Context(), storyPayout(1000, "22961000000", "PO-NEVER"))
		require.Error(t, err, tt.reason)
		s.called("refused."+tt.reason, intram.Response{}, nil, err)
	}
}

func storyPayout(amount int64, msisdn, reference string) intram.PayoutParams {
	return intram.PayoutParams{
		Amount: intram.NewAmount(amount), Currency: intram.XOF,
		Destination: intram.MobileMoney{
			CountryCode: "BJ", ProviderCode: intram.MTNBenin, MSISDN: msisdn,
			AccountName: "Ada", AccountSurname: "Lovelace",
		},
		Reference: reference, Note: "Règlement hebdomadaire ✓",
		Metadata: map[string]any{"batch_id": "B-42", "lines": []any{1, 2, map[string]any{"deep": nil}}},
	}
}

func (s *story) payouts() {
	t, ctx := s.t, s.t.Context()
	var response intram.Response
	key := intram.WithIdempotencyKey("foreign-story-payout-1")
	accepted, err := s.client.Payouts.Create(ctx, storyPayout(25000, "22961000000", "PO-1"), key, intram.WithResponseInto(&response))
	require.NoError(t, err)
	s.called("payout.accepted", response, operationFields(t, accepted), nil)

	again, err := s.client.Payouts.Create(ctx, storyPayout(25000, "22961000000", "PO-1"), key, intram.WithResponseInto(&response))
	require.NoError(t, err)
	f := operationFields(t, again)
	f["answer.same_bytes"] = strconv.FormatBool(bytes.Equal(again.Raw, accepted.Raw))
	s.called("payout.replayed", response, f, nil)

	_, err = s.client.Payouts.Create(ctx, storyPayout(25001, "22961000000", "PO-1"), key)
	require.ErrorIs(t, err, intram.CodeIdempotencyConflict)
	s.called("payout.conflict", response, nil, err)
	s.finished("payout.finished", accepted)

	refused, err := s.client.Payouts.Create(ctx, storyPayout(5000, "22961000002", "PO-2"))
	require.NoError(t, err)
	s.finished("payout.failed", refused)

	bank, err := s.client.Payouts.Create(ctx, intram.PayoutParams{
		Amount: intram.NewAmount(40000), Reference: "PO-3",
		Destination: intram.BankAccount{SWIFT: "ECOCBJBJ", AccountNumber: "BJ0610100100144390000769", AccountName: "Ada Lovelace"},
	})
	require.NoError(t, err)
	s.finished("payout.bank", bank)

	_, err = s.client.Payouts.Create(ctx, intram.PayoutParams{
		Currency: "xof", Reference: strings.Repeat("R", 101), Destination: intram.MobileMoney{MSISDN: "+22961000000"},
	})
	s.called("payout.invalid", intram.Response{}, nil, err)
}

// finished waits for an operation, and adds it as it is then.
func (s *story) finished(step string, accepted *intram.Operation) *intram.Operation {
	s.t.Helper()
	var failed *intram.OperationError
	if _, err := s.client.WaitForOperation(s.t.Context(), accepted.ID); err != nil {
		require.ErrorAs(s.t, err, &failed)
	}
	var response intram.Response
	op, err := s.client.Operations.Get(s.t.Context(), accepted.ID, intram.WithResponseInto(&response))
	require.NoError(s.t, err)
	if step != "" {
		s.called(step, response, operationFields(s.t, op), nil)
	}
	return op
}

func (s *story) payments() (paid string) {
	t, ctx := s.t, s.t.Context()
	request := func(amount int64, order string) (*intram.Operation, intram.Response) {
		var response intram.Response
		op, err := s.client.PaymentRequests.Create(ctx, intram.PaymentRequestParams{
			Invoice: intram.Invoice{
				Amount: intram.NewAmount(amount), Currency: intram.XOF, Description: "Commande #" + order,
				Customer: intram.Customer{Email: "client@example.com", FirstName: "Ada", LastName: "Lovelace", Phone: "22961000000"},
			},
			PaymentMethod: intram.PaymentMethod{Code: intram.MTNBenin, CountryCode: "BJ", MSISDN: "22961000000"},
			ReturnURLs:    intram.ReturnURLs{Success: "https://shop.example.com/ok", Cancel: "https://shop.example.com/no"},
			WebhookData:   map[string]any{"order_id": order},
		}, intram.WithResponseInto(&response))
		require.NoError(t, err)
		return op, response
	}
	reference := func(op *intram.Operation) string {
		result, ok := op.Result.(*intram.PaymentRequestResult)
		require.True(t, ok, "the result is a %T", op.Result)
		return result.TransactionReference
	}
	accepted, response := request(12000, "4521")
	s.called("payment_request.accepted", response, operationFields(t, accepted), nil)
	paid = reference(s.finished("payment_request.finished", accepted))
	s.transaction("transaction.pending", paid)
	require.NoError(t, s.server.Pay(paid))
	s.transaction("transaction.paid", paid)

	accepted, _ = request(7000, "4522")
	declined := reference(s.finished("", accepted))
	require.NoError(t, s.server.Decline(declined))
	s.transaction("transaction.declined", declined)
	return paid
}

func (s *story) transaction(step, reference string) {
	s.t.Helper()
	var response intram.Response
	transaction, err := s.client.Transactions.Get(s.t.Context(), reference, intram.WithResponseInto(&response))
	require.NoError(s.t, err, step)
	s.called(step, response, transactionFields(s.t, transaction), nil)
}

func (s *story) refunds(paid string) {
	t, ctx := s.t, s.t.Context()
	var response intram.Response
	accepted, err := s.client.Refunds.Create(ctx, intram.RefundParams{
		TransactionReference: paid, Amount: intram.NewAmount(5000), Reason: "Demandé par le client",
		Metadata: map[string]any{"ticket_id": "T-9001"},
	}, intram.WithResponseInto(&response))
	require.NoError(t, err)
	s.called("refund.accepted", response, operationFields(t, accepted), nil)
	s.finished("refund.finished", accepted)
	s.transaction("transaction.refunded", paid)
	_, err = s.client.Refunds.Create(ctx, intram.RefundParams{TransactionReference: "ZZZZZZZZZZ"})
	require.ErrorIs(t, err, intram.CodeTransactionNotFound)
	s.called("refund.unknown", response, nil, err)
}

func (s *story) lists() {
	t, ctx := s.t, s.t.Context()
	listed(s, "transactions.listed", s.client.Transactions.All(ctx, intram.TransactionListParams{Limit: 2}), transactionFields)
	listed(s, "operations.listed",
		s.client.Operations.All(ctx, intram.OperationListParams{Limit: 2, Type: intram.OperationPayout}), operationFields)
	_, err := s.client.Operations.Get(ctx, "op_none")
	require.ErrorIs(t, err, intram.CodeOperationNotFound)
	s.called("operation.unknown", intram.Response{}, nil, err)
	_, err = s.client.Transactions.Get(ctx, "ZZZZZZZZZZ")
	require.ErrorIs(t, err, intram.CodeTransactionNotFound)
	s.called("transaction.unknown", intram.Response{}, nil, err)
}

func listed[T any](s *story, step string, items iter.Seq2[*T, error], fieldsOf func(*testing.T, *T) fields) {
	s.t.Helper()
	all, n := fields{}, 0
	for item, err := range items {
		require.NoError(s.t, err, step)
		for path, value := range fieldsOf(s.t, item) {
			all[strconv.Itoa(n)+"."+path] = value
		}
		n++
	}
	all["answer.several_pages"] = strconv.FormatBool(n > 2) // pages of two
	s.add(step, all)
}

func (s *story) subscriptions(step string) {
	s.t.Helper()
	var response intram.Response
	subscriptions, err := s.client.Webhooks.List(s.t.Context(), intram.WithResponseInto(&response))
	require.NoError(s.t, err)
	f := fields{}
	for i := range subscriptions {
		for path, value := range subscriptionFields(&subscriptions[i]) {
			f[strconv.Itoa(i)+"."+path] = value
		}
	}
	s.called(step, response, f, nil)
}

func (s *story) balance(step string) {
	s.t.Helper()
	var response intram.Response
	balance, err := s.client.Balance.Get(s.t.Context(), intram.WithResponseInto(&response))
	require.NoError(s.t, err)
	f := fields{}
	f.set("currency", string(balance.Currency))
	for i, method := range balance.PaymentMethods {
		path := fmt.Sprintf("payment_method_balances.%d.", i)
		f.set(path+"payment_method", method.PaymentMethod)
		f.set(path+"available", method.Available.String())
		f.set(path+"pending", method.Pending.String())
	}
	s.called(step, response, f, nil)
}

// receiver keeps the deliveries to a webhook endpoint on loopback.
type receiver struct {
	mu         sync.Mutex
	deliveries []delivered
}

type delivered struct {
	header http.Header
	body   []byte
}

func newReceiver(t *testing.T) (*receiver, string) {
	t.Helper()
	received := &receiver{}
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		received.mu.Lock()
		defer received.mu.Unlock()
		received.deliveries = append(received.deliveries, delivered{r.Header.Clone(), body})
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(endpoint.Close)
	return received, endpoint.URL + "/intram/webhook"
}

func (s *story) deliveries(received *receiver, secret string) {
	t := s.t
	verifier, err := intram.NewWebhookVerifier(secret)
	require.NoError(t, err)
	verifier = verifier.WithClock(s.server.Clock())
	received.mu.Lock()
	defer received.mu.Unlock()
	for _, d := range received.deliveries {
		event, err := verifier.Verify(d.header, d.body)
		require.NoError(t, err)
		_, forged := verifier.Verify(d.header, append(bytes.Clone(d.body), ' '))
		f := eventFields(t, event)
		f["delivery.verified"] = "true"
		f["delivery.forged"] = strconv.FormatBool(!errors.Is(forged, intram.ErrInvalidSignature))
		f["delivery.user_agent"] = d.header.Get("User-Agent")
		s.add("delivery", f)
	}
}

// The functions below write the SDK's values down by the names that the API gives their fields.

func operationFields(t *testing.T, op *intram.Operation) fields {
	t.Helper()
	f := fields{}
	f.set("operation_id", op.ID)
	f.set("type", string(op.Type))
	f.set("status", string(op.Status))
	f.set("env", string(op.Environment))
	f.raw(t, "payload", op.Payload)
	if op.Attempts > 0 {
		f.set("attempts", strconv.Itoa(op.Attempts))
	}
	f.date("date", op.CreatedAt)
	f.date("updated_date", op.UpdatedAt)
	f.date("completed_date", op.CompletedAt)
	switch result := op.Result.(type) {
	case nil:
	case *intram.PayoutResult:
		payoutFields(t, f, "result.", result)
	case *intram.PaymentRequestResult:
		paymentRequestFields(f, "result.", result)
	case *intram.RefundResult:
		refundFields(f, "result.", result)
	default:
		assert.Fail(t, "an unknown result", "%T", result)
	}
	operationErrorFields(f, "error.", op.Error)
	return f
}

func operationErrorFields(f fields, path string, failed *intram.OperationError) {
	if failed == nil {
		return
	}
	f.set(path+"code", string(failed.Code))
	f.set(path+"message", failed.Message)
	providerFields(f, path+"details.", failed.Details)
}

func payoutFields(t *testing.T, f fields, path string, result *intram.PayoutResult) {
	t.Helper()
	f.set(path+"reference", result.Reference)
	f.set(path+"amount", result.Amount.String())
	f.set(path+"currency", string(result.Currency))
	f.set(path+"status", string(result.Status))
	providerFields(f, path+"provider_response.", result.ProviderResponse)
	switch destination := result.Destination.(type) {
	case intram.MobileMoney:
		f.set(path+"destination.type", "mobile_money")
		f.set(path+"destination.provider_code", string(destination.ProviderCode))
		f.set(path+"destination.country_code", destination.CountryCode)
		f.set(path+"destination.msisdn", destination.MSISDN)
		f.set(path+"destination.account_name", destination.AccountName)
		f.set(path+"destination.account_surname", destination.AccountSurname)
	case intram.BankAccount:
		f.set(path+"destination.type", "bank_account")
		f.set(path+"destination.account_number", destination.AccountNumber)
		f.set(path+"destination.swift", destination.SWIFT)
		f.set(path+"destination.account_name", destination.AccountName)
		f.set(path+"destination.account_surname", destination.AccountSurname)
	default:
		assert.Fail(t, "an unknown destination", "%T", destination)
	}
}

func paymentRequestFields(f fields, path string, result *intram.PaymentRequestResult) {
	f.set(path+"transaction_reference", result.TransactionReference)
	f.set(path+"status", result.Status)
	f.set(path+"amount", result.Amount.String())
	f.set(path+"currency", string(result.Currency))
	f.set(path+"gateway_url", result.GatewayURL)
	f.set(path+"receipt_url", result.ReceiptURL)
	f.set(path+"qr_code", result.QRCode)
}

func refundFields(f fields, path string, result *intram.RefundResult) {
	f.set(path+"status", string(result.Status))
	f.set(path+"refund_reference", result.RefundReference)
	f.set(path+"amount", result.Amount.String())
	f.set(path+"transaction_reference", result.TransactionReference)
	providerFields(f, path+"provider_response.", result.ProviderResponse)
}

func providerFields(f fields, path string, said intram.ProviderResponse) {
	f.set(path+"responsecode", said.ResponseCode)
	f.set(path+"responsemsg", said.ResponseMessage)
	f.set(path+"serviceref", said.ServiceReference)
}

func transactionFields(t *testing.T, transaction *intram.Transaction) fields {
	t.Helper()
	f := fields{}
	f.set("reference", transaction.Reference)
	f.set("id", transaction.ID)
	f.set("status", string(transaction.Status))
	f.set("type", string(transaction.Type))
	f.set("env", string(transaction.Environment))
	f.set("amount", transaction.Amount.String())
	f.set("fees", transaction.Fees.String())
	f.set("net_amount", transaction.NetAmount.String())
	f.set("currency", string(transaction.Currency))
	f.set("payment_method", transaction.PaymentMethod.Name)
	f.set("customer.email", transaction.Customer.Email)
	f.set("customer.name", transaction.Customer.Name)
	f.set("source.number", transaction.Source.Number)
	f.set("declined_reason", transaction.DeclinedReason)
	f.raw(t, "webhook_data", transaction.WebhookData)
	f.date("date", transaction.CreatedAt)
	f.date("refunded_at", transaction.RefundedAt)
	for i, refund := range transaction.Refunds {
		path := fmt.Sprintf("refunds.%d.", i)
		f.set(path+"reference", refund.Reference)
		f.set(path+"status", string(refund.Status))
		f.set(path+"reason", refund.Reason)
		f.date(path+"date", refund.CreatedAt)
	}
	return f
}

func subscriptionFields(subscription *intram.WebhookSubscription) fields {
	f := fields{}
	f.set("subscription_id", subscription.ID)
	f.set("url", subscription.URL)
	f.set("event", string(subscription.Event))
	f.set("secret", subscription.Secret)
	f.date("date", subscription.CreatedAt)
	return f
}

func eventFields(t *testing.T, event *intram.Event) fields {
	t.Helper()
	f := fields{}
	f.set("event", string(event.Type))
	f.set("operation_id", event.OperationID)
	f.date("occurred_at", event.OccurredAt)
	f.set("delivery.delivery", event.DeliveryID)
	f.set("delivery.attempt", strconv.Itoa(event.Attempt))
	switch data := event.Data.(type) {
	case *intram.PayoutEventData:
		payoutFields(t, f, "data.", &data.PayoutResult)
		operationErrorFields(f, "data.error.", data.Error)
	case *intram.PaymentRequestEventData:
		paymentRequestFields(f, "data.", &data.PaymentRequestResult)
		operationErrorFields(f, "data.error.", data.Error)
		f.raw(t, "data.webhook_data", data.WebhookData)
	case *intram.RefundEventData:
		refundFields(f, "data.", &data.RefundResult)
		f.set("data.reason", data.Reason)
		operationErrorFields(f, "data.error.", data.Error)
	case *intram.PingData:
		f.set("data.test", strconv.FormatBool(data.Test))
		f.date("data.sent_at", data.SentAt)
	default:
		assert.Fail(t, "an event without a type", "%s has a %T", event.Type, data)
	}
	return f
}

func errorFields(refused *intram.Error) fields {
	f := fields{"answer.status": strconv.Itoa(refused.StatusCode), "answer.replayed": "false"}
	f.set("code", string(refused.Code))
	f.set("message", refused.Message)
	f.set("client_ip", refused.ClientIP)
	for i, detail := range refused.Details {
		f.set(fmt.Sprintf("details.%d.path", i), detail.Path)
		f.set(fmt.Sprintf("details.%d.msg", i), detail.Msg)
	}
	return f
}

// readBack looks up, with the SDK, each operation and transaction that a foreign client was shown as its last word.
func readBack(t *testing.T, server *mockapi.Server, answers []answer) {
	t.Helper()
	client := newStoryClient(t, server, nil)
	read := 0
	for _, a := range answers {
		if strings.HasPrefix(a.step, "refused.") {
			continue
		}
		shown := make(fields, len(a.fields))
		for path, value := range a.fields {
			if !strings.HasPrefix(path, "answer.") {
				shown[path] = value
			}
		}
		switch a.step {
		case "payout.finished", "payout.failed", "payout.bank", "payment_request.finished", "refund.finished":
			op, err := client.Operations.Get(t.Context(), shown["operation_id"])
			require.NoError(t, err)
			assert.Equal(t, shown, operationFields(t, op), a.step)
			read++
		case "transaction.refunded", "transaction.declined":
			transaction, err := client.Transactions.Get(t.Context(), shown["reference"])
			require.NoError(t, err)
			assert.Equal(t, shown, transactionFields(t, transaction), a.step)
			read++
		}
	}
	assert.Equal(t, 7, read, "operations and transactions read back")
}
