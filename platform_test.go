package intram_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
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

// merchantKeys are the keys of a merchant, whose public key ends with its id.
func merchantKeys(_ context.Context, id string) (intram.Credentials, error) {
	return intram.Credentials{Account: id + "/live", PublicKey: publicKey + id, SecretKey: secretKey + id}, nil
}

// hostAPI is the API of many merchants: what each is given, and when it called.
type hostAPI struct {
	mu      sync.Mutex
	calls   map[string][]time.Time
	respond map[string]step // by merchant; "" for the rest
	closed  int
}

func newHostAPI(rest step) *hostAPI {
	return &hostAPI{calls: map[string][]time.Time{}, respond: map[string]step{"": rest}}
}

func (a *hostAPI) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body != nil {
		_, _ = io.Copy(io.Discard, req.Body)
		_ = req.Body.Close()
	}
	id := strings.TrimPrefix(req.Header.Get("X-API-Key"), publicKey)
	if strings.HasPrefix(req.URL.Path, "/v1/payin") {
		id = "payin"
	}
	a.mu.Lock()
	a.calls[id] = append(a.calls[id], time.Now())
	next := a.respond[id]
	if next == nil {
		next = a.respond[""]
	}
	a.mu.Unlock()
	return next(req)
}

func (a *hostAPI) CloseIdleConnections() { a.closed++ }

func (a *hostAPI) of(id string) []time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]time.Time(nil), a.calls[id]...)
}

func (a *hostAPI) set(id string, s step) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.respond[id] = s
}

func newPlatform(t *testing.T, api *hostAPI, opts ...intram.PlatformOption) *intram.Platform {
	t.Helper()
	shared := intram.WithSharedOptions(intram.WithHTTPClient(&http.Client{Transport: api}), intram.WithJitter(0))
	p, err := intram.NewPlatform(merchantKeys, append([]intram.PlatformOption{shared}, opts...)...)
	require.NoError(t, err)
	t.Cleanup(func() { _ = p.Close() })
	return p
}

func merchantOf(t *testing.T, p *intram.Platform, id string) *intram.Client {
	t.Helper()
	client, err := p.Merchant(t.Context(), id)
	require.NoError(t, err)
	return client
}

var balanced = answer(200, `{"error":false,"data":{}}`)

func TestAMerchantHasOneClient(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	var fail atomic.Bool
	p, err := intram.NewPlatform(func(ctx context.Context, id string) (intram.Credentials, error) {
		asked.Add(1)
		if fail.Load() {
			return intram.Credentials{}, errors.New("the vault is sealed")
		}
		return merchantKeys(ctx, id)
	})
	require.NoError(t, err)
	clients := make([]*intram.Client, 100)
	var all sync.WaitGroup
	for i := range clients {
		all.Go(func() { clients[i], _ = p.Merchant(t.Context(), "a") })
	}
	all.Wait()
	for _, client := range clients {
		assert.Same(t, clients[0], client)
	}
	assert.Equal(t, int64(1), asked.Load())
	assert.Equal(t, "a/live", clients[0].Account())
	assert.NotSame(t, clients[0], merchantOf(t, p, "b"))
	assert.Equal(t, "intram.Platform(2 merchants)", fmt.Sprintf("%+v", p))

	fail.Store(true)
	_, err = p.Merchant(t.Context(), "c")
	require.ErrorIs(t, err, intram.ErrCredentials)
	fail.Store(false)
	assert.NotNil(t, merchantOf(t, p, "c"), "an error is not kept")
	_, err = p.Merchant(t.Context(), "")
	require.ErrorContains(t, err, "the id is empty")
}

func TestAMerchantWhoseKeysDoNotComeHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, err := intram.NewPlatform(func(ctx context.Context, id string) (intram.Credentials, error) {
			if id == "slow" {
				<-ctx.Done()
				return intram.Credentials{}, ctx.Err()
			}
			if id == "broken" {
				panic("sk_live_secret")
			}
			return merchantKeys(ctx, id)
		})
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), sec)
		defer cancel()
		began := time.Now()
		go func() { _, _ = p.Merchant(t.Context(), "slow") }()
		synctest.Wait()
		merchantOf(t, p, "a")
		_, err = p.Merchant(t.Context(), "broken")
		require.ErrorIs(t, err, intram.ErrCredentials)
		assert.NotContains(t, err.Error(), "sk_live")
		assert.Zero(t, time.Since(began))
		_, err = p.Merchant(ctx, "slow")
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, sec, time.Since(began))
		assert.Equal(t, intram.OutcomeNotSent, intram.OutcomeOf(err))
		assert.NoError(t, passTime(time.Minute))
	})
}

// collectAll has the runtime collect what nothing holds.
func collectAll() {
	for range 3 {
		runtime.GC()
	}
}

func TestAnEvictedClientIsTheSameWhileItIsHeld(t *testing.T) {
	t.Parallel()
	p := newPlatform(t, newHostAPI(balanced), intram.WithIdleMerchants(2))
	held := merchantOf(t, p, "held")
	for i := range 50 {
		merchantOf(t, p, fmt.Sprint(i))
	}
	collectAll()
	assert.Less(t, intram.KeptMerchants(p), 3)
	assert.Same(t, held, merchantOf(t, p, "held"))
	runtime.KeepAlive(held)
}

// A key in doubt outlives the eviction of its client, whether it came before or after.
func TestADoubtOutlivesEviction(t *testing.T) {
	t.Parallel()
	for _, evictFirst := range []bool{false, true} {
		api := newHostAPI(balanced)
		p := newPlatform(t, api, intram.WithIdleMerchants(1))
		evict := func() {
			for i := range 20 {
				merchantOf(t, p, fmt.Sprint(i))
			}
			collectAll()
		}
		pay := func(client *intram.Client) error {
			_, err := client.Payouts.Create(t.Context(), mobilePayout(), intram.WithIdempotencyKey(ownKey), intram.WithMaxAttempts(1))
			return err
		}
		func() {
			client := merchantOf(t, p, "a")
			if evictFirst {
				evict()
			}
			api.set("a", lost)
			assert.Equal(t, intram.OutcomeUnknown, intram.OutcomeOf(pay(client)))
		}()
		evict()
		api.set("a", refused)
		assert.Equal(t, intram.OutcomeUnknown, intram.OutcomeOf(pay(merchantOf(t, p, "a"))), "evicted first: %v", evictFirst)
		api.set("a", answerFile(t, 202, "payout.accepted.current.json"))
		require.NoError(t, pay(merchantOf(t, p, "a")))
		evict()
		assert.LessOrEqual(t, intram.KeptMerchants(p), 2, "nothing is in doubt any more")
	}
}

func TestADoubtOfAPayinSessionOutlivesEviction(t *testing.T) {
	t.Parallel()
	const key = "4bfcafcc-8eeb-49cc-acc2-eeabdabbf424"
	api := newHostAPI(balanced)
	p := newPlatform(t, api, intram.WithIdleMerchants(1), intram.WithSharedOptions(intram.WithPayin(payinKey, payinClient)))
	create := func() error {
		_, err := merchantOf(t, p, "a").Payin.CreateSession(t.Context(), payinParams(), intram.WithIdempotencyKey(key), intram.WithMaxAttempts(1))
		return err
	}
	api.set("payin", lost)
	assert.Equal(t, intram.OutcomeUnknown, intram.OutcomeOf(create()))
	for i := range 20 {
		merchantOf(t, p, fmt.Sprint(i))
	}
	collectAll()
	api.set("payin", answer(403, `{"code":"wallet_not_found","message":"no","statusCode":403}`))
	assert.Equal(t, intram.OutcomeUnknown, intram.OutcomeOf(create()), "the first one may have been executed")
}

func TestAWaitOutlivesEviction(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		api := newHostAPI(operation("processing"))
		p := newPlatform(t, api, intram.WithIdleMerchants(1))
		ended := make(chan error, 1)
		func(a *intram.Client) {
			go func() {
				_, err := a.WaitForOperation(t.Context(), "op_1")
				ended <- err
			}()
		}(merchantOf(t, p, "a"))
		synctest.Wait()
		for i := range 20 {
			merchantOf(t, p, fmt.Sprint(i))
		}
		collectAll()
		assert.Equal(t, 1, intram.PendingWaits(merchantOf(t, p, "a")))
		api.set("a", finished(t))
		require.NoError(t, <-ended)
	})
}

func TestCloseEndsWaitsAndRefusesCalls(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		api := newHostAPI(operation("processing"))
		p := newPlatform(t, api, intram.WithSharedOptions(intram.WithPayin(payinKey, payinClient)))
		a := merchantOf(t, p, "a")
		ended := make(chan error, 4)
		api.set("payin", answer(200, `{"reference":"order-1","status":"processed","confirmationStatus":"pending","transaction":{"status":"pending"}}`))
		go func() { _, err := a.Payin.Wait(t.Context(), "order-1"); ended <- err }()
		go func() { _, err := a.WaitForOperation(t.Context(), "op_1"); ended <- err }()
		go func() { _, err := a.Transactions.Wait(t.Context(), "TRX-1"); ended <- err }()
		api.set("b", answer(503, "", "Retry-After", "20"))
		b := merchantOf(t, p, "b")
		go func() {
			_, err := b.Payouts.Create(t.Context(), mobilePayout())
			ended <- err
		}()
		assert.NoError(t, passTime(5*sec))
		before := len(api.of("a"))
		require.NoError(t, p.Close())
		for range 3 {
			err := <-ended
			require.ErrorIs(t, err, intram.ErrPlatformClosed)
			var wait *intram.WaitError
			require.ErrorAs(t, err, &wait)
			assert.Contains(t, err.Error(), "the platform is closed")
		}
		err := <-ended
		require.ErrorIs(t, err, intram.ErrPlatformClosed)
		assert.Equal(t, intram.OutcomeUnknown, intram.OutcomeOf(err), "503: it may have been executed")
		assert.Len(t, api.of("b"), 1, "it is not tried again")

		_, err = a.Balance.Get(t.Context())
		require.ErrorIs(t, err, intram.ErrPlatformClosed)
		assert.Equal(t, intram.OutcomeNotSent, intram.OutcomeOf(err))
		_, err = a.WaitForOperation(t.Context(), "op_2")
		require.ErrorIs(t, err, intram.ErrPlatformClosed)
		for _, err = range a.WaitMany(t.Context(), []string{"op_3", "op_4"}) {
			require.ErrorIs(t, err, intram.ErrPlatformClosed)
		}
		_, err = p.Merchant(t.Context(), "a")
		require.ErrorIs(t, err, intram.ErrPlatformClosed)
		assert.Len(t, api.of("a"), before)
		assert.Equal(t, 1, api.closed)
		require.NoError(t, p.Close())
		assert.Equal(t, 1, api.closed)
	})
}

// The figures of docs/platforms.md: go test -run TestFairness -v .
func TestFairnessOfLookups(t *testing.T) {
	t.Parallel()
	for _, busy := range []int{0, 1, 100} {
		synctest.Test(t, func(t *testing.T) {
			api := newHostAPI(operationStep("processing"))
			p := newPlatform(t, api)
			ctx, cancel := context.WithCancel(t.Context())
			for i := range busy {
				n := 50_000
				if i > 0 {
					n = 5
				}
				ids := make([]string, n)
				for j := range ids {
					ids[j] = fmt.Sprintf("op_%d", j)
				}
				one := merchantOf(t, p, fmt.Sprintf("busy%d", i))
				go func() {
					for _, err := range one.WaitMany(ctx, ids) {
						assert.ErrorIs(t, err, context.Canceled)
					}
				}()
			}
			assert.NoError(t, passTime(30*sec))
			began := time.Now()
			_, err := merchantOf(t, p, "b").WaitForOperation(t.Context(), "op_1", intram.WithPollInterval(10*sec, 10*sec))
			require.Error(t, err)
			at := api.of("b")
			require.GreaterOrEqual(t, len(at), 6-busy/20)
			most, due := time.Duration(0), began
			for _, one := range at {
				most, due = max(most, one.Sub(due)), one.Add(10*sec)
			}
			t.Logf("%d other merchants, one of them with 50,000 waits: a lookup is %v late at most", busy, most)
			assert.LessOrEqual(t, most, time.Duration(busy+1)*sec/20)
			cancel()
			synctest.Wait()
		})
	}
}

// operationStep is the operation that is asked for, and no list.
func operationStep(status string) step {
	return func(req *http.Request) (*http.Response, error) {
		_, id, found := strings.Cut(req.URL.Path, "/operations/")
		if !found {
			return answer(404, `{"error":true,"code":"not_found"}`)(req)
		}
		return answer(200, `{"error":false,"data":{"operation_id":"`+id+`","type":"payout","status":"`+status+`","attempts":1}}`)(req)
	}
}

func TestFairnessOfRetries(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		api := newHostAPI(answer(503, ""))
		p := newPlatform(t, api)
		a, b := merchantOf(t, p, "a"), merchantOf(t, p, "b")
		const calls = 1000
		for range calls {
			_, _ = a.Payouts.Create(t.Context(), mobilePayout())
		}
		ofA := len(api.of("a")) - calls
		api.set("b", answer(503, ""))
		_, err := b.Payouts.Create(t.Context(), mobilePayout())
		require.Error(t, err)
		ofB := len(api.of("b")) - 1
		t.Logf("a's %d calls all fail and get %d retries; b's next call that fails gets %d of its 3", calls, ofA, ofB)
		assert.Equal(t, 50, ofA)
		assert.Equal(t, 3, ofB)
	})
}

// A merchant that is asked to come back later stops no other one, calls and waits alike.
func TestARetryAfterOfOneMerchantStopsNoOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		api := newHostAPI(operationStep("processing"))
		api.set("a", answer(429, `{"error":true,"code":"rate_limited"}`, "Retry-After", "30"))
		p := newPlatform(t, api)
		ctx, cancel := context.WithCancel(t.Context())
		a := merchantOf(t, p, "a")
		go func() { _, _ = a.WaitForOperation(ctx, "op_1") }()
		go func() { _, _ = a.Payouts.Create(ctx, mobilePayout()) }()
		assert.NoError(t, passTime(sec))
		began := time.Now()
		b := merchantOf(t, p, "b")
		_, err := b.Operations.Get(t.Context(), "op_1")
		require.NoError(t, err)
		assert.Zero(t, time.Since(began))
		api.set("b", finished(t))
		_, err = b.WaitForOperation(t.Context(), "op_1")
		require.NoError(t, err)
		assert.Less(t, time.Since(began), 100*ms)
		assert.Len(t, api.of("a"), 2)
		cancel()
		synctest.Wait()
	})
}

func TestALimiterOfAPlatformKnowsTheMerchant(t *testing.T) {
	t.Parallel()
	var asked []string
	l := &limiterFunc{wait: func(ctx context.Context, _ int) error {
		id, _ := intram.MerchantFromContext(ctx)
		asked = append(asked, id)
		return nil
	}}
	p := newPlatform(t, newHostAPI(balanced), intram.WithSharedOptions(intram.WithLimiter(l)))
	for _, id := range []string{"a", "b"} {
		_, err := merchantOf(t, p, id).Do(t.Context(), http.MethodGet, "/balance", nil)
		require.NoError(t, err)
	}
	assert.Equal(t, []string{"a", "b"}, asked)
	_, ok := intram.MerchantFromContext(t.Context())
	assert.False(t, ok)
}

func TestTheOptionsOfAPlatform(t *testing.T) {
	t.Parallel()
	for want, opt := range map[string]intram.PlatformOption{
		"a PlatformOption is nil": nil, "WithIdleMerchants: -1": intram.WithIdleMerchants(-1), "WithMerchantOptions: the function is nil": intram.WithMerchantOptions(nil),
		"WithTimeout": intram.WithSharedOptions(intram.WithTimeout(-1)), "WithCredentials is of one merchant": intram.WithSharedOptions(intram.WithCredentials(
			func(context.Context) (intram.Credentials, error) { return intram.Credentials{}, nil })),
	} {
		_, err := intram.NewPlatform(merchantKeys, opt)
		assert.ErrorContains(t, err, want)
	}
	_, err := intram.NewPlatform(nil)
	require.ErrorContains(t, err, "the function is nil")

	p := newPlatform(t, newHostAPI(balanced), intram.WithMerchantOptions(func(id string) []intram.ClientOption {
		switch id {
		case "panics":
			panic("x")
		case "exits":
			runtime.Goexit()
		case "wrong":
			return []intram.ClientOption{intram.WithTimeout(-1)}
		}
		return []intram.ClientOption{intram.WithPayin("key-"+id, "client-"+id)}
	}))
	_, err = p.Merchant(t.Context(), "panics")
	require.ErrorContains(t, err, "panicked")
	_, err = p.Merchant(t.Context(), "exits")
	require.ErrorContains(t, err, "ended its goroutine")
	_, err = p.Merchant(t.Context(), "wrong")
	require.ErrorContains(t, err, "WithTimeout")
	_, err = merchantOf(t, p, "a").Payin.Get(t.Context(), "reference")
	require.Error(t, err)
	assert.NotEqual(t, intram.OutcomeNotSent, intram.OutcomeOf(err), "it has credentials of its own")
}

// The figure of docs/platforms.md: go test -run TestTenThousandMerchants -v .
func TestTenThousandMerchantsAreSmall(t *testing.T) { //nolint:paralleltest // it counts the whole process
	if raceDetector {
		return
	}
	p := newPlatform(t, newHostAPI(balanced))
	used := func() uint64 {
		collectAll()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := used()
	const merchants = 10_000
	for i := range merchants {
		merchantOf(t, p, fmt.Sprintf("m%d", i))
	}
	each := (used() - before) / merchants
	t.Logf("10,000 merchants take %d bytes each", each)
	assert.Equal(t, merchants, intram.KeptMerchants(p))
	assert.Less(t, each, uint64(8000))
	runtime.KeepAlive(p)
}
