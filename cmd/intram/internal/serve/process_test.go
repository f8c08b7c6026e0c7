package serve

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/cmd/intram/internal/local"
	"github.com/intram/intram-go/cmd/intram/internal/serve/servetest"
)

func TestCtrlCEndsTheServerCleanly(t *testing.T) {
	t.Parallel()
	p := servetest.Start(t, t.TempDir())
	// One client listens for changes, and one keeps a connection open: neither holds
	// the end up.
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.URL+"/_intram/changes", nil)
	require.NoError(t, err)
	resp, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	_, err = p.Client().Balance.Get(t.Context())
	require.NoError(t, err)

	p.Interrupt() // exit status 0, and no goroutine is left: see TestMain
	_, err = io.Copy(io.Discard, resp.Body)
	require.NoError(t, err, "who listened was told that it is over, and not cut off")
	assert.Equal(t, 0, p.Command.ProcessState.ExitCode())
	assert.Empty(t, p.Stderr.String())
	_, err = local.Read(filepath.Join(p.Cache, "intram", "servers"))
	assert.ErrorIs(t, err, local.ErrNotRunning, "nothing says any more that it runs")
}

func TestThePrintedCallWorksWhenPasted(t *testing.T) {
	t.Parallel()
	servetest.Need(t, "sh", "openssl", "curl", "sed", "date")
	for name, args := range map[string][]string{
		"over http": nil, "over https": {"--tls"}, "with a frozen clock": {"--clock", "frozen"}, "all of it": {"--tls", "--clock", "frozen", "--seed", "7"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := servetest.Start(t, t.TempDir(), args...)
			_, call, ok := strings.Cut(p.Banner, "A signed call, to paste:\n")
			require.True(t, ok, p.Banner)
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
			for line := range strings.SplitSeq(p.Banner, "\n") {
				if !strings.Contains(line, p.Cache) {
					assert.LessOrEqual(t, len(line), 80, line)
				}
			}
		})
	}
}

func TestTheKeysAreTheSameTomorrow(t *testing.T) {
	t.Parallel()
	first, second, other := servetest.Start(t, t.TempDir()), servetest.Start(t, t.TempDir()), servetest.Start(t, t.TempDir(), "--seed", "8")
	assert.Equal(t, first.Local().Sandbox, second.Local().Sandbox)
	assert.Equal(t, first.Local().Live, second.Local().Live)
	assert.NotEqual(t, first.Local().Sandbox, other.Local().Sandbox)
}

// A receiver with a persistent inbox takes an event about a known operation for known.
func TestNoIDComesAgainAtTheNextStart(t *testing.T) {
	t.Parallel()
	state := filepath.Join(t.TempDir(), "state.json")
	for name, args := range map[string][]string{"without a state": nil, "with a seed": {"--seed", "8"}, "with a state": {"--state", state}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			received := servetest.NewReceiver(t)
			ids, deliveries, secrets := map[string]bool{}, map[string]bool{}, []string{}
			var keys []string
			for range 2 {
				p := servetest.Start(t, t.TempDir(), append(args, "--forward-to", received.URL)...)
				keys = append(keys, p.Local().Sandbox.PublicKey+" "+p.Local().Sandbox.SecretKey)
				op, err := p.Client().Payouts.Create(t.Context(), servetest.Payout("22961000000", 100))
				require.NoError(t, err)
				assert.False(t, ids[op.ID], "the id %s comes again", op.ID)
				ids[op.ID] = true
				d := received.Acknowledged(t, "payout.completed", op.ID)
				assert.False(t, deliveries[d.Header.Get("X-Intram-Delivery")])
				deliveries[d.Header.Get("X-Intram-Delivery")] = true
				secrets = append(secrets, strings.Join(regexp.MustCompile(`whsec_\w+`).FindAllString(p.Banner, -1), " "))
				p.Kill()
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
	received := servetest.NewReceiver(t)
	received.Fail(true)
	p := servetest.Start(t, cache, "--state", state, "--forward-to", received.URL)
	secret := regexp.MustCompile(`whsec_\w+`).FindString(p.Banner)
	require.NotEmpty(t, secret, p.Banner)

	accepted, err := p.Client().Payouts.Create(t.Context(), servetest.Payout("22961000008", 1000), intram.WithIdempotencyKey("kept-over-a-crash"))
	require.NoError(t, err)
	other, err := p.Client().Payouts.Create(t.Context(), servetest.Payout("22961000000", 500))
	require.NoError(t, err)
	received.Refused(t, "payout.completed", other.ID) // it will be tried again
	p.Kill()

	p = servetest.Start(t, cache, "--state", state, "--forward-to", received.URL)
	assert.Contains(t, p.Banner, "continued")
	assert.Contains(t, p.Banner, secret, "the subscription is the same one")
	again, err := p.Client().Payouts.Create(t.Context(), servetest.Payout("22961000008", 1000), intram.WithIdempotencyKey("kept-over-a-crash"))
	require.NoError(t, err)
	assert.Equal(t, accepted.ID, again.ID, "the key is remembered: nothing is paid twice")
	op, err := p.Client().Operations.Get(t.Context(), accepted.ID)
	require.NoError(t, err)
	assert.Equal(t, intram.OperationProcessing, op.Status)
	assert.Equal(t, "998500", available(t, p), "both payouts were debited once")

	received.Fail(false)
	p.Dashboard(t).Act("advance", "by", "2m") // the payout's end, and the retry
	verifier, err := intram.NewWebhookVerifier(secret)
	require.NoError(t, err)
	for _, id := range []string{accepted.ID, other.ID} {
		d := received.Acknowledged(t, "payout.completed", id)
		_, err := verifier.WithClock(fixedClock{stamp(t, d)}).Verify(d.Header, d.Body)
		require.NoError(t, err)
	}
	p.Interrupt()

	p = servetest.Start(t, cache, "--state", state)
	result, err := p.Client().Payouts.Wait(t.Context(), accepted.ID)
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
		p := servetest.Start(t, cache, "--state", state)
		client := p.Client()
		for key, id := range answered {
			op, err := client.Payouts.Create(t.Context(), servetest.Payout("22961000000", 100), intram.WithIdempotencyKey(key))
			require.NoError(t, err)
			require.Equal(t, id, op.ID, "an answered payout was forgotten, and paid again")
		}
		var killing sync.WaitGroup
		for i := 0; ; i++ {
			key := "round-" + string(rune('0'+round)) + "-payout-" + string(rune('a'+i))
			if i == 3+round { // somewhere in the next call
				killing.Go(p.Kill)
			}
			op, err := client.Payouts.Create(t.Context(), servetest.Payout("22961000000", 100), intram.WithIdempotencyKey(key))
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
	servetest.Start(t, t.TempDir(), "--state", state)
	_, err := servetest.TryStart(t, t.TempDir(), "--state", state)
	assert.ErrorContains(t, err, "another intram serve is using")
}

func available(t *testing.T, p *servetest.Process) string {
	t.Helper()
	balance, err := p.Client().Balance.Get(t.Context())
	require.NoError(t, err)
	return balance.PaymentMethods[0].Available.String()
}

// fixedClock stands still.
type fixedClock struct{ at time.Time }

func (c fixedClock) Now() time.Time { return c.at }

func (c fixedClock) Sleep(ctx context.Context, _ time.Duration) error { return ctx.Err() }

// stamp is when a delivery says that it was sent: the server's clock was advanced.
func stamp(t *testing.T, d servetest.Delivery) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, d.Header.Get("X-Intram-Timestamp"))
	require.NoError(t, err)
	return at
}
