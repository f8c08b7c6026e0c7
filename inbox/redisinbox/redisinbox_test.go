package redisinbox_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/inbox/redisinbox"
	"github.com/intram/intram-go/internal/inboxtest"
	"github.com/intram/intram-go/intramtest"
)

const secret = "whsec_b4c3a2d1e0f9a8b7"

func newInbox(t *testing.T, client *redis.Client, prefix string) *redisinbox.Inbox {
	t.Helper()
	inbox, err := redisinbox.New(client, redisinbox.WithPrefix(prefix))
	require.NoError(t, err)
	return inbox
}

// passScript lets time go by for what is stored: the server's clock is not ours to set,
// so the stored times move the other way.
var passScript = redis.NewScript(`
for _, key in ipairs(redis.call('KEYS', ARGV[1] .. '*')) do
  redis.call('HINCRBY', key, 'until', -ARGV[2])
  redis.call('PEXPIRE', key, redis.call('PTTL', key) - ARGV[2])
end`)

func pass(ctx context.Context, client *redis.Client, prefix string, d time.Duration) error {
	err := passScript.Run(ctx, client, nil, prefix, d.Milliseconds()).Err()
	if errors.Is(err, redis.Nil) {
		return nil
	}
	return err
}

func TestRedisPassesTheSuite(t *testing.T) {
	t.Parallel()
	intramtest.TestInbox(t, func(t *testing.T) intramtest.InboxStore {
		server, restart := sharedURL(t), (func(*testing.T))(nil)
		if strings.HasSuffix(t.Name(), "restart_of_the_store") { // not under the feet of the others
			own := ownServer(t)
			server, restart = own.url(), func(t *testing.T) { require.NoError(t, own.restart()) }
		}
		prefix, client := newPrefix(), newClient(t, server)
		return intramtest.InboxStore{
			Open:    func(t *testing.T) intram.Inbox { return newInbox(t, newClient(t, server), prefix) },
			Pass:    func(t *testing.T, d time.Duration) { require.NoError(t, pass(t.Context(), client, prefix, d)) },
			Restart: restart,
		}
	})
}

// losingClient returns a client that loses the replies to its next commands, as many as
// it is told. Like every client of go-redis, it sends a command without a reply again.
func losingClient(t *testing.T) (*redis.Client, *atomic.Int32) {
	t.Helper()
	losing := new(atomic.Int32)
	server := sharedURL(t)
	client := newClient(t, server, func(o *redis.Options) {
		network, address := o.Network, o.Addr
		o.MinRetryBackoff, o.MaxRetryBackoff = -1, -1
		dial := inboxtest.DialLosing(losing)
		o.Dialer = func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx, network, address) }
	})
	return client, losing
}

func TestALostReplyIsNoDuplicate(t *testing.T) {
	t.Parallel()
	client, losing := losingClient(t)
	inbox := newInbox(t, client, newPrefix())
	// The connection is up and the scripts are known: the next reply, to a claim, is
	// lost.
	warm, err := inbox.Claim(t.Context(), "warm", time.Minute)
	require.NoError(t, err)
	require.NoError(t, inbox.Complete(t.Context(), warm))

	losing.Store(1)
	claim, err := inbox.Claim(t.Context(), "key", time.Minute)
	require.NoError(t, err)
	assert.Negative(t, losing.Load(), "the answer was lost")
	require.Equal(t, intram.ClaimHeld, claim.State, "and the claim is ours: nobody else has the event")

	losing.Store(1)
	require.NoError(t, inbox.Complete(t.Context(), claim))
	again, err := inbox.Claim(t.Context(), "key", time.Minute)
	require.NoError(t, err)
	assert.Equal(t, intram.ClaimDone, again.State)
}

// What this inbox does not do: with SET NX the retry finds its own key, takes it for
// another's, and the event is lost.
func TestSetNXTakesALostReplyForADuplicate(t *testing.T) {
	t.Parallel()
	client, losing := losingClient(t)
	require.NoError(t, client.Ping(t.Context()).Err())
	losing.Store(1)
	claimed, err := client.SetNX(t.Context(), newPrefix()+"key", "claimed", time.Minute).Result()
	require.NoError(t, err)
	assert.False(t, claimed, "if go-redis has changed, the package's comment must")
}

func TestAnInboxNeedsAClientAPrefixAndARetention(t *testing.T) {
	t.Parallel()
	client := newClient(t, "redis://127.0.0.1:1", func(o *redis.Options) { o.MaxRetries, o.DialerRetries = -1, 1 })
	_, err := redisinbox.New(nil)
	require.ErrorContains(t, err, "the client is nil")
	_, err = redisinbox.New(client, redisinbox.WithPrefix(""))
	require.ErrorContains(t, err, "WithPrefix")
	_, err = redisinbox.New(client, redisinbox.WithRetention(time.Hour))
	require.ErrorContains(t, err, "WithRetention")
	inbox, err := redisinbox.New(client, nil, redisinbox.WithRetention(100*time.Hour))
	require.NoError(t, err)
	_, err = inbox.Claim(t.Context(), "key", time.Minute)
	require.ErrorContains(t, err, "redisinbox: claim: ", "nobody is there")
	require.NotErrorIs(t, inbox.Complete(t.Context(), intram.Claim{Key: "key", Token: "1"}), intram.ErrLeaseLost)
}

func TestWhatIsDoneIsKeptForItsRetention(t *testing.T) {
	t.Parallel()
	client, prefix := newClient(t, sharedURL(t)), newPrefix()
	inbox, err := redisinbox.New(client, redisinbox.WithPrefix(prefix), redisinbox.WithRetention(100*time.Hour))
	require.NoError(t, err)
	claim, err := inbox.Claim(t.Context(), "key", time.Minute)
	require.NoError(t, err)
	require.NoError(t, inbox.Complete(t.Context(), claim))
	left, err := client.PTTL(t.Context(), prefix+"key").Result()
	require.NoError(t, err)
	assert.LessOrEqual(t, left, 100*time.Hour)
	assert.Greater(t, left, 99*time.Hour)
	require.NoError(t, pass(t.Context(), client, prefix, 100*time.Hour))
	again, err := inbox.Claim(t.Context(), "key", time.Minute)
	require.NoError(t, err)
	assert.Equal(t, intram.ClaimHeld, again.State, "Redis has forgotten it by itself")
}

// shop is a merchant's receiver whose effects are in the inbox's Redis.
type shop struct {
	client  *redis.Client
	inbox   *redisinbox.Inbox
	prefix  string
	handler http.Handler
}

func newShop(t *testing.T, client *redis.Client, handle func(context.Context, *redisinbox.Tx, *intram.Event) error) *shop {
	t.Helper()
	verifier, err := intram.NewWebhookVerifier(secret)
	require.NoError(t, err)
	s := &shop{client: client, prefix: newPrefix()}
	s.inbox = newInbox(t, client, s.prefix)
	s.handler = intram.NewWebhookHandler(verifier, s.inbox, s.inbox.InTx(handle))
	return s
}

func (s *shop) deliver() int {
	body := `{"event":"payout.completed","operation_id":"op_1","data":{}}`
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
	r.Header = intram.SignWebhook(secret, time.Now(), []byte(body))
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	return w.Code
}

// writeEffect has two commands, so that a half of it would be seen.
func (s *shop) writeEffect(tx *redisinbox.Tx, event *intram.Event) {
	tx.Do("INCRBY", "effects of "+s.prefix, 1)
	tx.Do("RPUSH", "list of "+s.prefix, event.OperationID, 2, []byte("three"))
}

func (s *shop) effects(t *testing.T) int {
	t.Helper()
	n, err := s.client.Get(t.Context(), "effects of "+s.prefix).Int()
	if !errors.Is(err, redis.Nil) {
		require.NoError(t, err)
	}
	list, err := s.client.LRange(t.Context(), "list of "+s.prefix, 0, -1).Result()
	require.NoError(t, err)
	want := []string{}
	for range n {
		want = append(want, "op_1", "2", "three")
	}
	assert.Equal(t, want, list)
	return n
}

func TestTheEffectAndTheCompletionAreOneStep(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		first  func(*redisinbox.Tx) error // what comes after the first commands
		status int
	}{
		"both":                {func(*redisinbox.Tx) error { return nil }, 200},
		"neither, failed":     {func(*redisinbox.Tx) error { return errors.New("after the commands") }, 500},
		"neither, panicked":   {func(*redisinbox.Tx) error { panic("after the commands") }, 500},
		"neither, no command": {func(tx *redisinbox.Tx) error { tx.Do(); return nil }, 500},
	}
	for name, tt := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			calls := 0
			var s *shop
			s = newShop(t, newClient(t, sharedURL(t)), func(_ context.Context, tx *redisinbox.Tx, event *intram.Event) error {
				s.writeEffect(tx, event)
				if calls++; calls == 1 {
					return tt.first(tx)
				}
				return nil
			})
			assert.Equal(t, tt.status, s.deliver())
			if tt.status != 200 {
				assert.Zero(t, s.effects(t))
			}
			assert.Equal(t, 200, s.deliver())
			assert.Equal(t, 200, s.deliver())
			assert.Equal(t, 1, s.effects(t))
		})
	}
}

func TestAnEffectWhoseReplyIsLostIsMadeOnce(t *testing.T) {
	t.Parallel()
	client, losing := losingClient(t)
	var s *shop
	s = newShop(t, client, func(_ context.Context, tx *redisinbox.Tx, event *intram.Event) error {
		s.writeEffect(tx, event)
		losing.Store(1)
		return nil
	})
	// The server knows the scripts: the lost reply is the one to the effect.
	warm, err := s.inbox.Claim(t.Context(), "warm", time.Minute)
	require.NoError(t, err)
	require.NoError(t, s.inbox.Complete(t.Context(), warm))
	assert.Equal(t, 200, s.deliver())
	assert.Negative(t, losing.Load(), "the answer was lost")
	assert.Equal(t, 1, s.effects(t))
}

// A holder that slept through its lease makes no effect.
func TestAnEffectWhoseLeaseWasLostIsNotMade(t *testing.T) {
	t.Parallel()
	var s *shop
	calls := 0
	s = newShop(t, newClient(t, sharedURL(t)), func(ctx context.Context, tx *redisinbox.Tx, event *intram.Event) error {
		s.writeEffect(tx, event)
		if calls++; calls == 1 {
			if err := pass(ctx, s.client, s.prefix, time.Hour); err != nil {
				return err
			}
			if status := s.deliver(); status != 200 { // another replica takes the event over
				return fmt.Errorf("the other replica answered %d", status)
			}
		}
		return nil
	})
	assert.Equal(t, 500, s.deliver())
	assert.Equal(t, 2, calls)
	assert.Equal(t, 1, s.effects(t), "the other's")
	assert.Equal(t, 200, s.deliver())
	assert.Equal(t, 1, s.effects(t))
}

func TestACommandThatRedisRefusesLeavesTheEventOpen(t *testing.T) {
	t.Parallel()
	var s *shop
	calls := 0
	s = newShop(t, newClient(t, sharedURL(t)), func(_ context.Context, tx *redisinbox.Tx, event *intram.Event) error {
		if calls++; calls == 1 {
			tx.Do("NO SUCH COMMAND")
		}
		s.writeEffect(tx, event)
		return nil
	})
	assert.Equal(t, 500, s.deliver())
	assert.Zero(t, s.effects(t))
	assert.Equal(t, 200, s.deliver())
	assert.Equal(t, 1, s.effects(t))
}

func TestInTxNeedsAClaimAndAFunction(t *testing.T) {
	t.Parallel()
	s := newShop(t, newClient(t, sharedURL(t)), nil)
	assert.Nil(t, s.inbox.InTx(nil))
	assert.Equal(t, 500, s.deliver())
	run := s.inbox.InTx(func(context.Context, *redisinbox.Tx, *intram.Event) error { return nil })
	require.ErrorIs(t, run(t.Context(), &intram.Event{Type: intram.EventPayoutCompleted}), redisinbox.ErrNoClaim)
}
