package mockapi

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// FaultKind is what goes wrong.
type FaultKind string

// The kinds of fault that hit calls. Each is one way a network or a server fails; what a client may conclude from it
// differs, and the comments say how.
const (
	// FaultLatency answers after Delay on the server's clock. It may come together with one fault of another kind.
	FaultLatency FaultKind = "latency"
	// FaultRefuse refuses the connection: the request cannot have been read. Only the in-process transport and
	// HTTPClient can tell it apart; a connection that is already open is reset.
	FaultRefuse FaultKind = "refuse"
	// FaultReset resets the connection before the request is read: nothing was executed.
	FaultReset FaultKind = "reset"
	// FaultDropResponse executes the call and cuts the connection instead of answering.
	FaultDropResponse FaultKind = "drop_response"
	// FaultTruncate executes the call, announces the answer's whole length, and cuts the connection after half of it.
	FaultTruncate FaultKind = "truncate"
	// FaultSlowBody executes the call and lets the answer trickle: its pieces take Delay on the server's clock.
	FaultSlowBody FaultKind = "slow_body"
	// FaultOversized executes the call and puts Size bytes of white space, of unannounced length, in front of the answer.
	FaultOversized FaultKind = "oversized"
	// FaultNotJSON executes the call and sends a web page with the answer's status, as a captive portal does.
	FaultNotJSON FaultKind = "not_json"

	// These execute the call, and tell its answer otherwise. A refusal stays as it is.

	// FaultOtherSubject answers about something else: another id and reference, and of an operation another type. Lists are not hit.
	FaultOtherSubject FaultKind = "other_subject"
	// FaultOddFields answers with other kinds of values in all that describes: numbers for texts, texts for numbers.
	FaultOddFields FaultKind = "odd_fields"
	// FaultNoPayload leaves payloads out, of an operation and of those in a list.
	FaultNoPayload FaultKind = "no_payload"
	// FaultUnreadableItem gives one item of a list a status that is no word.
	FaultUnreadableItem FaultKind = "unreadable_item"
	// FaultByteOrderMark puts a byte order mark in front of the answer.
	FaultByteOrderMark FaultKind = "byte_order_mark"

	// FaultServerError answers a 5xx with an error envelope; with Executed set, after executing the call.
	FaultServerError FaultKind = "server_error"
	// FaultIdempotencyError answers 500 idempotency_error: the store of idempotency keys failed. With Executed, it failed
	// after the call was executed and its answer kept.
	FaultIdempotencyError FaultKind = "idempotency_error"
	// FaultAuthError answers 500 auth_error: the check of the credentials failed, which says nothing of them.
	FaultAuthError FaultKind = "auth_error"
	// FaultProxyError answers 502, 503 or 504 with the proxy's web page; with Executed set, after executing the call.
	FaultProxyError FaultKind = "proxy_error"
	// FaultProxyRefusal answers with a web page and a 4xx status, as a firewall does with its 403 and a proxy with
	// error_page: before executing anything, or with Executed after it, as rules about responses do.
	FaultProxyRefusal FaultKind = "proxy_refusal"
	// FaultGatewayJSON answers with a 4xx status and JSON that is not the API's: a gateway's. With Executed, after
	// executing the call.
	FaultGatewayJSON FaultKind = "gateway_json"
	// FaultErrorFalse answers 400 with {"error":false}: a status of refusal, and a body that denies it. With Executed,
	// after executing the call.
	FaultErrorFalse FaultKind = "error_false"
	// FaultIdempotencyInProgress answers 409 idempotency_in_progress: a request with this key is under way. With
	// Executed, it is executed by then.
	FaultIdempotencyInProgress FaultKind = "idempotency_in_progress"
	// FaultUnavailable answers 429 or 503 with Retry-After, before executing anything.
	FaultUnavailable FaultKind = "unavailable"

	// These are FaultUnavailable with a Retry-After that a client must survive: below zero, a year, more than fits 64 bits,
	// the first of January 1970, a word, and two headers that contradict each other.
	FaultRetryAfterNegative  FaultKind = "retry_after_negative"
	FaultRetryAfterHuge      FaultKind = "retry_after_huge"
	FaultRetryAfterOverflow  FaultKind = "retry_after_overflow"
	FaultRetryAfterPast      FaultKind = "retry_after_past"
	FaultRetryAfterGarbage   FaultKind = "retry_after_garbage"
	FaultRetryAfterDuplicate FaultKind = "retry_after_duplicate"

	// FaultClockSkew checks signatures by a clock that is Skew ahead, and dates the answer by the same clock: to the client it
	// is its own that is wrong. A call signed by the right time gets 401 signature_invalid, timestamp_out_of_window.
	FaultClockSkew FaultKind = "clock_skew"
	// FaultClockSkewWrongDate is FaultClockSkew with a Date that is as far off the other way: who corrects himself by it is
	// refused again.
	FaultClockSkewWrongDate FaultKind = "clock_skew_wrong_date"
	// FaultClockSkewCached is FaultClockSkew with the Date and the Age of an answer that a cache has kept: its Date says
	// nothing about the present.
	FaultClockSkewCached FaultKind = "clock_skew_cached"
	// FaultClockSkewForged is what a proxy does that collects signatures for a later day: it refuses every call for its timestamp,
	// with a Date that is Skew ahead, two years unless given. The server's own clock is right, and no date that follows from its answer is accepted.
	FaultClockSkewForged FaultKind = "clock_skew_forged"
	// FaultRedirect sends the client to another host; with Executed set, after executing the call. Whatever arrives there is
	// in the journal, marked as Followed.
	FaultRedirect FaultKind = "redirect"
)

// The kinds of fault that hit deliveries of webhooks. They hit an attempt of a delivery that nobody has acknowledged.
const (
	// FaultWebhookDuplicate delivers once more what was acknowledged, as if the acknowledgement had been lost.
	FaultWebhookDuplicate FaultKind = "webhook_duplicate"
	// FaultWebhookLate holds an attempt back for Delay. It is signed when it is sent.
	FaultWebhookLate FaultKind = "webhook_late"
	// FaultWebhookReordered holds an attempt back until another delivery of the subscription was attempted, at most for Delay
	// (default one minute).
	FaultWebhookReordered FaultKind = "webhook_reordered"
	// FaultWebhookStale signs an attempt correctly for a time that is Delay ago (default ten minutes). Notifications of payins
	// have no time, and are not hit.
	FaultWebhookStale FaultKind = "webhook_stale"
	// FaultWebhookBadSignature signs an attempt with a secret that nobody has.
	FaultWebhookBadSignature FaultKind = "webhook_bad_signature"
	// FaultWebhookPreviousSecret signs an attempt with the secret that the subscription had before: see PreviousWebhookSecret.
	FaultWebhookPreviousSecret FaultKind = "webhook_previous_secret"
	// FaultWebhookDropped loses a delivery before its first attempt: the event happened, and nobody is told.
	FaultWebhookDropped FaultKind = "webhook_dropped"
)

// faultStage is when a fault is decided.
type faultStage int

const (
	atDial faultStage = 1 << iota
	atArrival
	atCall
	atDelivery
)

// faultRule is what a kind of fault is, and which fields of Fault it takes.
type faultRule struct {
	kind  FaultKind
	stage faultStage
	// executes is set where the call is executed whatever Executed says, and after where Executed says so.
	executes, after bool
	// statuses are what Status may be, the default first; nil for none.
	statuses []int
	code     string // the error code of the answer
	// delay is the default of Delay, or mustDelay; 0 where Delay means nothing. shortest is what it must be more than.
	delay, shortest time.Duration
	// retryAfter are the headers of a 429 or 503.
	retryAfter []string
	skewed     bool // takes Skew
	timed      bool // needs a timestamp to be wrong about
}

const (
	// mustDelay is for the kinds that have no default Delay.
	mustDelay time.Duration = -1
	// defaultSkew is twice the window that signatures have.
	defaultSkew = 2 * signatureWindow
	// forgedSkew is when whoever collects signatures means to use them.
	forgedSkew = 2 * 365 * 24 * time.Hour
	// defaultOversize is more than any client should take, and maxOversize what a test machine can still send.
	defaultOversize = 16 << 20
	maxOversize     = 1 << 30
)

var (
	serverErrors  = []int{http.StatusInternalServerError}
	proxyErrors   = []int{http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout}
	tooBusy       = []int{http.StatusServiceUnavailable, http.StatusTooManyRequests}
	proxyRefusals = []int{
		http.StatusForbidden, http.StatusNotFound, http.StatusBadRequest, http.StatusUnauthorized, http.StatusMethodNotAllowed, http.StatusConflict,
		http.StatusGone, http.StatusRequestEntityTooLarge, http.StatusUnavailableForLegalReasons,
	}
	gatewayRefusals = []int{
		http.StatusConflict, http.StatusUnavailableForLegalReasons, http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound,
	}
	redirectCodes = []int{
		http.StatusTemporaryRedirect, http.StatusPermanentRedirect, http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther,
	}
)

// faultRules are all kinds, in the order of their constants.
var faultRules = [...]faultRule{
	{kind: FaultLatency, stage: atArrival, delay: mustDelay},
	{kind: FaultRefuse, stage: atDial},
	{kind: FaultReset, stage: atCall},
	{kind: FaultDropResponse, stage: atCall, executes: true},
	{kind: FaultTruncate, stage: atCall, executes: true},
	{kind: FaultSlowBody, stage: atCall, executes: true, delay: mustDelay},
	{kind: FaultOversized, stage: atCall, executes: true},
	{kind: FaultNotJSON, stage: atCall, executes: true},
	{kind: FaultOtherSubject, stage: atCall, executes: true},
	{kind: FaultOddFields, stage: atCall, executes: true},
	{kind: FaultNoPayload, stage: atCall, executes: true},
	{kind: FaultUnreadableItem, stage: atCall, executes: true},
	{kind: FaultByteOrderMark, stage: atCall, executes: true},
	{kind: FaultServerError, stage: atCall, after: true, statuses: serverErrors, code: "internal_error"},
	{kind: FaultIdempotencyError, stage: atCall, after: true, statuses: serverErrors, code: "idempotency_error"},
	{kind: FaultAuthError, stage: atCall, statuses: serverErrors, code: "auth_error"},
	{kind: FaultProxyError, stage: atCall, after: true, statuses: proxyErrors},
	{kind: FaultProxyRefusal, stage: atCall, after: true, statuses: proxyRefusals},
	{kind: FaultGatewayJSON, stage: atCall, after: true, statuses: gatewayRefusals},
	{kind: FaultErrorFalse, stage: atCall, after: true},
	{kind: FaultIdempotencyInProgress, stage: atCall, after: true, statuses: []int{http.StatusConflict}, code: "idempotency_in_progress"},
	{kind: FaultUnavailable, stage: atCall, statuses: tooBusy, retryAfter: []string{"1"}},
	{kind: FaultRetryAfterNegative, stage: atCall, statuses: tooBusy, retryAfter: []string{"-1"}},
	{kind: FaultRetryAfterHuge, stage: atCall, statuses: tooBusy, retryAfter: []string{"31536000"}},
	{kind: FaultRetryAfterOverflow, stage: atCall, statuses: tooBusy, retryAfter: []string{"18446744073709551617"}},
	{kind: FaultRetryAfterPast, stage: atCall, statuses: tooBusy, retryAfter: []string{"Thu, 01 Jan 1970 00:00:00 GMT"}},
	{kind: FaultRetryAfterGarbage, stage: atCall, statuses: tooBusy, retryAfter: []string{"soon"}},
	{kind: FaultRetryAfterDuplicate, stage: atCall, statuses: tooBusy, retryAfter: []string{"1", "3600"}},
	{kind: FaultClockSkew, stage: atCall, skewed: true},
	{kind: FaultClockSkewWrongDate, stage: atCall, skewed: true},
	{kind: FaultClockSkewCached, stage: atCall, skewed: true},
	{kind: FaultClockSkewForged, stage: atCall, skewed: true},
	{kind: FaultRedirect, stage: atCall, after: true, statuses: redirectCodes},
	{kind: FaultWebhookDuplicate, stage: atDelivery},
	{kind: FaultWebhookLate, stage: atDelivery, delay: mustDelay},
	{kind: FaultWebhookReordered, stage: atDelivery, delay: time.Minute},
	{kind: FaultWebhookStale, stage: atDelivery, delay: defaultSkew, shortest: signatureWindow, timed: true},
	{kind: FaultWebhookBadSignature, stage: atDelivery},
	{kind: FaultWebhookPreviousSecret, stage: atDelivery},
	{kind: FaultWebhookDropped, stage: atDelivery},
}

// FaultKinds are all kinds of fault, those of calls first.
func FaultKinds() []FaultKind {
	kinds := make([]FaultKind, len(faultRules))
	for i := range faultRules {
		kinds[i] = faultRules[i].kind
	}
	return kinds
}

func ruleOf(kind FaultKind) *faultRule {
	for i := range faultRules {
		if faultRules[i].kind == kind {
			return &faultRules[i]
		}
	}
	return nil
}

// Fault is a failure: scripted with AddFault, or drawn with SeededFaults. A field that its kind has no use for is refused.
type Fault struct {
	Kind FaultKind
	// On picks the calls: "POST /payouts", "GET /operations/:id", "/payouts" or "POST"; empty for every call. For the kinds of
	// webhooks it picks the events: "payout.completed" or "payout.*"; empty for every event.
	On string
	// Times is how many calls or attempts a scripted fault hits, default 1. A drawn fault hits the first Times attempts of a
	// call or delivery at most; 0 for no such limit.
	Times int
	// For ends it after this long on the server's clock, hit or not. Zero: only Times ends it.
	For time.Duration
	// Delay is how long FaultLatency, FaultSlowBody, FaultWebhookLate and FaultWebhookReordered take, and how old
	// FaultWebhookStale is.
	Delay time.Duration
	// Status is the answer of FaultServerError (500 to 599, default 500), FaultProxyError (502, 503 or 504, default 502), FaultRedirect
	// (default 307), FaultProxyRefusal (default 403), FaultGatewayJSON (default 409), and FaultUnavailable and its hostile kin (429 or 503, default 503).
	Status int
	// Code is the error code of FaultServerError. Default internal_error.
	Code string
	// Executed makes FaultServerError, FaultIdempotencyError, FaultProxyError, FaultProxyRefusal, FaultGatewayJSON,
	// FaultErrorFalse, FaultIdempotencyInProgress and FaultRedirect answer after the call was executed and its answer
	// kept, rather than before.
	Executed bool
	// RetryAfter is the header of FaultUnavailable. Default "1"; "-" sends none.
	RetryAfter string
	// Skew is how far the clock of the FaultClockSkew kinds is ahead, or behind when it is below zero. It is more than the five
	// minutes that signatures have; default ten minutes, and two years for FaultClockSkewForged.
	Skew time.Duration
	// Size is how many bytes FaultOversized adds. Default 16 MiB.
	Size int64
}

// faults holds the scripted failures in the order they were added, those to be drawn, and what has hit so far.
type faults struct {
	waiting atomic.Int64 // how many there are, for the calls that no fault concerns

	mu     sync.Mutex
	active []activeFault
	seeded *seededFaults // nil for none
	fired  map[FaultKind]int
}

// activeFault is a fault that may hit.
type activeFault struct {
	Fault
	rule             *faultRule
	method, endpoint string
	left             int
	until            time.Time // zero: no end in time
}

// target is what a fault may hit: one attempt of a call, or one of a delivery.
type target struct {
	method, endpoint string // a call's
	event            string // a delivery's
	// routed is set when there is something to execute, dated when its signature has a time.
	routed, dated bool
	// identity and attempt are what drawn faults depend on.
	identity string
	attempt  int
}

// AddFault scripts a failure.
func (s *Server) AddFault(f Fault) error {
	active, err := prepareFault(f)
	if err != nil {
		return err
	}
	active.Times = max(active.Times, 1)
	active.left = active.Times
	active.start(s.clock.Now())
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.active = append(s.faults.active, active)
	s.faults.count()
	s.touch()
	return nil
}

// ClearFaults ends every failure, scripted or drawn.
func (s *Server) ClearFaults() {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.active, s.faults.seeded = nil, nil
	s.faults.count()
	s.touch()
}

// PendingFaults returns the scripted faults that have calls left to hit, with Times counting those.
func (s *Server) PendingFaults() []Fault {
	now := s.clock.Now()
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.expire(now)
	var pending []Fault
	for _, f := range s.faults.active {
		left := f.Fault
		left.Times = f.left
		pending = append(pending, left)
	}
	return pending
}

// FiredFaults is how often each kind has hit since the server was made, scripted and drawn together. A kind that has not is
// absent.
func (s *Server) FiredFaults() map[FaultKind]int {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	return maps.Clone(s.faults.fired)
}

// prepareFault checks a fault and completes it with the defaults of its kind.
func prepareFault(f Fault) (activeFault, error) {
	rule := ruleOf(f.Kind)
	if rule == nil {
		return activeFault{}, fmt.Errorf("intramtest: Fault.Kind: unknown kind %q", f.Kind)
	}
	if f.Times < 0 || f.For < 0 || f.Delay < 0 {
		return activeFault{}, errors.New("intramtest: Fault: Times, For and Delay must not be negative")
	}
	for _, field := range []struct {
		name       string
		set, takes bool
	}{
		{"Delay", f.Delay != 0, rule.delay != 0},
		{"Status", f.Status != 0, len(rule.statuses) > 1 || f.Kind == FaultServerError},
		{"Code", f.Code != "", f.Kind == FaultServerError},
		{"Executed", f.Executed, rule.after},
		{"RetryAfter", f.RetryAfter != "", f.Kind == FaultUnavailable},
		{"Skew", f.Skew != 0, rule.skewed},
		{"Size", f.Size != 0, f.Kind == FaultOversized},
	} {
		if field.set && !field.takes {
			return activeFault{}, fmt.Errorf("intramtest: Fault.%s: a fault of kind %s has no use for it", field.name, f.Kind)
		}
	}
	if err := f.complete(rule); err != nil {
		return activeFault{}, err
	}
	active := activeFault{Fault: f, rule: rule}
	if err := active.parseOn(); err != nil {
		return activeFault{}, err
	}
	return active, nil
}

// complete fills in the defaults and checks the values.
func (f *Fault) complete(rule *faultRule) error {
	if rule.delay != 0 && f.Delay == 0 {
		f.Delay = rule.delay
	}
	switch {
	case f.Delay == mustDelay:
		return fmt.Errorf("intramtest: Fault.Delay: a fault of kind %s needs one", f.Kind)
	case f.Delay <= rule.shortest && rule.shortest > 0:
		return fmt.Errorf("intramtest: Fault.Delay: %v is within the window of %v, want more", f.Delay, rule.shortest)
	}
	if rule.statuses != nil {
		if f.Status == 0 {
			f.Status = rule.statuses[0]
		}
		switch {
		case f.Kind == FaultServerError && (f.Status < 500 || f.Status > 599):
			return fmt.Errorf("intramtest: Fault.Status: %d is not a server error, want 500 to 599", f.Status)
		case f.Kind != FaultServerError && !slices.Contains(rule.statuses, f.Status):
			return fmt.Errorf("intramtest: Fault.Status: %d, want one of %v", f.Status, rule.statuses)
		}
	}
	if f.Code == "" {
		f.Code = rule.code
	}
	if f.Kind == FaultUnavailable && f.RetryAfter == "" {
		f.RetryAfter = rule.retryAfter[0]
	}
	if rule.skewed {
		switch {
		case f.Skew != 0:
		case f.Kind == FaultClockSkewForged:
			f.Skew = forgedSkew
		default:
			f.Skew = defaultSkew
		}
		if f.Skew <= signatureWindow && f.Skew >= -signatureWindow {
			return fmt.Errorf("intramtest: Fault.Skew: %v is within the window of %v, either way, want more", f.Skew, signatureWindow)
		}
	}
	if f.Kind == FaultOversized {
		if f.Size == 0 {
			f.Size = defaultOversize
		}
		if f.Size < 1 || f.Size > maxOversize {
			return fmt.Errorf("intramtest: Fault.Size: %d, want 1 to %d bytes", f.Size, maxOversize)
		}
	}
	return nil
}

func (a *activeFault) parseOn() error {
	if a.rule.stage == atDelivery {
		if a.On != "" && !isEventPattern(a.On) && !isEventName(a.On) {
			return fmt.Errorf("intramtest: Fault.On: %q, want an event or a family of events, as in \"payout.*\"", a.On)
		}
		return nil
	}
	for word := range strings.FieldsSeq(a.On) {
		switch {
		case strings.HasPrefix(word, "/") && a.endpoint == "":
			a.endpoint = word
		case word == strings.ToUpper(word) && !strings.HasPrefix(word, "/") && a.method == "":
			a.method = word
		default:
			return fmt.Errorf("intramtest: Fault.On: %q, want a method, a path or both, as in \"POST /payouts\"", a.On)
		}
	}
	return nil
}

// start begins the time that the fault has.
func (a *activeFault) start(now time.Time) {
	if a.For > 0 {
		a.until = now.Add(a.For)
	}
}

func (a *activeFault) over(now time.Time) bool { return !a.until.IsZero() && !a.until.After(now) }

// executed reports whether the call is executed for the fault to have an effect.
func (a *activeFault) executed() bool { return a.rule.executes || a.Executed }

// matches reports whether the fault may hit a target, at one of some stages.
func (a *activeFault) matches(t *target, stages faultStage) bool {
	switch {
	case a.rule.stage&stages == 0:
		return false
	case a.rule.stage == atDelivery:
		pattern := subscription{event: a.On}
		return (a.On == "" || pattern.matches(t.event)) && (t.dated || !a.rule.timed)
	case a.method != "" && a.method != t.method, a.endpoint != "" && !matchesEndpoint(a.endpoint, t.endpoint):
		return false
	default:
		return (t.routed || !a.executed()) && (t.routed && t.dated || !a.rule.skewed)
	}
}

// take removes one hit from the first scripted fault that matches, or else draws one. It counts what hits.
func (f *faults) take(t *target, now time.Time, stages faultStage) *Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.expire(now)
	hit := f.takeScripted(t, stages)
	if hit == nil {
		hit = f.seeded.draw(t, now, stages)
	}
	if hit != nil {
		if f.fired == nil {
			f.fired = map[FaultKind]int{}
		}
		f.fired[hit.Kind]++
	}
	return hit
}

func (f *faults) takeScripted(t *target, stages faultStage) *Fault {
	for i := range f.active {
		a := &f.active[i]
		if !a.matches(t, stages) {
			continue
		}
		hit := a.Fault
		if a.left--; a.left == 0 {
			f.active = slices.Delete(f.active, i, i+1)
			f.count()
		}
		return &hit
	}
	return nil
}

func (f *faults) none() bool { return f.waiting.Load() == 0 }

// count is called after every change, with the lock held.
func (f *faults) count() {
	n := len(f.active)
	if f.seeded != nil {
		n++
	}
	f.waiting.Store(int64(n))
}

func (f *faults) expire(now time.Time) {
	f.active = slices.DeleteFunc(f.active, func(a activeFault) bool { return a.over(now) })
	f.count()
}

// keep copies the faults for a snapshot.
func (f *faults) keep() keptFaults {
	f.mu.Lock()
	defer f.mu.Unlock()
	return keptFaults{slices.Clone(f.active), f.seeded.clone()}
}

// restore goes back to the faults of a snapshot. What has fired has fired.
func (f *faults) restore(kept keptFaults) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.active, f.seeded = slices.Clone(kept.active), kept.seeded.clone()
	f.count()
}

// fire puts back what has hit before.
func (f *faults) fire(fired map[FaultKind]int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fired = maps.Clone(fired)
}

type keptFaults struct {
	active []activeFault
	seeded *seededFaults
}

// matchesEndpoint compares a pattern with the path of a call, a segment starting with a colon or an asterisk
// standing for any.
func matchesEndpoint(pattern, endpoint string) bool {
	want, got := strings.Split(pattern, "/"), strings.Split(endpoint, "/")
	if len(want) != len(got) {
		return false
	}
	for i := range want {
		if want[i] != got[i] && !strings.HasPrefix(want[i], ":") && want[i] != "*" {
			return false
		}
	}
	return true
}
