package mockapi

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestRandomHistories lets a client do anything in any order, with lost responses,
// retries, delays and settlements by hand, and after every step compares the wallet with
// a model that knows nothing of the ledger: money moves once for each idempotency key,
// whatever happened to the response.
func TestRandomHistories(t *testing.T) {
	t.Parallel()
	for seed := range uint64(8) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			h := &history{t: t, f: newFixture(t, Config{Seed: seed + 1}), rng: rand.New(rand.NewPCG(seed, 1)), wallet: 1_000_000}
			for range 100 {
				h.step()
				require.Equal(t, h.wallet, h.f.wallet(mtnBenin))
				checkLedger(t, h.f.s)
			}
		})
	}
}

type history struct {
	t      *testing.T
	f      *fixture
	rng    *rand.Rand
	wallet int64

	calls    []call            // made so far, to be repeated
	answers  map[string]string // key → the first response seen
	open     []string          // payments that are not paid
	paid     map[string]int64  // payments → what is left to refund
	settling []settling        // payouts whose end is still to come
}

type settling struct {
	amount int64
	fails  bool
	due    time.Time
}

func (h *history) step() {
	switch h.rng.IntN(8) {
	case 0, 1:
		h.payout()
	case 2:
		h.f.t.Helper()
		_, reference := h.f.requestPayment(100+h.rng.Int64N(5000), mtnBenin, "22961234567")
		h.open = append(h.open, reference)
	case 3:
		h.payOrDecline()
	case 4:
		h.refund()
	case 5, 6:
		h.repeat()
	case 7:
		h.advance(time.Duration(h.rng.IntN(40)) * time.Second)
	}
}

func (h *history) payout() {
	amount := 1 + h.rng.Int64N(20_000)
	outcomes := []string{"22961234567", "22961000000", "22961000001", "22961000002", "22961000008", "22961000009", "22961000013"}
	number := outcomes[h.rng.IntN(len(outcomes))]
	c := call{method: "POST", endpoint: "/payouts", body: payoutBody(amount, number), key: fmt.Sprintf("history-%d", len(h.calls))}
	if h.rng.IntN(4) == 0 {
		require.NoError(h.t, h.f.s.AddFault(Fault{Kind: FaultDropResponse}))
	}
	affordable := amount <= h.wallet
	h.make(c)
	now := h.f.s.Clock().Now()
	switch {
	case !affordable, number == "22961000001", number == "22961000002": // nothing moves, or it comes back at once
	case number == "22961000008":
		h.wallet -= amount
	case number == "22961000009":
		h.wallet -= amount
		h.settling = append(h.settling, settling{amount, true, now.Add(lateAnswer)})
	default:
		h.wallet -= amount
	}
}

// make makes a call once and keeps the response, if there was one.
func (h *history) make(c call) {
	h.calls = append(h.calls, c)
	a, err := h.f.send(c)
	if h.answers == nil {
		h.answers = map[string]string{}
	}
	if err == nil {
		a.ok(202)
		h.answers[c.key] = string(a.body)
	}
}

// repeat makes an earlier call again, with its key: the response is the first one, and
// nothing moves.
func (h *history) repeat() {
	if len(h.calls) == 0 {
		return
	}
	c := h.calls[h.rng.IntN(len(h.calls))]
	if h.rng.IntN(3) == 0 {
		other := c
		other.body = payoutBody(1+h.rng.Int64N(10), "22961234567")
		h.f.do(other).refused(409, "idempotency_conflict")
		return
	}
	a := h.f.do(c).ok(202)
	assert.Equal(h.t, "true", a.header.Get("Idempotent-Replay"))
	if first, ok := h.answers[c.key]; ok {
		assert.Equal(h.t, first, string(a.body))
	}
	h.answers[c.key] = string(a.body)
}

func (h *history) payOrDecline() {
	if len(h.open) == 0 {
		return
	}
	reference := h.open[0]
	h.open = h.open[1:]
	if h.rng.IntN(3) == 0 {
		require.NoError(h.t, h.f.s.Decline(reference))
		return
	}
	require.NoError(h.t, h.f.s.Pay(reference))
	tx, _ := h.f.s.Transaction(reference)
	h.wallet += tx.NetAmount
	if h.paid == nil {
		h.paid = map[string]int64{}
	}
	h.paid[reference] = tx.Amount
}

func (h *history) refund() {
	for reference, left := range h.paid {
		amount := 1 + h.rng.Int64N(left+left/4+1)
		c := call{method: "POST", endpoint: "/refunds", body: refundBody(reference, amount), key: fmt.Sprintf("history-%d", len(h.calls))}
		h.make(c)
		if amount <= left && amount <= h.wallet {
			h.wallet -= amount
			if h.paid[reference] -= amount; h.paid[reference] == 0 {
				delete(h.paid, reference)
			}
		}
		return
	}
}

func (h *history) advance(d time.Duration) {
	h.f.s.Clock().Advance(d)
	now := h.f.s.Clock().Now()
	var still []settling
	for _, s := range h.settling {
		switch {
		case s.due.After(now):
			still = append(still, s)
		case s.fails:
			h.wallet += s.amount
		}
	}
	h.settling = still
}
