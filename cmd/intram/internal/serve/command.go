// Package serve implements the command "intram serve": the fake merchant API on the
// loopback, with a dashboard.
package serve

import (
	"fmt"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/cmd/intram/internal/local"
	"github.com/intram/intram-go/cmd/intram/internal/serve/preset"
)

// Command is "intram serve", whose lines for people are in a language.
func Command(lang intram.Language) *cobra.Command {
	o := options{lang: lang}
	command := &cobra.Command{
		Use:   "serve",
		Short: "Run the merchant API on this machine, with a dashboard",
		Long: `Run a merchant API of your own on this machine: the documented checks, wallets, payouts,
payments with their checkout page, refunds, payins, and signed webhooks. It is ready
at once and prints its address, its keys and a call that you can paste. The address
in a browser shows every call and every delivery, and lets you act on them.

The keys follow from --seed, so that they are the same tomorrow and on your colleague's
machine; so do the secrets of --forward-to. Ids are new at each start, so that a receiver
that remembers events never takes a new one for a known one. Other commands find the
server with --local.

Nothing outside this machine can reach it unless you say so with --allow-remote.

State. Without --state all is forgotten at the end. With it, the response to a call is sent
when its effect is in the file: no call with a response is lost, even by kill -9. A webhook
whose attempt was under way is sent again. The list of requests and the presets of
--fault are not kept.

` + presetsHelp(),
		Example: `  # the sandbox, at http://127.0.0.1:4010
  intram serve

  # keep the money and the webhooks over a restart
  intram serve --state ./intram-state.json

  # deliver webhooks to the handler you are writing
  intram serve --forward-to http://localhost:3000/webhooks/intram

  # see how your code takes a bad day
  intram serve --fault flaky --fault duplicate-webhooks

  # a clock that only moves when you move it, on the dashboard
  intram serve --clock frozen`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.seedSet = cmd.Flags().Changed("seed")
			o.out = cmd.OutOrStdout()
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
			defer stop()
			return run(ctx, o)
		},
	}
	f := command.Flags()
	f.StringVar(&o.addr, "addr", local.DefaultAddress, "`HOST:PORT` to listen on; port 0 picks a free one")
	f.BoolVar(&o.allowRemote, "allow-remote", false, "let --addr be reached from other machines")
	f.StringArrayVar(&o.allowHosts, "allow-host", nil, "a `NAME` that the server may be called by, besides its address (repeat)")
	f.StringVar(&o.state, "state", "", "keep the state in a `FILE|DIR`, and go on from it")
	f.Uint64Var(&o.seed, "seed", local.DefaultSeed, "what keys and drawn faults follow from")
	f.StringVar(&o.clock, "clock", clockRunning, "`running|frozen`: a frozen clock stands still until you advance it")
	f.StringVar(&o.work, "work", "at-once", "when operations end: `at-once|by-hand|DURATION`, such as 5s")
	f.StringVar(&o.payin, "payin-revision", payinNewer, "`newer|first`: which revision of the payin docs to play; first needs an accountId")
	f.BoolVar(&o.tls, "tls", false, "serve https, with a certificate made for this machine")
	f.StringVar(&o.forwardTo, "forward-to", "", "deliver every webhook to this `URL` of yours")
	f.StringArrayVar(&o.balances, "balance", nil, "what the wallets of a new state hold: `AMOUNT|OPERATOR=AMOUNT`, such as MTN=50000 (repeat)")
	f.StringArrayVar(&o.faults, "fault", nil, "a `PRESET` of faults, listed above (repeat)")
	_ = command.RegisterFlagCompletionFunc("fault", cobra.FixedCompletions(preset.Names(), cobra.ShellCompDirectiveNoFileComp))
	_ = command.RegisterFlagCompletionFunc("clock", cobra.FixedCompletions([]string{clockRunning, clockFrozen}, cobra.ShellCompDirectiveNoFileComp))
	_ = command.RegisterFlagCompletionFunc("payin-revision", cobra.FixedCompletions([]string{payinNewer, payinFirst}, cobra.ShellCompDirectiveNoFileComp))
	return command
}

// presetsHelp lists the presets within 80 columns.
func presetsHelp() string {
	var b strings.Builder
	b.WriteString("Presets of --fault:\n")
	for _, p := range preset.All() {
		about := p.About
		if cut := strings.LastIndex(about[:min(len(about), 55)], " "); len(about) > 55 && cut > 0 {
			about = about[:cut] + "\n" + strings.Repeat(" ", 23) + about[cut+1:]
		}
		fmt.Fprintf(&b, "  %-20s %s\n", p.Name, about)
	}
	return strings.TrimSuffix(b.String(), "\n")
}
