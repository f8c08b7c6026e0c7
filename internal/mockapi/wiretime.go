package mockapi

import "time"

// wireLayout is ISO 8601 UTC with milliseconds, the only form the API writes.
const wireLayout = "2006-01-02T15:04:05.000Z"

// wireTime is t as it goes over the wire.
func wireTime(t time.Time) string {
	var room [len(wireLayout)]byte
	return string(appendWireTime(room[:0], t))
}

func appendTimeField(b []byte, name string, t time.Time) []byte {
	b = appendName(b, name)
	if t.IsZero() {
		return append(b, "null"...)
	}
	b = append(b, '"')
	b = appendWireTime(b, t)
	return append(b, '"')
}

// appendWireTime is t.AppendFormat(wireLayout), which every payload has several times.
func appendWireTime(b []byte, t time.Time) []byte {
	t = t.UTC()
	year, month, day := t.Date()
	if year < 0 || year > 9999 {
		return t.AppendFormat(b, wireLayout)
	}
	hour, minute, second := t.Clock()
	b = appendTwo(appendTwo(b, year/100), year%100)
	b = appendTwo(append(b, '-'), int(month))
	b = appendTwo(append(b, '-'), day)
	b = appendTwo(append(b, 'T'), hour)
	b = appendTwo(append(b, ':'), minute)
	b = appendTwo(append(b, ':'), second)
	millis := t.Nanosecond() / int(time.Millisecond)
	b = append(b, '.', byte('0'+millis/100)) //nolint:gosec // one digit
	return append(appendTwo(b, millis%100), 'Z')
}

//nolint:gosec // two digits of a date: n is below 100
func appendTwo(b []byte, n int) []byte { return append(b, byte('0'+n/10), byte('0'+n%10)) }

// isoLayouts are the forms of ISO 8601 that are taken. Each also takes a fraction of a
// second, of any length.
var isoLayouts = [...]string{time.RFC3339, "2006-01-02T15:04:05Z0700", "2006-01-02T15:04:05Z07"}

// parseTime reads a date with its time and its offset, in any of the forms.
func parseTime(s string) (time.Time, bool) {
	if len(s) < len("2006-01-02T15:04:05Z") || s[len("2006-01-02T15")] != ':' { // time.Parse takes an hour of one digit
		return time.Time{}, false
	}
	for _, layout := range isoLayouts {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}

// parseCursor reads the before parameter of a list: an ISO date, with or without a time.
func parseCursor(s string) (time.Time, bool) {
	if t, err := time.Parse(time.DateOnly, s); err == nil {
		return t, true
	}
	return parseTime(s)
}
