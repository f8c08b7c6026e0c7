package intramtest

import (
	"time"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/internal/mockapi"
)

// FaultKind is what goes wrong.
type FaultKind string

// The kinds of fault that hit calls. docs/faults.md says what each does and what the SDK makes of it.
const (
	// Latency answers after Delay on the server's clock. On a frozen clock that moves the clock and takes no time: to see a
	// time-out, use a running clock inside testing/synctest. It may come together with one fault of another kind.
	Latency FaultKind = "latency"
	// Refuse refuses the connection: the call cannot have been read. A client that is not the server's own sees a reset.
	Refuse FaultKind = "refuse"
	// Reset resets the connection before the call is read: nothing is executed, which the client cannot know.
	Reset FaultKind = "reset"
	// DropResponse executes the call and cuts the connection instead of answering.
	DropResponse FaultKind = "drop_response"
	// Truncate executes the call, announces the answer's whole length, and cuts the connection after half of it.
	Truncate FaultKind = "truncate"
	// SlowBody executes the call and lets the answer trickle: its pieces take Delay on the server's clock.
	SlowBody FaultKind = "slow_body"
	// Oversized executes the call and puts Size bytes of white space, of unannounced length, in front of the answer.
	Oversized FaultKind = "oversized"
	// NotJSON executes the call and sends a web page with the answer's status, as a captive portal does.
	NotJSON FaultKind = "not_json"

	// OtherSubject executes the call and answers about something else: another id and reference, and of an operation another type.
	// Lists are not hit.
	OtherSubject FaultKind = "other_subject"
	// OddFields executes the call and answers with other kinds of values in all that describes: numbers for texts, texts
	// for numbers.
	OddFields FaultKind = "odd_fields"
	// NoPayload executes the call and leaves payloads out of the answer, of an operation and of those in a list.
	NoPayload FaultKind = "no_payload"
	// UnreadableItem executes the call and gives one item of a list a status that is no word.
	UnreadableItem FaultKind = "unreadable_item"
	// ByteOrderMark executes the call and puts a byte order mark in front of the answer.
	ByteOrderMark FaultKind = "byte_order_mark"

	// ServerError answers 5xx with an error envelope: before executing anything, or after, with Executed.
	ServerError FaultKind = "server_error"
	// IdempotencyError answers 500 idempotency_error: before executing anything, or after, with Executed.
	IdempotencyError FaultKind = "idempotency_error"
	// AuthError answers 500 auth_error, before executing anything.
	AuthError FaultKind = "auth_error"
	// ProxyError answers 502, 503 or 504 with the proxy's web page: before executing anything, or after, with Executed.
	ProxyError FaultKind = "proxy_error"
	// ProxyRefusal answers with a web page and a 4xx status, as a firewall does with its 403 and a proxy with error_page:
	// before executing anything, or after, with Executed.
	ProxyRefusal FaultKind = "proxy_refusal"
	// GatewayJSON answers with a 4xx status and a gateway's own JSON: before executing anything, or after, with Executed.
	GatewayJSON FaultKind = "gateway_json"
	// ErrorFalse answers 400 with {"error":false}: before executing anything, or after, with Executed.
	ErrorFalse FaultKind = "error_false"
	// IdempotencyInProgress answers 409 idempotency_in_progress: a request with this key is under way. With Executed, the
	// call is executed by then.
	IdempotencyInProgress FaultKind = "idempotency_in_progress"
	// Unavailable answers 429 or 503 with Retry-After, before executing anything.
	Unavailable FaultKind = "unavailable"

	// RetryAfterNegative and those below are [Unavailable] with a Retry-After that a client must survive: "-1";
	RetryAfterNegative FaultKind = "retry_after_negative"
	// RetryAfterHuge asks to come back in a year;
	RetryAfterHuge FaultKind = "retry_after_huge"
	// RetryAfterOverflow asks for more seconds than fit 64 bits;
	RetryAfterOverflow FaultKind = "retry_after_overflow"
	// RetryAfterPast is a date, in 1970;
	RetryAfterPast FaultKind = "retry_after_past"
	// RetryAfterGarbage is a word;
	RetryAfterGarbage FaultKind = "retry_after_garbage"
	// RetryAfterDuplicate are two headers, of 1 second and of an hour.
	RetryAfterDuplicate FaultKind = "retry_after_duplicate"

	// ClockSkew checks signatures by a clock that is Skew ahead, and dates the answer by the same clock: to the client it is its
	// own that is wrong. A client that corrects itself needs two calls to be hit, the refused one and the one that
	// follows it.
	ClockSkew FaultKind = "clock_skew"
	// ClockSkewWrongDate is [ClockSkew] with a Date that is as far off the other way: who corrects himself by it is refused again.
	ClockSkewWrongDate FaultKind = "clock_skew_wrong_date"
	// ClockSkewCached is [ClockSkew] with the Date and the Age of an answer that a cache has kept.
	ClockSkewCached FaultKind = "clock_skew_cached"
	// ClockSkewForged refuses every call for its timestamp, with a Date that is Skew ahead while the server's own clock is right, as a
	// proxy does that collects signatures for a later day.
	ClockSkewForged FaultKind = "clock_skew_forged"
	// Redirect answers with a redirect to another host; with Executed, after executing the call. Behind that host is the server
	// too: whatever follows the redirect is among [Server.Requests], as Followed, with its signature.
	Redirect FaultKind = "redirect"
)

// The kinds of fault that hit deliveries of webhooks: attempts of a delivery that nobody has acknowledged yet.
const (
	// WebhookDuplicate delivers once more what was acknowledged, as if the acknowledgement had been lost.
	WebhookDuplicate FaultKind = "webhook_duplicate"
	// WebhookLate holds an attempt back for Delay. It is signed when it is sent.
	WebhookLate FaultKind = "webhook_late"
	// WebhookReordered holds an attempt back until another delivery of the subscription was attempted, at most for Delay.
	WebhookReordered FaultKind = "webhook_reordered"
	// WebhookStale signs an attempt correctly, for a time that is Delay ago. Notifications of payins have no time, and are not hit.
	WebhookStale FaultKind = "webhook_stale"
	// WebhookBadSignature signs an attempt with a secret that nobody has.
	WebhookBadSignature FaultKind = "webhook_bad_signature"
	// WebhookPreviousSecret signs an attempt with the secret that the subscription had before: see
	// [Server.PreviousWebhookSecret].
	WebhookPreviousSecret FaultKind = "webhook_previous_secret"
	// WebhookDropped loses a delivery before its first attempt: the event happened, and nobody is ever told.
	WebhookDropped FaultKind = "webhook_dropped"
)

// FaultKinds are all kinds, for a test that wants each to have hit at least once.
func FaultKinds() []FaultKind {
	var kinds []FaultKind
	for _, kind := range mockapi.FaultKinds() {
		kinds = append(kinds, FaultKind(kind))
	}
	return kinds
}

// Fault is a failure, scripted with [Server.Fault] or drawn with [Server.SeededFaults]. A field that its kind has no use for is an
// error.
type Fault struct {
	Kind FaultKind
	// On picks the calls: "POST /payouts", "GET /operations/:id", "/payouts" or "POST"; empty for every call. For the kinds of
	// webhooks it picks the events: "payout.completed" or "payout.*"; empty for every event.
	On string
	// Times is how many calls, or attempts of deliveries, a scripted fault hits; 0 means 1. A drawn fault hits no attempt of a
	// call or delivery after the first Times; 0 means no such limit.
	Times int
	// For ends it after this long on the server's clock, hit or not; 0 for no such end.
	For time.Duration
	// Delay is how long [Latency], [SlowBody], [WebhookLate] and [WebhookReordered] (default one minute) take, and how old
	// [WebhookStale] is (more than five minutes; default ten).
	Delay time.Duration
	// Status is the answer of [ServerError] (500 to 599, default 500), [ProxyError] (502, 503 or 504, default 502), [Redirect] (301,
	// 302, 303, 307 or 308, default 307), [ProxyRefusal] (400, 401, 403, 404, 405, 409, 410, 413 or 451, default 403),
	// [GatewayJSON] (400, 401, 403, 404, 409 or 451, default 409), and of [Unavailable] and the RetryAfter kinds (429 or 503, default 503).
	Status int
	// Code is the error code of [ServerError]; the default is internal_error.
	Code intram.ErrorCode
	// Executed makes [ServerError], [IdempotencyError], [ProxyError], [ProxyRefusal], [GatewayJSON], [ErrorFalse],
	// [IdempotencyInProgress] and [Redirect] answer after executing the call and keeping its answer.
	Executed bool
	// RetryAfter is the header of [Unavailable]; the default is "1", and "-" sends none.
	RetryAfter string
	// Skew is how far the server's clock is ahead in the ClockSkew kinds, or behind when below zero: more than five minutes;
	// the default is ten, and two years for [ClockSkewForged].
	Skew time.Duration
	// Size is how many bytes [Oversized] adds; the default is 16 MiB, more than the SDK reads.
	Size int64
}

func (f Fault) core() mockapi.Fault {
	return mockapi.Fault{
		Kind: mockapi.FaultKind(f.Kind), On: f.On, Times: f.Times, For: f.For, Delay: f.Delay, Status: f.Status,
		Code: string(f.Code), Executed: f.Executed, RetryAfter: f.RetryAfter, Skew: f.Skew, Size: f.Size,
	}
}

// Fault scripts a failure. It hits the next Times calls it matches, and then is gone. A fault that makes no sense is an error,
// and fails the test.
func (s *Server) Fault(f Fault) error {
	err := s.core.AddFault(f.core())
	if err != nil && s.tb != nil {
		s.tb.Helper()
		s.tb.Errorf("intramtest: %v", err)
	}
	return err
}

// FaultRate is how often a fault is drawn: how many of a thousand attempts that it matches it hits, on average.
type FaultRate struct {
	Fault
	PerThousand int
}

// SeededFaults draws failures from now on, in place of those drawn until now; without rates nothing is drawn any more. Whether an
// attempt is hit, and by what, follows from the seed, the call and the number of the attempt: a seed gives every call the same
// fate, whatever order goroutines run in, and so repeats a run that failed.
//
// What a call is has to be the same in every run: its method, path and query, and its idempotency key, so give keys of your own
// ([intram.WithIdempotencyKey]), or the merchant's name when it has none. An operation or a transaction in the path counts as
// the key that made it. A delivery is its receiver, its event and the key of the operation that it is about.
//
// Each rate must end: by Times, which lets attempts after the first Times of a call or delivery pass, or by For. The rates of calls
// sum to 1000 at most, and so do those of deliveries. [Latency] is drawn apart, and may come together with another fault. The
// ClockSkew kinds are drawn apart too, and once per call: no clock goes wrong for a moment.
//
// Rates that make no sense are an error, and fail the test.
func (s *Server) SeededFaults(seed uint64, rates ...FaultRate) error {
	drawn := make([]mockapi.FaultRate, len(rates))
	for i, r := range rates {
		drawn[i] = mockapi.FaultRate{Fault: r.core(), PerThousand: r.PerThousand}
	}
	err := s.core.SeededFaults(seed, drawn...)
	if err != nil && s.tb != nil {
		s.tb.Helper()
		s.tb.Errorf("intramtest: %v", err)
	}
	return err
}

// PendingFaults returns the scripted faults that have calls left to hit, with Times counting those.
func (s *Server) PendingFaults() []Fault {
	var pending []Fault
	for _, f := range s.core.PendingFaults() {
		pending = append(pending, Fault{
			Kind: FaultKind(f.Kind), On: f.On, Times: f.Times, For: f.For, Delay: f.Delay, Status: f.Status,
			Code: intram.ErrorCode(f.Code), Executed: f.Executed, RetryAfter: f.RetryAfter, Skew: f.Skew, Size: f.Size,
		})
	}
	return pending
}

// Fired is how often each kind has hit since the server started, scripted and drawn together. A kind that never did is absent,
// so that a test which means to meet one can say so.
func (s *Server) Fired() map[FaultKind]int {
	fired := map[FaultKind]int{}
	for kind, n := range s.core.FiredFaults() {
		fired[FaultKind(kind)] = n
	}
	return fired
}

// ClearFaults ends every failure, scripted or drawn.
func (s *Server) ClearFaults() { s.core.ClearFaults() }

// RotateWebhookSecret gives a subscription a new secret and returns it. The API has no call for that: it is done in the portal, or by
// subscribing anew. Deliveries under way go on with the secret that they began with.
func (s *Server) RotateWebhookSecret(subscriptionID string) (string, error) {
	return s.core.RotateWebhookSecret(subscriptionID)
}

// PreviousWebhookSecret is the secret that a subscription had before its last rotation, and that [WebhookPreviousSecret] signs with. A
// subscription that was never rotated has a made-up one.
func (s *Server) PreviousWebhookSecret(subscriptionID string) (string, error) {
	return s.core.PreviousWebhookSecret(subscriptionID)
}
