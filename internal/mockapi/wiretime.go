package mockapi

import "time"

// wireLayout is ISO 8601 UTC with milliseconds, the only form the API writes and signs with.
const wireLayout = "2006-01-02T15:04:05.000Z"

// wireTime is t as it goes over the wire.
func wireTime(t time.Time) string { return t.UTC().Format(wireLayout) }

func appendTimeField(b []byte, name string, t time.Time) []byte {
	b = appendName(b, name)
	if t.IsZero() {
		return append(b, "null"...)
	}
	b = append(b, '"')
	b = t.UTC().AppendFormat(b, wireLayout)
	return append(b, '"')
}

// parseSignedTime reads an X-Timestamp: exactly the documented form, nothing near it.
func parseSignedTime(s string) (time.Time, bool) {
	const shape = "0000-00-00T00:00:00.000Z"
	if len(s) != len(shape) {
		return time.Time{}, false
	}
	for i := range len(shape) {
		if shape[i] == '0' && !isDigit(s[i]) || shape[i] != '0' && s[i] != shape[i] {
			return time.Time{}, false
		}
	}
	number := func(from, to int) (n int) {
		for _, c := range []byte(s[from:to]) {
			n = n*10 + int(c-'0')
		}
		return n
	}
	year, month, day := number(0, 4), time.Month(number(5, 7)), number(8, 10)
	hour, minute, second := number(11, 13), number(14, 16), number(17, 19)
	t := time.Date(year, month, day, hour, minute, second, number(20, 23)*int(time.Millisecond), time.UTC)
	// A date that does not exist is moved to one that does: the 30th of February, or 24 o'clock.
	y, m, d := t.Date()
	return t, y == year && m == month && d == day && hour < 24 && minute < 60 && second < 60
}

// parseCursor reads the before parameter of a list: an ISO date, with or without fraction.
func parseCursor(s string) (time.Time, bool) {
	t, err := time.Parse(time.RFC3339Nano, s)
	return t.UTC(), err == nil
}
