package cli

import (
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/cmd/intram/internal/typed"
)

// creation is shared by every command that asks for money to move: the idempotency key,
// and how to continue after a failure that leaves the call in doubt.
type creation struct {
	confirmation

	key         string
	firstSentAt string
	metadata    string
}

func (c *creation) flags(cmd *cobra.Command, metadata string) {
	flags := cmd.Flags()
	flags.StringVar(&c.key, "idempotency-key", "", "your own `key`: the same key and parameters are executed once")
	flags.StringVar(&c.firstSentAt, "first-sent-at", "", "the `time` at which an earlier run used the key, as it printed: past 23 hours it is not sent again")
	if metadata != "" {
		flags.StringVar(&c.metadata, metadata, "", "your own `JSON` object, or @FILE with one; it comes back with the events")
	}
}

// prepare makes the intent of the call. Its key is printed before it is sent.
func (a *app) prepare(c *creation, prepare func(...intram.CallOption) (*intram.Intent, error)) (*intram.Intent, error) {
	var opts []intram.CallOption
	if c.key != "" {
		opts = append(opts, intram.WithIdempotencyKey(c.key))
	}
	intent, err := prepare(opts...)
	if err != nil {
		return nil, err
	}
	if c.firstSentAt != "" {
		if intent, err = c.reread(intent); err != nil {
			return nil, err
		}
	}
	return intent, nil
}

// printKey prints the key of a call before it is sent.
func (a *app) printKey(intent *intram.Intent) {
	a.creating.stage, a.creating.key = sending, intent.IdempotencyKey
	a.report(keyLine{intent.IdempotencyKey, intent.FirstSentAt}, "Idempotency key: %s", intent.IdempotencyKey)
}

// keyLine is what --json prints before a call is sent, so that a killed process leaves
// its key behind.
type keyLine struct {
	IdempotencyKey string    `json:"idempotency_key"`
	FirstSentAt    time.Time `json:"first_sent_at"`
}

// reread makes the intent of an earlier run whose end was not seen: it may have been
// sent.
func (c *creation) reread(intent *intram.Intent) (*intram.Intent, error) {
	if c.key == "" {
		return nil, usagef("--first-sent-at goes with the --idempotency-key that was sent then")
	}
	at, err := time.Parse(time.RFC3339Nano, c.firstSentAt)
	if err != nil {
		return nil, usagef("--first-sent-at must be a time such as 2026-05-20T10:30:00Z")
	}
	if at.After(intent.FirstSentAt) {
		return nil, usagef("--first-sent-at is in the future")
	}
	return intent.SentAt(at), nil
}

// inDoubt adds, to an error that leaves a call in doubt, the command that continues with
// the same key.
func inDoubt(cmd *cobra.Command, intent *intram.Intent, err error) error {
	if err == nil || intram.OutcomeOf(err) != intram.OutcomeUnknown {
		return err
	}
	words := []string{cmd.CommandPath()}
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if f.Name == "idempotency-key" || f.Name == "first-sent-at" {
			return
		}
		if f.Value.Type() == "bool" {
			if f.Value.String() == "true" {
				words = append(words, "--"+f.Name)
			}
			return
		}
		words = append(words, "--"+f.Name, shellQuote(f.Value.String()))
	})
	for _, arg := range cmd.Flags().Args() {
		words = append(words, shellQuote(arg))
	}
	words = append(words, "--idempotency-key", intent.IdempotencyKey, "--first-sent-at", intent.FirstSentAt.UTC().Format(time.RFC3339))
	return &resumable{err: err, command: strings.Join(words, " ")}
}

// again returns the flags by which another command uses the same API with the same keys.
func again(cmd *cobra.Command) string {
	var words strings.Builder
	cmd.InheritedFlags().Visit(func(f *pflag.Flag) {
		switch {
		case f.Name == "json":
		case f.Value.Type() == "bool":
			words.WriteString(" --" + f.Name)
		default:
			words.WriteString(" --" + f.Name + " " + shellQuote(f.Value.String()))
		}
	})
	return words.String()
}

// shellQuote quotes a word for a POSIX shell.
func shellQuote(word string) string {
	plain := func(r rune) bool {
		return r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' || strings.ContainsRune("@%+=:,./_-", r)
	}
	if word != "" && strings.IndexFunc(word, func(r rune) bool { return !plain(r) }) < 0 {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// waiting says how long a command waits.
type waiting struct {
	wait    bool
	longest time.Duration
}

func (w *waiting) flags(cmd *cobra.Command, what string) {
	cmd.Flags().DurationVar(&w.longest, "max-wait", 0, "how long to wait, such as 2m (default "+what+")")
}

// flagsAfter adds the flags of a command that creates something and may wait for it.
func (w *waiting) flagsAfter(cmd *cobra.Command, what string) {
	cmd.Flags().BoolVar(&w.wait, "wait", false, "wait until the operation has ended")
	w.flags(cmd, what)
}

// options returns the options of the wait. It refuses a --max-wait of 0, which would mean
// the default and is probably a mistake.
func (w *waiting) options(cmd *cobra.Command) ([]intram.WaitOption, error) {
	if w.longest < 0 {
		return nil, usagef("--max-wait must not be negative")
	}
	if w.longest == 0 {
		if cmd.Flags().Changed("max-wait") {
			return nil, usagef("--max-wait must be greater than 0; leave it out for the default")
		}
		return nil, nil
	}
	return []intram.WaitOption{intram.WithMaxWait(w.longest)}, nil
}

// readAmount reads --amount as a person types it, and reports how it was read if that
// differs.
func (a *app) readAmount(value string, currency intram.Currency) (intram.Amount, error) {
	if value == "" { // the flag was left out; see noEmptyFlags
		return intram.Amount{}, nil // whether it is required is decided by the call
	}
	amount, err := typed.Amount(value, currency)
	if err != nil {
		return amount, usagef("--amount: %w", err)
	}
	if exact, err := intram.ParseAmount(value); err != nil || !exact.Equal(amount) {
		a.note("--amount is read as %s.", money(amount, currency))
	}
	return amount, nil
}

// readMSISDN reads --msisdn as a person types it.
func (a *app) readMSISDN(value, country string, operator intram.ProviderCode) (string, error) {
	if value == "" {
		return "", nil
	}
	number, err := typed.MSISDN(value, country, operator)
	if err != nil {
		return "", usagef("--msisdn: %w", err)
	}
	if number != value {
		a.note("--msisdn is read as %s.", number)
	}
	return number, nil
}

// operationWait is how long a wait for an operation lasts, as the help shows it.
const operationWait = "60s"
