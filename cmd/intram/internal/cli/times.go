package cli

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// timesHelp is how a time may be written, for the help of a flag.
const timesHelp = "a day such as 2026-05-20, today, yesterday, 2h or 3d ago, or a time such as 2026-05-20T10:30:00Z; " +
	"days, and times that name no zone, are in this machine's zone"

// ago matches how long before now something was: 90m, 2h, 3d, 1w.
var ago = regexp.MustCompile(`^([0-9]{1,4})(m|h|d|w)(?: ago)?$`)

// readTime reads the time of a flag as a person types it. Words and days are in the zone
// of the person's machine. None is the zero time.
func (a *app) readTime(flag, value string) (time.Time, error) {
	if value == "" {
		return time.Time{}, nil
	}
	now := a.clock.Now().In(a.zone())
	midnight := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, now.Location())
	switch word := strings.ToLower(strings.TrimSpace(value)); word {
	case "now":
		return now, nil
	case "today":
		return midnight, nil
	case "yesterday":
		return midnight.AddDate(0, 0, -1), nil
	default:
		if found := ago.FindStringSubmatch(word); found != nil {
			n, err := strconv.Atoi(found[1])
			if err != nil {
				return time.Time{}, err
			}
			switch found[2] {
			case "m":
				return now.Add(-time.Duration(n) * time.Minute), nil
			case "h":
				return now.Add(-time.Duration(n) * time.Hour), nil
			case "d":
				return now.AddDate(0, 0, -n), nil
			default:
				return now.AddDate(0, 0, -7*n), nil
			}
		}
	}
	for _, layout := range []string{
		time.RFC3339Nano, "2006-01-02 15:04:05Z07:00", "2006-01-02T15:04:05", time.DateTime, "2006-01-02T15:04", "2006-01-02 15:04", time.DateOnly,
	} {
		if t, err := time.ParseInLocation(layout, strings.TrimSpace(value), a.zone()); err == nil {
			return t, nil
		}
	}
	return time.Time{}, usagef("%s must be %s", flag, timesHelp)
}

// zone returns the zone of the person's machine.
func (a *app) zone() *time.Location {
	if a.location == nil {
		return time.Local //nolint:gosmopolitan // people type days of their own calendar
	}
	return a.location
}
