package serve

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/cmd/intram/internal/local"
)

// process is a running "intram serve".
type process struct {
	t       *testing.T
	command *exec.Cmd
	cache   string // the user's cache directory
	banner  string
	url     string
	stderr  *bytes.Buffer
	drained chan struct{}
}

// startProcess starts "intram serve" on a free port and waits until it has said that it
// is ready.
func startProcess(t *testing.T, cache string, args ...string) *process {
	t.Helper()
	p, err := tryProcess(t, cache, args...)
	require.NoError(t, err)
	return p
}

func tryProcess(t *testing.T, cache string, args ...string) (*process, error) {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	if !strings.Contains(strings.Join(args, " "), "--addr") {
		args = append(args, "--addr", "127.0.0.1:0")
	}
	p := &process{t: t, cache: cache, stderr: &bytes.Buffer{}, drained: make(chan struct{})}
	p.command = exec.CommandContext(context.WithoutCancel(t.Context()), self, args...)
	p.command.Env = append(os.Environ(), playServe+"=1", "XDG_CACHE_HOME="+cache, "HOME="+cache)
	p.command.Stderr = p.stderr
	stdout, err := p.command.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, p.command.Start())
	t.Cleanup(func() {
		_ = p.command.Process.Kill()
		_, _ = p.command.Process.Wait()
	})
	lines := bufio.NewReader(stdout)
	for {
		line, err := lines.ReadString('\n')
		p.banner += line
		if err != nil {
			_ = p.command.Wait()
			return nil, &exec.Error{Name: "intram serve", Err: endError(p.stderr.String())}
		}
		if strings.HasPrefix(line, "Stop with") {
			break
		}
	}
	go func() { defer close(p.drained); _, _ = io.Copy(io.Discard, lines) }()
	p.url = regexp.MustCompile(`https?://\S+`).FindString(p.banner)
	return p, nil
}

type endError string

func (e endError) Error() string { return string(e) }

// interrupt is Ctrl-C, and waits for the end.
func (p *process) interrupt() {
	p.t.Helper()
	require.NoError(p.t, p.command.Process.Signal(syscall.SIGINT))
	<-p.drained
	require.NoError(p.t, p.command.Wait(), "%s", p.stderr)
}

// kill is kill -9.
func (p *process) kill() {
	p.t.Helper()
	require.NoError(p.t, p.command.Process.Kill())
	<-p.drained
	_ = p.command.Wait()
}

func (p *process) local() local.Server {
	p.t.Helper()
	s, err := local.Read(filepath.Join(p.cache, "intram", "servers"))
	require.NoError(p.t, err)
	return s
}

// client is the SDK's, with the keys that the server has told.
func (p *process) client() *intram.Client {
	p.t.Helper()
	keys := p.local().Sandbox
	c, err := intram.NewClient(keys.PublicKey, keys.SecretKey, intram.WithBaseURL(p.url), intram.WithMaxAttempts(1))
	require.NoError(p.t, err)
	return c
}

func payout(msisdn string, amount int64) intram.PayoutParams {
	return intram.PayoutParams{Amount: intram.NewAmount(amount), Destination: intram.MobileMoney{ProviderCode: intram.MTNBenin, MSISDN: msisdn}}
}

func TestCtrlCEndsTheServerCleanly(t *testing.T) {
	t.Parallel()
	p := startProcess(t, t.TempDir())
	// One client listens for changes, and one keeps a connection open: neither holds
	// the end up.
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.url+"/_intram/changes", nil)
	require.NoError(t, err)
	resp, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	_, err = p.client().Balance.Get(t.Context())
	require.NoError(t, err)

	p.interrupt() // exit status 0, and no goroutine is left: see TestMain
	_, err = io.Copy(io.Discard, resp.Body)
	require.NoError(t, err, "who listened was told that it is over, and not cut off")
	assert.Equal(t, 0, p.command.ProcessState.ExitCode())
	assert.Empty(t, p.stderr.String())
	_, err = local.Read(filepath.Join(p.cache, "intram", "servers"))
	assert.ErrorIs(t, err, local.ErrNotRunning, "nothing says any more that it runs")
}

func TestThePrintedCallWorksWhenPasted(t *testing.T) {
	t.Parallel()
	needPrograms(t, "sh", "openssl", "curl", "sed", "date")
	for name, args := range map[string][]string{
		"over http": nil, "over https": {"--tls"}, "with a frozen clock": {"--clock", "frozen"}, "all of it": {"--tls", "--clock", "frozen", "--seed", "7"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := startProcess(t, t.TempDir(), args...)
			_, call, ok := strings.Cut(p.banner, "A signed call, to paste:\n")
			require.True(t, ok, p.banner)
			call, _, _ = strings.Cut(call, "\nStop with")
			shell := exec.CommandContext(t.Context(), "sh", "-c", call)
			shell.Env = append(os.Environ(), "no_proxy=*")
			out, err := shell.CombinedOutput()
			require.NoError(t, err, "%s", out)
			var answer struct {
				Error bool
				Data  struct{ Currency string }
			}
			require.NoError(t, json.Unmarshal(out, &answer), "%s", out)
			assert.False(t, answer.Error, "%s", out)
			assert.Equal(t, "XOF", answer.Data.Currency)
			for line := range strings.SplitSeq(p.banner, "\n") {
				if !strings.Contains(line, p.cache) {
					assert.LessOrEqual(t, len(line), 80, line)
				}
			}
		})
	}
}

func TestTheKeysAreTheSameTomorrow(t *testing.T) {
	t.Parallel()
	first, second, other := startProcess(t, t.TempDir()), startProcess(t, t.TempDir()), startProcess(t, t.TempDir(), "--seed", "8")
	assert.Equal(t, first.local().Sandbox, second.local().Sandbox)
	assert.Equal(t, first.local().Live, second.local().Live)
	assert.NotEqual(t, first.local().Sandbox, other.local().Sandbox)
}

// A receiver with a persistent inbox takes an event about a known operation for known.
func TestNoIDComesAgainAtTheNextStart(t *testing.T) {
	t.Parallel()
	state := filepath.Join(t.TempDir(), "state.json")
	for name, args := range map[string][]string{"without a state": nil, "with a seed": {"--seed", "8"}, "with a state": {"--state", state}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			received := newReceiver(t)
			ids, deliveries, secrets := map[string]bool{}, map[string]bool{}, []string{}
			var keys []string
			for range 2 {
				p := startProcess(t, t.TempDir(), append(args, "--forward-to", received.url)...)
				keys = append(keys, p.local().Sandbox.PublicKey+" "+p.local().Sandbox.SecretKey)
				op, err := p.client().Payouts.Create(t.Context(), payout("22961000000", 100))
				require.NoError(t, err)
				assert.False(t, ids[op.ID], "the id %s comes again", op.ID)
				ids[op.ID] = true
				d := received.acknowledged(t, "payout.completed", op.ID)
				assert.False(t, deliveries[d.header.Get("X-Intram-Delivery")])
				deliveries[d.header.Get("X-Intram-Delivery")] = true
				secrets = append(secrets, strings.Join(regexp.MustCompile(`whsec_\w+`).FindAllString(p.banner, -1), " "))
				p.kill()
			}
			assert.Equal(t, keys[0], keys[1])
			assert.Equal(t, secrets[0], secrets[1], "the secrets of --forward-to stay, each in its environment")
		})
	}
}

func TestWhatWasAnsweredSurvivesKill9(t *testing.T) {
	t.Parallel()
	cache, state := t.TempDir(), filepath.Join(t.TempDir(), "dir")
	require.NoError(t, os.Mkdir(state, 0o700))
	received := newReceiver(t)
	received.fail(true)
	p := startProcess(t, cache, "--state", state, "--forward-to", received.url)
	secret := regexp.MustCompile(`whsec_\w+`).FindString(p.banner)
	require.NotEmpty(t, secret, p.banner)

	accepted, err := p.client().Payouts.Create(t.Context(), payout("22961000008", 1000), intram.WithIdempotencyKey("kept-over-a-crash"))
	require.NoError(t, err)
	other, err := p.client().Payouts.Create(t.Context(), payout("22961000000", 500))
	require.NoError(t, err)
	received.refused(t, "payout.completed", other.ID) // it will be tried again
	p.kill()

	p = startProcess(t, cache, "--state", state, "--forward-to", received.url)
	assert.Contains(t, p.banner, "continued")
	assert.Contains(t, p.banner, secret, "the subscription is the same one")
	again, err := p.client().Payouts.Create(t.Context(), payout("22961000008", 1000), intram.WithIdempotencyKey("kept-over-a-crash"))
	require.NoError(t, err)
	assert.Equal(t, accepted.ID, again.ID, "the key is remembered: nothing is paid twice")
	op, err := p.client().Operations.Get(t.Context(), accepted.ID)
	require.NoError(t, err)
	assert.Equal(t, intram.OperationProcessing, op.Status)
	assert.Equal(t, "998500", available(t, p), "both payouts were debited once")

	received.fail(false)
	p.dashboard(t).act("advance", "by", "2m") // the payout's end, and the retry
	verifier, err := intram.NewWebhookVerifier(secret)
	require.NoError(t, err)
	for _, id := range []string{accepted.ID, other.ID} {
		d := received.acknowledged(t, "payout.completed", id)
		_, err := verifier.WithClock(fixedClock{stamp(t, d)}).Verify(d.header, d.body)
		require.NoError(t, err)
	}
	p.interrupt()

	p = startProcess(t, cache, "--state", state)
	result, err := p.client().Payouts.Wait(t.Context(), accepted.ID)
	require.NoError(t, err)
	assert.Equal(t, "1000", result.Amount.String())
	assert.Equal(t, "998500", available(t, p))
}

// TestNoAnsweredPayoutIsForgottenByKill9 kills the server again and again while payouts
// are made one after the other.
func TestNoAnsweredPayoutIsForgottenByKill9(t *testing.T) {
	t.Parallel()
	cache, state := t.TempDir(), filepath.Join(t.TempDir(), "state.json")
	answered := map[string]string{} // key → operation
	for round := range 5 {
		p := startProcess(t, cache, "--state", state)
		client := p.client()
		for key, id := range answered {
			op, err := client.Payouts.Create(t.Context(), payout("22961000000", 100), intram.WithIdempotencyKey(key))
			require.NoError(t, err)
			require.Equal(t, id, op.ID, "an answered payout was forgotten, and paid again")
		}
		var killing sync.WaitGroup
		for i := 0; ; i++ {
			key := "round-" + string(rune('0'+round)) + "-payout-" + string(rune('a'+i))
			if i == 3+round { // somewhere in the next call
				killing.Go(p.kill)
			}
			op, err := client.Payouts.Create(t.Context(), payout("22961000000", 100), intram.WithIdempotencyKey(key))
			if err != nil {
				break
			}
			answered[key] = op.ID
			if i > 20 {
				break
			}
		}
		killing.Wait()
	}
	require.GreaterOrEqual(t, len(answered), 15)
}

func TestTwoServersDoNotShareAStateFile(t *testing.T) {
	t.Parallel()
	state := filepath.Join(t.TempDir(), "state.json")
	startProcess(t, t.TempDir(), "--state", state)
	_, err := tryProcess(t, t.TempDir(), "--state", state)
	assert.ErrorContains(t, err, "another intram serve is using")
}

func available(t *testing.T, p *process) string {
	t.Helper()
	balance, err := p.client().Balance.Get(t.Context())
	require.NoError(t, err)
	return balance.PaymentMethods[0].Available.String()
}

// needPrograms skips a test on a laptop that lacks a program; CI has all of them.
func needPrograms(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		if _, err := exec.LookPath(name); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatalf("%s is missing, and CI must have it", name)
			}
			t.Skipf("%s is missing", name) //nolint:forbidigo // a laptop may lack the program; CI may not
		}
	}
}

// receiver is a merchant's webhook handler.
type receiver struct {
	url string

	mu         sync.Mutex
	changed    *sync.Cond
	failing    bool
	deliveries []delivered
}

type delivered struct {
	header http.Header
	body   []byte
	taken  bool // and not refused
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{}
	r.changed = sync.NewCond(&r.mu)
	s := httptest.NewServer(r)
	t.Cleanup(s.Close)
	r.url = s.URL + "/webhooks"
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	body, err := io.ReadAll(q.Body)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.failing || err != nil {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	r.deliveries = append(r.deliveries, delivered{q.Header.Clone(), body, !r.failing})
	r.changed.Broadcast()
}

func (r *receiver) fail(failing bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failing = failing
}

// acknowledged waits for an event about an operation to be taken, refused for one to be
// refused.
func (r *receiver) acknowledged(t *testing.T, event, id string) delivered {
	t.Helper()
	return r.wait(t, event, id, true)
}

func (r *receiver) refused(t *testing.T, event, id string) {
	t.Helper()
	r.wait(t, event, id, false)
}

func (r *receiver) wait(t *testing.T, event, id string, taken bool) delivered {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	stop := context.AfterFunc(ctx, r.changed.Broadcast)
	defer stop()
	r.mu.Lock()
	defer r.mu.Unlock()
	for ctx.Err() == nil {
		for _, d := range r.deliveries {
			if d.taken == taken && d.header.Get("X-Intram-Event") == event && bytes.Contains(d.body, []byte(`"operation_id":"`+id+`"`)) {
				return d
			}
		}
		r.changed.Wait()
	}
	require.Failf(t, "the event did not arrive", "%s about %s, taken: %t", event, id, taken)
	return delivered{}
}

// fixedClock stands still.
type fixedClock struct{ at time.Time }

func (c fixedClock) Now() time.Time { return c.at }

func (c fixedClock) Sleep(ctx context.Context, _ time.Duration) error { return ctx.Err() }

// stamp is when a delivery says that it was sent: the server's clock was advanced.
func stamp(t *testing.T, d delivered) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, d.header.Get("X-Intram-Timestamp"))
	require.NoError(t, err)
	return at
}
