package mockapi

import (
	"container/heap"
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// ErrClosed is what waiting ends with when the server is closed meanwhile.
var ErrClosed = errors.New("intramtest: the server is closed")

// sleeperPatience is how much real time a sleep on a frozen clock gives deliveries under
// way to end before it moves the clock. It cannot wait forever: the sleeper may be the
// receiver itself.
const sleeperPatience = 100 * time.Millisecond

// Clock is the server's only source of time, and the only place in the package that reads
// the wall clock or makes a timer.
//
// A frozen clock stands still until Advance or Sleep moves it; a running one follows the
// wall clock and can be moved ahead too. Either way whatever comes due on the way
// (worker, retries, expiry) runs in time order, with the clock showing the time it was
// due.
type Clock struct {
	running bool

	// runMu makes due tasks run one at a time and in order. It is held for the state
	// change a task makes and never while anything waits, so that nothing in a synctest
	// bubble blocks on it.
	runMu sync.Mutex

	// now is the time of a frozen clock, offset how far a running one is ahead of the
	// wall. They are read without the lock, since every request does, and written with
	// it.
	now    atomic.Pointer[time.Time]
	offset atomic.Int64

	mu     sync.Mutex
	tasks  taskHeap
	seq    uint64
	timer  *time.Timer // running: set for the earliest task
	closed chan struct{}

	run  func(task)                 // does what a task says; set by the server
	idle func(stop <-chan struct{}) // waits until no delivery is under way; set by the server

	moved func() // is told when the clock was moved; set by the server
}

// task is something due at a moment. A task of the domain is data (kind and id), so that
// a snapshot can keep it; one that only serves a goroutine of this process (a sleeper, a
// time-out) is a function and is not kept.
type task struct {
	at    time.Time
	seq   uint64
	index int // in the heap; -1 once it has run or been cancelled
	kind  string
	id    string
	fn    func()
}

func newClock(start time.Time, running bool) *Clock {
	c := &Clock{running: running, closed: make(chan struct{}), moved: func() {}}
	switch {
	case !running && start.IsZero():
		start = time.Now().Truncate(time.Millisecond)
	case running && !start.IsZero():
		c.offset.Store(int64(time.Until(start)))
	}
	start = start.UTC()
	c.now.Store(&start)
	return c
}

// Now is the server's time, in UTC.
func (c *Clock) Now() time.Time {
	if c.running {
		return time.Now().Add(time.Duration(c.offset.Load())).UTC()
	}
	return *c.now.Load()
}

// Running reports whether the clock follows the wall clock.
func (c *Clock) Running() bool { return c.running }

// NextDue is when the next thing happens by itself, and whether anything will.
func (c *Clock) NextDue() (time.Time, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.tasks) == 0 {
		return time.Time{}, false
	}
	return c.tasks[0].at, true
}

// Advance moves the clock ahead by d, running in time order whatever comes due, and
// returns when the server is idle: no task due, no delivery under way. It must not be
// called by a webhook receiver, whose own delivery it would wait for. A negative d moves
// nothing.
func (c *Clock) Advance(d time.Duration) {
	target := c.Now().Add(max(d, 0))
	for !c.isClosed() {
		c.idle(nil)
		if c.step(target) {
			continue
		}
		// The deliveries of the last step may have left something due.
		c.idle(nil)
		if !c.dueBy(target) {
			return
		}
	}
}

// Sleep waits for d on the server's clock. A frozen clock is moved to the target, running
// what falls due on the way, so that a client which waits through it never waits in real
// time; a running one is waited for, and Advance shortens the wait. The end of ctx ends
// the sleep at once.
func (c *Clock) Sleep(ctx context.Context, d time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if d <= 0 {
		return nil
	}
	if c.running {
		return c.sleepRunning(ctx, d)
	}
	return c.sleepFrozen(ctx, d)
}

func (c *Clock) sleepFrozen(ctx context.Context, d time.Duration) error {
	target := c.Now().Add(d)
	stop := make(chan struct{})
	if isDelivering(ctx) {
		close(stop) // the sleeper is a receiver: waiting for its delivery would wait for itself
	} else {
		patience := time.AfterFunc(sleeperPatience, func() { close(stop) })
		defer patience.Stop()
	}
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		if c.isClosed() {
			return ErrClosed
		}
		c.idle(stop)
		if !c.step(target) {
			return ctx.Err()
		}
	}
}

func (c *Clock) sleepRunning(ctx context.Context, d time.Duration) error {
	awake := make(chan struct{})
	alarm := c.schedule(task{at: c.Now().Add(d), fn: func() { close(awake) }})
	select {
	case <-awake:
		return nil
	case <-ctx.Done():
		c.cancel(alarm)
		return ctx.Err()
	case <-c.closed:
		return ErrClosed
	}
}

// schedule adds a task and returns it, so that it can be cancelled. A task that is
// already due runs at the next step, not here: the caller may hold the server's lock.
func (c *Clock) schedule(t task) *task {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seq++
	t.seq = c.seq
	heap.Push(&c.tasks, &t)
	c.armLocked()
	return &t
}

// cancel forgets a task that has not run.
func (c *Clock) cancel(t *task) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t.index >= 0 && t.index < len(c.tasks) && c.tasks[t.index] == t {
		heap.Remove(&c.tasks, t.index)
		c.armLocked()
	}
}

// cancelTasks forgets the tasks of one kind about one object.
func (c *Clock) cancelTasks(kind, id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	kept := c.tasks[:0]
	for _, t := range c.tasks {
		if t.kind != kind || t.id != id {
			kept = append(kept, t)
		}
	}
	clear(c.tasks[len(kept):])
	c.tasks = kept
	c.reheapLocked()
}

// reheapLocked puts the tasks in order after they were replaced.
func (c *Clock) reheapLocked() {
	for i, t := range c.tasks {
		t.index = i
	}
	heap.Init(&c.tasks)
	c.armLocked()
}

// runDue runs what is due now.
func (c *Clock) runDue() {
	for now := c.Now(); c.dueBy(now) && !c.isClosed(); {
		if !c.step(now) {
			return
		}
	}
}

// step runs the earliest task due by limit, at its own time. When there is none it moves
// the clock to limit and reports false.
func (c *Clock) step(limit time.Time) bool {
	c.runMu.Lock()
	defer c.runMu.Unlock()
	c.mu.Lock()
	if len(c.tasks) == 0 || c.tasks[0].at.After(limit) {
		c.moveToLocked(limit)
		c.armLocked()
		c.mu.Unlock()
		return false
	}
	t, _ := heap.Pop(&c.tasks).(*task) // it holds nothing else
	c.moveToLocked(t.at)
	c.armLocked()
	c.mu.Unlock()
	if t.fn != nil {
		t.fn()
	} else {
		c.run(*t)
	}
	return true
}

func (c *Clock) dueBy(limit time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.tasks) > 0 && !c.tasks[0].at.After(limit)
}

// moveToLocked moves the clock ahead to t; it never moves it back.
func (c *Clock) moveToLocked(t time.Time) {
	if c.running {
		if ahead := t.Sub(c.Now()); ahead > 0 {
			c.offset.Add(int64(ahead))
			c.moved()
		}
		return
	}
	if t.After(c.Now()) {
		c.now.Store(&t)
		c.moved()
	}
}

// armLocked sets the running clock's timer for the earliest task.
func (c *Clock) armLocked() {
	if !c.running || c.isClosed() {
		return
	}
	if len(c.tasks) == 0 {
		if c.timer != nil {
			c.timer.Stop()
		}
		return
	}
	wait := max(c.tasks[0].at.Sub(c.Now()), 0)
	if c.timer == nil {
		c.timer = time.AfterFunc(wait, c.runDue)
		return
	}
	c.timer.Reset(wait)
}

// guard calls fn after d of real time unless it is stopped first. Only a frozen clock
// needs it: a receiver that hangs would otherwise hang forever, since nothing moves the
// clock.
func (c *Clock) guard(d time.Duration, fn func()) (stop func()) {
	if c.running {
		return func() {}
	}
	timer := time.AfterFunc(d, fn)
	return func() { timer.Stop() }
}

// keep returns the tasks a snapshot holds and the time they count from.
func (c *Clock) keep() (time.Time, []task) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var kept []task
	for _, t := range c.tasks {
		if t.fn == nil {
			kept = append(kept, *t)
		}
	}
	return c.Now(), kept
}

// restore puts the tasks of a snapshot in the place of the present ones. A frozen clock
// goes back to the snapshot's time; a running one goes on, and what is overdue runs at
// once.
func (c *Clock) restore(now time.Time, kept []task) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.running {
		c.now.Store(&now)
	}
	var tasks taskHeap
	for _, t := range c.tasks {
		if t.fn != nil {
			tasks = append(tasks, t)
		}
	}
	for _, t := range kept {
		tasks = append(tasks, &t)
	}
	c.tasks = tasks
	c.reheapLocked()
}

// resume puts a new clock where a saved one was: a frozen one at its time, a running one
// as far ahead of the wall as it was, and in no case before its time.
func (c *Clock) resume(now time.Time, offset time.Duration, kept []task) {
	if c.running {
		c.offset.Store(int64(max(offset, time.Until(now))))
	}
	c.restore(now, kept)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seq = uint64(len(kept))
}

func (c *Clock) isClosed() bool {
	select {
	case <-c.closed:
		return true
	default:
		return false
	}
}

// close stops the clock: no task runs any more and every sleeper wakes with ErrClosed.
func (c *Clock) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.isClosed() {
		return
	}
	close(c.closed)
	if c.timer != nil {
		c.timer.Stop()
	}
	c.tasks = nil
}

// taskHeap orders tasks by time, then by the order they were scheduled in.
//
//nolint:recvcheck // as heap.Interface is used: only Push and Pop change the slice itself
type taskHeap []*task

func (h taskHeap) Len() int { return len(h) }

func (h taskHeap) Less(i, j int) bool {
	if h[i].at.Equal(h[j].at) {
		return h[i].seq < h[j].seq
	}
	return h[i].at.Before(h[j].at)
}

func (h taskHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

func (h *taskHeap) Push(x any) {
	t, _ := x.(*task) // schedule pushes nothing else
	t.index = len(*h)
	*h = append(*h, t)
}

func (h *taskHeap) Pop() any {
	last := len(*h) - 1
	t := (*h)[last]
	(*h)[last] = nil
	t.index = -1
	*h = (*h)[:last]
	return t
}

// deliveringKey marks the context of a request that the server itself sends to a
// receiver.
type deliveringKey struct{}

func isDelivering(ctx context.Context) bool {
	return ctx.Value(deliveringKey{}) != nil
}
