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

// FaultKind names what goes wrong.
type FaultKind string

// The kinds of fault that hit calls. Package intramtest says what each does, under the
// same name without the prefix.
const (
	FaultLatency               FaultKind = "latency"
	FaultRefuse                FaultKind = "refuse"
	FaultReset                 FaultKind = "reset"
	FaultDropResponse          FaultKind = "drop_response"
	FaultTruncate              FaultKind = "truncate"
	FaultSlowBody              FaultKind = "slow_body"
	FaultOversized             FaultKind = "oversized"
	FaultNotJSON               FaultKind = "not_json"
	FaultOtherSubject          FaultKind = "other_subject"
	FaultOddFields             FaultKind = "odd_fields"
	FaultNoPayload             FaultKind = "no_payload"
	FaultUnreadableItem        FaultKind = "unreadable_item"
	FaultByteOrderMark         FaultKind = "byte_order_mark"
	FaultServerError           FaultKind = "server_error"
	FaultIdempotencyError      FaultKind = "idempotency_error"
	FaultAuthError             FaultKind = "auth_error"
	FaultProxyError            FaultKind = "proxy_error"
	FaultProxyRefusal          FaultKind = "proxy_refusal"
	FaultGatewayJSON           FaultKind = "gateway_json"
	FaultErrorFalse            FaultKind = "error_false"
	FaultIdempotencyInProgress FaultKind = "idempotency_in_progress"
	FaultUnavailable           FaultKind = "unavailable"
	FaultRetryAfterNegative    FaultKind = "retry_after_negative"
	FaultRetryAfterHuge        FaultKind = "retry_after_huge"
	FaultRetryAfterOverflow    FaultKind = "retry_after_overflow"
	FaultRetryAfterPast        FaultKind = "retry_after_past"
	FaultRetryAfterGarbage     FaultKind = "retry_after_garbage"
	FaultRetryAfterDuplicate   FaultKind = "retry_after_duplicate"
	FaultClockSkew             FaultKind = "clock_skew"
	FaultClockSkewWrongDate    FaultKind = "clock_skew_wrong_date"
	FaultClockSkewCached       FaultKind = "clock_skew_cached"
	FaultClockSkewForged       FaultKind = "clock_skew_forged"
	FaultRedirect              FaultKind = "redirect"
)

// The kinds of fault that hit deliveries of webhooks.
const (
	FaultWebhookDuplicate      FaultKind = "webhook_duplicate"
	FaultWebhookLate           FaultKind = "webhook_late"
	FaultWebhookReordered      FaultKind = "webhook_reordered"
	FaultWebhookStale          FaultKind = "webhook_stale"
	FaultWebhookBadSignature   FaultKind = "webhook_bad_signature"
	FaultWebhookPreviousSecret FaultKind = "webhook_previous_secret"
	FaultWebhookDropped        FaultKind = "webhook_dropped"
)

// faultStage is the moment when a fault is decided.
type faultStage int

const (
	atDial faultStage = 1 << iota
	atArrival
	atCall
	atDelivery
)

// faultRule describes a kind of fault and the fields of Fault that it takes.
type faultRule struct {
	kind  FaultKind
	stage faultStage
	// executes: the call is always executed; after: it is executed when Fault.Executed is
	// set.
	executes, after bool
	// statuses are what Status may be, the default first; nil for none.
	statuses []int
	code     string // the error code of the response
	// delay is the default of Delay, or mustDelay; 0 if the kind takes no Delay. Delay
	// must be above shortest.
	delay, shortest time.Duration
	// retryAfter are the headers of a 429 or 503.
	retryAfter []string
	skewed     bool // takes Skew
	timed      bool // changes a signed timestamp, which the target must have
}

const (
	// mustDelay marks the kinds that have no default Delay.
	mustDelay time.Duration = -1
	// defaultSkew is twice the window of signatures.
	defaultSkew = 2 * signatureWindow
	// forgedSkew is how far ahead a proxy dates the signatures that it collects.
	forgedSkew = 2 * 365 * 24 * time.Hour
	// defaultOversize is more than a client should read, maxOversize what a test machine
	// can still send.
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

// faultRules lists all kinds, in the order of their constants.
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

// FaultKinds returns all kinds of fault, those of calls first.
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

// Fault is a failure that AddFault scripts or SeededFaults draws. Package intramtest
// documents its fields.
type Fault struct {
	Kind       FaultKind
	On         string
	Times      int
	For        time.Duration
	Delay      time.Duration
	Status     int
	Code       string
	Executed   bool
	RetryAfter string
	Skew       time.Duration
	Size       int64
}

// faults holds the scripted failures in the order they were added, those to be drawn, and
// what has hit so far.
type faults struct {
	waiting atomic.Int64 // how many there are: a call takes no lock when there are none

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

// target is what a fault may hit: an attempt of a call or of a delivery.
type target struct {
	method, endpoint string // a call's
	event            string // a delivery's
	// routed is set when there is something to execute, dated when its signature has a
	// time.
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

// ClearFaults removes every fault, scripted or drawn.
func (s *Server) ClearFaults() {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.active, s.faults.seeded = nil, nil
	s.faults.count()
	s.touch()
}

// PendingFaults returns the scripted faults that have hits left, with Times set to how
// many.
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

// FiredFaults counts the hits of each kind since the server was made, scripted and drawn
// together.
func (s *Server) FiredFaults() map[FaultKind]int {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	return maps.Clone(s.faults.fired)
}

// prepareFault validates a fault and fills in the defaults of its kind.
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
			return activeFault{}, fmt.Errorf("intramtest: Fault.%s: not a field of kind %s; leave it out", field.name, f.Kind)
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

// complete fills in the defaults and validates the values.
func (f *Fault) complete(rule *faultRule) error {
	if rule.delay != 0 && f.Delay == 0 {
		f.Delay = rule.delay
	}
	switch {
	case f.Delay == mustDelay:
		return fmt.Errorf("intramtest: Fault.Delay: missing, required for kind %s", f.Kind)
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

// start sets when the fault ends, if For is set.
func (a *activeFault) start(now time.Time) {
	if a.For > 0 {
		a.until = now.Add(a.For)
	}
}

func (a *activeFault) over(now time.Time) bool { return !a.until.IsZero() && !a.until.After(now) }

// executed reports whether the fault needs the call to be executed.
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

// take removes one hit from the first scripted fault that matches, or else draws one, and
// counts the hit.
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

// count updates waiting. It is called after every change, with the lock held.
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

// restore returns to the faults of a snapshot. The counts of hits stay.
func (f *faults) restore(kept keptFaults) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.active, f.seeded = slices.Clone(kept.active), kept.seeded.clone()
	f.count()
}

// fire restores the counts of hits.
func (f *faults) fire(fired map[FaultKind]int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fired = maps.Clone(fired)
}

type keptFaults struct {
	active []activeFault
	seeded *seededFaults
}

// matchesEndpoint reports whether a pattern matches the path of a call. A segment that is
// an asterisk or begins with a colon matches any segment.
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
