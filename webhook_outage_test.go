package intram_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	intram "github.com/intram/intram-go"
)

// An inbox that fails over for seconds, or longer than a lease, must not have the effect
// made again: Intram's next attempt comes a minute later.
func TestAnEffectMadeDuringAnOutageOfTheInboxIsNotForgotten(t *testing.T) {
	t.Parallel()
	for _, away := range []time.Duration{time.Second, 5 * time.Second, 29 * time.Second, 40 * time.Second} {
		t.Run(away.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var down atomic.Bool
				refuse := func(int) error {
					if down.Load() {
						return errors.New("connection refused")
					}
					return nil
				}
				var m *mailbox
				inbox := &faultyInbox{Inbox: new(intram.MemoryInbox), claim: refuse, complete: refuse, release: refuse}
				m = newMailboxWith(t, inbox, func(ctx context.Context, e *intram.Event) error {
					down.Store(true) // between the claim and the completion
					back, cancel := context.WithTimeout(context.Background(), away)
					context.AfterFunc(back, func() { down.Store(false); cancel() })
					return m.takeEffect(ctx, e)
				})
				status := m.deliver(payoutBody("op_1")).Code
				if away < 2*time.Second {
					assert.Equal(t, 200, status)
				} else {
					assert.Equal(t, 503, status)
				}
				elapse(t, time.Minute)
				assert.Equal(t, 200, m.deliver(payoutBody("op_1")).Code)
				assert.Len(t, m.took(), 1)
			})
		})
	}
}

// What another replica has claimed since is its own: the late completion ends, and says
// so.
func TestACompletionThatComesAfterAnotherClaimEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var down atomic.Bool
		down.Store(true)
		store := new(intram.MemoryInbox)
		inbox := &faultyInbox{Inbox: store, complete: func(int) error {
			if down.Load() {
				return errors.New("connection refused")
			}
			return nil
		}}
		m := newMailboxWith(t, inbox, nil)
		assert.Equal(t, 503, m.deliver(payoutBody("op_1")).Code)
		elapse(t, 31*time.Second)
		key := (&intram.Event{Type: intram.EventPayoutCompleted, OperationID: "op_1"}).InboxKey()
		claim, err := store.Claim(t.Context(), key, time.Minute)
		assert.NoError(t, err)
		assert.Equal(t, intram.ClaimHeld, claim.State)
		down.Store(false)
		elapse(t, 2*time.Second)
		assert.Contains(t, m.logged(), "takes effect again")
		assert.NoError(t, store.Complete(t.Context(), claim))
	})
}

type panickingInbox struct {
	intram.Inbox
	claim, complete, release bool
}

func (p panickingInbox) Claim(ctx context.Context, key string, lease time.Duration) (intram.Claim, error) {
	if p.claim {
		panic("Ada Lovelace")
	}
	return p.Inbox.Claim(ctx, key, lease)
}

func (p panickingInbox) Complete(ctx context.Context, claim intram.Claim) error {
	if p.complete {
		panic("Ada Lovelace")
	}
	return p.Inbox.Complete(ctx, claim)
}

func (p panickingInbox) Release(ctx context.Context, claim intram.Claim) error {
	if p.release {
		panic("Ada Lovelace")
	}
	return p.Inbox.Release(ctx, claim)
}

func TestAnInboxThatPanicsOrIsNilAnswers500AndIsLogged(t *testing.T) {
	t.Parallel()
	store := func() intram.Inbox { return new(intram.MemoryInbox) }
	fails := func(context.Context, *intram.Event) error { return errors.New("failed") }
	cases := map[string]struct {
		inbox  intram.Inbox
		handle intram.EventHandler
		log    string
	}{
		"a typed nil":     {(*intram.MemoryInbox)(nil), nil, "the inbox is nil"},
		"a claim's panic": {panickingInbox{Inbox: store(), claim: true}, nil, "panicked with a string"},
		"a completion's":  {panickingInbox{Inbox: store(), complete: true}, nil, "panicked with a string"},
		"a release's":     {panickingInbox{Inbox: store(), release: true}, fails, "panicked with a string"},
		"a runtime panic": {panickingInbox{}, nil, "nil pointer dereference"},
	}
	for name, tt := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m := newMailboxWith(t, tt.inbox, tt.handle)
				assert.Equal(t, 500, m.deliver(payoutBody("op_1")).Code)
				assert.Contains(t, m.logged(), tt.log)
				assert.NotContains(t, m.logged(), "Ada")
				elapse(t, 3*time.Minute) // what goes on in the background ends
			})
		})
	}
}
