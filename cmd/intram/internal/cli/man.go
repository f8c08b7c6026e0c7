package cli

import (
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/cmd/intram/internal/locale"
)

// manCommand writes the man pages that are in cmd/intram/man.
func (a *app) manCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "man DIRECTORY", Short: "Write the man pages", Args: exactly("DIRECTORY"),
		Long:    `Write the man pages of all commands into a directory.`,
		Example: `  intram man ~/.local/share/man/man1 && man intram-payouts-batch`,
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := os.MkdirAll(args[0], 0o755); err != nil { //nolint:gosec // manuals are for everyone
			return err
		}
		return writeMan(cmd.Root(), args[0], a.lang)
	}
	return cmd
}

// writeMan writes a page for each command, the same on every machine and every day.
func writeMan(root *cobra.Command, dir string, lang intram.Language) error {
	day := time.Date(2026, time.November, 21, 0, 0, 0, 0, time.UTC)
	disableTags(root)
	root.InitDefaultCompletionCmd()
	err := doc.GenManTreeFromOpts(root, doc.GenManTreeOptions{
		Path: filepath.Clean(dir), CommandSeparator: "-",
		Header: &doc.GenManHeader{Title: "INTRAM", Section: "1", Source: "intram " + intram.Version, Manual: "Intram", Date: &day},
	})
	if err != nil || lang != intram.French {
		return err
	}
	pages, err := filepath.Glob(filepath.Join(dir, "intram*.1"))
	if err != nil {
		return err
	}
	for _, page := range pages {
		text, err := os.ReadFile(page) //nolint:gosec // written above
		if err != nil {
			return err
		}
		if err := os.WriteFile(page, []byte(locale.ManPage(string(text))), 0o644); err != nil { //nolint:gosec // manuals are for everyone
			return err
		}
	}
	return nil
}

// disableTags removes the date of generation from the pages.
func disableTags(cmd *cobra.Command) {
	cmd.DisableAutoGenTag = true
	for _, sub := range cmd.Commands() {
		disableTags(sub)
	}
}
