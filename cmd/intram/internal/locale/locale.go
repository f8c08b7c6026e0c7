// Package locale holds the French of the command: what its help, its prompts, its tables
// and its messages say. The English is in the code, and is the key: a text that changes
// there has no French until it is translated again, and a test fails.
package locale

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	intram "github.com/intram/intram-go"
)

// LangUsage describes the flag --lang.
const LangUsage = "the `language` of help and messages: fr or en (default that of INTRAM_LANG, or of LC_ALL, LC_MESSAGES or LANG)"

const (
	helpUsage    = "afficher cette aide"
	versionUsage = "afficher la version d'intram"
)

// Help is the help of one command.
type Help struct {
	// Of is the digest of the English that it was written from.
	Of string
	// Short, Long and Example are those of the command. Without a comment in it, an
	// example needs no French.
	Short, Long, Example string
}

// DigestOf returns the digest of a command's English help.
func DigestOf(cmd *cobra.Command) string {
	sum := sha256.Sum256([]byte(strings.Join(strings.Fields(cmd.Short+" | "+cmd.Long+" | "+cmd.Example), " ")))
	return hex.EncodeToString(sum[:4])
}

// HelpOf returns the French help of a command.
func HelpOf(path string) (Help, bool) {
	help, ok := frenchHelp[path]
	return help, ok
}

// Commands lists the commands that have French help.
func Commands() []string { return slices.Sorted(maps.Keys(frenchHelp)) }

// Flags lists the English of all flags that have French.
func Flags() []string { return slices.Sorted(maps.Keys(frenchFlags)) }

// Localise puts the help of a command and of those below it into a language. It is called
// once, on the root, before a command line is read.
func Localise(root *cobra.Command, lang intram.Language) {
	if lang != intram.French {
		return
	}
	frenchWords(root)
	root.SetUsageTemplate(frenchUsage)
}

func frenchWords(cmd *cobra.Command) {
	if help, ok := frenchHelp[cmd.CommandPath()]; ok {
		cmd.Short, cmd.Long = respace(help.Short), respace(help.Long)
		if help.Example != "" {
			cmd.Example = help.Example
		}
	}
	translate := func(f *pflag.Flag) {
		if text, ok := frenchFlags[f.Usage]; ok {
			f.Usage = respace(text)
		}
	}
	cmd.InitDefaultHelpFlag()
	cmd.InitDefaultVersionFlag()
	for name, usage := range map[string]string{"help": helpUsage, "version": versionUsage} {
		if f := cmd.Flags().Lookup(name); f != nil {
			f.Usage = usage
		}
	}
	cmd.PersistentFlags().VisitAll(translate)
	cmd.Flags().VisitAll(translate)
	words := strings.Fields(cmd.Use)
	for i, word := range words {
		words[i] = Argument(intram.French, word)
	}
	cmd.Use = strings.Join(words, " ")
	if cmd.HasAvailableFlags() {
		cmd.Use += " [options]"
	}
	cmd.DisableFlagsInUseLine = true
	for _, sub := range cmd.Commands() {
		frenchWords(sub)
	}
}

// Argument returns the name of an argument in a language.
func Argument(lang intram.Language, name string) string {
	if french, ok := frenchArguments[name]; ok && lang == intram.French {
		return french
	}
	return name
}

func init() { //nolint:gochecknoinits // cobra's templates have their functions in one place
	cobra.AddTemplateFunc("frenchFlags", func(flags *pflag.FlagSet) string { return usages(flags, columns) })
}

const columns = 80

// usages lists flags as pflag does, in French, and counting letters where pflag counts
// bytes.
func usages(flags *pflag.FlagSet, width int) string {
	type line struct{ left, right string }
	var lines []line
	widest := 0
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Deprecated != "" {
			return
		}
		left := "      --" + f.Name
		if f.Shorthand != "" {
			left = "  -" + f.Shorthand + ", --" + f.Name
		}
		name, usage := pflag.UnquoteUsage(f)
		if name != "" {
			left += " " + name
		}
		switch f.DefValue {
		case "", "0", "0s", "false", "[]":
		default:
			format := " (%s par défaut)"
			if f.Value.Type() == "string" {
				format = " (« %s » par défaut)"
			}
			value := f.DefValue
			if f.Value.Type() == "duration" { // 168h0m0s
				for _, zero := range []string{"0s", "0m"} {
					if len(value) > 3 {
						value = strings.TrimSuffix(value, zero)
					}
				}
			}
			usage += respace(fmt.Sprintf(format, value))
		}
		lines = append(lines, line{left, usage})
		widest = max(widest, utf8.RuneCountInString(left))
	})
	indent := widest + 3
	var all []string
	for _, l := range lines {
		var text strings.Builder
		text.WriteString(l.left + strings.Repeat(" ", indent-utf8.RuneCountInString(l.left)))
		length := indent
		for i, word := range strings.Split(l.right, " ") {
			n := utf8.RuneCountInString(word)
			switch {
			case i == 0:
			case length+1+n > width:
				text.WriteString("\n" + strings.Repeat(" ", indent))
				length = indent
			default:
				text.WriteByte(' ')
				length++
			}
			text.WriteString(word)
			length += n
		}
		all = append(all, text.String())
	}
	return strings.Join(all, "\n")
}
