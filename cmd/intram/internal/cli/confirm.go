package cli

import (
	"bufio"
	"net/netip"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	intram "github.com/intram/intram-go"
)

// confirmation is asked for before real money moves.
type confirmation struct{ yes bool }

func (c *confirmation) flag(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&c.yes, "yes", false, "do not ask before real money moves (live keys)")
}

// ask lets a person with live keys think once more. A script has to say --yes: nobody is there to answer.
func (a *app) confirm(c confirmation, environment intram.Environment, what string) error {
	if environment != intram.Live || c.yes {
		return nil
	}
	return a.ask("Live keys", "these are live keys", what)
}

// confirmPayin is confirm for payin sessions, whose sandbox moves real money too. One on this machine is a fake.
func (a *app) confirmPayin(c confirmation, s *settings, what string) error {
	if s.environment() == intram.Live || c.yes || onThisMachine(s.payinBaseURL.value) {
		return a.confirm(c, s.environment(), what)
	}
	return a.ask("The sandbox of payin sessions", "the sandbox of payin sessions moves real money", what)
}

// onThisMachine reports whether an address is of the loopback. No address stands for the documented one.
func onThisMachine(address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(u.Hostname())
	return u.Hostname() == "localhost" || err == nil && ip.IsLoopback()
}

// ask asks the person at the terminal whether real money shall move.
func (a *app) ask(whose, why, what string) error {
	if !a.isTerminal(a.in) {
		return usagef("%s, and nobody is here to be asked: give --yes to %s. Nothing was sent", why, what)
	}
	a.sayError("%s: this will %s, with real money. Type yes to go on:", whose, what)
	answer, err := bufio.NewReader(a.in).ReadString('\n')
	if strings.TrimSpace(answer) != "yes" {
		return usagef("not confirmed; nothing was sent")
	}
	_ = err // the last line need not end with a line break
	return nil
}
