package intram_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
)

// handClock is moved by hand.
type handClock struct {
	mu sync.Mutex
	at time.Time
}

func (c *handClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *handClock) Sleep(ctx context.Context, _ time.Duration) error { return ctx.Err() }

func (c *handClock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

func newHandClock() *handClock {
	return &handClock{at: time.Date(2026, 5, 20, 10, 30, 0, 0, time.UTC)}
}

func TestAFullMemoryInboxRefusesWhatItCouldNotRemember(t *testing.T) {
	t.Parallel()
	clock := newHandClock()
	inbox := &intram.MemoryInbox{Capacity: 3, Clock: clock}
	claims := make([]intram.Claim, 3)
	for i := range claims {
		claim, err := inbox.Claim(t.Context(), fmt.Sprint(i), time.Minute)
		require.NoError(t, err)
		claims[i] = claim
	}
	require.NoError(t, inbox.Complete(t.Context(), claims[0]))
	_, err := inbox.Claim(t.Context(), "one more", time.Minute)
	require.ErrorIs(t, err, intram.ErrInboxFull)

	known, err := inbox.Claim(t.Context(), "0", time.Minute)
	require.NoError(t, err, "what it holds it still knows")
	assert.Equal(t, intram.ClaimDone, known.State)

	require.NoError(t, inbox.Release(t.Context(), claims[1]))
	_, err = inbox.Claim(t.Context(), "one more", time.Minute)
	require.NoError(t, err, "a released key leaves room")
}

func TestAMemoryInboxForgetsAfterItsRetentionAndNotBefore(t *testing.T) {
	t.Parallel()
	cases := map[string]struct{ set, kept time.Duration }{
		"as a rule":    {0, 72 * time.Hour},
		"never sooner": {time.Hour, 72 * time.Hour},
		"longer":       {200 * time.Hour, 200 * time.Hour},
	}
	for name, tt := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			clock := newHandClock()
			inbox := &intram.MemoryInbox{Capacity: 2, Retention: tt.set, Clock: clock}
			claim, err := inbox.Claim(t.Context(), "done", time.Minute)
			require.NoError(t, err)
			require.NoError(t, inbox.Complete(t.Context(), claim))
			_, err = inbox.Claim(t.Context(), "abandoned", time.Minute)
			require.NoError(t, err)

			clock.Advance(tt.kept - time.Nanosecond)
			again, err := inbox.Claim(t.Context(), "done", time.Minute)
			require.NoError(t, err)
			assert.Equal(t, intram.ClaimDone, again.State)
			_, err = inbox.Claim(t.Context(), "new", time.Minute)
			require.ErrorIs(t, err, intram.ErrInboxFull)

			clock.Advance(time.Nanosecond)
			for _, key := range []string{"new", "newer"} { // both old keys made room
				_, err = inbox.Claim(t.Context(), key, time.Minute)
				require.NoError(t, err)
			}
		})
	}
}

// A lease may be longer than the retention, and a clock may be set back: neither frees a
// key early, nor holds it without end.
func TestALeaseOfAMemoryInboxLastsAsLongAsItSays(t *testing.T) {
	t.Parallel()
	clock := newHandClock()
	inbox := &intram.MemoryInbox{Clock: clock}
	_, err := inbox.Claim(t.Context(), "long", 100*time.Hour)
	require.NoError(t, err)
	clock.Advance(90 * time.Hour)
	_, err = inbox.Claim(t.Context(), "another", time.Minute)
	require.NoError(t, err)
	again, err := inbox.Claim(t.Context(), "long", time.Minute)
	require.NoError(t, err)
	assert.Equal(t, intram.ClaimBusy, again.State)

	clock.Advance(-50 * time.Hour)
	again, err = inbox.Claim(t.Context(), "another", time.Minute)
	require.NoError(t, err)
	assert.Equal(t, intram.ClaimBusy, again.State)
	assert.LessOrEqual(t, again.RetryIn, time.Minute)
	clock.Advance(time.Minute)
	again, err = inbox.Claim(t.Context(), "another", time.Minute)
	require.NoError(t, err)
	assert.Equal(t, intram.ClaimHeld, again.State)
	again.Note = "what was taken"
	require.NoError(t, inbox.Complete(t.Context(), again))
	again, err = inbox.Claim(t.Context(), "another", time.Minute)
	require.NoError(t, err)
	assert.Equal(t, intram.ClaimDone, again.State)
	assert.Equal(t, "what was taken", again.Note)
}

func TestAMemoryInboxHeedsItsContext(t *testing.T) {
	t.Parallel()
	inbox := new(intram.MemoryInbox)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := inbox.Claim(ended, "key", time.Minute)
	require.ErrorIs(t, err, context.Canceled)
	claim, err := inbox.Claim(t.Context(), "key", time.Minute)
	require.NoError(t, err)
	require.ErrorIs(t, inbox.Complete(ended, claim), context.Canceled)
	require.ErrorIs(t, inbox.Release(ended, claim), context.Canceled)
	require.NoError(t, inbox.Complete(t.Context(), claim), "nothing was changed")
}

func TestTheStatesOfAClaimHaveNames(t *testing.T) {
	t.Parallel()
	assert.Equal(t, "held busy done invalid", fmt.Sprint(intram.ClaimHeld, intram.ClaimBusy, intram.ClaimDone, intram.ClaimState(0)))
}

func TestAnInboxKeyIsMadeOfSignedContentAlone(t *testing.T) {
	t.Parallel()
	key := func(body, deliveryID string) string {
		verifier := verifierAt(t, newHandClock().at, inboxSecret)
		header := intram.SignWebhook(inboxSecret, newHandClock().at, []byte(body))
		header.Set("X-Intram-Delivery", deliveryID)
		header.Set("X-Intram-Event", "refund.failed")
		event, err := verifier.Verify(header, []byte(body))
		require.NoError(t, err)
		return event.InboxKey()
	}
	ping := `{"event":"test.ping","operation_id":"op_test","data":{}}`
	// printf '%s' '{"event":"test.ping","operation_id":"op_test","data":{}}' | sha256sum
	assert.Equal(t, "51e042014a083c58f27e0f00b5be0c1616e85f248c8bd09c72aff2d69b6173dd", key(ping, "whd_1"))
	// printf 'state\npayout.completed\nop_1' | sha256sum
	assert.Equal(t, "da4c69663d679abf5b5dc2454ee27e5f48a35cd88ed2018c3c710028e4fdd484", key(payoutBody("op_1"), "whd_1"))

	same := key(payoutBody("op_1"), "whd_1")
	assert.Len(t, same, 64)
	assert.Equal(t, same, key(payoutBody("op_1"), "whd_2"))
	assert.Equal(t, same, (&intram.Event{Type: intram.EventPayoutCompleted, OperationID: "op_1"}).InboxKey())
	assert.NotEqual(t, same, key(payoutBody("op_2"), "whd_1"))
	none := `{"event":"payout.completed","data":{"n":1}}`
	assert.NotEqual(t, key(none, ""), key(none+" ", ""), "without an operation the body is all there is")
}
