package intramtest_test

import (
	"context"
	"sync"
	"testing"
	"time"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/intramtest"
)

func TestMemoryInboxPassesTheSuite(t *testing.T) {
	t.Parallel()
	intramtest.TestInbox(t, func(*testing.T) intramtest.InboxStore {
		clock := &inboxClock{at: time.Date(2026, 5, 20, 10, 30, 0, 0, time.UTC)}
		inbox := &intram.MemoryInbox{Clock: clock}
		return intramtest.InboxStore{
			Open: func(*testing.T) intram.Inbox { return inbox },
			Pass: func(_ *testing.T, d time.Duration) { clock.pass(d) },
		}
	})
}

// inboxClock is moved by hand, backwards too.
type inboxClock struct {
	mu sync.Mutex
	at time.Time
}

func (c *inboxClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *inboxClock) Sleep(ctx context.Context, _ time.Duration) error { return ctx.Err() }

func (c *inboxClock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}
