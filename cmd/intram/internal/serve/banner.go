package serve

import (
	"fmt"
	"strings"

	"github.com/intram/intram-go/cmd/intram/internal/locale"
	"github.com/intram/intram-go/cmd/intram/internal/serve/dashboard"
)

// banner returns what the server prints when it is ready. Its lines fit 80 columns,
// unless a path or a URL does not.
func (s *server) banner() string {
	m := s.core.Merchant()
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	// What a person reads is in the language of the run. Addresses and keys stay as they
	// are, since scripts look for their lines.
	say := func(format string, args ...any) {
		b.WriteString(locale.Message(s.lang, fmt.Sprintf(format, args...)) + "\n")
	}
	line("The Intram merchant API, on this machine: %s", s.url)
	line("Dashboard: %s%s", s.url, dashboard.Path)
	switch {
	case s.resumed:
		say("State: %s, continued", s.store.path)
	case s.store != nil:
		say("State: %s", s.store.path)
	}
	if s.clock == clockFrozen {
		say("The clock is frozen at %s until you advance it.", s.core.Clock().Now().Format("2006-01-02T15:04:05.000Z"))
	}
	if names := s.presets.Names(); len(names) > 0 {
		say("Faults: %s", strings.Join(names, ", "))
	}
	if s.certFile != "" {
		line("Certificate: %s", s.certFile)
	}
	line("")
	line("Sandbox  public key  %s", m.Sandbox.Public)
	line("         secret key  %s", m.Sandbox.Secret)
	line("         payin       %s", m.SandboxPayin.APIKey)
	line("                     %s", m.SandboxPayin.APIClient)
	if s.payin == payinFirst {
		line("                     account %s", m.SandboxPayin.AccountID)
	}
	line("Live     public key  %s", m.Live.Public)
	line("         secret key  %s", m.Live.Secret)
	line("         payin       %s", m.LivePayin.APIKey)
	line("                     %s", m.LivePayin.APIClient)
	if s.payin == payinFirst {
		line("                     account %s", m.LivePayin.AccountID)
	}
	s.bannerForward(line, say)
	line("")
	say("A signed call, to paste:")
	line("")
	b.WriteString(s.curl())
	line("")
	say("Stop with Ctrl-C.")
	return b.String()
}

func (s *server) bannerForward(line, say func(string, ...any)) {
	if s.forwardTo == "" {
		return
	}
	line("")
	say("Webhooks go to %s", s.forwardTo)
	for _, environment := range []string{"sandbox", "live"} {
		if sub, ok := s.forwarded(environment, false); ok {
			line("  %-8s secret %s (payins too)", environment, sub.Secret)
		}
	}
}

// curl returns a signed call for a shell. The call makes its timestamp when it is pasted,
// and asks the server if the server's clock is not the machine's.
func (s *server) curl() string {
	m := s.core.Merchant()
	trust := ""
	if s.certFile != "" {
		trust = " --cacert " + quoted(s.certFile)
	}
	timestamp := "date -u +%Y-%m-%dT%H:%M:%S.000Z"
	if s.clock == clockFrozen {
		timestamp = "curl -s" + trust + " " + s.url + dashboard.TimePath
	}
	return strings.Join([]string{
		"export INTRAM_BASE_URL=" + s.url + "/v1",
		"export INTRAM_PUBLIC_KEY=" + m.Sandbox.Public,
		"export INTRAM_SECRET_KEY=" + m.Sandbox.Secret,
		"T=$(" + timestamp + ")",
		`S=$(printf '%s\nGET\n/api/v1/merchant/balance\n\n' "$T" |`,
		`  openssl dgst -sha256 -hmac "$INTRAM_SECRET_KEY" | sed 's/.* //')`,
		`curl -s` + trust + ` "$INTRAM_BASE_URL/balance" -H "X-Timestamp: $T" \`,
		`  -H "X-Api-Key: $INTRAM_PUBLIC_KEY" -H "X-Signature: sha256=$S"`,
		"",
	}, "\n")
}

// quoted quotes a path for a shell.
func quoted(path string) string { return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'" }
