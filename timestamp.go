package intram

import (
	"encoding/json"
	"time"
)

// timestamp reads the API's dates. A date that is absent, null or not a date is the zero time: a new way of writing dates must
// not make a payment unreadable, and Raw still has it.
type timestamp struct{ time.Time }

func (t *timestamp) UnmarshalJSON(data []byte) error {
	t.Time = time.Time{}
	if len(data) == 0 || data[0] != '"' {
		return nil
	}
	if t.Time.UnmarshalJSON(data) == nil { // as the API writes it: read where it stands
		t.Time = t.UTC()
		return nil
	}
	t.Time = time.Time{}
	var s string
	if err := json.Unmarshal(data, &s); err != nil {
		return err
	}
	for _, layout := range [...]string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", time.DateTime, time.DateOnly} {
		if parsed, err := time.Parse(layout, s); err == nil {
			t.Time = parsed.UTC()
			return nil
		}
	}
	return nil
}

// firstTime is the first of several names for one date that was present.
func firstTime(candidates ...timestamp) time.Time {
	for _, c := range candidates {
		if !c.IsZero() {
			return c.Time
		}
	}
	return time.Time{}
}
