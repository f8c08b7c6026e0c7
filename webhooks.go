package intram

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/intram/intram-go/internal/redact"

	"github.com/intram/intram-go/internal/wire"
)

// WebhooksService manages where events are sent. To receive them, see
// [NewWebhookHandler].
//
//	s, err := client.Webhooks.Create(ctx, intram.WebhookParams{URL: url, Event: intram.EventAll})
//	…
//	store(s.Secret) // it is shown now, and never again
type WebhooksService struct{ client *Client }

// WebhookParams is a subscription to make.
type WebhookParams struct {
	// URL is where events are posted. It must be https; plain http is for loopback, with
	// a fake. Required.
	URL string
	// Event is one event type ("payout.completed"), a family of them ("payout.*"), or all
	// ("*"). Required.
	Event EventType
	// Extra has fields of the API that this version of the SDK does not know. They are
	// sent beside the others, at the top level, and checked like the Metadata of
	// [PayoutParams].
	Extra map[string]any `json:",omitzero"`
}

// shown returns what is printed: the event, and only the host of the URL, whose path may
// hold a token.
func (p WebhookParams) shown() string {
	return hidden("WebhookParams", redact.Word(string(p.Event)), hostOf(p.URL))
}

// WebhookSubscription is where events of a kind are sent. It prints, and is written as
// JSON, without its secret.
type WebhookSubscription struct {
	ID    string
	URL   string
	Event EventType
	// Secret signs the deliveries. The API shows it once, in the response to
	// [WebhooksService.Create]: store it then. It is empty in what [WebhooksService.List]
	// returns. Keep it out of the unexported fields of your own structs: fmt reads those
	// without asking a method.
	Secret string `json:"-" xml:"-" yaml:"-"`
	// SecretHint is its end, in the docs' earlier revision.
	SecretHint string
	CreatedAt  time.Time
}

// Create makes a subscription. Its secret is in the response and is not shown again:
// store it before anything else. Several subscriptions may share a URL, and each is
// delivered on its own.
//
// Endpoint: POST /webhooks. Errors: [*Error] with [CodeValidationError],
// [CodeIdempotencyConflict] and the authentication codes. Docs: Merchant API, Webhooks.
func (s *WebhooksService) Create(ctx context.Context, params WebhookParams, opts ...CallOption) (*WebhookSubscription, error) {
	r := request{method: http.MethodPost, template: "/webhooks", path: "/webhooks"}
	if r.invalid.required("url", params.URL, "where to post the events") {
		r.invalid.httpsURL("url", params.URL)
	}
	if r.invalid.required("event", string(params.Event), `an event type, a family such as "payout.*", or "*"`) {
		r.invalid.check(params.Event.isPattern(), "event",
			`event must be an event type such as "payout.completed", a family such as "payout.*", or "*"`)
	}
	r.params = struct {
		URL   string    `json:"url"`
		Event EventType `json:"event"`
	}{params.URL, params.Event}
	r = r.with(params.Extra)
	return doModel[WebhookSubscription, subscriptionWire](ctx, s.client, r, opts)
}

// List reads the subscriptions, without their secrets.
//
// Endpoint: GET /webhooks. Errors: [*Error] with the authentication codes. Docs: Merchant
// API, Webhooks.
func (s *WebhooksService) List(ctx context.Context, opts ...CallOption) ([]WebhookSubscription, error) {
	return doList[WebhookSubscription, subscriptionWire](ctx, s.client, request{method: http.MethodGet, template: "/webhooks", path: "/webhooks"}, opts)
}

// Delete ends a subscription. Deliveries under way are not cancelled.
//
// Endpoint: DELETE /webhooks/{subscription_id}. Errors: [*Error], with status 404 for an
// unknown id. A deletion that was not without a response may have been done; deleting
// again is safe. Docs: Merchant API, Webhooks.
func (s *WebhooksService) Delete(ctx context.Context, subscriptionID string, opts ...CallOption) error {
	r := request{
		method: http.MethodDelete, template: "/webhooks/{subscription_id}",
		path: "/webhooks/" + url.PathEscape(subscriptionID),
	}
	r.invalid.pathID("subscription_id", subscriptionID)
	_, err := doVerdict(ctx, s.client, r, opts)
	return err
}

// SendTest has a test.ping delivered to a subscription.
//
// Endpoint: POST /webhooks/{subscription_id}/test. Errors: [*Error], with status 404 for
// an unknown id. Docs: Merchant API, Webhooks.
func (s *WebhooksService) SendTest(ctx context.Context, subscriptionID string, opts ...CallOption) error {
	r := request{
		method: http.MethodPost, template: "/webhooks/{subscription_id}/test",
		path: "/webhooks/" + url.PathEscape(subscriptionID) + "/test", params: struct{}{},
	}
	r.invalid.pathID("subscription_id", subscriptionID)
	_, err := doVerdict(ctx, s.client, r, opts)
	return err
}

// complete implements whole.
func (w *WebhookSubscription) complete() error {
	switch {
	case w.ID == "":
		return errors.New("the response has no subscription_id")
	case !usableID(w.ID):
		return errors.New("the response's subscription_id cannot be one")
	}
	return nil
}

// subscriptionWire is a subscription as both revisions of the docs write it.
type subscriptionWire struct {
	SubscriptionID wire.ID   `json:"subscription_id"`
	ID             wire.ID   `json:"id"`
	URL            wire.Text `json:"url"`
	Event          wire.Text `json:"event"`
	Secret         wire.ID   `json:"secret"`
	SecretHint     wire.Text `json:"secret_hint"`
	Date           wire.Time `json:"date"`
	CreatedAt      wire.Time `json:"created_at"`
}

// model implements shape.
func (w subscriptionWire) model(RawMessage) WebhookSubscription {
	return WebhookSubscription{
		ID: string(cmp.Or(w.SubscriptionID, w.ID)), URL: string(w.URL), Event: EventType(w.Event),
		Secret: string(w.Secret), SecretHint: string(w.SecretHint),
		CreatedAt: cmp.Or(w.Date, w.CreatedAt).Time,
	}
}

// UnmarshalJSON reads both revisions of the docs.
func (w *WebhookSubscription) UnmarshalJSON(data []byte) error {
	return readValue[WebhookSubscription, subscriptionWire](data, w)
}

// MarshalJSON writes the subscription without its secret.
func (w WebhookSubscription) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		ID         string    `json:"subscription_id"`
		URL        string    `json:"url"`
		Event      EventType `json:"event"`
		SecretHint string    `json:"secret_hint,omitempty"`
		CreatedAt  time.Time `json:"date"`
	}{w.ID, w.URL, w.Event, w.SecretHint, w.CreatedAt})
}

// shown returns what is printed: everything but the secret, and only the host of the URL,
// whose path may hold a token.
func (w WebhookSubscription) shown() string {
	return hidden("WebhookSubscription", scrubID(w.ID), redact.Word(string(w.Event)), hostOf(w.URL))
}

// hostOf is the host of a URL, all of it that may be shown.
func hostOf(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	return u.Host
}
