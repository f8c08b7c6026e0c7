package cli

import (
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/cmd/intram/internal/locale"
	"github.com/intram/intram-go/cmd/intram/internal/signature"
)

func (a *app) verifyCommand() *cobra.Command {
	var (
		secrets           []string
		headers, body, at string
	)
	cmd := &cobra.Command{
		Use: "verify", Short: "Check the signature of a webhook delivery", Args: exactly(),
		Long: `Check the signature and the age of a webhook delivery, and say what is wrong with it: a
header that is missing, another subscription's secret, an old delivery, or a body that
is not the raw one (decoded and written again, CRLF, a line break too many). A
notification of a payin session (X-Signature-Value) is checked too.

The secret is named, not given: @FILE, or env:NAME. Without --secret it is
INTRAM_WEBHOOK_SECRET, or the webhook_secret of the configuration.

The exit status is 0 when the signature is good, and 2 when it is not.`,
		Example: `  intram verify --secret @webhook.secret --headers @head.txt --body @body.json
  intram verify --secret env:HOOK_SECRET --headers @h.txt --body @- < body.json`,
	}
	flags := cmd.Flags()
	flags.StringArrayVar(&secrets, "secret", nil, "the subscription's secret: `@FILE` or env:NAME; several while you rotate")
	flags.StringVar(&headers, "headers", "", "the delivery's headers: `@FILE` or @-")
	flags.StringVar(&body, "body", "", "the delivery's raw body: `@FILE` or @-")
	flags.StringVar(&at, "at", "", "judge the age at this `time` instead of now")
	a.configFlags(cmd)
	cmd.RunE = func(*cobra.Command, []string) error {
		if headers == "" || body == "" {
			return usagef("give both --headers @FILE and --body @FILE, saved as they arrived")
		}
		if headers == "@-" && body == "@-" {
			return usagef("only one of --headers and --body can be the standard input")
		}
		keys, err := a.webhookSecrets(secrets)
		if err != nil {
			return err
		}
		now, err := a.judgedAt(at)
		if err != nil {
			return err
		}
		head, err := a.readArgument("--headers", headers)
		if err != nil {
			return err
		}
		header, err := signature.ParseHeaders(head)
		if err != nil {
			return usagef("--headers: %w", err)
		}
		// The first is the one that counts, and every one of --secret; behind them stand
		// other keys, as suspects.
		for _, key := range keys[:max(1, len(secrets))] {
			if mistake := webhookMistake(key.Value, header.Get("X-Signature-Value") != ""); mistake != "" {
				return usagef("%s %s", key.Label, mistake)
			}
		}
		data, err := a.readArgument("--body", body)
		if err != nil {
			return err
		}
		var verdict *signature.Verdict
		for i := range keys {
			// Each of the secrets given is as good as the first.
			order := append([]signature.Key{keys[i]}, otherKeys(keys, i)...)
			v := signature.ExplainWebhook(header, data, order, now)
			if verdict == nil || v.Good {
				verdict = v
			}
			if len(secrets) == 0 || i == len(secrets)-1 || v.Good {
				break
			}
		}
		return a.printVerdict(verdict, ofDelivery)
	}
	return a.prints(cmd)
}

// configFlags gives the flags of commands that read the configuration and make no call.
func (a *app) configFlags(cmd *cobra.Command) {
	a.profileFlag(cmd)
	cmd.Flags().StringVar(&a.connection.config, "config", "", "the configuration `file` to read instead of the usual one")
}

func otherKeys(keys []signature.Key, i int) []signature.Key {
	return append(append([]signature.Key(nil), keys[:i]...), keys[i+1:]...)
}

// webhookSecrets returns the secrets that a delivery may be signed with, and after them
// other keys of the configuration, which would be mistakes.
func (a *app) webhookSecrets(flags []string) ([]signature.Key, error) {
	var keys []signature.Key
	for _, flag := range flags {
		value, err := a.readSecretArgument("--secret", flag)
		if err != nil {
			return nil, err
		}
		keys = append(keys, signature.Key{Label: "the secret of " + flag, Value: value})
	}
	s, err := a.settings()
	if err != nil {
		return nil, err
	}
	if s.webhookSecret.value != "" {
		keys = append(keys, signature.Key{Label: "the webhook secret of " + s.webhookSecret.source, Value: s.webhookSecret.value})
	}
	if len(keys) == 0 {
		return nil, usagef("say which secret: --secret @FILE or --secret env:NAME, or set INTRAM_WEBHOOK_SECRET")
	}
	if s.secretKey.value != "" {
		keys = append(keys, signature.Key{Label: "the API's secret key", Value: s.secretKey.value})
	}
	return keys, nil
}

// judgedAt returns the time at which the age of a timestamp is checked.
func (a *app) judgedAt(at string) (time.Time, error) {
	if at == "" {
		return a.clock.Now(), nil
	}
	t, err := time.Parse(time.RFC3339Nano, at)
	if err != nil {
		return t, usagef("--at must be a time such as 2026-05-20T10:30:00Z")
	}
	return t, nil
}

// What a signature is of.
const (
	ofDelivery = "delivery"
	ofRequest  = "request"
)

// printVerdict prints the result, and ends with its exit status.
func (a *app) printVerdict(v *signature.Verdict, what string) error {
	if a.asJSON {
		if err := a.printValue(v); err != nil {
			return err
		}
	} else {
		a.sayVerdict(v, what)
	}
	if !v.Good {
		return said(exitRefused)
	}
	return nil
}

func (a *app) sayVerdict(v *signature.Verdict, what string) {
	if v.Good {
		a.say("The signature of the %s is good.", what)
		return
	}
	if len(v.Findings) > 0 {
		a.say("The %s is refused:", what)
	}
	for _, f := range v.Findings {
		// A receiver did not sign: what is found by the same ID in a request has other
		// advice.
		if a.lang == intram.French && what == ofRequest && locale.HasFinding(f.ID) {
			a.sayItem(locale.Finding(a.lang, f))
			continue
		}
		found := a.inLanguage(f.What)
		first, size := utf8.DecodeRuneInString(found)
		a.sayItem(string(unicode.ToUpper(first)) + found[size:] + ".")
		a.sayMoreOfItem(a.inLanguage(f.Fix))
	}
	if !v.Explained {
		a.say("None of the known mistakes, alone or together, gives the signature that was sent.")
		a.sayItem("Check the key. To try keys that may have been used instead, add --also @FILE.")
		a.sayItem("Check that the body is exactly the bytes that were sent. Save it from the client, not from a log.")
	}
}

func (a *app) sayItem(text string) {
	a.say("%s", "- "+wrap(a.inLanguage(text), columns-2, "  "))
}

func (a *app) sayMoreOfItem(text string) {
	a.say("%s", "  "+wrap(text, columns-2, "  "))
}
