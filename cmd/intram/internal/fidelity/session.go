package fidelity

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/cmd/intram/internal/signature"
	"github.com/intram/intram-go/internal/redact"
)

const (
	// maxBody is more than any response of the API has.
	maxBody = 4 << 20
	// longestPause is how long a run waits when the API asks it to come back later.
	longestPause = 30 * time.Second
	// maxCorrection is how far a machine's clock may be off: nothing is signed for
	// another day because a server says so.
	maxCorrection = 12 * time.Hour
	// documentedLayout is how the documentation writes X-Timestamp.
	documentedLayout = "2006-01-02T15:04:05.000Z"
)

// Config is what a run is played against, and as whom.
type Config struct {
	BaseURL              string // where the Merchant API is, with its path
	PublicKey, SecretKey string
	Payin                *PayinConfig // nil: no probe of payin sessions is played

	Transport http.RoundTripper // nil is the default one
	Clock     intram.Clock
	// WebhookURL is what subscriptions name, each for the time of one probe. Empty is an
	// address that does not exist.
	WebhookURL string
	// Pause is the least time between two calls, Timeout how long a response may take (0
	// is without end), Longest how long an operation is waited for.
	Pause, Timeout, Longest time.Duration
	Nonce                   string
}

// PayinConfig is where payin sessions are, and the credentials.
type PayinConfig struct{ BaseURL, APIKey, APIClient string }

// Format implements [fmt.Formatter]: nothing of a configuration is shown, whatever the
// verb.
func (c Config) Format(f fmt.State, _ rune) { fmt.Fprint(f, "fidelity.Config") }

// Format implements [fmt.Formatter], as [Config.Format] does.
func (c PayinConfig) Format(f fmt.State, _ rune) { fmt.Fprint(f, "fidelity.PayinConfig") }

// NowhereURL is the address of the subscriptions that are made and deleted: no such name
// can exist (RFC 2606).
const NowhereURL = "https://intram-fidelity.invalid/webhooks"

// Session is one run: it signs and sends the calls of the probes, one after the other,
// and counts them.
type Session struct {
	config Config
	client *http.Client
	origin string // of the base URL

	mu       sync.Mutex // two calls of one probe are sent at once
	seq      int
	ahead    time.Duration // of the server's clock
	trip     time.Duration // how long the last exchange took
	activity Activity
	// subscribing says that a subscription was asked for: its response may be lost.
	subscribing bool

	payments, payouts map[string]*operation // that probes share
}

// Activity is what a run sends and creates.
type Activity struct {
	Calls           int
	Payouts         int
	PaidOut         int64 // in all, whole units
	PaymentRequests int
	Refunds         int
	Subscriptions   int
	// LeftBehind says that a subscription of the run may still be there.
	LeftBehind bool
}

func newSession(c Config) (*Session, error) {
	u, err := url.Parse(c.BaseURL)
	if err != nil {
		return nil, err
	}
	if c.WebhookURL == "" {
		c.WebhookURL = NowhereURL
	}
	return &Session{
		config: c, origin: u.Scheme + "://" + u.Host, payments: map[string]*operation{}, payouts: map[string]*operation{},
		client: &http.Client{
			Transport: c.Transport, Timeout: c.Timeout,
			// A redirect would take the signature to another place.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

// request is one call as a probe means it.
type request struct {
	method, target string // "GET", "/operations?limit=1"
	body           string

	key         string // the idempotency key; empty is a new one
	withoutKey  bool
	contentType string // empty is application/json
	prefix      string // the path in front of the endpoint; empty is the configured one
	signed      string // the target that is signed, when it is another
	off         time.Duration
	layout      string            // of the timestamp; empty is the documented one
	edit        func(http.Header) // of the signed headers
	page        bool              // a page may be the response, and is what the probe is about
}

// response is what came back.
type response struct {
	status int
	header http.Header
	body   []byte
	page   bool // it is not the JSON of the API
}

// inconclusiveError says why a line could not be played: nothing was learned about it.
type inconclusiveError struct{ why string }

func (e *inconclusiveError) Error() string { return e.why }

func inconclusive(format string, args ...any) error {
	return &inconclusiveError{fmt.Sprintf(format, args...)}
}

// refusedError is a creation that the API has refused. It is a fact of the line that is
// about it, and keeps the lines that need what was to be created from being played.
type refusedError struct{ target, outcome string }

func (e *refusedError) Error() string { return "POST " + e.target + " was refused: " + e.outcome }

// refusedAs is how the API has refused a creation, if that is what an error says.
func refusedAs(err error) (outcome string, refused bool) {
	if e := new(refusedError); errors.As(err, &e) {
		return e.outcome, true
	}
	return "", false
}

// next is a name that nothing of this run or another has: a key or a reference.
func (s *Session) next(what string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seq++
	return fmt.Sprintf("fidelity-%s-%s-%d", s.config.Nonce, what, s.seq)
}

func (s *Session) get(ctx context.Context, target string) (*response, error) {
	return s.send(ctx, request{method: http.MethodGet, target: target})
}

func (s *Session) post(ctx context.Context, target, body string) (*response, error) {
	return s.send(ctx, request{method: http.MethodPost, target: target, body: body})
}

// reachesAPI returns an error unless the API itself responds. Where a firewall sends a
// page for everything, a page says nothing about one path.
func (s *Session) reachesAPI(ctx context.Context) error {
	_, err := s.get(ctx, "/balance")
	return err
}

// send signs and sends a call of the Merchant API.
func (s *Session) send(ctx context.Context, r request) (*response, error) {
	keyed := r.method != http.MethodGet && r.method != http.MethodDelete
	if keyed && r.key == "" && !r.withoutKey {
		r.key = s.next("key")
	}
	if r.method == http.MethodPost && r.target == "/webhooks" {
		s.subscribing = true
	}
	base := strings.TrimRight(s.config.BaseURL, "/")
	if r.prefix != "" {
		base = s.origin + r.prefix
	}
	return s.exchange(ctx, r.page, func(ctx context.Context) (*http.Request, error) {
		h, err := http.NewRequestWithContext(ctx, r.method, base+r.target, strings.NewReader(r.body))
		if err != nil {
			return nil, err
		}
		signed := r.target
		if r.signed != "" {
			signed = r.signed
		}
		layout := r.layout
		if layout == "" {
			layout = documentedLayout
		}
		timestamp := s.serverTime().Add(r.off).UTC().Format(layout)
		headers, err := signature.SignAs(s.config.PublicKey, s.config.SecretKey, r.method, signed, []byte(r.body), timestamp)
		if err != nil {
			return nil, err
		}
		for _, pair := range headers {
			h.Header.Set(pair[0], pair[1])
		}
		if keyed {
			h.Header.Set("Content-Type", "application/json")
			if r.contentType != "" {
				h.Header.Set("Content-Type", r.contentType)
			}
			if r.key != "" {
				h.Header.Set("Idempotency-Key", r.key)
			}
		}
		if r.edit != nil {
			r.edit(h.Header)
		}
		return h, nil
	})
}

// sendPayin sends a call of payin sessions, without credentials when edit takes them
// away.
func (s *Session) sendPayin(ctx context.Context, r request) (*response, error) {
	c := s.config.Payin
	u, err := url.Parse(c.BaseURL)
	if err != nil {
		return nil, err
	}
	return s.exchange(ctx, r.page, func(ctx context.Context) (*http.Request, error) {
		h, err := http.NewRequestWithContext(ctx, r.method, u.Scheme+"://"+u.Host+r.target, strings.NewReader(r.body))
		if err != nil {
			return nil, err
		}
		h.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(c.APIKey+":"+c.APIClient)))
		if r.method == http.MethodPost {
			h.Header.Set("Content-Type", "application/json")
			if r.key != "" {
				h.Header.Set("X-Idempotency-Key", r.key)
			}
		}
		if r.edit != nil {
			r.edit(h.Header)
		}
		return h, nil
	})
}

// exchange sends a call, again when the API asks to come back later, and refuses what
// tells nothing about the API.
func (s *Session) exchange(ctx context.Context, page bool, build func(context.Context) (*http.Request, error)) (*response, error) {
	for attempt := 0; ; attempt++ {
		if err := s.config.Clock.Sleep(ctx, s.config.Pause); err != nil {
			return nil, err
		}
		r, err := build(ctx)
		if err != nil {
			return nil, err
		}
		resp, err := s.roundTrip(r)
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case err != nil:
			return nil, inconclusive("no response: %s", redact.Cause(err, nil))
		case resp.status == http.StatusTooManyRequests && attempt < 2:
			if err := s.config.Clock.Sleep(ctx, resp.retryAfter()); err != nil {
				return nil, err
			}
			continue
		case resp.status >= http.StatusInternalServerError, resp.status == http.StatusTooManyRequests, resp.status < http.StatusOK:
			return nil, inconclusive("the response was %s", resp.outcome())
		case resp.status >= http.StatusMultipleChoices && resp.status < http.StatusBadRequest:
			return nil, inconclusive("the response was a redirect (%d), which is not followed", resp.status)
		case resp.page && !page:
			return nil, inconclusive("the response was a page instead of the API's JSON (status %d)", resp.status)
		case resp.saysLive():
			return nil, errLive
		}
		s.count(r, resp)
		return resp, nil
	}
}

func (s *Session) roundTrip(r *http.Request) (*response, error) {
	begun := machineTime()
	sent := s.config.Clock.Now()
	s.mu.Lock()
	s.activity.Calls++
	s.mu.Unlock()
	got, err := s.client.Do(r)
	if err != nil {
		return nil, err
	}
	defer func() { _ = got.Body.Close() }() // it was only read
	body, err := io.ReadAll(io.LimitReader(got.Body, maxBody+1))
	if err != nil {
		return nil, err
	}
	if len(body) > maxBody {
		return nil, errors.New("the response is too large")
	}
	resp := &response{status: got.StatusCode, header: got.Header, body: body, page: !isObject(body)}
	took := machineTime().Sub(begun)
	date, err := http.ParseTime(got.Header.Get("Date"))
	if err != nil || resp.page { // the clock of a proxy is not the one that judges timestamps
		return resp, nil
	}
	// The header has seconds: the half of one is the least mistake.
	ahead := date.Add(time.Second / 2).Sub(sent.Add(took / 2))
	if ahead < -maxCorrection || ahead > maxCorrection {
		return resp, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trip, s.ahead = took, ahead
	return resp, nil
}

// serverTime is the server's clock as the last response told it. A machine that is off by
// a little is not corrected: the header is not that exact.
func (s *Session) serverTime() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.config.Clock.Now()
	if s.ahead > 2*time.Second || s.ahead < -2*time.Second {
		return now.Add(s.ahead)
	}
	return now
}

// precisely is how far a timestamp has to be from one that serverTime makes, to be that
// far from the server's clock, and within how much that is known.
func (s *Session) precisely() (correction, within time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ahead > 2*time.Second || s.ahead < -2*time.Second {
		return 0, time.Second/2 + s.trip
	}
	return s.ahead, time.Second/2 + s.trip
}

// count notes what a call has created.
func (s *Session) count(r *http.Request, resp *response) {
	if r.Method != http.MethodPost || resp.status >= http.StatusMultipleChoices || resp.header.Get("Idempotent-Replay") != "" {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch path := r.URL.Path; {
	case strings.HasSuffix(path, "/payouts"):
		s.activity.Payouts++
		s.activity.PaidOut += sentAmount(r)
	case strings.HasSuffix(path, "/payment-requests"):
		s.activity.PaymentRequests++
	case strings.HasSuffix(path, "/refunds"):
		s.activity.Refunds++
	case strings.HasSuffix(path, "/webhooks"):
		s.activity.Subscriptions++
	}
}

func sentAmount(r *http.Request) int64 {
	if r.GetBody == nil {
		return 0
	}
	reader, err := r.GetBody()
	if err != nil {
		return 0
	}
	body, err := io.ReadAll(reader)
	if err != nil {
		return 0
	}
	amount, err := strconv.ParseInt(string(dig(body, "amount")), 10, 64)
	if err != nil {
		return 0
	}
	return amount
}

// retryAfter is how long the API asks to wait, within bounds.
func (r *response) retryAfter() time.Duration {
	seconds, err := strconv.Atoi(strings.TrimSpace(r.header.Get("Retry-After")))
	if err != nil || seconds < 1 {
		return 5 * time.Second
	}
	return min(time.Duration(min(seconds, 3600))*time.Second, longestPause)
}

// saysLive reports a response that is of the live environment.
func (r *response) saysLive() bool {
	for _, raw := range [][]byte{dig(r.body, "data", "env"), dig(r.body, "env")} {
		if bytes.EqualFold(raw, []byte(`"live"`)) {
			return true
		}
	}
	return false
}
