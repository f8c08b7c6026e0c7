package intram

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/intram/intram-go/internal/transport"

	"github.com/intram/intram-go/internal/wire"
)

// maxObjectDepth is how many levels an object of the caller's own may have. It comes back
// in responses and events, and other readers of them than this SDK have bounds too.
const maxObjectDepth = 64

// Response is what a call's HTTP response said besides its value. Ask for it with
// [WithResponseInto].
type Response struct {
	// StatusCode is 0 when no response came.
	StatusCode int
	Header     http.Header
	// RequestID is the server's X-Request-Id, when it sends one.
	RequestID string
	// IdempotencyKey is the key the call carried, empty for calls without one.
	IdempotencyKey string
	// Replayed says that the API had executed this key before, and sent the stored
	// response.
	Replayed bool
	// Attempts is how many times the request was tried.
	Attempts int
	// RetryAfter is how long the server asked to wait, when it did.
	RetryAfter time.Duration
}

// callConfig is what a call's options came to.
type callConfig struct {
	idempotencyKey string
	keyGiven       bool
	maxAttempts    int
	timeout        time.Duration
	response       *Response
	poll           bool // a wait makes the call
	intent         *Intent
	lookBack       *LookBack
	invalid        validation
	traced         *tracedCall // nil for no tracer
}

func newCallConfig(opts []CallOption) *callConfig {
	cfg := new(callConfig)
	for _, opt := range opts {
		if opt != nil {
			opt.applyCall(cfg)
		}
	}
	return cfg
}

// protocol is one of the SDK's two: where it is, and what its idempotency keys look like.
type protocol struct {
	transport *transport.Client
	clock     Clock
	baseURL   string
	account   string   // whose calls these are: see Intent.AccountSHA256
	keys      *keyring // nil for those of payin sessions
	newKey    func() (string, error)
	validKey  func(string) bool
	keyRule   string // what validKey asks for, in words
	// adviseNotFound, when set, says what to try when a proxy sent a 404.
	adviseNotFound func(baseURL string) string
	// adviseExpired is what to do about a key that the server may have forgotten.
	adviseExpired string
	trace         *callTracing // nil for no tracer

	doubts doubts
	// inDoubt, when set, is called after a call has left its key in doubt.
	inDoubt func()
}

// request is one call as a service describes it.
type request struct {
	method, template string
	path             string // the template with its ids, escaped
	query            string
	params           any        // marshalled into the body, nil for none
	legacy           any        // what 0.1.0 would have marshalled, when that is something else
	reference        string     // the caller's own name of what is created, for the error
	asked            askedFor   // what the response must be about
	invalid          validation // what is wrong with the parameters
	adviseExpired    string     // instead of the protocol's own advice
}

// do is the one way from a service to the wire: check, marshal once, send, decode. decode
// returns the id of the operation that the response is about, if it is about one. The
// error is an [*Error].
func (p *protocol) do(ctx context.Context, r request, opts []CallOption, decode func(body []byte) (operationID string, err error)) error {
	cfg := newCallConfig(opts)
	if p.trace != nil {
		cfg.traced = p.trace.start(ctx, &r)
		defer cfg.traced.close()
	}
	if cfg.response != nil {
		*cfg.response = Response{} // reset, so that a previous response never leaks into this one
	}
	ready, refused := p.prepare(ctx, &r, cfg)
	cfg.traced.chose(&ready.call)
	if refused != nil {
		if cfg.response != nil {
			cfg.response.IdempotencyKey = refused.IdempotencyKey
		}
		cfg.traced.came(new(transport.Result), "", refused)
		return refused
	}
	cfg.intent.use()
	call := &ready.call
	res := p.send(ctx, &ready, cfg.traced)
	if err := ctx.Err(); err != nil && errors.Is(res.Err, err) {
		res.Err = whyEnded(ctx)
	}
	if errors.Is(res.Err, transport.ErrTooLate) {
		res.Err = ownWordsError{fmt.Errorf("%w: the limiter let it pass too late", ErrIntentExpired)}
	}
	fillResponse(cfg.response, call, &res)
	var err error
	if res.Err == nil && res.Status >= 200 && res.Status <= 299 {
		var operationID string
		if err = checkWhole(call.Method, res.Status); err == nil {
			operationID, err = decode(res.Body)
		}
		if err == nil {
			p.doubts.settle(call.IdempotencyKey)
			if !r.creates() {
				operationID = ""
			}
			cfg.traced.came(&res, operationID, nil)
			return nil
		}
	}
	e := newError(call, &res)
	e.Reference = r.reference
	if err != nil {
		// A success was reported, but not in a way that says what was done.
		e.Outcome, e.cause = OutcomeUnknown, ownWordsError{err}
	}
	e.Outcome = p.remember(&ready, &res, e.Outcome)
	if e.Outcome == OutcomeUnknown && e.IdempotencyKey != "" {
		cfg.traced.doubt(p.doubts.count())
	}
	switch advice := e.adviseDoubt(); {
	case errors.Is(res.Err, ErrIntentExpired):
		e.hint = cmp.Or(r.adviseExpired, p.adviseExpired)
	case advice != "" && e.IdempotencyKey != "":
		e.hint = advice
	case e.StatusCode == http.StatusNotFound && e.Code == "" && p.adviseNotFound != nil:
		e.hint = p.adviseNotFound(p.baseURL)
	}
	cfg.traced.came(&res, "", e)
	return e
}

// send hands the call to the transport. The user's own may panic, and the caller recover:
// the key is in doubt then.
func (p *protocol) send(ctx context.Context, c *readyCall, traced *tracedCall) (res transport.Result) {
	if traced != nil {
		ctx, traced.sent = traced.ctx, true
	}
	returned := false
	defer func() {
		if !returned && p.remember(c, &res, OutcomeUnknown) == OutcomeUnknown && c.key.value != "" {
			traced.doubt(p.doubts.count())
		}
	}()
	res = p.transport.Do(ctx, &c.call)
	returned = true
	return res
}

// checkWhole refuses the success of a read that is not the API's own and whole: 203 is a
// copy that something in between changed, 206 a part.
func checkWhole(method string, status int) error {
	if method == http.MethodGet && status != http.StatusOK {
		return fmt.Errorf("something between here and the API changed the response to HTTP %d", status)
	}
	return nil
}

// readyCall is a call that was checked and can be sent.
type readyCall struct {
	call transport.Call
	key  callKey
}

// callKey is a call's idempotency key and what is known about its use. It is zero for
// reads and deletions, which carry none.
type callKey struct {
	value string
	given bool // by the caller, who may have sent it before
	// resumed says that an earlier call may have carried the key, and firstSentAt when.
	resumed     bool
	firstSentAt time.Time
}

// prepare does what is done once per call, in three steps: the parameters become a body,
// the key is chosen, and the intent is compared with both.
func (p *protocol) prepare(ctx context.Context, r *request, cfg *callConfig) (ready readyCall, refused *Error) {
	body, invalid := r.body()
	invalid.fields = append(invalid.fields, cfg.invalid.fields...)
	invalid.check(ctx != nil, "ctx", "ctx is nil: give context.Background() if nothing bounds the call")
	ready = readyCall{call: transport.Call{
		Method: r.method, Template: r.template, Path: r.path, Query: r.query, Body: body,
		MaxAttempts: cfg.maxAttempts, Timeout: cfg.timeout, Poll: cfg.poll,
	}}
	if !r.creates() {
		invalid.check(cfg.intent == nil, "intent", "intent is of a call that creates something: reads and deletions take none")
		return ready, p.refuseInvalid(r, &ready, invalid)
	}
	key, wrong, err := p.chooseKey(cfg)
	if err != nil {
		return ready, p.refuse(r, &ready, err)
	}
	ready.use(key)
	invalid.fields = append(invalid.fields, wrong.fields...)
	if refused := p.refuseInvalid(r, &ready, invalid); refused != nil {
		return ready, refused
	}
	if ready.call.Body, err = cfg.intent.bodyOf(p, r, &ready.call); err != nil {
		return ready, p.refuse(r, &ready, err)
	}
	// The server counts by its own clock, which may be ahead.
	if err := checkAge(wallTime(p.clock).Add(p.transport.Ahead()).Sub(key.firstSentAt)); err != nil {
		return ready, p.refuse(r, &ready, err)
	}
	return ready, nil
}

// creates reports whether the call carries an idempotency key.
func (r request) creates() bool { return r.method != http.MethodGet && r.method != http.MethodDelete }

// body marshals the parameters. It returns what is wrong with them, all at once.
func (r request) body() ([]byte, validation) {
	invalid := validation{slices.Clip(r.invalid.fields)}
	if r.params == nil {
		return nil, invalid
	}
	body, err := json.Marshal(r.params)
	invalid.check(err == nil || len(invalid.fields) > 0, "body", "the parameters cannot be written as JSON")
	return body, invalid
}

// use puts the key into the call.
func (c *readyCall) use(key callKey) {
	c.key = key
	c.call.IdempotencyKey, c.call.Resumed = key.value, key.resumed
	c.call.NotAfter = key.firstSentAt.Add(IntentHorizon + retryGrace)
}

// refuseInvalid returns the error of a call with invalid fields, nil if there are none.
func (p *protocol) refuseInvalid(r *request, c *readyCall, invalid validation) *Error {
	if len(invalid.fields) == 0 {
		return nil
	}
	e := p.refuse(r, c, nil)
	e.Details = invalid.fields
	return e
}

// refuse returns the error of a call of which nothing is sent now. An earlier call with
// the same key may have been.
func (p *protocol) refuse(r *request, c *readyCall, cause error) *Error {
	e := &Error{
		Method: r.method, Path: r.template, Code: CodeValidationError, Message: "nothing was sent",
		Outcome: OutcomeNotSent, IdempotencyKey: c.key.value, Reference: r.reference,
	}
	if c.key.resumed {
		e.Outcome = OutcomeUnknown
	}
	if errors.Is(cause, ErrIntentExpired) {
		e.hint = cmp.Or(r.adviseExpired, p.adviseExpired)
	}
	if cause != nil {
		e.cause = ownWordsError{cause}
	}
	return e
}

// chooseKey returns the idempotency key that the call carries, and what is wrong with the
// one that was given.
func (p *protocol) chooseKey(cfg *callConfig) (key callKey, invalid validation, err error) {
	key = callKey{value: cfg.idempotencyKey, given: cfg.keyGiven, resumed: cfg.intent.resumed(), firstSentAt: wallTime(p.clock)}
	if intent := cfg.intent; intent != nil {
		invalid.check(!key.given || key.value == intent.IdempotencyKey, "idempotency_key",
			"idempotency_key is another than the intent's: give one of the two")
		key.value, key.given, key.firstSentAt = intent.IdempotencyKey, true, intent.FirstSentAt.Round(0)
	}
	switch {
	case !key.given:
		if key.value, err = p.newKey(); err != nil {
			return key, invalid, fmt.Errorf("no randomness for an idempotency key: %w", err)
		}
	case !p.validKey(key.value):
		invalid.fail("idempotency_key", "idempotency_key must be %s", p.keyRule)
		key.value = ""
	}
	if since, inDoubt := p.doubts.since(key.value); inDoubt {
		key.resumed = true
		if since.Before(key.firstSentAt) {
			key.firstSentAt = since
		}
	}
	return key, invalid, nil
}

// wallTime is the time by the wall. A machine that was suspended does not count that time
// on its other clock.
func wallTime(clock Clock) time.Time { return clock.Now().Round(0) }

// remember notes what a failed call left of its key, for the next call that carries it,
// and returns the call's outcome. Another call with the key may have ended in the
// meantime: the doubt that it left is this call's too.
func (p *protocol) remember(c *readyCall, res *transport.Result, outcome Outcome) Outcome {
	switch key := c.key.value; {
	case key == "":
	case outcome == OutcomeUnknown:
		p.doubts.note(key, c.key.firstSentAt)
		if p.inDoubt != nil {
			p.inDoubt()
		}
	case replayed(res):
		p.doubts.settle(key)
	default:
		if _, inDoubt := p.doubts.since(key); inDoubt {
			return OutcomeUnknown
		}
	}
	return outcome
}

// replayed reports whether the API had executed the key before, and sent the stored
// response.
func replayed(res *transport.Result) bool {
	return res.Status != 0 && res.Header.Get("Idempotent-Replay") == "true"
}

// intend makes the record of a call, for callers who save it before they send it.
func (p *protocol) intend(r request, opts []CallOption) (*Intent, error) {
	cfg := newCallConfig(opts)
	cfg.invalid.check(cfg.intent == nil, "intent", "intent is what Prepare makes: leave WithIntent to the call itself")
	ready, refused := p.prepare(context.Background(), &r, cfg)
	if refused != nil {
		return nil, refused
	}
	intent := newIntent(p.account, &ready, cfg.keyGiven)
	intent.PublicKeySHA256 = p.keys.publicKeyHash()
	return intent, nil
}

func fillResponse(resp *Response, call *transport.Call, res *transport.Result) {
	if resp == nil {
		return
	}
	*resp = Response{
		StatusCode: res.Status, Header: res.Header, IdempotencyKey: call.IdempotencyKey,
		Attempts: res.Attempts, RetryAfter: res.RetryAfter,
	}
	if res.Status != 0 {
		resp.RequestID = res.Header.Get("X-Request-Id")
		resp.Replayed = replayed(res)
	}
}

// Do makes a call of the Merchant API that the SDK has no method for yet, and returns the
// body of its response. The call is signed, retried and bounded like any other. What is
// not GET or DELETE carries an idempotency key, generated unless [WithIdempotencyKey]
// gives one, and its error says whether it may have been executed.
//
//	body, err := client.Do(ctx, http.MethodPost, "/payouts/op_1/cancel", map[string]any{"reason": "typed twice"})
//
// The path is below the base URL and begins with a slash: "/payouts", without /v1 or
// /api/v1/merchant. Its segments are letters, digits and -_.~: and nothing else, so that
// what is signed is what is sent. Errors show a segment with digits, such as an id, as
// {id}.
//
// params of GET and DELETE are [url.Values], which become the query, or nil; of other
// methods, whatever encoding/json writes as an object, or nil for an empty one. They are
// marshalled once, and marshalled the same way again they are the same call: use a struct
// or a map, and no value that changes by itself.
//
// A response must say error: false, as all of the API's do; what is in it beyond that is
// the caller's to read, the paging of lists included.
//
// A call that moves money is prepared with [Client.PrepareDo], and saved, before it is
// made with [WithIntent].
//
// Endpoint: any. Errors: [*Error], with [CodeValidationError] before anything is sent.
// Docs: Merchant API, Authentication.
func (c *Client) Do(ctx context.Context, method, path string, params any, opts ...CallOption) (RawMessage, error) {
	r := rawRequest(method, path, params)
	return doVerdict(ctx, c, r, opts)
}

// PrepareDo checks a call of [Client.Do] that is neither GET nor DELETE, and returns its
// [Intent], to be saved before the call is made with [WithIntent]. It sends nothing.
// There is no Resume for such a call: past [IntentHorizon], what became of it is for the
// caller to find out.
//
// Errors: [*Error] with [CodeValidationError]. Docs: Merchant API, Idempotency.
func (c *Client) PrepareDo(method, path string, params any, opts ...CallOption) (*Intent, error) {
	r := rawRequest(method, path, params)
	r.invalid.check(method != http.MethodGet && method != http.MethodDelete, "method", "method must be POST, PUT or PATCH: reads and deletions take no intent")
	return c.merchant.intend(r, opts)
}

func rawRequest(method, path string, params any) request {
	r := request{method: method, path: path, template: shapeOf(path), adviseExpired: "find out what it did before you do anything else: such a call has no Resume"}
	v := &r.invalid
	v.path("path", path)
	switch method {
	case http.MethodGet, http.MethodDelete:
		switch values := params.(type) {
		case nil:
		case url.Values:
			r.query = rawQuery(v, values)
		default:
			v.fail("params", "params of GET and DELETE must be url.Values or nil: they become the query")
		}
	case http.MethodPost, http.MethodPut, http.MethodPatch:
		if params == nil {
			params = struct{}{}
		}
		body, err := json.Marshal(params)
		switch {
		case err != nil:
			v.fail("params", "params cannot be written as JSON")
		case wire.FirstByte(body) != '{':
			v.fail("params", "params must be an object: a struct or a map")
		case wire.AltersText(params, body):
			v.fail("params", "params has text that is not valid UTF-8")
		}
		r.params = json.RawMessage(body)
	default:
		r.method = "" // an error is one line
		v.fail("method", "method must be GET, POST, PUT, PATCH or DELETE")
	}
	return r
}

// path checks a path that a caller gives whole.
func (v *validation) path(name, path string) {
	for segment := range strings.SplitSeq(strings.TrimPrefix(path, "/"), "/") {
		if segment == "" || segment == "." || segment == ".." || !needsNoEncoding(segment) {
			v.fail(name, "%s must be segments of letters, digits and -_.~: after a slash each, such as /payouts", name)
			return
		}
	}
	v.check(strings.HasPrefix(path, "/"), name, name+" must begin with a slash, such as /payouts")
	for _, base := range []string{"/v1", signedPathPrefix} {
		below := strings.HasPrefix(path+"/", base+"/")
		v.check(!below, name, name+" must be below the base URL, such as /payouts: leave out "+base)
	}
}

// shapeOf is a path as errors show it: without ids, which may be a customer's.
func shapeOf(path string) string {
	segments := strings.Split(path, "/")
	for i, segment := range segments {
		if strings.ContainsAny(segment, "0123456789@") || len(segment) > 32 || !needsNoEncoding(segment) {
			segments[i] = "{id}"
		}
	}
	return strings.Join(segments, "/")
}

// rawQuery is a query of a caller's own, sorted, with one value a key.
func rawQuery(v *validation, values url.Values) string {
	params := make([]queryParam, 0, len(values))
	for _, key := range slices.Sorted(maps.Keys(values)) {
		switch {
		case len(values[key]) != 1:
			v.fail("params", "params must have one value a key")
		case key == "" || !needsNoEncoding(key) || !needsNoEncoding(values[key][0]):
			v.fail("params", "params must be letters, digits and -_.~: only, so that what is signed is what is sent")
		default:
			params = append(params, queryParam{key, values[key][0]})
		}
	}
	return sortedQuery(params...)
}

// extended is a body with fields of the caller's own behind those that the SDK knows.
type extended struct {
	body  any
	extra map[string]any
}

// MarshalJSON writes both as one object.
func (e extended) MarshalJSON() ([]byte, error) {
	known, err := json.Marshal(e.body)
	if err != nil {
		return nil, err
	}
	extra, err := json.Marshal(e.extra)
	if err != nil {
		return nil, err
	}
	return slices.Concat(bytes.TrimSuffix(known, []byte("}")), []byte(","), extra[1:]), nil
}

// with adds fields that the SDK does not know to the request's body. A field that it
// knows is set by its own name. By value: a request without any stays on the stack.
func (r request) with(extra map[string]any) request {
	if len(extra) == 0 {
		return r
	}
	return r.extend(extra)
}

func (r request) extend(extra map[string]any) request {
	own, _ := r.invalid.own("extra", extra)
	if len(own) == 0 {
		return r
	}
	for key := range own {
		r.invalid.check(key != "" && needsNoEncoding(key), "extra", "extra must have names of letters, digits and -_.~: only")
	}
	for field := range reflect.TypeOf(r.params).Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		for key := range own {
			if strings.EqualFold(key, name) {
				r.invalid.fail("extra", "extra must not have %s: set the field of the parameters", name)
			}
		}
	}
	r.params, r.legacy = extended{r.params, own}, nil // 0.1.0 had no such fields
	return r
}
