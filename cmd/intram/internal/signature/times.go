package signature

import (
	"fmt"
	"iter"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// sameTime is what fixes every time that was signed in another form than it was sent.
const sameTime = "Write the time to a string once, and use it for the header and for the signature."

// wire is how the API wants a time.
const wire = "2006-01-02T15:04:05.000Z"

// forms are how programs write a time in UTC.
var forms = []struct{ layout, what string }{
	{"2006-01-02T15:04:05Z", "with seconds and no milliseconds"},
	{wire, "with milliseconds"},
	{"2006-01-02T15:04:05.000000Z", "with microseconds"},
	{"2006-01-02T15:04:05+00:00", "with +00:00 and no milliseconds"},
	{"2006-01-02T15:04:05.000+00:00", "with +00:00"},
	{isoformat, "with microseconds and +00:00, as Python's isoformat() writes it"},
	{"2006-01-02T15:04:05+0000", "with +0000 and no milliseconds"},
	{"2006-01-02T15:04:05.000+0000", "with +0000"},
	{"2006-01-02T15:04:05", "without Z"},
	{"2006-01-02T15:04:05.000", "with milliseconds and without Z"},
	{"2006-01-02T15:04:05.000000", "with microseconds and without Z"},
	{"2006-01-02 15:04:05", "as a database writes it"},
	{"2006-01-02 15:04:05.000000+00:00", "as Python's str() writes it"},
	{"2006-01-02 15:04:05.000000", "as Python's str() writes it, without a zone"},
	{"2006-01-02T15:04:05.000000000Z", "with nanoseconds"},
	{"2006-01-02T15:04:05.999999999Z", "with as many digits as the clock has"},
	{http.TimeFormat, "as the header Date has it"},
	{"Mon Jan 02 2006 15:04:05 GMT+0000 (Coordinated Universal Time)", "as JavaScript writes a Date"},
}

const isoformat = "2006-01-02T15:04:05.000000+00:00"

func (p *puzzle) addTimestamps(timestamp string) {
	p.add(partTimestamp, option{value: timestamp},
		option{id: "timestamp-missing", what: "the timestamp was left out of the signature", fix: "Put the timestamp on the first line.", value: ""})
	at, ok := looseTime(timestamp)
	if !ok {
		return
	}
	at = at.UTC()
	for _, form := range forms {
		p.add(partTimestamp, option{id: "timestamp-other-form", what: otherForm + form.what, fix: sameTime, value: at.Format(form.layout)})
	}
	p.add(partTimestamp,
		option{id: "timestamp-other-form", what: "the time was signed as seconds since 1970", fix: sameTime, value: strconv.FormatInt(at.Unix(), 10)},
		option{id: "timestamp-other-form", what: "the time was signed as milliseconds since 1970", fix: sameTime, value: strconv.FormatInt(at.UnixMilli(), 10)})
}

const otherForm = "the time was signed in another form than it was sent: "

// guess is a time that may have been signed, though the one that was sent does not tell
// it.
type guess struct {
	id, what, value string
	near            bool // likely enough to be tried with a mistake besides
}

// timesNear are the times that may have been signed where another one was sent: the
// digits that the header has lost, local time, and those of a clock that was read twice.
func timesNear(timestamp string) iter.Seq[guess] {
	return func(yield func(guess) bool) {
		at, ok := looseTime(timestamp)
		if !ok {
			return
		}
		at = at.UTC()
		_ = readTwice(at, yield) && otherZones(at, yield) && lostDigits(timestamp, at, yield)
	}
}

// readTwice are the times around the one that was sent.
func readTwice(at time.Time, yield func(guess) bool) bool {
	const around, near = 3 * time.Second, 250 * time.Millisecond
	for off := time.Millisecond; off <= around; off += time.Millisecond {
		for _, d := range []time.Duration{off, -off} {
			direction := "earlier"
			if d > 0 {
				direction = "later"
			}
			g := guess{"other-timestamp", fmt.Sprintf("another time was signed than was sent: %v %s", off, direction), at.Add(d).Format(wire), off <= near}
			if !yield(g) {
				return false
			}
		}
	}
	return true
}

// lostDigits are the times with microseconds that the one that was sent can have been cut
// or rounded from.
func lostDigits(timestamp string, at time.Time, yield func(guess) bool) bool {
	first, last := at.Add(-500*time.Microsecond), at.Add(time.Millisecond)
	layouts := []string{isoformat, "2006-01-02T15:04:05.000000Z", "2006-01-02T15:04:05.000000", "2006-01-02 15:04:05.000000+00:00", "2006-01-02 15:04:05.000000"}
	near := true
	if !strings.Contains(timestamp, ".") {
		first, last, layouts, near = at, at.Add(time.Second), layouts[:1], false // a million of them
	}
	for _, layout := range layouts {
		for t := first; t.Before(last); t = t.Add(time.Microsecond) {
			g := guess{"timestamp-other-form", otherForm + formOf(layout), t.Format(layout), near && layout == isoformat}
			if !yield(g) {
				return false
			}
		}
	}
	return true
}

func formOf(layout string) string {
	for _, form := range forms {
		if form.layout == layout {
			return form.what
		}
	}
	return "with microseconds"
}

// otherZones are the forms of the time that was sent in the zones of the world.
func otherZones(at time.Time, yield func(guess) bool) bool {
	for quarters := -12 * 4; quarters <= 14*4; quarters++ {
		if quarters == 0 {
			continue // UTC is an option like any other
		}
		local := at.In(time.FixedZone("", quarters*15*60))
		for _, layout := range []string{
			"2006-01-02T15:04:05-07:00", "2006-01-02T15:04:05.000-07:00", "2006-01-02T15:04:05.000000-07:00", "2006-01-02T15:04:05-0700",
			wire, "2006-01-02T15:04:05Z", "2006-01-02T15:04:05",
		} {
			g := guess{"timestamp-other-form", otherForm + "in local time, " + local.Format("-07:00"), local.Format(layout), false}
			if !yield(g) {
				return false
			}
		}
	}
	return true
}

// looseTime reads a time in any form that clients send.
func looseTime(text string) (time.Time, bool) {
	for _, layout := range []string{
		time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02 15:04:05.999999999", time.RFC1123, time.RFC1123Z,
	} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, true
		}
	}
	n, err := strconv.ParseInt(text, 10, 64)
	switch {
	case err != nil:
		return time.Time{}, false
	case n > 1e12:
		return time.UnixMilli(n), true
	default:
		return time.Unix(n, 0), true
	}
}
