package mockapi

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// TestIdempotencyStoreAgainstItsModel lets requests with few keys begin, repeat, end,
// crash and leave in any order, over days, and compares every response with a model that
// is written from the documentation: one execution a key, its response for 24 hours, a
// conflict for another request, and a concurrent request that waits.
func TestIdempotencyStoreAgainstItsModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rapid.SyncTest(t, func(t *rapid.T) {
			m := &keyMachine{store: newIdempotency(), now: start, keys: map[string]*keyModel{}}
			defer m.leaveAll()
			t.Repeat(rapid.StateMachineActions(m))
		})
	})
}

// keyMachine drives the store and the model of it.
type keyMachine struct {
	store *idempotency
	now   time.Time
	keys  map[string]*keyModel
	serve int // numbers the responses
}

// keyModel is what the documentation says about one key.
type keyModel struct {
	shape   byte
	mine    *execution // under way
	answer  *reply     // given
	expires time.Time
	twins   []*keyTwin
}

// keyTwin is a request that waits for another with its key.
type keyTwin struct {
	since  time.Time
	leave  context.CancelFunc
	result chan claimed
}

type claimed struct {
	mine     *execution
	earlier  *reply
	conflict bool
	err      error
}

var (
	someKeys   = rapid.SampledFrom([]string{"key-a", "key-b", "key-c"})
	someShapes = rapid.SampledFrom([]byte{1, 1, 1, 2})
)

// begin sends a request and returns when it has its response or waits for one.
func (m *keyMachine) begin(key string, shape byte) *keyTwin {
	ctx, leave := context.WithCancel(context.Background())
	w := &keyTwin{since: m.now, leave: leave, result: make(chan claimed, 1)}
	now := m.now
	go func() {
		var c claimed
		c.mine, c.earlier, c.conflict, c.err = m.store.claim(ctx, idempotencyKey{"scope", key}, fingerprint{shape}, now)
		w.result <- c
	}()
	synctest.Wait()
	return w
}

// got returns the response of a request that must have one.
func (w *keyTwin) got(t *rapid.T) claimed {
	select {
	case c := <-w.result:
		w.leave()
		return c
	default:
		t.Fatalf("the request waits")
		return claimed{}
	}
}

// known returns what is known of a key now.
func (m *keyMachine) known(key string) *keyModel {
	k := m.keys[key]
	if k != nil && k.mine == nil && !k.expires.After(m.now) {
		delete(m.keys, key)
		return nil
	}
	return k
}

// Request sends a request with one of a few keys.
func (m *keyMachine) Request(t *rapid.T) {
	key, shape := someKeys.Draw(t, "key"), someShapes.Draw(t, "shape")
	k := m.known(key)
	w := m.begin(key, shape)
	switch {
	case k == nil:
		c := w.got(t)
		if c.mine == nil || c.earlier != nil || c.conflict || c.err != nil {
			t.Fatalf("a new key got %+v, want an execution", c)
		}
		m.keys[key] = &keyModel{shape: shape, mine: c.mine, expires: m.now.Add(24 * time.Hour)}
	case k.shape != shape:
		if c := w.got(t); !c.conflict || c.mine != nil || c.earlier != nil {
			t.Fatalf("another request with the key got %+v, want a conflict", c)
		}
	case k.mine == nil:
		if c := w.got(t); c.mine != nil || c.conflict || c.earlier == nil || c.earlier.status != k.answer.status {
			t.Fatalf("a repeated request got %+v, want the stored answer", c)
		}
	default:
		if len(w.result) > 0 {
			t.Fatalf("the twin of a request under way got %+v, want it to wait", w.got(t))
		}
		k.twins = append(k.twins, w)
	}
}

// underWay draws a key whose request is being executed.
func (m *keyMachine) underWay(t *rapid.T) (string, *keyModel) {
	key := someKeys.Draw(t, "key")
	k := m.keys[key]
	if k == nil || k.mine == nil {
		t.Skip("nothing is under way")
	}
	return key, k
}

// Respond ends an execution: the requests that wait get its response.
func (m *keyMachine) Respond(t *rapid.T) {
	_, k := m.underWay(t)
	m.serve++
	answer := &reply{status: 200 + m.serve}
	m.store.end(k.mine, answer)
	synctest.Wait()
	for _, w := range k.twins {
		if c := w.got(t); c.earlier == nil || c.earlier.status != answer.status {
			t.Fatalf("a twin got %+v, want the answer", c)
		}
	}
	k.mine, k.answer, k.twins = nil, answer, nil
}

// Crash ends an execution without a response: nothing is kept, and a waiting request
// takes its place.
func (m *keyMachine) Crash(t *rapid.T) {
	key, k := m.underWay(t)
	m.store.end(k.mine, nil)
	synctest.Wait()
	if len(k.twins) == 0 {
		delete(m.keys, key)
		return
	}
	k.mine = nil
	var waiting []*keyTwin
	for _, w := range k.twins {
		if len(w.result) == 0 {
			waiting = append(waiting, w)
			continue
		}
		c := w.got(t)
		if c.mine == nil || k.mine != nil {
			t.Fatalf("after a crash a twin got %+v, want one of them to execute", c)
		}
		k.mine, k.expires = c.mine, w.since.Add(24*time.Hour)
	}
	if k.mine == nil {
		t.Fatalf("after a crash no twin took over")
	}
	k.twins = waiting
}

// Leave ends the client of a waiting request.
func (m *keyMachine) Leave(t *rapid.T) {
	_, k := m.underWay(t)
	if len(k.twins) == 0 {
		t.Skip("nobody waits")
	}
	k.twins[0].leave()
	synctest.Wait()
	if c := k.twins[0].got(t); c.err == nil {
		t.Fatalf("a twin that left got %+v", c)
	}
	k.twins = k.twins[1:]
}

// Wait lets time pass.
func (m *keyMachine) Wait(t *rapid.T) {
	m.now = m.now.Add(time.Duration(rapid.IntRange(1, 30*60).Draw(t, "minutes")) * time.Minute)
}

// Restore goes back to a snapshot of this moment, which changes nothing.
func (m *keyMachine) Restore(t *rapid.T) {
	for _, k := range m.keys {
		if k.mine != nil {
			t.Skip("requests are under way, which no snapshot holds")
		}
	}
	m.store.restore(m.store.keep())
}

// Check bounds the store: what is not forgotten is there, and nothing beyond the keys
// there are.
func (m *keyMachine) Check(t *rapid.T) {
	held := 0
	for _, k := range m.keys {
		if k.mine != nil || k.expires.After(m.now) {
			held++
		}
	}
	if size := m.store.size(); size < held || size > 3 {
		t.Fatalf("the store holds %d keys, want %d at least", size, held)
	}
}

// leaveAll ends the goroutines of the machine.
func (m *keyMachine) leaveAll() {
	for _, k := range m.keys {
		for _, w := range k.twins {
			w.leave()
		}
	}
}

// A request that took over counts its day from its own arrival, though a younger key had
// its response first.
func TestTwinThatTookOverExpiresWithItsOwnDay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store, day := newIdempotency(), 24*time.Hour
		claim := func(key string, at time.Time) *execution {
			mine, _, _, err := store.claim(t.Context(), idempotencyKey{"scope", key}, fingerprint{1}, at)
			if err != nil {
				t.Error(err)
			}
			return mine
		}
		first := claim("key-a", start)
		twin := make(chan *execution, 1)
		go func() { twin <- claim("key-a", start) }()
		synctest.Wait()
		store.end(claim("key-b", start.Add(23*time.Hour)), &reply{status: 202})
		store.end(first, nil)
		store.end(<-twin, &reply{status: 202})
		if claim("key-a", start.Add(day-1)) != nil {
			t.Error("the key was forgotten within its day")
		}
		if claim("key-a", start.Add(day)) == nil {
			t.Error("the key was kept for longer than its day")
		}
		if claim("key-b", start.Add(day)) != nil {
			t.Error("the younger key was forgotten")
		}
	})
}
