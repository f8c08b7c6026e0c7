package cli

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/cmd/intram/internal/sheet"
)

// commands are all commands, by their words.
func commands(cmd *cobra.Command, words ...string) map[*cobra.Command][]string {
	all := map[*cobra.Command][]string{cmd: words}
	for _, sub := range cmd.Commands() {
		maps.Copy(all, commands(sub, append(append([]string(nil), words...), sub.Name())...))
	}
	return all
}

func TestEveryHelpTeachesByExampleIn80Columns(t *testing.T) {
	t.Parallel()
	b := newConfigBench(t)
	all := commands((&app{}).newRoot())
	assert.Greater(t, len(all), 35)
	for cmd, words := range all {
		out := b.ok(t, append(words, "--help")...)
		assert.NotEmpty(t, cmd.Short, "%v", words)
		if !cmd.HasSubCommands() && (len(words) == 0 || words[0] != "completion" && words[0] != "help") {
			assert.Contains(t, out, "Examples:\n", "%v", words)
			assert.Contains(t, cmd.Example, cmd.CommandPath(), "%v", words)
		}
		assert.NotContains(t, cmd.Short, "\n")
	}
	b.golden(t, "help", b.ok(t))
	b.golden(t, "help-payouts-batch", b.ok(t, "payouts", "batch", "--help"))
	assert.Contains(t, b.ok(t, "--version"), "intram version ")
}

func TestEveryExampleParses(t *testing.T) {
	t.Parallel()
	for cmd, words := range commands((&app{}).newRoot()) {
		if len(words) > 0 && words[0] == "completion" {
			continue
		}
		for _, example := range exampleLines(cmd.Example) {
			root := (&app{}).newRoot()
			args := shellWords(t, example)
			at := indexOf(args, "intram")
			if at < 0 {
				continue
			}
			args = args[at+1:]
			for i, arg := range args {
				if arg == "|" || arg == "&&" || arg == "<" || arg == ">" || strings.HasPrefix(arg, "#") {
					args = args[:i]
					break
				}
			}
			found, rest, err := root.Find(args)
			require.NoError(t, err, "%s", example)
			assert.NoError(t, found.ParseFlags(rest), "%s", example)
			if found.Args != nil {
				assert.NoError(t, found.Args(found, found.Flags().Args()), "%s", example)
			}
		}
	}
}

func exampleLines(example string) []string {
	var lines []string
	for line := range strings.Lines(strings.ReplaceAll(example, "\\\n", " ")) {
		if line = strings.TrimSpace(line); strings.Contains(line, "intram ") && !strings.HasPrefix(line, "#") && !strings.HasPrefix(line, "sh -c") {
			lines = append(lines, line)
		}
	}
	return lines
}

func indexOf(words []string, word string) int {
	for i, w := range words {
		if w == word {
			return i
		}
	}
	return -1
}

func TestNoFlagTakesASecret(t *testing.T) {
	t.Parallel()
	for cmd := range commands((&app{}).newRoot()) {
		for _, name := range []string{"secret-key", "api-key", "private-key", "webhook-secret", "payin-api-key", "payin-api-client"} {
			assert.Nil(t, cmd.Flag(name), "%s --%s", cmd.CommandPath(), name)
		}
	}
}

func TestTheManPagesAreThoseOfTheCommands(t *testing.T) {
	t.Parallel()
	english, french := filepath.Join("..", "..", "man"), filepath.Join("..", "..", "man", "fr", "man1")
	if *update {
		require.NoError(t, os.RemoveAll(english))
		require.NoError(t, os.MkdirAll(french, 0o755))
		require.NoError(t, writeMan((&app{}).newRoot(), english, intram.English))
		require.NoError(t, writeMan(frenchRoot(), french, intram.French))
	}
	for folder, lang := range map[string]string{english: "en", french: "fr"} {
		b := newConfigBench(t)
		fresh := filepath.Join(b.home, "man")
		b.ok(t, "man", fresh, "--lang", lang)
		want, err := filepath.Glob(filepath.Join(fresh, "*"))
		require.NoError(t, err)
		assert.Greater(t, len(want), 35)
		have, err := filepath.Glob(filepath.Join(folder, "*.1"))
		require.NoError(t, err)
		require.Len(t, have, len(want), "write them with: make man")
		for _, page := range want {
			assert.Equal(t, mustRead(t, page), mustRead(t, filepath.Join(folder, filepath.Base(page))), "write them with: make man")
		}
	}
	page := mustRead(t, filepath.Join(english, "intram.1"))
	for _, status := range []string{"in doubt", "interrupted before anything was sent", "the wait ended first"} {
		assert.Contains(t, page, status)
	}
	page = mustRead(t, filepath.Join(french, "intram-payouts-batch.1"))
	for _, heading := range []string{"NOM", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "OPTIONS COMMUNES", "EXEMPLES", "VOIR AUSSI"} {
		assert.Contains(t, page, "\n.SH "+heading+"\n")
	}
	for _, heading := range []string{"NAME", "INHERITED", "EXAMPLE", "SEE ALSO"} {
		assert.NotContains(t, page, heading)
	}
}

func TestCompletionKnowsTheWords(t *testing.T) {
	t.Parallel()
	b := newConfigBench(t)
	for typed, want := range map[string][]string{
		"payouts create --provider ":    {"MTN_BENIN_229", "SBIN_BENIN_229"},
		"webhooks create --event ":      {"payout.completed", "payout.*", "*"},
		"operations list --status ":     {"succeeded", "failed"},
		"operations list --type ":       {"payment_request"},
		"transactions list --status ":   {"PENDING", "REFUNDED"},
		"sign ":                         {"GET", "POST", "DELETE"},
		"sign POST ":                    {"/payouts", "/refunds"},
		"balance --profile ":            {"sandbox", "live"},
		"payouts ":                      {"create", "batch", "wait"},
		"completion ":                   {"bash", "fish", "powershell", "zsh"},
		"explain-signature GET ":        {"/balance"},
		"payment-requests create --cur": {"--currency"},
	} {
		args := append([]string{"__complete"}, strings.Split(typed, " ")...)
		out := b.ok(t, args...)
		for _, word := range want {
			assert.Contains(t, out, word, "%q", typed)
		}
	}
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		var script string
		r := b.run(t, "completion", shell)
		require.Zero(t, r.code)
		script = r.out
		assert.Contains(t, script, "intram", shell)
		if path, err := exec.LookPath(shell); err == nil && shell == "bash" {
			file := b.file(t, "completion."+shell, script)
			output, err := exec.CommandContext(t.Context(), path, "-n", file).CombinedOutput()
			assert.NoError(t, err, "%s", output)
		}
	}
}

func TestTheReadmeHasTheExitStatusesAndTheSettings(t *testing.T) {
	t.Parallel()
	readme := mustRead(t, filepath.Join("..", "..", "README.md"))
	assert.Contains(t, readme, exitHelp)
	s, err := (&app{lookupEnv: func(string) (string, bool) { return "", false }}).settings()
	require.NoError(t, err)
	for _, one := range s.all() {
		if one.name != "certificate" {
			assert.Contains(t, readme, "`"+one.name+"`")
		}
	}
	for _, column := range sheet.ResultColumns {
		assert.Contains(t, readme, "`"+column+"`")
	}
}
