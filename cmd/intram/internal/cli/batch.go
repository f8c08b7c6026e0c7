package cli

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/batch"
	"github.com/intram/intram-go/batch/boltjournal"
	"github.com/intram/intram-go/cmd/intram/internal/durable"
	"github.com/intram/intram-go/cmd/intram/internal/sheet"
)

// batchFlags holds the settings of one batch.
type batchFlags struct {
	confirmation

	journal, results string
	retry, template  string
	concurrency      int
	maxWait          time.Duration
	dryRun           bool
	ignoreBalance    bool
	lookBack         time.Duration
	allowKnown       bool
	normalize        bool
	allowProviders   []string
	allowDuplicates  bool
}

func (a *app) batchCommand() *cobra.Command {
	var f batchFlags
	cmd := &cobra.Command{
		Use: "batch FILE.csv", Short: "Pay out a whole file, each line exactly once",
		Args: func(cmd *cobra.Command, args []string) error {
			if f.template != "" {
				return exactly()(cmd, args)
			}
			return exactly("FILE.csv")(cmd, args)
		},
		Long: `Pay out every line of a CSV file or an .xlsx workbook, each exactly once: through lost
responses, through Ctrl-C, through a crash at any moment. Run the same command again, and
it resumes where it stopped.

The first line names the columns. reference and amount are required, and either
provider and msisdn or account_number; the others are currency, country, swift,
account_name, account_surname and note. French names do as well: montant, téléphone,
opérateur, prénom, nom, … Each reference is used once.

Commas, semicolons and tabs separate; UTF-8, UTF-16 and Windows-1252 are read. Amounts
may be grouped by spaces and end with FCFA; 25.000, which can be 25 or 25000, is refused.
Numbers may be written with +229, 00229, spaces or neither, and Benin's numbers of 8
digits are the wallets of those with 01 in front. Anything that is read otherwise than it
is written is shown before anything is sent.

The whole file is checked before the first line is sent: amounts, numbers, operators,
duplicates, references that payouts of the last week had, and the total against the
balance. Each mistake is listed with its line.

Beside the file, FILE.csv.journal records what was sent. It is written before each
call, and belongs to this content of the file, these keys and this environment: keep
it, and do not change the file until the batch has ended. Lines without a response for
more than 23 hours are looked up in the list of operations; a line that the list does not
settle stays in doubt, and the message says why.

FILE.results.csv (.xlsx of a workbook) repeats the file, with each line's result added:
paid, queued_for_settlement (with the bank, not paid yet), failed or refused, failed_unclear
(the operator was unreachable, made an error or never responded, and may have paid: ask it
first), unfinished, in_doubt or not_sent. Lines that failed are not paid again:
--retry-file writes them into a new file, with new references, to be corrected and paid.

` + batchExitHelp,
		Example: `  intram payouts batch --template salaries.xlsx
  intram payouts batch salaries.csv --dry-run
  intram payouts batch salaries.csv
  intram payouts batch salaries.csv --local --concurrency 8 --json | jq .summary`,
	}
	flags := cmd.Flags()
	flags.StringVar(&f.journal, "journal", "", "the journal's `file` (default FILE.csv.journal)")
	flags.StringVar(&f.results, "results", "", "the `file` for the results (default FILE.results.csv, or .xlsx of a workbook)")
	flags.StringVar(&f.retry, "retry-file", "", "write the lines that failed into this `file`, with new references")
	flags.StringVar(&f.template, "template", "", "write an empty `file` to be filled in, .csv or .xlsx, and do nothing else")
	flags.IntVar(&f.concurrency, "concurrency", batch.DefaultConcurrency, "how many payouts are asked for at once, 1 to 32")
	flags.DurationVar(&f.maxWait, "max-wait", batch.DefaultMaxWait, "how long to wait for the last operations to end; 0 does not wait")
	flags.BoolVar(&f.dryRun, "dry-run", false, "check the file and the balance, and send nothing")
	flags.BoolVar(&f.normalize, "normalize", false, "show every amount and number that is read otherwise than it is written")
	flags.BoolVar(&f.ignoreBalance, "ignore-balance", false, "begin although the balance does not cover all lines")
	flags.DurationVar(&f.lookBack, "look-back", 7*24*time.Hour, "how far back to look for payouts of the same references; 0 does not")
	flags.BoolVar(&f.allowKnown, "allow-known-references", false, "take references that payouts had before")
	flags.BoolVar(&f.allowDuplicates, "allow-duplicates", false, "take two lines of the same amount to the same account")
	flags.StringArrayVar(&f.allowProviders, "allow-provider", nil, "take this operator's `code` too")
	f.flag(cmd)
	cmd.ValidArgsFunction = func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return []string{"csv"}, cobra.ShellCompDirectiveFilterFileExt
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if f.template != "" {
			return a.writeTemplate(f.template)
		}
		return a.payBatch(cmd.Context(), args[0], &f)
	}
	return cmd
}

const batchExitHelp = `Exit status of a batch:
    0    every line was paid, or is in a bank's hands
    1    this run sent nothing: fix the file, the journal or the command line
    2    it stopped before anything was accepted: the API refuses these keys or
         this machine; fix it
    3    some lines are in doubt, or it was interrupted: run it again
    4    every line has ended, and some failed or were refused
    5    some operations have not ended, or were not sent, or what became of the
         lines could not be written: run it again`

// rules returns the rules that the lines are checked by.
func (f *batchFlags) rules() batch.Rules {
	rules := batch.Rules{AllowDuplicates: f.allowDuplicates, AllowKnownReferences: f.allowKnown}
	for _, code := range f.allowProviders {
		rules.AllowProviders = append(rules.AllowProviders, intram.ProviderCode(code))
	}
	return rules
}

// payBatch checks a file, pays it, and reports the results.
func (a *app) payBatch(ctx context.Context, name string, f *batchFlags) (err error) {
	if f.concurrency < 1 || f.concurrency > batch.MaxConcurrency {
		return usagef("--concurrency must be between 1 and %d", batch.MaxConcurrency)
	}
	if f.maxWait < 0 || f.lookBack < 0 {
		return usagef("--max-wait and --look-back must not be negative")
	}
	data, err := os.ReadFile(name) //nolint:gosec // the user's own choice
	if err != nil {
		return usagef("%w", err)
	}
	if f.journal == "" {
		f.journal = name + ".journal"
	}
	file := sheet.Read(data)
	if f.results == "" {
		f.results = strings.TrimSuffix(name, filepath.Ext(name)) + ".results" + file.Extension()
	}
	if err := f.apart(name); err != nil {
		return err
	}
	client, err := a.client()
	if err != nil {
		return err
	}
	a.noteReading(name, file.Notes, f.normalize)
	if problems := file.Check(client, f.rules()); len(problems) > 0 {
		return a.refuseBatch(name, problems)
	}
	_, statErr := os.Stat(f.journal)
	begun := statErr == nil
	var run *batch.Run // nil for a file that is only checked
	if !f.dryRun || begun {
		sum := sha256.Sum256(data)
		var show *progressShow
		run, err = batch.Open(ctx, client, boltjournal.At(f.journal), file.Lines, batch.WithConcurrency(f.concurrency),
			batch.WithMaxWait(f.maxWait), batch.WithRules(f.rules()), batch.WithProgress(func(p batch.Progress) { show.update(p) }),
			batch.WithFileSHA256(hex.EncodeToString(sum[:])))
		if err != nil {
			return usagef("%w", err)
		}
		defer func() {
			err = errors.Join(err, run.Close())
			if !begun && !run.Begun() {
				_ = os.Remove(f.journal) // nothing was sent: there is nothing to remember
			}
		}()
		a.begunBatch(run)
		show = a.showProgress(run.Progress(), f.maxWait == 0)
		if done, err := a.beforeBatch(ctx, client, name, file, run, f); done || err != nil {
			return err
		}
		return a.runBatch(ctx, file, run, show, f)
	}
	_, err = a.beforeBatch(ctx, client, name, file, nil, f)
	return err
}

// apart refuses output files that would overwrite each other.
func (f *batchFlags) apart(name string) error {
	files := []struct{ what, path string }{{"FILE", name}, {"--journal", f.journal}, {"--results", f.results}, {"--retry-file", f.retry}}
	for i, one := range files {
		for _, other := range files[:i] {
			if one.path != "" && samePath(one.path, other.path) {
				return usagef("%s: the same file as %s: name another", one.what, other.what)
			}
		}
	}
	return nil
}

// samePath reports whether two names are the same file, through any links.
func samePath(a, b string) bool {
	first, err := os.Stat(a)
	second, otherErr := os.Stat(b)
	return filepath.Clean(a) == filepath.Clean(b) || err == nil && otherErr == nil && os.SameFile(first, second)
}

// writeTemplate writes an empty file to fill in.
func (a *app) writeTemplate(name string) error {
	data, err := sheet.Template(name)
	if err != nil {
		return usagef("--template: %w", err)
	}
	if _, err := os.Lstat(name); err == nil {
		return usagef("--template: %s exists already: name another", name)
	}
	if err := durable.Replace(name, data); err != nil {
		return usagef("--template: %w", err)
	}
	a.say("Fill in %s: one line for each payout.", name)
	return nil
}

// writeRetry writes the lines that failed into another file. A file that a person has
// changed, or that is being paid, is not overwritten.
func (a *app) writeRetry(file *sheet.File, results []batch.Result, name string) error {
	data, lines, err := file.Retry(name, results)
	if err != nil {
		return err
	}
	if lines == 0 {
		a.note("No line failed for certain, so %s was not written.", name)
		return nil
	}
	if _, err := os.Stat(name + ".journal"); err == nil {
		return fmt.Errorf("%s is being paid, and is not overwritten: name another", name)
	}
	older, err := os.ReadFile(name) //nolint:gosec // the user's own choice
	switch {
	case err == nil && !sheet.Holds(data, older):
		return fmt.Errorf("%s has other lines than those that failed, and is not overwritten: name another", name)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	}
	if err := durable.Replace(name, data); err != nil {
		return err
	}
	a.note("%s failed and can be paid with %s: look at the reasons, correct the lines, and pay the file.", sheet.Count(lines, "line", "lines"), name)
	return nil
}

// beforeBatch compares the lines with the balance, and asks. It reports whether nothing
// more is to be done.
func (a *app) beforeBatch(
	ctx context.Context, client *intram.Client, name string, file *sheet.File, run *batch.Run, f *batchFlags,
) (done bool, err error) {
	unsent, begun := file.Lines, false
	if run != nil {
		unsent, begun = run.Unsent(), run.Begun()
	}
	if begun {
		p := run.Progress()
		a.note("Going on with %s: %d of %s ended, %d never sent.", filepath.Base(f.journal), p.Ended,
			sheet.Count(p.Lines, "line", "lines"), len(unsent))
	}
	if len(unsent) > 0 {
		balance, err := client.Balance.Get(ctx)
		if err != nil {
			return false, fmt.Errorf("the balance is needed to check the file, and nothing was sent: %w", err)
		}
		found, err := a.knownReferences(ctx, client, unsent, begun, f)
		if err != nil {
			return false, err
		}
		if !f.ignoreBalance {
			found = append(found, batch.CheckBalance(balance, unsent)...)
		}
		if len(found) > 0 {
			return false, a.refuseLines(name, file, found)
		}
		a.note("%s to make, %s in all; %s available.", sheet.Count(len(unsent), "payout", "payouts"), money(batch.Total(unsent), balance.Currency),
			money(balance.Available, balance.Currency))
		a.noteNeeds(batch.Needs(balance, unsent))
	}
	if f.dryRun {
		if a.asJSON {
			return true, a.printValue(map[string]any{"dry_run": true, "lines": len(file.Lines), "unsent": len(unsent), "total": batch.Total(unsent)})
		}
		a.say("No mistake found. Nothing was sent.")
		return true, nil
	}
	if len(unsent) > 0 {
		what := fmt.Sprintf("make %s, %s in all", sheet.Count(len(unsent), "payout", "payouts"), batch.Total(unsent).Grouped())
		if err := a.confirm(f.confirmation, client.Environment(), what); err != nil {
			return false, err
		}
		if client.Environment() == intram.Live && !f.yes {
			// The question may have waited for long, and another machine may have paid
			// meanwhile.
			found, err := a.knownReferences(ctx, client, unsent, begun, f)
			if err != nil {
				return false, err
			}
			if len(found) > 0 {
				return false, a.refuseLines(name, file, found)
			}
		}
	}
	return false, nil
}

// knownReferences looks for payouts with the references of a batch that has not begun.
func (a *app) knownReferences(ctx context.Context, client *intram.Client, unsent []batch.Line, begun bool, f *batchFlags) ([]batch.Problem, error) {
	if begun || f.lookBack == 0 || f.allowKnown {
		return nil, nil
	}
	found, err := batch.CheckHistory(ctx, client, unsent, a.clock.Now().Add(-f.lookBack))
	if _, ok := errors.AsType[*batch.HistoryError](err); ok {
		err = fmt.Errorf("%w, and give --allow-known-references", err)
	}
	return found, err
}

// refuseLines refuses a batch for the problems that were found.
func (a *app) refuseLines(name string, file *sheet.File, found []batch.Problem) error {
	problems := make([]sheet.Problem, len(found))
	for i, p := range found {
		problems[i] = file.Problem(p)
	}
	return a.refuseBatch(name, problems)
}

// begunBatch records what the lines have reached so far: the exit status must not say
// less.
func (a *app) begunBatch(run *batch.Run) {
	for _, r := range run.Results() {
		switch {
		case r.Status == batch.InDoubt:
			a.creating.stage = sending // an error then ends with 3
			return
		case r.OperationID != "":
			a.creating.stage = accepted
		}
	}
}

// runBatch pays, shows the progress, and writes the results in every case. If this
// process is killed there are no results: those of an earlier run would call lines not
// sent that were.
func (a *app) runBatch(ctx context.Context, file *sheet.File, run *batch.Run, show *progressShow, f *batchFlags) error {
	if err := os.Remove(f.results); err != nil && !errors.Is(err, fs.ErrNotExist) {
		show.finish()
		return fmt.Errorf("nothing was sent: the results of an earlier run cannot be removed: %w", err)
	}
	a.creating.stage = sending // if this program fails now, lines may have been sent
	runErr := run.Pay(ctx)
	show.finish()
	results := run.Results()
	a.creating.stage = nothingSent
	a.begunBatch(run)
	data, writeErr := file.Results(f.results, results, inShellWords)
	if writeErr == nil {
		writeErr = durable.Replace(f.results, data)
	}
	if writeErr != nil {
		runErr = errors.Join(runErr, fmt.Errorf("the results cannot be written: %w", writeErr))
	}
	counts := map[batch.State]int{}
	for _, r := range results {
		counts[r.Status]++
	}
	if a.asJSON {
		if err := a.printValue(map[string]any{"summary": counts, "results": results, "results_file": f.results, "journal": f.journal}); err != nil {
			runErr = errors.Join(runErr, err)
		}
	} else {
		a.sayBatch(counts, f, writeErr == nil)
	}
	if f.retry != "" {
		if err := a.writeRetry(file, results, f.retry); err != nil {
			runErr = errors.Join(runErr, fmt.Errorf("--retry-file: %w", err))
		}
	}
	for _, p := range run.Doubts() {
		if p.Kind == batch.KnownReference {
			a.note("Line %d is not sent: its reference was %s; if that is another payout, give --allow-known-references", p.Line, p.Message)
			continue
		}
		a.note("Line %d is in doubt: %s", p.Line, trimPrefix(inShellWords(p.Message)))
	}
	code := batchExit(counts)
	switch {
	case runErr != nil && (counts[batch.InDoubt] > 0 || ctx.Err() != nil):
		return &exitError{exitInDoubt, fmt.Errorf("%w; run the same command again: it pays no line twice", stopReason(ctx, runErr))}
	case runErr != nil && a.creating.stage == nothingSent:
		return &exitError{max(exitRefused, code), runErr}
	case runErr != nil && code == exitOK:
		return &exitError{exitUnfinished, fmt.Errorf("%w; run the same command again: it pays no line twice", runErr)}
	case runErr != nil:
		return &exitError{code, runErr}
	case code != exitOK:
		return said(code)
	}
	return nil
}

// stopReason returns in words what ended a run.
func stopReason(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return errors.New("interrupted")
	}
	return err
}

func batchExit(counts map[batch.State]int) int {
	switch {
	case counts[batch.InDoubt] > 0:
		return exitInDoubt
	case counts[batch.Unfinished] > 0 || counts[batch.NotSent] > 0:
		return exitUnfinished
	case counts[batch.Failed]+counts[batch.FailedUnclear]+counts[batch.Refused] > 0:
		return exitFailed
	default:
		return exitOK
	}
}

// sayBatch prints the summary for people.
func (a *app) sayBatch(counts map[batch.State]int, f *batchFlags, written bool) {
	var rows [][]string
	for _, s := range []struct {
		state batch.State
		means string
	}{
		{batch.Paid, ""},
		{batch.Queued, "with the bank, not paid yet"},
		{batch.Failed, "see the error codes"},
		{batch.FailedUnclear, "the operator may have paid: ask it first"},
		{batch.Refused, "no money moved; see the error codes"},
		{batch.Unfinished, "not finished: run it again"},
		{batch.InDoubt, "may have been paid: run it again to find out"},
		{batch.NotSent, "run it again"},
	} {
		if n := counts[s.state]; n > 0 {
			rows = append(rows, []string{string(s.state), fmt.Sprint(n), a.inLanguage(s.means)})
		}
	}
	a.printList([]string{"STATUS", "LINES", ""}, rows, "")
	if written {
		fmt.Fprint(a.out, a.inLanguage(fmt.Sprintf("Each line is in %s\n", f.results)))
	}
}

// refuseBatch lists all mistakes in a file.
func (a *app) refuseBatch(file string, problems []sheet.Problem) error {
	if a.asJSON {
		if err := a.printValue(map[string]any{"problems": problems}); err != nil {
			return err
		}
	} else {
		for _, p := range problems {
			a.sayError("%s", a.placed(file, p))
		}
	}
	return usagef("%s has %s; nothing was sent", filepath.Base(file), sheet.Count(len(problems), "problem", "problems"))
}

// noteReading reports, before anything is sent, what was read otherwise than it was
// written.
func (a *app) noteReading(file string, notes []sheet.Problem, all bool) {
	const few = 5
	for i, n := range notes {
		if i == few && !all && len(notes) > few+1 {
			a.note("%d more were read otherwise than they are written: --normalize shows all of them.", len(notes)-few)
			return
		}
		a.note("%s", a.placed(file, n))
	}
}

// placed returns a problem of a file with its place in front, such as salaries.csv:7.
func (a *app) placed(file string, p sheet.Problem) string {
	place := filepath.Base(file)
	if p.Line > 0 {
		place = fmt.Sprintf("%s:%d", place, p.Line)
	}
	colon := a.inLanguage(": ")
	if p.Column != "" {
		place += colon + p.Column
	}
	return place + colon + a.inLanguage(p.Message)
}

// noteNeeds reports how much the lines need of each operator's wallet.
func (a *app) noteNeeds(needs []batch.Need) {
	if len(needs) < 2 {
		return
	}
	for _, n := range needs {
		available := ""
		if n.Available.IsSet() {
			available = ", " + a.inLanguage(n.Available.Grouped()+" available")
		}
		a.note("  %s%s%s, %s%s", n.Operator, a.inLanguage(": "), a.inLanguage(sheet.Count(n.Lines, "line", "lines")), n.Total.Grouped(), available)
	}
}
