package mockapi

import (
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// effect is what a fault changes about an answer that is sent.
type effect struct {
	retryAfter []string
	location   string
	// skew is how far ahead the clock is that signatures are checked by, dateOff the one that dates the answer.
	skew, dateOff time.Duration
	age           string
	// streamed is set on an answer whose body does not come as it should.
	streamed *streamedBody
}

// cachedFor is how old the cached answer of FaultClockSkewCached says it is.
const cachedFor = 30 * time.Minute

// fault takes the failures that hit this call: a latency passes here, any other is returned.
func (x *exchange) fault(routed bool) *Fault {
	s := x.server
	if s.faults.none() {
		return nil
	}
	t := s.callTarget(x.request, x.endpoint, routed, false)
	if f := s.faults.take(t, x.now, atArrival); f != nil {
		x.entry.Fault = string(f.Kind)
		s.touch()
		_ = s.clock.Sleep(x.request.Context(), f.Delay) // a client that left meanwhile is noticed by the write
		x.now = s.clock.Now()
	}
	f := s.faults.take(t, x.now, atDial|atCall)
	if f != nil {
		x.entry.Fault = string(f.Kind)
		s.touch()
	}
	return f
}

// beforeExecuting does what a fault does instead of executing the call, and reports whether that was all.
func (x *exchange) beforeExecuting(f *Fault) (rep reply, cut cutKind, ended bool) {
	switch f.Kind {
	case FaultRefuse:
		return reply{}, cutRefused, true
	case FaultReset:
		return reply{}, cutReset, true
	case FaultClockSkew:
		x.effect.skew, x.effect.dateOff = f.Skew, f.Skew
		return reply{}, noCut, false
	case FaultClockSkewWrongDate:
		x.effect.skew, x.effect.dateOff = f.Skew, -f.Skew
		return reply{}, noCut, false
	case FaultClockSkewForged:
		// By a clock that is off the other way, neither the right time nor the forged one is accepted.
		x.effect.skew, x.effect.dateOff = -f.Skew, f.Skew
		return reply{}, noCut, false
	case FaultClockSkewCached:
		// Its Date is when it was kept, by the clock that is off.
		x.effect.skew, x.effect.dateOff, x.effect.age = f.Skew, f.Skew-cachedFor, seconds(cachedFor)
		return reply{}, noCut, false
	}
	rule := ruleOf(f.Kind)
	if rule.executes || f.Executed {
		return reply{}, noCut, false
	}
	return x.faultAnswer(f, rule), noCut, true
}

// afterExecuting does what a fault does to the answer of a call that was executed.
func (x *exchange) afterExecuting(f *Fault, rep reply) (reply, cutKind) {
	switch f.Kind {
	case FaultDropResponse:
		return rep, cutSilently
	case FaultTruncate:
		x.effect.streamed = truncated(rep.body)
	case FaultSlowBody:
		x.effect.streamed = trickling(x.server.clock, f.Delay, rep.body)
	case FaultOversized:
		x.effect.streamed = oversized(f.Size, rep.body)
	case FaultNotJSON:
		page := proxied(rep.status)
		page.reason = "a web page in place of the answer"
		return page, noCut
	case FaultOtherSubject, FaultOddFields, FaultNoPayload, FaultUnreadableItem, FaultByteOrderMark:
		return otherwise(f.Kind, rep), noCut
	default:
		if f.Executed {
			return x.faultAnswer(f, ruleOf(f.Kind)), noCut
		}
	}
	return rep, noCut
}

// faultAnswer is the answer of a fault that has one.
func (x *exchange) faultAnswer(f *Fault, rule *faultRule) reply {
	switch {
	case f.Kind == FaultRedirect:
		x.effect.location = x.server.elsewhere(x.request.URL)
		return proxied(f.Status)
	case f.Kind == FaultGatewayJSON:
		return gatewayRefusal(f.Status)
	case f.Kind == FaultErrorFalse:
		return deniedRefusal()
	case f.Kind == FaultIdempotencyInProgress:
		return x.keyUnderWay()
	case f.Code != "":
		return x.serverError(f.Status, f.Code)
	}
	if f.RetryAfter == "" {
		x.effect.retryAfter = rule.retryAfter
	} else if f.RetryAfter != "-" {
		x.effect.retryAfter = []string{f.RetryAfter}
	}
	return proxied(f.Status)
}

// refuseDial takes a fault that refuses the connection of a call, before there is one, and journals it.
func (s *Server) refuseDial(r *http.Request) error {
	endpoint, ok := endpointOf(r.URL.EscapedPath())
	if !ok || s.faults.none() {
		return nil
	}
	now := s.clock.Now()
	t := s.callTarget(r, endpoint, true, true)
	f := s.faults.take(t, now, atDial)
	if f == nil {
		return nil
	}
	s.faults.countAttempt(t)
	s.requests.add(&Request{
		Time: now, Method: r.Method, Path: r.URL.Path, Query: r.URL.RawQuery, Header: journalHeader(r.Header.Clone()),
		IdempotencyKey: keyHeader(r.URL.Path, r.Header), Fault: string(f.Kind), Lost: true, remote: fakeAddr.String(),
	})
	return cutRefused.err()
}

// elsewherePath is where the other host of a FaultRedirect is, on this same server.
const elsewherePath = "/elsewhere"

// elsewhere is the address a redirect names: another host, behind which this server listens too, so that whatever
// follows the redirect is seen.
func (s *Server) elsewhere(target *url.URL) string {
	other := url.URL{Scheme: "https", Host: "elsewhere.intram.test", RawQuery: target.RawQuery}
	if base, err := url.Parse(s.BaseURL()); err == nil && base.Scheme == "http" {
		// Of the two names of the loopback, the one that the client did not call.
		host := "localhost"
		if base.Hostname() == host {
			host = "127.0.0.1"
		}
		other.Scheme, other.Host = base.Scheme, net.JoinHostPort(host, base.Port())
	}
	other.Path = elsewherePath + target.Path
	return other.String()
}

// serveElsewhere is the other host. It takes whatever comes, and says yes: a client that follows a redirect with its
// signature believes that it has paid.
func (s *Server) serveElsewhere(w http.ResponseWriter, r *http.Request) {
	x := &exchange{server: s, request: r, now: s.clock.Now(), entry: &Request{
		ID: s.entropy.id("req_", 16), Method: r.Method, Path: strings.TrimPrefix(r.URL.Path, elsewherePath), Query: r.URL.RawQuery,
		Header: journalHeader(r.Header), IdempotencyKey: keyHeader(strings.TrimPrefix(r.URL.Path, elsewherePath), r.Header), Followed: true,
		PublicKey: r.Header.Get("X-Api-Key"), Signature: r.Header.Get("X-Signature"), Timestamp: r.Header.Get("X-Timestamp"),
	}}
	x.entry.Time, x.entry.remote = x.now, r.RemoteAddr
	_ = x.readBody() // kept as far as it could be read
	x.finish(w, success(http.StatusAccepted, []byte(`{"operation_id":"op_elsewhere","type":"payout","status":"succeeded"}`), ""), noCut)
}
