package intramtest

import (
	"time"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/internal/mockapi"
)

// FaultKind names what goes wrong.
type FaultKind string

// The kinds of fault that hit calls. docs/faults.md says what the SDK reports for each.
// Those that may come before or after the call is executed come before it, or after it
// with Executed.
const (
	// Latency responds after Delay on the server's clock. On a frozen clock that moves
	// the clock and takes no time: to see a timeout, use a running clock inside
	// testing/synctest. It may come together with a fault of another kind.
	Latency FaultKind = "latency"
	// Refuse refuses the connection: the call is not read. A client that is not the
	// server's own sees a reset.
	Refuse FaultKind = "refuse"
	// Reset resets the connection before the call is read. Nothing is executed, which the
	// client cannot know.
	Reset FaultKind = "reset"
	// DropResponse executes the call and closes the connection without a response.
	DropResponse FaultKind = "drop_response"
	// Truncate executes the call, announces the whole length of the response and closes
	// the connection after half of it.
	Truncate FaultKind = "truncate"
	// SlowBody executes the call and sends the response in pieces, which take Delay on
	// the server's clock.
	SlowBody FaultKind = "slow_body"
	// Oversized executes the call and sends Size bytes of white space, of unannounced
	// length, before the response.
	Oversized FaultKind = "oversized"
	// NotJSON executes the call and sends a web page with the status of the response, as
	// a captive portal does.
	NotJSON FaultKind = "not_json"

	// OtherSubject executes the call and sends another id and reference, and for an
	// operation another type. Lists are not hit.
	OtherSubject FaultKind = "other_subject"
	// OddFields executes the call and changes the JSON types of all descriptive fields:
	// numbers for strings, strings for numbers.
	OddFields FaultKind = "odd_fields"
	// NoPayload executes the call and leaves out the payload of an operation, and those
	// of a list.
	NoPayload FaultKind = "no_payload"
	// UnreadableItem executes the call and gives one item of a list a status that is not
	// a string.
	UnreadableItem FaultKind = "unreadable_item"
	// ByteOrderMark executes the call and sends a byte order mark before the response.
	ByteOrderMark FaultKind = "byte_order_mark"

	// ServerError responds 500 to 599 with an error envelope, before or after the call is
	// executed.
	ServerError FaultKind = "server_error"
	// IdempotencyError responds 500 idempotency_error, as when the store of keys fails,
	// before or after the call is executed.
	IdempotencyError FaultKind = "idempotency_error"
	// AuthError responds 500 auth_error, before the call is executed: checking the
	// credentials failed.
	AuthError FaultKind = "auth_error"
	// ProxyError responds 502, 503 or 504 with the proxy's web page, before or after the
	// call is executed.
	ProxyError FaultKind = "proxy_error"
	// ProxyRefusal responds with a web page and a 4xx status, as a firewall does with 403
	// and a proxy with error_page, before or after the call is executed.
	ProxyRefusal FaultKind = "proxy_refusal"
	// GatewayJSON responds with a 4xx status and a gateway's own JSON, before or after
	// the call is executed.
	GatewayJSON FaultKind = "gateway_json"
	// ErrorFalse responds 400 with {"error":false}, before or after the call is executed.
	ErrorFalse FaultKind = "error_false"
	// IdempotencyInProgress responds 409 idempotency_in_progress, before or after the
	// call is executed: another request with this key is being processed.
	IdempotencyInProgress FaultKind = "idempotency_in_progress"
	// Unavailable responds 429 or 503 with Retry-After, before the call is executed.
	Unavailable FaultKind = "unavailable"

	// RetryAfterNegative is [Unavailable] with the Retry-After -1.
	RetryAfterNegative FaultKind = "retry_after_negative"
	// RetryAfterHuge is [Unavailable] with a Retry-After of a year.
	RetryAfterHuge FaultKind = "retry_after_huge"
	// RetryAfterOverflow is [Unavailable] with a Retry-After of more seconds than fit 64
	// bits.
	RetryAfterOverflow FaultKind = "retry_after_overflow"
	// RetryAfterPast is [Unavailable] with a date of 1970 as Retry-After.
	RetryAfterPast FaultKind = "retry_after_past"
	// RetryAfterGarbage is [Unavailable] with a word as Retry-After.
	RetryAfterGarbage FaultKind = "retry_after_garbage"
	// RetryAfterDuplicate is [Unavailable] with two Retry-After headers, of a second and
	// of an hour.
	RetryAfterDuplicate FaultKind = "retry_after_duplicate"

	// ClockSkew verifies signatures by a clock that is Skew ahead, and dates the response
	// by the same clock: to the client, its own clock is wrong. A call signed by the
	// right time gets 401 signature_invalid. A client that corrects its clock needs two
	// calls to be hit, the refused one and the next.
	ClockSkew FaultKind = "clock_skew"
	// ClockSkewWrongDate is [ClockSkew] with a Date that is as far off the other way: a
	// client that corrects its clock is refused again.
	ClockSkewWrongDate FaultKind = "clock_skew_wrong_date"
	// ClockSkewCached is [ClockSkew] with the Date and the Age of a cached response.
	ClockSkewCached FaultKind = "clock_skew_cached"
	// ClockSkewForged refuses every call for its timestamp, with a Date that is Skew
	// ahead while the server's own clock is right, as a proxy does that collects
	// signatures for a later day.
	ClockSkewForged FaultKind = "clock_skew_forged"
	// Redirect redirects to another host, before or after the call is executed. That host
	// is the server too: a request that follows the redirect is in [Server.Requests], as
	// Followed, with its signature.
	Redirect FaultKind = "redirect"
)

// The kinds of fault that hit deliveries of webhooks: attempts of a delivery that is not
// acknowledged yet.
const (
	// WebhookDuplicate repeats an attempt that was acknowledged, as if the
	// acknowledgement had been lost.
	WebhookDuplicate FaultKind = "webhook_duplicate"
	// WebhookLate holds an attempt back for Delay. It is signed when it is sent.
	WebhookLate FaultKind = "webhook_late"
	// WebhookReordered holds an attempt back until another delivery of the subscription
	// was attempted, at most for Delay.
	WebhookReordered FaultKind = "webhook_reordered"
	// WebhookStale signs an attempt correctly for a time that is Delay ago. Notifications
	// of payins, which carry no timestamp, are not hit.
	WebhookStale FaultKind = "webhook_stale"
	// WebhookBadSignature signs an attempt with a wrong secret.
	WebhookBadSignature FaultKind = "webhook_bad_signature"
	// WebhookPreviousSecret signs an attempt with the secret that the subscription had
	// before: see [Server.PreviousWebhookSecret].
	WebhookPreviousSecret FaultKind = "webhook_previous_secret"
	// WebhookDropped loses a delivery before its first attempt: the event happened, and
	// no webhook is sent.
	WebhookDropped FaultKind = "webhook_dropped"
)

// FaultKinds returns all kinds, for a test that each has hit at least once.
func FaultKinds() []FaultKind {
	var kinds []FaultKind
	for _, kind := range mockapi.FaultKinds() {
		kinds = append(kinds, FaultKind(kind))
	}
	return kinds
}

// Fault is a failure that [Server.Fault] scripts or [Server.SeededFaults] draws. A field
// that its kind does not take is an error.
type Fault struct {
	Kind FaultKind
	// On selects calls: "POST /payouts", "GET /operations/:id", "/payouts" or "POST";
	// empty for every call. For the kinds of webhooks it selects events:
	// "payout.completed" or "payout.*"; empty for every event.
	On string
	// Times is how many calls, or attempts of deliveries, a scripted fault hits; 0 means
	// 1. A drawn fault hits no attempt of a call or delivery after the first Times; 0
	// means no such limit.
	Times int
	// For ends the fault after this time on the server's clock, hit or not; 0 means that
	// only Times ends it.
	For time.Duration
	// Delay is the time that [Latency], [SlowBody], [WebhookLate] and [WebhookReordered]
	// (default one minute) take, and the age of [WebhookStale] (more than five minutes;
	// default ten).
	Delay time.Duration
	// Status is the status of [ServerError] (500 to 599, default 500), [ProxyError] (502,
	// 503 or 504, default 502), [Redirect] (301, 302, 303, 307 or 308, default 307),
	// [ProxyRefusal] (400, 401, 403, 404, 405, 409, 410, 413 or 451, default 403),
	// [GatewayJSON] (400, 401, 403, 404, 409 or 451, default 409), and of [Unavailable]
	// and the RetryAfter kinds (429 or 503, default 503).
	Status int
	// Code is the error code of [ServerError]; the default is internal_error.
	Code intram.ErrorCode
	// Executed makes [ServerError], [IdempotencyError], [ProxyError], [ProxyRefusal],
	// [GatewayJSON], [ErrorFalse], [IdempotencyInProgress] and [Redirect] come after the
	// call was executed and its response kept for its key.
	Executed bool
	// RetryAfter is the header of [Unavailable]; the default is "1", and "-" sends none.
	RetryAfter string
	// Skew is how far the server's clock is ahead in the ClockSkew kinds, or behind when
	// negative: more than five minutes; the default is ten, and two years for
	// [ClockSkewForged].
	Skew time.Duration
	// Size is how many bytes [Oversized] adds; the default is 16 MiB, more than the SDK
	// reads.
	Size int64
}

func (f Fault) core() mockapi.Fault {
	return mockapi.Fault{
		Kind: mockapi.FaultKind(f.Kind), On: f.On, Times: f.Times, For: f.For, Delay: f.Delay, Status: f.Status,
		Code: string(f.Code), Executed: f.Executed, RetryAfter: f.RetryAfter, Skew: f.Skew, Size: f.Size,
	}
}

// Fault scripts a failure, which hits the next Times calls that it matches. An invalid
// fault is an error, and fails the test.
func (s *Server) Fault(f Fault) error {
	err := s.core.AddFault(f.core())
	if err != nil && s.tb != nil {
		s.tb.Helper()
		s.tb.Errorf("intramtest: %v", err)
	}
	return err
}

// FaultRate is a fault and how often it is drawn: it hits PerThousand of a thousand
// attempts that it matches, on average.
type FaultRate struct {
	Fault
	PerThousand int
}

// SeededFaults draws faults from now on, and replaces those drawn until now; without
// rates it draws none. Whether an attempt is hit, and by what, is a hash of the seed, the
// call and the number of the attempt. So a seed repeats a run that failed, whatever order
// its goroutines run in.
//
// A call is identified by its method, path and query, and by its idempotency key, or by
// the merchant and the environment when it has none. Give keys of your own
// ([intram.WithIdempotencyKey]), so that they are the same in every run. An operation or
// a transaction in the path counts as the key that created it. A delivery is identified
// by its receiver, its event and the key of its operation.
//
// Each rate must end: by Times, which lets attempts after the first Times of a call or
// delivery pass, or by For. The rates of calls sum to 1000 at most, and so do those of
// deliveries. [Latency] is drawn apart, and may come together with another fault. The
// ClockSkew kinds are drawn apart too, and once per call: a clock stays wrong.
//
// Invalid rates are an error, and fail the test.
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

// PendingFaults returns the scripted faults that have hits left, with Times set to how
// many.
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

// Fired counts the hits of each kind since the server started, scripted and drawn
// together. A kind that has not hit is absent.
func (s *Server) Fired() map[FaultKind]int {
	fired := map[FaultKind]int{}
	for kind, n := range s.core.FiredFaults() {
		fired[FaultKind(kind)] = n
	}
	return fired
}

// ClearFaults removes every fault, scripted or drawn.
func (s *Server) ClearFaults() { s.core.ClearFaults() }

// RotateWebhookSecret gives a subscription a new secret and returns it. The API has no
// call for that: the portal rotates a secret, or a new subscription does. Deliveries
// under way keep the secret that they began with.
func (s *Server) RotateWebhookSecret(subscriptionID string) (string, error) {
	return s.core.RotateWebhookSecret(subscriptionID)
}

// PreviousWebhookSecret returns the secret that a subscription had before its last
// rotation, which [WebhookPreviousSecret] signs with. For a subscription that was never
// rotated it is derived from the current one.
func (s *Server) PreviousWebhookSecret(subscriptionID string) (string, error) {
	return s.core.PreviousWebhookSecret(subscriptionID)
}
