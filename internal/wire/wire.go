// Package wire reads what the API writes: the types of its values, and the envelope
// around them.
//
// What is acted on (ids, statuses, amounts, cursors) has types whose errors end the
// reading: [ID], [Word], [Verdict]. What only describes must not make a payment
// unreadable: [Text], [Count], [Flag], [Time] and [Status] take a value of any kind. The
// package knows nothing of the SDK's own types.
package wire

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/intram/intram-go/internal/strictjson"
)

// ErrNoObject is the error of a value that must be an object, and is another kind.
var ErrNoObject = errors.New("it is not a JSON object")

// Envelope is the frame around every successful response (Merchant API docs, Response
// format). The earlier revision of the docs has no http_status; nothing here depends on
// it.
type Envelope[W any] struct {
	Failed Verdict `json:"error"`
	Code   Text    `json:"code"`
	Status Status  `json:"http_status"`
	Data   W       `json:"data"`
	Paging Paging  `json:"paging"`
}

// Paging is the frame's part for lists.
type Paging struct {
	Limit      Count  `json:"limit"`
	NextBefore cursor `json:"next_before"`
}

// cursor is a date that must be readable: taking a cursor that is not for the end of the
// list would lose the rest.
type cursor struct{ Time }

// UnmarshalJSON reads a date. null and an empty string are none.
func (c *cursor) UnmarshalJSON(data []byte) error {
	if err := c.Time.UnmarshalJSON(data); err != nil {
		return err
	}
	if c.IsZero() && !IsNull(data) && string(data) != `""` {
		return errors.New("paging.next_before is not a date")
	}
	return nil
}

// Read reads a response's body into v, and refuses one that can be read in two ways. It
// returns where the parts of an envelope stand in the body.
func Read(body []byte, v any) (strictjson.Parts, error) {
	parts, err := readTolerant(body, v)
	for _, refused := range parts.Refused {
		err = fmt.Errorf("the body can be read in two ways: %w", refused)
	}
	return parts, err
}

// readTolerant is Read that leaves the items of a list that are refused to its caller.
func readTolerant(body []byte, v any) (strictjson.Parts, error) {
	if err := UnmarshalObject(body, v); err != nil {
		return strictjson.Parts{}, fmt.Errorf("the body is not the JSON that the docs describe: %w", err)
	}
	parts, err := strictjson.Split(body)
	if err != nil {
		return parts, fmt.Errorf("the body can be read in two ways: %w", err)
	}
	return parts, nil
}

// ReadEnvelope reads the envelope of a 2xx response, and where its data stands in the
// body. An envelope that speaks of a failure is an error: a proxy or a maintenance page
// changed the status.
func ReadEnvelope[W any](body []byte) (*Envelope[W], strictjson.Parts, error) {
	e := new(Envelope[W])
	parts, err := Read(body, e)
	return e, parts, cmp.Or(err, e.contradiction())
}

// ReadData is ReadEnvelope of a response that must have data.
func ReadData[W any](body []byte) (*Envelope[W], strictjson.Parts, error) {
	e, parts, err := ReadEnvelope[W](body)
	return e, parts, cmp.Or(err, withData(parts))
}

// ReadPage is ReadData of a list. An item that can be read in two ways is in
// parts.Refused, and says nothing against the others.
func ReadPage[W any](body []byte) (*Envelope[W], strictjson.Parts, error) {
	e := new(Envelope[W])
	parts, err := readTolerant(body, e)
	return e, parts, cmp.Or(err, e.contradiction(), withData(parts))
}

func (e *Envelope[W]) contradiction() error {
	if e.Failed == SaysFailure || e.Code != "" || e.Status >= http.StatusMultipleChoices {
		return errors.New("the response says success and failure at once")
	}
	return nil
}

func withData(parts strictjson.Parts) error {
	if len(parts.Data) == 0 || IsNull(parts.Data) {
		return errors.New("the response has no data")
	}
	return nil
}

// Unmarshal is [json.Unmarshal] for responses. encoding/json leaves a field of another
// kind as it is, reads on, and reports the first, which is passed over here. The errors
// of the strict types are returned.
func Unmarshal(data []byte, v any) error {
	err := json.Unmarshal(data, v)
	if _, otherKind := err.(*json.UnmarshalTypeError); otherKind { //nolint:errorlint // wrapped, it is the error of a field that is acted on
		return nil
	}
	return err
}

// UnmarshalObject is Unmarshal of what must be an object itself. null leaves v as it is.
func UnmarshalObject(data []byte, v any) error {
	if !IsObject(data) && !IsNull(data) {
		return ErrNoObject
	}
	return Unmarshal(data, v)
}

// IsObject reports whether a JSON value is an object.
func IsObject(data []byte) bool { return FirstByte(data) == '{' }

// IsNull reports whether a JSON value is null.
func IsNull(data []byte) bool { return string(bytes.TrimSpace(data)) == "null" }

// FirstByte returns what a JSON value begins with, 0 for nothing.
func FirstByte(data []byte) byte {
	for _, c := range data {
		if c != ' ' && c != '\t' && c != '\r' && c != '\n' {
			return c
		}
	}
	return 0
}

// WithoutBOM returns a document without the byte order mark that some servers and proxies
// put in front of it.
func WithoutBOM(document []byte) []byte { return bytes.TrimPrefix(document, []byte("\ufeff")) }

// Part is a value inside a document, where it stands.
type Part []byte

// UnmarshalJSON notes where the value stands. It makes no copy: that is for [Part.Of],
// which comes last.
func (p *Part) UnmarshalJSON(data []byte) error {
	*p = data
	return nil
}

// Of returns the part as a subslice of raw, without copying; nil for null.
func (p Part) Of(raw []byte) []byte {
	if len(p) == 0 || IsNull(p) {
		return nil
	}
	at := bytes.Index(raw, p)
	if at < 0 {
		return bytes.Clone(p)
	}
	return raw[at : at+len(p) : at+len(p)]
}

// Time reads the API's dates. A date that is absent, null or not a date is the zero time:
// a new way of writing dates must not make a payment unreadable.
type Time struct{ time.Time }

// UnmarshalJSON reads a value of any kind.
func (t *Time) UnmarshalJSON(data []byte) error {
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
