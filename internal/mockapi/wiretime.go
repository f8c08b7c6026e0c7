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
	if len(s) != len(wireLayout) {
		return time.Time{}, false
	}
	t, err := time.Parse(wireLayout, s)
	return t, err == nil
}

// parseCursor reads the before parameter of a list: an ISO date, with or without fraction.
func parseCursor(s string) (time.Time, bool) {
	t, err := time.Parse(time.RFC3339Nano, s)
	return t.UTC(), err == nil
}
