package transport

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync/atomic"
	"time"
)

// staleSignature is the reason in a refusal of a timestamp too far from the server's
// clock (section 3).
const staleSignature = "timestamp_out_of_window"

// leastSkew is the smallest difference that is corrected. The server's window is five
// minutes, so a refused timestamp is minutes off; a smaller difference is not the reason.
const leastSkew = time.Minute

// maxSkew is the largest difference that is corrected, either way. A signature that is
// dated by a wrong Date can be held back, and sent when that time has come. So a Date
// moves a signature no further than to a time at which the server still knows the
// idempotency key, which it keeps for 24 hours. 12 hours are enough for a clock that
// shows another time zone or the other half of the day; a clock that is further off must
// be set.
const maxSkew = 12 * time.Hour

// skew is the difference between this machine's clock and the server's, as far as the
// server has told it. It is zero until a signature was refused for its age: a correct
// clock is never adjusted.
type skew struct {
	offset atomic.Int64
	warned atomic.Bool // of a difference beyond maxSkew
}

func (s *skew) get() time.Duration { return time.Duration(s.offset.Load()) }

// date returns the timestamp of an attempt. It is never past the end of its key, whatever
// the server's time is assumed to be.
func (s *skew) date(now time.Time, used time.Duration, call *Call) time.Time {
	at := now.Add(used)
	if end := call.NotAfter; used > 0 && !end.IsZero() && at.After(end) {
		return end
	}
	return at
}

// correct learns from a refusal for the timestamp's age, and reports whether another
// attempt is worth making. used is the offset that the refused attempt was dated with:
// other calls may have learned another since. A call corrects the clock once; if it is
// refused again, it undoes the correction, which was wrong.
func (s *skew) correct(rec *record, l *slog.Logger, header http.Header, used time.Duration, now time.Time) bool {
	var offset time.Duration // a response that does not tell the time leaves the machine's own
	if at, ok := serverTime(header); ok {
		offset = at.Sub(now)
	}
	if offset.Abs() > maxSkew {
		rec.stoppedBy = tooFarApart(offset)
		if l != nil && s.warned.CompareAndSwap(false, true) {
			l.LogAttrs(rec.Context, slog.LevelError, "intram: this machine's clock and the server's Date are too far apart to correct: set this machine's clock",
				slog.Duration("offset", offset.Round(time.Minute)), slog.Duration("limit", maxSkew))
		}
		offset = 0
	}
	if rec.corrected {
		s.learn(rec, l, used, 0)
		return false
	}
	if change := offset - used; change.Abs() < leastSkew {
		return false
	}
	rec.corrected = true
	s.learn(rec, l, used, offset)
	return true
}

// learn records that the clocks are offset apart, unless another call has learned
// something since, and logs the jump.
func (s *skew) learn(rec *record, l *slog.Logger, used, offset time.Duration) {
	if used != offset && s.offset.CompareAndSwap(int64(used), int64(offset)) {
		logSkew(rec.Context, l, offset)
	}
}

// tooFarApart names the clock as the cause: the server only says that a timestamp is
// wrong.
func tooFarApart(offset time.Duration) string {
	direction := "ahead of"
	if offset < 0 {
		direction = "behind"
	}
	return fmt.Sprintf("the server's Date is %v %s this machine's clock, beyond the limit of %v: set this machine's clock (NTP), or find the proxy that changes the Date",
		offset.Round(time.Minute).Abs(), direction, maxSkew)
}

// serverTime returns when a response was made, by the server's clock. A response from a
// cache has no such time: it is older than its Date.
func serverTime(header http.Header) (time.Time, bool) {
	dates := header["Date"]
	if len(dates) == 0 || len(slices.Compact(slices.Clone(dates))) != 1 || header.Get("Age") != "" { // a proxy may repeat one
		return time.Time{}, false
	}
	at, err := http.ParseTime(header.Get("Date"))
	if err != nil {
		return time.Time{}, false
	}
	return at.Add(500 * time.Millisecond), true // Date has whole seconds: the middle of one
}

// refusedForAge recognises the refusal that a wrong clock causes.
func refusedForAge(status int, body []byte) bool {
	return status == http.StatusUnauthorized && bytes.Contains(body, []byte(staleSignature))
}

// refusedForSignature recognises the refusal of a signature over other bytes than the
// server reads.
func refusedForSignature(status int, body []byte) bool {
	return status == http.StatusUnauthorized && bytes.Contains(body, []byte("signature_mismatch"))
}

// refusedForKeys recognises the refusal of a key that the server does not know, or of a
// signature with another secret.
func refusedForKeys(status int, body []byte) bool {
	return refusedForSignature(status, body) || status == http.StatusUnauthorized && bytes.Contains(body, []byte("invalid_api_key"))
}

// logSkew reports the difference to the operator, who alone can set the clock.
func logSkew(ctx context.Context, l *slog.Logger, offset time.Duration) {
	if l == nil {
		return
	}
	if offset == 0 {
		l.LogAttrs(ctx, slog.LevelWarn, "intram: server time no longer trusted; using the local clock again")
		return
	}
	l.LogAttrs(ctx, slog.LevelWarn, "intram: this machine's clock is off; requests are dated by the server's clock",
		slog.Duration("offset", offset.Round(time.Minute)))
}
