package intram

import (
	"container/list"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/intram/intram-go/internal/system"
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

// validIdempotencyKey reports whether the API takes key: 8 to 128 characters of [A-Za-z0-9_-].
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

// DeriveIdempotencyKey makes a valid idempotency key from what a call is for ("payout", "refund") and the
// merchant's own reference of it ("PO-2026-0001"). The same two strings always make the same key, so a
// program that crashed can call again without having stored a key: within the 24 hours for which the
// API keeps keys, the call is executed once. Those hours begin with the first use of the key, by whatever
// process and intent. Where a crash may last longer, save an intent, and finish it with Resume.
//
// Use a purpose for each kind of call, and a reference that names one intent for good: a second, intended
// payout needs another reference. Neither string can be read back from the key. Both must be non-empty.
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

// maxDoubts is how many keys in doubt a client remembers. An outage can leave more behind; then those that came into doubt first are
// forgotten.
const maxDoubts = 10_000

// doubts are the idempotency keys that a client's calls have left in doubt, each with the time of its first call. The way on from
// [OutcomeUnknown] is to call again with the same key, and what that call is told must not hide what the first may have
// done: a refused connection, or a refusal that came before the API looked at the key, says nothing of it. Nor does it
// when the two calls overlap. So only a response to the key settles a doubt: a success, or a stored one.
//
// Each method takes constant time, however many keys there are. A process that starts anew has none of them; for that
// there is [Intent]. The zero value is empty.
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

// note records that a call left the key in doubt. Of two calls that left it in doubt, the one that was sent first counts.
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

// settle forgets a key that the API has responded to.
func (d *doubts) settle(key string) {
	key = d.folded(key)
	d.mu.Lock()
	defer d.mu.Unlock()
	if e := d.keys[key]; e != nil {
		d.drop(e)
	}
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
