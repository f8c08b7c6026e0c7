package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/cmd/intram/internal/fidelity"
)

// confirmation asks before real money moves.
type confirmation struct{ yes bool }

func (c *confirmation) flag(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&c.yes, "yes", false, "do not ask before real money moves (live keys)")
}

// confirm asks a person with live keys before the call. A script must give --yes: it has
// no person to respond.
func (a *app) confirm(c confirmation, environment intram.Environment, what string) error {
	if environment != intram.Live || c.yes {
		return nil
	}
	return a.ask("Live keys", "these are live keys", what)
}

// confirmPayin is confirm for payin sessions, whose sandbox moves real money too. A
// server on this machine is a fake.
func (a *app) confirmPayin(c confirmation, s *settings, what string) error {
	if s.environment() == intram.Live || c.yes || fidelity.OnThisMachine(s.payinBaseURL.value) {
		return a.confirm(c, s.environment(), what)
	}
	return a.ask("The sandbox of payin sessions", "the sandbox of payin sessions moves real money", what)
}

// ask asks the person at the terminal whether to move real money.
func (a *app) ask(whose, why, what string) error {
	return a.askFirst(why, what, fmt.Sprintf("%s: this will %s, with real money.", whose, what))
}

// askFirst asks the person at the terminal before something is sent. sentence says what.
func (a *app) askFirst(why, what, sentence string) error {
	if !a.isTerminal(a.in) {
		return usagef("%s, and no terminal to ask at: give --yes to %s. Nothing was sent", why, what)
	}
	a.sayError("%s Type yes to go on:", sentence)
	answer, err := bufio.NewReader(a.in).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) { // the last line need not end with a line break
		return usagef("not confirmed; nothing was sent")
	}
	if typed := strings.TrimSpace(answer); typed != "yes" && (a.lang != intram.French || typed != "oui") {
		return usagef("not confirmed; nothing was sent")
	}
	return nil
}
