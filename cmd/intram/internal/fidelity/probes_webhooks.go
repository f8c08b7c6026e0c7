package fidelity

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
)

var webhookProbes = []Probe{
	{Line: Line{sectionWebhooks, "`POST /webhooks`, `GET /webhooks`, `DELETE /webhooks/:subscription_id`, `POST /webhooks/:subscription_id/test`; the secret is shown once; `test.ping`"}, play: func(ctx context.Context, s *Session) (Observation, error) {
		seen := Observation{}
		err := s.subscribed(ctx, "payout.completed", func(created *response, id string) error {
			seen["POST /webhooks"], seen["POST /webhooks: data"] = created.outcome(), shape(dig(created.body, "data"))
			list, err := s.get(ctx, "/webhooks")
			if err != nil {
				return err
			}
			seen["GET /webhooks"], seen["GET /webhooks: data"] = list.outcome(), kind(dig(list.body, "data"))
			seen["GET /webhooks: a subscription"] = "not listed"
			for _, item := range items(dig(list.body, "data")) {
				if subscriptionID(item) == id {
					seen["GET /webhooks: a subscription"] = shape(item)
				}
			}
			ping, err := s.send(ctx, request{method: http.MethodPost, target: "/webhooks/" + url.PathEscape(id) + "/test", body: "{}"})
			if err != nil {
				return err
			}
			seen["POST /webhooks/:subscription_id/test"] = ping.outcome()
			deleted, err := s.send(ctx, deletion(id))
			if err != nil {
				return err
			}
			again, err := s.send(ctx, deletion(id))
			if err != nil {
				return err
			}
			seen["DELETE"], seen["DELETE, again"] = deleted.outcome(), again.outcome()
			return nil
		})
		if outcome, refused := refusedAs(err); refused {
			return Observation{"POST /webhooks": outcome}, nil
		}
		return seen, err
	}},
	{Line: Line{sectionWebhooks, "https only, and in the fake http on loopback, unless told otherwise"}, play: func(ctx context.Context, s *Session) (Observation, error) {
		seen := Observation{}
		for _, address := range []struct{ fact, url string }{
			{"http", "http://intram-fidelity.invalid/webhooks"}, {"another scheme", "ftp://intram-fidelity.invalid/webhooks"}, {"no URL", "intram-fidelity"},
		} {
			r, err := s.post(ctx, "/webhooks", fmt.Sprintf(`{"url":%q,"event":"payout.completed"}`, address.url))
			if err != nil {
				return nil, err
			}
			seen[address.fact] = r.refused()
			if err := s.unsubscribe(ctx, r); err != nil {
				return nil, err
			}
		}
		return seen, nil
	}},
	{Line: Line{sectionWebhooks, "Exact events, families, * and all"}, play: func(ctx context.Context, s *Session) (Observation, error) {
		seen := Observation{}
		for _, event := range []string{"payout.completed", "payout.*", "*", "all", "no such event"} {
			r, err := s.post(ctx, "/webhooks", fmt.Sprintf(`{"url":%q,"event":%q}`, s.config.WebhookURL, event))
			if err != nil {
				return nil, err
			}
			seen[event] = r.refused()
			if err := s.unsubscribe(ctx, r); err != nil {
				return nil, err
			}
		}
		return seen, nil
	}},
}

// subscribed makes a subscription for the time of a function.
func (s *Session) subscribed(ctx context.Context, event string, during func(created *response, id string) error) error {
	created, err := s.post(ctx, "/webhooks", fmt.Sprintf(`{"url":%q,"event":%q}`, s.config.WebhookURL, event))
	if err != nil {
		return err
	}
	id := createdSubscription(created)
	if id == "" {
		return &refusedError{"/webhooks", created.refused()}
	}
	err = during(created, id)
	return errors.Join(err, s.unsubscribe(ctx, created))
}

// createdSubscription returns the id in the response to a creation, "" if it was refused.
func createdSubscription(r *response) string {
	if r.status >= http.StatusBadRequest {
		return ""
	}
	return subscriptionID(dig(r.body, "data"))
}

// subscriptionID returns the id of a subscription as a creation and the list show it.
func subscriptionID(subscription json.RawMessage) string {
	return cmp.Or(text(dig(subscription, "subscription_id")), text(dig(subscription, "id")))
}

// deletion is the call that deletes a subscription.
func deletion(id string) request {
	return request{method: http.MethodDelete, target: "/webhooks/" + url.PathEscape(id)}
}

// unsubscribe deletes a subscription that a response has made, if it has, also when the
// run is interrupted meanwhile. One that is gone already is what was wanted.
func (s *Session) unsubscribe(ctx context.Context, created *response) error {
	id := createdSubscription(created)
	if id == "" {
		return nil
	}
	_, err := s.send(context.WithoutCancel(ctx), deletion(id))
	return err
}

// removeSubscriptions deletes what is left of the run's subscriptions: of a creation
// whose response was lost, of a deletion that failed. It reports whether one may still be
// there.
func (s *Session) removeSubscriptions(ctx context.Context) (left bool) {
	const attempts = 3
	ctx = context.WithoutCancel(ctx)
	for range attempts {
		list, err := s.get(ctx, "/webhooks")
		if left = err != nil || list.status != http.StatusOK; left {
			continue
		}
		for _, item := range items(dig(list.body, "data")) {
			if address := text(dig(item, "url")); address != s.config.WebhookURL && address != NowhereURL {
				continue
			}
			r, err := s.send(ctx, deletion(subscriptionID(item)))
			left = left || err != nil || r.status >= http.StatusBadRequest && r.status != http.StatusNotFound
		}
		if !left {
			return false
		}
	}
	return left
}
