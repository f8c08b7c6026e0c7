package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/cmd/intram/internal/durable"
	"github.com/intram/intram-go/cmd/intram/internal/fidelity"
	"github.com/intram/intram-go/cmd/intram/internal/sheet"
)

func (a *app) fidelityCommand() *cobra.Command {
	return group("fidelity", "Play what the fake does against your sandbox",
		`The documentation does not say everything, so the fake of "intram serve" and intramtest
does some things as we chose. "run" plays them against your sandbox and writes down what
was seen; "compare" holds that against the fake.`,
		a.fidelityRunCommand(), a.fidelityCompareCommand())
}

func (a *app) fidelityRunCommand() *cobra.Command {
	var (
		c       confirmation
		out     string
		payin   bool
		longest time.Duration
	)
	cmd := &cobra.Command{
		Use: "run", Short: "Play the lines of docs/fidelity.md against your sandbox", Args: exactly(),
		Long: `Play each line of docs/fidelity.md that can be played against your sandbox, one call
after the other, and write down what was seen. It says first what it will send and
create, and asks. Live keys are refused, and so is an address that is neither the
documented one nor this machine's.

Payouts are of 100 XOF each and go to the published test numbers alone. Payment
requests are made and never paid. Subscriptions name an address that does not exist, and
are deleted again. With --payin, payin sessions are played too, as far as nothing is
created: their sandbox moves real money, according to the provider.

The report has statuses, codes, the names and kinds of fields, and relations. It has no
key, no secret, no number, no name, no id and no amount of yours: the merchant is the
beginning of a hash. It is written after each line, so that Ctrl-C leaves what was seen.
A line that a server in trouble keeps from being played is inconclusive.`,
		Example: `  intram fidelity run --out report.json
  intram fidelity run --profile sandbox --payin --yes
  intram fidelity run --local`,
	}
	flags := cmd.Flags()
	flags.StringVar(&out, "out", "", "the new `file` of the report (default intram-fidelity-TIME.json)")
	flags.BoolVar(&payin, "payin", false, "play payin sessions too, as far as nothing is created")
	flags.DurationVar(&longest, "max-wait", time.Minute, "how long to wait for each operation")
	flags.BoolVar(&c.yes, "yes", false, "do not ask before the calls are sent")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if longest <= 0 {
			return usagef("--max-wait must be greater than 0")
		}
		config, err := a.fidelityConfig(payin)
		if err != nil {
			return err
		}
		config.Longest = longest
		if out == "" {
			out = "intram-fidelity-" + a.clock.Now().UTC().Format("20060102T150405Z") + ".json"
		}
		if _, err := os.Lstat(out); !errors.Is(err, fs.ErrNotExist) {
			return usagef("--out must be a new file, and there is one already: %s", out)
		}
		if err := a.confirmFidelity(cmd.Context(), c, config); err != nil {
			return err
		}
		return a.playFidelity(cmd.Context(), config, out)
	}
	return a.calls(cmd)
}

// fidelityConfig returns the configuration of the sandbox. The client first checks the
// keys and the address.
func (a *app) fidelityConfig(payin bool) (fidelity.Config, error) {
	var none fidelity.Config
	s, err := a.settings()
	if err != nil {
		return none, err
	}
	if s.environment() == intram.Live {
		return none, usagef("the profile or the keys are live: probes go only to the sandbox: use sandbox keys. Nothing was sent")
	}
	if _, err := a.client(); err != nil {
		return none, err
	}
	config := fidelity.Config{
		BaseURL: withDefaultPath(s.baseURL.value), PublicKey: s.publicKey.value, SecretKey: s.secretKey.value,
		Clock: a.clock, Pause: fidelityPause, Nonce: fidelity.NewNonce(), WebhookURL: a.webhookURL,
	}
	if config.Timeout, err = time.ParseDuration(s.timeout.value); err != nil {
		return none, usagef("timeout must be a duration such as 30s")
	}
	if s.certificate.value != "" {
		if config.Transport, err = trusting(s.certificate.value); err != nil {
			return none, usagef("the local server's certificate: %w", err)
		}
	}
	if payin {
		if _, s, err = a.payinAccount(); err != nil {
			return none, err
		}
		config.Payin = &fidelity.PayinConfig{BaseURL: intram.PayinBaseURLSandbox, APIKey: s.payinAPIKey.value, APIClient: s.payinClient.value}
		if s.payinBaseURL.value != "" {
			config.Payin.BaseURL = s.payinBaseURL.value
		}
	}
	if err := config.Check(); err != nil {
		return none, usagef("%w. Nothing was sent", err)
	}
	return config, nil
}

// fidelityPause is the shortest time between two calls of a run.
const fidelityPause = 100 * time.Millisecond

// withDefaultPath returns a base URL as the client reads it: with the path /v1 if it has
// none.
func withDefaultPath(base string) string {
	if u, err := url.Parse(base); err == nil && strings.Trim(u.Path, "/") == "" {
		return strings.TrimRight(base, "/") + "/v1"
	}
	return base
}

// planLine is what --json prints before anything is sent.
type planLine struct {
	Calls           int   `json:"calls"`
	Payouts         int   `json:"payouts"`
	PaidOut         int64 `json:"paid_out"`
	PaymentRequests int   `json:"payment_requests"`
	Refunds         int   `json:"refunds"`
	Subscriptions   int   `json:"subscriptions"`
	LeftBehind      bool  `json:"-"`
}

// confirmFidelity says what a run will do, and asks. It finds out by playing the run
// against the fake.
func (a *app) confirmFidelity(ctx context.Context, c confirmation, config fidelity.Config) error {
	_, plan, err := fidelity.RunFake(ctx, a.clock.Now(), config.Payin != nil)
	if err != nil {
		return err
	}
	where := config.BaseURL
	sentence := fmt.Sprintf("About %d calls will be sent to %s, one after the other, and more while operations are waited for. They create %s "+
		"(%s XOF in all, to the published test numbers), %s (never paid), %s (of an unpaid one) and %s (deleted again).",
		plan.Calls, where, sheet.Count(plan.Payouts, "payout", "payouts"), intram.NewAmount(plan.PaidOut).Grouped(),
		sheet.Count(plan.PaymentRequests, "payment request", "payment requests"), sheet.Count(plan.Refunds, "refund", "refunds"),
		sheet.Count(plan.Subscriptions, "webhook subscription", "webhook subscriptions"))
	if config.Payin != nil {
		sentence = fmt.Sprintf("%s Some of the calls go to payin sessions at %s, and create nothing.", sentence, config.Payin.BaseURL)
	}
	if a.asJSON || c.yes || a.connection.local {
		a.report(planLine(plan), "%s", sentence)
	}
	if c.yes || a.connection.local {
		return nil
	}
	return a.askFirst("the probes create payouts in the sandbox", "play them", sentence)
}

// playFidelity plays the probes, prints each line as it is played, and keeps the report
// up to date.
func (a *app) playFidelity(ctx context.Context, config fidelity.Config, out string) error {
	told := map[fidelity.Line]bool{}
	save := func(r *fidelity.Report) error {
		data, err := r.Encode()
		if err != nil {
			return err
		}
		if err := durable.Replace(out, data); err != nil {
			return &exitError{exitNoAnswer, fmt.Errorf("the report cannot be written: %w", err)}
		}
		for _, line := range r.Lines {
			if line.State != fidelity.StateNotPlayed && !told[line.Line] {
				told[line.Line] = true
				a.sayPlayed(line)
			}
		}
		return nil
	}
	report, done, err := fidelity.Run(ctx, config, save)
	if report == nil {
		return err
	}
	if a.asJSON {
		data, err := report.Encode()
		if err != nil {
			return err
		}
		if err := a.printJSON(data); err != nil {
			return err
		}
	}
	seen, unclear := 0, 0
	for _, line := range report.Lines {
		switch line.State {
		case fidelity.StateSeen:
			seen++
		case fidelity.StateInconclusive:
			unclear++
		case fidelity.StateNotPlayed:
		}
	}
	a.note("")
	a.note("%s seen, %d inconclusive, %d not played; %s sent, %s made.", sheet.Count(seen, "line", "lines"), unclear,
		len(report.Lines)-seen-unclear, sheet.Count(done.Calls, "call", "calls"), sheet.Count(done.Payouts, "payout", "payouts"))
	if done.LeftBehind {
		a.sayError("A subscription to %s may still be there: find it with intram webhooks list, and delete it.", fidelity.NowhereURL)
	}
	a.note("The report is written. To hold it against the fake:")
	if !a.asJSON {
		fmt.Fprintf(a.err, "  intram fidelity compare %s\n", shellQuote(out))
	}
	switch {
	case errors.Is(err, context.Canceled):
		return &exitError{exitNoAnswer, errors.New("interrupted; the report has what was seen until then")}
	case err != nil:
		return err
	case seen == 0:
		return &exitError{exitNoAnswer, errors.New("no line could be played: see whether intram balance gets a response with these keys")}
	}
	return nil
}

// sayPlayed prints one line of a run as it is played.
func (a *app) sayPlayed(line fidelity.Result) {
	if a.asJSON {
		return
	}
	words := line.Behaviour
	if line.Source == fidelity.SourceChosen {
		words = fmt.Sprintf("%s %s", words, a.inLanguage("(chosen)"))
	}
	a.sayLine(a.inLanguage(stateWords[line.State]), words)
	if line.Why != "" {
		a.sayLine("", a.inLanguage(printable(line.Why)))
	}
}

// sayLine prints a word and a text beside it, in 80 columns.
func (a *app) sayLine(word, text string) {
	const width = 14
	line := fmt.Sprintf("%-*s%s", width, word, wrap(text, columns-width, strings.Repeat(" ", width)))
	fmt.Fprintln(a.out, strings.TrimRight(line, " "))
}

var stateWords = map[fidelity.State]string{
	fidelity.StateSeen: "seen", fidelity.StateInconclusive: "inconclusive", fidelity.StateNotPlayed: "not played",
}

func (a *app) fidelityCompareCommand() *cobra.Command {
	var against string
	cmd := &cobra.Command{
		Use: "compare REPORT", Short: "Hold a report against the fake, or against another report", Args: exactly("REPORT"),
		Long: `Play the same lines against the fake, in this process, and say of each line whether the
report and the fake agree, what differs, or why it was not played. Nothing is sent
anywhere. With --against, two reports are compared instead.

The exit status is 0 when nothing differs, 2 when a line does, and 6 when no line could
be compared. Inconclusive lines are no differences.`,
		Example: `  intram fidelity compare report.json
  intram fidelity compare report.json --against last-month.json`,
	}
	cmd.Flags().StringVar(&against, "against", "", "another report, a `file`, in the place of the fake")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		report, err := a.readReport(args[0])
		if err != nil {
			return err
		}
		var other *fidelity.Report
		name := "the fake"
		if against == "" {
			payin := slices.ContainsFunc(report.Lines, func(r fidelity.Result) bool { return r.State != fidelity.StateNotPlayed && fidelity.IsPayin(r.Line) })
			other, _, err = fidelity.RunFake(cmd.Context(), a.clock.Now(), payin)
		} else {
			name = "the other report"
			other, err = a.readReport(against)
		}
		if err != nil {
			return err
		}
		return a.printComparison(report, other, name)
	}
	return a.prints(cmd)
}

func (a *app) readReport(path string) (*fidelity.Report, error) {
	data, err := a.readFile(path)
	if err != nil {
		return nil, usagef("the report cannot be read: %w", err)
	}
	report, err := fidelity.Decode(data)
	if err != nil {
		return nil, usagef("%s: %w", path, err)
	}
	return report, nil
}

// printComparison writes each line with its verdict, and ends with an exit status.
func (a *app) printComparison(report, other *fidelity.Report, name string) error {
	all := fidelity.Compare(report, other)
	counts := map[fidelity.Verdict]int{}
	chosen := 0
	for _, c := range all {
		counts[c.Verdict]++
		if c.Verdict == fidelity.Agrees && c.Source == fidelity.SourceChosen {
			chosen++
		}
	}
	if a.asJSON {
		if err := a.printValue(map[string]any{
			"finished": report.Finished, "agree": counts[fidelity.Agrees], "differ": counts[fidelity.Differs],
			"inconclusive": counts[fidelity.Inconclusive], "not_played": counts[fidelity.NotPlayed], "lines": all,
		}); err != nil {
			return err
		}
	} else {
		a.printVerdicts(report, all, name)
		fmt.Fprintln(a.out)
		a.say("%d agree, %d differ, %d inconclusive, %d not played.", counts[fidelity.Agrees], counts[fidelity.Differs],
			counts[fidelity.Inconclusive], counts[fidelity.NotPlayed])
		switch {
		case report.Server == fidelity.LocalServer:
			a.say("The report is of a server on this machine, and says nothing of the sandbox.")
		case chosen > 0:
			a.say("Chosen so far, and now seen: %s.", sheet.Count(chosen, "line", "lines"))
		}
		if !report.Finished {
			a.say("The run of this report was interrupted.")
		}
	}
	switch {
	case counts[fidelity.Differs] > 0:
		return said(exitRefused)
	case counts[fidelity.Agrees] == 0:
		return &exitError{exitNoAnswer, errors.New("no line could be compared")}
	}
	return nil
}

func (a *app) printVerdicts(report *fidelity.Report, all []fidelity.Comparison, name string) {
	a.say("%s, %s, merchant %s", printable(report.Server), when(report.Started), printable(report.Merchant))
	section := ""
	for _, c := range all {
		if c.Section != section {
			section = c.Section
			fmt.Fprintf(a.out, "\n%s\n", printable(section))
		}
		words := printable(c.Behaviour)
		if c.Source == fidelity.SourceChosen {
			words = fmt.Sprintf("%s %s", words, a.inLanguage("(chosen)"))
		}
		a.sayLine(a.inLanguage(verdictWords[c.Verdict]), words)
		if c.Why != "" {
			a.sayLine("", a.inLanguage(printable(c.Why)))
		}
		for _, d := range c.Differences {
			a.printDifference(d, name)
		}
	}
}

var verdictWords = map[fidelity.Verdict]string{
	fidelity.Agrees: "agrees", fidelity.Differs: "DIFFERS", fidelity.Inconclusive: "inconclusive", fidelity.NotPlayed: "not played",
}

// printDifference prints a fact that differs. Of two lists of fields it prints only what
// is not in both.
func (a *app) printDifference(d fidelity.Difference, name string) {
	fact := printable(d.Fact)
	if first, second, list := d.Missing(); list {
		if len(first)+len(second) == 0 {
			a.sayLine("", a.inLanguage(fmt.Sprintf("%s: the same fields in another order", fact)))
			return
		}
		a.sayLine("", a.inLanguage(fmt.Sprintf("%s: the report has %s, %s has %s", fact, a.orNone(strings.Join(first, ", ")), name, a.orNone(strings.Join(second, ", ")))))
		return
	}
	a.sayLine("", a.inLanguage(fmt.Sprintf("%s: the report says %s, %s says %s", fact, a.orNone(d.First), name, a.orNone(d.Second))))
}

func (a *app) orNone(words string) string {
	if words == "" {
		return a.inLanguage("nothing")
	}
	return printable(words)
}
