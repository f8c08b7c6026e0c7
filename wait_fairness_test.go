package intram_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/intram/intram-go"
	"github.com/intram/intram-go/intramtest"
)

// unlisted is an API whose list shows nothing, and whose operations go on until ended says otherwise.
type unlisted struct {
	mu    sync.Mutex
	asked map[string][]time.Duration // by id, since the beginning
	began time.Time
	ended func(id string, after time.Duration) bool
}

func newUnlisted(ended func(id string, after time.Duration) bool) *unlisted {
	return &unlisted{asked: map[string][]time.Duration{}, began: time.Now(), ended: ended}
}

func (u *unlisted) RoundTrip(req *http.Request) (*http.Response, error) {
	id, one := strings.CutPrefix(req.URL.Path, "/v1/operations/")
	if !one {
		return answer(200, `{"error":false,"data":[],"paging":{"limit":100,"has_more":false}}`)(req)
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	after := time.Since(u.began)
	u.asked[id] = append(u.asked[id], after)
	status, result := "processing", "null"
	if u.ended(id, after) {
		status, result = "succeeded", `{"reference":"R","status":"completed"}`
	}
	return answer(200, fmt.Sprintf(`{"error":false,"data":{"operation_id":%q,"type":"payout","status":%q,"result":%s,"created_at":"2026-05-20T10:00:00.000Z"}}`,
		id, status, result))(req)
}

func (u *unlisted) times(id string) []time.Duration {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.asked[id]
}

func numbered(prefix string, n int) []string {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprintf("%s_%06d", prefix, i)
	}
	return ids
}

// drain waits for a batch in the background.
func drain(ctx context.Context, client *intram.Client, ids []string, opts ...intram.WaitOption) {
	go func() {
		for op, err := range client.WaitMany(ctx, ids, opts...) {
			_, _ = op, err
		}
	}()
}

// A batch that no list shows takes 150 s for a look at each, as 3,000 operations do at the usual rate. A customer's wait goes on beside it as if there were none, and so does
// a small batch.
func TestLargeBatchStarvesNobody(t *testing.T) {
	t.Parallel()
	for _, begun := range []time.Duration{time.Second, 160 * time.Second} { // among the first looks of the batch, and among repeated ones
		synctest.Test(t, func(t *testing.T) {
			api := newUnlisted(func(string, time.Duration) bool { return false })
			client := newClient(t, api, intram.WithPollRate(5))
			ctx, cancel := context.WithCancel(t.Context())
			drain(ctx, client, numbered("op", 750))
			require.NoError(t, intram.SystemClock.Sleep(t.Context(), begun))
			small := numbered("small", 5)
			drain(ctx, client, small)
			start := time.Since(api.began)
			_, err := client.Payouts.Wait(t.Context(), "customer")
			require.ErrorIs(t, err, context.DeadlineExceeded)
			looks := api.times("customer")
			require.GreaterOrEqual(t, len(looks), 8, "of 10 that the schedule has")
			assert.Less(t, looks[0]-start, 3*time.Second, "the first look, when two pages have not shown it")
			assert.GreaterOrEqual(t, looks[len(looks)-1]-start, 60*time.Second, "the last look")
			for i := range looks[1:] {
				assert.Less(t, looks[i+1]-looks[i], 12*time.Second)
			}
			for _, id := range small {
				require.NotEmpty(t, api.times(id), id)
				assert.Less(t, api.times(id)[0]-start, 10*time.Second)
				assert.GreaterOrEqual(t, len(api.times(id)), 4, id)
			}
			total := 0
			for _, id := range numbered("op", 750) {
				total += len(api.times(id))
			}
			assert.Greater(t, total, int((begun+time.Minute)/time.Second)*3, "nor is the batch starved")
			cancel()
			synctest.Wait()
		})
	}
}

// Waits that begin while the rate is used up by others that repeat themselves have their first look and their last.
func TestFirstAndLastLooksGoBeforeRepeatedOnes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		api := newUnlisted(func(string, time.Duration) bool { return false })
		client := newClient(t, api, intram.WithPollRate(5))
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for _, id := range numbered("op", 400) { // of whom each wants a look every ten seconds: 40 a second
			wg.Go(func() { _, _ = client.WaitForOperation(ctx, id, intram.WithMaxWait(0)) })
		}
		require.NoError(t, intram.SystemClock.Sleep(t.Context(), 3*time.Minute))
		start := time.Since(api.began)
		_, err := client.WaitForOperation(t.Context(), "late", intram.WithMaxWait(30*time.Second))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		looks := api.times("late")
		require.GreaterOrEqual(t, len(looks), 2)
		assert.Less(t, looks[0]-start, time.Second)
		assert.GreaterOrEqual(t, looks[len(looks)-1]-start, 30*time.Second)
		cancel()
		wg.Wait()
		synctest.Wait()
	})
}

// However many wait together, each costs the same.
func TestWorkOfABatchIsLinear(t *testing.T) {
	t.Parallel()
	steps := func(n int) (steps int) {
		synctest.Test(t, func(t *testing.T) {
			_, client, requests := manyWaits(t, intramtest.ByHand())
			api := newPaged(n)
			requests.next = api
			ended := 0
			for op, err := range client.WaitMany(t.Context(), api.ids) {
				require.NoError(t, err)
				require.NotNil(t, op)
				ended++
			}
			require.Equal(t, n, ended)
			steps = intram.PollSteps(client)
			t.Logf("%d operations: %d steps, %d pages, %d single look-ups", n, steps, requests.of("GET /operations"), requests.of("GET /operations/{id}"))
		})
		return steps
	}
	for _, n := range []int{1_000, 8_000} {
		assert.Less(t, steps(n)/n, 100, "steps for each of %d", n)
	}
}

// paged is an API with n operations, a millisecond apart, which its list shows. They end when they have been looked at once.
type paged struct {
	ids   []string
	first time.Time
	mu    sync.Mutex
	looks []int
}

func newPaged(n int) *paged {
	return &paged{ids: numbered("op", n), first: time.Date(2026, 5, 20, 10, 0, 0, 0, time.UTC), looks: make([]int, n)}
}

func (p *paged) item(i int) string {
	p.looks[i]++
	status, result := "processing", "null"
	if p.looks[i] > 1 {
		status, result = "succeeded", `{"reference":"R","status":"completed"}`
	}
	return fmt.Sprintf(`{"operation_id":%q,"type":"payout","status":%q,"result":%s,"created_at":%q}`,
		p.ids[i], status, result, p.first.Add(time.Duration(i)*time.Millisecond).Format("2006-01-02T15:04:05.000Z"))
}

func (p *paged) RoundTrip(req *http.Request) (*http.Response, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if id, one := strings.CutPrefix(req.URL.Path, "/v1/operations/"); one {
		var i int
		_, _ = fmt.Sscanf(id, "op_%d", &i)
		return answer(200, `{"error":false,"data":`+p.item(i)+`}`)(req)
	}
	end := len(p.ids)
	if before := req.URL.Query().Get("before"); before != "" {
		at, err := time.Parse(time.RFC3339Nano, before)
		if err != nil {
			return answer(400, `{"error":true,"code":"validation_error"}`)(req)
		}
		end = min(end, int(at.Sub(p.first)/time.Millisecond))
	}
	var items []string
	for i := end - 1; i >= max(0, end-100); i-- {
		items = append(items, p.item(i))
	}
	next := "null"
	if end > 100 {
		next = `"` + p.first.Add(time.Duration(end-100)*time.Millisecond).Format("2006-01-02T15:04:05.000Z") + `"`
	}
	return answer(200, fmt.Sprintf(`{"error":false,"data":[%s],"paging":{"limit":100,"has_more":%v,"next_before":%s}}`,
		strings.Join(items, ","), end > 100, next))(req)
}
