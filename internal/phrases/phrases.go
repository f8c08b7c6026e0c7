// Package phrases holds the sentences of intram.Explain: what is said to a merchant's
// operator about an error, as data, in one file a language.
package phrases

import (
	"strings"
	"time"
)

// Reason is the sentences about one code or kind of failure.
type Reason struct {
	// Why says what is wrong.
	Why string
	// Do says what to do about it. It never advises a new idempotency key, or another
	// payment, where the money may have moved: see Safe.
	Do string
	// Safe marks a Do that is also right while the money may have moved.
	Safe bool
}

// Catalogue is the sentences of one language.
type Catalogue struct {
	// Codes are by error code.
	Codes map[string]Reason
	// Reasons are by kind of failure, for errors without a code: those of the network, of
	// what is between this machine and the API, and of the SDK itself.
	Reasons map[string]Reason
	// Fates say what became of the money. They are by what is known (unknown, not_sent,
	// rejected, failed, open, waiting) and, after a dot, by what was asked for.
	Fates map[string]string
	// Signatures are by the API's reason for signature_invalid.
	Signatures map[string]string
	// Fields say what is expected of a parameter, by the last part of its name.
	Fields map[string]string
	// Months are the names of the months.
	Months [12]string
	// Date is the form of a date and time: day, name of the month, year, hour and minute.
	Date string
	// Respace returns a sentence with the spaces of the language's typography.
	Respace func(string) string
}

// In returns the catalogue of a language; that of English for one without a catalogue.
func In(language string) *Catalogue {
	if language == "fr" {
		return &french
	}
	return &english
}

// Fate returns the sentence about the money for what was asked for, or the general one.
func (c *Catalogue) Fate(known, asked string) string {
	if text, ok := c.Fates[known+"."+asked]; ok {
		return text
	}
	return c.Fates[known]
}

// Field returns a parameter's name, with what is expected of it where that is known.
func (c *Catalogue) Field(path string) string {
	last := path[strings.LastIndexByte(path, '.')+1:]
	if expected, ok := c.Fields[last]; ok {
		return path + " (" + expected + ")"
	}
	return path
}

// When returns a moment in UTC, as people write it.
func (c *Catalogue) When(t time.Time) string {
	t = t.UTC()
	return strings.Replace(t.Format(c.Date), "MONTH", c.Months[t.Month()-1], 1)
}
