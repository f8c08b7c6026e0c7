package transport

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"
)

// staleSignature is the reason in a refusal of a timestamp too far from the server's clock (section 3).
const staleSignature = "timestamp_out_of_window"

// leastSkew is the least difference worth correcting. The server's window is five minutes, so what it refuses is
// minutes off; a smaller difference is not the reason.
const leastSkew = time.Minute

// skew is how far this machine's clock is from the server's, as far as the server has said. It is zero until a signature was
// refused for its age: a clock that is right is never touched.
type skew struct{ offset atomic.Int64 }

func (s *skew) get() time.Duration { return time.Duration(s.offset.Load()) }

// correct learns from a refusal whose reason is the timestamp's age, and reports whether another attempt is worth making. used is
// the offset that the refused attempt was dated with: other calls may have learned another since. A call corrects the clock once;
// refused again, it takes back what it learned, since that was wrong.
func (s *skew) correct(rec *record, header http.Header, used time.Duration, now time.Time) bool {
	if rec.corrected {
		s.offset.CompareAndSwap(int64(used), 0)
		return false
	}
	var offset time.Duration // an answer that does not tell the time leaves the machine's own
	if at, ok := serverTime(header); ok {
		offset = at.Sub(now)
	}
	if change := offset - used; change.Abs() < leastSkew {
		return false
	}
	rec.corrected = true
	s.offset.CompareAndSwap(int64(used), int64(offset))
	return true
}

// serverTime is when an answer was made, by the server's clock. An answer from a cache is older than it says.
func serverTime(header http.Header) (time.Time, bool) {
	if len(header["Date"]) != 1 || header.Get("Age") != "" {
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

// logSkew tells the operator, who alone can set the clock.
func logSkew(ctx context.Context, l *slog.Logger, offset time.Duration) {
	if l == nil {
		return
	}
	if offset == 0 {
		l.LogAttrs(ctx, slog.LevelWarn, "intram: the server's time is not what it was taken for, requests are dated by this machine's clock again")
		return
	}
	l.LogAttrs(ctx, slog.LevelWarn, "intram: this machine's clock is off, requests are dated by the server's instead",
		slog.Duration("offset", offset.Round(time.Minute)))
}
