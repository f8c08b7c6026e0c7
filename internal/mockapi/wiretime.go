package mockapi

import "time"

// wireLayout is ISO 8601 UTC with milliseconds, the only form the API writes and signs with.
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
