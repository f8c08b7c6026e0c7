package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/cmd/intram/internal/locale"
)

// columns is the width of all output for people.
const columns = 80

// prints gives a command, and its subcommands, the choice between a table and JSON.
func (a *app) prints(cmd *cobra.Command) *cobra.Command {
	cmd.PersistentFlags().BoolVar(&a.asJSON, "json", false, "print what the API said, as JSON")
	return cmd
}

// calls gives a command the flags for calling the API and printing the response.
func (a *app) calls(cmd *cobra.Command) *cobra.Command { return a.prints(a.connects(cmd)) }

// sayError prints a line for people to the error stream, in 80 columns.
func (a *app) sayError(format string, args ...any) {
	fmt.Fprintln(a.err, wrap(a.inLanguage(fmt.Sprintf(format, args...)), columns, ""))
}

// note prints a line for people, which is left out with --json.
func (a *app) note(format string, args ...any) {
	if !a.asJSON {
		a.sayError(format, args...)
	}
}

// say prints a line for people to the output.
func (a *app) say(format string, args ...any) {
	fmt.Fprintln(a.out, wrap(a.inLanguage(fmt.Sprintf(format, args...)), columns, ""))
}

// inLanguage returns a message for people in the language of the run.
func (a *app) inLanguage(message string) string { return locale.Message(a.lang, message) }

// printJSON prints a response, indented, with every digit and in its order.
func (a *app) printJSON(raw []byte) error {
	var b bytes.Buffer
	if err := json.Indent(&b, raw, "", "  "); err != nil {
		return fmt.Errorf("the response is not JSON: %w", err)
	}
	b.WriteByte('\n')
	_, err := b.WriteTo(a.out)
	return err
}

// printValue prints a value of the command's own as JSON.
func (a *app) printValue(value any) error {
	data, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return a.printJSON(data)
}

// field is one line about one thing.
type field struct{ name, value string }

// printFields prints the known fields of one thing, a line each; empty ones are left out.
// A long value continues below itself.
func (a *app) printFields(fields ...field) {
	t := a.newTable(a.out)
	widest := 0
	for _, f := range fields {
		widest = max(widest, text.StringWidthWithoutEscSequences(a.inLanguage(f.name)))
	}
	for _, f := range fields {
		if f.value != "" {
			t.AppendRow(table.Row{a.inLanguage(f.name), wrap(locale.Value(a.lang, f.value), columns-widest-2, "")})
		}
	}
	if t.Length() > 0 {
		renderTable(a.out, t)
	}
}

// newTable returns a table without borders, which would not survive a pipe.
func (a *app) newTable(w io.Writer) table.Writer {
	t := table.NewWriter()
	style := table.StyleDefault
	style.Name = "plain"
	style.Options = table.OptionsNoBordersAndSeparators
	style.Box.PaddingLeft, style.Box.PaddingRight = "", "  "
	style.Format.Header, style.Format.Footer = 0, 0
	if out, ok := w.(*output); ok {
		w = out.Writer
	}
	if a.isTerminal(w) {
		style.Options.SeparateHeader = true
		style.Box.MiddleHorizontal = "─"
		style.Box.MiddleSeparator = "─"
	}
	t.SetStyle(style)
	return t
}

// renderTable prints a table without spaces at the ends of its lines.
func renderTable(w io.Writer, t table.Writer) {
	for line := range strings.SplitSeq(t.Render(), "\n") {
		fmt.Fprintln(w, strings.TrimRight(line, " "))
	}
}

// printList prints a list as a table, or says that it is empty.
func (a *app) printList(header []string, rows [][]string, nothing string) {
	if len(rows) == 0 {
		a.say("%s", nothing)
		return
	}
	t := a.newTable(a.out)
	names := make([]string, len(header))
	for i, name := range header {
		names[i] = a.inLanguage(name)
	}
	t.AppendHeader(tableRow(names))
	var numbers []table.ColumnConfig
	for i, name := range header {
		if slices.Contains([]string{"AMOUNT", "FEES", "AVAILABLE", "PENDING", "LINES"}, name) {
			numbers = append(numbers, table.ColumnConfig{Number: i + 1, Align: text.AlignRight, AlignHeader: text.AlignRight})
		}
	}
	t.SetColumnConfigs(numbers)
	for _, row := range rows {
		cells := make([]string, len(row))
		for i, cell := range row {
			cells[i] = locale.Value(a.lang, cell)
		}
		t.AppendRow(tableRow(cells))
	}
	renderTable(a.out, t)
}

func tableRow(words []string) table.Row {
	row := make(table.Row, len(words))
	for i, w := range words {
		row[i] = w
	}
	return row
}

// wrap breaks text at its spaces. A word that is longer than a line stays whole: it is an
// address or an id, and will be copied.
func wrap(words string, width int, indent string) string {
	var out strings.Builder
	for i, paragraph := range strings.Split(words, "\n") {
		if i > 0 {
			out.WriteString("\n" + indent)
		}
		length := 0
		for j, word := range strings.Split(paragraph, " ") {
			n := text.StringWidthWithoutEscSequences(word)
			switch {
			case j == 0:
			case length+1+n > width:
				out.WriteString("\n" + indent)
				length = 0
			default:
				out.WriteByte(' ')
				length++
			}
			out.WriteString(word)
			length += n
		}
	}
	return out.String()
}

// clip shortens free text for a table.
func clip(words string, width int) string {
	words = strings.Join(strings.Fields(words), " ")
	return text.Snip(words, width, "…")
}

// clipStart shortens free text at its beginning, where the texts of a list are alike.
func clipStart(words string, width int) string {
	words = strings.Join(strings.Fields(words), " ")
	if text.StringWidthWithoutEscSequences(words) <= width {
		return words
	}
	end := []rune(words)
	for len(end) > 0 && text.StringWidthWithoutEscSequences(string(end)) >= width {
		end = end[1:]
	}
	return "…" + string(end)
}

// money returns an amount with its currency.
func money(amount intram.Amount, currency intram.Currency) string {
	if currency == "" {
		return amount.Grouped()
	}
	return amount.Grouped() + " " + string(currency)
}

// when returns a time for people, to the second.
func when(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05Z")
}

// trimPrefix removes the name of the package that an error begins with.
func trimPrefix(message string) string {
	for _, name := range []string{"intram: ", "batch: ", "boltjournal: "} {
		if rest, ok := strings.CutPrefix(message, name); ok {
			return rest
		}
	}
	return message
}

// complete offers the values that a flag knows.
func complete(cmd *cobra.Command, flag string, words ...string) {
	completeBy(cmd, flag, func() []string { return words })
}

// completeBy offers the values that a flag knows when completion runs.
func completeBy(cmd *cobra.Command, flag string, words func() []string) {
	suggest := func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return words(), cobra.ShellCompDirectiveNoFileComp
	}
	if err := cmd.RegisterFlagCompletionFunc(flag, suggest); err != nil {
		panic("cli: completion of a flag that is not there: " + err.Error()) //nolint:forbidigo // a mistake of this program, which every test sees
	}
}
