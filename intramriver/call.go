package intramriver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	intram "github.com/intram/intram-go"
)

// ReferenceKey is the key of the reference in the Metadata of a refund and the
// WebhookData of a payment request, which have no reference of their own in the API. By
// it a call that was left in doubt is found in the list of operations.
const ReferenceKey = "intram_reference"

// longestName bounds references and merchants: in characters of a reference, as the API
// does, and bytes of a merchant.
const longestName = 100

// call is one call of the API, as a record holds it.
type call struct {
	kind      Kind
	reference string
	amount    intram.Amount
	currency  intram.Currency
	params    json.Marshaler
	// shown is the receiver as errors show it: the number masked.
	shown   string
	prepare func(...intram.CallOption) (*intram.Intent, error)
	resume  func(context.Context, *intram.Intent, ...intram.CallOption) (*intram.Operation, error)
}

func (w *Work) payout(p intram.PayoutParams) *call {
	p.Reference = sameReference(p.Reference)
	c := &call{
		kind: Payout, reference: p.Reference, amount: p.Amount, currency: p.Currency, params: p,
		prepare: func(opts ...intram.CallOption) (*intram.Intent, error) { return w.client.Payouts.Prepare(p, opts...) },
		resume: func(ctx context.Context, i *intram.Intent, opts ...intram.CallOption) (*intram.Operation, error) {
			return w.client.Payouts.Resume(ctx, p, i, opts...)
		},
	}
	if p.Destination != nil {
		c.shown = fmt.Sprint(p.Destination)
	}
	return c
}

func (w *Work) refund(reference string, p intram.RefundParams) (*call, error) {
	reference = sameReference(reference)
	own, err := withReference("metadata", p.Metadata, reference)
	if err != nil {
		return nil, err
	}
	p.Metadata = own
	return &call{
		kind: Refund, reference: reference, amount: p.Amount, params: p,
		prepare: func(opts ...intram.CallOption) (*intram.Intent, error) { return w.client.Refunds.Prepare(p, opts...) },
		resume: func(ctx context.Context, i *intram.Intent, opts ...intram.CallOption) (*intram.Operation, error) {
			return w.client.Refunds.Resume(ctx, p, i, opts...)
		},
	}, nil
}

func (w *Work) paymentRequest(reference string, p intram.PaymentRequestParams) (*call, error) {
	reference = sameReference(reference)
	own, err := withReference("webhook_data", p.WebhookData, reference)
	if err != nil {
		return nil, err
	}
	p.WebhookData = own
	return &call{
		kind: PaymentRequest, reference: reference, amount: p.Invoice.Amount, currency: p.Invoice.Currency, params: p,
		prepare: func(opts ...intram.CallOption) (*intram.Intent, error) {
			return w.client.PaymentRequests.Prepare(p, opts...)
		},
		resume: func(ctx context.Context, i *intram.Intent, opts ...intram.CallOption) (*intram.Operation, error) {
			return w.client.PaymentRequests.Resume(ctx, p, i, opts...)
		},
	}, nil
}

// read makes the call of stored parameters.
func (w *Work) read(kind Kind, reference string, params []byte) (*call, error) {
	switch kind {
	case Payout:
		var p intram.PayoutParams
		if err := json.Unmarshal(params, &p); err != nil {
			return nil, err
		}
		return w.payout(p), nil
	case Refund:
		var p intram.RefundParams
		if err := json.Unmarshal(params, &p); err != nil {
			return nil, err
		}
		return w.refund(reference, p)
	case PaymentRequest:
		var p intram.PaymentRequestParams
		if err := json.Unmarshal(params, &p); err != nil {
			return nil, err
		}
		return w.paymentRequest(reference, p)
	}
	return nil, fmt.Errorf("intramriver: a record of the kind %q is of a later version", string(kind))
}

// withReference adds the reference to the caller's own data, without changing the
// caller's map.
func withReference(field string, own map[string]any, reference string) (map[string]any, error) {
	if said, ok := own[ReferenceKey]; ok && said != any(reference) {
		return nil, fmt.Errorf("intramriver: %s.%s is set to another value than the reference: leave it out", field, ReferenceKey)
	}
	own = maps.Clone(own)
	if own == nil {
		own = map[string]any{}
	}
	own[ReferenceKey] = reference
	return own, nil
}

// sameReference is a reference in the form in which references are stored, compared and
// sent: "é" is one character, however a program writes it.
func sameReference(reference string) string { return norm.NFC.String(reference) }

// checkReference refuses what cannot name a record.
func checkReference(reference string) error {
	switch {
	case reference == "":
		return errors.New("intramriver: reference is required: your own name of this one call, which is never reused")
	case utf8.RuneCountInString(reference) > longestName || !storable(reference):
		return fmt.Errorf("intramriver: reference must be at most %d characters of UTF-8, without control characters", longestName)
	case strings.TrimSpace(reference) != reference || strings.ContainsFunc(reference, invisible):
		return errors.New("intramriver: reference must not begin or end with white space, or have invisible characters: " +
			"two references that look the same would be paid twice")
	}
	return nil
}

// invisible reports whether a person does not see a character, or takes it for a space.
func invisible(r rune) bool { return !unicode.IsPrint(r) }

// storable reports whether PostgreSQL takes the text, and a person can read it.
func storable(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsFunc(text, unicode.IsControl)
}

// canonical is the call's parameters as JSON.
func (c *call) canonical() ([]byte, error) { return json.Marshal(c.params) }

// differences names the fields in which two calls differ, as the API names them.
func differences(a, b []byte) []string {
	fields := map[string]string{}
	other := map[string]string{}
	flatten("", a, fields)
	flatten("", b, other)
	var names []string
	for name, value := range fields {
		if other[name] != value {
			names = append(names, name)
		}
	}
	for name := range other {
		if _, both := fields[name]; !both {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// flatten lists the leaves of a JSON object. What the caller named itself, in metadata,
// is one leaf: its keys may say something of a person.
func flatten(path string, value []byte, into map[string]string) {
	var object map[string]json.RawMessage
	if ownData[path] || json.Unmarshal(value, &object) != nil {
		into[path] = string(value)
		return
	}
	for name, member := range object {
		if path != "" {
			name = path + "." + name
		}
		flatten(name, member, into)
	}
}

var ownData = map[string]bool{"metadata": true, "webhook_data": true, "extra": true}
