package redislimit_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/limit/redislimit"
)

// The environment of a process of the test.
const (
	processSocket = "INTRAM_TEST_LIMIT_SOCKET" // Redis; when set, this test binary is a process
	processAPI    = "INTRAM_TEST_LIMIT_API"
	processCalls  = "INTRAM_TEST_LIMIT_CALLS"
	processSkew   = "INTRAM_TEST_LIMIT_SKEW"
)

// sharedRate is that of the test's processes.
var sharedRate = redislimit.Rate{Requests: 200, Per: time.Second, Burst: 20}

func isProcess() bool { return os.Getenv(processSocket) != "" }

// runProcess makes calls from four goroutines.
func runProcess() int {
	if err := makeCalls(); err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "process:", err)
		return 1
	}
	return 0
}

func makeCalls() error {
	rdb := redis.NewClient(&redis.Options{Network: "unix", Addr: os.Getenv(processSocket), ContextTimeoutEnabled: true})
	limiter, err := redislimit.New(rdb, "acme/live", sharedRate, redislimit.WithRedisTimeout(time.Minute))
	if err != nil {
		return err
	}
	skew, err := time.ParseDuration(os.Getenv(processSkew))
	if err != nil {
		return err
	}
	calls, err := strconv.Atoi(os.Getenv(processCalls))
	if err != nil {
		return err
	}
	client, err := intram.NewClient("pk_live_a1b2c3d4e5f60718", "sk_live_e5f6a7b8c9d0e1f2",
		intram.WithBaseURL(os.Getenv(processAPI)), intram.WithLimiter(limiter), intram.WithClock(skewedClock(skew)))
	if err != nil {
		return err
	}
	const goroutines = 4
	failed := make(chan error, goroutines)
	for range goroutines {
		go func() {
			for range calls / goroutines {
				if _, err := client.Do(context.Background(), http.MethodGet, "/balance", nil); err != nil {
					failed <- err
					return
				}
			}
			failed <- nil
		}()
	}
	for range goroutines {
		if err := <-failed; err != nil {
			return err
		}
	}
	return nil
}

// skewedClock is a clock that is wrong by so much.
type skewedClock time.Duration

func (c skewedClock) Now() time.Time { return time.Now().Add(time.Duration(c)) }

func (c skewedClock) Sleep(ctx context.Context, d time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	<-ctx.Done()
	return context.Cause(ctx)
}

// process starts one, which ends by itself after its calls.
func process(t *testing.T, server *redisServer, api string, calls int, skew time.Duration) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = []string{
		processSocket + "=" + server.socket(), processAPI + "=" + api,
		processCalls + "=" + strconv.Itoa(calls), processSkew + "=" + skew.String(),
	}
	cmd.Stderr = os.Stderr
	require.NoError(t, cmd.Start())
	return cmd
}

// pass is a request that the limiter let pass: the moment, by the clock of Redis, is
// between the two.
type pass struct{ from, to time.Duration }

// monitor reads what Redis does, until it is told to echo rate:end.
type monitor struct {
	asked  int
	passes []pass
	end    chan struct{}
}

var monitorLine = regexp.MustCompile(`^\+(\d+)\.(\d{6}) \[0 [^\]]*\] "([A-Za-z]+)"(.*)`)

// watch has Redis tell of every command. A script that lets a request pass calls SET,
// and EVALSHA comes before it.
func watch(t *testing.T, server *redisServer) *monitor {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "unix", server.socket())
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	_, err = conn.Write([]byte("MONITOR\r\n"))
	require.NoError(t, err)
	lines := bufio.NewScanner(conn)
	require.True(t, lines.Scan())
	require.Equal(t, "+OK", lines.Text())
	m := &monitor{end: make(chan struct{})}
	go func() {
		defer close(m.end)
		var began time.Duration
		for lines.Scan() {
			parts := monitorLine.FindStringSubmatch(lines.Text())
			if parts == nil || !strings.Contains(parts[4], "rate:") {
				continue
			}
			seconds, _ := strconv.ParseInt(parts[1], 10, 64)
			micros, _ := strconv.ParseInt(parts[2], 10, 64)
			at := time.Duration(seconds)*time.Second + time.Duration(micros)*time.Microsecond
			switch strings.ToUpper(parts[3]) {
			case "EVALSHA", "EVAL":
				began = at
				m.asked++
			case "SET":
				m.passes = append(m.passes, pass{began, at})
			case "ECHO":
				return
			}
		}
	}()
	return m
}

// api is a Merchant API that notes when each request arrives, by the clock of Redis.
type api struct {
	rdb *redis.Client

	mu       sync.Mutex
	arrivals []time.Duration
	many     chan struct{} // closed when a hundred have arrived
}

func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	now, err := a.rdb.Time(context.WithoutCancel(r.Context())).Result()
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	a.mu.Lock()
	a.arrivals = append(a.arrivals, time.Duration(now.UnixMicro())*time.Microsecond)
	if len(a.arrivals) == 100 {
		close(a.many)
	}
	a.mu.Unlock()
	_, _ = w.Write([]byte(`{"error":false,"data":{}}`))
}

// Eight processes, one of which is killed, and two whose clocks are an hour off. What
// passed is measured by the clock of Redis, so that a slow machine changes nothing.
func TestEightProcessesNeverExceedTheRateByMoreThanTheBurst(t *testing.T) {
	t.Parallel()
	server := newServer(t)
	m := watch(t, server)
	a := &api{rdb: server.client(t), many: make(chan struct{})}
	backend := httptest.NewServer(a)
	t.Cleanup(backend.Close)

	const calls = 40
	victim := process(t, server, backend.URL, 1_000_000, 0)
	others := make([]*exec.Cmd, 0, 7)
	for i := range 7 {
		var skew time.Duration
		if i < 2 {
			skew = time.Duration(2*i-1) * time.Hour
		}
		others = append(others, process(t, server, backend.URL, calls, skew))
	}
	select {
	case <-a.many:
	case <-t.Context().Done():
	}
	require.NoError(t, victim.Process.Kill())
	_ = victim.Wait()
	for _, other := range others {
		require.NoError(t, other.Wait(), "a process that is killed holds up no other")
	}
	backend.Close() // after what is in flight
	// MONITOR tells in order: what came before this command has been seen with it.
	_ = a.rdb.Do(t.Context(), "ECHO", "rate:end").Err()
	<-m.end

	keepsRate(t, m.passes)
	assert.Greater(t, m.asked, len(m.passes), "the limit was reached")
	assert.GreaterOrEqual(t, len(a.arrivals), 7*calls+1, "and the killed one's")
	assert.LessOrEqual(t, len(a.arrivals), len(m.passes), "each request asked")
	slices.Sort(a.arrivals)
	for i, at := range a.arrivals {
		// What arrives has passed: however late it is, no more can have arrived by now.
		assert.GreaterOrEqual(t, at-m.passes[0].from, shortest(i+1))
	}
	t.Logf("%d requests of 8 processes in %v, %d per second and a burst of %d: Redis was asked %d times", len(m.passes),
		m.passes[len(m.passes)-1].to-m.passes[0].from, sharedRate.Requests, sharedRate.Burst, m.asked)
}

// keepsRate checks each window that begins and ends with a request.
func keepsRate(t *testing.T, passes []pass) {
	t.Helper()
	for i := range passes {
		for j := i; j < len(passes); j++ {
			if window := passes[j].to - passes[i].from; window < shortest(j-i+1) {
				assert.Failf(t, "too many", "%d requests in %v", j-i+1, window)
				return
			}
		}
	}
}

// shortest returns the least time in which so many requests may pass.
func shortest(n int) time.Duration {
	const rounding = 10 * time.Microsecond
	return time.Duration(n-sharedRate.Burst)*sharedRate.Per/time.Duration(sharedRate.Requests) - rounding
}
