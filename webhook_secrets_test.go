package intram_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
)

// secretStore is a merchant's store of webhook secrets.
type secretStore struct {
	asked atomic.Int64

	mu  sync.Mutex
	get func(context.Context) ([]intram.WebhookSecret, error)
}

func (s *secretStore) secrets(ctx context.Context) ([]intram.WebhookSecret, error) {
	s.asked.Add(1)
	s.mu.Lock()
	get := s.get
	s.mu.Unlock()
	return get(ctx)
}

func (s *secretStore) becomes(get func(context.Context) ([]intram.WebhookSecret, error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.get = get
}

func (s *secretStore) holds(secrets ...string) {
	s.becomes(func(context.Context) ([]intram.WebhookSecret, error) {
		held := make([]intram.WebhookSecret, len(secrets))
		for i, secret := range secrets {
			held[i].Secret = secret
		}
		return held, nil
	})
}

// delivery is a signed event, as a request. Each has an id of its own.
func delivery(t *testing.T, secret, id string) *http.Request {
	t.Helper()
	body := fmt.Appendf(nil, `{"event":"payout.completed","operation_id":%q,"occurred_at":"2026-05-20T10:30:00.000Z","data":{"reference":"PO-1"}}`, id)
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/hook", strings.NewReader(string(body)))
	r.Header = intram.SignWebhook(secret, time.Now(), body)
	return r
}

// secretReceiver is a webhook handler of a store's secrets, and the events that took
// effect.
func secretReceiver(t *testing.T, verifier *intram.WebhookVerifier) (deliver func(secret, id string) *httptest.ResponseRecorder, effects func() int) {
	t.Helper()
	var n atomic.Int64
	handler := intram.NewWebhookHandler(verifier, new(intram.MemoryInbox), func(context.Context, *intram.Event) error { n.Add(1); return nil })
	return func(secret, id string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, delivery(t, secret, id))
		return w
	}, func() int { return int(n.Load()) }
}

func verifierOf(t *testing.T, store *secretStore) *intram.WebhookVerifier {
	t.Helper()
	verifier, err := intram.NewWebhookVerifierFunc(store.secrets)
	require.NoError(t, err)
	return verifier
}

func TestSecretsAreAskedForWhenASignatureFitsNone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := new(secretStore)
		store.holds("whsec_first")
		verifier := verifierOf(t, store)
		deliver, effects := secretReceiver(t, verifier)
		assert.Zero(t, store.asked.Load(), "not before a delivery")
		assert.Equal(t, http.StatusOK, deliver("whsec_first", "op_1").Code)
		assert.Equal(t, http.StatusOK, deliver("whsec_first", "op_2").Code)
		assert.EqualValues(t, 1, store.asked.Load())
		assert.Equal(t, "WebhookVerifier(1 secrets)", fmt.Sprintf("%+v", verifier))

		pass(10 * time.Second)
		store.holds("whsec_first", "whsec_second")
		assert.Equal(t, http.StatusOK, deliver("whsec_second", "op_3").Code, "the first delivery with the new secret")
		assert.Equal(t, http.StatusOK, deliver("whsec_first", "op_4").Code)
		assert.EqualValues(t, 2, store.asked.Load())
		assert.Equal(t, 4, effects())

		// One that was taken back is forgotten within five minutes.
		store.holds("whsec_second")
		assert.Equal(t, http.StatusOK, deliver("whsec_first", "op_5").Code)
		pass(5 * time.Minute)
		assert.Equal(t, http.StatusUnauthorized, deliver("whsec_first", "op_6").Code)
		assert.Equal(t, http.StatusOK, deliver("whsec_second", "op_6").Code)
	})
}

func TestForgedDeliveriesDoNotReachTheStore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := new(secretStore)
		store.becomes(func(context.Context) ([]intram.WebhookSecret, error) {
			pass(time.Second)
			return []intram.WebhookSecret{{Secret: "whsec_first"}}, nil
		})
		deliver, effects := secretReceiver(t, verifierOf(t, store))
		var all sync.WaitGroup
		for i := range 1000 { // over 30 seconds
			all.Go(func() {
				pass(time.Duration(i) * 30 * time.Millisecond)
				assert.Equal(t, http.StatusUnauthorized, deliver("whsec_forged", fmt.Sprintf("op_%d", i)).Code)
			})
		}
		all.Wait()
		assert.EqualValues(t, 3, store.asked.Load(), "once in ten seconds")
		r := delivery(t, "whsec_first", "op_1")
		r.Header.Set("X-Intram-Signature", "sha256=nonsense")
		pass(time.Minute)
		verifier := verifierOf(t, store)
		require.ErrorIs(t, verifier.Authenticate(r.Header, nil), intram.ErrInvalidSignature)
		assert.EqualValues(t, 3, store.asked.Load(), "what is no signature asks for nothing")
		assert.Zero(t, effects())
	})
}

func TestNoDeliveryIsRefusedForGoodWhileTheStoreIsDown(t *testing.T) {
	t.Parallel()
	const canary = "whsec_CANARY12345678"
	own := errors.New("vault: " + canary)
	for name, down := range map[string]func(context.Context) ([]intram.WebhookSecret, error){
		"an error":         func(context.Context) ([]intram.WebhookSecret, error) { return nil, own },
		"a panic":          func(context.Context) ([]intram.WebhookSecret, error) { panic(canary) },
		"it hangs":         func(ctx context.Context) ([]intram.WebhookSecret, error) { <-ctx.Done(); return nil, ctx.Err() },
		"it does not obey": func(context.Context) ([]intram.WebhookSecret, error) { pass(time.Hour); return nil, nil },
		"no secrets":       func(context.Context) ([]intram.WebhookSecret, error) { return nil, nil },
		"a damaged one": func(context.Context) ([]intram.WebhookSecret, error) {
			return []intram.WebhookSecret{{Secret: "whsec_good"}, {Secret: canary + " "}}, nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var lines strings.Builder
				store := new(secretStore)
				store.becomes(down)
				verifier := verifierOf(t, store)
				handler := intram.NewWebhookHandler(verifier, new(intram.MemoryInbox), func(context.Context, *intram.Event) error { return nil },
					intram.WithHandlerLogger(slog.New(slog.NewTextHandler(&lines, nil))))
				deliver := func(secret, id string) *httptest.ResponseRecorder {
					w := httptest.NewRecorder()
					handler.ServeHTTP(w, delivery(t, secret, id))
					return w
				}
				refused := func(when string) {
					t.Helper()
					w := deliver("whsec_first", "op_1")
					assert.Equal(t, http.StatusServiceUnavailable, w.Code, when)
					assert.Equal(t, "10", w.Header().Get("Retry-After"), when)
					assert.Equal(t, "not available\n", w.Body.String(), when)
				}
				begun := time.Now()
				refused("no secret is known")
				assert.LessOrEqual(t, time.Since(begun), 2*time.Second, "Intram waits 15 s")
				if time.Since(begun) == 0 {
					refused("at once again")
					assert.EqualValues(t, 1, store.asked.Load(), "it is not asked more than once a second")
				}
				r := delivery(t, "whsec_first", "op_1")
				err := verifier.Authenticate(r.Header, []byte("{}"))
				require.ErrorIs(t, err, intram.ErrSecretsUnavailable)
				assert.NotErrorIs(t, err, intram.ErrInvalidSignature)

				pass(time.Second)
				store.holds("whsec_first")
				assert.Equal(t, http.StatusOK, deliver("whsec_first", "op_1").Code, "the store is back")

				store.becomes(down)
				pass(time.Minute)
				assert.Equal(t, http.StatusOK, deliver("whsec_first", "op_2").Code, "what is known stays good")
				assert.Equal(t, http.StatusServiceUnavailable, deliver("whsec_second", "op_3").Code, "it may be a new secret's")
				pass(time.Hour)
				assert.Equal(t, http.StatusOK, deliver("whsec_first", "op_4").Code, "however long")
				store.holds("whsec_second")
				pass(time.Minute)
				assert.Equal(t, http.StatusOK, deliver("whsec_second", "op_3").Code, "the retry of what was refused")
				assert.Contains(t, lines.String(), "the secrets are not available")
				assert.NotContains(t, lines.String(), "CANARY")
				pass(2 * time.Hour) // for the function that does not obey
			})
		})
	}
	_, err := intram.NewWebhookVerifierFunc(nil)
	require.EqualError(t, err, "intram: NewWebhookVerifierFunc: the function is nil")
}

func TestASlowStoreRefusesNoEventForGood(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := new(secretStore)
		slow := func(secret string) {
			store.becomes(func(context.Context) ([]intram.WebhookSecret, error) {
				pass(3 * time.Second)
				return []intram.WebhookSecret{{Secret: secret}}, nil
			})
		}
		slow("whsec_first")
		deliver, _ := secretReceiver(t, verifierOf(t, store))
		assert.Equal(t, http.StatusServiceUnavailable, deliver("whsec_first", "op_1").Code)
		pass(4 * time.Second)
		assert.Equal(t, http.StatusOK, deliver("whsec_first", "op_1").Code, "Intram's next try")
		slow("whsec_second")
		pass(time.Minute)
		assert.Equal(t, http.StatusServiceUnavailable, deliver("whsec_second", "op_2").Code)
		pass(time.Minute)
		assert.Equal(t, http.StatusOK, deliver("whsec_second", "op_2").Code)
	})
}

func TestTheErrorOfTheFunctionIsBehindTheRefusal(t *testing.T) {
	t.Parallel()
	own := errors.New("sealed")
	store := new(secretStore)
	store.becomes(func(context.Context) ([]intram.WebhookSecret, error) { return nil, own })
	r := delivery(t, "whsec_first", "op_1")
	_, err := verifierOf(t, store).Verify(r.Header, []byte("{}"))
	require.ErrorIs(t, err, own)
	require.ErrorIs(t, err, intram.ErrSecretsUnavailable)
	assert.NotContains(t, err.Error(), "sealed")
}

func TestSuppliedSecretsHaveScopes(t *testing.T) {
	t.Parallel()
	body := []byte(`{"event":"payout.completed","operation_id":"op_1","occurred_at":"2026-05-20T10:30:00.000Z","data":{}}`)
	of := func(secrets ...intram.WebhookSecret) *intram.WebhookVerifier {
		verifier, err := intram.NewWebhookVerifierFunc(func(context.Context) ([]intram.WebhookSecret, error) { return secrets, nil })
		require.NoError(t, err)
		return verifier
	}
	fixed, err := intram.NewWebhookVerifier("whsec_fixed")
	require.NoError(t, err)
	down, err := intram.NewWebhookVerifierFunc(func(context.Context) ([]intram.WebhookSecret, error) { return nil, errors.New("down") })
	require.NoError(t, err)
	joined, err := intram.JoinVerifiers(fixed.WithInboxScope("fixed"),
		of(intram.WebhookSecret{Secret: "whsec_a", Scope: "a"}, intram.WebhookSecret{Secret: "whsec_b", Scope: "b"}, intram.WebhookSecret{Secret: "whsec_both", Scope: "b"}),
		of(intram.WebhookSecret{Secret: "whsec_c", Scope: "of the function"}, intram.WebhookSecret{Secret: "whsec_both"}).WithInboxScope("c"), down)
	require.NoError(t, err)
	for secret, scope := range map[string]string{"whsec_fixed": "fixed", "whsec_a": "a", "whsec_b": "b", "whsec_c": "c"} {
		event, err := joined.Verify(intram.SignWebhook(secret, time.Now(), body), body)
		require.NoError(t, err)
		assert.Equal(t, scope, event.Scope)
	}
	_, err = joined.Verify(intram.SignWebhook("whsec_both", time.Now(), body), body)
	require.ErrorIs(t, err, intram.ErrInvalidSignature, "no merchant can sign for another")
	assert.ErrorContains(t, err, "two scopes")
	_, err = joined.Verify(intram.SignWebhook("whsec_unknown", time.Now(), body), body)
	require.ErrorIs(t, err, intram.ErrSecretsUnavailable, "one of the functions fails")

	at := &frozenClock{now: time.Now().Add(-time.Hour)}
	_, err = joined.WithClock(at).Verify(intram.SignWebhook("whsec_a", at.now, body), body)
	require.NoError(t, err)
	_, err = joined.Verify(intram.SignWebhook("whsec_a", at.now, body), body)
	require.ErrorIs(t, err, intram.ErrStaleTimestamp)
}

// A function that was given up, and returns in the end, does not say how the store is
// now.
func TestALateAnswerDoesNotEndAnOutage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := new(secretStore)
		store.holds("whsec_first")
		deliver, _ := secretReceiver(t, verifierOf(t, store))
		assert.Equal(t, http.StatusOK, deliver("whsec_first", "op_1").Code)

		pass(time.Minute)
		store.becomes(func(context.Context) ([]intram.WebhookSecret, error) {
			pass(5 * time.Second) // longer than a delivery waits
			return []intram.WebhookSecret{{Secret: "whsec_first"}}, nil
		})
		assert.Equal(t, http.StatusServiceUnavailable, deliver("whsec_second", "op_2").Code)
		store.becomes(func(context.Context) ([]intram.WebhookSecret, error) { return nil, errors.New("sealed") })
		pass(2500 * time.Millisecond)
		assert.Equal(t, http.StatusServiceUnavailable, deliver("whsec_second", "op_2").Code)
		pass(600 * time.Millisecond) // the first one has returned
		assert.Equal(t, http.StatusServiceUnavailable, deliver("whsec_second", "op_2").Code, "the store is still away")
	})
}

// A clock that ran ahead, and was set right, keeps no new secret away until it is there
// again.
func TestAClockThatIsSetBackKeepsNoSecretAway(t *testing.T) {
	t.Parallel()
	clock, store := newHandClock(), new(secretStore)
	store.holds("whsec_first")
	verifier := verifierOf(t, store).WithClock(clock)
	verify := func(secret string) error {
		body := []byte(`{"event":"payout.completed","operation_id":"op_1","data":{}}`)
		_, err := verifier.Verify(intram.SignWebhook(secret, clock.Now(), body), body)
		return err
	}
	require.NoError(t, verify("whsec_first"))
	clock.Advance(-24 * time.Hour)
	store.holds("whsec_second")
	require.NoError(t, verify("whsec_second"))
	require.ErrorIs(t, verify("whsec_first"), intram.ErrInvalidSignature)
}

type frozenClock struct{ now time.Time }

func (c *frozenClock) Now() time.Time                             { return c.now }
func (c *frozenClock) Sleep(context.Context, time.Duration) error { return nil }

func TestAWebhookSecretPrintsNothing(t *testing.T) {
	t.Parallel()
	s := intram.WebhookSecret{Secret: "whsec_CANARY", Scope: "acme"}
	var b strings.Builder
	slog.New(slog.NewJSONHandler(&b, nil)).Info("x", slog.Any("s", s), slog.Any("all", []intram.WebhookSecret{s}))
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		fmt.Fprintf(&b, verb, s)
		fmt.Fprintf(&b, verb, []any{&s, []intram.WebhookSecret{s}})
	}
	data, err := json.Marshal([]any{s, &s})
	require.NoError(t, err)
	b.Write(data)
	assert.Contains(t, b.String(), "intram.WebhookSecret(acme)")
	assert.NotContains(t, b.String(), "CANARY")
	assert.NotContains(t, b.String(), fmt.Sprintf("%x", "CANARY"))
}
