// Package doctor looks for what keeps this machine from working with the API: the way to
// the server, its certificate, what responds, this machine's clock, and how a webhook
// receiver treats events that are not signed. It sends no key and no call that changes
// anything.
package doctor

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// Status is the result of one check.
type Status string

// The results of checks.
const (
	OK      Status = "ok"
	Warn    Status = "warn"    // it works, and something may go wrong
	Fail    Status = "fail"    // it does not work
	Skipped Status = "skipped" // it could not be checked; the message says why
)

// Cause says where the trouble of a failed check is.
type Cause int

// The causes of failures.
const (
	Setting Cause = iota + 1 // the configuration
	Refused                  // a server has responded, and refused
	Silent                   // no response that is of use
)

// Check is one line of the report.
type Check struct {
	Name    string
	Status  Status
	Message Text
	// Do says what to do, empty when the check is well.
	Do Text
	// Cause is set when the check has failed.
	Cause Cause
}

// Good is a check that is well.
func Good(name string, message Text) Check { return Check{Name: name, Status: OK, Message: message} }

// Warning is a check that is not well, although calls can succeed.
func Warning(name string, message, do Text) Check {
	return Check{Name: name, Status: Warn, Message: message, Do: do}
}

// Failure is a check that has failed.
func Failure(name string, cause Cause, message, do Text) Check {
	return Check{Name: name, Status: Fail, Cause: cause, Message: message, Do: do}
}

// NotChecked is a check that could not be made.
func NotChecked(name string, why Text) Check {
	return Check{Name: name, Status: Skipped, Message: why}
}

// Worst returns the worst status of the checks: fail, warn, or ok. A skipped check is not
// worse than ok.
func Worst(checks []Check) Status {
	worst := OK
	for _, c := range checks {
		if c.Status == Fail || c.Status == Warn && worst == OK {
			worst = c.Status
		}
	}
	return worst
}

// Count returns how many checks have a status.
func Count(checks []Check, status Status) int {
	n := 0
	for _, c := range checks {
		if c.Status == status {
			n++
		}
	}
	return n
}

// Text is a text for the merchant, in which hosts, addresses, files and names of their
// own are shown, and the same text for a public issue, in which only their kinds are.
type Text struct{ shown, public string }

// Say formats a text. Arguments of [Own] are the merchant's own.
func Say(format string, args ...any) Text {
	shown, public := slices.Clone(args), slices.Clone(args)
	for i, arg := range args {
		switch part := arg.(type) {
		case own:
			shown[i], public[i] = part.value, "["+part.kind+"]"
		case Text:
			shown[i], public[i] = part.shown, part.public
		case error: // may contain whatever it was given
			shown[i], public[i] = Printable(part.Error()), "[error]"
		}
	}
	return Text{fmt.Sprintf(format, shown...), fmt.Sprintf(format, public...)}
}

// Both returns a text with its two forms.
func Both(shown, public string) Text { return Text{shown, public} }

// own is a part of a text that is the merchant's own.
type own struct{ kind, value string }

// Own marks a value as the merchant's own, with the word for it in public.
func Own(kind, value string) any { return own{kind, Printable(value)} }

// Shown returns the text for the merchant.
func (t Text) Shown() string { return t.shown }

// Public returns the text without what is the merchant's own.
func (t Text) Public() string { return t.public }

// IsZero reports whether there is no text.
func (t Text) IsZero() bool { return t.shown == "" }

// longest is how much of a value from outside is shown.
const longest = 200

// key matches a key or a secret that stands where another value belongs.
var key = regexp.MustCompile(`(?i)(?:sk_|pk_|whsec_)[^\s"'/]{4,}`)

// hidden leaves of a key its kind, and of a prefix alone all.
func hidden(key string) string {
	kind, rest, _ := strings.Cut(key, "_")
	if rest == "sandbox_" || rest == "live_" {
		return key
	}
	return kind + "_…"
}

// Printable returns a text from outside as one line that a terminal can show, without
// keys.
func Printable(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, strings.ToValidUTF8(text, "?"))
	text = key.ReplaceAllStringFunc(strings.Join(strings.Fields(text), " "), hidden)
	if runes := []rune(text); len(runes) > longest {
		return string(runes[:longest]) + "…"
	}
	return text
}
