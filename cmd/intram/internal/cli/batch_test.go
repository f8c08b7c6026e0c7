package cli

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/xuri/excelize/v2"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/batch"
	"github.com/intram/intram-go/batch/boltjournal"
	"github.com/intram/intram-go/cmd/intram/internal/sheet"
	"github.com/intram/intram-go/internal/system"
	"github.com/intram/intram-go/intramtest"
)

const salaries = `reference,amount,provider,msisdn,account_number,swift
PAY-1,1000,MTN_BENIN_229,22961000000,,
PAY-2,2000,MTN_BENIN_229,22961000003,,
PAY-3,3000,,,BJ0610100100144390000769,ECOCBJBJ
`

func TestABatchIsPaidAndItsResultsAreWritten(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	file := b.file(t, "salaries.csv", salaries)
	assert.Contains(t, b.ok(t, "payouts", "batch", file, "--dry-run"), "No mistake found. Nothing was sent.")
	assert.NoFileExists(t, file+".journal")

	r := b.run(t, "payouts", "batch", file)
	assert.Equal(t, exitFailed, r.code)
	b.golden(t, "batch", r.out)
	assert.Contains(t, r.err, "3 payouts to make, 6 000 XOF in all; 3 000 000 XOF available.")
	assert.Contains(t, r.err, "3 of 3 done, 1 failed, 0 remaining")
	data, err := os.Open(filepath.Join(b.home, "salaries.results.csv"))
	require.NoError(t, err)
	defer func() { require.NoError(t, data.Close()) }()
	rows, err := csv.NewReader(data).ReadAll()
	require.NoError(t, err)
	require.Len(t, rows, 4)
	assert.Equal(t, sheet.ResultColumns, rows[0][6:])
	for i, want := range [][]string{
		{"PAY-1", "2", "paid", "", ""},
		{"PAY-2", "3", "failed", "provider_rejected", "no money moved; the operator refused: see intram operations get"},
		{"PAY-3", "4", "queued_for_settlement", "", "with the bank, not paid yet"},
	} {
		row := rows[i+1]
		assert.Equal(t, want, []string{row[0], row[6], row[7], row[8], row[9]})
		assert.True(t, strings.HasPrefix(row[10], "op_"))
		assert.Regexp(t, `^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$`, row[14])
		assert.Regexp(t, `^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$`, row[15])
	}

	var again struct {
		Summary map[batch.State]int
		Results []batch.Result
	}
	b.json(t, &again, "payouts", "batch", file)
	assert.Equal(t, map[batch.State]int{batch.Paid: 1, batch.Failed: 1, batch.Queued: 1}, again.Summary)
	posts := 0
	for _, request := range b.server.Requests() {
		if request.Method == http.MethodPost {
			posts++
		}
	}
	assert.Equal(t, 3, posts, "the second run sends nothing")

	b.file(t, "salaries.csv", strings.ReplaceAll(salaries, "1000", "9000"))
	r = b.run(t, "payouts", "batch", file)
	assert.Equal(t, exitUsage, r.code)
	assert.Contains(t, strings.Join(strings.Fields(r.err), " "), "the lines have changed since it was begun")
}

// What failed is corrected in a file of its own, and paid once.
func TestWhatFailedIsWrittenForAnotherAttempt(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	file, retry := b.file(t, "salaries.csv", salaries), filepath.Join(b.home, "retry.csv")
	r := b.run(t, "payouts", "batch", file, "--retry-file", retry)
	assert.Equal(t, exitFailed, r.code)
	assert.Contains(t, strings.Join(strings.Fields(r.err), " "), "1 line failed and can be paid with "+retry)
	written, err := os.ReadFile(retry)
	require.NoError(t, err)
	assert.Equal(t, "reference,amount,provider,msisdn,account_number,swift\nPAY-2-R2,2000,MTN_BENIN_229,22961000003,,\n", string(written))

	// It is written again while it is as it was, and never once a person has corrected
	// it.
	assert.Equal(t, exitFailed, b.run(t, "payouts", "batch", file, "--retry-file", retry).code)
	corrected := strings.ReplaceAll(string(written), "22961000003", "22961000033")
	require.NoError(t, os.WriteFile(retry, []byte(corrected), 0o600))
	r = b.run(t, "payouts", "batch", file, "--retry-file", retry)
	assert.Equal(t, exitFailed, r.code)
	assert.Contains(t, strings.Join(strings.Fields(r.err), " "), "has other lines than those that failed, and is not overwritten")
	kept, err := os.ReadFile(retry)
	require.NoError(t, err)
	assert.Equal(t, corrected, string(kept))

	assert.Zero(t, b.run(t, "payouts", "batch", retry).code)
	require.NoError(t, os.WriteFile(retry, written, 0o600))
	r = b.run(t, "payouts", "batch", file, "--retry-file", retry)
	assert.Contains(t, strings.Join(strings.Fields(r.err), " "), "is being paid, and is not overwritten")

	good := b.file(t, "good.csv", "reference,amount,provider,msisdn\nA,5,MTN_BENIN_229,22961000000\n")
	none := filepath.Join(b.home, "none.csv")
	r = b.run(t, "payouts", "batch", good, "--retry-file", none)
	assert.Zero(t, r.code)
	assert.Contains(t, r.err, "No line failed for certain")
	assert.NoFileExists(t, none)
}

func TestNoFileOfABatchIsWrittenOverAnother(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	file := b.file(t, "salaries.csv", salaries)
	link := filepath.Join(b.home, "link.csv")
	require.NoError(t, os.Symlink(file, link))
	other := filepath.Join(b.home, "other.csv")
	for _, args := range [][]string{
		{"--results", file}, {"--results", link}, {"--journal", file}, {"--retry-file", file}, {"--retry-file", link},
		{"--results", other, "--retry-file", filepath.Join(b.home, ".", "other.csv")}, {"--journal", other, "--results", other},
	} {
		r := b.run(t, append([]string{"payouts", "batch", file}, args...)...)
		assert.Equal(t, exitUsage, r.code, "%v", args)
		assert.Contains(t, strings.Join(strings.Fields(r.err), " "), "name another", "%v", args)
	}
	kept, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Equal(t, salaries, string(kept))
	assert.Empty(t, b.server.Requests())
}

func TestATemplateIsWrittenAndPaid(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, name := range []string{"new.csv", "new.xlsx"} {
		path := filepath.Join(b.home, name)
		assert.Contains(t, strings.Join(strings.Fields(b.ok(t, "payouts", "batch", "--template", path)), " "), name+": one line for each payout")
		r := b.run(t, "payouts", "batch", "--template", path)
		assert.Equal(t, exitUsage, r.code)
		assert.Contains(t, strings.Join(strings.Fields(r.err), " "), "exists already: name another")
	}
	for _, args := range [][]string{
		{"--template", filepath.Join(b.home, "new.ods")}, {"--template", filepath.Join(b.home, "none", "new.csv")},
		{"--template", filepath.Join(b.home, "x.csv"), "salaries.csv"}, {},
	} {
		assert.Equal(t, exitUsage, b.run(t, append([]string{"payouts", "batch"}, args...)...).code, "%v", args)
	}
	book, err := excelize.OpenFile(filepath.Join(b.home, "new.xlsx"))
	require.NoError(t, err)
	require.NoError(t, book.SetSheetRow("Sheet1", "A2", &[]any{"007", 25000, "MTN_BENIN_229", "0161000000"}))
	require.NoError(t, book.Save())
	require.NoError(t, book.Close())
	require.Zero(t, b.run(t, "payouts", "batch", filepath.Join(b.home, "new.xlsx")).code)
	results, err := excelize.OpenFile(filepath.Join(b.home, "new.results.xlsx"))
	require.NoError(t, err)
	rows, err := results.GetRows("Sheet1")
	require.NoError(t, err)
	require.NoError(t, results.Close())
	assert.Equal(t, []string{"007", "25000", "MTN_BENIN_229", "0161000000", "", "", "", "2", "paid"}, rows[1][:9])
}

func TestABatchIsRefusedAsAWhole(t *testing.T) {
	t.Parallel()
	b := newBench(t, intramtest.WithBalance(intram.Sandbox, intram.MTNBenin, 10))
	bad := b.file(t, "bad.csv", "reference,amount,provider,msisdn\nA,ten,MTN_BENIN_229,22961000000\nA,5,ORANGE,1\n")
	r := b.run(t, "payouts", "batch", bad)
	assert.Equal(t, exitUsage, r.code)
	b.golden(t, "batch-refused", r.err)
	var problems struct{ Problems []sheet.Problem }
	assert.Equal(t, exitUsage, b.json(t, &problems, "payouts", "batch", bad).code)
	assert.Len(t, problems.Problems, 4)

	dear := b.file(t, "dear.csv", "reference,amount,provider,msisdn\nA,9000000,MTN_BENIN_229,22961000000\n")
	r = b.run(t, "payouts", "batch", dear)
	assert.Equal(t, exitUsage, r.code)
	assert.Contains(t, strings.Join(strings.Fields(r.err), " "), "MTN_BENIN_229: 1 line comes to 9 000 000, and its wallet has 10 available: short by 8 999 990")
	assert.NoFileExists(t, dear+".journal")
	assert.Equal(t, exitFailed, b.run(t, "payouts", "batch", dear, "--ignore-balance").code)
	for _, wrong := range [][]string{{"--concurrency", "0"}, {"--concurrency", "33"}, {"--max-wait", "-1s"}} {
		assert.Equal(t, exitUsage, b.run(t, append([]string{"payouts", "batch", bad}, wrong...)...).code)
	}
	assert.Equal(t, exitUsage, b.run(t, "payouts", "batch", "missing.csv").code)
	for _, request := range b.server.Requests() {
		assert.NotContains(t, string(request.Body), `"A","amount":5`)
	}
}

func TestAFileWhoseLinesWerePaidUnderAnotherNameIsRefused(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	require.Equal(t, exitFailed, b.run(t, "payouts", "batch", b.file(t, "salaries.csv", salaries)).code)
	b.server.Advance(6 * 24 * time.Hour)
	again := b.file(t, "corrected.csv", strings.ReplaceAll(salaries, "22961000003", "22961000033"))
	r := b.run(t, "payouts", "batch", again)
	assert.Equal(t, exitUsage, r.code)
	said := strings.Join(strings.Fields(r.err), " ")
	assert.Contains(t, said, "corrected.csv:2: reference: used before, by operation op_")
	assert.Contains(t, said, "corrected.csv:4: reference: used before")
	assert.NotContains(t, said, "corrected.csv:3:", "what failed may be paid")
	assert.Contains(t, said, "has 2 problems; nothing was sent")

	// Nothing else that is allowed allows that.
	r = b.run(t, "payouts", "batch", again, "--allow-duplicates", "--ignore-balance", "--allow-provider", "X", "--yes")
	assert.Equal(t, exitUsage, r.code)
	assert.Contains(t, strings.Join(strings.Fields(r.err), " "), "has 2 problems; nothing was sent")

	b.file(t, "corrected.csv", "reference,amount,provider,msisdn\nPAY-2,2000,MTN_BENIN_229,22961000033\n")
	assert.Zero(t, b.run(t, "payouts", "batch", again).code)
	next := b.file(t, "next.csv", salaries)
	assert.Equal(t, exitFailed, b.run(t, "payouts", "batch", next, "--allow-known-references").code)
	b.server.Advance(9 * 24 * time.Hour) // a week, and a day for a clock that is wrong
	later := b.file(t, "later.csv", salaries+"PAY-4,5,MTN_BENIN_229,22961000044,,\n")
	assert.Equal(t, exitFailed, b.run(t, "payouts", "batch", later).code, "a reference of long ago may come again")
}

func TestALiveBatchIsAskedAbout(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.live()
	file := b.file(t, "salaries.csv", salaries)
	r := b.run(t, "payouts", "batch", file)
	assert.Equal(t, exitUsage, r.code)
	assert.Contains(t, strings.Join(strings.Fields(r.err), " "), "give --yes to make 3 payouts, 6 000 in all")
	assert.NoFileExists(t, file+".journal", "nothing was sent: nothing is to be remembered")
	b.person, b.stdin = true, "yes\n"
	assert.Zero(t, b.run(t, "payouts", "batch", file).code, "live numbers all succeed in the fake")
}

// A batch that version 0.1.0 has begun belongs to the bytes of its file, and goes on.
func TestABatchOfVersion010GoesOn(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	file := b.file(t, "salaries.csv", salaries)
	sum := sha256.Sum256([]byte(salaries))
	begun := batch.Binding{Version: 1, SHA256: hex.EncodeToString(sum[:]), Environment: intram.Sandbox, PublicKey: b.server.PublicKey}
	held, err := boltjournal.At(file+".journal").Acquire(t.Context(), begun)
	require.NoError(t, err)
	require.NoError(t, held.Put(t.Context(), 2, batch.Record{State: batch.Paid, OperationID: "op_1"}))
	require.NoError(t, held.Release())
	r := b.run(t, "payouts", "batch", file)
	assert.Equal(t, exitFailed, r.code, r.err)
	assert.Contains(t, r.err, "1 of 3 lines ended, 2 never sent")
	b.file(t, "salaries.csv", salaries+"\n")
	assert.Equal(t, exitUsage, b.run(t, "payouts", "batch", file).code)
}

func TestTwoRunsAtOnceAreRefused(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	file := b.file(t, "salaries.csv", salaries)
	held, err := boltjournal.At(file+".journal").Acquire(t.Context(), batch.Binding{})
	require.NoError(t, err)
	r := b.run(t, "payouts", "batch", file)
	assert.Equal(t, exitUsage, r.code)
	assert.Contains(t, strings.Join(strings.Fields(r.err), " "), "another run holds the batch")
	require.NoError(t, held.Release())
}

// interrupting ends the run's context at its n-th payout.
type interrupting struct {
	next   http.RoundTripper
	count  atomic.Int32
	at     int32
	cancel context.CancelFunc
}

func (i *interrupting) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodPost && i.count.Add(1) == i.at {
		i.cancel()
	}
	return i.next.RoundTrip(r)
}

func TestABatchThatIsInterruptedGoesOn(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var content strings.Builder
	content.WriteString("reference,amount,provider,msisdn\n")
	for i := range 40 {
		fmt.Fprintf(&content, "PAY-%d,%d,MTN_BENIN_229,22961%06d\n", i, 100+i, 100000+i)
	}
	file := b.file(t, "salaries.csv", content.String())
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	plain := b.opts
	b.opts = append(b.opts, intram.WithHTTPClient(&http.Client{Transport: &interrupting{next: b.server.Transport(), at: 10, cancel: cancel}}))
	r := b.runWith(t, ctx, "payouts", "batch", file)
	assert.Equal(t, exitInDoubt, r.code)
	assert.Contains(t, r.err, "interrupted; run the same command again")
	b.opts = plain
	r = b.run(t, "payouts", "batch", file)
	assert.Zero(t, r.code, r.err)
	assert.Contains(t, r.err, "Going on with")
	operations := 0
	for _, err := range b.server.Client().Operations.All(t.Context(), intram.OperationListParams{}) {
		require.NoError(t, err)
		operations++
	}
	assert.Equal(t, 40, operations)
}

// A run that is killed writes no results. Those of the run before would call lines not
// sent that it has paid.
func TestNoResultsOfAnEarlierRunAreLeftWhileLinesAreSent(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	file := b.file(t, "salaries.csv", salaries)
	results := filepath.Join(b.home, "salaries.results.csv")
	plain := b.opts
	b.opts = append(b.opts, intram.WithHTTPClient(&http.Client{Transport: refusing{b.server.Transport()}}))
	assert.Equal(t, exitInDoubt, b.run(t, "payouts", "batch", file).code)
	assert.FileExists(t, results)

	var sent atomic.Int32
	b.opts = append(slices.Clip(plain), intram.WithHTTPClient(&http.Client{Transport: beforePost{b.server.Transport(), func() {
		sent.Add(1)
		assert.NoFileExists(t, results)
	}}}))
	assert.Equal(t, exitFailed, b.run(t, "payouts", "batch", file).code)
	assert.Positive(t, sent.Load())
	assert.FileExists(t, results)

	// Of a folder nothing can be removed by that name: nothing is sent.
	other := b.file(t, "more.csv", strings.ReplaceAll(salaries, "PAY", "MORE"))
	require.NoError(t, os.MkdirAll(filepath.Join(b.home, "more.results.csv", "inside"), 0o700))
	sent.Store(0)
	r := b.run(t, "payouts", "batch", other)
	assert.Equal(t, exitUsage, r.code)
	assert.Contains(t, r.err, "nothing was sent: the results of an earlier run cannot be removed")
	assert.Zero(t, sent.Load())
}

// beforePost calls a function before each POST.
type beforePost struct {
	next http.RoundTripper
	call func()
}

func (o beforePost) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodPost {
		o.call()
	}
	return o.next.RoundTrip(r)
}

func TestABatchThatDoesNotWaitSaysSo(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	file := b.file(t, "salaries.csv", salaries)
	r := b.run(t, "payouts", "batch", file, "--max-wait", "0")
	assert.Equal(t, exitUnfinished, r.code)
	assert.Contains(t, r.out, "unfinished")
	assert.Equal(t, exitFailed, b.run(t, "payouts", "batch", file).code)
}

func TestABatchStopsWhenTheMerchantIsRefused(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	file := b.file(t, "salaries.csv", salaries)
	b.opts = append(b.opts, intram.WithHTTPClient(&http.Client{Transport: refusing{b.server.Transport()}}))
	r := b.run(t, "payouts", "batch", file)
	assert.Equal(t, exitInDoubt, r.code, "what was written down may have been sent")
	assert.Contains(t, r.err, "merchant_inactive")
	b.opts = b.opts[:2]
	assert.Equal(t, exitFailed, b.run(t, "payouts", "batch", file).code)
}

// refusing refuses each payout in the API's own words: the merchant is not active.
type refusing struct{ next http.RoundTripper }

func (f refusing) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method != http.MethodPost {
		return f.next.RoundTrip(r)
	}
	w := httptest.NewRecorder()
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusForbidden)
	_, _ = w.WriteString(`{"error":true,"code":"merchant_inactive","message":"This merchant is not active"}`)
	return w.Result(), nil
}

func TestTheProgressBarFitsATerminal(t *testing.T) {
	t.Parallel()
	for _, failed := range []int{0, 1234, 40_000} {
		var errs bytes.Buffer
		a := &app{err: &errs, clock: system.Clock{}, isTerminal: func(any) bool { return true }}
		show := a.showProgress(batch.Progress{Lines: 100_000, Ended: 40_000}, false)
		show.update(batch.Progress{Lines: 100_000, Ended: 54_321, Failed: failed})
		show.finish()
		lines := strings.Split(strings.TrimSpace(errs.String()), "\n")
		for _, line := range lines {
			assert.LessOrEqual(t, text.StringWidthWithoutEscSequences(line), columns, line)
		}
		last := lines[len(lines)-1]
		assert.Contains(t, last, fmt.Sprintf("%d failed, 45679 left", failed))
		assert.Contains(t, last, "[14321 of 60000 lines in ")
	}
}

// Nothing is left to do: there is no bar, and nothing waits for one.
func TestAFinishedBatchHasNoBar(t *testing.T) {
	t.Parallel()
	var errs bytes.Buffer
	a := &app{err: &errs, clock: system.Clock{}, isTerminal: func(any) bool { return true }}
	show := a.showProgress(batch.Progress{Lines: 3, Ended: 3}, false)
	show.update(batch.Progress{Lines: 3, Ended: 3})
	show.finish()
	assert.Empty(t, errs.String())
}

func TestProgressWithoutATerminalIsALineNowAndThen(t *testing.T) {
	t.Parallel()
	var errs bytes.Buffer
	clock := &stepping{now: testTime}
	a := &app{err: &errs, clock: clock, isTerminal: func(any) bool { return false }}
	show := a.showProgress(batch.Progress{Lines: 1000}, false)
	for done := range 1001 {
		clock.now = clock.now.Add(time.Second)
		show.update(batch.Progress{Lines: 1000, Ended: done, Failed: done / 100})
	}
	show.finish()
	lines := strings.Split(strings.TrimSpace(errs.String()), "\n")
	require.Len(t, lines, 10)
	assert.Equal(t, "500 of 1000 done, 5 failed, 500 remaining, 59 a minute", lines[4])
}

// stepping is a clock that a test sets.
type stepping struct{ now time.Time }

func (s *stepping) Now() time.Time                                 { return s.now }
func (*stepping) Sleep(ctx context.Context, _ time.Duration) error { return ctx.Err() }

// What a person typed is shown as it was read, before anything is sent.
func TestABatchShowsWhatItReadOtherwise(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var text strings.Builder
	text.WriteString("Référence;Montant;Opérateur;Téléphone\n")
	for i := range 9 {
		fmt.Fprintf(&text, "A-%d;%d 000 FCFA;MTN_BENIN_229;2290161%06d\n", i, i+1, 100000+i)
	}
	file := b.file(t, "mai.csv", text.String())
	r := b.run(t, "payouts", "batch", file, "--dry-run")
	assert.Zero(t, r.code, r.err)
	assert.Contains(t, r.err, "mai.csv:2: Montant: 1 000 FCFA was read as 1000")
	assert.NotContains(t, r.err, "mai.csv:9:")
	assert.Contains(t, r.err, "4 more were read otherwise than they are written: --normalize shows all of them.")
	assert.Contains(t, r.err, "9 payouts to make, 45 000 XOF in all; 3 000 000 XOF available.")
	all := b.run(t, "payouts", "batch", file, "--dry-run", "--normalize")
	assert.Contains(t, all.err, "mai.csv:10: Montant: 9 000 FCFA was read as 9000")
	posts := func() (n int) {
		for _, request := range b.server.Requests() {
			if request.Method == http.MethodPost {
				n++
			}
		}
		return n
	}
	assert.Zero(t, posts())
	require.Zero(t, b.run(t, "payouts", "batch", file).code)
	assert.Equal(t, 9, posts())
}

// The thousandth part of a salary.
func TestAThousandsSeparatorIsRefused(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, args := range [][]string{
		payoutArgs("--amount", "25.000"),
		{"payment-requests", "create", "--amount", "25.000"},
		{"refunds", "create", "--transaction", "AB12CD34EF", "--amount", "25.000", "--yes"},
		{"payin", "create", "--amount", "25.000", "--country", "CI", "--msisdn", "0700000000", "--customer-name", "Ada"},
	} {
		r := b.run(t, args...)
		assert.Equal(t, exitUsage, r.code, "%v", args)
		assert.Contains(t, r.err, "--amount: 25.000: 25 or 25000? write it without separators")
	}
	r := b.run(t, payoutArgs("--amount", "25 000 FCFA", "--msisdn", "01 61 23 45 67")...)
	require.Zero(t, r.code, r.err)
	assert.Contains(t, r.err, "--amount is read as 25 000.")
	assert.Contains(t, r.err, "--msisdn is read as 2290161234567.")
	requests := b.server.Requests()
	require.Len(t, requests, 1)
	assert.Contains(t, string(requests[0].Body), `"amount":25000`)
	assert.Contains(t, string(requests[0].Body), `"msisdn":"2290161234567"`)
}

// paidMeanwhile lets another machine pay a line after the list was read for the first
// time.
type paidMeanwhile struct {
	next http.RoundTripper
	pay  func()
	once *sync.Once
}

func (p paidMeanwhile) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := p.next.RoundTrip(r)
	if r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/operations") {
		p.once.Do(p.pay)
	}
	return resp, err
}

// While the question stands, a colleague pays the same people from a corrected copy of
// the file.
func TestWhatWasPaidWhileTheQuestionStoodIsNotPaidAgain(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.live()
	file := b.file(t, "salaries.csv", salaries)
	lines := sheet.Read([]byte(salaries)).Lines
	colleague := b.server.LiveClient()
	b.opts = append(b.opts, intram.WithHTTPClient(&http.Client{Transport: paidMeanwhile{b.server.Transport(), func() {
		_, err := colleague.Payouts.Create(t.Context(), lines[0].Params)
		assert.NoError(t, err)
	}, new(sync.Once)}}))
	b.person, b.stdin = true, "yes\n"
	r := b.run(t, "payouts", "batch", file)
	assert.Equal(t, exitUsage, r.code, r.err)
	assert.Contains(t, r.err, "--allow-known-references")
	made := 0
	for _, err := range colleague.Payouts.All(t.Context(), intram.OperationListParams{}) {
		require.NoError(t, err)
		made++
	}
	assert.Equal(t, 1, made)
}
