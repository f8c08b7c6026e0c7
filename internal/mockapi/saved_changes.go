package mockapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"
)

// Recorder saves a server's state as a log: the whole of it once, and then what has
// changed. Its results are appended to each other, each on a line of its own, and Load
// reads the lines.
//
// Lists are compared by their pointers, and of the objects only those are encoded that
// may have changed: what a call costs does not depend on how much there is, but for these
// comparisons, of some nanoseconds an object.
type Recorder struct {
	server *Server
	saver  *saver // its tables give objects their places; nil before Whole

	touched struct {
		operations   map[*operation]struct{}
		transactions map[*transaction]struct{}
		payins       map[*payin]struct{}
		deliveries   map[*delivery]struct{}
		events       map[*event]struct{}
	}

	// What the last record ended with.
	tasks      []uint64 // by their numbers
	keys       []*execution
	eventLog   []*event
	deliveries []*delivery
	accounts   []savedAccount
	postings   int
	books      map[string]*recordedBook
	down       []string
	behind     []string
	faults     []byte
	fired      map[FaultKind]int
	seeded     *savedSeeded
}

type recordedBook struct {
	wallets       []string
	operations    []*operation
	transactions  []*transaction
	subscriptions []*subscription
	payinWebhook  *subscription
}

// Record begins to take notes of what changes, for a log. A server has one recorder.
func (s *Server) Record() *Recorder {
	r := &Recorder{server: s}
	r.forget()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.recorder = r
	return r
}

// forget begins a new record.
func (r *Recorder) forget() {
	t := &r.touched
	t.operations, t.transactions, t.payins = map[*operation]struct{}{}, map[*transaction]struct{}{}, map[*payin]struct{}{}
	t.deliveries, t.events = map[*delivery]struct{}{}, map[*event]struct{}{}
}

// The functions below note that an object may change before the lock is given up. The
// caller holds the lock.

func (s *Server) touchOperation(op *operation) {
	if s.recorder != nil {
		s.recorder.touched.operations[op] = struct{}{}
	}
}

func (s *Server) touchTransaction(tx *transaction) {
	if s.recorder != nil {
		s.recorder.touched.transactions[tx] = struct{}{}
	}
}

func (s *Server) touchPayin(p *payin) {
	if s.recorder != nil {
		s.recorder.touched.payins[p] = struct{}{}
	}
}

func (s *Server) touchDelivery(d *delivery) {
	if s.recorder != nil {
		s.recorder.touched.deliveries[d] = struct{}{}
	}
}

func (s *Server) touchEvent(e *event) {
	if s.recorder != nil {
		s.recorder.touched.events[e] = struct{}{}
	}
}

// changing returns a transaction that is about to change.
func (s *Server) changing(reference string) *transaction {
	tx := s.state.transactions[reference]
	s.touchTransaction(tx)
	return tx
}

// Whole returns the whole state, as Save does, without a line feed in it. Changes returns
// what changes from now on.
func (r *Recorder) Whole() (data []byte, version uint64, err error) {
	kept, version, err := r.server.keepAll(r)
	if err != nil {
		return nil, 0, err
	}
	data, err = json.Marshal(kept)
	return data, version, err
}

// Changes returns what has changed since the last call of Whole or Changes, without a
// line feed in it. The version is that of Save.
func (r *Recorder) Changes() (data []byte, version uint64, err error) {
	changes, version, err := r.changes()
	if err != nil {
		return nil, 0, err
	}
	data, err = json.Marshal(changes)
	return data, version, err
}

// savedChanges is a record of a log: what became of a saved state.
type savedChanges struct {
	Random uint64        `json:"random"`
	Calls  uint64        `json:"calls"`
	Now    time.Time     `json:"now"`
	Offset time.Duration `json:"offset"`
	Latest time.Time     `json:"latest"`

	Tasks  *listChange[savedTask] `json:"tasks,omitempty"`
	Keys   *listChange[savedKey]  `json:"keys,omitempty"`
	Down   *[]string              `json:"down,omitempty"`
	Behind *[]string              `json:"behind,omitempty"`
	Faults *[]savedFault          `json:"faults,omitempty"`
	Fired  *map[FaultKind]int     `json:"faults_fired,omitempty"`
	Seeded *seededChange          `json:"seeded,omitempty"`

	Accounts      map[int]savedAccount         `json:"accounts,omitempty"` // by place
	Postings      []savedPosting               `json:"postings,omitempty"`
	Books         map[string]bookChange        `json:"books,omitempty"`
	Operations    map[string]*savedOperation   `json:"operations,omitempty"`
	Transactions  map[string]*savedTransaction `json:"transactions,omitempty"`
	Payins        []savedPayin                 `json:"payins,omitempty"`
	Subscriptions []savedSubscription          `json:"subscriptions,omitempty"` // at the table's end: one never changes
	Events        map[int]savedEvent           `json:"events,omitempty"`        // by place in the table
	EventLog      *listChange[int]             `json:"event_log,omitempty"`
	Deliveries    *listChange[savedDelivery]   `json:"deliveries,omitempty"`
	Delivered     []savedDelivery              `json:"delivered,omitempty"` // what became of those that were there
}

// listChange is what became of a list: the places of what is gone from it, and what is
// new at its end.
type listChange[T any] struct {
	Gone []int `json:"gone,omitempty"`
	New  []T   `json:"new,omitempty"`
}

type bookChange struct {
	Wallets       *[]string           `json:"wallets,omitempty"`
	Operations    *listChange[string] `json:"operations,omitempty"`
	Transactions  *listChange[string] `json:"transactions,omitempty"`
	Subscriptions *[]int              `json:"subscriptions,omitempty"`
	PayinWebhook  *int                `json:"payin_webhook,omitempty"`
}

// seededChange is what became of the drawn faults: none any more, others, or further
// attempts at the same ones.
type seededChange struct {
	None     bool           `json:"none,omitempty"`
	Others   *savedSeeded   `json:"others,omitempty"`
	Attempts map[string]int `json:"attempts,omitempty"`
}

// changed compares a list with what it was. Only its end grows. Nothing is nil.
func changed[P comparable, T any](was, is []P, keep func(P) T) *listChange[T] {
	var c listChange[T]
	next := 0
	for i, item := range was {
		if next < len(is) && is[next] == item {
			next++
		} else {
			c.Gone = append(c.Gone, i)
		}
	}
	for _, item := range is[next:] {
		c.New = append(c.New, keep(item))
	}
	if c.Gone == nil && c.New == nil {
		return nil
	}
	return &c
}

// apply makes the list what it became.
func (c *listChange[T]) apply(list []T) ([]T, error) {
	if c == nil {
		return list, nil
	}
	if len(c.Gone) > 0 {
		gone := make(map[int]bool, len(c.Gone))
		for _, i := range c.Gone {
			if i < 0 || i >= len(list) {
				return nil, errDamagedLog
			}
			gone[i] = true
		}
		kept := make([]T, 0, len(list)-len(gone)+len(c.New))
		for i, item := range list {
			if !gone[i] {
				kept = append(kept, item)
			}
		}
		list = kept
	}
	if list = append(list, c.New...); len(list) == 0 {
		return nil, nil
	}
	return list, nil
}

// replaced returns the new value if it differs from the old one, else nil.
func replaced[T comparable](was *[]T, is []T) *[]T {
	if slices.Equal(*was, is) {
		return nil
	}
	*was = slices.Clone(is)
	if is == nil {
		is = []T{}
	}
	return &is
}

var errDamagedLog = errors.New("intramtest: the saved state is damaged: a change does not fit it")

// changes copies what has changed into what can be encoded without a lock.
func (r *Recorder) changes() (*savedChanges, uint64, error) {
	s := r.server
	unlock, err := s.lockSaved()
	if err != nil {
		return nil, 0, err
	}
	defer unlock()
	if r.saver == nil || s.recorder != r {
		return nil, 0, errors.New("intramtest: Recorder: call Whole first, and after each Restore")
	}
	version := s.version.Load()
	k := r.saver
	k.saved = saved{}
	events := len(k.events)
	c := &savedChanges{
		Random: s.entropy.state.Load(), Calls: s.entropy.calls.Load(), Offset: time.Duration(s.clock.offset.Load()), Latest: s.state.latest,
		Operations: map[string]*savedOperation{}, Transactions: map[string]*savedTransaction{}, Events: map[int]savedEvent{},
		Accounts: map[int]savedAccount{}, Books: map[string]bookChange{},
	}
	var tasks []task
	c.Now, tasks = s.keptTasks()
	c.Tasks = r.changedTasks(tasks)
	keys := s.keys.keep()
	c.Keys = changed(r.keys, keys, keepKey)
	r.keys = keys
	c.Down, c.Behind = replaced(&r.down, s.keptDown()), replaced(&r.behind, s.state.behind)
	r.changedFaults(c)
	r.changedLedger(c)
	for a, b := range s.state.books {
		if change, ok := r.changedBook(r.books[a.environment], b); ok {
			c.Books[a.environment] = change
		}
	}
	for op := range r.touched.operations {
		c.Operations[op.id] = keepOperation(op)
	}
	for tx := range r.touched.transactions {
		c.Transactions[tx.reference] = k.transaction(tx)
	}
	for p := range r.touched.payins {
		c.Payins = append(c.Payins, keepPayin(p))
	}
	c.EventLog = changed(r.eventLog, s.state.events, k.event)
	r.changedDeliveries(c)
	r.eventLog, r.deliveries = slices.Clone(s.state.events), slices.Clone(s.state.deliveryLog)
	for e := range r.touched.events {
		if place, there := k.events[e]; there && place < events {
			c.Events[place] = keepEvent(e)
		}
	}
	for i, e := range k.Events { // those that were mentioned for the first time
		c.Events[events+i] = e
	}
	c.Subscriptions = k.Subscriptions
	r.forget()
	return c, version, nil
}

// begin makes the present what the next record is compared with. The caller holds the
// locks of lockSaved.
func (r *Recorder) begin(k *saver) {
	s := r.server
	r.forget()
	r.saver = k
	_, tasks := s.keptTasks()
	r.tasks = numbers(tasks)
	r.keys = s.keys.keep()
	r.eventLog, r.deliveries = slices.Clone(s.state.events), slices.Clone(s.state.deliveryLog)
	r.accounts, r.postings = slices.Clone(k.Accounts), len(k.Postings)
	r.down, r.behind, r.fired, r.seeded = k.Down, k.Behind, k.Fired, k.Seeded
	r.faults, _ = json.Marshal(k.Faults) //nolint:errchkjson // it was made to be encoded
	r.books = map[string]*recordedBook{}
	for a, b := range s.state.books {
		r.books[a.environment] = &recordedBook{
			wallets:    k.Books[a.environment].Wallets,
			operations: slices.Clone(b.operations), transactions: slices.Clone(b.transactions),
			subscriptions: slices.Clone(b.subscriptions), payinWebhook: b.payinWebhook,
		}
	}
	k.saved = saved{} // what is encoded next is only what is new
}

func numbers(tasks []task) []uint64 {
	seqs := make([]uint64, len(tasks))
	for i, t := range tasks {
		seqs[i] = t.seq
	}
	return seqs
}

func (r *Recorder) changedTasks(tasks []task) *listChange[savedTask] {
	is := numbers(tasks)
	c := changed(r.tasks, is, func(seq uint64) savedTask {
		i, _ := slices.BinarySearch(is, seq)
		return savedTask{At: tasks[i].at, Kind: tasks[i].kind, ID: tasks[i].id}
	})
	r.tasks = is
	return c
}

func (r *Recorder) changedFaults(c *savedChanges) {
	k := saver{}
	k.keepFaults(&r.server.faults)
	faults, _ := json.Marshal(k.Faults) //nolint:errchkjson // it was made to be encoded
	if !bytes.Equal(faults, r.faults) {
		r.faults = faults
		if k.Faults == nil {
			k.Faults = []savedFault{}
		}
		c.Faults = &k.Faults
	}
	if !maps.Equal(k.Fired, r.fired) {
		r.fired, c.Fired = k.Fired, &k.Fired
	}
	c.Seeded = changedSeeded(r.seeded, k.Seeded)
	r.seeded = k.Seeded
}

func changedSeeded(was, is *savedSeeded) *seededChange {
	if is == nil {
		if was == nil {
			return nil
		}
		return &seededChange{None: true}
	}
	if was == nil || was.Seed != is.Seed || !slices.Equal(was.Rates, is.Rates) || len(is.Attempts) < len(was.Attempts) {
		return &seededChange{Others: is}
	}
	further := map[string]int{}
	for of, n := range is.Attempts {
		if was.Attempts[of] != n {
			further[of] = n
		}
	}
	switch {
	case len(is.Attempts) > len(was.Attempts)+len(further): // others than there were: they were drawn anew
		return &seededChange{Others: is}
	case len(further) == 0:
		return nil
	}
	return &seededChange{Attempts: further}
}

func (r *Recorder) changedLedger(c *savedChanges) {
	l := &r.server.state.ledger
	for i, a := range l.accounts {
		kept := savedAccount{Name: a.name, Balance: a.balance}
		if i == len(r.accounts) {
			r.accounts = append(r.accounts, savedAccount{})
		}
		if r.accounts[i] != kept {
			r.accounts[i], c.Accounts[i] = kept, kept
		}
	}
	for ; r.postings < l.size(); r.postings++ {
		c.Postings = append(c.Postings, keepPosting(l.postings[r.postings/postingBlock][r.postings%postingBlock]))
	}
}

func (r *Recorder) changedBook(was *recordedBook, b *book) (c bookChange, ok bool) {
	k := r.saver
	c = bookChange{
		Wallets:      replaced(&was.wallets, b.walletCodes()),
		Operations:   changed(was.operations, b.operations, func(op *operation) string { return op.id }),
		Transactions: changed(was.transactions, b.transactions, func(tx *transaction) string { return tx.reference }),
	}
	was.operations, was.transactions = grown(was.operations, b.operations), grown(was.transactions, b.transactions)
	if !slices.Equal(was.subscriptions, b.subscriptions) {
		was.subscriptions = slices.Clone(b.subscriptions)
		places := []int{}
		for _, sub := range b.subscriptions {
			places = append(places, k.subscription(sub))
		}
		c.Subscriptions = &places
	}
	if was.payinWebhook != b.payinWebhook {
		was.payinWebhook = b.payinWebhook
		place := k.payinWebhook(b)
		c.PayinWebhook = &place
	}
	return c, c != (bookChange{})
}

// grown returns a copy of a list that only grows, in the room of the last one.
func grown[P any](was, is []P) []P { return append(was, is[len(was):]...) }

func (r *Recorder) changedDeliveries(c *savedChanges) {
	s, k := r.server, r.saver
	fresh := map[*delivery]bool{}
	c.Deliveries = changed(r.deliveries, s.state.deliveryLog, func(d *delivery) savedDelivery {
		fresh[d] = true
		return k.delivery(d)
	})
	for d := range r.touched.deliveries {
		if !fresh[d] && s.state.deliveries[d.id] == d {
			c.Delivered = append(c.Delivered, k.delivery(d))
		}
	}
}

// apply makes a saved state what it became.
func (c *savedChanges) apply(k *saved) error {
	k.Random, k.Calls, k.Now, k.Offset, k.Latest = c.Random, c.Calls, c.Now, c.Offset, c.Latest
	var err error
	check := func(e error) { err = errors.Join(err, e) }
	var e error
	k.Tasks, e = c.Tasks.apply(k.Tasks)
	check(e)
	k.Keys, e = c.Keys.apply(k.Keys)
	check(e)
	k.EventLog, e = c.EventLog.apply(k.EventLog)
	check(e)
	k.Deliveries, e = c.Deliveries.apply(k.Deliveries)
	check(e)
	if c.Down != nil {
		k.Down = *c.Down
	}
	if c.Behind != nil {
		k.Behind = *c.Behind
	}
	if c.Faults != nil {
		k.Faults = *c.Faults
	}
	if c.Fired != nil {
		k.Fired = *c.Fired
	}
	check(c.Seeded.apply(k))
	k.Accounts, e = placed(k.Accounts, c.Accounts)
	check(e)
	k.Postings = append(k.Postings, c.Postings...)
	check(c.applyBooks(k))
	maps.Copy(k.Operations, c.Operations)
	maps.Copy(k.Transactions, c.Transactions)
	k.Payins = upserted(k.Payins, c.Payins, func(p savedPayin) string { return p.ID })
	k.Subscriptions = append(k.Subscriptions, c.Subscriptions...)
	k.Events, e = placed(k.Events, c.Events)
	check(e)
	k.Deliveries = upserted(k.Deliveries, c.Delivered, func(d savedDelivery) string { return d.ID })
	return err
}

func (c *seededChange) apply(k *saved) error {
	switch {
	case c == nil:
	case c.None:
		k.Seeded = nil
	case c.Others != nil:
		k.Seeded = c.Others
	case k.Seeded == nil:
		return errDamagedLog
	default:
		if k.Seeded.Attempts == nil {
			k.Seeded.Attempts = map[string]int{}
		}
		maps.Copy(k.Seeded.Attempts, c.Attempts)
	}
	return nil
}

func (c *savedChanges) applyBooks(k *saved) (err error) {
	for environment, change := range c.Books {
		b, ok := k.Books[environment]
		if !ok {
			return errDamagedLog
		}
		if change.Wallets != nil {
			b.Wallets = *change.Wallets
		}
		if change.Subscriptions != nil {
			b.Subscriptions = *change.Subscriptions
		}
		if change.PayinWebhook != nil {
			b.PayinWebhook = *change.PayinWebhook
		}
		if b.Operations, err = change.Operations.apply(b.Operations); err != nil {
			return err
		}
		if b.Transactions, err = change.Transactions.apply(b.Transactions); err != nil {
			return err
		}
		k.Books[environment] = b
	}
	return nil
}

// placed puts items in their places, of which those beyond the end follow it without a
// gap.
func placed[T any](list []T, items map[int]T) ([]T, error) {
	for _, i := range slices.Sorted(maps.Keys(items)) {
		switch {
		case i >= 0 && i < len(list):
			list[i] = items[i]
		case i == len(list):
			list = append(list, items[i])
		default:
			return nil, errDamagedLog
		}
	}
	return list, nil
}

// upserted replaces the items of a list that are there by their ids, and appends the
// others. What changes is mostly near the end.
func upserted[T any](list, items []T, id func(T) string) []T {
next:
	for _, item := range items {
		for i := len(list) - 1; i >= 0; i-- {
			if id(list[i]) == id(item) {
				list[i] = item
				continue next
			}
		}
		list = append(list, item)
	}
	return list
}

// decodeWhole reads the whole that a saved state begins with, which a person may have
// indented, and returns the lines of changes behind it.
func decodeWhole(data []byte, into any) (changes []byte, err error) {
	d := json.NewDecoder(bytes.NewReader(data))
	err = d.Decode(into)
	rest := bytes.TrimLeft(data[d.InputOffset():], " \t\r")
	if err != nil || len(rest) > 0 && rest[0] != '\n' {
		return nil, errors.New("intramtest: the saved state is damaged: it is not JSON of ours")
	}
	return bytes.TrimLeft(rest, "\n"), nil
}

// readSaved reads a saved state: the whole of it, and the changes in the lines after it.
// A last line that is incomplete belongs to a call that got no response, and is left out.
func readSaved(data []byte) (*saved, error) {
	var kept saved
	rest, err := decodeWhole(data, &kept)
	if err != nil {
		return nil, err
	}
	for len(rest) > 0 {
		line, after, ended := bytes.Cut(rest, []byte("\n"))
		var c savedChanges
		if err := json.Unmarshal(line, &c); err != nil || !ended {
			if len(after) == 0 {
				break
			}
			return nil, errors.New("intramtest: the saved state is damaged: a change is not JSON of ours")
		}
		if err := c.apply(&kept); err != nil {
			return nil, err
		}
		rest = after
	}
	slices.SortFunc(kept.Payins, func(a, b savedPayin) int { return strings.Compare(a.ID, b.ID) })
	return &kept, nil
}
