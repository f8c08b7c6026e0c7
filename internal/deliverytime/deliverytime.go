// Package deliverytime reads the timestamp of a webhook delivery. The SDK's verifier and
// "intram verify" share it, so that they agree on every delivery.
package deliverytime

import (
	"errors"
	"strings"
	"time"
)

// errForm is the error for any text that cannot be read.
var errForm = errors.New("the timestamp is not an ISO 8601 date")

// Parse reads a timestamp in RFC 3339 or in another common form of ISO 8601: the basic
// form, a space instead of the T, an offset without its colon, and no offset, which means
// UTC. Each may have a fraction.
//
// body is that of the delivery, which is signed after the timestamp and a dot. A
// timestamp that is not RFC 3339 is refused before a body that begins with a digit: the
// digit could be a fraction that was cut off.
func Parse(timestamp string, body []byte) (time.Time, error) {
	if at, err := time.Parse(time.RFC3339Nano, timestamp); err == nil {
		return at, nil
	}
	// No event begins with a digit.
	if len(body) > 0 && body[0] >= '0' && body[0] <= '9' {
		return time.Time{}, errForm
	}
	date, clock, spaced := strings.Cut(timestamp, " ")
	if spaced {
		timestamp = date + "T" + strings.TrimPrefix(clock, " ")
		timestamp = strings.Replace(timestamp, " ", "", 1) // before the offset
	}
	timestamp = strings.ToUpper(timestamp)
	for _, form := range [...]string{"2006-01-02T15:04:05", "20060102T150405"} {
		for _, offset := range [...]string{"", "Z07:00", "Z0700", "Z07"} {
			if at, err := time.Parse(form+offset, timestamp); err == nil {
				return at, nil
			}
		}
	}
	return time.Time{}, errForm
}
