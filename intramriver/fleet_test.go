package intramriver_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/internal/pgtest"
	"github.com/intram/intram-go/intramtest"
)

// The fleet is set by the environment: INTRAMRIVER_FLEET=5000/1000/500 is how many
// payouts, payment requests and refunds are committed, INTRAMRIVER_FLEET_HOURS goes on
// for that long instead. `make fleet` sets both.
// fleetPatience is for all that is awaited.
const fleetPatience = 5 * time.Minute

const (
	fleetSize     = "INTRAMRIVER_FLEET"
	fleetHours    = "INTRAMRIVER_FLEET_HOURS"
	fleetRole     = "INTRAMRIVER_FLEET_ROLE"
	fleetRoleIs   = "INTRAMRIVER_FLEET_CONFIG"
	fleetMachines = 3
	fleetSeed     = 16
)

// fleetConfig is what a process of the fleet is told.
type fleetConfig struct {
	Machine  int
	Database string
	API      fleetAPI
	Receiver string        // where the API sends its webhooks
	Sales    int           // payments that can be refunded
	Skew     time.Duration // of the machine's clock
	Pace     time.Duration // between two customers of a machine
}

// playFleet is what TestMain does in a process that the fleet started.
func playFleet(role string) error {
	var c fleetConfig
	if err := json.Unmarshal([]byte(os.Getenv(fleetRoleIs)), &c); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() { // the test has the other end, and is gone when this one closes
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	switch role {
	case "api":
		return playAPI(ctx, c)
	case "machine":
		return playMachine(ctx, c)
	}
	return fmt.Errorf("no such role: %s", role)
}

// player is a process of the fleet, which is started again whenever it ends.
type player struct {
	t      *testing.T
	role   string
	config fleetConfig
	lives  atomic.Int32
	said   atomic.Pointer[string] // the first line of this life: a machine's address
	errors tail

	mu      sync.Mutex
	stopped bool
	command *exec.Cmd
	done    chan struct{}
}

// tail keeps the end of what a process says.
type tail struct {
	mu   sync.Mutex
	text []byte
}

func (w *tail) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.text = append(w.text, p...)
	if more := len(w.text) - 16<<10; more > 0 {
		w.text = w.text[more:]
	}
	return len(p), nil
}

func (w *tail) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return string(w.text)
}

// run starts the process, and again whenever it ends. ready gets the first line of each
// life.
func (p *player) run(ready func(line string)) {
	p.done = make(chan struct{})
	p.t.Cleanup(func() { p.stop(); <-p.done })
	go func() {
		defer close(p.done)
		for p.live(ready) {
		}
	}()
}

func (p *player) live(ready func(line string)) bool {
	config, err := json.Marshal(p.config)
	if err != nil {
		panic(err)
	}
	self, err := os.Executable()
	if err != nil {
		panic(err)
	}
	p.mu.Lock()
	if p.stopped {
		p.mu.Unlock()
		return false
	}
	command := exec.Command(self) //nolint:noctx // ended by stop, with SIGKILL
	command.Env = append(os.Environ(), fleetRole+"="+p.role, fleetRoleIs+"="+string(config))
	command.Stderr = &p.errors
	stdin, err1 := command.StdinPipe()
	stdout, err2 := command.StdoutPipe()
	if err := command.Start(); err != nil || err1 != nil || err2 != nil {
		p.mu.Unlock()
		p.t.Errorf("a process of the fleet does not start: %v", err)
		return false
	}
	p.command = command
	p.lives.Add(1)
	p.mu.Unlock()
	line, _ := bufio.NewReader(stdout).ReadString('\n')
	line = strings.TrimSpace(line)
	p.said.Store(&line)
	if line != "" && ready != nil {
		ready(line)
	}
	_, _ = io.Copy(io.Discard, stdout)
	_ = command.Wait()
	_ = stdin.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.command = nil
	return !p.stopped
}

// kill is kill -9.
func (p *player) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.command != nil {
		_ = p.command.Process.Kill()
	}
}

func (p *player) stop() {
	p.mu.Lock()
	p.stopped = true
	p.mu.Unlock()
	p.kill()
}

// fleet is the whole: the API, the database and the machines.
type fleet struct {
	t        *testing.T
	database *pgtest.Server
	pool     *pgxpool.Pool
	api      fleetAPI
	client   *intram.Client
	machines atomic.Pointer[[]*player]
	turn     atomic.Int64
	draw     *rand.Rand
	kills    int
	outages  int
}

// TestFleet is three machines that pay, ask for payments and refund, against an API that
// loses responses. The machines are killed and the database goes away again and again; at
// the end the API's ledger and the merchant's books say the same, line by line.
func TestFleet(t *testing.T) {
	t.Parallel()
	payouts, requests, refunds := 300, 60, 30
	if size := os.Getenv(fleetSize); size != "" {
		_, err := fmt.Sscanf(size, "%d/%d/%d", &payouts, &requests, &refunds)
		require.NoError(t, err, "%s is like 5000/1000/500", fleetSize)
	}
	target := map[string]int{"payout": payouts, "payment_request": requests, "refund": refunds}
	hours, err := strconv.Atoi("0" + os.Getenv(fleetHours))
	require.NoError(t, err)
	f := newFleet(t, target, hours)

	began := time.Now()
	kills := 25
	if total := payouts + requests + refunds; total > 1000 {
		kills = 100
	}
	for round := 1; ; round++ {
		f.storm(kills, round)
		enough := f.count("SELECT count(*) FROM targets t WHERE wanted > (SELECT count(*) FROM orders o WHERE o.kind = t.kind)") == 0
		if over := time.Since(began) > time.Duration(hours)*time.Hour; over && (enough || hours > 0) {
			break
		}
		f.await("a sweep between two storms", "SELECT EXISTS (SELECT 1 FROM intram_sweeps WHERE finished_at > $1)", f.now())
	}
	f.exec("UPDATE targets SET wanted = 0")
	if hours == 0 {
		assert.Zero(t, f.count("SELECT count(*) FROM targets t WHERE wanted > (SELECT count(*) FROM orders o WHERE o.kind = t.kind)"))
	}
	f.await("every order to end", `SELECT NOT EXISTS (SELECT 1 FROM orders o
		WHERE NOT EXISTS (SELECT 1 FROM intram_records r WHERE r.kind = o.kind AND r.reference = o.reference AND r.ended_at IS NOT NULL))`)
	f.judge(began)
}

func newFleet(t *testing.T, target map[string]int, hours int) *fleet {
	t.Helper()
	f := &fleet{t: t, database: pgtest.New(t), draw: rand.New(rand.NewPCG(fleetSeed, 0))}
	f.pool = newPool(t, f.database.URL())
	migrateAll(t, f.pool)
	f.exec(`
		CREATE TABLE targets (kind text PRIMARY KEY, wanted integer NOT NULL);
		CREATE SEQUENCE customers;
		CREATE TABLE orders (kind text NOT NULL, reference text NOT NULL, amount bigint NOT NULL, PRIMARY KEY (kind, reference));
		CREATE TABLE ends (kind text NOT NULL, reference text NOT NULL, state text NOT NULL, amount bigint NOT NULL, operation_id text NOT NULL, code text NOT NULL);
		CREATE INDEX ON ends (kind, reference);
		CREATE TABLE heard (key text NOT NULL, type text NOT NULL);
		CREATE TABLE asked_twice (reference text NOT NULL)`)
	f.exec("CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NOTIFY fleet; RETURN NULL; END $$")
	for _, table := range []string{"ends", "intram_sweeps"} {
		f.exec("CREATE TRIGGER tell AFTER INSERT OR UPDATE ON " + table + " FOR EACH STATEMENT EXECUTE FUNCTION tell()")
	}
	sales := 0
	for kind, n := range target {
		f.exec("INSERT INTO targets VALUES ($1, $2)", kind, n)
		if kind == "refund" {
			sales = n*2 + 100
		}
	}
	if hours > 0 {
		sales += hours * 20_000
	}

	front := httptest.NewServer(f)
	t.Cleanup(front.Close)
	ready := make(chan string, 1)
	api := &player{t: t, role: "api", config: fleetConfig{Sales: sales, Receiver: front.URL}}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the API said: %s", &api.errors)
		}
	})
	api.run(func(line string) { ready <- line })
	select {
	case line := <-ready:
		require.NoError(t, json.Unmarshal([]byte(line), &f.api))
	case <-t.Context().Done():
		t.Fatalf("the API did not start: %s", &api.errors)
	}
	var err error
	f.client, err = intram.NewClient(f.api.PublicKey, f.api.SecretKey, intram.WithBaseURL(f.api.URL))
	require.NoError(t, err)
	pace := 20 * time.Millisecond
	if target["payout"] > 1000 {
		pace = 10 * time.Millisecond
	}
	machines := make([]*player, fleetMachines)
	for i := range machines {
		m := &player{t: t, role: "machine", config: fleetConfig{Machine: i, Database: f.database.URL(), API: f.api, Sales: sales, Pace: pace}}
		if i == fleetMachines-1 {
			m.config.Skew = 10 * time.Minute
		}
		machines[i] = m
	}
	f.machines.Store(&machines)
	for _, m := range machines {
		m.run(nil)
	}
	t.Cleanup(func() {
		if t.Failed() {
			for i, m := range machines {
				t.Logf("machine %d said at the end: %s", i, &m.errors)
			}
		}
	})
	return f
}

// ServeHTTP is the load balancer in front of the machines: deliveries go to each in turn,
// alive or not.
func (f *fleet) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	machines := f.machines.Load()
	if machines == nil {
		http.Error(w, "no machine", http.StatusServiceUnavailable)
		return
	}
	said := (*machines)[f.turn.Add(1)%int64(len(*machines))].said.Load()
	if said == nil || *said == "" {
		http.Error(w, "the machine is starting", http.StatusServiceUnavailable)
		return
	}
	to, err := url.Parse(*said)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	proxy := httputil.NewSingleHostReverseProxy(to)
	proxy.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	proxy.ServeHTTP(w, r)
}

// storm kills machines, restarts the database twice and crashes it once.
func (f *fleet) storm(kills, round int) {
	f.t.Helper()
	// Kills that waited for anything would come at moments of the program's choice.
	tick := time.NewTicker(300 * time.Millisecond) //nolint:forbidigo // a kill comes at a moment that no program chooses
	defer tick.Stop()
	machines := *f.machines.Load()
	for n := range kills {
		<-tick.C
		machines[f.draw.IntN(len(machines))].kill()
		f.kills++
		if round > 1 && f.draw.IntN(4) > 0 {
			continue // an outage of the database in every fourth storm after the first
		}
		switch n {
		case kills / 5, 2 * kills / 5:
			require.NoError(f.t, f.database.RestartFast())
			f.outages++
		case 3 * kills / 5:
			require.NoError(f.t, f.database.Restart())
			f.outages++
		}
	}
}

func (f *fleet) exec(query string, args ...any) {
	f.t.Helper()
	_, err := f.pool.Exec(f.t.Context(), query, args...)
	require.NoError(f.t, err, query)
}

func (f *fleet) count(query string) int {
	f.t.Helper()
	var n int
	require.NoError(f.t, f.pool.QueryRow(f.t.Context(), query).Scan(&n), query)
	return n
}

func (f *fleet) now() (now time.Time) {
	f.t.Helper()
	require.NoError(f.t, f.pool.QueryRow(f.t.Context(), "SELECT clock_timestamp()").Scan(&now))
	return now
}

// await waits until a condition holds, which is looked at whenever an end or a sweep is
// committed.
func (f *fleet) await(what, condition string, args ...any) {
	f.t.Helper()
	conn, err := pgx.Connect(f.t.Context(), f.database.URL())
	require.NoError(f.t, err)
	defer func() { _ = conn.Close(context.WithoutCancel(f.t.Context())) }()
	_, err = conn.Exec(f.t.Context(), "LISTEN fleet")
	require.NoError(f.t, err)
	began := time.Now()
	for {
		var holds bool
		require.NoError(f.t, conn.QueryRow(f.t.Context(), condition, args...).Scan(&holds))
		if holds {
			f.t.Logf("%s: %v", what, time.Since(began).Round(100*time.Millisecond))
			return
		}
		if time.Since(began) > fleetPatience {
			f.t.Fatalf("waited in vain for %s: %v, jobs %v", what,
				f.lines("SELECT kind || ' ' || state || ' ' || code, count(*) FROM intram_records GROUP BY 1"),
				f.lines("SELECT kind || ' ' || state, count(*) FROM river_job GROUP BY 1"))
		}
		waiting, cancel := context.WithTimeout(f.t.Context(), 10*time.Second)
		_, err := conn.WaitForNotification(waiting)
		cancel()
		if waiting.Err() == nil {
			require.NoError(f.t, err)
		}
		if conn.IsClosed() { // so pgx does when a wait is cancelled
			conn, err = pgx.Connect(f.t.Context(), f.database.URL())
			require.NoError(f.t, err)
			_, err = conn.Exec(f.t.Context(), "LISTEN fleet")
			require.NoError(f.t, err)
		}
	}
}

// judge compares the API's ledger with the merchant's books.
func (f *fleet) judge(began time.Time) {
	t := f.t
	t.Helper()
	orders := f.lines("SELECT kind || ' ' || reference, amount FROM orders")
	// What the books say went out: an order that ended well, with its amount.
	books := f.lines(`SELECT o.kind || ' ' || o.reference, coalesce((SELECT sum(e.amount) FROM ends e
		WHERE e.kind = o.kind AND e.reference = o.reference AND e.state = 'completed' AND e.kind <> 'payment_request'), 0) FROM orders o`)

	told := f.told()
	ledger := map[string]int64{}
	for _, e := range told.Entries {
		if kind, _, _ := strings.Cut(e.Account, ":"); e.OperationID != "" && kind != "wallet" && kind != "pending" && kind != "clearing" && kind != "settlement" && kind != "fees" {
			ledger[e.OperationID] += e.Amount
		}
	}
	operations := map[string][]string{}
	paid := map[string]int64{}
	for op, err := range f.client.Operations.All(t.Context(), intram.OperationListParams{Limit: 100}) {
		require.NoError(t, err)
		reference := referenceOf(t, op)
		if reference == "" {
			continue // a sale, which was there before
		}
		name := string(op.Type) + " " + reference
		operations[name] = append(operations[name], op.ID)
		paid[name] += ledger[op.ID]
	}

	twice, never, stray := 0, 0, 0
	for name := range orders {
		switch n := len(operations[name]); {
		case n > 1:
			twice++
			t.Errorf("%s was executed %d times: %v", name, n, operations[name])
		case n == 0:
			if f.refused(name) {
				continue
			}
			never++
			t.Errorf("%s was never executed", name)
		}
	}
	for name := range operations {
		if _, ordered := orders[name]; !ordered {
			stray++
			t.Errorf("%s was rolled back, and executed", name)
		}
	}
	different := 0
	for name, amount := range books {
		if paid[name] != amount {
			different++
			t.Errorf("%s: the ledger says %d, the books %d", name, paid[name], amount)
		}
	}
	ends := f.count("SELECT count(*) FROM ends")
	assert.Equal(t, len(orders), ends, "each OnEnd took effect once")
	assert.Zero(t, f.count("SELECT count(*) FROM (SELECT 1 FROM ends GROUP BY kind, reference HAVING count(*) > 1) AS twice"))
	assert.Zero(t, f.count("SELECT count(*) FROM intram_records r WHERE NOT EXISTS (SELECT 1 FROM orders o WHERE o.kind = r.kind AND o.reference = r.reference)"))
	heard := f.count("SELECT count(*) FROM heard")
	assert.Zero(t, f.count("SELECT count(*) FROM (SELECT 1 FROM heard GROUP BY key HAVING count(*) > 1) AS twice"), "each event took effect once")
	open := f.count("SELECT count(*) FROM intram_records WHERE ended_at IS NULL")
	assert.Zero(t, open)
	person := f.count("SELECT count(*) FROM intram_records WHERE state = 'needs_person' OR candidates <> '{}'")
	assert.Zero(t, person, "no person was needed")
	for _, kind := range fleetFaults() {
		assert.Positive(t, told.Fired[kind.Kind], "%s never hit", kind.Kind)
	}
	assert.Positive(t, heard)
	assert.Positive(t, f.count("SELECT count(*) FROM asked_twice"))

	states := f.lines("SELECT kind || ' ' || state, count(*) FROM intram_records GROUP BY 1")
	drawn := f.count("SELECT last_value FROM customers")
	moved, sum := 0, int64(0)
	for _, amount := range paid {
		if sum += amount; amount != 0 {
			moved++
		}
	}
	lives := 0
	machines := *f.machines.Load()
	for _, m := range machines {
		lives += int(m.lives.Load())
	}
	t.Logf("%d orders committed of %d begun; %d kills, %d outages of the database, %d lives of %d machines, %v", len(orders), drawn, f.kills, f.outages, lives, len(machines), time.Since(began).Round(time.Second))
	t.Logf("money moved for %d orders, %d XOF in all; %d twice, %d never, %d rolled back and executed, %d lines differ between ledger and books", moved, sum, twice, never, stray, different)
	t.Logf("%d ends for %d orders, %d open, %d need a person; %d events stored by deliveries, %d took effect, none twice", ends, len(orders), open, person,
		f.count("SELECT count(*) FROM intram_events"), heard)
	for _, name := range slices.Sorted(maps.Keys(states)) {
		t.Logf("  %s: %d", name, states[name])
	}
	t.Logf("%d jobs of River for %d records; faults: %v", f.count("SELECT count(*) FROM river_job WHERE kind = 'intram_send'"), f.count("SELECT count(*) FROM intram_records"), told.Fired)
}

func (f *fleet) refused(name string) bool {
	f.t.Helper()
	var refused bool
	require.NoError(f.t, f.pool.QueryRow(f.t.Context(), "SELECT EXISTS (SELECT 1 FROM intram_records WHERE kind || ' ' || reference = $1 AND state = 'refused')", name).Scan(&refused))
	return refused
}

func (f *fleet) lines(query string) map[string]int64 {
	f.t.Helper()
	rows, err := f.pool.Query(f.t.Context(), query)
	require.NoError(f.t, err)
	lines := map[string]int64{}
	var name string
	var amount int64
	_, err = pgx.ForEachRow(rows, []any{&name, &amount}, func() error { lines[name] = amount; return nil })
	require.NoError(f.t, err)
	return lines
}

// told is what the fake says of itself.
func (f *fleet) told() (told fleetTold) {
	f.t.Helper()
	request, err := http.NewRequestWithContext(f.t.Context(), http.MethodGet, f.api.Door, http.NoBody)
	require.NoError(f.t, err)
	response, err := http.DefaultClient.Do(request)
	require.NoError(f.t, err)
	defer func() { _ = response.Body.Close() }()
	require.NoError(f.t, json.NewDecoder(response.Body).Decode(&told))
	return told
}

// fleetTold is what the fake's process says of itself.
type fleetTold struct {
	Entries []intramtest.LedgerEntry
	Fired   map[intramtest.FaultKind]int
}
