package intram

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

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
	Failed bool   `json:"error"`
	Data   W      `json:"data"`
	Paging paging `json:"paging"`
}

// readFrame reads a 2xx answer that must have data, and tells where it stands in the body.
func readFrame[W any](body []byte) (*frame[W], strictjson.Parts, error) {
	f := new(frame[W])
	if err := json.Unmarshal(body, f); err != nil {
		return nil, strictjson.Parts{}, fmt.Errorf("the answer is not the JSON that the docs describe: %w", err)
	}
	parts, err := strictjson.Split(body)
	switch {
	case err != nil:
		return nil, parts, fmt.Errorf("the answer can be read in two ways: %w", err)
	case f.Failed:
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
	value := f.Data.model(parts.Data)
	if a, ok := any(&value).(answer); ok {
		if err := a.complete(); err != nil {
			return nil, err
		}
	}
	return &value, nil
}

// readPage reads an answer with a list of T. Each item keeps a copy of its own part of the body: whoever keeps one item does
// not keep the page.
func readPage[T any, W wire[T]](body []byte) (*Page[T], error) {
	f, parts, err := readFrame[[]W](body)
	if err != nil {
		return nil, err
	}
	if len(parts.Items) != len(f.Data) {
		return nil, errors.New("the answer's data is not the list that the docs describe")
	}
	page := &Page[T]{Items: make([]T, len(f.Data)), Limit: f.Paging.Limit, NextBefore: f.Paging.NextBefore.Time}
	for i := range f.Data {
		page.Items[i] = f.Data[i].model(keep(parts.Items[i]))
	}
	return page, nil
}

// readWire is UnmarshalJSON of a model. The data is the caller's: what is kept is a copy.
func readWire[T any, W wire[T]](data []byte, value *T) error {
	var w W
	if err := json.Unmarshal(data, &w); err != nil {
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
	err := c.merchant.do(ctx, r, opts, func(body []byte) (err error) {
		value, err = readModel[T, W](body)
		return err
	})
	if err != nil {
		return nil, err
	}
	return value, nil
}
