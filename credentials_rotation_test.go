package intram_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/intramtest"
)

func TestAWaitOutlivesTheKeys(t *testing.T) {
	t.Parallel()
	server := intramtest.NewServer(t, intramtest.WithoutListener())
	v := &vault{get: server.CredentialsOf(server.PublicKey)}
	var opID string
	var rotated sync.Once
	client := server.Client(intram.WithCredentials(v.credentials), intram.WithHTTPClient(&http.Client{
		// In the first lookup, not in WithProgress: the server's clock leaps between
		// lookups.
		Transport: roundTripFunc(func(req *http.Request) (*http.Response, error) {
			resp, err := server.Transport().RoundTrip(req)
			if req.Method == http.MethodGet {
				rotated.Do(func() {
					rotate(t, server, false)
					assert.NoError(t, server.Complete(opID))
				})
			}
			return resp, err
		}),
	}))
	require.NoError(t, server.SetWorker(intramtest.ByHand()))
	op, err := client.Payouts.Create(t.Context(), numberedPayout(1))
	require.NoError(t, err)
	opID = op.ID
	result, err := client.Payouts.Wait(t.Context(), op.ID)
	require.NoError(t, err)
	assert.Equal(t, numberedPayout(1).Reference, result.Reference)
	assert.EqualValues(t, 2, v.asked.Load())
}

func TestABudgetOutlivesTheKeys(t *testing.T) {
	t.Parallel()
	current, down := publicKey, true
	v := &vault{get: func(context.Context) (intram.Credentials, error) {
		return intram.Credentials{Account: "acme", PublicKey: current, SecretKey: secretKey}, nil
	}}
	client, err := intram.NewClient("", "", intram.WithJitter(0), intram.WithCredentials(v.credentials), intram.WithHTTPClient(&http.Client{
		Transport: roundTripFunc(func(req *http.Request) (*http.Response, error) {
			switch {
			case req.Header.Get("X-Api-Key") != current:
				return answer(401, `{"error":true,"code":"invalid_api_key","message":"no"}`)(req)
			case down:
				return answer(503, "{}")(req)
			}
			return answer(200, `{"error":false,"data":{"operation_id":"op_1","status":"queued"}}`)(req)
		}),
	}))
	require.NoError(t, err)
	get := func() (attempts int) {
		var resp intram.Response
		_, err := client.Operations.Get(t.Context(), "op_1", intram.WithResponseInto(&resp))
		require.Equal(t, down, err != nil)
		return resp.Attempts
	}
	for range 300 {
		get()
	}
	require.Equal(t, 1, get(), "the budget is spent")
	current += "2"
	assert.Equal(t, 2, get(), "refused, and sent again with the new keys though the budget is spent; not tried again after that")
	assert.Equal(t, 1, get())
	down = false
	current += "3"
	for range 50 {
		assert.LessOrEqual(t, get(), 2)
	}
	down = true
	assert.Greater(t, get(), 1, "successes fill it up again")
}

func TestConnectionsOutliveTheKeys(t *testing.T) {
	t.Parallel()
	server := intramtest.NewServer(t)
	var dials atomic.Int64
	network := &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		dials.Add(1)
		return new(net.Dialer).DialContext(ctx, network, address)
	}}
	t.Cleanup(network.CloseIdleConnections)
	client := server.Client(intram.WithCredentials(server.CredentialsOf(server.PublicKey)), intram.WithHTTPClient(&http.Client{Transport: network}))
	for i := range 6 {
		_, err := client.Balance.Get(t.Context())
		require.NoError(t, err)
		rotate(t, server, i%2 == 0)
	}
	assert.EqualValues(t, 1, dials.Load())
}

// How the server reads queries was learned under the first keys.
func TestTheReadingOfQueriesOutlivesTheKeys(t *testing.T) {
	t.Parallel()
	secret := secretKey
	v := &vault{get: func(context.Context) (intram.Credentials, error) {
		return intram.Credentials{Account: "acme", PublicKey: publicKey, SecretKey: secret}, nil
	}}
	requests := 0
	client, err := intram.NewClient("", "", intram.WithMaxAttempts(1), intram.WithCredentials(v.credentials), intram.WithHTTPClient(&http.Client{
		Transport: roundTripFunc(func(req *http.Request) (*http.Response, error) {
			requests++
			mac := hmac.New(sha256.New, []byte(secret))
			mac.Write([]byte(strings.Join([]string{req.Header.Get("X-Timestamp"), "GET", "/api/v1/merchant/operations", "before=2026-05-20T10%3A30%3A00.000Z", ""}, "\n")))
			if req.Header.Get("X-Signature") != "sha256="+hex.EncodeToString(mac.Sum(nil)) {
				return answer(401, `{"error":true,"code":"signature_invalid","message":"Signature verification failed: signature_mismatch"}`)(req)
			}
			return answer(200, `{"error":false,"data":[]}`)(req)
		}),
	}))
	require.NoError(t, err)
	list := func(want int) {
		t.Helper()
		requests = 0
		_, err := client.Operations.List(t.Context(), intram.OperationListParams{Before: at1030})
		require.NoError(t, err)
		assert.Equal(t, want, requests)
	}
	list(2) // the keys are right, so it is the reading
	assert.EqualValues(t, 2, v.asked.Load())
	list(1)
	secret += "2"
	list(2)
	assert.EqualValues(t, 3, v.asked.Load())
	list(1)
}

// books is what a receiver of events has seen.
type books struct {
	mu      sync.Mutex
	effects map[string]int
}

func (b *books) enter(_ context.Context, event *intram.Event) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.effects[string(event.Type)+" "+event.OperationID]++
	return nil
}

// Keys and secrets change five times, under payouts, waits and deliveries. Calls are on
// the way for up to two seconds each way, so that some are signed before a rotation and
// arrive after it; none lasts as long as the time between two.
func TestRotationUnderLoad(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const (
			payouts   = 240
			rotations = 5
			between   = 12 * time.Second
		)
		server := intramtest.NewServer(t, intramtest.WithoutListener(), intramtest.WithRunningClock(), intramtest.WithWorker(intramtest.After(3*time.Second)))
		v := &vault{}
		v.becomes(func(ctx context.Context) (intram.Credentials, error) {
			c, err := server.CredentialsOf(server.PublicKey)(ctx)
			pass(200 * time.Millisecond)
			return c, err
		})
		var refused atomic.Int64
		client := server.Client(intram.WithCredentials(v.credentials), intram.WithJitter(0), intram.WithHTTPClient(&http.Client{
			Transport: roundTripFunc(func(req *http.Request) (*http.Response, error) {
				delay := time.Duration(req.Header.Get("X-Signature")[10]) * 16 * time.Millisecond // as good as random, up to 1.7 s
				pass(delay)
				resp, err := server.Transport().RoundTrip(req)
				if err == nil && resp.StatusCode == http.StatusUnauthorized {
					refused.Add(1)
				}
				pass(delay)
				return resp, err
			}),
		}))

		store, held := new(secretStore), []string{}
		verifier, err := intram.NewWebhookVerifierFunc(store.secrets)
		require.NoError(t, err)
		seen := &books{effects: map[string]int{}}
		var answers sync.Map // how many responses of each status
		handler := intram.NewWebhookHandler(verifier.WithClock(server.Clock()), new(intram.MemoryInbox), seen.enter)
		address := server.Receive(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			recorder := &statusRecorder{ResponseWriter: w}
			handler.ServeHTTP(recorder, r)
			n, _ := answers.LoadOrStore(recorder.status, new(atomic.Int64))
			n.(*atomic.Int64).Add(1)
		}))
		sub, err := client.Webhooks.Create(t.Context(), intram.WebhookParams{URL: address, Event: "payout.*"})
		require.NoError(t, err)
		held = append(held, sub.Secret)
		store.holds(held...)

		ids := make([]string, payouts)
		var all sync.WaitGroup
		for i := range payouts {
			all.Go(func() {
				pass(time.Duration(i) * (rotations + 1) * between / payouts)
				op, err := client.Payouts.Create(t.Context(), numberedPayout(i))
				if !assert.NoError(t, err) {
					return
				}
				ids[i] = op.ID
				result, err := client.Payouts.Wait(t.Context(), op.ID)
				if assert.NoError(t, err) {
					assert.Equal(t, numberedPayout(i).Reference, result.Reference)
				}
			})
		}
		all.Go(func() {
			for n := range rotations {
				pass(between)
				overlap := time.Duration(n%3) * time.Second
				if n%2 == 0 {
					_, _, err := server.RotateKeys(server.PublicKey, overlap)
					assert.NoError(t, err)
				} else {
					_, err := server.RotateSecretKey(server.PublicKey, overlap)
					assert.NoError(t, err)
				}
				secret, err := server.RotateWebhookSecret(sub.ID)
				assert.NoError(t, err)
				held = append(held, secret)
				if n == 2 { // the store is away for a while
					store.becomes(func(context.Context) ([]intram.WebhookSecret, error) { return nil, context.DeadlineExceeded })
					pass(between / 2)
				}
				store.holds(slices.Clone(held)...) // the old ones stay good: deliveries are retried
			}
		})
		all.Wait()
		pass(3 * time.Hour) // until the last retry of each delivery
		require.NoError(t, server.Idle(t.Context()))

		assert.EqualValues(t, 1+rotations, v.asked.Load(), "each rotation was asked for once")
		assert.GreaterOrEqual(t, refused.Load(), int64(2*rotations), "calls were on the way at each rotation")
		slices.Sort(ids)
		assert.Len(t, slices.Compact(ids), payouts)
		assert.Equal(t, payouts, operationsOf(t, server))
		assert.Equal(t, int64(1_000_000-payouts*100), server.Ledger().Balance(server.WalletAccount(intram.Sandbox, intram.MTNBenin)), "each is paid once")
		assert.Zero(t, server.Ledger().Sum())
		assert.Len(t, seen.effects, payouts)
		for event, n := range seen.effects {
			assert.Equal(t, 1, n, event)
		}
		count := func(status int) int64 {
			n, _ := answers.LoadOrStore(status, new(atomic.Int64))
			return n.(*atomic.Int64).Load()
		}
		assert.EqualValues(t, payouts, count(http.StatusOK))
		assert.Positive(t, count(http.StatusServiceUnavailable), "while the store was away")
		t.Logf("%d calls refused for their keys, the store of keys asked %d times, of secrets %d times; deliveries: %d good, %d to come again, %d refused",
			refused.Load(), v.asked.Load(), store.asked.Load(), count(200), count(503), count(401))
	})
}

type statusRecorder struct {
	http.ResponseWriter
	status int
}

func (r *statusRecorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}
