// Package cli implements the intram command: its root, its subcommands, and what they
// share.
package cli

import (
	"context"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/cmd/intram/internal/local"
	"github.com/intram/intram-go/cmd/intram/internal/locale"
	"github.com/intram/intram-go/cmd/intram/internal/serve"
	"github.com/intram/intram-go/cmd/intram/internal/sheet"
	"github.com/intram/intram-go/internal/system"
)

// app holds what a command uses of its process. Tests replace it.
type app struct {
	in       io.Reader
	out, err io.Writer
	// lookupEnv reads the environment, and the two files are where the configuration and
	// the address of a local server are.
	lookupEnv            func(string) (string, bool)
	configFile, localDir string
	clock                intram.Clock
	location             *time.Location // nil is the machine's
	// clientOptions come after the command's own, for tests.
	clientOptions []intram.ClientOption
	// isTerminal reports whether a stream is read or written by a person.
	isTerminal func(any) bool
	// readHidden reads a line that a person types, without showing it.
	readHidden func(context.Context) (string, error)
	// throttle is the least time between two drawings of a progress bar.
	throttle time.Duration
	// environ lists the environment, for "intram doctor", which also resolves, connects,
	// bounds its steps and trusts by what follows. Where nil, it is the machine's own.
	environ   func() []string
	lookup    func(ctx context.Context, host string) ([]netip.Addr, error)
	dial      func(ctx context.Context, network, address string) (net.Conn, error)
	within    func(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc)
	roots     *x509.CertPool
	buildInfo func() (*debug.BuildInfo, bool)
	// webhookURL is what the subscriptions of "intram fidelity run" name. Empty is an
	// address that does not exist.
	webhookURL string

	// lang is the language of help and messages. langFlag is what --lang says.
	lang     intram.Language
	langFlag locale.Flag

	connection connectionFlags
	asJSON     bool
	verbose    bool // show the server's own messages
	creating   creating
}

// Main runs the command of this process, and returns its exit status. Ctrl-C ends the
// command, which then reports what it left behind; a second Ctrl-C ends it at once.
func Main() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	// A pipe whose reader has gone is an error of the write, and must not end the
	// process: accepted calls must be reported, and the exit status must be true.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	a := &app{
		in: os.Stdin, out: os.Stdout, err: os.Stderr, lookupEnv: os.LookupEnv, clock: system.Clock{}, throttle: 100 * time.Millisecond,
		isTerminal: func(stream any) bool {
			f, ok := stream.(*os.File)
			return ok && term.IsTerminal(int(f.Fd()))
		},
		readHidden: readHidden,
	}
	if dir, err := os.UserConfigDir(); err == nil {
		a.configFile = filepath.Join(dir, "intram", "config.toml")
	}
	if path, err := local.Path(); err == nil {
		a.localDir = path
	}
	return a.run(ctx, os.Args[1:])
}

// run runs one command line, and returns its exit status.
func (a *app) run(ctx context.Context, args []string) (code int) {
	a.out = &output{Writer: a.out}
	defer func() {
		if r := recover(); r != nil {
			code = a.end(newPanicError(r)) // 2, which the runtime would end with, says that nothing moved
		}
	}()
	a.lang = a.language(args)
	root := a.newRoot()
	root.SetArgs(append([]string{}, args...)) // nil would be the arguments of the process
	return a.end(root.ExecuteContext(ctx))
}

func (a *app) newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "intram",
		Short: "The Intram Merchant API on your laptop",
		Long: `The Intram Merchant API on your laptop: a fake of it to build against, its calls from
a shell, and the tools one reaches for when a signature does not match.

Keys come from the environment (INTRAM_PUBLIC_KEY, INTRAM_SECRET_KEY) or from the
file that "intram config" names, never from flags. With --local, the commands speak
to the fake that "intram serve" runs.

` + exitHelp,
		Example: `  intram serve                          # the fake, in one terminal
  intram balance --local                # and its wallet, in another
  intram sign POST /payouts --body @payout.json --curl
  intram explain-signature < request.txt`,
		Version:       linked.current(),
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          noSuchCommand,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },

		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			if err := a.checkLanguage(); err != nil {
				return err
			}
			return noEmptyFlags(cmd)
		},
	}
	root.PersistentFlags().Var(&a.langFlag, "lang", locale.LangUsage)
	complete(root, "lang", locale.Languages...)
	// Set first: the commands of completion keep what they find.
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	root.SetUsageTemplate(usageTemplate)
	root.SetHelpTemplate("{{with (or .Long .Short)}}{{. | trimTrailingWhitespaces}}\n\n{{end}}{{.UsageString}}")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usagef("%w; see: %s --help", err, cmd.CommandPath())
	})
	root.CompletionOptions.DisableDescriptions = false
	root.AddCommand(
		a.balanceCommand(), a.payoutsCommand(), a.paymentRequestsCommand(), a.refundsCommand(),
		a.transactionsCommand(), a.operationsCommand(), a.webhooksCommand(), a.payinCommand(), a.callCommand(),
		a.eventsCommand(), a.jobsCommand(), a.fidelityCommand(),
		serve.Command(a.lang), a.signCommand(), a.verifyCommand(), a.explainCommand(), a.doctorCommand(), a.configCommand(), a.versionCommand(), a.manCommand(),
	)
	root.InitDefaultCompletionCmd()
	root.InitDefaultHelpCmd()
	helpOfCommands(root)
	locale.Localise(root, a.lang)
	tidyHelp(root)
	return root
}

// helpOfCommands has "intram help" refuse what is no command as the command itself does,
// instead of printing the help of something else.
func helpOfCommands(root *cobra.Command) {
	for _, cmd := range root.Commands() {
		if cmd.Name() != "help" {
			continue
		}
		help := cmd.Run
		cmd.Run = nil
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			about, rest, err := root.Find(args)
			if err != nil {
				return err
			}
			if err := noSuchCommand(about, rest); err != nil {
				return err
			}
			help(cmd, args)
			return nil
		}
	}
}

// language returns the language of a command line: that of --lang, or of INTRAM_LANG, or
// of the machine's settings.
func (a *app) language(args []string) intram.Language {
	if lang, ok := locale.FromArgs(args); ok {
		return lang
	}
	if value, _ := a.lookupEnv(languageVariable); value != "" {
		if lang, err := locale.Parse(value); err == nil {
			return lang
		}
	}
	return locale.FromLocale(a.lookupEnv)
}

const languageVariable = "INTRAM_LANG"

// checkLanguage refuses a variable that names no language. (--lang refuses one itself.)
func (a *app) checkLanguage() error {
	value, _ := a.lookupEnv(languageVariable)
	if _, err := locale.Parse(value); value != "" && err != nil && a.langFlag.Value == "" {
		return usagef("%s: %w", languageVariable, err)
	}
	return nil
}

// tidyHelp wraps the texts of all commands at 80 columns, whatever the width in the
// source.
func tidyHelp(cmd *cobra.Command) {
	cmd.Long = reflow(cmd.Long)
	for _, sub := range cmd.Commands() {
		tidyHelp(sub)
	}
}

// reflow wraps the lines of a text again. A paragraph with an indented line is a table or
// an example, and stays.
func reflow(text string) string {
	paragraphs := strings.Split(strings.TrimSpace(text), "\n\n")
	for i, p := range paragraphs {
		if !strings.HasPrefix(p, " ") && !strings.Contains(p, "\n ") && !strings.Contains(p, "\t") {
			paragraphs[i] = wrap(strings.ReplaceAll(p, "\n", " "), columns, "")
		}
	}
	return strings.Join(paragraphs, "\n\n")
}

// group returns a command that only holds others.
func group(use, short, long string, commands ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{
		Use: use, Short: short, Long: long, Args: noSuchCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(commands...)
	return cmd
}

// noSuchCommand refuses the arguments of a command that only holds others.
func noSuchCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	message := fmt.Sprintf("%s has no command %q", cmd.CommandPath(), args[0])
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		message += "; did you mean " + strings.Join(near, " or ") + "?"
	}
	return usagef("%s; see: %s --help", message, cmd.CommandPath())
}

// noEmptyFlags refuses a flag with an empty value: --amount "$UNSET" is a mistake in a
// script, not a request for the whole amount. Likewise for a key, a reference or a
// journal.
func noEmptyFlags(cmd *cobra.Command) error {
	var empty error
	cmd.Flags().Visit(func(f *pflag.Flag) {
		given := []string{f.Value.String()}
		switch value := f.Value.(type) {
		case pflag.SliceValue:
			given = value.GetSlice()
		default:
			if value.Type() != "string" {
				return
			}
		}
		if empty == nil && slices.ContainsFunc(given, func(s string) bool { return strings.TrimSpace(s) == "" }) {
			empty = usagef("--%s is empty: give it a value, or leave it out (is a variable of the shell unset?). Nothing was sent", f.Name)
		}
	})
	return empty
}

// exactly requires arguments with these names.
func exactly(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == len(names) {
			return nil
		}
		want := strings.Join(names, " ")
		if want == "" {
			want = "no arguments"
		}
		return usagef("%s takes %s, and was given %s; see: %s --help", cmd.CommandPath(), want, sheet.Count(len(args), "argument", "arguments"), cmd.CommandPath())
	}
}

// usageTemplate is cobra's, in 80 columns.
const usageTemplate = `Usage:{{if .HasAvailableSubCommands}}
  {{.CommandPath}} [command]{{else if .Runnable}}
  {{.UseLine}}{{end}}{{if .HasExample}}

Examples:
{{.Example}}{{end}}{{if .HasAvailableSubCommands}}

Commands:{{range .Commands}}{{if (or .IsAvailableCommand (eq .Name "help"))}}
  {{rpad .Name .NamePadding }} {{.Short}}{{end}}{{end}}{{end}}{{if .HasAvailableLocalFlags}}

Flags:
{{.LocalFlags.FlagUsagesWrapped 80 | trimTrailingWhitespaces}}{{end}}{{if .HasAvailableInheritedFlags}}

Flags of all its commands:
{{.InheritedFlags.FlagUsagesWrapped 80 | trimTrailingWhitespaces}}{{end}}{{if .HasAvailableSubCommands}}

More about a command: {{.CommandPath}} [command] --help{{end}}
`
