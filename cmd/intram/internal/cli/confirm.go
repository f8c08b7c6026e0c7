package cli

import (
	"bufio"
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
	if !a.isTerminal(a.in) {
		return usagef("these are live keys, and nobody is here to be asked: give --yes to %s. Nothing was sent", what)
	}
	a.sayError("Live keys: this will %s, with real money. Type yes to go on:", what)
	answer, err := bufio.NewReader(a.in).ReadString('\n')
	if strings.TrimSpace(answer) != "yes" {
		return usagef("not confirmed; nothing was sent")
	}
	_ = err // the last line need not end with a line break
	return nil
}
