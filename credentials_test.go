package intram_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
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

// vault is a merchant's secret store: what it returns, and how often it was asked.
type vault struct {
	asked atomic.Int64

	mu  sync.Mutex
	get func(context.Context) (intram.Credentials, error)
}

func (v *vault) credentials(ctx context.Context) (intram.Credentials, error) {
	v.asked.Add(1)
	v.mu.Lock()
	get := v.get
	v.mu.Unlock()
	return get(ctx)
}

func (v *vault) becomes(get func(context.Context) (intram.Credentials, error)) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.get = get
}

// fakeWithVault is a server in this process, a client of it whose keys change, and the
// store that they come from.
func fakeWithVault(t *testing.T, opts ...intram.ClientOption) (*intramtest.Server, *intram.Client, *vault) {
	t.Helper()
	server := intramtest.NewServer(t, intramtest.WithoutListener())
	v := &vault{get: server.CredentialsOf(server.PublicKey)}
	return server, server.Client(append(opts, intram.WithCredentials(v.credentials))...), v
}

func rotate(t *testing.T, server *intramtest.Server, secretOnly bool) {
	t.Helper()
	var err error
	if secretOnly {
		_, err = server.RotateSecretKey(server.PublicKey, 0)
	} else {
		_, _, err = server.RotateKeys(server.PublicKey, 0)
	}
	require.NoError(t, err)
}

// operationsOf counts the operations of the server's merchant.
func operationsOf(t *testing.T, server *intramtest.Server) int {
	t.Helper()
	n := 0
	for _, err := range server.Client(intram.WithCredentials(server.CredentialsOf(server.PublicKey))).Operations.All(t.Context(), intram.OperationListParams{Limit: 100}) {
		require.NoError(t, err)
		n++
	}
	return n
}

func numberedPayout(n int) intram.PayoutParams {
	params := mobilePayout()
	params.Reference = fmt.Sprintf("PO-ROT-%04d", n)
	params.Amount = intram.NewAmount(100)
	return params
}

func given(c intram.Credentials, err error) func(context.Context) (intram.Credentials, error) {
	return func(context.Context) (intram.Credentials, error) { return c, err }
}

func TestAFunctionThatSuppliesNoKeysMakesNoClient(t *testing.T) {
	t.Parallel()
	const canary = "sk_live_CANARY5f6a7b8c9d"
	good := intram.Credentials{Account: "acme/sandbox", PublicKey: publicKey, SecretKey: secretKey}
	own := fmt.Errorf("vault: no %s", canary)
	with := func(change func(*intram.Credentials)) func(context.Context) (intram.Credentials, error) {
		c := good
		change(&c)
		return given(c, nil)
	}
	for name, tt := range map[string]struct {
		get  func(context.Context) (intram.Credentials, error)
		says string
	}{
		"an error":         {given(good, own), "no usable keys: error of type *errors.errorString"},
		"a panic":          {func(context.Context) (intram.Credentials, error) { panic(canary) }, "no usable keys: the function panicked with a string"},
		"nothing":          {given(intram.Credentials{}, nil), "no usable keys: publicKey is empty"},
		"swapped":          {with(func(c *intram.Credentials) { c.PublicKey, c.SecretKey = c.SecretKey, c.PublicKey }), "swapped"},
		"no account":       {with(func(c *intram.Credentials) { c.Account = "" }), "no usable keys: Account is empty: name the merchant"},
		"a private key":    {with(func(c *intram.Credentials) { c.SecretKey = "prv_" + canary }), "secretKey must start with sk_"},
		"two environments": {with(func(c *intram.Credentials) { c.SecretKey = strings.Replace(canary, "live", "sandbox", 1) }), "two environments"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, err := intram.NewClient("", "", intram.WithCredentials(tt.get))
			assert.Nil(t, client)
			require.ErrorIs(t, err, intram.ErrCredentials)
			assert.ErrorContains(t, err, tt.says)
			assert.NotContains(t, err.Error(), "CANARY")
			assert.Equal(t, intram.OutcomeNotSent, intram.OutcomeOf(err))
			if name == "an error" {
				assert.ErrorIs(t, err, own, "the function's own error is behind it")
			}
		})
	}
	_, err := intram.NewClient(publicKey, secretKey, intram.WithCredentials(given(good, nil)))
	require.EqualError(t, err, "intram: WithCredentials supplies the keys: give NewClient empty ones beside it")
	_, err = intram.NewClient("", "", intram.WithCredentials(nil))
	require.EqualError(t, err, "intram: WithCredentials: the function is nil")
	_, err = intram.NewClient("", "")
	require.EqualError(t, err, "intram: publicKey is empty")
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		_, err := intram.NewClient("", "", intram.WithTimeout(5*time.Second), intram.WithCredentials(func(ctx context.Context) (intram.Credentials, error) {
			<-ctx.Done()
			pass(time.Second) // and does not obey at once
			return good, nil
		}))
		require.ErrorContains(t, err, "the function has not returned within 5s")
		assert.Equal(t, 5*time.Second, time.Since(begun))
		pass(time.Minute)
	})
}

func TestCredentialsPrintNoKey(t *testing.T) {
	t.Parallel()
	c := intram.Credentials{Account: "acme/live", PublicKey: "pk_live_CANARYpublic", SecretKey: "sk_live_CANARYsecret", Version: "7"}
	var b strings.Builder
	slog.New(slog.NewJSONHandler(&b, nil)).Info("x", slog.Any("c", c), slog.Any("p", &c), slog.Any("in", struct{ C intram.Credentials }{c}))
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&b, verb, c)
		fmt.Fprintf(&b, verb, &c)
		fmt.Fprintf(&b, verb, []any{struct{ C intram.Credentials }{c}})
	}
	data, err := json.Marshal(map[string]any{"c": c, "p": &c})
	require.NoError(t, err)
	assert.Contains(t, string(data), "intram.Credentials(acme/live version 7)")
	b.Write(data)
	for _, form := range []string{"CANARY", fmt.Sprintf("%x", "CANARY")} {
		assert.NotContains(t, b.String(), form)
	}
	var read intram.Credentials
	require.NoError(t, json.Unmarshal([]byte(`{"Account":"acme/live","PublicKey":"pk_live_x","SecretKey":"sk_live_y"}`), &read))
	assert.Equal(t, intram.Credentials{Account: "acme/live", PublicKey: "pk_live_x", SecretKey: "sk_live_y"}, read, "a store's JSON is read")
}

func TestACallIsSentAgainWithTheNewKeys(t *testing.T) {
	t.Parallel()
	for _, secretOnly := range []bool{false, true} {
		t.Run(fmt.Sprintf("secret only %v", secretOnly), func(t *testing.T) {
			t.Parallel()
			var lines strings.Builder
			server, client, v := fakeWithVault(t, intram.WithMaxAttempts(1), intram.WithLogger(slog.New(slog.NewTextHandler(&lines, nil))))
			assert.Equal(t, intram.Sandbox, client.Environment())
			assert.Equal(t, server.PublicKey, client.Account())
			assert.EqualValues(t, 1, v.asked.Load())
			rotate(t, server, secretOnly)

			var resp intram.Response
			op, err := client.Payouts.Create(t.Context(), numberedPayout(1), intram.WithResponseInto(&resp))
			require.NoError(t, err, "though the client makes one attempt only")
			assert.NotEmpty(t, op.ID)
			assert.Equal(t, 2, resp.Attempts)
			assert.EqualValues(t, 2, v.asked.Load())
			now, err := server.CredentialsOf(server.PublicKey)(t.Context())
			require.NoError(t, err)
			assert.Equal(t, now.PublicKey, client.PublicKey())
			assert.Equal(t, secretOnly, now.PublicKey == server.PublicKey)
			assert.Equal(t, server.PublicKey, client.Account(), "the account stays")
			assert.Contains(t, lines.String(), `msg="intram: the keys have changed" from=1 to=2`)
			assert.NotContains(t, lines.String(), now.SecretKey)

			requests := server.Requests()
			require.Len(t, requests, 2)
			assert.Equal(t, requests[0].IdempotencyKey, requests[1].IdempotencyKey)
			_, err = client.Operations.List(t.Context(), intram.OperationListParams{Before: server.Now()})
			require.NoError(t, err)
			assert.Len(t, server.Requests(), 3, "the next call has the new keys from the start")
		})
	}
}

func TestManyRefusedCallsAskTogether(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const calls = 1000
		server, client, v := fakeWithVault(t)
		rotate(t, server, false)
		get := server.CredentialsOf(server.PublicKey)
		v.becomes(func(ctx context.Context) (intram.Credentials, error) {
			pass(time.Second) // until all of them are refused
			return get(ctx)
		})
		var all sync.WaitGroup
		for i := range calls {
			all.Go(func() {
				_, err := client.Payouts.Create(t.Context(), numberedPayout(i))
				assert.NoError(t, err)
			})
		}
		all.Wait()
		assert.EqualValues(t, 2, v.asked.Load(), "once for the client, and once for all of them")
		assert.Len(t, server.Requests(), 2*calls)
	})
}

// A refusal stands, and says why, unless the function has other keys of the same account.
func TestARefusalStandsWithoutOtherKeys(t *testing.T) {
	t.Parallel()
	own := errors.New("vault sealed: CANARY")
	for name, tt := range map[string]struct {
		get  func(now intram.Credentials) (intram.Credentials, error)
		says string
	}{
		"the same keys": {func(intram.Credentials) (intram.Credentials, error) {
			return intram.Credentials{}, nil // replaced below: those that the client has
		}, "returns the keys that were refused"},
		"an error": {func(intram.Credentials) (intram.Credentials, error) { return intram.Credentials{}, own }, "returned no usable keys: error of type *errors.errorString"},
		"a panic":  {func(intram.Credentials) (intram.Credentials, error) { panic("CANARY") }, "returned no usable keys: the function panicked with a string"},
		"another account": {func(now intram.Credentials) (intram.Credentials, error) { now.Account = "CANARY's"; return now, nil },
			"the keys are of another Account than the client's: a call sent again with them could be executed twice"},
		"another environment": {func(now intram.Credentials) (intram.Credentials, error) {
			now.PublicKey, now.SecretKey = "pk_live_CANARY1234567890", "sk_live_CANARY1234567890"
			return now, nil
		}, "the keys are live, and the client was made with sandbox ones: make another client"},
		"no key": {func(now intram.Credentials) (intram.Credentials, error) { now.SecretKey = ""; return now, nil }, "secretKey is empty"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, client, v := fakeWithVault(t)
			before, err := server.CredentialsOf(server.PublicKey)(t.Context())
			require.NoError(t, err)
			rotate(t, server, false)
			now, err := server.CredentialsOf(server.PublicKey)(t.Context())
			require.NoError(t, err)
			v.becomes(func(context.Context) (intram.Credentials, error) {
				if name == "the same keys" {
					before.Version += "b" // the version is for people
					return before, nil
				}
				return tt.get(now)
			})
			_, err = client.Payouts.Create(t.Context(), numberedPayout(1))
			require.ErrorIs(t, err, intram.CodeInvalidAPIKey)
			assert.ErrorContains(t, err, tt.says)
			assert.NotContains(t, err.Error(), "CANARY")
			assert.Equal(t, intram.OutcomeRejected, intram.OutcomeOf(err))
			assert.EqualValues(t, 2, v.asked.Load())
			assert.Len(t, server.Requests(), 1, "nothing is sent with keys that the client does not take")
			assert.Equal(t, before.PublicKey, client.PublicKey())

			v.becomes(given(now, nil))
			_, err = client.Payouts.Create(t.Context(), numberedPayout(2))
			require.NoError(t, err, "the next call that is refused asks again")
		})
	}
}

func TestACallAsksOnceAndWaitsNoLongerThanItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, client, v := fakeWithVault(t)
		rotate(t, server, false)
		n := 0
		v.becomes(func(context.Context) (intram.Credentials, error) {
			n++
			return intram.Credentials{Account: server.PublicKey, PublicKey: fmt.Sprintf("pk_sandbox_wrong%d", n), SecretKey: "sk_sandbox_wrong"}, nil
		})
		_, err := client.Balance.Get(t.Context())
		require.ErrorIs(t, err, intram.CodeInvalidAPIKey)
		assert.EqualValues(t, 2, v.asked.Load())
		assert.Len(t, server.Requests(), 2)

		v.becomes(func(ctx context.Context) (intram.Credentials, error) {
			<-ctx.Done()
			return intram.Credentials{}, ctx.Err()
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begun := time.Now()
		_, err = client.Balance.Get(ctx)
		require.ErrorIs(t, err, intram.CodeInvalidAPIKey, "what the API said is known")
		assert.ErrorContains(t, err, "context deadline exceeded")
		assert.Equal(t, time.Second, time.Since(begun))
		pass(time.Hour)
	})
}

// A retry after a doubt may be a second execution if the API keeps idempotency keys for
// each public key, which the documentation does not exclude.
func TestACallInDoubtIsNotSentAgainUnderAnotherPublicKey(t *testing.T) {
	t.Parallel()
	for _, secretOnly := range []bool{false, true} {
		t.Run(fmt.Sprintf("secret only %v", secretOnly), func(t *testing.T) {
			t.Parallel()
			server, _, _ := fakeWithVault(t)
			require.NoError(t, server.Fault(intramtest.Fault{Kind: intramtest.DropResponse, Times: 1}))
			rotated := false
			client := server.Client(intram.WithCredentials(server.CredentialsOf(server.PublicKey)), intram.WithHTTPClient(&http.Client{
				Transport: roundTripFunc(func(req *http.Request) (*http.Response, error) {
					resp, err := server.Transport().RoundTrip(req)
					if err != nil && !rotated {
						rotated = true
						rotate(t, server, secretOnly)
					}
					return resp, err
				}),
			}))
			op, err := client.Payouts.Create(t.Context(), numberedPayout(1), intram.WithIdempotencyKey(ownKey))
			if secretOnly {
				require.NoError(t, err)
				assert.NotEmpty(t, op.ID)
				assert.Len(t, server.Requests(), 3)
				return
			}
			require.ErrorIs(t, err, intram.CodeInvalidAPIKey)
			assert.Equal(t, intram.OutcomeUnknown, intram.OutcomeOf(err))
			assert.ErrorContains(t, err, "the public key changed while an attempt was in doubt; look for the operation before you call again")
			assert.NotContains(t, err.Error(), "call again with the same idempotency key")
			assert.Len(t, server.Requests(), 2)

			// The doubt outlives the keys, and the caller may decide.
			var resp intram.Response
			require.NoError(t, server.Fault(intramtest.Fault{Kind: intramtest.Refuse, Times: 4}))
			_, err = client.Payouts.Create(t.Context(), numberedPayout(1), intram.WithIdempotencyKey(ownKey))
			assert.Equal(t, intram.OutcomeUnknown, intram.OutcomeOf(err))
			_, err = client.Payouts.Create(t.Context(), numberedPayout(1), intram.WithIdempotencyKey(ownKey), intram.WithResponseInto(&resp))
			require.NoError(t, err)
			assert.True(t, resp.Replayed, "the account keeps the idempotency key")
			assert.Equal(t, 1, operationsOf(t, server))
		})
	}
}

// The client learns of the rotation by the refusal of the very call.
func TestADoubtOfAnEarlierCallIsNotSentAgainUnderAnotherPublicKey(t *testing.T) {
	t.Parallel()
	sent := func(server *intramtest.Server) (sent []string) {
		for _, r := range server.Requests()[1:] {
			sent = append(sent, fmt.Sprint(r.Method, " ", r.Status))
		}
		return sent
	}
	t.Run("made again", func(t *testing.T) {
		t.Parallel()
		server, client, _ := fakeWithVault(t, intram.WithMaxAttempts(1))
		require.NoError(t, server.Fault(intramtest.Fault{Kind: intramtest.DropResponse, Times: 1}))
		_, err := client.Payouts.Create(t.Context(), numberedPayout(1), intram.WithIdempotencyKey(ownKey))
		require.Equal(t, intram.OutcomeUnknown, intram.OutcomeOf(err))
		rotate(t, server, false)
		_, err = client.Payouts.Create(t.Context(), numberedPayout(1), intram.WithIdempotencyKey(ownKey))
		require.ErrorIs(t, err, intram.CodeInvalidAPIKey)
		assert.Equal(t, intram.OutcomeUnknown, intram.OutcomeOf(err))
		assert.ErrorContains(t, err, "look for the operation before you call again")
		assert.Equal(t, []string{"POST 401"}, sent(server))
	})
	t.Run("resumed", func(t *testing.T) {
		t.Parallel()
		server, client, _ := fakeWithVault(t, intram.WithMaxAttempts(1))
		intent, err := client.Payouts.Prepare(numberedPayout(1))
		require.NoError(t, err)
		require.NoError(t, server.Fault(intramtest.Fault{Kind: intramtest.DropResponse, Times: 1}))
		_, err = client.Payouts.Resume(t.Context(), numberedPayout(1), intent)
		require.Equal(t, intram.OutcomeUnknown, intram.OutcomeOf(err))
		rotate(t, server, false)
		op, err := client.Payouts.Resume(t.Context(), numberedPayout(1), intent)
		require.NoError(t, err)
		assert.NotEmpty(t, op.ID)
		assert.Equal(t, []string{"POST 401", "GET 200", "GET 200"}, sent(server), "it looks through two pages, and finds")
	})
	t.Run("resumed, and never executed", func(t *testing.T) {
		t.Parallel()
		server, client, _ := fakeWithVault(t, intram.WithMaxAttempts(1))
		intent, err := client.Payouts.Prepare(numberedPayout(1))
		require.NoError(t, err)
		require.NoError(t, server.Fault(intramtest.Fault{Kind: intramtest.Unavailable, Times: 1}))
		_, err = client.Payouts.Resume(t.Context(), numberedPayout(1), intent)
		require.Equal(t, intram.OutcomeUnknown, intram.OutcomeOf(err))
		rotate(t, server, false)
		_, err = client.Payouts.Resume(t.Context(), numberedPayout(1), intent)
		require.NoError(t, err)
		assert.Equal(t, []string{"POST 401", "GET 200", "POST 202"}, sent(server))
		assert.Equal(t, 1, operationsOf(t, server))
	})
}

// Another call takes the new keys while this one is in doubt.
func TestAnAttemptInDoubtIsRepeatedWithTheKeysThatItHad(t *testing.T) {
	t.Parallel()
	server := intramtest.NewServer(t, intramtest.WithoutListener())
	require.NoError(t, server.Fault(intramtest.Fault{Kind: intramtest.DropResponse, Times: 1}))
	var client *intram.Client
	rotated := false
	client = server.Client(intram.WithCredentials(server.CredentialsOf(server.PublicKey)), intram.WithHTTPClient(&http.Client{
		Transport: roundTripFunc(func(req *http.Request) (*http.Response, error) {
			resp, err := server.Transport().RoundTrip(req)
			if err != nil && !rotated {
				rotated = true
				rotate(t, server, false)
				_, err := client.Balance.Get(t.Context())
				assert.NoError(t, err)
			}
			return resp, err
		}),
	}))
	first := client.PublicKey()
	_, err := client.Payouts.Create(t.Context(), numberedPayout(1))
	require.ErrorIs(t, err, intram.CodeInvalidAPIKey, "the old key was sent, and is refused")
	assert.Equal(t, intram.OutcomeUnknown, intram.OutcomeOf(err))
	assert.ErrorContains(t, err, "the public key changed while an attempt was in doubt")
	assert.NotEqual(t, first, client.PublicKey(), "the client has the new ones")
	assert.Equal(t, 1, operationsOf(t, server))
}

// The function has a time limit of its own, not what the refused attempt has left.
func TestNewKeysMayTakeLongerThanTheAttempt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := intramtest.NewServer(t, intramtest.WithoutListener())
		get := server.CredentialsOf(server.PublicKey)
		client := server.Client(intram.WithTimeout(10*time.Second), intram.WithHTTPClient(&http.Client{
			Transport: roundTripFunc(func(req *http.Request) (*http.Response, error) {
				pass(6 * time.Second)
				return server.Transport().RoundTrip(req)
			}),
		}), intram.WithCredentials(func(ctx context.Context) (intram.Credentials, error) {
			pass(6 * time.Second)
			return get(ctx)
		}))
		rotate(t, server, false)
		_, err := client.Payouts.Create(t.Context(), numberedPayout(1))
		require.NoError(t, err)
	})
}

func TestAnIntentOutlivesTheKeys(t *testing.T) {
	t.Parallel()
	resume := func(t *testing.T, server *intramtest.Server, client *intram.Client, intent *intram.Intent, looked bool) *intram.Operation {
		t.Helper()
		data, err := json.Marshal(intent)
		require.NoError(t, err)
		var saved intram.Intent
		require.NoError(t, json.Unmarshal(data, &saved))
		before := len(server.Requests())
		op, err := client.Payouts.Resume(t.Context(), numberedPayout(1), &saved)
		require.NoError(t, err)
		reads, posts := 0, 0
		for _, r := range server.Requests()[before:] {
			switch {
			case r.Status == http.StatusUnauthorized:
			case r.Method == http.MethodGet:
				reads++
			default:
				posts++
			}
		}
		assert.Equal(t, looked, reads > 0, "it looks first")
		assert.Equal(t, !looked, posts > 0, "it sends")
		assert.Equal(t, 1, operationsOf(t, server))
		return op
	}
	t.Run("of the client's own", func(t *testing.T) {
		t.Parallel()
		server, client, _ := fakeWithVault(t)
		intent, err := client.Payouts.Prepare(numberedPayout(1))
		require.NoError(t, err)
		assert.NotEmpty(t, intent.PublicKeySHA256)
		op, err := client.Payouts.Create(t.Context(), numberedPayout(1), intram.WithIntent(intent))
		require.NoError(t, err)
		assert.Equal(t, op.ID, resume(t, server, client, intent, false).ID, "the keys are the same: it is sent again")
		rotate(t, server, false)
		fresh := server.Client(intram.WithCredentials(server.CredentialsOf(server.PublicKey))) // another process
		assert.Equal(t, op.ID, resume(t, server, fresh, intent, true).ID, "it is looked for, and found")
	})
	t.Run("of a client with fixed keys", func(t *testing.T) {
		t.Parallel()
		server, client, _ := fakeWithVault(t)
		intent, err := server.Client().Payouts.Prepare(numberedPayout(1))
		require.NoError(t, err)
		assert.Empty(t, intent.PublicKeySHA256)
		op := resume(t, server, client, intent, false)
		rotate(t, server, false)
		_, err = client.Balance.Get(t.Context())
		require.NoError(t, err)
		assert.Equal(t, op.ID, resume(t, server, client, intent, true).ID, "the client had that key")
		fresh := server.Client(intram.WithCredentials(server.CredentialsOf(server.PublicKey)))
		_, err = fresh.Payouts.Resume(t.Context(), numberedPayout(1), intent)
		require.ErrorIs(t, err, intram.ErrIntentMismatch, "one that never had it cannot know whose it is")
	})
	t.Run("of nobody", func(t *testing.T) {
		t.Parallel()
		server, client, _ := fakeWithVault(t)
		other, err := server.AddMerchant("another")
		require.NoError(t, err)
		foreign := server.Client(intram.WithCredentials(server.CredentialsOf(other.PublicKey)))
		intent, err := foreign.Payouts.Prepare(numberedPayout(1))
		require.NoError(t, err)
		_, err = client.Payouts.Create(t.Context(), numberedPayout(1), intram.WithIntent(intent))
		require.ErrorIs(t, err, intram.ErrIntentMismatch)
		assert.Empty(t, server.Requests())
	})
}
