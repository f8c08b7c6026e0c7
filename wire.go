package intram

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/intram/intram-go/internal/strictjson"
)

// wire is the shape in which the API writes a T: a struct of its own, so that a whole answer is read in one pass, whatever the
// revision of the docs it follows.
type wire[T any] interface {
	// model is what was read, with the JSON that it was read from, which it keeps.
	model(raw RawMessage) T
}

// frame is an envelope around a W as it is read.
type frame[W any] struct {
	Failed verdictFlag `json:"error"`
	Code   text        `json:"code"`
	Status leniently   `json:"http_status"`
	Data   W           `json:"data"`
	Paging paging      `json:"paging"`
}

// contradicts reports an envelope around data that speaks of a failure: a proxy or a maintenance page changed the status.
func (f *frame[W]) contradicts() bool {
	return f.Failed == saysFailure || f.Code != "" || f.Status >= http.StatusMultipleChoices
}

// unmarshal is [json.Unmarshal] for responses. What is acted on (ids, statuses, amounts, cursors) has types of its own, whose
// errors end the reading. Everything else describes, and must not make a payment unreadable: encoding/json leaves a
// field of another kind as it is, reads on, and reports the first, which is passed over here.
func unmarshal(data []byte, v any) error {
	err := json.Unmarshal(data, v)
	if _, otherKind := err.(*json.UnmarshalTypeError); otherKind { //nolint:errorlint // wrapped, it is the error of a field that is acted on
		return nil
	}
	return err
}

// unmarshalObject is unmarshal of what must be an object itself. null leaves v as it is.
func unmarshalObject(data []byte, v any) error {
	if !isObject(data) && !isNull(data) {
		return errNoObject
	}
	return unmarshal(data, v)
}

var errNoObject = errors.New("it is not a JSON object")

func isObject(data []byte) bool { return firstByte(data) == '{' }

// firstByte is what a JSON value begins with.
func firstByte(data []byte) byte {
	for _, c := range data {
		if c != ' ' && c != '\t' && c != '\r' && c != '\n' {
			return c
		}
	}
	return 0
}

// withoutBOM is a document without the byte order mark that some servers and proxies put in front of it.
func withoutBOM(document []byte) []byte { return bytes.TrimPrefix(document, []byte("\ufeff")) }

// readFrame reads a 2xx answer that must have data, and tells where it stands in the body.
func readFrame[W any](body []byte) (*frame[W], strictjson.Parts, error) {
	f := new(frame[W])
	if err := unmarshalObject(body, f); err != nil {
		return nil, strictjson.Parts{}, fmt.Errorf("the answer is not the JSON that the docs describe: %w", err)
	}
	parts, err := strictjson.Split(body)
	switch {
	case err != nil:
		return nil, parts, fmt.Errorf("the answer can be read in two ways: %w", err)
	case f.contradicts():
		return nil, parts, errors.New("the answer says success and failure at once")
	case len(parts.Data) == 0 || isNull(parts.Data):
		return nil, parts, errors.New("the answer has no data")
	}
	return f, parts, nil
}

// readModel reads an answer with one T. What it keeps is the body itself, which nobody else has.
func readModel[T any, W wire[T]](body []byte) (*T, error) {
	f, parts, err := readFrame[W](body)
	if err != nil {
		return nil, err
	}
	if !isObject(parts.Data) {
		return nil, fmt.Errorf("the answer's data is not what the docs describe: %w", errNoObject)
	}
	value := f.Data.model(parts.Data)
	if err := complete(&value); err != nil {
		return nil, err
	}
	return &value, nil
}

// complete reports what a value lacks that makes it one.
func complete(value any) error {
	if a, ok := value.(answer); ok {
		return a.complete()
	}
	return nil
}

// readPage reads an answer with a list of T. Each item keeps a copy of its own part of the body: whoever keeps one item does
// not keep the page. An item that cannot be read is told beside the others.
func readPage[T any, W wire[T]](body []byte) (*Page[T], error) {
	f, parts, err := readFrame[[]W](body)
	if err != nil {
		return readPageOneByOne[T, W](body)
	}
	if len(parts.Items) != len(f.Data) {
		return nil, errNoList
	}
	if err := checkList(parts); err != nil {
		return nil, err
	}
	page := newPage[T](&f.Paging, f.Failed, parts)
	for i := range f.Data {
		page.take(i, parts, func(raw RawMessage) (T, error) { return f.Data[i].model(raw), nil })
	}
	return page, nil
}

// readPageOneByOne reads a page that has an item which cannot be read.
func readPageOneByOne[T any, W wire[T]](body []byte) (*Page[T], error) {
	f, parts, err := readFrame[part](body)
	if err != nil {
		return nil, err
	}
	if err := checkList(parts); err != nil {
		return nil, err
	}
	page := newPage[T](&f.Paging, f.Failed, parts)
	for i := range parts.Items {
		page.take(i, parts, func(raw RawMessage) (T, error) {
			var w W
			err := unmarshal(raw, &w)
			return w.model(raw), err
		})
	}
	return page, nil
}

var errNoList = errors.New("the answer's data is not the list that the docs describe")

// checkList reports what is no list, or may hide the list's cursor. An empty array is how some servers write an empty object.
func checkList(parts strictjson.Parts) error {
	switch p := parts.Paging; {
	case firstByte(parts.Data) != '[':
		return errNoList
	case len(p) == 0, isObject(p), isNull(p), string(p) == "[]":
		return nil
	}
	return errors.New("the answer's paging is not what the docs describe")
}

func newPage[T any](p *paging, failed verdictFlag, parts strictjson.Parts) *Page[T] {
	return &Page[T]{
		Items: make([]T, 0, len(parts.Items)), Limit: int(p.Limit), NextBefore: p.NextBefore.Time,
		confirmed: failed == saysSuccess,
	}
}

// take reads the item at i.
func (p *Page[T]) take(i int, parts strictjson.Parts, read func(RawMessage) (T, error)) {
	raw, err := keep(parts.Items[i]), parts.Refused[i]
	if err == nil && !isObject(raw) {
		err = errNoObject
	}
	if err == nil {
		var item T
		if item, err = read(raw); err == nil {
			p.Items = append(p.Items, item)
			if err = complete(&p.Items[len(p.Items)-1]); err == nil {
				return
			}
			p.Items = p.Items[:len(p.Items)-1]
		}
	}
	p.Unreadable = append(p.Unreadable, newItemError(i, parts.Items[i], err))
}

// newItemError reads what can be told of an item that cannot be read.
func newItemError(index int, raw []byte, err error) *ItemError {
	var w struct {
		OperationID text      `json:"operation_id"`
		Reference   text      `json:"reference"`
		ID          text      `json:"id"`
		Date        timestamp `json:"date"`
		CreatedAt   timestamp `json:"created_at"`
	}
	_ = unmarshal(raw, &w) // as far as it can be read
	return &ItemError{
		Index: index, ID: firstWord(string(w.OperationID), string(w.Reference), string(w.ID)),
		CreatedAt: firstTime(w.Date, w.CreatedAt), Raw: bytes.Clone(raw), Err: err,
	}
}

// readWire is UnmarshalJSON of a model. The data is the caller's: what is kept is a copy.
func readWire[T any, W wire[T]](data []byte, value *T) error {
	var w W
	if err := unmarshalObject(data, &w); err != nil {
		return err
	}
	*value = w.model(keep(data))
	return nil
}

// keep is a copy of JSON as it came. null is nothing.
func keep(data []byte) RawMessage {
	if isNull(data) {
		return nil
	}
	return bytes.Clone(data)
}

// part is a value inside a wire, where it stands in the document.
type part []byte

// UnmarshalJSON notes where the value stands. It is no copy: [part.of] makes it last.
func (p *part) UnmarshalJSON(data []byte) error {
	*p = data
	return nil
}

// of is the same piece of what the model keeps, instead of a second copy. null is nothing.
func (p part) of(raw RawMessage) RawMessage {
	if len(p) == 0 || isNull(p) {
		return nil
	}
	at := bytes.Index(raw, p)
	if at < 0 {
		return bytes.Clone(p)
	}
	return raw[at : at+len(p) : at+len(p)]
}

// doModel makes a call of the Merchant API that answers with one T. On error the value is nil and the error is an [*Error].
func doModel[T any, W wire[T]](ctx context.Context, c *Client, r request, opts []CallOption) (*T, error) {
	var value *T
	about, environment := r.asked, c.environment
	err := c.merchant.do(ctx, r, opts, func(body []byte) (err error) {
		if value, err = readModel[T, W](body); err != nil {
			return err
		}
		return checkSubject(value, about, environment)
	})
	if err != nil {
		return nil, err
	}
	return value, nil
}
