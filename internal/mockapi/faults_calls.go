package mockapi

import (
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// effect holds what a fault changes about a response.
type effect struct {
	retryAfter []string
	location   string
	// skew is how far ahead the clock is that verifies signatures, dateOff the one that
	// dates the response.
	skew, dateOff time.Duration
	age           string
	// streamed is set on a response whose body comes late or not whole.
	streamed *streamedBody
}

// cachedFor is the Age of the cached response of FaultClockSkewCached.
const cachedFor = 30 * time.Minute

// fault takes the faults that hit this call. It waits for a latency, and returns any
// other.
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

// beforeExecuting applies a fault before the call is executed, and reports whether the
// call ends with it.
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
		// By a clock that is off the other way, neither the right time nor the forged one
		// is accepted.
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

// afterExecuting applies a fault to the response of an executed call.
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
		page.reason = "a web page in place of the response"
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

// faultAnswer returns the response of a fault that has its own.
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

// refuseDial takes a fault that refuses the connection, and journals the call.
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

// elsewhere returns the address that a redirect names: another host, which this server
// listens to as well, so that a call that follows the redirect is seen.
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

// serveElsewhere plays the other host. It accepts every call: a client that follows a
// redirect with its signature believes that it has paid.
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
