package intram

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/intram/intram-go/internal/redact"
)

// ErrResponseMismatch is behind the [*Error] of a response that is about something else than what was asked for, or was asked to be
// created: another id, type, environment or reference. A cache, a proxy or a connection that mixes responses up
// does that. It says nothing of the money: the outcome is [OutcomeUnknown], and a wait looks again.
var ErrResponseMismatch = errors.New("intram: the response is about something else")

// askedFor is what a response must be about. The zero value says nothing.
type askedFor struct {
	lookup  string        // the id that was looked up
	only    OperationType // the type that it must have, when it was looked up as one of these
	creates OperationType // the type of what was to be created
	// field of the payload holds the reference that was sent.
	field, reference string
}

// about is implemented by models that can tell whether they are what a call was about.
type about interface {
	about(s askedFor, environment Environment) error
}

// checkSubject reports a response about something else.
func checkSubject(value any, s askedFor, environment Environment) error {
	if a, ok := value.(about); ok {
		return a.about(s, environment)
	}
	return nil
}

func mismatch(what string) error { return fmt.Errorf("%w: %s", ErrResponseMismatch, what) }

// isNamed reports whether two ids name one thing. Case is not what tells two ids of the API apart.
func isNamed(id, asked string) bool { return id != "" && strings.EqualFold(id, asked) }

func (o *Operation) about(s askedFor, environment Environment) error {
	switch {
	case s.lookup != "":
		if !isNamed(o.ID, s.lookup) {
			return mismatch("it has another operation_id")
		}
		if s.only != "" && o.Type != "" && !foldedEqual(o.Type, s.only) {
			return mismatch("the operation is a " + redact.Word(string(o.Type)) + ", not a " + string(s.only))
		}
	case s.creates == "":
	case o.Type != "" && !foldedEqual(o.Type, s.creates):
		return mismatch("its type is not the one that was to be created")
	case o.Environment != "" && !foldedEqual(o.Environment, environment):
		return mismatch("it belongs to another environment than the client's keys")
	case s.reference != "" && hasOtherText(o.Payload, s.field, s.reference):
		return mismatch("its payload has another " + s.field + " than what was sent")
	}
	return nil
}

// hasOtherText reports whether an object has a field with another text. One that is absent, or no text, is none.
func hasOtherText(object RawMessage, field, want string) bool {
	want = strings.TrimSpace(want)
	s := bodyScanner{body: object}
	if !s.take('{') {
		return false
	}
	for first := true; ; first = false {
		if s.take('}') {
			return false
		}
		if !first && !s.take(',') {
			break
		}
		key, plain := s.text()
		if !plain || !s.take(':') {
			break
		}
		if !strings.EqualFold(string(key), field) {
			if !s.skip() {
				break
			}
			continue
		}
		if told, plain := s.text(); plain {
			return string(bytes.TrimSpace(told)) != want
		}
		break
	}
	// Not plain ASCII, or no text: as encoding/json reads it.
	var fields map[string]text
	if unmarshal(object, &fields) != nil {
		return false
	}
	told := strings.TrimSpace(string(fields[field]))
	return told != "" && told != want
}

func (t *Transaction) about(s askedFor, _ Environment) error {
	switch {
	case s.lookup == "", isNamed(t.Reference, s.lookup), isNamed(t.ID, s.lookup):
		return nil
	case t.ID == "" && isInternalID(s.lookup):
		return nil // the current revision of the docs does not show the id that it was asked for
	}
	return mismatch("it has another reference")
}

// isInternalID reports whether an id is one of those that the API gives to what it stores: 24 hexadecimal digits.
func isInternalID(id string) bool {
	return len(id) == 24 && allOf(id, func(c byte) bool { return isDigit(c) || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F' })
}

// about reports a session that is another's. A session is created under the merchant's reference, and looked up by that or by
// the system's, of which the revisions of the docs show one or two; known are both, if the session was seen before.
func (p *Payin) about(r *request, known payinNames) error {
	if r.method == http.MethodPost {
		if p.Reference != r.reference {
			return mismatch("it has another reference than what was sent")
		}
		return nil
	}
	if known.contradictedBy(p) {
		return mismatch("it has another reference than the session has that was looked up")
	}
	if isNamed(p.Reference, r.reference) || isNamed(p.ID, r.reference) || isNamed(p.Reference, known.other(r.reference)) {
		return nil
	}
	// Where a session shows three names, the model keeps two.
	var names struct {
		Reference text `json:"reference"`
	}
	if unmarshal(p.Raw, &names) == nil && isNamed(string(names.Reference), r.reference) {
		return nil
	}
	prefix, _, systems := strings.Cut(r.reference, "_")
	if p.ID == "" && systems && (prefix == "tr" || prefix == "mtr" || prefix == "pr") {
		return nil // it does not show the system's reference that it was asked for
	}
	return mismatch("it has another reference")
}
