package intram

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// IntentHorizon is how long after an intent was made it can still be sent. The API keeps idempotency keys for 24 hours; a
// key that was forgotten would be executed again, so the last hour is left alone.
const IntentHorizon = 23 * time.Hour

// retryGrace is how long a call that began within the horizon goes on trying. What is left of the 24 hours is for an attempt that
// hangs on the way: its signature lasts five minutes.
const retryGrace = 30 * time.Minute

// ErrIntentExpired is behind the error of a call whose intent is older than [IntentHorizon]. The API may have
// forgotten the key, so sending it could move the money a second time. Reconcile first: look for the operation
// in the list, by its type and time, and make a new intent only when there is none.
var ErrIntentExpired = errors.New("intram: the intent is older than 23 hours, and the API may have forgotten its key: " +
	"look for the operation in the list before you do anything else")

// ErrIntentMismatch is behind the error of a call whose parameters are not those that its intent was made for.
var ErrIntentMismatch = errors.New("intram: the intent was made for another call or other parameters")

// Intent is a call that is about to be made, as a record to save before it is sent. A program that crashes finds its intents
// again, and calls again with them: what had been executed is not executed twice, and the outcome of the second call
// accounts for the first, of which nothing is known.
//
//	intent, err := client.Payouts.Prepare(params)   // checks the parameters, sends nothing
//	err = db.Save(order, intent)                    // json.Marshal(intent)
//	op, err := client.Payouts.Create(ctx, params, intram.WithIntent(intent))
//
// It holds the key, a hash of the call and a time, and nothing of the customer. Save it as JSON. An intent may be used by one
// goroutine at a time.
type Intent struct {
	// IdempotencyKey is the key that every attempt carries.
	IdempotencyKey string `json:"idempotency_key"`
	// CallSHA256 is a hash of method, path and body, in hex: the parameters must be the same on every call.
	CallSHA256 string `json:"call_sha256"`
	// FirstSentAt is when the intent was made, which is no later than the first attempt.
	FirstSentAt time.Time `json:"first_sent_at"`

	// fresh holds from Prepare to the first call. An intent that was read back is not fresh: it may have been
	// sent before the crash.
	fresh atomic.Bool
}

// WithIntent makes a call that was prepared: with the intent's key, and only with the parameters that it was made for. The first
// call of a process that has read the intent back cannot know what became of earlier ones, so its outcome
// is [OutcomeUnknown] until the API gives a definitive answer to the key.
//
// Errors: [ErrIntentMismatch] and [ErrIntentExpired], before anything is sent.
func WithIntent(intent *Intent) CallOption {
	return callOption(func(cfg *callConfig) {
		cfg.invalid.check(intent != nil, "intent", "intent is nil: make one with Prepare")
		cfg.intent = intent
	})
}

// newIntent records a call that is ready to be sent.
func newIntent(key, hash string, now time.Time) *Intent {
	intent := &Intent{IdempotencyKey: key, CallSHA256: hash, FirstSentAt: now.UTC()}
	intent.fresh.Store(true)
	return intent
}

// check says whether a call may be sent with the intent.
func (i *Intent) check(hash string, now time.Time) error {
	if i.CallSHA256 != hash {
		return ErrIntentMismatch
	}
	if age := now.Sub(i.FirstSentAt); age > IntentHorizon {
		return fmt.Errorf("%w (it is %v old)", ErrIntentExpired, age.Round(time.Minute))
	}
	return nil
}

// resumed reports whether an earlier call may have been made with the intent.
func (i *Intent) resumed() bool { return i != nil && !i.fresh.Load() }

// use notes that a call is made with the intent, and reports whether an earlier one may have been.
func (i *Intent) use() (resumed bool) { return !i.fresh.Swap(false) }

// callHash identifies a call: method, path and body, as the API's own fingerprint does (Merchant API docs, Idempotency).
func callHash(method, path string, body []byte) string {
	h := sha256.New()
	fmt.Fprintf(h, "%s\n%s\n", method, path)
	h.Write(body)
	return hex.EncodeToString(h.Sum(nil))
}
