package intram

import (
	"container/list"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/intram/intram-go/internal/redact"
	"github.com/intram/intram-go/internal/system"
	"github.com/intram/intram-go/internal/transport"
)

// Bounds of an idempotency key (Merchant API docs, Request headers).
const (
	minIdempotencyKey = 8
	maxIdempotencyKey = 128

	idempotencyKeyRule = "8 to 128 characters of A-Z, a-z, 0-9, _ and -"
)

// newIdempotencyKey is the key of a call whose caller gave none: a UUID v4.
func newIdempotencyKey() (string, error) {
	id, err := system.UUID()
	if err != nil {
		return "", err
	}
	return id.String(), nil
}

// validIdempotencyKey reports whether the API takes key: 8 to 128 characters of
// [A-Za-z0-9_-].
func validIdempotencyKey(key string) bool {
	if len(key) < minIdempotencyKey || len(key) > maxIdempotencyKey {
		return false
	}
	for i := range len(key) {
		if c := key[i]; !isAlphanumeric(c) && c != '_' && c != '-' {
			return false
		}
	}
	return true
}

// DeriveIdempotencyKey makes a valid idempotency key from what a call is for ("payout",
// "refund") and the merchant's own reference of it ("PO-2026-0001"). The same two strings
// always make the same key, so a program that crashed can call again without having
// stored a key: within the 24 hours for which the API keeps keys, the call is executed
// once. Those hours begin with the first use of the key, by whatever process and intent.
// Where a crash may last longer, save an intent, and finish it with Resume.
//
// Use a purpose for each kind of call, and a reference that is never reused: a
// second, intended payout needs another reference. Neither string can be read back from
// the key. Both must be non-empty.
//
// Docs: Merchant API, Idempotency.
func DeriveIdempotencyKey(purpose, reference string) (_ string, err error) {
	defer markNotSent(&err)
	if purpose == "" {
		return "", errors.New("intram: purpose is empty: say what the call is for, such as \"payout\"")
	}
	if reference == "" {
		return "", errors.New("intram: reference is empty: give your own identifier of this one payout, refund or payment")
	}
	// The length keeps ("ab", "c") apart from ("a", "bc").
	material := binary.BigEndian.AppendUint64(nil, uint64(len(purpose)))
	material = append(material, purpose...)
	material = append(material, reference...)
	sum := sha256.Sum256(material)
	return "idem_" + hex.EncodeToString(sum[:]), nil
}

// maxDoubts is how many keys in doubt a client remembers. An outage can leave more
// behind; then those that came into doubt first are forgotten.
const maxDoubts = 10_000

// doubts are the idempotency keys that a client's calls have left in doubt, each with the
// time of its first call. The way on from [OutcomeUnknown] is to call again with the same
// key, and what that call is told must not hide what the first may have done: a refused
// connection, or a refusal that came before the API looked at the key, says nothing of
// it. Nor does it when the two calls overlap. So only a response to the key settles a
// doubt: a success, or a stored one.
//
// Each method takes constant time, however many keys there are. A process that starts
// anew has none of them; for that there is [Intent]. The zero value is empty.
type doubts struct {
	mu    sync.Mutex
	keys  map[string]*list.Element
	order list.List // of doubt, in the order in which they arose
	// anyCase says that the server takes keys that differ only in case for one.
	anyCase bool
}

type doubt struct {
	key   string
	first time.Time // when the key was first sent
}

// since reports when the key was first sent, if it is in doubt.
func (d *doubts) since(key string) (time.Time, bool) {
	key = d.folded(key)
	d.mu.Lock()
	defer d.mu.Unlock()
	if e := d.keys[key]; e != nil {
		return valueOf(e).first, true
	}
	return time.Time{}, false
}

// note records that a call left the key in doubt. Of two calls that left it in doubt, the
// one that was sent first counts.
func (d *doubts) note(key string, first time.Time) {
	key = d.folded(key)
	d.mu.Lock()
	defer d.mu.Unlock()
	if e := d.keys[key]; e != nil {
		if known := valueOf(e); first.Before(known.first) {
			known.first = first
		}
		return
	}
	if d.keys == nil {
		d.keys = map[string]*list.Element{}
	}
	d.keys[key] = d.order.PushBack(&doubt{key, first})
	if len(d.keys) > maxDoubts {
		d.drop(d.order.Front())
	}
}

// count returns how many keys are in doubt.
func (d *doubts) count() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.keys)
}

// settle forgets a key that the API has responded to.
func (d *doubts) settle(key string) {
	key = d.folded(key)
	d.mu.Lock()
	defer d.mu.Unlock()
	if e := d.keys[key]; e != nil {
		d.drop(e)
	}
}

// any reports whether a key is in doubt.
func (d *doubts) any() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.keys) > 0
}

// folded is the key as the server tells keys apart.
func (d *doubts) folded(key string) string {
	if d.anyCase {
		return strings.ToLower(key)
	}
	return key
}

func (d *doubts) drop(e *list.Element) {
	delete(d.keys, valueOf(e).key)
	d.order.Remove(e)
}

func valueOf(e *list.Element) *doubt {
	value, _ := e.Value.(*doubt) // the list holds nothing else
	return value
}

// IntentHorizon is how long after an intent was made it can still be sent. The API keeps
// idempotency keys for 24 hours; a key that was forgotten would be executed again, so the
// last hour is left alone.
const IntentHorizon = 23 * time.Hour

// retryGrace is how long a call that began within the horizon goes on trying. What is
// left of the 24 hours is for an attempt that hangs on the way: its signature lasts five
// minutes.
const retryGrace = 30 * time.Minute

// ErrIntentExpired is behind the error of a call whose key was first sent longer than
// [IntentHorizon] ago, by an intent or by an earlier call that is still in doubt. The API
// may have forgotten the key, so sending it could move the money a second time.
// [PayoutsService.Resume] looks for the operation in the list, and tells when a new
// intent is safe; the services of refunds and payment requests have the same method. Do
// not look through the list yourself: an operation that is not found there is a proof
// only under the conditions that Resume checks.
//
// Payin sessions have no list, and so no Resume: look the session up by its reference
// with [PayinService.Get] before you offer another.
var ErrIntentExpired = redact.Sentinel("intram: the API may have forgotten the idempotency key, which it keeps for 24 hours")

// ErrIntentMismatch is behind the error of a call whose parameters are not those that its
// intent was made for, or whose client has another public key or environment.
var ErrIntentMismatch = redact.Sentinel("intram: the intent was made for another call, other parameters or another account")

// Intent is a call that is about to be made, as a record to save before it is sent. A
// program that crashes finds its intents again, and calls again with them: what had been
// executed is not executed twice, and the outcome of the second call accounts for the
// first, of which nothing is known.
//
//	intent, err := client.Payouts.Prepare(params)   // checks the parameters, sends nothing
//	err = db.Save(order, intent)                    // json.Marshal(intent)
//	op, err := client.Payouts.Resume(ctx, params, intent) // now, and again after a crash
//
// It holds the key, hashes of the call and of the account, and a time, and nothing of the
// customer. Save it as JSON. It can be copied; the copies are one intent. Use it in one
// goroutine at a time.
//
// The parameters must say the same on every call: amounts are compared by their value,
// however they were written, and an empty map is no map. Texts are compared byte by byte.
// A reference with an accent can be written in two ways (Unicode NFC and NFD) that look
// alike, and those are two references: normalize yours before you use them.
type Intent struct {
	// IdempotencyKey is the key that every attempt carries.
	IdempotencyKey string `json:"idempotency_key"`
	// CallSHA256 is a hash of method, path and body, in hex: the parameters must be the
	// same on every call.
	CallSHA256 string `json:"call_sha256"`
	// AccountSHA256 is a hash of the environment and the public key, of payin sessions
	// the API client, in hex: another account, which does not know the idempotency key,
	// would execute the call again. With [WithCredentials] it is a hash of
	// [Credentials].Account, and stays the same when the keys change; the public keys
	// that such a client has had count too. It is empty in intents that version 0.1.0
	// saved, which are honoured without it. When fixed keys are rotated while an intent
	// is open, and both keys are the same merchant's in the same environment, empty it.
	AccountSHA256 string `json:"account_sha256,omitempty"`
	// PublicKeySHA256 is a hash of the public key that the client had, with
	// [WithCredentials]. When it has another one, Resume looks for the operation before
	// it sends.
	PublicKeySHA256 string `json:"public_key_sha256,omitempty"`
	// KeyGiven says that the key was given to Prepare, such as a derived one, and may
	// have been sent by an earlier intent: the key is as old as its first use, not as
	// this intent. Resume looks for that before it sends, up to six days back from
	// FirstSentAt: a key that was first used before that is not found, and is sent.
	// Create does not look. Intents that version 0.1.0 saved do not say it: set it, if
	// the key was yours.
	KeyGiven bool `json:"key_given,omitempty"`
	// FirstSentAt is when the intent was made, which is no later than its first attempt.
	FirstSentAt time.Time `json:"first_sent_at"`

	// fresh holds from Prepare to the first call, for all copies. An intent that was read
	// back is not fresh: it may have been sent before the crash.
	fresh *atomic.Bool
}

// WithIntent makes a call that was prepared: with the intent's key, and only with the
// parameters that it was made for. The first call of a process that has read the intent
// back cannot know what became of earlier ones, so its outcome is [OutcomeUnknown] until
// the API gives a definitive response to the key.
//
// Errors: [ErrIntentMismatch], [ErrIntentExpired], and [CodeValidationError] for an
// intent that lost a field since Prepare made it, all before anything is sent.
func WithIntent(intent *Intent) CallOption {
	return callOption(func(cfg *callConfig) {
		cfg.invalid.check(intent != nil, "intent", "intent is nil: make one with Prepare")
		if intent != nil {
			intent.checkFields(&cfg.invalid)
		}
		cfg.intent = intent
	})
}

// earliestIntent is a date before which no intent was made: no payment is so old,
// and clocks that are not set yet start at the Unix epoch. A testing/synctest bubble
// starts in 2000, and its machines may be behind.
var earliestIntent = time.Date(1990, time.January, 1, 0, 0, 0, 0, time.UTC)

// checkFields refuses an intent that lost a field on the way: in a column that was never
// filled, or when it was put together by hand. Without its date, it is not known when it
// may have been executed, and the list of operations of another time proves nothing.
func (i *Intent) checkFields(v *validation) {
	const missing = " is missing: use the intent as Prepare made it, and save all of its JSON"
	v.check(i.IdempotencyKey != "", "intent.idempotency_key", "intent.idempotency_key"+missing)
	v.check(i.CallSHA256 != "", "intent.call_sha256", "intent.call_sha256"+missing)
	v.check(!i.FirstSentAt.Before(earliestIntent), "intent.first_sent_at", "intent.first_sent_at"+missing)
}

// newIntent records a call that is ready to be sent. One whose key is in doubt already is
// not fresh.
func newIntent(account string, c *readyCall, keyGiven bool) *Intent {
	intent := &Intent{
		IdempotencyKey: c.key.value, CallSHA256: callHash(&c.call), AccountSHA256: account,
		KeyGiven: keyGiven, FirstSentAt: c.key.firstSentAt.UTC(), fresh: new(atomic.Bool),
	}
	intent.fresh.Store(!c.key.resumed)
	return intent
}

// SentAt returns the intent as a process finds it that knows only when its key was first
// sent: it may have been executed since, as after UnmarshalJSON. It is for programs that
// keep the key and that time instead of the intent's JSON, and prepare the same call
// again with [WithIdempotencyKey]. A time after FirstSentAt does not make the key
// younger.
func (i *Intent) SentAt(first time.Time) *Intent {
	sent := *i
	sent.fresh = nil
	if first.Before(sent.FirstSentAt) {
		sent.FirstSentAt = first.UTC()
	}
	return &sent
}

// UnmarshalJSON reads a saved intent. Whatever was there before, this one may have been
// sent.
func (i *Intent) UnmarshalJSON(data []byte) error {
	type plain Intent
	var saved plain
	if err := json.Unmarshal(data, &saved); err != nil {
		return err
	}
	*i = Intent(saved)
	return nil
}

// bodyOf compares the intent with a call of an account, and returns the body to send. An
// intent of version 0.1.0 was made of the bytes that 0.1.0 wrote: the API knows its key
// by them, so they are sent again.
func (i *Intent) bodyOf(p *protocol, r *request, call *transport.Call) ([]byte, error) {
	switch {
	case i == nil:
		return call.Body, nil
	case i.AccountSHA256 != "" && i.AccountSHA256 != p.account && !p.keys.owns(i.AccountSHA256):
		return nil, redact.Wrap("the public key (of payin sessions: the API client) or the environment is another", ErrIntentMismatch)
	case i.CallSHA256 == callHash(call):
		return call.Body, nil
	case i.AccountSHA256 == "" && r.legacy != nil:
		written := *call
		var err error
		if written.Body, err = json.Marshal(r.legacy); err == nil && i.CallSHA256 == callHash(&written) {
			return written.Body, nil
		}
	}
	return nil, ErrIntentMismatch
}

// accountHash says whose calls a client makes, without a word of a secret.
func accountHash(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\n")))
	return hex.EncodeToString(sum[:])
}

// checkAge returns an error unless a key of that age may be sent. A date in the future is
// rejected: the age is unknown.
func checkAge(age time.Duration) error {
	switch {
	case age > IntentHorizon:
		return fmt.Errorf("%w (it was first sent %v ago)", ErrIntentExpired, age.Round(time.Minute))
	case age < -retryGrace:
		return fmt.Errorf("%w (its intent was made %v from now: this machine's clock is wrong, or was)", ErrIntentExpired, -age.Round(time.Minute))
	}
	return nil
}

// resumed reports whether an earlier call may have been made with the intent.
func (i *Intent) resumed() bool { return i != nil && (i.fresh == nil || !i.fresh.Load()) }

// use notes that a call is made with the intent.
func (i *Intent) use() {
	if i != nil && i.fresh != nil {
		i.fresh.Store(false)
	}
}

// callHash identifies a call: method, path and body, as the API's own fingerprint does
// (Merchant API docs, Idempotency).
func callHash(call *transport.Call) string {
	h := sha256.New()
	fmt.Fprintf(h, "%s\n%s\n", call.Method, call.Path)
	h.Write(call.Body)
	return hex.EncodeToString(h.Sum(nil))
}
