package dashboard

import (
	"fmt"
	"html/template"
	"strings"
	"time"
)

// when is a moment as the pages show it: in UTC, until the script writes it in the
// reader's own zone. The whole of it, in UTC, is shown to a mouse that rests on it.
func when(lang language, at time.Time, year bool) template.HTML {
	if at.IsZero() {
		return ""
	}
	at = at.UTC()
	layout, kind := "2 Jan 15:04:05", "short"
	switch {
	case lang == french && year:
		layout, kind = "02/01/2006 15:04:05", "long"
	case lang == french:
		layout = "02/01 15:04:05"
	case year:
		layout, kind = "2 Jan 2006 15:04:05", "long"
	}
	//nolint:gosec // G203: made of a time alone
	return template.HTML(fmt.Sprintf(`<time datetime="%s" title="%s UTC" data-at="%s">%s UTC</time>`,
		at.Format(time.RFC3339Nano), at.Format("2006-01-02 15:04:05.000"), kind, at.Format(layout)))
}

// span is a duration to be read: 2 h 05 min 09 s.
func span(d time.Duration) string {
	seconds := int(d.Round(time.Second).Seconds())
	var b strings.Builder
	if days := seconds / 86400; days > 0 {
		fmt.Fprintf(&b, "%d\u00a0d ", days)
	}
	if hours := seconds / 3600 % 24; seconds >= 3600 {
		fmt.Fprintf(&b, "%d\u00a0h ", hours)
	}
	if minutes := seconds / 60 % 60; seconds >= 60 {
		fmt.Fprintf(&b, "%02d\u00a0min ", minutes)
	}
	fmt.Fprintf(&b, "%02d\u00a0s", seconds%60)
	return b.String()
}
