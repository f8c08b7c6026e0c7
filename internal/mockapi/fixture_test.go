package mockapi

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start is when the frozen clocks of these tests stand.
var start = time.Date(2026, 5, 20, 10, 30, 0, 0, time.UTC)

// fixture is a server with a client written for these tests, straight from the
// specification.
type fixture struct {
	t    *testing.T
	s    *Server
	keys Keys
	next atomic.Int64 // numbers the idempotency keys

}

// newFixture starts a server. When the test ends, its ledger must sum to zero, posting by
// posting, no wallet may be overdrawn, and nothing may be left in clearing that no
// operation holds.
func newFixture(t *testing.T, c Config) *fixture {
	t.Helper()
	if c.Start.IsZero() && !c.Running {
		c.Start = start
	}
	s, err := New(c)
	require.NoError(t, err)
	f := &fixture{t: t, s: s, keys: s.Merchant().Sandbox}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the seed was %d", s.Seed())
		}
		checkLedger(t, s)
		s.Close()
	})
	return f
}

func checkLedger(t *testing.T, s *Server) {
	t.Helper()
	postings := map[int]int64{}
	balances := map[string]int64{}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.state.ledger.entries() {
		postings[e.Posting] += e.Amount
		balances[e.Account] += e.Amount
	}
	for number, sum := range postings {
		assert.Zerof(t, sum, "posting %d does not sum to zero", number)
	}
	for account, balance := range balances {
		if strings.HasPrefix(account, "wallet:") || strings.HasPrefix(account, "clearing:") || strings.HasPrefix(account, "settlement:") || strings.HasPrefix(account, "fees:") {
			assert.GreaterOrEqualf(t, balance, int64(0), "%s is overdrawn", account)
		}
	}
	held := map[string]int64{}
	for _, op := range s.state.operations {
		account := op.account.clearing
		if op.settlement == settlementWaiting {
			account = op.account.settlement
		}
		held[s.state.ledger.accounts[account].name] += op.held
	}
	for _, a := range s.state.ledger.accounts {
		assert.Equalf(t, balances[a.name], a.balance, "the balance of %s is not the sum of its entries", a.name)
		if strings.HasPrefix(a.name, "clearing:") || strings.HasPrefix(a.name, "settlement:") {
			assert.Equalf(t, held[a.name], a.balance, "%s holds money that no operation does", a.name)
		}
	}
}

// wallet returns what the sandbox wallet of a payment method has available.
func (f *fixture) wallet(code string) int64 {
	f.t.Helper()
	var sum int64
	account := WalletAccount(f.s.Merchant().ID, sandbox, code)
	for _, e := range f.s.Ledger() {
		if e.Account == account {
			sum += e.Amount
		}
	}
	return sum
}

// A response as it was received.
type answer struct {
	t      *testing.T
	status int
	header http.Header
	body   []byte
}

// call is a request about to be made; edit may change it after it was signed.
type call struct {
	method, endpoint, query, body, key string
	keys                               Keys
	prefix                             string
	edit                               func(*http.Request)
}

func (f *fixture) do(c call) answer {
	f.t.Helper()
	resp, err := f.send(c)
	require.NoError(f.t, err)
	return resp
}

// send makes a call through the in-process transport and returns what the transport says.
func (f *fixture) send(c call) (answer, error) {
	resp, err := f.s.Transport().RoundTrip(f.request(c))
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	return answer{f.t, resp.StatusCode, resp.Header, body}, err
}

func (f *fixture) request(c call) *http.Request {
	f.t.Helper()
	if c.keys == (Keys{}) {
		c.keys = f.keys
	}
	if c.prefix == "" {
		c.prefix = "/v1"
	}
	target := "https://api.intram.test" + c.prefix + c.endpoint
	if c.query != "" {
		target += "?" + c.query
	}
	r, err := http.NewRequestWithContext(f.t.Context(), c.method, target, strings.NewReader(c.body))
	require.NoError(f.t, err)
	at := wireTime(f.s.Clock().Now())
	r.Header.Set("X-Api-Key", c.keys.Public)
	r.Header.Set("X-Timestamp", at)
	r.Header.Set("X-Signature", signature(c.keys.Secret, at, c.method, c.endpoint, c.query, c.body))
	if c.method == http.MethodPost {
		r.Header.Set("Content-Type", "application/json")
		if c.key == "" {
			c.key = fmt.Sprintf("test-key-%d", f.next.Add(1))
		}
		r.Header.Set("Idempotency-Key", c.key)
	}
	if c.edit != nil {
		c.edit(r)
	}
	return r
}

// signature follows intram.md section 3, with nothing of the server's own code.
func signature(secret, at, method, endpoint, query, body string) string {
	pairs := strings.Split(query, "&")
	sort.SliceStable(pairs, func(i, j int) bool {
		return strings.SplitN(pairs[i], "=", 2)[0] < strings.SplitN(pairs[j], "=", 2)[0]
	})
	return sign(secret, at+"\n"+method+"\n/api/v1/merchant"+endpoint+"\n"+strings.Join(pairs, "&")+"\n"+body)
}

func sign(secret, message string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(message))
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

func (f *fixture) get(endpoint string) answer {
	f.t.Helper()
	path, query, _ := strings.Cut(endpoint, "?")
	return f.do(call{method: "GET", endpoint: path, query: query})
}

func (f *fixture) post(endpoint, body string) answer {
	f.t.Helper()
	return f.do(call{method: "POST", endpoint: endpoint, body: body})
}

func (a answer) ok(status int) answer {
	a.t.Helper()
	require.Equalf(a.t, status, a.status, "%s", a.body)
	return a
}

// refused checks an error response and returns its details as path → message.
func (a answer) refused(status int, code string) map[string]string {
	a.t.Helper()
	require.Equalf(a.t, status, a.status, "%s", a.body)
	var e struct {
		Error      bool   `json:"error"`
		HTTPStatus int    `json:"http_status"`
		Code       string `json:"code"`
		Message    string `json:"message"`
		Details    []struct{ Path, Msg string }
	}
	require.NoErrorf(a.t, json.Unmarshal(a.body, &e), "%s", a.body)
	require.Equalf(a.t, code, e.Code, "%s", a.body)
	assert.True(a.t, e.Error)
	assert.Equal(a.t, status, e.HTTPStatus)
	assert.NotEmpty(a.t, e.Message)
	details := map[string]string{}
	for _, d := range e.Details {
		details[d.Path] = d.Msg
	}
	return details
}

// at reads a value by its path: at("data.result.status").
func (a answer) at(path string) any {
	a.t.Helper()
	d := json.NewDecoder(bytes.NewReader(a.body))
	d.UseNumber()
	var v any
	require.NoErrorf(a.t, d.Decode(&v), "%s", a.body)
	for key := range strings.SplitSeq(path, ".") {
		switch node := v.(type) {
		case map[string]any:
			v = node[key]
		case []any:
			var i int
			_, err := fmt.Sscan(key, &i)
			require.NoError(a.t, err)
			require.Lessf(a.t, i, len(node), "%s in %s", path, a.body)
			v = node[i]
		default:
			require.Failf(a.t, "no such value", "%s in %s", path, a.body)
		}
	}
	if n, ok := v.(json.Number); ok {
		return n.String()
	}
	return v
}

func (a answer) text(path string) string {
	a.t.Helper()
	s, ok := a.at(path).(string)
	require.Truef(a.t, ok, "%s is not a string in %s", path, a.body)
	return s
}

func payoutBody(amount int64, msisdn string) string {
	return fmt.Sprintf(`{"amount":%d,"currency":"XOF","destination":{"type":"mobile_money","country_code":"BJ","provider_code":"MTN_BENIN_229","msisdn":%q},"reference":"PO-1"}`, amount, msisdn)
}

func bankBody(amount int64) string {
	return fmt.Sprintf(`{"amount":%d,"destination":{"type":"bank_account","account_number":"BJ0610100100144390000769","swift":"ECOCBJBJ"},"reference":"WIRE-1"}`, amount)
}

func paymentBody(amount int64, method, msisdn string) string {
	suggestion := ""
	if method != "" {
		suggestion = fmt.Sprintf(`,"payment_method":{"code":%q,"country_code":"BJ"`, method)
		if msisdn != "" {
			suggestion += fmt.Sprintf(`,"msisdn":%q`, msisdn)
		}
		suggestion += "}"
	}
	return fmt.Sprintf(`{"invoice":{"amount":%d,"currency":"XOF","customer":{"email":"client@example.com","first_name":"Ada","last_name":"Lovelace"}}%s}`, amount, suggestion)
}

func refundBody(reference string, amount int64) string {
	if amount == 0 {
		return fmt.Sprintf(`{"transaction_reference":%q}`, reference)
	}
	return fmt.Sprintf(`{"transaction_reference":%q,"amount":%d,"reason":"Demande client"}`, reference, amount)
}

// pay makes a payout and returns the operation's id.
func (f *fixture) payout(amount int64, msisdn string) string {
	f.t.Helper()
	return f.post("/payouts", payoutBody(amount, msisdn)).ok(202).text("data.operation_id")
}

// requestPayment makes a payment request and returns the operation's id and the
// transaction's reference.
func (f *fixture) requestPayment(amount int64, method, msisdn string) (id, reference string) {
	f.t.Helper()
	id = f.post("/payment-requests", paymentBody(amount, method, msisdn)).ok(202).text("data.operation_id")
	return id, f.operation(id).text("data.result.transaction_reference")
}

// paid makes a payment and returns the transaction's reference.
func (f *fixture) paid(amount int64) string {
	f.t.Helper()
	_, reference := f.requestPayment(amount, mtnBenin, "22961234567")
	require.NoError(f.t, f.s.Pay(reference))
	return reference
}

func (f *fixture) refund(reference string, amount int64) string {
	f.t.Helper()
	return f.post("/refunds", refundBody(reference, amount)).ok(202).text("data.operation_id")
}

func (f *fixture) operation(id string) answer {
	f.t.Helper()
	return f.get("/operations/" + id).ok(200)
}

func (f *fixture) transaction(reference string) answer {
	f.t.Helper()
	return f.get("/transactions/" + reference).ok(200)
}

// failedWith checks that an operation failed with a code.
func (f *fixture) failedWith(id, code string) answer {
	f.t.Helper()
	op := f.operation(id)
	require.Equalf(f.t, "failed", op.text("data.status"), "%s", op.body)
	require.Equalf(f.t, code, op.text("data.error.code"), "%s", op.body)
	return op
}

// events lists the types of the events about an object, oldest first.
func (f *fixture) events(id string) []string {
	f.s.mu.Lock()
	defer f.s.mu.Unlock()
	var kinds []string
	for _, e := range f.s.state.events {
		if !e.suppressed && (e.about[0] == id || e.about[1] == id || e.about[2] == id) {
			kinds = append(kinds, e.kind)
		}
	}
	return kinds
}

// subscribe makes a subscription to an in-process receiver and returns its id and secret.
func (f *fixture) subscribe(event string, h http.HandlerFunc) (id, secret string) {
	f.t.Helper()
	return f.subscribeURL(event, f.s.Receive(h))
}

func (f *fixture) subscribeURL(event, target string) (id, secret string) {
	f.t.Helper()
	body, err := json.Marshal(map[string]string{"url": target, "event": event})
	require.NoError(f.t, err)
	a := f.post("/webhooks", string(body)).ok(201)
	return a.text("data.subscription_id"), a.text("data.secret")
}

func (f *fixture) idle() {
	f.t.Helper()
	require.NoError(f.t, f.s.Idle(f.t.Context()))
}

// testdata reads a file of the module's testdata.
func testdata(t *testing.T, path ...string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(append([]string{"..", "..", "testdata"}, path...)...))
	require.NoError(t, err)
	return b
}
