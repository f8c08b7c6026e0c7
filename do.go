package intram

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
)

// Do makes a call of the Merchant API that the SDK has no method for yet, and returns the body of its response. The call is signed, retried
// and bounded like any other. What is not GET or DELETE carries an idempotency key, generated unless
// [WithIdempotencyKey] gives one, and its error says whether it may have been executed.
//
//	body, err := client.Do(ctx, http.MethodPost, "/payouts/op_1/cancel", map[string]any{"reason": "typed twice"})
//
// The path is below the base URL and begins with a slash: "/payouts", without /v1 or /api/v1/merchant. Its segments are letters, digits
// and -_.~: and nothing else, so that what is signed is what is sent. Errors show a segment with digits, such as an id, as {id}.
//
// params of GET and DELETE are [url.Values], which become the query, or nil; of other methods, whatever encoding/json writes as
// an object, or nil for an empty one. They are marshalled once, and marshalled the same way again they are the same call: use
// a struct or a map, and no value that changes by itself.
//
// A response must say error: false, as all of the API's do; what is in it beyond that is the caller's to read, the paging
// of lists included.
//
// A call that moves money is prepared with [Client.PrepareDo], and saved, before it is made with [WithIntent].
//
// Endpoint: any. Errors: [*Error], with [CodeValidationError] before anything is sent. Docs: Merchant API, Authentication.
func (c *Client) Do(ctx context.Context, method, path string, params any, opts ...CallOption) (RawMessage, error) {
	r := rawRequest(method, path, params)
	var raw RawMessage
	err := c.merchant.do(ctx, r, opts, func(body []byte) error {
		raw = body
		_, err := decodeEnvelope[json.RawMessage](body)
		return err
	})
	if err != nil {
		return nil, err
	}
	return raw, nil
}

// PrepareDo checks a call of [Client.Do] that is neither GET nor DELETE, and returns its [Intent], to be saved before the call is made
// with [WithIntent]. It sends nothing. There is no Resume for such a call: past [IntentHorizon], what became of it is for the
// caller to find out.
//
// Errors: [*Error] with [CodeValidationError]. Docs: Merchant API, Idempotency.
func (c *Client) PrepareDo(method, path string, params any, opts ...CallOption) (*Intent, error) {
	r := rawRequest(method, path, params)
	r.invalid.check(method != http.MethodGet && method != http.MethodDelete, "method", "method must be POST, PUT or PATCH: reads and deletions take no intent")
	return c.merchant.intend(r, opts)
}

func rawRequest(method, path string, params any) request {
	r := request{method: method, path: path, template: shapeOf(path)}
	v := &r.invalid
	v.path("path", path)
	switch method {
	case http.MethodGet, http.MethodDelete:
		switch values := params.(type) {
		case nil:
		case url.Values:
			r.query = rawQuery(v, values)
		default:
			v.fail("params", "params of GET and DELETE must be url.Values or nil: they become the query")
		}
	case http.MethodPost, http.MethodPut, http.MethodPatch:
		if params == nil {
			params = struct{}{}
		}
		body, err := json.Marshal(params)
		switch {
		case err != nil:
			v.fail("params", "params cannot be written as JSON")
		case firstByte(body) != '{':
			v.fail("params", "params must be an object: a struct or a map")
		case altersText(body):
			v.fail("params", "params has text that is not valid UTF-8")
		}
		r.params = json.RawMessage(body)
	default:
		r.method = "" // an error is one line
		v.fail("method", "method must be GET, POST, PUT, PATCH or DELETE")
	}
	return r
}

// path checks a path that a caller gives whole.
func (v *validation) path(name, path string) {
	for segment := range strings.SplitSeq(strings.TrimPrefix(path, "/"), "/") {
		if segment == "" || segment == "." || segment == ".." || !needsNoEncoding(segment) {
			v.fail(name, "%s must be segments of letters, digits and -_.~: after a slash each, such as /payouts", name)
			return
		}
	}
	v.check(strings.HasPrefix(path, "/"), name, name+" must begin with a slash, such as /payouts")
	for _, base := range []string{"/v1", signedPathPrefix} {
		below := strings.HasPrefix(path+"/", base+"/")
		v.check(!below, name, name+" must be below the base URL, such as /payouts: leave out "+base)
	}
}

// shapeOf is a path as errors show it: without ids, which may be a customer's.
func shapeOf(path string) string {
	segments := strings.Split(path, "/")
	for i, segment := range segments {
		if strings.ContainsAny(segment, "0123456789@") || len(segment) > 32 || !needsNoEncoding(segment) {
			segments[i] = "{id}"
		}
	}
	return strings.Join(segments, "/")
}

// rawQuery is a query of a caller's own, sorted, with one value a key.
func rawQuery(v *validation, values url.Values) string {
	params := make([]queryParam, 0, len(values))
	for _, key := range slices.Sorted(maps.Keys(values)) {
		switch {
		case len(values[key]) != 1:
			v.fail("params", "params must have one value a key")
		case key == "" || !needsNoEncoding(key) || !needsNoEncoding(values[key][0]):
			v.fail("params", "params must be letters, digits and -_.~: only, so that what is signed is what is sent")
		default:
			params = append(params, queryParam{key, values[key][0]})
		}
	}
	return sortedQuery(params...)
}

// extended is a body with fields of the caller's own behind those that the SDK knows.
type extended struct {
	body  any
	extra map[string]any
}

// MarshalJSON writes both as one object.
func (e extended) MarshalJSON() ([]byte, error) {
	known, err := json.Marshal(e.body)
	if err != nil {
		return nil, err
	}
	extra, err := json.Marshal(e.extra)
	if err != nil {
		return nil, err
	}
	return slices.Concat(bytes.TrimSuffix(known, []byte("}")), []byte(","), extra[1:]), nil
}

// with adds fields that the SDK does not know to the request's body. A field that it knows is set by its own name. By value: a request
// without any stays on the stack.
func (r request) with(extra map[string]any) request {
	if len(extra) == 0 {
		return r
	}
	return r.extend(extra)
}

func (r request) extend(extra map[string]any) request {
	own, _ := r.invalid.own("extra", extra)
	if len(own) == 0 {
		return r
	}
	for key := range own {
		r.invalid.check(key != "" && needsNoEncoding(key), "extra", "extra must have names of letters, digits and -_.~: only")
	}
	for field := range reflect.TypeOf(r.params).Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		for key := range own {
			if strings.EqualFold(key, name) {
				r.invalid.fail("extra", "extra must not have %s: set the field of the parameters", name)
			}
		}
	}
	r.params, r.legacy = extended{r.params, own}, nil // 0.1.0 had no such fields
	return r
}
