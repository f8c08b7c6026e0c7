package mockapi

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// payinFixture speaks the payin protocol, straight from payin.md.
type payinFixture struct {
	*fixture
	payin PayinKeys
}

func newPayinFixture(t *testing.T, c Config) *payinFixture {
	t.Helper()
	f := newFixture(t, c)
	return &payinFixture{fixture: f, payin: f.s.Merchant().SandboxPayin}
}

// payinCall is a payin request about to be made.
type payinCall struct {
	method, path, body, key string
	keys                    PayinKeys
	edit                    func(*http.Request)
}

func (f *payinFixture) request(c payinCall) *http.Request {
	f.t.Helper()
	if c.keys == (PayinKeys{}) {
		c.keys = f.payin
	}
	r, err := http.NewRequestWithContext(f.t.Context(), c.method, "https://api.intram.test"+c.path, strings.NewReader(c.body))
	require.NoError(f.t, err)
	r.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(c.keys.APIKey+":"+c.keys.APIClient)))
	if c.method == http.MethodPost {
		r.Header.Set("Content-Type", "application/json")
		if c.key == "" {
			c.key = fmt.Sprintf("00000000-0000-4000-8000-%012d", f.next.Add(1))
		}
		r.Header.Set("X-Idempotency-Key", c.key)
	}
	if c.edit != nil {
		c.edit(r)
	}
	return r
}

func (f *payinFixture) trySend(c payinCall) (answer, error) {
	f.t.Helper()
	resp, err := f.s.Transport().RoundTrip(f.request(c))
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	return answer{f.t, resp.StatusCode, resp.Header, body}, err
}

func (f *payinFixture) send(c payinCall) answer {
	f.t.Helper()
	a, err := f.trySend(c)
	require.NoError(f.t, err)
	return a
}

// session returns a body with what both revisions require.
func (f *payinFixture) session(reference, msisdn string, change ...func(map[string]any)) string {
	f.t.Helper()
	body := map[string]any{
		"reference": reference, "accountId": f.payin.AccountID, "amount": 300, "msisdn": msisdn, "customerName": "Ada", "country": "CI",
		"action": map[string]any{"successUrl": "https://shop.example.com/ok", "failureUrl": "https://shop.example.com/no"},
	}
	for _, c := range change {
		c(body)
	}
	b, err := json.Marshal(body)
	require.NoError(f.t, err)
	return string(b)
}

func (f *payinFixture) create(reference, msisdn string) answer {
	f.t.Helper()
	return f.send(payinCall{method: "POST", path: "/v1/payin/sessions", body: f.session(reference, msisdn)}).ok(200)
}

func (f *payinFixture) get(reference string) answer {
	f.t.Helper()
	return f.send(payinCall{method: "GET", path: "/v1/payin/" + reference}).ok(200)
}

// refusedPayin checks an error response: the code, the message and the status, and
// nothing else.
func (a answer) refusedPayin(status int, code string) string {
	a.t.Helper()
	require.Equalf(a.t, status, a.status, "%s", a.body)
	var e map[string]any
	require.NoErrorf(a.t, json.Unmarshal(a.body, &e), "%s", a.body)
	require.Len(a.t, e, 3, "%s", a.body)
	require.Equalf(a.t, code, e["code"], "%s", a.body)
	assert.EqualValues(a.t, status, e["statusCode"])
	message, ok := e["message"].(string)
	require.True(a.t, ok)
	assert.NotEmpty(a.t, message)
	return message
}

// payinWallet returns what the sandbox wallet of payins has.
func (f *payinFixture) payinWallet() int64 { return f.wallet(PayinMethod) }

// balance returns what an account of the ledger has.
func (f *payinFixture) balance(account string) int64 {
	var sum int64
	for _, e := range f.s.Ledger() {
		if e.Account == account {
			sum += e.Amount
		}
	}
	return sum
}

// note is a notification as a receiver got it.
type note struct {
	header http.Header
	body   []byte
}

// receiver keeps the notifications and responds with a status, 204 by default.
type receiver struct {
	mu     sync.Mutex
	notes  []note
	answer func(n int) int
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(request.Body)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.notes = append(r.notes, note{request.Header.Clone(), body})
	status := http.StatusNoContent
	if r.answer != nil {
		status = r.answer(len(r.notes))
	}
	w.WriteHeader(status)
}

func (r *receiver) got() []note {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]note(nil), r.notes...)
}

const payinSecret = "payin-webhook-secret"

// listen registers a receiver as the merchant's payin webhook.
func (f *payinFixture) listen(r *receiver) {
	f.t.Helper()
	require.NoError(f.t, f.s.SetPayinWebhook(f.payin.APIKey, f.s.Receive(r), payinSecret))
}

// at reads a value of a notification.
func (n note) at(t *testing.T, path string) any {
	t.Helper()
	return answer{t: t, body: n.body}.at(path)
}
