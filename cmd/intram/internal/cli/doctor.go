package cli

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/cmd/intram/internal/doctor"
	"github.com/intram/intram-go/cmd/intram/internal/sheet"
)

// doctorSchema names the form of the JSON report. Fields and checks may be added to it.
const doctorSchema = "intram.doctor/1"

// doctorHelp is in the help, the man page and the README.
const doctorHelp = `Exit status of intram doctor:
    0    nothing failed; with --strict, no warning either
    1    the configuration is wrong (or the command line)
    2    the API or a webhook receiver responded, and something is wrong;
         with --strict also a warning
    6    no response that is of use: the network, TLS, a proxy or a page
If several checks failed, it is the first of these that applies.`

func (a *app) doctorCommand() *cobra.Command {
	var (
		receivers     []string
		probe, strict bool
	)
	cmd := &cobra.Command{
		Use: "doctor", Short: "Find out why it does not work", Args: exactly(),
		Long: `Check all that calls depend on, a line each, and say what to do where something is not
well: the version, the configuration and where each value is from, the kinds of the keys,
the base URLs, proxies, DNS, TLS, what responds at the API's address, this machine's
clock, the keys, the allowlist of addresses, and the webhook subscriptions.

It changes nothing. It sends GET requests only: one without keys, and when the API itself
has responded, one for the balance and one for the subscriptions. What cannot be checked
is skipped, and says why.

Nothing is posted to a webhook receiver unless you ask for it. --webhook-url posts a
test.ping without a signature to that URL, and one with a wrong signature; a receiver must
refuse both. --probe-webhooks does so with every URL that is subscribed.

No secret is shown, only its kind and environment, and of the public key likewise. With
--json the report is fit for a public issue: hosts, addresses, files and profiles of your
own are left out too.

` + doctorHelp,
		Example: `  intram doctor
  intram doctor --json                  # for an issue
  intram doctor --local
  intram doctor --webhook-url https://shop.example.com/intram`,
	}
	a.connects(cmd)
	flags := cmd.Flags()
	flags.BoolVar(&a.asJSON, "json", false, "print the report as JSON, without hosts, addresses, files and names of yours")
	flags.StringArrayVar(&receivers, "webhook-url", nil, "post unsigned events to this `URL`, which must refuse them")
	flags.BoolVar(&probe, "probe-webhooks", false, "do so with each URL that is subscribed")
	flags.BoolVar(&strict, "strict", false, "end with status 2 if there is a warning")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		checks := a.examine(cmd.Context(), receivers, probe)
		if err := cmd.Context().Err(); err != nil {
			return err
		}
		return a.printReport(checks, strict)
	}
	return cmd
}

// examination is one run of the doctor.
type examination struct {
	app      *app
	gathered *gathered
	settings *settings
	machine  *doctor.Machine
	checks   []doctor.Check

	unread          bool     // there is no configuration at all
	merchant, payin *url.URL // nil if the base URL is not usable
	merchantKeys    bool     // they are set, and of the right form
	payinKeys       bool
	client          *intram.Client // after its keys were accepted
}

func (x *examination) add(checks ...doctor.Check) { x.checks = append(x.checks, checks...) }

// examine makes all checks.
func (a *app) examine(ctx context.Context, receivers []string, probe bool) []doctor.Check {
	x := &examination{app: a}
	x.add(a.versionCheck())
	x.gather(ctx)
	x.machine = a.machine(x.timeout())
	x.keys()
	x.addresses()
	x.callMerchant(ctx)
	x.callPayin(ctx)
	x.webhooks(ctx, receivers, probe)
	return x.checks
}

// machine returns what the checks use of this machine, or what a test gives instead.
func (a *app) machine(timeout time.Duration) *doctor.Machine {
	m := &doctor.Machine{
		Clock: a.clock, Env: a.lookupEnv, Lookup: a.lookup, Dial: a.dial, Within: a.within, Timeout: timeout,
	}
	if m.Lookup == nil {
		m.Lookup = func(ctx context.Context, host string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		}
	}
	if m.Dial == nil {
		m.Dial = (&net.Dialer{}).DialContext
	}
	if m.Within == nil {
		m.Within = context.WithTimeout
	}
	m.Roots = a.roots
	return m
}

// environment lists the names of the variables of the process.
func (a *app) environment() []string {
	list := a.environ
	if list == nil {
		list = os.Environ
	}
	var names []string
	for _, variable := range list() {
		name, _, _ := strings.Cut(variable, "=")
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (a *app) versionCheck() doctor.Check {
	read := a.buildInfo
	if read == nil {
		read = debug.ReadBuildInfo
	}
	info, _ := read()
	v := versionOf(info, linked)
	built := "not a released build: built without a record of its source"
	switch {
	case released(info, linked):
		built = "a released build"
	case v.Commit != "" && v.Modified:
		built = "not a released build: built from commit " + v.Commit[:min(12, len(v.Commit))] + " with changes"
	case v.Commit != "":
		built = "not a released build: built from commit " + v.Commit[:min(12, len(v.Commit))]
	}
	return doctor.Good("version", doctor.Say("intram %s with SDK %s, %s on %s; %s", v.Version, intram.Version, v.Go, v.Platform, built))
}

// checkLine is a check as --json prints it.
type checkLine struct {
	Name    string        `json:"name"`
	Status  doctor.Status `json:"status"`
	Message string        `json:"message"`
	Do      string        `json:"do,omitempty"`
}

// report is what --json prints.
type report struct {
	Schema string        `json:"schema"`
	Status doctor.Status `json:"status"`
	Exit   int           `json:"exit"`
	Checks []checkLine   `json:"checks"`
}

// printReport prints the checks, and ends with their exit status.
func (a *app) printReport(checks []doctor.Check, strict bool) error {
	code := doctorExit(checks, strict)
	if a.asJSON {
		lines := make([]checkLine, len(checks))
		for i, c := range checks {
			lines[i] = checkLine{c.Name, c.Status, c.Message.Public(), c.Do.Public()}
		}
		if err := a.printValue(report{doctorSchema, doctor.Worst(checks), code, lines}); err != nil {
			return err
		}
	} else {
		a.printChecks(checks)
	}
	if code == exitOK {
		return nil
	}
	return said(code)
}

// printChecks prints a line for each check, and below it what to do. The words tell all:
// a terminal that shows them also gets the signs.
func (a *app) printChecks(checks []doctor.Check) {
	word := map[doctor.Status]string{doctor.OK: "ok", doctor.Warn: "warn", doctor.Fail: "FAIL", doctor.Skipped: "skipped"}
	if a.lang == intram.French {
		word = map[doctor.Status]string{doctor.OK: "ok", doctor.Warn: "avis", doctor.Fail: "ÉCHEC", doctor.Skipped: "omis"}
	}
	sign := map[doctor.Status]string{doctor.OK: "✓ ", doctor.Warn: "! ", doctor.Fail: "✗ ", doctor.Skipped: "- "}
	width := 9
	if a.signs() {
		width = 11
	} else {
		clear(sign)
	}
	indent := strings.Repeat(" ", width)
	for _, c := range checks {
		head := fmt.Sprintf("%s%-9s", sign[c.Status], word[c.Status])
		fmt.Fprintln(a.out, head+wrap(c.Name+a.inLanguage(": ")+a.inLanguage(c.Message.Shown()), columns-width, indent))
		if !c.Do.IsZero() {
			fmt.Fprintln(a.out, indent+"-> "+wrap(a.inLanguage(c.Do.Shown()), columns-width-3, indent+"   "))
		}
	}
	a.say("\n%d checks: %d ok, %s, %d failed, %d skipped.", len(checks), doctor.Count(checks, doctor.OK),
		sheet.Count(doctor.Count(checks, doctor.Warn), "warning", "warnings"), doctor.Count(checks, doctor.Fail), doctor.Count(checks, doctor.Skipped))
	if doctor.Worst(checks) == doctor.Fail {
		a.say("For an issue: intram doctor --json, which leaves out hosts and names of yours.")
	}
}

// signs reports whether the output is a terminal that shows Unicode.
func (a *app) signs() bool {
	out := a.out
	if o, ok := out.(*output); ok {
		out = o.Writer
	}
	if term, _ := a.lookupEnv("TERM"); term == "dumb" || term == "" || !a.isTerminal(out) {
		return false
	}
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if value, _ := a.lookupEnv(name); value != "" {
			value = strings.ToLower(value)
			return strings.Contains(value, "utf-8") || strings.Contains(value, "utf8")
		}
	}
	return false
}

// doctorExit returns the exit status of a report.
func doctorExit(checks []doctor.Check, strict bool) int {
	code := exitOK
	for _, c := range checks {
		of := exitOK
		switch {
		case c.Status == doctor.Warn && strict:
			of = exitRefused
		case c.Status != doctor.Fail:
		case c.Cause == doctor.Setting:
			of = exitUsage
		case c.Cause == doctor.Refused:
			of = exitRefused
		default:
			of = exitNoAnswer
		}
		if of != exitOK && (code == exitOK || of < code) {
			code = of
		}
	}
	return code
}
