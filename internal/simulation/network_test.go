package simulation_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	intram "github.com/intram/intram-go"
)

// pollRate is how many lookups a second all waits of a client make at most, unless it is
// told otherwise.
const pollRate = 20

// network is what is between one process of a merchant's and the API. It checks every
// attempt, and then lets happen to it what the seed says.
type network struct {
	w *world
	p *process
	// reports says that it tells of its connections, as net/http does. Not every
	// transport does.
	reports bool

	mu      sync.Mutex
	offsets []time.Duration // what the SDK may have learned of the clock; 0 to begin with
	budget  budgetModel
	polls   []time.Duration // when there was a lookup
}

// networkFault is one way for a call to go wrong. It is given the call and makes the
// response.
type networkFault struct {
	name   string
	weight int
	play   func(*exchange) (*http.Response, error)
}

// exchange is one attempt on its way.
type exchange struct {
	*network
	ctx    context.Context //nolint:containedctx // the attempt's, for as long as the attempt lasts
	req    *http.Request
	body   []byte
	call   *call
	chance chance
	trace  *httptrace.ClientTrace
}

// The faults, and how often they are, in thousandths. The other attempts get the
// response. It is a function's result in a variable because some faults are made of
// others.
var networkFaults = []networkFault{
	{"refused connection", 25, (*exchange).refuse},
	{"name not found", 8, (*exchange).noName},
	{"reset before reading", 25, (*exchange).reset},
	{"executed, response lost", 50, (*exchange).loseResponse},
	{"executed, then the next dial refused", 12, (*exchange).loseThenRefuse},
	{"executed, response late beyond the time-out", 15, (*exchange).hang},
	{"delivered after the time-out", 12, (*exchange).deliverLate},
	{"truncated answer", 20, (*exchange).truncate},
	{"slow answer", 15, (*exchange).trickle},
	{"answer slower than the time-out", 10, (*exchange).stall},
	{"oversized answer, announced", 6, (*exchange).oversized},
	{"oversized answer, streamed at times", 1, (*exchange).flood},
	{"200 that is not JSON", 10, (*exchange).notJSON},
	{"200 without a body", 6, (*exchange).empty},
	{"500 before executing", 15, (*exchange).errorBefore},
	{"500 after executing", 15, (*exchange).errorAfter},
	{"502 page of a proxy", 12, (*exchange).badGateway},
	{"504 page of a proxy, executed", 15, (*exchange).gatewayTimeout},
	{"408 of a proxy, executed", 6, (*exchange).requestTimeout},
	{"404 page of a proxy", 5, (*exchange).notFoundPage},
	{"redirect to another host", 8, (*exchange).redirect},
	{"redirect after executing", 5, (*exchange).redirectAfter},
	{"429 with Retry-After", 25, (*exchange).tooMany},
	{"503 with Retry-After", 25, (*exchange).unavailable},
	{"hostile Retry-After", 15, (*exchange).hostile},
	{"latency", 120, (*exchange).latency},
	{"duplicated request", 30, (*exchange).duplicate},
	{"duplicated request, at once", 15, (*exchange).concurrent},
	{"answer dated wrong", 10, (*exchange).dateWrong},
	{"answer from a cache", 10, (*exchange).cached},
	{"403 page of a firewall, executed", 8, (*exchange).firewallPage},
	{"404 page of a proxy, executed", 6, (*exchange).notFoundAfter},
	{"409 or 451 of a gateway, executed", 6, (*exchange).gatewayRefusal},
	{"400 that says error: false, executed", 5, (*exchange).errorFalse},
}

// RoundTrip makes one attempt.
func (n *network) RoundTrip(req *http.Request) (*http.Response, error) {
	x := &exchange{network: n, ctx: req.Context(), req: req, call: callOf(req.Context()).making(req.Method), trace: httptrace.ContextClientTrace(req.Context())}
	if req.Body != nil {
		x.body, _ = io.ReadAll(req.Body)
		_ = req.Body.Close()
	}
	if x.call == nil {
		n.w.violate(n.p.m.name, "%s %s was sent without its context", req.Method, req.URL.Path)
		return nil, errors.New("simulation: no call")
	}
	x.inspect()
	if x.call.kind == polling && req.URL.Path == "/v1/operations" {
		n.w.tally.saw("wait: served by a page")
	}
	fault := x.draw()
	if !n.w.sleep(x.ctx, x.chance.of("travel").between(time.Millisecond, 80*time.Millisecond)) {
		return nil, x.ctx.Err()
	}
	var resp *http.Response
	var err error
	if fault == nil {
		n.w.note(x.call.who, req.Method, "")
		resp, err = x.forward()
	} else {
		n.w.tally.saw("network: " + fault.name)
		n.w.note(x.call.who, req.Method, fault.name)
		resp, err = fault.play(x)
	}
	if err != nil {
		return nil, err
	}
	x.spoilList(resp)
	x.judge(resp)
	n.w.open.Add(1)
	resp.Body = &trackedBody{ReadCloser: resp.Body, open: &n.w.open}
	return resp, nil
}

// The ways a list is not what the documentation shows.
const (
	listWithoutPayloads = "list: items without a payload"
	listOddItem         = "list: an item that cannot be read"
	listHalfPayload     = "list: payloads without a reference"
)

var listFaults = []string{listWithoutPayloads, listOddItem, listHalfPayload}

// spoilList leaves out of a list of operations what recovery goes by. Each item stays in
// its place: what is missing must not be taken for "nothing was executed".
func (x *exchange) spoilList(resp *http.Response) {
	pick := x.chance.of("odd list").below(40)
	always := x.p.m.chance.of("odd lists").percent(12) // it is the API's revision
	if always {
		pick = x.p.m.chance.of("odd lists of kind").below(len(listFaults))
	}
	if x.req.URL.Path != "/v1/operations" || resp.StatusCode != http.StatusOK || resp.ContentLength < 0 || resp.ContentLength > 1<<20 ||
		pick >= len(listFaults) || x.w.calm.Load() {
		return
	}
	body, _ := io.ReadAll(resp.Body)
	resp.Body = io.NopCloser(bytes.NewReader(body))
	var list map[string]json.RawMessage
	var items []map[string]json.RawMessage
	if json.Unmarshal(body, &list) != nil || json.Unmarshal(list["data"], &items) != nil || len(items) == 0 {
		return
	}
	odd := x.chance.of("which").below(len(items))
	for i, item := range items {
		if listFaults[pick] != listOddItem && x.chance.of("no result").percent(50) {
			delete(item, "result") // which says some of it again
		}
		switch {
		case listFaults[pick] == listWithoutPayloads && x.chance.of("null").percent(50):
			item["payload"] = json.RawMessage("null")
		case listFaults[pick] == listWithoutPayloads:
			delete(item, "payload")
		case listFaults[pick] == listHalfPayload:
			var payload map[string]json.RawMessage
			_ = json.Unmarshal(item["payload"], &payload)
			delete(payload, "reference")
			item["payload"] = x.encode(payload)
		case i == odd, always && x.chance.of("odd too", i).percent(40):
			item["id"] = json.RawMessage("12")
			if x.chance.of("status").percent(50) {
				item["status"] = json.RawMessage("7")
			}
		}
	}
	list["data"] = x.encode(items)
	body = x.encode(list)
	resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	x.w.tally.saw(listFaults[pick])
	x.w.note(x.call.who, x.req.Method, listFaults[pick])
}

func (x *exchange) encode(value any) []byte {
	data, err := json.Marshal(value)
	x.w.require(err == nil, x.call.who, "not encoded: %v", err)
	return data
}

// ahead returns by how much the SDK may believe that the server's clock is ahead of the
// merchant's. It counts the age of a key by the clock that is ahead, and gives up that
// much earlier.
func (n *network) ahead() time.Duration {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Max(n.offsets) + time.Second
}

// draw decides what happens.
func (x *exchange) draw() *networkFault {
	if x.w.calm.Load() {
		return nil
	}
	at := x.chance.of("fault").below(1000)
	if x.p.outage.Load() {
		at /= 3 // nothing but trouble
	}
	for i := range networkFaults {
		if at -= networkFaults[i].weight; at < 0 {
			return &networkFaults[i]
		}
	}
	return nil
}

// inspect checks an attempt as the SDK put it on the wire.
func (x *exchange) inspect() {
	c, req, w := x.call, x.req, x.w
	c.mu.Lock()
	defer c.mu.Unlock()
	c.attempts++
	x.chance = c.chance.of("attempt", c.attempts)
	w.require("https://"+req.URL.Host == w.server.URL && req.URL.Scheme == "https", c.who, "was sent to %s", req.URL.Host)
	w.require(!c.readsOnly || req.Method == http.MethodGet, c.who, "sent a %s of an intent that is too old", req.Method)
	w.require(!c.decided, c.who, "attempt %d after a final answer", c.attempts)
	if c.kind == single {
		if c.attempts == 1 {
			c.method, c.path = req.Method, req.URL.RequestURI()
		}
		w.require(c.method == req.Method && c.path == req.URL.RequestURI(), c.who, "attempt %d is of another request", c.attempts)
		w.require(c.attempts == 1 || c.slept, c.who, "attempt %d without going through the clock", c.attempts)
		c.slept = false
	}
	if c.kind == polling {
		c.polled()
		n := x.network
		n.mu.Lock()
		n.polls = append(n.polls, w.now())
		if first := len(n.polls) - 2*pollRate - 2; first >= 0 {
			w.require(n.polls[len(n.polls)-1]-n.polls[first] > time.Second, c.who, "is one of %d look-ups in a second", 2*pollRate+2)
		}
		n.mu.Unlock()
	}
	retry := c.kind == single && c.attempts > 1 && !c.redated
	c.redated = false
	if c.kind == single {
		w.require(c.attempts-c.corrections <= c.maxAttempts, c.who, "attempt %d of %d", c.attempts-c.corrections, c.maxAttempts)
		w.require(c.corrections <= 1, c.who, "the clock was corrected %d times", c.corrections)
	}
	x.inspectSignature()
	if c.rec != nil {
		c.rec.inspect(x)
	}
	if retry {
		x.mu.Lock()
		tokens := x.budget.of(req.Method)
		*tokens -= 5
		w.require(*tokens >= 0, c.who, "attempt %d is a retry that the budget does not have", c.attempts)
		x.mu.Unlock()
	}
}

// inspectSignature computes the signature from what is on the wire, with code of its own.
func (x *exchange) inspectSignature() {
	c, req, w := x.call, x.req, x.w
	timestamp := req.Header.Get("X-Timestamp")
	at, err := time.Parse("2006-01-02T15:04:05.000Z", timestamp)
	w.require(err == nil, c.who, "X-Timestamp is %q", timestamp)
	local := merchantClock{x.p.m}.Now()
	x.mu.Lock()
	fresh := false
	for _, offset := range x.offsets {
		off := at.Sub(local.Add(offset))
		// No attempt is dated later than its key is good for.
		bounded := c.rec != nil && offset > 0 && off < 0 && at.Sub(c.rec.createdAs.Add(intram.IntentHorizon)).Abs() <= time.Hour
		if off.Abs() <= 2*time.Millisecond || bounded {
			fresh, c.offset = true, offset
		}
	}
	x.mu.Unlock()
	w.require(fresh, c.who, "attempt %d is dated %s, and it is %s here", c.attempts, timestamp, local.Format(time.RFC3339Nano))

	endpoint := strings.TrimPrefix(req.URL.EscapedPath(), "/v1")
	mac := hmac.New(sha256.New, []byte(x.p.m.secretKey))
	_, _ = io.WriteString(mac, timestamp+"\n"+req.Method+"\n/api/v1/merchant"+endpoint+"\n"+req.URL.RawQuery+"\n")
	mac.Write(x.body)
	w.require(req.Header.Get("X-Signature") == "sha256="+hex.EncodeToString(mac.Sum(nil)), c.who,
		"attempt %d has a signature that is not its own", c.attempts)
	w.require(req.Header.Get("X-Api-Key") == x.p.m.publicKey, c.who, "attempt %d is another merchant's", c.attempts)
}

// judge records what a response leaves to be done, by the documentation and not by the
// SDK.
func (x *exchange) judge(resp *http.Response) {
	v := x.verdict(resp)
	if v.redate {
		x.w.tally.saw("call: clock corrected")
	}
	x.call.judged(v)
	if v.decided {
		x.mu.Lock()
		tokens := x.budget.of(x.req.Method)
		*tokens = min(500, *tokens+1)
		x.mu.Unlock()
	}
}

func (x *exchange) verdict(resp *http.Response) answerVerdict {
	status := resp.StatusCode
	wait, given := x.retryAfterOf(resp.Header)
	switch {
	case resp.ContentLength > 8<<20:
		return answerVerdict{final: true}
	case resp.ContentLength < 0: // it will not arrive whole
		return answerVerdict{}
	case status == http.StatusUnauthorized && x.outOfWindow(resp):
		if x.mayCorrect(resp) {
			return answerVerdict{wanted: wanted{redate: true}}
		}
		return answerVerdict{final: true, decided: true}
	case resp.Header.Get("Idempotent-Replay") == "true":
		x.w.tally.saw("call: replayed answer")
		return answerVerdict{final: true, decided: true}
	case status >= 500 || status == http.StatusTooManyRequests:
		if given && wait > retryAfterCap && x.call.kind == single {
			return answerVerdict{final: true}
		}
		return answerVerdict{wanted: wanted{exact: wait}}
	case status == http.StatusRequestTimeout || status >= 300 && status < 400:
		return answerVerdict{final: true}
	default:
		return answerVerdict{final: true, decided: true}
	}
}

func (x *exchange) outOfWindow(resp *http.Response) bool {
	body, _ := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return bytes.Contains(body, []byte("timestamp_out_of_window"))
}

// mayCorrect reports whether the SDK may try again, dated by this response, and records
// what it may have learned.
func (x *exchange) mayCorrect(resp *http.Response) bool {
	x.call.mu.Lock()
	already := x.call.corrections > 0
	x.call.mu.Unlock()
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.call.kind == single && already {
		x.w.tally.saw("call: clock unlearned")
		// Only what it was dated with itself: what another call has learned since stays.
		x.offsets = slices.DeleteFunc(x.offsets, func(o time.Duration) bool { return o == x.call.offset && o != 0 })
		return false
	}
	at, err := http.ParseTime(resp.Header.Get("Date"))
	if err != nil || resp.Header.Get("Age") != "" {
		return len(x.offsets) > 1 // dated by the machine again, if it was not
	}
	x.offsets = append(x.offsets, at.Add(500*time.Millisecond).Sub(merchantClock{x.p.m}.Now()))
	return true
}

// retryAfterOf reads a Retry-After as the documentation wants it read: whole seconds or a
// date, once.
func (x *exchange) retryAfterOf(h http.Header) (wait time.Duration, given bool) {
	values := h.Values("Retry-After")
	if len(values) != 1 {
		return 0, false
	}
	if n, err := strconv.ParseUint(values[0], 10, 64); err == nil {
		return time.Duration(min(n, 1e9)) * time.Second, true
	} else if errors.Is(err, strconv.ErrRange) {
		return 1e9 * time.Second, true
	}
	at, err := http.ParseTime(values[0])
	if err != nil {
		return 0, false
	}
	// The date is of the server's clock, which the Date beside it shows.
	now, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		x.w.require(false, x.call.who, "a Retry-After with a date and no Date")
	}
	return max(0, at.Sub(now)), true
}

// connect reports a connection, as net/http does.
func (x *exchange) connect(got bool) {
	if !x.reports || x.trace == nil {
		return
	}
	if x.trace.GetConn != nil {
		x.trace.GetConn(x.req.URL.Host)
	}
	if got && x.trace.GotConn != nil {
		x.trace.GotConn(httptrace.GotConnInfo{})
	}
}

// forward delivers the attempt and returns the response.
func (x *exchange) forward() (*http.Response, error) {
	x.connect(true)
	return x.deliver(x.ctx)
}

// deliver hands the request to the fake, on this goroutine: a goroutine and a copy for
// each request would be a fifth of what a seed costs. The fake waits for nothing but
// another request with the same key, and no longer than ctx lasts.
func (x *exchange) deliver(ctx context.Context) (resp *http.Response, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	req := x.req.WithContext(ctx)
	req.Body, req.ContentLength, req.GetBody = io.NopCloser(bytes.NewReader(x.body)), int64(len(x.body)), nil
	if len(x.body) == 0 {
		req.Body = http.NoBody
	}
	req.RemoteAddr, req.RequestURI, req.Host = "127.0.0.1:49152", req.URL.RequestURI(), req.URL.Host
	rec := &recorder{header: make(http.Header, 8)}
	defer func() {
		if aborted := recover(); aborted != nil {
			cause, _ := aborted.(error)
			x.w.require(errors.Is(cause, http.ErrAbortHandler), x.call.who, "the fake panicked: %v", aborted)
			resp, err = nil, io.EOF
		}
	}()
	x.w.server.ServeHTTP(rec, req)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return &http.Response{
		Status: http.StatusText(rec.status), StatusCode: rec.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: rec.header,
		Body: io.NopCloser(bytes.NewReader(rec.body)), ContentLength: int64(len(rec.body)), Request: x.req,
	}, nil
}

// recorder keeps the fake's response.
type recorder struct {
	header http.Header
	status int
	body   []byte
}

func (r *recorder) Header() http.Header { return r.header }

func (r *recorder) WriteHeader(status int) { r.status = status }

func (r *recorder) Write(b []byte) (int, error) {
	r.body = append(r.body, b...)
	return len(b), nil
}

// execute delivers the attempt and drops the response.
func (x *exchange) execute() {
	x.connect(true)
	if resp, err := x.deliver(context.WithoutCancel(x.ctx)); err == nil {
		_ = resp.Body.Close()
	}
}

var (
	errRefused = &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	errNoName  = &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: "api.intram.test", IsNotFound: true}}
	errReset   = &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", syscall.ECONNRESET)}
)

func (x *exchange) refuse() (*http.Response, error) { x.connect(false); return nil, errRefused }
func (x *exchange) noName() (*http.Response, error) { x.connect(false); return nil, errNoName }
func (x *exchange) reset() (*http.Response, error)  { x.connect(true); return nil, errReset }

func (x *exchange) loseResponse() (*http.Response, error) {
	x.execute()
	if x.chance.percent(50) {
		return nil, errReset
	}
	return nil, io.EOF
}

// loseThenRefuse plays net/http's own resend on a dead connection: the error is the
// second dial's. A transport that does not tell of its connections cannot do that, or the
// SDK could not know.
func (x *exchange) loseThenRefuse() (*http.Response, error) {
	if !x.reports {
		return x.loseResponse()
	}
	x.execute()
	x.connect(false)
	return nil, errRefused
}

func (x *exchange) hang() (*http.Response, error) {
	x.execute()
	<-x.ctx.Done()
	return nil, x.ctx.Err()
}

// deliverLate holds the request in a queue of the network's until the client has given
// up, and a little longer.
func (x *exchange) deliverLate() (*http.Response, error) {
	x.connect(true)
	late := x.chance.of("late").between(31*time.Second, 8*time.Minute)
	x.w.do(func() {
		if x.w.sleep(x.w.ctx, late) {
			if resp, err := x.deliver(context.WithoutCancel(x.ctx)); err == nil {
				_ = resp.Body.Close()
			}
		}
	})
	<-x.ctx.Done()
	return nil, x.ctx.Err()
}

func (x *exchange) truncate() (*http.Response, error) {
	resp, err := x.forward()
	if err != nil {
		return nil, err
	}
	body, _ := io.ReadAll(resp.Body)
	half := io.MultiReader(bytes.NewReader(body[:x.chance.of("cut").below(len(body))]), endsWith{io.ErrUnexpectedEOF})
	resp.Body, resp.ContentLength = io.NopCloser(half), -1
	return resp, nil
}

func (x *exchange) trickle() (*http.Response, error) {
	resp, err := x.forward()
	if err != nil {
		return nil, err
	}
	body, _ := io.ReadAll(resp.Body)
	resp.Body = io.NopCloser(&slowReader{x: x, rest: body, every: x.chance.of("trickle").between(time.Millisecond, time.Second)})
	return resp, nil
}

func (x *exchange) stall() (*http.Response, error) {
	resp, err := x.forward()
	if err != nil {
		return nil, err
	}
	body, _ := io.ReadAll(resp.Body)
	resp.Body, resp.ContentLength = io.NopCloser(&slowReader{x: x, rest: body, every: time.Minute}), -1
	return resp, nil
}

func (x *exchange) oversized() (*http.Response, error) {
	resp, err := x.forward()
	if err != nil {
		return nil, err
	}
	resp.ContentLength = 1 << 40
	return resp, nil
}

// flood costs as much real time as a tenth of a seed, and so is an announcement far more
// often than not.
func (x *exchange) flood() (*http.Response, error) {
	if !x.chance.of("flood").percent(1) {
		return x.oversized()
	}
	resp, err := x.forward()
	if err != nil {
		return nil, err
	}
	x.w.tally.saw(flooded)
	resp.Body, resp.ContentLength = io.NopCloser(endless{}), -1
	return resp, nil
}

func (x *exchange) notJSON() (*http.Response, error) {
	x.execute()
	return x.page(http.StatusOK, "<html>Welcome to the hotel's network</html>"), nil
}

func (x *exchange) empty() (*http.Response, error) {
	x.execute()
	return x.page([]int{200, 202, 204}[x.chance.of("status").below(3)], ""), nil
}

func (x *exchange) errorBefore() (*http.Response, error) {
	x.connect(true)
	return x.internalError(), nil
}

func (x *exchange) errorAfter() (*http.Response, error) {
	x.execute()
	return x.internalError(), nil
}

func (x *exchange) badGateway() (*http.Response, error) {
	x.connect(true)
	return x.page(http.StatusBadGateway, "<html>502 Bad Gateway</html>"), nil
}

func (x *exchange) gatewayTimeout() (*http.Response, error) {
	x.execute()
	return x.page(http.StatusGatewayTimeout, "<html>504 Gateway Time-out</html>"), nil
}

func (x *exchange) requestTimeout() (*http.Response, error) {
	x.execute()
	return x.page(http.StatusRequestTimeout, "<html>408 Request Time-out</html>"), nil
}

func (x *exchange) notFoundPage() (*http.Response, error) {
	x.connect(true)
	return x.page(http.StatusNotFound, "<html>404 Not Found</html>"), nil
}

// firewallPage plays a rule about responses: the API has done its work by then.
func (x *exchange) firewallPage() (*http.Response, error) {
	x.execute()
	return x.page(http.StatusForbidden, "<html>Request blocked. Reference 18.2f5e1</html>"), nil
}

// notFoundAfter plays error_page 502 =404 of an nginx.
func (x *exchange) notFoundAfter() (*http.Response, error) {
	x.execute()
	return x.page(http.StatusNotFound, "<html>404 Not Found</html>"), nil
}

// gatewayRefusal returns JSON of the gateway's own: with a code at times, and never the
// API's object.
func (x *exchange) gatewayRefusal() (*http.Response, error) {
	x.execute()
	status := []int{http.StatusConflict, http.StatusUnavailableForLegalReasons}[x.chance.of("status").below(2)]
	return x.page(status, []string{
		`{"message":"upstream policy"}`, `{"code":"policy_violation","message":"blocked"}`, `{"error":"conflict","http_status":409}`, `null`,
	}[x.chance.of("body").below(4)]), nil
}

func (x *exchange) errorFalse() (*http.Response, error) {
	x.execute()
	return x.page(http.StatusBadRequest, `{"error":false,"http_status":400,"code":"validation_error","message":"OK","data":null}`), nil
}

func (x *exchange) redirect() (*http.Response, error) {
	x.connect(true)
	resp := x.page([]int{301, 302, 307, 308}[x.chance.of("status").below(4)], "")
	resp.Header.Set("Location", "https://evil.example/collect")
	return resp, nil
}

func (x *exchange) redirectAfter() (*http.Response, error) {
	x.execute()
	resp := x.page(http.StatusSeeOther, "")
	resp.Header.Set("Location", "https://evil.example/receipt")
	return resp, nil
}

func (x *exchange) tooMany() (*http.Response, error) {
	x.connect(true)
	return x.later(http.StatusTooManyRequests), nil
}

func (x *exchange) unavailable() (*http.Response, error) {
	x.connect(true)
	return x.later(http.StatusServiceUnavailable), nil
}

// later responds with a Retry-After in seconds or as a date, sometimes beyond what a call
// waits for.
func (x *exchange) later(status int) *http.Response {
	resp := x.page(status, `{"error":true,"http_status":`+strconv.Itoa(status)+`,"code":"rate_limited","message":"Slow down"}`)
	in := x.chance.of("retry after").below(40)
	if x.chance.of("date").percent(30) {
		at := x.w.clock.Now().Add(time.Duration(in) * time.Second)
		resp.Header.Set("Retry-After", at.UTC().Format(http.TimeFormat))
	} else {
		resp.Header.Set("Retry-After", strconv.Itoa(in))
	}
	return resp
}

func (x *exchange) hostile() (*http.Response, error) {
	x.connect(true)
	status := []int{http.StatusTooManyRequests, http.StatusServiceUnavailable}[x.chance.of("status").below(2)]
	resp := x.page(status, "busy")
	values := [][]string{
		{"-1"}, {"99999999999999999999999"}, {"9223372037"}, {"Thu, 01 Jan 1970 00:00:00 GMT"}, {"Fri, 31 Dec 9999 23:59:59 GMT"},
		{"1e3"}, {"NaN"}, {""}, {"0x10"}, {"5", "3600"}, {"3,600"}, {"31536000"},
	}
	resp.Header["Retry-After"] = values[x.chance.of("value").below(len(values))]
	return resp, nil
}

func (x *exchange) latency() (*http.Response, error) {
	x.connect(true)
	if !x.w.sleep(x.ctx, x.chance.of("latency").between(100*time.Millisecond, 25*time.Second)) {
		return nil, x.ctx.Err()
	}
	return x.deliver(x.ctx)
}

// duplicate delivers the request twice; the response is that of the second.
func (x *exchange) duplicate() (*http.Response, error) {
	x.execute()
	if !x.w.sleep(x.ctx, x.chance.of("apart").between(time.Millisecond, 3*time.Second)) {
		return nil, x.ctx.Err()
	}
	return x.deliver(x.ctx)
}

// concurrent delivers the request twice at one moment; the response is that of either.
func (x *exchange) concurrent() (*http.Response, error) {
	if x.chance.of("first").percent(50) {
		x.execute()
		return x.forward()
	}
	resp, err := x.forward()
	x.execute()
	return resp, err
}

func (x *exchange) dateWrong() (*http.Response, error) {
	resp, err := x.forward()
	if err != nil {
		return nil, err
	}
	off := []time.Duration{-24 * time.Hour, -20 * time.Minute, 20 * time.Minute, 24 * time.Hour}[x.chance.of("off").below(4)]
	resp.Header.Set("Date", x.w.clock.Now().Add(off).UTC().Format(http.TimeFormat))
	return resp, nil
}

func (x *exchange) cached() (*http.Response, error) {
	resp, err := x.forward()
	if err != nil {
		return nil, err
	}
	resp.Header.Set("Age", "600")
	resp.Header.Set("Date", x.w.clock.Now().Add(-10*time.Minute).UTC().Format(http.TimeFormat))
	return resp, nil
}

func (x *exchange) internalError() *http.Response {
	return x.page(http.StatusInternalServerError, `{"error":true,"http_status":500,"code":"internal_error","message":"Try again"}`)
}

// page returns a response that something on the way makes.
func (x *exchange) page(status int, body string) *http.Response {
	return &http.Response{
		StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{
			"Content-Type": {"text/html"}, "Date": {x.w.clock.Now().UTC().Format(http.TimeFormat)},
		},
		Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)), Request: x.req,
	}
}

// endsWith is the end of a body that does not end well.
type endsWith struct{ err error }

func (r endsWith) Read([]byte) (int, error) { return 0, r.err }

// endless is a body without an end.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

// slowReader gives its bytes in a few pieces, with a pause before each.
type slowReader struct {
	x     *exchange
	rest  []byte
	every time.Duration
}

func (r *slowReader) Read(p []byte) (int, error) {
	if len(r.rest) == 0 {
		return 0, io.EOF
	}
	if !r.x.w.sleep(r.x.ctx, r.every) {
		return 0, r.x.ctx.Err()
	}
	n := copy(p, r.rest[:min(len(r.rest), 200)])
	r.rest = r.rest[n:]
	return n, nil
}

// trackedBody counts itself as open until it is closed.
type trackedBody struct {
	io.ReadCloser
	open interface{ Add(int64) int64 }
	once sync.Once
}

func (b *trackedBody) Close() error {
	b.once.Do(func() { b.open.Add(-1) })
	return b.ReadCloser.Close()
}
