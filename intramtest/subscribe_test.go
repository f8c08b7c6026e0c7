package intramtest_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/intram/intram-go"
	"github.com/intram/intram-go/intramtest"
)

// A receiver's address, secret and clock are known before its first delivery.
func TestSubscribeBindsTheVerifier(t *testing.T) {
	t.Parallel()
	server := newServer(t, intramtest.WithFrozenClock(time.Date(2027, 1, 1, 8, 0, 0, 0, time.UTC)))
	var paid []intram.EventType
	subscription := server.Subscribe("/intram/webhook", func(v *intram.WebhookVerifier) http.Handler {
		mux := http.NewServeMux()
		mux.Handle("POST /intram/webhook", intram.NewWebhookHandler(v, new(intram.MemoryInbox), func(_ context.Context, event *intram.Event) error {
			paid = append(paid, event.Type)
			return nil
		}))
		return mux
	})
	assert.NotEmpty(t, subscription.Secret)
	assert.True(t, strings.HasSuffix(subscription.URL, ".intram.test/intram/webhook"), subscription.URL)
	client := server.Client()
	listed, err := client.Webhooks.List(t.Context())
	require.NoError(t, err)
	require.Len(t, listed, 1)
	assert.Equal(t, subscription.ID, listed[0].ID)
	assert.True(t, subscription.CreatedAt.Equal(listed[0].CreatedAt))

	_, err = client.Payouts.Create(t.Context(), payoutOf(1000, "22961000000"))
	require.NoError(t, err)
	server.Advance(time.Minute)
	assert.Equal(t, []intram.EventType{intram.EventPayoutCompleted}, paid)
	for _, d := range server.Deliveries() {
		assert.Equal(t, intramtest.DeliveryDelivered, d.Status)
	}
}

// A path of a mux is appended to the URL of a receiver.
func TestReceiveDeliversToAPathOfAMux(t *testing.T) {
	t.Parallel()
	server := newServer(t)
	got := 0
	mux := http.NewServeMux()
	mux.HandleFunc("POST /intram/webhook", func(http.ResponseWriter, *http.Request) { got++ })
	client := server.Client()
	url := server.Receive(mux)
	assert.False(t, strings.HasSuffix(url, "/"))
	_, err := client.Webhooks.Create(t.Context(), intram.WebhookParams{URL: url + "/intram/webhook", Event: intram.EventAll})
	require.NoError(t, err)
	_, err = client.Payouts.Create(t.Context(), payoutOf(1000, "22961000000"))
	require.NoError(t, err)
	server.Advance(time.Minute)
	assert.Equal(t, 1, got)
}

// A test that waits for the effect of a delivery fails far from its cause: the refused
// deliveries are printed.
func TestAFailedTestPrintsTheDeliveriesThatWereRefused(t *testing.T) {
	t.Parallel()
	tb := &fakeTB{}
	server := intramtest.NewServer(tb)
	server.Subscribe("/hook", func(v *intram.WebhookVerifier) http.Handler {
		return intram.NewWebhookHandler(v, new(intram.MemoryInbox), func(context.Context, *intram.Event) error {
			return errors.New("no such order")
		})
	})
	server.Subscribe("/slow", func(*intram.WebhookVerifier) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, strings.Repeat("x", 5000)+"the end", http.StatusTeapot)
		})
	})
	server.Subscribe("/moved", func(*intram.WebhookVerifier) http.Handler {
		return http.RedirectHandler("/elsewhere", http.StatusFound)
	})
	server.Subscribe("/good", func(*intram.WebhookVerifier) http.Handler {
		return http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	})
	_, err := server.Client().Payouts.Create(t.Context(), payoutOf(1000, "22961000000"))
	require.NoError(t, err)
	server.Advance(time.Minute)
	tb.failed = true
	tb.end()
	said := strings.Join(tb.said, "\n")
	assert.Regexp(t, `payout\.completed to https://receiver-1\.intram\.test/hook, attempt 1: HTTP 5\d\d .+`, said)
	assert.Contains(t, said, "/slow, attempt 1: HTTP 418 xxx")
	assert.Contains(t, said, "/moved, attempt 1: HTTP 302", "a redirect is no delivery")
	assert.NotContains(t, said, "the end", "not all of it")
	assert.NotContains(t, said, "/good")
}

func TestSubscribeRefusesWhatCannotReceive(t *testing.T) {
	t.Parallel()
	for name, path := range map[string]string{"no slash": "hook", "empty": ""} {
		tb := &fakeTB{}
		server := intramtest.NewServer(tb)
		assert.Nil(t, server.Subscribe(path, func(*intram.WebhookVerifier) http.Handler { return http.NotFoundHandler() }), name)
		assert.Contains(t, strings.Join(tb.said, ""), "must begin with a slash")
		tb.end()
	}
	tb := &fakeTB{}
	server := intramtest.NewServer(tb)
	assert.Nil(t, server.Subscribe("/hook", func(*intram.WebhookVerifier) http.Handler { return nil }))
	assert.Contains(t, strings.Join(tb.said, ""), "the handler is nil")
	tb.end()
	program, err := intramtest.Start(intramtest.WithoutListener())
	require.NoError(t, err)
	defer program.Close()
	assert.Panics(t, func() { program.Subscribe("hook", func(*intram.WebhookVerifier) http.Handler { return nil }) })
}
