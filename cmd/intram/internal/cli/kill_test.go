package cli

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/batch"
	"github.com/intram/intram-go/batch/boltjournal"
	"github.com/intram/intram-go/cmd/intram/internal/sheet"
	"github.com/intram/intram-go/intramtest"
)

const (
	killLines = 2000
	kills     = 50
	killSeed  = 7
)

// killer stands between the command and the fake, and kills the command at a call of its
// own choice: before the fake gets it, or after the fake has executed it and before the
// response goes out.
type killer struct {
	next http.Handler

	mu        sync.Mutex
	victim    <-chan *os.Process // nil for none
	countdown int                // calls until the kill
	after     bool               // after the call was executed
	only      string
	killed    atomic.Int32
}

// aim arms the killer for one life of the command.
func (k *killer) aim(victim <-chan *os.Process, countdown int, after bool, only string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.victim, k.countdown, k.after, k.only = victim, countdown, after, only
}

func (k *killer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	k.mu.Lock()
	var victim <-chan *os.Process
	if k.victim != nil && (k.only == "" || strings.HasPrefix(r.Method+" "+r.URL.Path, k.only)) {
		if k.countdown--; k.countdown == 0 {
			victim, k.victim = k.victim, nil
		}
	}
	after := k.after
	k.mu.Unlock()
	if victim == nil {
		k.next.ServeHTTP(w, r)
		return
	}
	defer func() {
		_ = recover()         // a fault of the fake's own cuts the connection too
		_ = (<-victim).Kill() // SIGKILL: nothing is tidied up
		k.killed.Add(1)
		panic(http.ErrAbortHandler)
	}()
	if after {
		k.next.ServeHTTP(httptest.NewRecorder(), r)
	}
}

// TestABatchThatIsKilledFiftyTimesPaysEachLineOnce kills the built command with SIGKILL
// while it pays 2000 lines through a network that loses responses, runs it again each
// time, and then looks at the fake's ledger.
func TestABatchThatIsKilledFiftyTimesPaysEachLineOnce(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	binary := filepath.Join(folder, "intram")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "../..")
	output, err := build.CombinedOutput()
	require.NoError(t, err, "%s", output)

	server, err := intramtest.Start(intramtest.WithSeed(killSeed), intramtest.WithJournalSize(16),
		intramtest.WithBalance(intram.Sandbox, intram.MTNBenin, 1_000_000_000))
	require.NoError(t, err)
	defer server.Close()
	var rates []intramtest.FaultRate
	for _, f := range []intramtest.Fault{
		{Kind: intramtest.DropResponse}, {Kind: intramtest.Truncate}, {Kind: intramtest.Reset}, {Kind: intramtest.NotJSON},
		{Kind: intramtest.ServerError, Executed: true}, {Kind: intramtest.ServerError}, {Kind: intramtest.ProxyError, Executed: true},
		{Kind: intramtest.IdempotencyError},
	} {
		f.Times = 2
		rates = append(rates, intramtest.FaultRate{Fault: f, PerThousand: 8})
	}
	require.NoError(t, server.SeededFaults(killSeed, rates...))
	k := &killer{next: server}
	front := httptest.NewServer(k)
	defer front.Close()

	file := filepath.Join(folder, "salaries.csv")
	require.NoError(t, os.WriteFile(file, killCSV(), 0o600))
	life := func(aim func(<-chan *os.Process)) (code int, said string) {
		cmd := exec.CommandContext(t.Context(), binary, "payouts", "batch", file, "--concurrency", "16", "--max-wait", "30s")
		cmd.Env = append(os.Environ(), "HOME="+folder, "XDG_CONFIG_HOME="+filepath.Join(folder, "config"), "INTRAM_BASE_URL="+front.URL,
			"INTRAM_PUBLIC_KEY="+server.PublicKey, "INTRAM_SECRET_KEY="+server.SecretKey)
		var errs bytes.Buffer
		cmd.Stderr = &errs
		process := make(chan *os.Process, 1)
		if aim != nil {
			aim(process)
		}
		require.NoError(t, cmd.Start())
		process <- cmd.Process
		err := cmd.Wait()
		k.aim(nil, 0, false, "")
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			require.NoError(t, err)
		}
		return cmd.ProcessState.ExitCode(), errs.String()
	}

	draw := rand.New(rand.NewPCG(killSeed, 0))
	lives, said := 0, ""
	for k.killed.Load() < kills {
		lives++
		require.Less(t, lives, 3*kills, "the command ends before it can be killed: %s", said)
		_, said = life(func(victim <-chan *os.Process) {
			// Of ten kills, six fall on a payout, two on a lookup, and two on whatever
			// comes, the reading of the balance included.
			only := []string{"POST", "POST", "POST", "POST", "POST", "POST", "GET /v1/operations", "GET /v1/operations", "", ""}[draw.IntN(10)]
			calls := 40
			if strings.HasPrefix(only, "GET") {
				calls = 6 // a lookup is about many operations at once
			}
			k.aim(victim, 1+draw.IntN(calls), draw.IntN(2) == 0, only)
		})
		require.NotContains(t, said, server.SecretKey)
	}
	var code int

	for range 5 {
		if code, said = life(nil); code == 4 {
			break
		}
	}
	require.Equal(t, 4, code, "every line has ended, and those with bad numbers have failed: %s", said)
	t.Logf("killed %d times in %d lives", k.killed.Load(), lives)
	server.ClearFaults()
	checkPaidOnce(t, server, filepath.Join(folder, "salaries.results.csv"))
	checkJournal(t, server, file)
}

// killCSV is a file of mobile-money lines, some of which fail, and of bank lines.
func killCSV() []byte {
	var b bytes.Buffer
	b.WriteString("reference,amount,provider,msisdn,account_number,swift\n")
	for i := range killLines {
		switch i % 25 {
		case 3:
			fmt.Fprintf(&b, "PAY-%04d,%d,MTN_BENIN_229,229%02d000003,,\n", i, 1000+i, 10+i/25) // declined
		case 7:
			fmt.Fprintf(&b, "PAY-%04d,%d,MTN_BENIN_229,229%02d000013,,\n", i, 1000+i, 10+i/25) // executed, and the response is lost
		case 11:
			fmt.Fprintf(&b, "PAY-%04d,%d,,,BJ0610100100144390%06d,ECOCBJBJ\n", i, 1000+i, i)
		default:
			fmt.Fprintf(&b, "PAY-%04d,%d,MTN_BENIN_229,22961%06d,,\n", i, 1000+i, 100000+i)
		}
	}
	return b.Bytes()
}

// resultsFrom is how many columns the file itself has.
const resultsFrom = 6

func killAmount(i int) int64 { return int64(1000 + i) }

// checkPaidOnce compares the fake's operations and ledger with the file, line by line,
// and with the result file.
func checkPaidOnce(t *testing.T, server *intramtest.Server, resultFile string) {
	t.Helper()
	operations := map[string][]*intram.Operation{}
	for op, err := range server.Client().Operations.All(t.Context(), intram.OperationListParams{Limit: 100}) {
		require.NoError(t, err)
		var sent struct{ Reference string }
		require.NoError(t, json.Unmarshal(op.Payload, &sent))
		operations[sent.Reference] = append(operations[sent.Reference], op)
	}
	data, err := os.ReadFile(resultFile)
	require.NoError(t, err)
	rows, err := csv.NewReader(bytes.NewReader(data)).ReadAll()
	require.NoError(t, err)
	require.Equal(t, sheet.ResultColumns, rows[0][resultsFrom:])
	require.Len(t, rows, killLines+1)

	ledger := server.Ledger()
	debited := map[string]int64{}
	wallets := map[string]bool{}
	for _, method := range []intram.ProviderCode{intram.MTNBenin, intram.MoovBenin, intram.SBINBenin, intramtest.Bank} {
		wallets[server.WalletAccount(intram.Sandbox, method)] = true
	}
	for _, e := range ledger.Entries {
		if wallets[e.Account] && e.OperationID != "" {
			debited[e.OperationID] -= e.Amount
		}
	}
	require.Zero(t, ledger.Sum())
	for i := range killLines {
		reference := fmt.Sprintf("PAY-%04d", i)
		row := rows[i+1]
		require.Equal(t, []string{reference, strconv.Itoa(i + 2)}, []string{row[0], row[resultsFrom]})
		status, code, operation := row[resultsFrom+1], row[resultsFrom+2], row[resultsFrom+4]
		require.Len(t, operations[reference], 1, "%s was asked for once", reference)
		op := operations[reference][0]
		assert.Equal(t, op.ID, operation, reference)
		wantStatus, want := "paid", killAmount(i)
		switch i % 25 {
		case 3:
			wantStatus, want = "failed", 0
			assert.Equal(t, "provider_rejected", code, reference)
		case 11:
			wantStatus = "queued_for_settlement"
		}
		assert.Equal(t, wantStatus, status, reference)
		assert.Equal(t, want, debited[op.ID], "what the wallet lost by %s", reference)
	}
	assert.Len(t, operations, killLines)
}

// checkJournal compares the journal with the result.
func checkJournal(t *testing.T, server *intramtest.Server, file string) {
	t.Helper()
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	run, err := batch.Open(t.Context(), server.Client(), boltjournal.At(file+".journal"), sheet.Read(data).Lines)
	require.NoError(t, err)
	defer func() { require.NoError(t, run.Close()) }()
	results, err := os.ReadFile(strings.TrimSuffix(file, ".csv") + ".results.csv")
	require.NoError(t, err)
	rows, err := csv.NewReader(bytes.NewReader(results)).ReadAll()
	require.NoError(t, err)
	require.Len(t, run.Results(), killLines)
	for i, result := range run.Results() {
		assert.Equal(t, []string{string(result.Status), result.OperationID}, []string{rows[i+1][resultsFrom+1], rows[i+1][resultsFrom+4]}, "line %d", result.Line)
	}
}
